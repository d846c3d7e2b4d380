"""What each kind of line of Google's billing export becomes: every FOCUS column, written down by hand.

A case has a few lines, and says what is other in the charge of each than in that of an hour of use. What is right is
what Google documents: "Structure of Detailed data export", "Understand your cost details from the CUD sharing and
subscription data", and its guide to a FOCUS view in BigQuery. How fees are spread is said in gcp_billing.sql.
"""

from datetime import datetime
from decimal import Decimal

import pytest
from pipeline import JANUARY
from roles import own_schemas
from values import Export, Row, sums_by_day

pytestmark = pytest.mark.values

ACCOUNT = "01A2B3-C4D5E6-F70819"
VM = "//compute.googleapis.com/projects/shop/zones/us-central1-a/instances/1"
LINE: Row = {
    "adjustment_info": None,
    "billing_account_id": ACCOUNT,
    "consumption_model": {"description": "Default"},
    "cost": 1.5,
    "cost_at_list": 2.0,
    "cost_type": "regular",
    "credits": [],
    "currency": "EUR",
    "currency_conversion_rate": 0.5,
    "export_time": "2025-01-06 03:00:00",
    "invoice": {"month": "202501"},
    "labels": [{"key": "team", "value": "shop"}],
    "location": {"region": "us-central1", "zone": "us-central1-a"},
    "price": {"effective_price": 1.25, "tier_start_amount": 10.0, "list_price": 1.75},
    "project": {"id": "shop", "name": "Shop", "ancestors": [{"display_name": "Acme"}], "ancestry_numbers": "/1/2/"},
    "resource": {"name": "vm-1", "global_name": VM},
    "seller_name": None,
    "service": {"id": "6F81-5844-456A", "description": "Compute Engine"},
    "sku": {"id": "CF4E", "description": "N1 Core running in Americas"},
    "subscription": None,
    "system_labels": [{"key": "cores", "value": "4"}],
    "transaction_type": "GOOGLE",
    "usage": {"amount": 3600.0, "unit": "seconds", "amount_in_pricing_units": 1.0, "pricing_unit": "hour"},
    "usage_end_time": "2025-01-05 02:00:00",
    "usage_start_time": "2025-01-05 01:00:00",
}
CHARGE: Row = {
    "billing_period": JANUARY,
    "availabilityzone": "us-central1-a",
    "billedcost": Decimal("1.5"),
    "billingaccountid": ACCOUNT,
    "billingaccounttype": "Billing Account",
    "billingcurrency": "EUR",
    # Midnight in Los Angeles.
    "billingperiodend": datetime(2025, 2, 1, 8),
    "billingperiodstart": datetime(2025, 1, 1, 8),
    "chargecategory": "Usage",
    "chargedescription": "N1 Core running in Americas",
    "chargefrequency": "Usage-Based",
    "chargeperiodend": datetime(2025, 1, 5, 2),
    "chargeperiodstart": datetime(2025, 1, 5, 1),
    "consumedquantity": Decimal(3600),
    "consumedunit": "seconds",
    "contractedcost": Decimal("1.5"),
    "contractedunitprice": Decimal("1.25"),
    "effectivecost": Decimal("1.5"),
    "listcost": Decimal(2),
    "listunitprice": Decimal("1.75"),
    "pricingcategory": "Standard",
    "pricingcurrency": "EUR",
    "pricingcurrencycontractedunitprice": Decimal("1.25"),
    "pricingcurrencyeffectivecost": Decimal("1.5"),
    "pricingcurrencylistunitprice": Decimal("1.75"),
    "pricingquantity": Decimal(1),
    "pricingunit": "hour",
    "providername": "Google Cloud",
    "publishername": "Google Cloud",
    "regionid": "us-central1",
    "regionname": "us-central1",
    "resourceid": VM,
    "resourcename": "vm-1",
    "resourcetype": "instances",
    "servicecategory": "Compute",
    "servicename": "Compute Engine",
    "servicesubcategory": "Virtual Machines",
    "skuid": "CF4E",
    "skumeter": "N1 Core running in Americas",
    "skupriceid": "CF4E/10",
    "subaccountid": "shop",
    "subaccountname": "Shop",
    "subaccounttype": "Project",
    "tags": {"team": "shop"},
    "x_consumptionmodel": "Default",
    "x_costtype": "regular",
    "x_credits": [],
    "x_currencyconversionrate": Decimal("0.5"),
    "x_exporttime": datetime(2025, 1, 6, 3),
    "x_lineitems": 1,
    "x_lineitemtype": "regular",
    "x_projectancestors": [{"display_name": "Acme"}],
    "x_servicecode": "6F81-5844-456A",
    "x_systemlabels": [{"key": "cores", "value": "4"}],
    "x_typeisknown": True,
}
# What nobody used of a commitment.
UNUSED: Row = {
    "billing_period": JANUARY,
    "billedcost": Decimal(),
    "billingaccountid": ACCOUNT,
    "billingaccounttype": "Billing Account",
    "billingcurrency": "EUR",
    "billingperiodend": datetime(2025, 2, 1, 8),
    "billingperiodstart": datetime(2025, 1, 1, 8),
    "chargecategory": "Usage",
    "chargefrequency": "Usage-Based",
    "chargeperiodend": datetime(2025, 2, 1),
    "chargeperiodstart": datetime(2025, 1, 1),
    "commitmentdiscountstatus": "Unused",
    "contractedcost": Decimal(),
    "listcost": Decimal(),
    "pricingcategory": "Committed",
    "pricingcurrency": "EUR",
    "providername": "Google Cloud",
    "publishername": "Google Cloud",
    "regionid": "us-central1",
    "regionname": "us-central1",
    "servicecategory": "Compute",
    "servicename": "Compute Engine",
    "servicesubcategory": "Virtual Machines",
    "subaccountid": "shop",
    "subaccountname": "Shop",
    "subaccounttype": "Project",
    "tags": {},
    "x_lineitems": 0,
    "x_lineitemtype": "regular",
    "x_servicecode": "6F81-5844-456A",
    "x_typeisknown": True,
}

