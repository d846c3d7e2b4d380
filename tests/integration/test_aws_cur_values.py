"""What each kind of line of an AWS usage report becomes: every FOCUS column of every charge, written down by hand.

A case changes one full line, and says what changes in its charge. `make mutate` breaks the mapping against these.
"""

from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from cur_lines import CHARGE, END, PLAN, RESERVED, START, Charge, charges_by_line, typed
from pipeline import JANUARY, line
from roles import own_schemas
from values import Export

pytestmark = pytest.mark.values

NOTHING_USED: Charge = {"consumedquantity": None, "consumedunit": None}
ONE_TIME = NOTHING_USED | {"chargecategory": "Purchase", "chargefrequency": "One-Time"}
RECURRING = ONE_TIME | {"chargefrequency": "Recurring"}
OF_PLAN: Charge = {
    "commitmentdiscountcategory": "Spend",
    "commitmentdiscountid": PLAN,
    "commitmentdiscounttype": "Savings Plan",
}
OF_RESERVATION: Charge = {
    "commitmentdiscountcategory": "Usage",
    "commitmentdiscountid": RESERVED,
    "commitmentdiscounttype": "Reserved Instance",
}
USED: Charge = {"commitmentdiscountstatus": "Used", "pricingcategory": "Committed"}
UNUSED = NOTHING_USED | {
    "commitmentdiscountstatus": "Unused",
    "pricingcategory": "Committed",
    "chargecategory": "Usage",
    "chargefrequency": "Usage-Based",
    "billedcost": Decimal(),
    "listcost": Decimal(),
    "contractedcost": Decimal(),
    "x_lineitems": 0,
}


def cost(effective: str) -> Charge:
    return {"effectivecost": Decimal(effective), "pricingcurrencyeffectivecost": Decimal(effective)}


def committed(quantity: str, unit: str) -> Charge:
    return {"commitmentdiscountquantity": Decimal(quantity), "commitmentdiscountunit": unit}


def known(kind: str, **changes: Any) -> Charge:
    return {"x_lineitemtype": kind, **changes}


NO_PRICE: Charge = dict.fromkeys(
    ("pricingcategory", "listunitprice", "pricingcurrencylistunitprice", "pricingquantity", "pricingunit")
)
PLAN_FEE = {
    "savings_plan_savings_plan_a_r_n": PLAN,
    "savings_plan_total_commitment_to_date": 10.0,
    "savings_plan_used_commitment": 7.0,
}
RESERVATION_FEE = {
    "reservation_reservation_a_r_n": RESERVED,
    "reservation_unused_quantity": 4.0,
    "reservation_total_reserved_units": "744.0",
    "reservation_unused_amortized_upfront_fee_for_billing_period": 0.5,
    "reservation_unused_recurring_fee": 0.25,
}
TAX_ID = {"skuid": None, "skumeter": None, "skupricedetails": None, "skupriceid": None}
RESERVED_BOX = "arn:aws:ec2:eu-west-1:011254002932:capacity-reservation/cr-1"

