"""The rules of FOCUS 1.2 that are known to fail: by the validator's own faults, or by gaps of a provider's bills."""

from dataclasses import dataclass
from typing import Literal

Whose = Literal["export", "validator", "ours"]


@dataclass(frozen=True)
class Gap:
    """A rule that published charges break, and why.

    `whose` says who would have to mend it: the provider's export, the validator, or this project. `where` is the
    condition, in SQL, of the charges that break the rule, with `{charges}` for all charges of the bill.
    """

    rule: str
    whose: Whose
    where: str
    why: str

    @property
    def column(self) -> str:
        """The column that the rule is about."""
        return self.rule.partition("-")[0]


# Each fails on conformant data too; the reason is the validator's own.
KNOWN = {
    "CapacityReservationStatus-C-000-C": "its part C-004 fails",
    "CapacityReservationStatus-C-002-C": "its part C-004 fails",
    "CapacityReservationStatus-C-004-C": "its condition is read by no part of the validator: it wants every row filled",
    "CommitmentDiscountStatus-C-000-C": "its part C-004 fails",
    "CommitmentDiscountStatus-C-002-C": "its part C-004 fails",
    "CommitmentDiscountStatus-C-004-C": "its condition is inverted: it wants a status where there is no commitment",
    "CostAndUsage-D-000-M": "its part D-002 fails",
    "CostAndUsage-D-002-M": "the columns of the tables above fail",
    "EffectiveCost-C-000-M": "its part C-005 fails",
    "EffectiveCost-C-005-C": "it wants 0 for every purchase, also for one that covers no future charge",
    "InvoiceId-C-003-C": "it passes when C-004 or C-005 does, and a month with and without invoices breaks both",
    "InvoiceId-C-004-C": "it wants null on every row: it cannot know which charges no invoice holds",
}

# The page counts charges for these. The validator counts ServiceNames for two of them. For the third it leaves out the
# rows where CommitmentDiscountStatus is null, as it does for ChargeClass.
COUNTED_OTHERWISE = ("ServiceName-C-005-C", "ServiceName-C-008-C", "ConsumedQuantity-C-006-C")

_OPEN = "chargeclass is distinct from 'Correction'"
_PRICED = f"chargecategory in ('Usage', 'Purchase') and {_OPEN}"
_NOT_ASCII = "{} ~ '[^[:ascii:]]'"
_COUNT = r"[A-Za-z][A-Za-z0-9]*(\s+[A-Za-z][A-Za-z0-9]*)*"
_TIMES, _TIME = "(Years|Months|Days|Hours|Minutes|Seconds)", "(Year|Month|Day|Hour|Minute|Second)"
# The forms of "Unit Format" of the specification. Its sizes and times are made of letters, as its counts are.
_UNIT = f"^([0-9]+ )?{_COUNT}$|^{_COUNT}-{_TIMES}$|^{_COUNT}/({_TIME}|[0-9]+ {_TIMES})$"
_PRODUCT = (
    "abs({price} * pricingquantity - {cost}) > 1e-9 * greatest(abs({cost}), 1) and " + _OPEN
)  # as near as the validator wants it, which computes with doubles


def _missing(column: str, rule: str, why: str, whose: Whose = "export") -> Gap:
    """Return the gap of a column that has to be filled for usage and purchases."""
    return Gap(f"{column}-{rule}", whose, f"{_PRICED} and {column.lower()} is null", why)


def _unit(column: str, why: str) -> Gap:
    return Gap(f"{column}-C-003-O", "export", f"{column.lower()} !~ '{_UNIT}'", why)


def _categories(rule: str, column: str, why: str) -> Gap:
    several = f"select servicename from {{charges}} group by 1 having count(distinct {column}) <> 1"  # noqa: S608  a literal of this module
    return Gap(f"ServiceName-{rule}", "export", f"servicename in ({several})", why)