NOTHING_USED: Row = {"consumedquantity": None, "consumedunit": None}
NO_PRICE: Row = dict.fromkeys(
    (
        *("contractedunitprice", "listunitprice", "pricingcategory", "pricingquantity", "pricingunit"),
        *("pricingcurrencycontractedunitprice", "pricingcurrencylistunitprice"),
    )
)
NO_SKU: Row = {"skuid": None, "skumeter": None, "skupriceid": None}
ADJUSTED: Row = {**NOTHING_USED, **NO_PRICE, "chargecategory": "Adjustment", "chargefrequency": "One-Time"}
PURCHASE: Row = {**NOTHING_USED, "chargecategory": "Purchase", "chargefrequency": "Recurring"}


def cost(value) -> Row:
    return {"effectivecost": Decimal(value), "pricingcurrencyeffectivecost": Decimal(value)}


def sku(description) -> tuple[Row, Row]:
    """Return a SKU, and what it says in a charge."""
    line = {"sku": {"id": "CF4E", "description": description}}
    return line, {"chargedescription": description, "skumeter": description}


def credited(kind, amount, name=None) -> Row:
    return {"credits": [{"type": kind, "amount": amount, "full_name": name}]}


def typed(kind) -> Row:
    return {"x_costtype": kind, "x_lineitemtype": kind}


# --- lines that belong to no commitment