# Name: what is changed on the line, and what is other in each of its charges.
CASES: dict[str, tuple[dict[str, Any], list[Charge]]] = {
    "usage": ({}, [{}]),
    "payer": (
        {"line_item_usage_account_id": "011254002932"},
        [{"subaccountid": "011254002932", "subaccounttype": "Management Account"}],
    ),
    "no description": ({"line_item_line_item_description": ""}, [{"chargedescription": "Usage"}]),
    "no invoicing entity": ({"bill_invoicing_entity": ""}, [{"invoiceissuername": "Amazon Web Services, Inc."}]),
    "no legal entity": (
        {"line_item_legal_entity": "", "bill_invoicing_entity": ""},
        [{"publishername": "AWS", "invoiceissuername": None}],
    ),
    "marketplace": (
        {"bill_billing_entity": "AWS Marketplace", "line_item_legal_entity": "Contoso", "bill_invoicing_entity": ""},
        [{"publishername": "Contoso", "invoiceissuername": None}],
    ),
    "marketplace without a seller": (
        {"bill_billing_entity": "AWS Marketplace", "line_item_legal_entity": ""},
        [{"publishername": None}],
    ),
    "spot": (
        {"line_item_usage_type": "EU-SpotUsage:m5.large"},
        [
            {
                "pricingcategory": "Dynamic",
                "skumeter": "EU-SpotUsage:m5.large",
                "x_usagetype": "EU-SpotUsage:m5.large",
            }
        ],
    ),
    "no unit": (
        {"pricing_unit": ""},
        [{"consumedquantity": None, "consumedunit": None, "pricingquantity": None, "pricingunit": None}],
    ),
    "no amount": (
        {"line_item_usage_amount": None},
        [{"consumedquantity": None, "consumedunit": None, "pricingquantity": None, "pricingunit": None}],
    ),
    "other unit": ({"pricing_unit": "Requests"}, [{"consumedunit": "Requests", "pricingunit": "Requests"}]),
    "prices in dollars": (
        {"pricing_currency": "USD"},
        [{"pricingcurrency": "USD", "pricingcurrencyeffectivecost": None}],
    ),
    "no currency of prices": ({"pricing_currency": ""}, [{"pricingcurrency": "EUR"}]),
    "no rate code": ({"pricing_rate_code": ""}, [{"skupriceid": "SKU1.77"}]),
    "no rate": ({"pricing_rate_code": "", "pricing_rate_id": ""}, [{"skupriceid": None, "skupricedetails": None}]),
    "no SKU": (
        {"product_sku": "", "pricing_rate_code": ""},
        [{"skuid": None, "skumeter": None, "skupriceid": None, "skupricedetails": None}],
    ),
    "odd size": (
        {"product_vcpu": "2 x", "product_memory": "NA", "product_storage_class": ""},
        [
            {
                "skupricedetails": {
                    "InstanceSeries": "m5",
                    "InstanceType": "m5.large",
                    "OperatingSystem": "Linux",
                }
            }
        ],
    ),
    "no region": ({"product_region_code": "global"}, [{"regionid": None, "regionname": None}]),
    "new region": ({"product_region_code": "xx-new-1"}, [{"regionid": "xx-new-1", "regionname": "xx-new-1"}]),
    "no family": ({"product_product_family": ""}, [{"resourcetype": "AmazonEC2"}]),
    "no resource": ({"line_item_resource_id": ""}, [{"resourceid": None, "resourcetype": None}]),
    "new service": (
        {"line_item_product_code": "AWSNew", "product_servicecode": "", "product_product_name": ""},
        [
            {
                "servicename": "AWSNew",
                "servicecategory": "Other",
                "servicesubcategory": "Other (Other)",
                "x_servicecode": "AWSNew",
            }
        ],
    ),
    "data transfer": (
        {
            "product_servicecode": "AWSDataTransfer",
            "product_product_name": "",
            "product_servicename": "AWS Data Transfer",
        },
        [{"x_servicecode": "AWSDataTransfer"}],
    ),
    "capacity reservation": (
        {"line_item_resource_id": RESERVED_BOX},
        [{"capacityreservationid": RESERVED_BOX, "capacityreservationstatus": "Used", "resourceid": RESERVED_BOX}],
    ),
    "unused capacity reservation": (
        {"line_item_resource_id": RESERVED_BOX, "line_item_usage_type": "EU-UnusedBox:m5.large"},
        [
            {
                "capacityreservationid": RESERVED_BOX,
                "capacityreservationstatus": "Unused",
                "resourceid": RESERVED_BOX,
                "skumeter": "EU-UnusedBox:m5.large",
                "x_usagetype": "EU-UnusedBox:m5.large",
            }
        ],
    ),
    "fee for a capacity reservation": (
        typed("Fee", line_item_resource_id=RESERVED_BOX),
        [known("Fee", **ONE_TIME, capacityreservationid=RESERVED_BOX, resourceid=RESERVED_BOX)],
    ),
    "split cost": ({"line_item_operation": "EKSPod-EC2", "line_item_unblended_cost": 0.0}, []),
    "split cost of a task": ({"line_item_operation": "ECSTask-EC2", "line_item_unblended_cost": 0.0}, []),
    "no operation": ({"line_item_operation": ""}, [{"x_operation": None}]),
    "fee": (typed("Fee"), [known("Fee", **ONE_TIME)]),
    "credit": (
        typed("Credit"),
        [known("Credit", **NOTHING_USED, **NO_PRICE, chargecategory="Credit", chargefrequency="One-Time")],
    ),
    "tax": (
        typed("Tax", line_item_tax_type="VAT"),
        [known("Tax", **NOTHING_USED, **NO_PRICE, **TAX_ID, chargecategory="Tax", chargefrequency="One-Time")],
    ),
    "refund": (typed("Refund"), [known("Refund")]),
    "refund of a month before": (
        typed("Refund", line_item_usage_start_date=datetime(2024, 12, 5)),
        [known("Refund", chargeclass="Correction", chargeperiodstart=datetime(2024, 12, 5))],
    ),
    "refund on the first": (
        typed("Refund", line_item_usage_start_date=START),
        [known("Refund", chargeperiodstart=START)],
    ),
    "usage of a month before": (
        {"line_item_usage_start_date": datetime(2024, 12, 5)},
        [{"chargeperiodstart": datetime(2024, 12, 5)}],
    ),
    "refund of tax": (
        typed("Refund", line_item_tax_type="VAT"),
        [known("Refund", **NOTHING_USED, **NO_PRICE, **TAX_ID, chargecategory="Tax", chargefrequency="One-Time")],
    ),
    "reserved use": (
        typed(
            "DiscountedUsage",
            line_item_unblended_cost=0.0,
            reservation_effective_cost=0.75,
            reservation_reservation_a_r_n=RESERVED,
        ),
        [
            known(
                "DiscountedUsage",
                **OF_RESERVATION,
                **USED,
                **cost("0.75"),
                **committed("3", "Hrs"),
                billedcost=Decimal(),
                contractedcost=Decimal(2),
            )
        ],
    ),
    "reservation fee": (
        typed("RIFee", **RESERVATION_FEE),
        [
            known("RIFee", **RECURRING, **OF_RESERVATION, **cost("0"), **committed("744", "Hrs")),
            known(
                "RIFee", **UNUSED, **OF_RESERVATION, **cost("0.75"), **committed("4", "Hrs"), pricingquantity=Decimal(4)
            ),
        ],
    ),
    "reservation fee without units": (
        typed("RIFee", reservation_reservation_a_r_n=RESERVED, reservation_unused_quantity=1.0),
        [
            known("RIFee", **RECURRING, **OF_RESERVATION, **cost("0"), **committed("3", "Hrs")),
            known(
                "RIFee", **UNUSED, **OF_RESERVATION, **cost("0"), **committed("1", "Hrs"), pricingquantity=Decimal(1)
            ),
        ],
    ),
    "upfront fee of a reservation": (
        typed("Fee", **RESERVATION_FEE),
        [known("Fee", **ONE_TIME, **OF_RESERVATION, **cost("0"), **committed("744", "Hrs"))],
    ),
    "covered use": (
        typed(
            "SavingsPlanCoveredUsage",
            savings_plan_savings_plan_a_r_n=PLAN,
            savings_plan_savings_plan_effective_cost=0.875,
        ),
        [
            known(
                "SavingsPlanCoveredUsage",
                **OF_PLAN,
                **USED,
                **cost("0.875"),
                **committed("0.875", "EUR"),
                billedcost=Decimal(),
            )
        ],
    ),
    "negation": (
        typed("SavingsPlanNegation", savings_plan_savings_plan_a_r_n=PLAN, line_item_unblended_cost=-1.5),
        [],
    ),
    "recurring fee": (
        typed("SavingsPlanRecurringFee", **PLAN_FEE),
        [
            known("SavingsPlanRecurringFee", **RECURRING, **OF_PLAN, **cost("0"), **committed("10", "EUR")),
            known("SavingsPlanRecurringFee", **UNUSED, **OF_PLAN, **cost("3"), **committed("3", "EUR")),
        ],
    ),
    "recurring fee that nobody used": (
        typed("SavingsPlanRecurringFee", **PLAN_FEE | {"savings_plan_used_commitment": None}),
        [
            known("SavingsPlanRecurringFee", **RECURRING, **OF_PLAN, **cost("0"), **committed("10", "EUR")),
            known("SavingsPlanRecurringFee", **UNUSED, **OF_PLAN, **cost("10"), **committed("10", "EUR")),
        ],
    ),
    "upfront fee of a plan": (
        typed("SavingsPlanUpfrontFee", savings_plan_savings_plan_a_r_n=PLAN),
        [known("SavingsPlanUpfrontFee", **ONE_TIME, **OF_PLAN, **cost("0"), **committed("1.5", "EUR"))],
    ),
    "unknown type": (typed("Surprise"), [known("Surprise", x_typeisknown=False)]),
    "no type": (
        {"line_item_line_item_type": "", "line_item_line_item_description": ""},
        [known(None, x_typeisknown=False, chargedescription=None)],  # type: ignore[arg-type]
    ),
    **{
        f"type {kind}": (typed(kind), [known(kind)])
        for kind in (
            *("BundledDiscount", "Discount", "EdpDiscount", "PrivateRateDiscount"),
            *("RiVolumeDiscount", "SppDiscount"),
        )
    },
}