_NO_COMMITTED_QUANTITY = f"commitmentdiscountid is not null and {_PRICED} and commitmentdiscountquantity is null"
_NO_CONSUMED_QUANTITY = (
    f"chargecategory = 'Usage' and commitmentdiscountstatus is distinct from 'Unused' and {_OPEN} "
    "and consumedquantity is null"
)
_LIST_COSTS = (
    ("ListCost-C-009-C", _PRODUCT.format(price="listunitprice", cost="listcost")),
    ("ListUnitPrice-C-010-C", _PRODUCT.format(price="listunitprice", cost="listcost")),
)
_CONTRACTED_COST = ("ContractedUnitPrice-C-011-C", _PRODUCT.format(price="contractedunitprice", cost="contractedcost"))

_AWS_ISSUER = Gap(
    "BilledCost-C-005-C",
    "validator",
    "invoiceissuername <> providername and billedcost <> 0",
    "The rule asks for 0 where a third party receives the payment. The validator takes every row for one whose "
    "InvoiceIssuerName differs from its ProviderName. AWS names the legal entity that issues the invoice (`Amazon Web "
    "Services, Inc.`), and is paid for Marketplace charges too.",
)
_AWS_INVOICE = Gap(
    "InvoiceId-C-005-C",
    "export",
    "invoiceid is null",
    "The validator wants an invoice on every row. AWS leaves it empty until it issues the invoice of the charge.",
)
_AWS_UNIT = (
    "A recommendation (SHOULD). Units are spelt as AWS's own FOCUS exports spell them. What AWS counts in words that "
    "FOCUS does not list (`64K-Chunks`) keeps them."
)
_AWS_NAMES = Gap(
    "ServiceName-C-002-M",
    "validator",
    _NOT_ASCII.format("servicename"),
    "The validator allows ASCII alone. Marketplace sellers name their products as they like, and FOCUS asks to keep "
    "names as they are.",
)
_AWS_PRICES = (
    _missing(
        "SkuId", "C-005-C", "Commitments, fees, discounts, refunds and some Marketplace products name no product."
    ),
    _missing("SkuPriceId", "C-005-C", "As SkuId: those lines have no rate."),
    _missing(
        "ListUnitPrice",
        "C-005-C",
        "The public price list has no on-demand price of commitments, fees, discounts, refunds and Spot usage. "
        "ListCost is BilledCost there.",
    ),
    _missing("PricingCurrencyListUnitPrice", "C-005-C", "As ListUnitPrice."),
    _missing("PricingQuantity", "C-005-C", "Lines without a unit measure nothing, such as discounts and refunds."),
)
_AWS_CONSUMED = Gap(
    "ConsumedQuantity-C-006-C",
    "export",
    _NO_CONSUMED_QUANTITY,
    "Lines without a unit measure nothing: discounts and refunds, which are Usage in FOCUS, and what AWS bills without "
    "a unit. A quantity without its unit would break ConsumedUnit's rules.",
)
_FOCUS_EXPORT = (
    Gap("RegionName-C-005-C", "export", "regionid is not null and regionname is null", "Left empty where it is."),
    Gap("ResourceType-C-005-C", "export", "resourceid is not null and resourcetype is null", "Left empty."),
    _categories("C-005-C", "servicecategory", "AWS has the volumes of EC2 under Storage, and the rest under Compute."),
    _categories("C-008-C", "servicesubcategory", "As ServiceCategory."),
    Gap("SkuMeter-C-004-C", "export", "skuid is null and skumeter is not null", "AWS fills it where it has no SkuId."),
    Gap("CommitmentDiscountQuantity-C-005-C", "export", _NO_COMMITTED_QUANTITY, "Left empty on purchases."),
    _missing("ContractedUnitPrice", "C-006-C", "AWS documents that it may be empty."),
)
_IS_AWS_EXPORT = (_AWS_ISSUER, _AWS_INVOICE, _AWS_NAMES, *_AWS_PRICES, _AWS_CONSUMED)