LATE = {"usage_start_time": "2024-12-31 05:00:00", "usage_end_time": "2024-12-31 06:00:00"}
OF_LATE = {"chargeperiodstart": datetime(2024, 12, 31, 5), "chargeperiodend": datetime(2024, 12, 31, 6)}
SPOT, OF_SPOT = sku("Spot Preemptible N1 Core")
PREEMPTIBLE, OF_PREEMPTIBLE = sku("N1 Preemptible Core")
SPOTLESS, OF_SPOTLESS = sku("Spotless Core of a Spot")
SUBSCRIPTION, OF_SUBSCRIPTION = sku("Subscription to Support")
COMMITTED = {"description": "Flexible CUD"}
NEW: Row = {"service": {"id": "NEW", "description": "Novelty"}}
OF_NEW: Row = {
    "servicecategory": "Other",
    "servicename": "Novelty",
    "servicesubcategory": "Other (Other)",
    "x_servicecode": "NEW",
}
OF_NO_PROJECT: Row = {"subaccountid": None, "subaccountname": None, "subaccounttype": None}
SELLER = {"seller_name": "Contoso"}
SINGLE: dict[str, tuple[Row, Row]] = {
    "usage": ({}, {}),
    "no cost": (
        {"cost": None, "cost_at_list": None},
        {"billedcost": Decimal(), "contractedcost": Decimal(), "listcost": Decimal(), **cost(0)},
    ),
    "no list cost": ({"cost_at_list": None}, {"listcost": Decimal("1.5")}),
    "credits": (
        {
            "credits": [
                {"type": "PROMOTION", "amount": -0.25},
                {"type": "PROMOTION", "amount": -0.125},
                {"type": None, "name": "Free", "amount": -1.0},
                {"amount": -0.0625},
            ]
        },
        {
            "billedcost": Decimal("0.0625"),
            **cost("0.0625"),
            "x_credits": [
                {"type": "PROMOTION", "amount": -0.25},
                {"type": "PROMOTION", "amount": -0.125},
                {"type": None, "name": "Free", "amount": -1.0},
                {"amount": -0.0625},
            ],
            "x_discounts": {"PROMOTION": -0.375, "Free": -1.0, "": -0.0625},
        },
    ),
    "credits that are no list": ({"credits": {}}, {"x_credits": {}}),
    "no billing account": ({"billing_account_id": None}, {"billingaccountid": None, "billingaccounttype": None}),
    "no project": ({"project": {}}, OF_NO_PROJECT | {"x_projectancestors": None}),
    "no ancestors": (
        {"project": {"id": "shop", "name": "Shop", "ancestry_numbers": "/1/2/"}},
        {"x_projectancestors": "/1/2/"},
    ),
    "new service": (
        NEW,
        OF_NEW,
    ),
    "no cost type": ({"cost_type": None}, typed(None)),
    "new cost type": ({"cost_type": "new"}, {**typed("new"), "x_typeisknown": False}),
    "tax": (
        {"cost_type": "tax"},
        {
            **NOTHING_USED,
            **NO_PRICE,
            **NO_SKU,
            **typed("tax"),
            "chargecategory": "Tax",
            "chargefrequency": "One-Time",
        },
    ),
    "adjustment": ({"cost_type": "adjustment"}, {**ADJUSTED, **typed("adjustment")}),
    "rounding": ({"cost_type": "rounding_error"}, {**ADJUSTED, **typed("rounding_error")}),
    "late": (LATE, OF_LATE),
    **{
        f"late, adjusted by {key}": (
            LATE | {"adjustment_info": {key: "why"}},
            OF_LATE | {"chargeclass": "Correction"},
        )
        for key in ("id", "type", "mode", "description")
    },
    "adjusted in its own month": (
        # The month begins at midnight in Los Angeles.
        {"adjustment_info": {"id": "why"}, "usage_start_time": "2025-01-01 08:00:00"},
        {"chargeperiodstart": datetime(2025, 1, 1, 8)},
    ),
    "no SKU": (
        {"sku": None, "adjustment_info": {"description": "why"}},
        {**NO_SKU, "chargedescription": "why"},
    ),
    "no SKU or reason": ({"sku": None}, {**NO_SKU, "chargedescription": "regular"}),
    "no id of the SKU": (
        {"sku": {"description": "N1 Core running in Americas"}},
        {"skuid": None, "skumeter": None, "skupriceid": None},
    ),
    "no tier": (
        {"price": {"effective_price": 1.25}},
        {"listunitprice": None, "pricingcurrencylistunitprice": None, "skupriceid": None},
    ),
    "tax with a tier and no SKU": (
        {"sku": None, "cost_type": "tax"},
        {
            **NOTHING_USED,
            **NO_PRICE,
            **NO_SKU,
            **typed("tax"),
            "chargecategory": "Tax",
            "chargedescription": "tax",
            "chargefrequency": "One-Time",
        },
    ),
    "spot": (SPOT, OF_SPOT | {"pricingcategory": "Dynamic"}),
    "preemptible": (PREEMPTIBLE, OF_PREEMPTIBLE | {"pricingcategory": "Dynamic"}),
    "spotless": (SPOTLESS, OF_SPOTLESS),
    "subscription": (SUBSCRIPTION, OF_SUBSCRIPTION | PURCHASE),
    "subscription with a model": (
        SUBSCRIPTION | {"consumption_model": COMMITTED},
        OF_SUBSCRIPTION | PURCHASE | {"x_consumptionmodel": "Flexible CUD"},
    ),
    "committed by its model": (
        {"consumption_model": COMMITTED},
        {"pricingcategory": "Committed", "x_consumptionmodel": "Flexible CUD"},
    ),
    "no quantity": (
        {"usage": {"unit": "seconds", "pricing_unit": "hour"}},
        {"consumedquantity": None, "consumedunit": None, "pricingquantity": None, "pricingunit": None},
    ),
    "no unit": (
        {"usage": {"amount": 3600.0, "amount_in_pricing_units": 1.0}},
        {"consumedunit": None, "pricingquantity": None, "pricingunit": None},
    ),
    "marketplace": (
        {"transaction_type": "THIRD_PARTY_RESELLER", **SELLER},
        {"publishername": "Contoso"},
    ),
    "marketplace without a seller": ({"transaction_type": "THIRD_PARTY_RESELLER"}, {}),
    "seller that is Google": (SELLER, {}),
    "no transaction type": ({"transaction_type": None, **SELLER}, {}),
    "no resource": (
        {"resource": None},
        {"resourceid": None, "resourcename": None, "resourcetype": None},
    ),
    **{
        f"invoice of {month}": (
            {"invoice": {"month": month}},
            {"billingperiodstart": start, "billingperiodend": end},
        )
        for month, start, end in (
            ("202507", datetime(2025, 7, 1, 7), datetime(2025, 8, 1, 7)),
            ("202512", datetime(2025, 12, 1, 8), datetime(2026, 1, 1, 8)),
            ("202513", None, None),
            ("202500", None, None),
            ("2025", None, None),
        )
    },
}