@pytest.fixture(scope="module")
def schema(postgres):
    with own_schemas(postgres) as database:
        yield database


@pytest.fixture(scope="module")
def charges(schema):
    return charges_by_line(schema, {name: changes for name, (changes, _) in CASES.items()})


@pytest.mark.parametrize("name", CASES)
def test_line_becomes(charges, name):
    changes = CASES[name][1]
    expected = [
        {key: value for key, value in {**CHARGE, "x_lineitemid": name, **change}.items() if value is not None}
        for change in changes
    ]
    assert charges.get(name, []) == expected


# --- the other basis

NET = {"bill_payer_account_id": "011254002932", "bill_invoice_id": "901"}
NET_CASES: dict[str, tuple[dict[str, Any], list[tuple[str, str, str, str]]]] = {
    # Category, status, billed and effective cost of each charge.
    "usage": ({"line_item_net_unblended_cost": 1.25}, [("Usage", "", "1.25", "1.25")]),
    "discount": (
        typed("EdpDiscount", line_item_unblended_cost=-0.25, line_item_net_unblended_cost=0.0),
        [("Usage", "", "0", "0")],
    ),
    "discount without net": (
        typed("EdpDiscount", line_item_unblended_cost=0.0, line_item_net_unblended_cost=None),
        [("Usage", "", "0", "0")],
    ),
    "covered use": (
        typed(
            "SavingsPlanCoveredUsage",
            savings_plan_savings_plan_a_r_n=PLAN,
            line_item_net_unblended_cost=1.5,
            savings_plan_savings_plan_effective_cost=0.875,
            savings_plan_net_savings_plan_effective_cost=0.75,
        ),
        [("Usage", "Used", "0", "0.75")],
    ),
    "negation": (
        typed(
            "SavingsPlanNegation",
            savings_plan_savings_plan_a_r_n=PLAN,
            line_item_unblended_cost=-1.5,
            line_item_net_unblended_cost=-1.5,
        ),
        [],
    ),
    "covered use without net": (
        typed(
            "SavingsPlanCoveredUsage",
            savings_plan_savings_plan_a_r_n=PLAN,
            line_item_unblended_cost=0.0,
            savings_plan_savings_plan_effective_cost=0.875,
        ),
        [("Usage", "Used", "0", "0")],
    ),
    "reserved use": (
        typed(
            "DiscountedUsage",
            line_item_unblended_cost=0.0,
            reservation_reservation_a_r_n=RESERVED,
            reservation_effective_cost=0.75,
            reservation_net_effective_cost=0.5,
        ),
        [("Usage", "Used", "0", "0.5")],
    ),
    "reserved use without net": (
        typed(
            "DiscountedUsage",
            line_item_unblended_cost=0.0,
            reservation_reservation_a_r_n=RESERVED,
            reservation_effective_cost=0.75,
        ),
        [("Usage", "Used", "0", "0")],
    ),
    "reservation fee": (
        typed(
            "RIFee",
            **RESERVATION_FEE,
            line_item_net_unblended_cost=1.5,
            reservation_net_unused_amortized_upfront_fee_for_billing_period=0.375,
            reservation_net_unused_recurring_fee=0.125,
        ),
        [("Purchase", "", "1.5", "0"), ("Usage", "Unused", "0", "0.5")],
    ),
    "reservation fee without net": (
        typed("RIFee", **RESERVATION_FEE, line_item_unblended_cost=0.0),
        [("Purchase", "", "0", "0"), ("Usage", "Unused", "0", "0")],
    ),
}


