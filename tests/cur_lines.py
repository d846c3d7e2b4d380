"""One full line of an AWS usage report and the charge that it becomes, for the tests that change a part of it."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from pipeline import JANUARY, line
from values import Export

from cloud_costs.database.postgres import Database

Charge = dict[str, Any]
START, END = datetime(2025, 1, 1), datetime(2025, 2, 1)
PLAN = "arn:aws:savingsplans::011254002932:savingsplan/1"
RESERVED = "arn:aws:ec2:eu-west-1:011254002932:reserved-instances/1"

LINE = {
    "bill_payer_account_name": "Acme",
    "bill_invoice_id": "900",
    "bill_billing_entity": "AWS",
    "bill_invoicing_entity": "Amazon Web Services EMEA SARL",
    "line_item_usage_account_name": "Acme Shop",
    "line_item_usage_start_date": datetime(2025, 1, 5, 1),
    "line_item_usage_end_date": datetime(2025, 1, 5, 2),
    "line_item_usage_type": "EU-BoxUsage:m5.large",
    "line_item_operation": "RunInstances",
    "line_item_availability_zone": "eu-west-1a",
    "line_item_resource_id": "i-1",
    "line_item_usage_amount": 3.0,
    "line_item_currency_code": "EUR",
    "line_item_line_item_description": "An hour of m5.large",
    "line_item_legal_entity": "Amazon Web Services, Inc.",
    "product_product_name": "Amazon Elastic Compute Cloud",
    "product_servicecode": "AmazonEC2",
    "product_product_family": "Compute Instance",
    "product_region_code": "eu-west-1",
    "product_sku": "SKU1",
    "product_instance_type": "m5.large",
    "product_instance_type_family": "m5",
    "product_vcpu": "2",
    "product_memory": "8.5 GiB",
    "product_operating_system": "Linux",
    "product_storage_class": "General Purpose",
    "pricing_rate_code": "SKU1.TERM.RATE",
    "pricing_rate_id": "77",
    "pricing_unit": "Hrs",
    "pricing_currency": "EUR",
    "pricing_public_on_demand_cost": 2.0,
    "pricing_public_on_demand_rate": "0.5",
    "resource_tags_user_team": "shop",
    "discount": {"edp_discount": -0.25},
}
CHARGE: Charge = {
    "billing_period": JANUARY,
    "availabilityzone": "eu-west-1a",
    "billedcost": Decimal("1.5"),
    "billingaccountid": "011254002932",
    "billingaccountname": "Acme",
    "billingaccounttype": "Management Account",
    "billingcurrency": "EUR",
    "billingperiodend": END,
    "billingperiodstart": START,
    "chargecategory": "Usage",
    "chargedescription": "An hour of m5.large",
    "chargefrequency": "Usage-Based",
    "chargeperiodend": datetime(2025, 1, 5, 2),
    "chargeperiodstart": datetime(2025, 1, 5, 1),
    "consumedquantity": Decimal(3),
    "consumedunit": "Hours",
    "contractedcost": Decimal("1.5"),
    "effectivecost": Decimal("1.5"),
    "invoiceid": "900",
    "invoiceissuername": "Amazon Web Services EMEA SARL",
    "listcost": Decimal(2),
    "listunitprice": Decimal("0.5"),
    "pricingcategory": "Standard",
    "pricingcurrency": "EUR",
    "pricingcurrencyeffectivecost": Decimal("1.5"),
    "pricingcurrencylistunitprice": Decimal("0.5"),
    "pricingquantity": Decimal(3),
    "pricingunit": "Hours",
    "providername": "AWS",
    "publishername": "Amazon Web Services, Inc.",
    "regionid": "eu-west-1",
    "regionname": "Europe (Ireland)",
    "resourceid": "i-1",
    "resourcetype": "Compute Instance",
    "servicecategory": "Compute",
    "servicename": "Amazon Elastic Compute Cloud",
    "servicesubcategory": "Virtual Machines",
    "skuid": "SKU1",
    "skumeter": "EU-BoxUsage:m5.large",
    "skupricedetails": {
        "CoreCount": 2,
        "InstanceSeries": "m5",
        "InstanceType": "m5.large",
        "MemorySize": 8.5,
        "OperatingSystem": "Linux",
        "StorageClass": "General Purpose",
    },
    "skupriceid": "SKU1.TERM.RATE",
    "subaccountid": "004512887103",
    "subaccountname": "Acme Shop",
    "subaccounttype": "Member Account",
    "tags": {"user_team": "shop"},
    "x_discounts": {"edp_discount": -0.25},
    "x_lineitemid": "",
    "x_lineitems": 1,
    "x_lineitemtype": "Usage",
    "x_operation": "RunInstances",
    "x_servicecode": "AmazonEC2",
    "x_timeinterval": "2025-01-01T00:00:00Z/2025-01-01T01:00:00Z",
    "x_typeisknown": True,
    "x_usagetype": "EU-BoxUsage:m5.large",
}


def typed(kind: str, **columns: Any) -> dict[str, Any]:
    """Return what makes a line one of another type."""
    return {"line_item_line_item_type": kind, **columns}


def export_of(cases: dict[str, dict[str, Any]]) -> Export:
    """Return an export that has a line of each case: the full one, with what the case changes."""
    lines = [line(**{**LINE, **changes, "identity_line_item_id": name}) for name, changes in cases.items()]
    return Export("aws_cur", lines, {"discount": "jsonb"})


def charges_by_line(database: Database, cases: dict[str, dict[str, Any]]) -> dict[str, list[Charge]]:
    """Return the charges of such an export, by case: of each what is not NULL."""
    found: dict[str, list[Charge]] = {}
    for charge in sorted(export_of(cases).charges(database), key=lambda charge: -charge["x_lineitems"]):
        found.setdefault(charge.get("x_lineitemid", ""), []).append(charge)
    return found
