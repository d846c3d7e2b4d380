"""The FOCUS 1.2 export of AWS, with one row for each charge.

A fee for a commitment with an unused part is two charges, and so two rows. Negations and split-cost rows are no charges
and have no rows.

Columns that the plan has no values for are NULL: capacity reservations, ChargeClass, CommitmentDiscountName, the
contracted unit prices, ResourceName and ResourceType. `services` names the source of AWS's words for services and
units. In the same sample, InvoiceIssuerName of a Marketplace product is AWS, which issues the invoice, PublisherName is
the legal entity that sells, SkuId is the SKU of the price list, and SkuPriceId is the rate code that begins with it. No
document that we know of has AWS's values of BillingAccountType, SubAccountType, SkuMeter, CommitmentDiscountType of a
reservation, and x_ServiceCode of data transfer. Comparing a mapping with these values here proves nothing.
"""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from cloud_costs.demo.sample_bill.bill import Bill, account_name
from cloud_costs.demo.sample_bill.catalog import Values
from cloud_costs.demo.sample_bill.columns import column_names
from cloud_costs.demo.sample_bill.cur import tag_key
from cloud_costs.demo.sample_bill.discounts import DISCOUNTS
from cloud_costs.demo.sample_bill.lines import ZERO, Charge, Line
from cloud_costs.demo.sample_bill.resources import COLLIDING_TAG
from cloud_costs.demo.sample_bill.services import AWS_INVOICES, focus_unit, service_category
from cloud_costs.demo.sample_bill.tables import Column, ColumnType, Row, Table

_TYPES: dict[ColumnType, str] = {
    "double": """BilledCost CommitmentDiscountQuantity ConsumedQuantity ContractedCost ContractedUnitPrice EffectiveCost
        ListCost ListUnitPrice PricingCurrencyContractedUnitPrice PricingCurrencyEffectiveCost
        PricingCurrencyListUnitPrice PricingQuantity""",
    "timestamp": "BillingPeriodEnd BillingPeriodStart ChargePeriodEnd ChargePeriodStart",
    "map<string,string>": "SkuPriceDetails Tags",
    "map<string,double>": "x_Discounts",
    "string": """AvailabilityZone BillingAccountId BillingAccountName BillingAccountType BillingCurrency
        CapacityReservationId CapacityReservationStatus ChargeCategory ChargeClass ChargeDescription ChargeFrequency
        CommitmentDiscountCategory CommitmentDiscountId CommitmentDiscountName CommitmentDiscountStatus
        CommitmentDiscountType CommitmentDiscountUnit ConsumedUnit InvoiceId InvoiceIssuerName PricingCategory
        PricingCurrency PricingUnit ProviderName PublisherName RegionId RegionName ResourceId ResourceName
        ResourceType ServiceCategory ServiceName ServiceSubcategory SkuId SkuMeter SkuPriceId SubAccountId
        SubAccountName SubAccountType x_Operation x_ServiceCode""",
}
_COLUMNS: dict[str, ColumnType] = {name: kind for kind, names in _TYPES.items() for name in names.split()}
_NORMALIZED = {
    "Unused": "reservation_unused_normalized_unit_quantity",
    "Used": "line_item_normalized_usage_amount",
}
_PRICE_DETAILS = {
    "product_instance_type": "InstanceType",
    "product_instance_type_family": "InstanceSeries",
    "product_vcpu": "CoreCount",
    "product_memory": "MemorySize",
    "product_operating_system": "OperatingSystem",
    "product_database_engine": "x_DatabaseEngine",
}


def focus_table(bill: Bill, month: date) -> Table:
    """Return the month's table: the columns never change."""
    columns = [Column(name, _COLUMNS[name], name) for name in sorted(_COLUMNS, key=str.lower)]
    tags = _tags(month)
    return Table(columns, lambda line: _rows(bill, line, tags), nulls=True)


def _tags(month: date) -> dict[str, str]:
    """Return the keys of the month's tags by planned column: `user:` is AWS's, not the user's."""
    names = [name for name in column_names(month) if name.startswith("resource_tags_")]
    keys = {name: tag_key(name).removeprefix("user:") for name in names}
    return keys | {COLLIDING_TAG: COLLIDING_TAG.removeprefix("resourceTags/user:")}


def _rows(bill: Bill, line: Line, tags: dict[str, str]) -> Iterator[Row]:
    """Yield the charges of a line; absent and empty values are left out."""
    if not line.charges:
        return
    common = _common(bill, line, tags)
    for charge in line.charges:
        row = common | _costs(bill, charge) | _commitment(bill, line.values, charge)
        if charge.category == "Usage" and charge.lines:
            row |= _quantities(line.values)
        yield {name: value for name, value in row.items() if value is not None and value != ""}