# --- commitments

CPU, OF_CPU = sku("Commitment v1: Cpu in Americas for 1 Year")
MONEY, OF_MONEY = sku("Commitment - dollar based v1: Cloud Run")
RESOURCE: Row = {
    "commitmentdiscountcategory": "Usage",
    "commitmentdiscounttype": "Resource-based committed use discount",
}
SPEND: Row = {
    "commitmentdiscountcategory": "Spend",
    "commitmentdiscounttype": "Spend-based committed use discount",
}
CUD, DOLLAR, OFFSET = "COMMITTED_USAGE_DISCOUNT", "COMMITTED_USAGE_DISCOUNT_DOLLAR_BASE", "FEE_UTILIZATION_OFFSET"


def usage(amount, unit="seconds") -> Row:
    return {"usage": {"amount": amount, "unit": unit, "amount_in_pricing_units": 1.0, "pricing_unit": "hour"}}


def fee(of, price, amount=100.0, unit="seconds", **changes) -> Row:
    return {**of, **usage(amount, unit), "cost": price, "cost_at_list": price, **changes}


def of_fee(of, billed, effective=0, unit="seconds", **changes) -> Row:
    """Return what a fee becomes; its use carries the cost of one that is spread."""
    costs = {"billedcost": Decimal(billed), "contractedcost": Decimal(billed), "listcost": Decimal(billed)}
    return {**of, **PURCHASE, **costs, **cost(effective), **changes}


def covered(price, credit, amount, unit="seconds", kind=CUD, **changes) -> Row:
    """Return use of which a credit takes off what the commitment covers."""
    return {**usage(amount, unit), **credited(kind, credit), "cost": price, **changes}


def of_use(price, credit, effective, amount, unit="seconds", kind=CUD, **changes) -> Row:
    billed = Decimal(str(price)) + Decimal(str(credit))
    return {
        **(SPEND if kind == DOLLAR else RESOURCE),
        "billedcost": billed,
        "commitmentdiscountstatus": "Used",
        "consumedquantity": Decimal(str(amount)),
        "consumedunit": unit,
        "contractedcost": Decimal(str(price)),
        **cost(effective),
        "pricingcategory": "Committed",
        "x_credits": credited(kind, credit)["credits"],
        "x_discounts": {kind: credit},
        **changes,
    }


def unused(of, effective, description, **changes) -> Row:
    return {**UNUSED, **of, **cost(effective), "chargedescription": description, **changes}


CPU_NAME, MONEY_NAME = "Commitment v1: Cpu in Americas for 1 Year", "Commitment - dollar based v1: Cloud Run"
FLEXIBLE_NAME = "Compute Flexible Commitment"
FLEXIBLE, OF_FLEXIBLE = sku(FLEXIBLE_NAME)
USD, OF_USD = {"currency": "USD"}, {"billingcurrency": "USD", "pricingcurrency": "USD"}
OTHER, OF_OTHER = {"billing_account_id": "OTHER"}, {"billingaccountid": "OTHER"}
NO_SUBSCRIPTION: Row = {"subscription": None}
UNTIED: Row = {"commitmentdiscountid": None, "commitmentdiscountstatus": None, "commitmentdiscounttype": None}

