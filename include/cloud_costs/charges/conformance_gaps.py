"""The rules of FOCUS 1.2 that are known to fail: by the validator's own faults, or by gaps of each export."""

from collections.abc import Mapping
from dataclasses import dataclass

SAMPLE_BILL = "sample bill"
REAL = "real month"


@dataclass(frozen=True)
class Gap:
    """A rule that published data breaks, and why. `rows` counts the rows that break it, by month.

    The validator does not see some gaps. It compares ChargeClass with "Correction", and where ChargeClass is null, SQL
    has no answer, so it skips nearly every row. `unseen` is the SQL condition that finds those rows.
    """

    rule: str
    column: str
    reason: str
    rows: Mapping[str, int]
    unseen: str | None = None


# Each fails on conformant data too; the reason is the validator's own.
KNOWN = {
    "CapacityReservationStatus-C-000-C": "its part C-004 fails",
    "CapacityReservationStatus-C-002-C": "its part C-004 fails",
    "CapacityReservationStatus-C-004-C": "its condition is read by no part of the validator: it wants every row filled",
    "CommitmentDiscountStatus-C-000-C": "its part C-004 fails",
    "CommitmentDiscountStatus-C-002-C": "its part C-004 fails",
    "CommitmentDiscountStatus-C-004-C": "its condition is inverted: it wants a status where there is no commitment",
    "CostAndUsage-D-000-M": "its part D-002 fails",
    "CostAndUsage-D-002-M": "the columns above fail",
    "EffectiveCost-C-000-M": "its part C-005 fails",
    "EffectiveCost-C-005-C": "it wants 0 for every purchase, also for one that covers no future charge",
    "InvoiceId-C-004-C": "it wants null on every row: it cannot know which charges no invoice holds",
}

NOT_A_CORRECTION = "chargecategory in ('Usage', 'Purchase') and chargeclass is distinct from 'Correction'"

GAPS = (
    Gap(
        "BilledCost-C-005-C",
        "BilledCost",
        "The rule asks for 0 where a third party receives the payment. The validator takes every row for one whose "
        "InvoiceIssuerName differs from its ProviderName. AWS names the legal entity that issues the invoice "
        "(`Amazon Web Services, Inc.`), and is paid for Marketplace charges too.",
        {SAMPLE_BILL: 3733, REAL: 51988},
    ),
    Gap(
        "BillingAccountName-C-003-C",
        "BillingAccountName",
        "A legacy CUR has no account names. A list of `accounts` fills the column, and so does CUR 2.0 "
        "(`bill_payer_account_name`).",
        {SAMPLE_BILL: 5855, REAL: 119316},
    ),
    Gap(
        "SubAccountName-C-005-C",
        "SubAccountName",
        "A legacy CUR has no account names. A list of `accounts` fills the column, and so does CUR 2.0 "
        "(`line_item_usage_account_name`).",
        {SAMPLE_BILL: 5855, REAL: 119316},
    ),
    Gap(
        "ConsumedUnit-C-003-O",
        "ConsumedUnit",
        "A recommendation (SHOULD). Units are spelt as AWS's own FOCUS exports spell them. What AWS counts in words "
        "that FOCUS does not list (`ReadRequestUnits`, `64K-Chunks`) keeps them.",
        {SAMPLE_BILL: 109, REAL: 213},
    ),
    Gap(
        "PricingUnit-C-003-O",
        "PricingUnit",
        "As ConsumedUnit.",
        {SAMPLE_BILL: 109, REAL: 213},
    ),
    Gap(
        "InvoiceId-C-003-C",
        "InvoiceId",
        "Passes in the validator when all rows have an invoice, or none has. A month has both: see C-005.",
        {SAMPLE_BILL: 0, REAL: 0},
    ),
    Gap(
        "InvoiceId-C-005-C",
        "InvoiceId",
        "The validator wants an invoice on every row. AWS leaves `bill_invoice_id` empty until it issues the invoice "
        "that the charge is on.",
        {SAMPLE_BILL: 3, REAL: 0},
    ),
    Gap(
        "InvoiceIssuerName-C-003-M",
        "InvoiceIssuerName",
        "Without `bill_invoicing_entity`, a report does not say who issues the invoice for a Marketplace product: its "
        "legal entity is the seller. AWS documents that its own FOCUS export may leave the column null.",
        {SAMPLE_BILL: 94, REAL: 0},
    ),
    Gap(
        "ServiceName-C-002-M",
        "ServiceName",
        "The validator allows ASCII alone. Marketplace sellers name their products as they like, and FOCUS asks to "
        "keep names as they are.",
        {SAMPLE_BILL: 94, REAL: 0},
    ),
    Gap(
        "SkuId-C-005-C",
        "SkuId",
        "The lines of commitments, fees, discounts, refunds and of some Marketplace products name no product in CUR.",
        {SAMPLE_BILL: 325, REAL: 0},
        f"{NOT_A_CORRECTION} and skuid is null",
    ),
    Gap(
        "SkuPriceId-C-005-C",
        "SkuPriceId",
        "As SkuId: those lines have no rate.",
        {SAMPLE_BILL: 325, REAL: 0},
        f"{NOT_A_CORRECTION} and skupriceid is null",
    ),
    Gap(
        "ListUnitPrice-C-005-C",
        "ListUnitPrice",
        "CUR leaves `pricing_public_on_demand_rate` empty where the public price list has no on-demand price of the "
        "line: commitments, fees, discounts, refunds and Spot usage. ListCost is BilledCost there.",
        {SAMPLE_BILL: 401, REAL: 1424},
        f"{NOT_A_CORRECTION} and listunitprice is null",
    ),
    Gap(
        "ContractedUnitPrice-C-006-C",
        "ContractedUnitPrice",
        "CUR has no column for it. `line_item_unblended_rate` is the price where it gives the line's cost. It does not "
        "for usage that a reservation covers, where it is 0. Spot usage, fees, discounts and refunds have none.",
        {SAMPLE_BILL: 1720, REAL: 9676},
        f"{NOT_A_CORRECTION} and contractedunitprice is null",
    ),
    Gap(
        "ConsumedQuantity-C-006-C",
        "ConsumedQuantity",
        "Lines without a unit measure nothing: discounts and refunds, which are Usage in FOCUS, and what AWS bills "
        "without `pricing_unit`. A quantity without its unit would break ConsumedUnit's rules.",
        {SAMPLE_BILL: 119, REAL: 22394},
        "chargecategory = 'Usage' and commitmentdiscountstatus is distinct from 'Unused' "
        "and chargeclass is distinct from 'Correction' and consumedquantity is null",
    ),
)