@pytest.fixture(scope="module")
def net_charges(schema):
    """The charges of a payer whose net costs come to its invoice."""
    return charges_by_line(schema, {name: NET | changes for name, (changes, _) in NET_CASES.items()})


@pytest.mark.parametrize("name", NET_CASES)
def test_line_on_the_net_basis_becomes(net_charges, name):
    expected = [
        (category, status, Decimal(billed), Decimal(effective))
        for category, status, billed, effective in NET_CASES[name][1]
    ]
    wanted = ("chargecategory", "commitmentdiscountstatus", "billedcost", "effectivecost")
    assert [tuple(charge.get(key, "") for key in wanted) for charge in net_charges.get(name, [])] == expected


# --- what the lines sum to, and what negations leave

LEFT = {
    **NET,
    "savings_plan_savings_plan_a_r_n": PLAN,
    "bill_payer_account_name": "Acme",
    "bill_invoicing_entity": "AWS EMEA",
    "line_item_legal_entity": "AWS Inc.",
    "line_item_usage_account_name": "Shop",
    "line_item_currency_code": "EUR",
}
ADJUSTMENT: Charge = {
    "billing_period": JANUARY,
    "billedcost": Decimal("0.25"),
    "billingaccountid": "011254002932",
    "billingaccountname": "Acme",
    "billingaccounttype": "Management Account",
    "billingcurrency": "EUR",
    "billingperiodend": END,
    "billingperiodstart": START,
    "chargecategory": "Adjustment",
    "chargedescription": "Savings Plan covered usage and negation that do not cancel",
    "chargefrequency": "One-Time",
    "chargeperiodend": END,
    "chargeperiodstart": START,
    "commitmentdiscountcategory": "Spend",
    "commitmentdiscountid": PLAN,
    "commitmentdiscounttype": "Savings Plan",
    "contractedcost": Decimal("0.25"),
    "effectivecost": Decimal("0.25"),
    "invoiceissuername": "AWS EMEA",
    "listcost": Decimal("0.25"),
    "pricingcurrency": "EUR",
    "pricingcurrencyeffectivecost": Decimal("0.25"),
    "providername": "AWS",
    "publishername": "AWS",
    "servicecategory": "Other",
    "servicename": "Savings Plans for AWS Compute usage",
    "servicesubcategory": "Other (Other)",
    "subaccountid": "004512887103",
    "subaccountname": "Shop",
    "subaccounttype": "Member Account",
    "tags": {},
    "x_lineitems": 0,
    "x_lineitemtype": "SavingsPlanNegation",
    "x_servicecode": "ComputeSavingsPlans",
    "x_typeisknown": True,
}
LEFTOVERS: dict[str, tuple[dict[str, Any], Charge | None]] = {
    "half": ({}, {}),
    "all": ({"line_item_unblended_cost": -1.5}, None),
    "of no plan": (
        {"savings_plan_savings_plan_a_r_n": ""},
        dict.fromkeys(("commitmentdiscountcategory", "commitmentdiscountid", "commitmentdiscounttype")),
    ),
    "of the payer": (
        {"line_item_usage_account_id": "011254002932"},
        {"subaccountid": "011254002932", "subaccounttype": "Management Account"},
    ),
    "without an invoicing entity": ({"bill_invoicing_entity": ""}, {"invoiceissuername": "AWS Inc."}),
    "of split cost": ({"line_item_operation": "EKSPod-EC2"}, None),
    "of split cost of a task": ({"line_item_operation": "ECSTask-EC2"}, None),
}


@pytest.fixture(scope="module")
def adjustments(schema):
    """What the negations of all cases leave, each on an invoice of its own."""
    lines = []
    for name, (changes, _) in LEFTOVERS.items():
        negation = {**LEFT, "line_item_unblended_cost": -1.25, **changes, "bill_invoice_id": name}
        lines.append(line(**typed("SavingsPlanNegation", **negation)))
        lines.append(line(**typed("SavingsPlanCoveredUsage", **negation | {"line_item_unblended_cost": 1.5})))
    charges = Export("aws_cur", lines).charges(schema)
    return {charge["invoiceid"]: charge for charge in charges if charge["chargecategory"] == "Adjustment"}


@pytest.mark.parametrize("name", LEFTOVERS)
def test_negation_that_does_not_cancel_leaves(adjustments, name):
    left = LEFTOVERS[name][1]
    expected = ADJUSTMENT | {"invoiceid": name} | (left or {})
    expected = {key: value for key, value in expected.items() if value is not None}
    assert adjustments.get(name) == (None if left is None else expected)