# The lines of each commitment, what each becomes, and what is left unused.
COMMITMENTS: dict[str, tuple[list[tuple[Row, Row]], list[Row]]] = {
    # 40 of 100 seconds were used: 4 of the fee of 10, over credits of 4.
    "partly used": (
        [
            (fee(CPU, 10.0), of_fee(OF_CPU | RESOURCE, 10)),
            (covered(4.0, -3.0, 40.0), of_use(4, -3.0, 4, 40)),
            (covered(1.0, -1.0, 10.0), of_use(1, -1.0, 1, 10)),
        ],
        [unused(RESOURCE, 6, CPU_NAME)],
    ),
    "used whole": (
        [
            (fee(CPU, 10.0), of_fee(OF_CPU | RESOURCE, 10)),
            (covered(4.0, -4.0, 100.0), of_use(4, -4.0, 10, 100)),
        ],
        [],
    ),
    "used by more than was committed to": (
        [
            (fee(CPU, 10.0), of_fee(OF_CPU | RESOURCE, 10)),
            (covered(4.0, -4.0, 300.0), of_use(4, -4.0, 10, 300)),
        ],
        [],
    ),
    "used in thirds": (
        [
            (fee(CPU, 10.0), of_fee(OF_CPU | RESOURCE, 10)),
            # 30 of 100 seconds are a share of 3, over credits of 7: 0.42857142857142857142 each, cut at 20 places.
            (covered(7.0, -7.0, 30.0), of_use(7, -7.0, "2.99999999999999999994", 30)),
        ],
        [unused(RESOURCE, "7.00000000000000000006", CPU_NAME)],
    ),
    "two fees and a discount on one": (
        [
            (
                fee(CPU, 10.0, **credited("DISCOUNT", -2.0)),
                of_fee(
                    OF_CPU | RESOURCE,
                    10,
                    billedcost=Decimal(8),
                    x_credits=credited("DISCOUNT", -2.0)["credits"],
                    x_discounts={"DISCOUNT": -2.0},
                ),
            ),
            (fee(CPU, 2.0), of_fee(OF_CPU | RESOURCE, 2)),
            (covered(4.0, -4.0, 40.0), of_use(4, -4.0, 2, 40)),
        ],
        [unused(RESOURCE, 8, CPU_NAME)],
    ),
    # Cores and memory are two pools, told apart by their units.
    "two resources": (
        [
            (fee(CPU, 10.0), of_fee(OF_CPU | RESOURCE, 10)),
            (fee(CPU, 20.0, unit="byte-seconds"), of_fee(OF_CPU | RESOURCE, 20)),
            (covered(4.0, -4.0, 50.0), of_use(4, -4.0, 5, 50)),
            (covered(2.0, -2.0, 10.0, "byte-seconds"), of_use(2, -2.0, 2, 10, "byte-seconds")),
        ],
        [unused(RESOURCE, 5, CPU_NAME), unused(RESOURCE, 18, CPU_NAME)],
    ),
    "two currencies and accounts": (
        [
            (fee(CPU, 10.0), of_fee(OF_CPU | RESOURCE, 10)),
            (fee(CPU, 20.0, **USD), of_fee(OF_CPU | RESOURCE | OF_USD, 20)),
            (fee(CPU, 40.0, **OTHER), of_fee(OF_CPU | RESOURCE | OF_OTHER, 40)),
            (covered(4.0, -4.0, 100.0), of_use(4, -4.0, 10, 100)),
            (covered(4.0, -4.0, 100.0, **USD), of_use(4, -4.0, 20, 100, **OF_USD)),
            (covered(4.0, -4.0, 100.0, **OTHER), of_use(4, -4.0, 40, 100, **OF_OTHER)),
        ],
        [],
    ),
    "no units": (
        [
            (
                fee(CPU, 10.0, usage={"amount": 100.0}),
                of_fee(OF_CPU | RESOURCE, 10, pricingquantity=None, pricingunit=None),
            ),
            (
                covered(4.0, -4.0, 50.0, usage={"amount": 50.0}),
                of_use(4, -4.0, 10, 50, consumedunit=None, pricingquantity=None, pricingunit=None),
            ),
        ],
        [],
    ),
    "nothing committed to": (
        [
            (fee(CPU, 10.0, amount=0.0), of_fee(OF_CPU | RESOURCE, 10)),
            (covered(4.0, -4.0, 50.0), of_use(4, -4.0, 10, 50)),
        ],
        [],
    ),
    "use at no cost": (
        [
            (fee(CPU, 10.0), of_fee(OF_CPU | RESOURCE, 10)),
            (covered(0.0, -4.0, 50.0), of_use(0, -4.0, 6, 50)),
        ],
        [],
    ),
    "a second committed to": (
        [
            (fee(CPU, 0.5, amount=1.0), of_fee(OF_CPU | RESOURCE, "0.5")),
            (covered(0.5, -0.5, 0.4), of_use(0.5, -0.5, "0.2", "0.4")),
        ],
        [unused(RESOURCE, "0.3", CPU_NAME)],
    ),
    "use without a SKU": (
        [
            (fee(CPU, 10.0), of_fee(OF_CPU | RESOURCE, 10)),
            (
                covered(4.0, -4.0, 50.0, sku=None),
                of_use(4, -4.0, 5, 50, **NO_SKU, chargedescription="regular"),
            ),
        ],
        [unused(RESOURCE, 5, CPU_NAME)],
    ),
    "a new service, of no project": (
        [
            (
                fee(CPU, 10.0, **NEW, project={}),
                of_fee(OF_CPU | RESOURCE | OF_NEW | OF_NO_PROJECT, 10, x_projectancestors=None),
            ),
            (covered(4.0, -4.0, 50.0, **NEW), of_use(4, -4.0, 5, 50, **OF_NEW)),
        ],
        [unused(RESOURCE | OF_NEW | OF_NO_PROJECT, 5, CPU_NAME)],
    ),
    "nobody used it": (
        [(fee(CPU, 10.0), of_fee(OF_CPU | RESOURCE, 10, 10))],
        [],
    ),
    "use of a fee of 0": (
        [
            (fee(CPU, 0.0), of_fee(OF_CPU | RESOURCE, 0)),
            (covered(4.0, -3.0, 50.0), of_use(4, -3.0, 1, 50)),
        ],
        [],
    ),
    "a fee that is given back": (
        [
            (fee(CPU, -10.0), of_fee(OF_CPU | RESOURCE, -10, -10)),
            (covered(4.0, -3.0, 50.0), of_use(4, -3.0, 1, 50)),
        ],
        [],
    ),
    "a credit that is taken back": (
        [
            (fee(CPU, 10.0), of_fee(OF_CPU | RESOURCE, 10, 10)),
            (covered(-4.0, 3.0, 50.0), of_use(-4, 3.0, -1, 50)),
        ],
        [],
    ),
    "use that is not covered": (
        [
            (fee(CPU, 10.0), of_fee(OF_CPU | RESOURCE, 10)),
            (covered(4.0, -4.0, 100.0), of_use(4, -4.0, 10, 100)),
            # It names the subscription, and nothing says of which kind that is.
            ({}, {**SPEND, "commitmentdiscountstatus": "Used"}),
        ],
        [],
    ),
    "tax on a fee": (
        [
            (fee(CPU, 10.0), of_fee(OF_CPU | RESOURCE, 10)),
            (covered(4.0, -4.0, 100.0), of_use(4, -4.0, 10, 100)),
            (
                fee(CPU, 2.0, cost_type="tax"),
                {
                    **of_fee(OF_CPU, 2, 2),
                    **NO_PRICE,
                    **NO_SKU,
                    **typed("tax"),
                    "chargecategory": "Tax",
                    "chargefrequency": "One-Time",
                },
            ),
        ],
        [],
    ),
    "fee of no cost type": (
        [
            (fee(CPU, 10.0, cost_type=None), of_fee(OF_CPU | RESOURCE, 10, **typed(None))),
            (covered(4.0, -4.0, 100.0), of_use(4, -4.0, 10, 100)),
        ],
        [],
    ),
    # --- to money
    "money": (
        [
            (fee(MONEY, 10.0), of_fee(OF_MONEY | SPEND, 10)),
            # Units do not tell what was used of it. 3.33333333333333333333 for each of 3.
            (
                covered(5.0, -3.0, 40.0, "requests", DOLLAR),
                of_use(5, -3.0, "11.99999999999999999999", 40, "requests", DOLLAR),
            ),
        ],
        [unused(SPEND, "0.00000000000000000001", MONEY_NAME)],
    ),
    "money, named": (
        [
            (fee(MONEY, 10.0), of_fee(OF_MONEY | SPEND, 10)),
            (
                covered(5.0, -4.0, 40.0, kind=DOLLAR) | credited(DOLLAR, -4.0, "Cloud Run CUD"),
                of_use(
                    5,
                    -4.0,
                    11,
                    40,
                    kind=DOLLAR,
                    commitmentdiscountname="Cloud Run CUD",
                    x_credits=credited(DOLLAR, -4.0, "Cloud Run CUD")["credits"],
                ),
            ),
        ],
        [],
    ),
    # --- Google takes what was used off the fee
    "offset": (
        [
            (
                fee(MONEY, 10.0, **credited(OFFSET, -7.0, "Flexible CUD")),
                of_fee(
                    OF_MONEY | SPEND,
                    10,
                    billedcost=Decimal(3),
                    commitmentdiscountname="Flexible CUD",
                    x_credits=credited(OFFSET, -7.0, "Flexible CUD")["credits"],
                    x_discounts={OFFSET: -7.0},
                ),
            ),
            ({}, {**SPEND, "commitmentdiscountstatus": "Used"}),
        ],
        [unused(SPEND, 3, MONEY_NAME)],
    ),
    # Use that names the fee has a discounted price already: a credit of the older model on it takes no part of the fee.
    "offset, beside a credit": (
        [
            (
                fee(MONEY, 10.0, **credited(OFFSET, -7.0)),
                of_fee(
                    OF_MONEY | SPEND,
                    10,
                    billedcost=Decimal(3),
                    x_credits=credited(OFFSET, -7.0)["credits"],
                    x_discounts={OFFSET: -7.0},
                ),
            ),
            (covered(5.0, -4.0, 40.0, kind=DOLLAR), of_use(5, -4.0, 1, 40, kind=DOLLAR)),
        ],
        [unused(SPEND, 3, MONEY_NAME)],
    ),
    "offset of all": (
        [
            (
                fee(MONEY, 10.0, **credited(OFFSET, -10.0)),
                of_fee(
                    OF_MONEY | SPEND,
                    10,
                    billedcost=Decimal(),
                    x_credits=credited(OFFSET, -10.0)["credits"],
                    x_discounts={OFFSET: -10.0},
                ),
            )
        ],
        [],
    ),
}