def _common(bill: Bill, line: Line, tags: dict[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = dict(line.values)
    get = values.get
    start = values["line_item_usage_start_date"]
    category, subcategory = service_category(line.service, str(get("line_item_resource_id", "")))
    price = get("pricing_public_on_demand_rate")
    list_price = Decimal(price) if price else None
    return {
        "AvailabilityZone": get("line_item_availability_zone"),
        "BillingAccountId": values["bill_payer_account_id"],
        "BillingAccountName": account_name(bill, bill.payer, start),
        "BillingAccountType": "Management Account",
        "BillingCurrency": bill.currency,
        "BillingPeriodEnd": values["bill_billing_period_end_date"],
        "BillingPeriodStart": values["bill_billing_period_start_date"],
        "ChargeDescription": get("line_item_line_item_description"),
        "ChargePeriodEnd": _exclusive(values["line_item_usage_end_date"]),
        "ChargePeriodStart": start,
        "InvoiceId": values["bill_invoice_id"],
        "InvoiceIssuerName": AWS_INVOICES,
        "ListUnitPrice": list_price,
        "PricingCurrency": bill.currency,
        "PricingCurrencyListUnitPrice": list_price,
        "ProviderName": "AWS",
        "PublisherName": get("line_item_legal_entity"),
        "RegionId": get("product_region_code") or get("product_region"),
        "RegionName": get("product_location"),
        "ResourceId": get("line_item_resource_id"),
        "ServiceCategory": category,
        "ServiceName": line.service,
        "ServiceSubcategory": subcategory,
        "SkuId": get("product_sku"),
        "SkuMeter": get("line_item_usage_type"),
        "SkuPriceDetails": _map(values, _PRICE_DETAILS),
        "SkuPriceId": get("pricing_rate_code"),
        "SubAccountId": line.account,
        "SubAccountName": account_name(bill, line.account, start),
        "SubAccountType": "Member Account",
        "Tags": _map(values, tags),
        "x_Discounts": _map(values, {discount.column: discount.line_type for discount in DISCOUNTS}),
        "x_Operation": get("line_item_operation"),
        "x_ServiceCode": values["line_item_product_code"],
    }


def _exclusive(end: datetime) -> datetime:
    """Return the end as FOCUS has it; a Cost and Usage Report ends lines that span the month a second before."""
    return end + timedelta(seconds=1) if end.second else end


def _map(values: dict[str, Any], keys: dict[str, str]) -> dict[str, Any] | None:
    return {key: values[name] for name, key in keys.items() if values.get(name)} or None


def _costs(bill: Bill, charge: Charge) -> dict[str, Any]:
    return {
        "BilledCost": charge.billed,
        "ChargeCategory": charge.category,
        "ContractedCost": charge.billed if charge.lines and charge.billed else charge.list_cost,
        "EffectiveCost": charge.effective,
        "ListCost": charge.list_cost,
        "PricingCurrencyEffectiveCost": charge.effective,
    }


def _commitment(bill: Bill, values: Values, charge: Charge) -> dict[str, Any]:
    """Return what ties the charge to a Savings Plan or a reservation, and how it was priced."""
    plan, reservation = (
        values.get("savings_plan_savings_plan_a_r_n"),
        values.get("reservation_reservation_a_r_n"),
    )  # fmt: skip
    status = _status(values, charge)
    pricing = "Committed" if status else None if charge.category == "Tax" else "Standard"
    if pricing == "Standard" and "Spot" in str(values.get("line_item_usage_type")):
        pricing = "Dynamic"
    frequency = "Usage-Based" if charge.category == "Usage" else "One-Time"
    if charge.category == "Purchase" and values["line_item_line_item_type"] in ("RIFee", "SavingsPlanRecurringFee"):
        frequency = "Recurring"
    row: dict[str, Any] = {"ChargeFrequency": frequency, "PricingCategory": pricing}
    if not plan and not reservation:
        return row
    return row | {
        "CommitmentDiscountCategory": "Spend" if plan else "Usage",
        "CommitmentDiscountId": plan or reservation,
        "CommitmentDiscountQuantity": _committed(values, plan is not None, status) if status else None,
        "CommitmentDiscountStatus": status,
        "CommitmentDiscountType": "Savings Plan" if plan else "Reservation",
        "CommitmentDiscountUnit": (bill.currency if plan else "Normalized Hrs") if status else None,
    }


def _committed(values: Values, is_plan: bool, status: str) -> Any:
    """Return how much of a commitment is used or not: money before discounts of a plan, normalized units of others."""
    if is_plan and status == "Used":
        return values["savings_plan_savings_plan_effective_cost"]
    if is_plan:
        total, used = (values[f"savings_plan_{name}"] for name in ("total_commitment_to_date", "used_commitment"))
        return total - used  # type: ignore[operator]
    return values[_NORMALIZED[status]]


def _status(values: Values, charge: Charge) -> str | None:
    if not charge.lines:
        return "Unused"
    return "Used" if values["line_item_line_item_type"] in ("SavingsPlanCoveredUsage", "DiscountedUsage") else None


def _quantities(values: Values) -> dict[str, Any]:
    """Return the quantities of usage; discounts and refunds of usage have none."""
    if not values.get("pricing_unit"):
        return {}
    amount, unit = values.get("line_item_usage_amount", ZERO), focus_unit(str(values["pricing_unit"]))
    return {"ConsumedQuantity": amount, "ConsumedUnit": unit, "PricingQuantity": amount, "PricingUnit": unit}
