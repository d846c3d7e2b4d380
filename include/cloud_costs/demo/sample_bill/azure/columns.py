"""The renderers: the columns of each data set, and the cells of a line in them.

A cell is a text, a date, a Decimal, or None where it is empty. Names and spelling are those of the agreement: an
Enterprise Agreement has `BillingCurrencyCode` and dates such as 01/31/2025, a Microsoft Customer Agreement has
`billingCurrency` and 2025-01-31, and an old pay-as-you-go export has `PreTaxCost`.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TypeAlias

from cloud_costs.demo.sample_bill.azure import catalog
from cloud_costs.demo.sample_bill.azure.bill import AzureBill
from cloud_costs.demo.sample_bill.azure.plan import AzureLine
from cloud_costs.demo.sample_bill.bill import days_in

Cell: TypeAlias = str | Decimal | date | None
Row: TypeAlias = Mapping[str, Cell]


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split())


EA = _names(
    """
    InvoiceSectionName SubscriptionId SubscriptionName ResourceGroup ResourceLocation Date ProductName MeterCategory
    MeterSubCategory MeterId MeterName UnitOfMeasure Quantity EffectivePrice CostInBillingCurrency CostCenter
    ConsumedService ResourceId Tags AdditionalInfo ReservationId ReservationName UnitPrice ProductOrderId
    ProductOrderName PublisherType PublisherName ChargeType Frequency PricingModel AvailabilityZone BillingAccountId
    BillingAccountName BillingCurrencyCode BillingPeriodStartDate BillingPeriodEndDate BillingProfileId PayGPrice
    benefitId benefitName
    """
)
MCA = _names(
    """
    invoiceId billingAccountId billingAccountName billingProfileId billingProfileName invoiceSectionName costCenter
    billingPeriodEndDate billingPeriodStartDate date productOrderId productOrderName consumedService meterId
    meterName meterCategory meterSubCategory ProductId ProductName SubscriptionId subscriptionName publisherType
    publisherName resourceGroupName ResourceId resourceLocation effectivePrice quantity unitOfMeasure chargeType
    billingCurrency pricingCurrency costInBillingCurrency costInPricingCurrency paygCostInBillingCurrency
    exchangeRatePricingToBilling additionalInfo tags PayGPrice frequency pricingModel unitPrice benefitId
    benefitName
    """
)
PAYG = _names(
    """
    SubscriptionGuid ResourceGroup ResourceLocation UsageDateTime MeterCategory MeterSubcategory MeterId MeterName
    UsageQuantity ResourceRate PreTaxCost ConsumedService InstanceId Tags AdditionalInfo Currency UnitOfMeasure
    """
)
FOCUS_1_0 = _names(
    """
    BilledCost BillingAccountId BillingAccountName BillingAccountType BillingCurrency BillingPeriodEnd
    BillingPeriodStart ChargeCategory ChargeClass ChargeDescription ChargeFrequency ChargePeriodEnd
    ChargePeriodStart CommitmentDiscountCategory CommitmentDiscountId CommitmentDiscountName
    CommitmentDiscountStatus CommitmentDiscountType ConsumedQuantity ConsumedUnit ContractedCost ContractedUnitPrice
    EffectiveCost InvoiceIssuerName ListCost ListUnitPrice PricingCategory PricingQuantity PricingUnit ProviderName
    PublisherName RegionId RegionName ResourceId ResourceName ResourceType ServiceCategory ServiceName SkuId
    SkuPriceId SubAccountId SubAccountName SubAccountType Tags x_BillingExchangeRate x_CostCenter x_InvoiceId
    x_InvoiceSectionName x_PricingBlockSize x_PricingCurrency x_PublisherCategory x_ResourceGroupName x_SkuDetails
    x_SkuMeterCategory x_SkuMeterId x_SkuMeterName x_SkuMeterSubcategory x_SkuOrderId x_SkuOrderName
    """
)
PROMOTED = {"x_InvoiceId": "InvoiceId", "x_PricingCurrency": "PricingCurrency", "x_SkuMeterName": "SkuMeter"}
FOCUS_1_2 = (*(PROMOTED.get(name, name) for name in FOCUS_1_0), "ServiceSubcategory")


@dataclass(frozen=True)
class DataSet:
    """The columns of an export. `row_of` makes a row of a line, or None where the data set does not have the line."""

    columns: Sequence[str]
    row_of: Callable[[AzureLine], Row | None]
    is_american: bool = False


def data_sets(bill: AzureBill, month: date) -> list[DataSet]:
    """Return the data sets of a bill's exports: actual costs and then amortized ones, or FOCUS costs."""
    if bill.format == "azure_focus":
        columns = FOCUS_1_0 if bill.focus_version == "1.0" else FOCUS_1_2
        return [DataSet(columns, lambda line: _focus(bill, month, line))]
    columns = {"EA": EA, "MCA": MCA, "payg": PAYG}[bill.agreement]
    american = bill.agreement != "MCA"
    actual = DataSet(columns, lambda line: _cost(bill, month, line, line.actual), american)
    amortized = DataSet(columns, lambda line: _cost(bill, month, line, line.amortized), american)
    return [actual, amortized] if bill.amortized else [actual]