# Commitments that the export does not name, each with one line.
UNNAMED: dict[str, tuple[Row, Row]] = {
    "fee without a subscription": (fee(CPU, 10.0), of_fee(OF_CPU | RESOURCE | UNTIED, 10, 10)),
    "covered use without a subscription": (covered(4.0, -3.0, 40.0), of_use(4, -3.0, 1, 40, **UNTIED)),
    "fee of money without a subscription": (fee(MONEY, 10.0), of_fee(OF_MONEY | SPEND | UNTIED, 10, 10)),
    "offset without a subscription": (
        fee(MONEY, 10.0, **credited(OFFSET, -7.0), **OTHER),
        of_fee(
            OF_MONEY | SPEND | OF_OTHER,
            10,
            billedcost=Decimal(3),
            commitmentdiscountid=MONEY_NAME,
            x_credits=credited(OFFSET, -7.0)["credits"],
            x_discounts={OFFSET: -7.0},
        ),
    ),
    "offset on a fee of another name": (
        fee(FLEXIBLE, 10.0, **credited(OFFSET, -8.0)),
        of_fee(
            OF_FLEXIBLE | SPEND,
            10,
            billedcost=Decimal(2),
            commitmentdiscountid=FLEXIBLE_NAME,
            x_credits=credited(OFFSET, -8.0)["credits"],
            x_discounts={OFFSET: -8.0},
        ),
    ),
}
LEFT_UNNAMED = {
    MONEY_NAME: unused(SPEND | OF_OTHER, 3, MONEY_NAME, commitmentdiscountid=MONEY_NAME),
    FLEXIBLE_NAME: unused(SPEND, 2, FLEXIBLE_NAME, commitmentdiscountid=FLEXIBLE_NAME),
}