_AZURE_KEPT = (
    Gap(
        "SkuMeter-C-004-C",
        "export",
        "skuid is null and skumeter is not null",
        "Under an EA no SkuId is exported. The meter's name is kept.",
    ),
    Gap(
        "SkuPriceDetails-C-004-C",
        "export",
        "skupriceid is null and skupricedetails is not null",
        "No export has a SkuPriceId of this line. The details are kept.",
    ),
    Gap(
        "SkuMeter-C-005-C",
        "export",
        "skuid is not null and skumeter is null",
        "A recommendation (SHOULD). Charges such as rounding have a product and no meter.",
    ),
)

# By the heading of the page.
GAPS: dict[str, tuple[Gap, ...]] = {
    "AWS": (
        *_IS_AWS_EXPORT,
        Gap(
            "BillingAccountName-C-003-C",
            "export",
            "billingaccountname is null",
            "A legacy CUR has no account names. A list of `accounts` fills the column, and so does CUR 2.0.",
        ),
        Gap(
            "SubAccountName-C-005-C",
            "export",
            "subaccountid is not null and subaccountname is null",
            "As BillingAccountName.",
        ),
        _unit("ConsumedUnit", _AWS_UNIT),
        _unit("PricingUnit", "As ConsumedUnit."),
        Gap(
            "InvoiceIssuerName-C-003-M",
            "export",
            "invoiceissuername is null",
            "Without `bill_invoicing_entity`, a report does not say who issues the invoice for a Marketplace product: "
            "its legal entity is the seller. AWS documents that its own FOCUS export may leave the column null.",
        ),
        *(gap for gap in _FOCUS_EXPORT if gap.column not in ("ContractedUnitPrice", "CommitmentDiscountQuantity")),
        Gap(
            "CommitmentDiscountQuantity-C-005-C",
            "export",
            _NO_COMMITTED_QUANTITY,
            "Refunds of a commitment count nothing. AWS's FOCUS export is empty on purchases.",
        ),
        _missing(
            "ContractedUnitPrice",
            "C-006-C",
            "CUR has no column for it. `line_item_unblended_rate` is the price where it gives the line's cost. It does "
            "not for usage that a reservation covers, where it is 0, nor for Spot usage, fees, discounts and refunds. "
            "AWS documents that its FOCUS export may leave it empty.",
        ),
    ),
    "Azure": (
        Gap("BillingAccountId-C-001-M", "export", "billingaccountid is null", "Older pay-as-you-go columns have none."),
        Gap("BillingAccountName-C-003-C", "export", "billingaccountname is null", "As BillingAccountId."),
        Gap(
            "SubAccountName-C-005-C",
            "export",
            "subaccountid is not null and subaccountname is null",
            "Older pay-as-you-go columns have none.",
        ),
        Gap("InvoiceId-C-005-C", "export", "invoiceid is null", "Only an MCA's exports name the invoice."),
        *_AZURE_KEPT,
        Gap(
            "ContractedUnitPrice-C-005-C",
            "export",
            "chargecategory = 'Tax' and contractedunitprice is not null",
            "FocusCost fills it for taxes too. What Azure fills is kept.",
        ),
        Gap("ListUnitPrice-C-004-C", "export", "chargecategory = 'Tax' and listunitprice is not null", "As above."),
        Gap("PricingQuantity-C-004-C", "export", "chargecategory = 'Tax' and pricingquantity is not null", "As above."),
        Gap(
            _CONTRACTED_COST[0],
            "export",
            _CONTRACTED_COST[1],
            "The price is 0 for Marketplace and commitments. ContractedCost is what is billed there.",
        ),
        Gap(
            _LIST_COSTS[0][0],
            "export",
            _LIST_COSTS[0][1],
            "The list price is 0 for Marketplace and commitments. ListCost is what is billed there, as FOCUS has it.",
        ),
        Gap(_LIST_COSTS[1][0], "export", _LIST_COSTS[1][1], "As ListCost."),
        Gap(
            "CommitmentDiscountQuantity-C-005-C",
            "export",
            _NO_COMMITTED_QUANTITY,
            "FocusCost leaves it empty. Cost details have it for reservations where `AdditionalInfo` has the ratio of "
            "flexible sizes.",
        ),
        _missing("PricingCategory", "C-004-C", "Marketplace usage and older exports have no pricing model."),
        _missing("ListUnitPrice", "C-005-C", "Older pay-as-you-go columns have no list price."),
        _missing("PricingCurrencyListUnitPrice", "C-005-C", "As ListUnitPrice."),
        _missing("SkuId", "C-005-C", "An EA's exports have no product id."),
        _missing("SkuPriceId", "C-005-C", "Cost details have none; FocusCost leaves it empty without a price sheet."),
    ),
    "Google Cloud": (
        Gap("BillingAccountName-C-003-C", "export", "billingaccountname is null", "The export has no such name."),
        Gap("InvoiceId-C-005-C", "export", "invoiceid is null", "The export has no number of the invoice."),
        Gap("InvoiceIssuerName-C-003-M", "export", "invoiceissuername is null", "The export does not name the issuer."),
        Gap(
            "ChargeDescription-C-002-M",
            "validator",
            _NOT_ASCII.format("chargedescription"),
            "The validator allows ASCII alone. Marketplace sellers name their products as they like.",
        ),
        Gap("SkuMeter-C-002-M", "validator", _NOT_ASCII.format("skumeter"), "As ChargeDescription."),
        Gap(
            "CommitmentDiscountCategory-C-003-C",
            "ours",
            "commitmentdiscountcategory is not null and commitmentdiscountid is null",
            "A fee that names no subscription keeps its category, by which `commitment_fees_are_spread` finds it.",
        ),
        Gap(
            "CommitmentDiscountQuantity-C-005-C",
            "ours",
            _NO_COMMITTED_QUANTITY,
            "Google does not say how much of a spend based commitment was used. For a resource based one the mapping "
            "could tell, and does not yet.",
        ),
        _unit("ConsumedUnit", "Google's units are kept (`byte-seconds`)."),
        _missing("ContractedUnitPrice", "C-006-C", "Commitments, support and Marketplace lines have no price."),
        _missing("ListUnitPrice", "C-005-C", "As ContractedUnitPrice. Google has list prices from 15 July 2025 on."),
        _missing("PricingCurrencyListUnitPrice", "C-005-C", "As ListUnitPrice."),
        _missing("PricingQuantity", "C-005-C", "Fees and Marketplace lines measure nothing."),
        _missing("SkuId", "C-005-C", "What nobody used of a commitment has no SKU of its own."),
        _missing("SkuPriceId", "C-005-C", "Lines without a price have no tier."),
        Gap("ConsumedQuantity-C-006-C", "export", _NO_CONSUMED_QUANTITY, "Support and Marketplace lines have none."),
    ),
    "FOCUS files": (
        *_IS_AWS_EXPORT,
        _unit("ConsumedUnit", "As the file has it."),
        _unit("PricingUnit", "As the file has it."),
        *_FOCUS_EXPORT,
        *(
            Gap(rule, "export", f"{rule.partition('-')[0].lower()} is null", "A file of FOCUS 1.0 has no such column.")
            for rule in (
                "BillingAccountType-C-005-C",
                "PricingCurrency-C-004-M",
                "PricingCurrencyEffectiveCost-C-003-M",
                "ServiceSubcategory-C-002-M",
                "SubAccountType-C-005-C",
            )
        ),
        Gap(
            "SkuMeter-C-005-C",
            "export",
            "skuid is not null and skumeter is null",
            "A file of FOCUS 1.0 has no such column.",
        ),
        Gap(
            "PublisherName-C-003-M",
            "export",
            "publishername is null",
            "FOCUS 1.4 has no PublisherName any more, and nothing in its place.",
        ),
    ),
}