def _cost(bill: AzureBill, month: date, line: AzureLine, cost: Decimal | None) -> Row | None:
    if cost is None:
        return None
    meter, subscription = line.meter, line.subscription
    is_mca = bill.agreement == "MCA"
    group = line.resource_id.split("/")[4] if subscription else ""
    values: dict[str, Cell] = {
        "invoicesection": "Acme IT",
        "subscription": subscription.id if subscription else "",
        "subscriptionname": subscription.name if subscription else "",
        "resourcegroup": group,
        "resourcelocation": line.region[0] if line.region else "",
        "date": line.day,
        "productname": line.description or f"{meter.category} {meter.name}",
        "metercategory": meter.category,
        "metersubcategory": meter.subcategory,
        "meterid": f"meter-{meter.name.lower().replace(' ', '-')}",
        "metername": meter.name,
        "unitofmeasure": meter.unit_of_measure,
        "quantity": line.quantity,
        "effectiveprice": meter.price,
        "cost": cost,
        "costcenter": subscription.cost_center if subscription else "",
        "consumedservice": meter.consumed_service,
        "resourceid": line.resource_id,
        "tags": tags_text(line, braces=is_mca or bill.braces),
        "additionalinfo": meter.details,
        "unitprice": meter.price,
        "productorderid": line.benefit.split("/")[4] if line.benefit else "",
        "productordername": line.benefit_name,
        "publishertype": line.publisher_type,
        "publishername": line.publisher if line.publisher_type == "Marketplace" else "",
        "chargetype": line.charge_type,
        "frequency": line.frequency,
        "pricingmodel": line.pricing_model,
        "availabilityzone": "",
        "billingaccountid": catalog.CUSTOMER_AGREEMENT if is_mca else catalog.ENROLLMENT,
        "billingaccountname": "Acme",
        "billingprofileid": line.profile.id,
        "billingprofilename": line.profile.name,
        "billingcurrency": line.profile.currency,
        "pricingcurrency": "USD",
        "billingperiodstartdate": month,
        "billingperiodenddate": month.replace(day=days_in(month)),
        "paygprice": meter.list_price,
        "paygcostinbillingcurrency": line.list_cost if meter.list_price else Decimal(0),
        "costinpricingcurrency": (cost / line.profile.rate).quantize(Decimal("0.0000000001")),
        "exchangeratepricingtobilling": line.profile.rate,
        "benefitid": line.benefit,
        "benefitname": line.benefit_name,
        "productid": f"DZH318Z0{len(meter.name):04d}",
        "invoiceid": f"G{month:%y%m}{line.profile.currency}" if is_mca else "",
    }
    return {name: values.get(_KEYS.get(name.lower(), name.lower())) for name in _columns(bill)}


# Other names of the same column.
_KEYS = {
    "invoicesectionname": "invoicesection",
    "subscriptionid": "subscription",
    "subscriptionguid": "subscription",
    "resourcegroupname": "resourcegroup",
    "usagedatetime": "date",
    "usagequantity": "quantity",
    "resourcerate": "unitprice",
    "costinbillingcurrency": "cost",
    "pretaxcost": "cost",
    "instanceid": "resourceid",
    "currency": "billingcurrency",
    "billingcurrencycode": "billingcurrency",
    "reservationid": "",
    "reservationname": "",
}


def _columns(bill: AzureBill) -> Sequence[str]:
    return {"EA": EA, "MCA": MCA, "payg": PAYG}[bill.agreement]


def tags_text(line: AzureLine, *, braces: bool) -> str:
    """Return the tags as Azure writes them: the text of a JSON object, often without its braces."""
    if not line.tags:
        return ""
    inner = ",".join(f"{json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}" for key, value in line.tags)
    return "{" + inner + "}" if braces else inner


def sub_account(bill: AzureBill, line: AzureLine) -> str | None:
    """Return the subscription of a line as the data set has it: its id, or in FOCUS costs a path with the id."""
    if not line.subscription:
        return None
    return f"/subscriptions/{line.subscription.id}" if bill.format == "azure_focus" else line.subscription.id