@pytest.fixture(scope="module")
def schema(postgres):
    with own_schemas(postgres) as database:
        yield database


def named(name: str, changes: Row) -> Row:
    """Return a line that its charge is found by; what a commitment covers is known by its subscription."""
    line = LINE | changes
    return line | {"project": {"number": name, **line["project"]}}


def all_lines() -> Export:
    lines = [named(name, changes) for name, (changes, _) in (SINGLE | UNNAMED).items()]
    for name, (of, _) in COMMITMENTS.items():
        subscription = {"subscription": {"instance_id": name}}
        lines += [named(f"{name} {at}", subscription | changes) for at, (changes, _) in enumerate(of)]
    return Export("gcp_billing", lines)


@pytest.fixture(scope="module")
def charges(schema):
    """The charges of one export that has the lines of all cases: by line, and those of unused parts by commitment."""
    found: dict[str, list[Row]] = {}
    for charge in sorted(all_lines().charges(schema), key=lambda charge: charge["effectivecost"]):
        name = charge.get("x_projectnumber") or f"unused {charge['commitmentdiscountid']}"
        found.setdefault(name, []).append(charge)
    return found


def filled(charge: Row) -> Row:
    return {key: value for key, value in charge.items() if value is not None}


@pytest.mark.parametrize("name", SINGLE | UNNAMED)
def test_line_becomes(charges, name):
    assert charges[name] == [filled(CHARGE | {"x_projectnumber": name} | (SINGLE | UNNAMED)[name][1])]


