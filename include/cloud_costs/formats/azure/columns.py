"""The columns of Azure exports: their types where a CSV file has none, and where tags are.

Names are compared in lower case, because their spelling differs by agreement and version: `ResourceId`, `resourceId`,
`ResourceID`. JSON stays text, because it is not always valid, and Azure leaves the braces of tags out.

Source: the schemas of Cost Management's data sets, as Microsoft's FinOps toolkit lists them.
"""

import re

from cloud_costs.formats.delivery import Tags

TIME = "timestamp without time zone"
# CostCenter and costAllocationRuleName are texts, and exchangeRateDate is a time.
COST_NUMBER = re.compile(
    r"(?:payg|pretax)?cost(?:in(?:billing|pricing)currency|inusd)?|(?:effective|payg|unit)price|(?:usage)?quantity"
    r"|exchangerate(?:pricingtobilling)?|resourcerate"
)
COST_TIME = re.compile(r"(?:billing|service)period(?:start|end)date|(?:exchangerate)?date|usagedatetime")
# x_PricingUnitDescription and the like are texts, and x_BillingExchangeRateDate is a time.
FOCUS_NUMBER = re.compile(r"(?:x_)?\w*(?:cost|costinusd|price|quantity|exchangerate|blocksize)")
FOCUS_TIME = re.compile(r"(?:billing|charge|x_service)period(?:start|end)|x_billingexchangeratedate")

TAGS = Tags(maps=("tags",))


def cost_type(name: str) -> str:
    """Return the PostgreSQL type of a column of actual or amortized costs, in lower case, in CSV.

    >>> cost_type("costinbillingcurrency"), cost_type("date"), cost_type("subscriptionid")
    ('numeric', 'timestamp without time zone', 'text')
    """
    if COST_NUMBER.fullmatch(name):
        return "numeric"
    return TIME if COST_TIME.fullmatch(name) else "text"


def focus_type(name: str) -> str:
    """Return the PostgreSQL type of a column of FOCUS costs, in lower case, in CSV.

    >>> focus_type("billedcost"), focus_type("x_pricingblocksize"), focus_type("chargeperiodstart"), focus_type("tags")
    ('numeric', 'numeric', 'timestamp without time zone', 'text')
    """
    if FOCUS_NUMBER.fullmatch(name):
        return "numeric"
    return TIME if FOCUS_TIME.fullmatch(name) else "text"