def _focus(bill: AzureBill, month: date, line: AzureLine) -> Row:
    meter, is_mca = line.meter, bill.agreement == "MCA"
    is_usage = line.category == "Usage"
    unused = line.charge_type.startswith("Unused")
    quantity = line.quantity / meter.block
    commitment = ("Spend", "Savings Plan") if "/savingsPlans/" in line.benefit else ("Usage", "Reservation")
    details = json.loads(meter.details) if meter.details else {}
    values: dict[str, Cell] = {
        "BilledCost": line.billed,
        "BillingAccountId": line.profile.id,
        "BillingAccountName": line.profile.name,
        "BillingAccountType": "Billing Profile" if is_mca else "Billing Account",
        "BillingCurrency": line.profile.currency,
        "BillingPeriodStart": datetime(month.year, month.month, 1),
        "BillingPeriodEnd": datetime(month.year, month.month, 1) + timedelta(days=days_in(month)),
        "ChargeCategory": line.category,
        "ChargeClass": "Correction" if line.charge_type == "Refund" else "",
        "ChargeDescription": line.description or f"{meter.category} {meter.name}",
        "ChargeFrequency": {"OneTime": "One-Time", "UsageBased": "Usage-Based"}.get(line.frequency, line.frequency),
        "ChargePeriodStart": datetime.combine(line.day, datetime.min.time()),
        "ChargePeriodEnd": datetime.combine(line.day + timedelta(days=1), datetime.min.time()),
        "ConsumedQuantity": line.quantity if is_usage and not unused else None,
        "ConsumedUnit": meter.unit if is_usage and not unused else "",
        "ContractedCost": line.billed if not line.is_of_commitment else Decimal(0),
        "ContractedUnitPrice": meter.price * line.profile.rate,
        "EffectiveCost": line.effective,
        "InvoiceIssuerName": catalog.MICROSOFT,
        # Azure leaves it 0 for Marketplace and for commitments.
        "ListCost": line.list_cost if meter.list_price and not line.is_of_commitment else Decimal(0),
        "ListUnitPrice": meter.list_price * line.profile.rate,
        "PricingCategory": _pricing_category(line),
        "PricingQuantity": quantity,
        "PricingUnit": meter.unit,
        "ProviderName": catalog.MICROSOFT,
        "PublisherName": line.publisher if line.publisher_type == "Marketplace" else "",
        "RegionId": line.region[1] if line.region else "",
        "RegionName": line.region[2] if line.region else "",
        "ResourceId": line.resource_id.lower(),
        "ResourceName": line.resource_id.rsplit("/", 1)[-1],
        "ServiceCategory": meter.service_category if meter.consumed_service else "",
        # Azure leaves it empty for charges without a resource.
        "ServiceName": meter.service if meter.consumed_service else "",
        "ServiceSubcategory": meter.service_subcategory if meter.consumed_service else "",
        "SubAccountId": sub_account(bill, line),
        "SubAccountName": line.subscription.name if line.subscription else "",
        "SubAccountType": "Subscription" if line.subscription else "",
        "Tags": tags_text(line, braces=True),
        "x_BillingExchangeRate": line.profile.rate,
        "x_CostCenter": line.subscription.cost_center if line.subscription else "",
        "x_InvoiceId": f"G{month:%y%m}{line.profile.currency}" if is_mca else "",
        "x_InvoiceSectionName": "Acme IT",
        "x_PricingBlockSize": Decimal(meter.block),
        "x_PricingCurrency": "USD",
        "x_PublisherCategory": "Vendor" if line.publisher_type == "Marketplace" else "Cloud Provider",
        "x_ResourceGroupName": line.resource_id.split("/")[4] if line.subscription else "",
        "x_SkuDetails": json.dumps({f"x_{key}": value for key, value in details.items()}) if details else "",
        "x_SkuMeterCategory": meter.category,
        "x_SkuMeterId": f"meter-{meter.name.lower().replace(' ', '-')}",
        "x_SkuMeterName": meter.name,
        "x_SkuMeterSubcategory": meter.subcategory,
        "x_SkuOrderId": line.benefit.split("/")[4] if line.benefit else "",
        "x_SkuOrderName": line.benefit_name,
    }
    if line.is_of_commitment:
        values |= {
            "CommitmentDiscountCategory": commitment[0],
            "CommitmentDiscountId": line.benefit.lower(),
            "CommitmentDiscountName": line.benefit_name,
            "CommitmentDiscountStatus": ("Unused" if unused else "Used") if is_usage else "",
            "CommitmentDiscountType": commitment[1],
        }
    values |= {new: values[old] for old, new in PROMOTED.items()}
    return values


def _pricing_category(line: AzureLine) -> str:
    if line.category not in ("Usage", "Purchase"):
        return ""
    if line.is_of_commitment:
        return "Committed"
    return {"Spot": "Dynamic", "OnDemand": "Standard"}.get(line.pricing_model, "")