@pytest.mark.parametrize("name", COMMITMENTS)
def test_commitment_is_spread(charges, name):
    of, left = COMMITMENTS[name]
    for at, (_, change) in enumerate(of):
        expected = {"x_projectnumber": f"{name} {at}", "commitmentdiscountid": name}
        assert charges[f"{name} {at}"] == [filled(CHARGE | expected | change)]
    assert charges.get(f"unused {name}", []) == [filled(one | {"commitmentdiscountid": name}) for one in left]


@pytest.mark.parametrize("name", LEFT_UNNAMED)
def test_unused_part_without_a_subscription_is_known_by_its_sku(charges, name):
    assert charges[f"unused {name}"] == [LEFT_UNNAMED[name]]


def test_daily_sums_are_those_of_the_charges(schema):
    assert sums_by_day(all_lines().daily_charges(schema)) == sums_by_day(all_lines().charges(schema))


# --- exports of other tools, with a credit in columns of its own

FLAT: Row = {
    "billing_account_id": ACCOUNT,
    "cost": 4.0,
    "cost_type": "regular",
    "credits_amount": None,
    "credits_full_name": None,
    "credits_type": None,
    "currency": "EUR",
    "invoice_month": "202501",
    "service_id": "6F81-5844-456A",
    "sku_description": "N1 Core",
    "sku_id": "CF4E",
    "subscription_instance_id": "s",
    "usage_amount": 40.0,
    "usage_unit": "seconds",
}
FLAT_CASES: dict[str, tuple[Row, Row]] = {
    "fee": (
        {"sku_description": CPU_NAME, "usage_amount": 100.0, "cost": 10.0},
        {"chargecategory": "Purchase", "billedcost": Decimal(10), "effectivecost": Decimal()},
    ),
    "covered": (
        {"credits_type": CUD, "credits_amount": -4.0, "credits_full_name": "CUD"},
        {
            "chargecategory": "Usage",
            "billedcost": Decimal(),
            "effectivecost": Decimal(4),
            "commitmentdiscountname": "CUD",
            "pricingcategory": "Committed",
        },
    ),
    "promoted": (
        {"credits_type": "PROMOTION", "credits_amount": -1.0, "subscription_instance_id": None},
        {"chargecategory": "Usage", "billedcost": Decimal(3), "effectivecost": Decimal(3)},
    ),
}


@pytest.mark.parametrize("name", FLAT_CASES)
def test_credit_in_columns_of_its_own(schema, name):
    lines = [FLAT | changes | {"project_number": key} for key, (changes, _) in FLAT_CASES.items()]
    [charge] = [one for one in Export("gcp_billing", lines).charges(schema) if one.get("x_projectnumber") == name]
    expected = FLAT_CASES[name][1]
    assert {key: charge[key] for key in expected} == expected
