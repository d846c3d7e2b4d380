"""The columns of AWS exports: their names in PostgreSQL, their types where a CSV file has none, and where tags are.

Sources: AWS CUR user guide, `cur-ate-run`; the type rule of AWS Cloud Intelligence Dashboards (`cid/helpers/cur.py`),
which holds for every column of a real month that AWS typed itself.
"""

import re

from cloud_costs.formats.delivery import Tags

# Columns that hold the texts of people or products, whatever their name ends with.
UNTYPED = re.compile(r"(product|resource_tags|cost_category|tags)_")
NUMBER = re.compile(r".*_(cost|factor|quantity|fee|amount|discount|usage|usage_ratio)")
# Numbers whose names do not end like those above.
NUMBERS = {
    "reservation_amortized_upfront_fee_for_billing_period",
    "reservation_net_amortized_upfront_fee_for_billing_period",
    "reservation_net_unused_amortized_upfront_fee_for_billing_period",
    "reservation_net_upfront_value",
    "reservation_unused_amortized_upfront_fee_for_billing_period",
    "reservation_upfront_value",
    "savings_plan_amortized_upfront_commitment_for_billing_period",
    "savings_plan_net_amortized_upfront_commitment_for_billing_period",
    "savings_plan_net_recurring_commitment_for_billing_period",
    "savings_plan_recurring_commitment_for_billing_period",
    "savings_plan_savings_plan_rate",
    "savings_plan_total_commitment_to_date",
    "savings_plan_used_commitment",
}
MAPS = {"cost_category", "discount", "product", "resource_tags", "tags", "skupricedetails", "x_discounts"}
FOCUS_NUMBER = re.compile(r"(?!pricingcurrency$).*(cost|price|quantity)|pricingcurrency.*(cost|price)")
FOCUS_TIME = re.compile(r"(billing|charge)period(start|end)")


def athena_name(name: str) -> str:
    """Return AWS's Athena spelling of a name: `_` before capitals, lower case, one `_` for all else.

    >>> athena_name("lineItem/UnblendedCost"), athena_name("reservation/ReservationARN")
    ('line_item_unblended_cost', 'reservation_reservation_a_r_n')
    """
    spaced = re.sub(r"([A-Z])", r"_\1", name).lower()
    return re.sub(r"_+", "_", re.sub(r"[^a-z0-9]", "_", spaced)).strip("_")


def cur_type(name: str) -> str:
    """Return the PostgreSQL type of a CUR column in CSV: a number, a time, a map, or else text.

    >>> cur_type("line_item_unblended_cost"), cur_type("line_item_usage_account_id")
    ('numeric', 'text')
    """
    if name in MAPS:
        return "jsonb"
    if UNTYPED.match(name):
        return "text"
    if name in NUMBERS or NUMBER.fullmatch(name):
        return "numeric"
    if name.endswith("_date") and not name.endswith("_to_date"):
        return "timestamp without time zone"
    return "text"


def focus_type(name: str) -> str:
    """Return the PostgreSQL type of a FOCUS column, in lower case, in CSV.

    >>> focus_type("billedcost"), focus_type("chargeperiodstart"), focus_type("tags")
    ('numeric', 'timestamp without time zone', 'jsonb')
    """
    if name in MAPS:
        return "jsonb"
    if FOCUS_NUMBER.fullmatch(name):
        return "numeric"
    return "timestamp without time zone" if FOCUS_TIME.fullmatch(name) else "text"


def tag_key(name: str) -> str:
    """Return the key of the tag that a column of a Cost and Usage Report holds, from the exporter's name.

    >>> tag_key("resourceTags/user:Name"), tag_key("resource_tags_user_name")
    ('user:Name', 'user_name')
    """
    return name.removeprefix("resourceTags/").removeprefix("resource_tags_")


def tag_spellings(key: str) -> tuple[str, ...]:
    """Return how the exports spell a tag key: as AWS Billing shows it, in the Athena spelling, and in CUR 2.0's `tags`.

    >>> tag_spellings("user:Team")
    ('user:Team', 'user_team', 'resourceTags/Team')
    """
    return (key, athena_name(key), "resourceTags/" + key.removeprefix("user:"))


TAGS = Tags("resource_tags_", ("resource_tags", "tags"), tag_key, tag_spellings)
