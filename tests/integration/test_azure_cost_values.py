"""What each kind of line of Azure's actual and amortized costs becomes: every FOCUS column, written down by hand.

A case changes one full line, and says what changes in its charge. What is right is what Microsoft documents: "Convert
Cost Management data to FOCUS" of the FinOps toolkit, and "Understand cost details fields" of Cost Management.
"""

from datetime import datetime
from decimal import Decimal

import pytest
from pipeline import JANUARY
from roles import own_schemas
from values import Export, Row, sums_by_day

pytestmark = pytest.mark.values

VM = "/subscriptions/0001/resourceGroups/RG/providers/Microsoft.Compute/virtualMachines/VM1"
CAPACITY = "/subscriptions/0001/resourceGroups/RG/providers/Microsoft.Compute/capacityReservationGroups/G1"
RESERVATION = "/providers/Microsoft.Capacity/reservationOrders/O1/reservations/R1"
PLAN = "/providers/Microsoft.BillingBenefits/savingsPlanOrders/O2/savingsPlans/P1"

# A line of an Enterprise Agreement: 30 hours, whose prices are for blocks of 10, in the data set of amortized costs.
LINE: Row = {
    "actualcost": None,
    "additionalinfo": '{"VCPUs": 2, "ServiceType": "Standard_D2_v3"}',
    "amortizedcost": 1.5,
    "availabilityzone": "1",
    "benefitid": None,
    "benefitname": None,
    "billingaccountid": "01234567",
    "billingaccountname": "Acme",
    "billingcurrencycode": "EUR",
    "billingperiodenddate": "2025-01-31",
    "billingperiodstartdate": "2025-01-01",
    "billingprofileid": "PROFILE",
    "billingprofilename": "Acme Profile",
    "chargetype": "Usage",
    "consumedservice": "Microsoft.Compute",
    "costinbillingcurrency": None,
    "date": "2025-01-05",
    "exchangerate": None,
    "frequency": "UsageBased",
    "invoiceid": "G1",
    "invoicesection": "Dept",
    "metercategory": "Virtual Machines",
    "meterid": "m-1",
    "metername": "D2 v3",
    "metersubcategory": "Dv3 Series",
    "partnername": None,
    "paygcostinbillingcurrency": None,
    "paygprice": 5,
    "pricingcurrency": None,
    "pricingmodel": "OnDemand",
    "productid": "DZH1",
    "productname": "Virtual Machines Dv3 Series",
    "productorderid": "order",
    "productordername": "Order",
    "publishername": "Contoso",
    "publishertype": "Azure",
    "quantity": 30,
    "resourcegroup": "RG",
    "resourceid": VM,
    "resourcelocation": "EU West",
    "subscriptionid": "0001",
    "subscriptionname": "Shop",
    "tags": '"team": "shop"',
    "unitofmeasure": "10  Hours ",
    "unitprice": 4,
}
CHARGE: Row = {
    "billing_period": JANUARY,
    "availabilityzone": "1",
    "billedcost": Decimal("1.5"),
    "billingaccountid": "01234567",
    "billingaccountname": "Acme",
    "billingaccounttype": "Billing Account",
    "billingcurrency": "EUR",
    "billingperiodend": datetime(2025, 2, 1),
    "billingperiodstart": datetime(2025, 1, 1),
    "chargecategory": "Usage",
    "chargedescription": "Virtual Machines Dv3 Series",
    "chargefrequency": "Usage-Based",
    "chargeperiodend": datetime(2025, 1, 6),
    "chargeperiodstart": datetime(2025, 1, 5),
    "consumedquantity": Decimal(30),
    "consumedunit": "Hours",
    "contractedcost": Decimal(12),
    "contractedunitprice": Decimal(4),
    "effectivecost": Decimal("1.5"),
    "invoiceid": "G1",
    "invoiceissuername": "Microsoft",
    "listcost": Decimal(15),
    "listunitprice": Decimal(5),
    "pricingcategory": "Standard",
    "pricingcurrency": "EUR",
    "pricingcurrencycontractedunitprice": Decimal(4),
    "pricingcurrencyeffectivecost": Decimal("1.5"),
    "pricingcurrencylistunitprice": Decimal(5),
    "pricingquantity": Decimal(3),
    "pricingunit": "Hours",
    "providername": "Microsoft",
    "publishername": "Contoso",
    "regionid": "westeurope",
    "regionname": "West Europe",
    "resourceid": VM.lower(),
    "resourcename": "VM1",
    "resourcetype": "microsoft.compute/virtualmachines",
    "servicecategory": "Compute",
    "servicename": "Virtual Machines",
    "servicesubcategory": "Virtual Machines",
    "skumeter": "D2 v3",
    "skupricedetails": {"x_VCPUs": 2, "x_ServiceType": "Standard_D2_v3"},
    "subaccountid": "0001",
    "subaccountname": "Shop",
    "subaccounttype": "Subscription",
    "tags": {"team": "shop"},
    "x_invoicesectionname": "Dept",
    "x_lineitems": 1,
    "x_lineitemtype": "Usage",
    "x_pricingmodel": "OnDemand",
    "x_publishercategory": "Azure",
    "x_resourcegroupname": "RG",
    "x_servicecode": "Microsoft.Compute",
    "x_serviceisknown": True,
    "x_skumetercategory": "Virtual Machines",
    "x_skumeterid": "m-1",
    "x_skumetersubcategory": "Dv3 Series",
    "x_skuorderid": "order",
    "x_skuordername": "Order",
    "x_typeisknown": True,
}

NOTHING_USED: Row = {"consumedquantity": None, "consumedunit": None}
NO_PRICE: Row = dict.fromkeys(
    (
        *("contractedunitprice", "listunitprice", "pricingcategory", "pricingquantity", "pricingunit"),
        *("pricingcurrencycontractedunitprice", "pricingcurrencylistunitprice"),
    )
)
AGREEMENT: Row = {"billingaccountid": "acme:1", "pricingcurrency": "USD", "exchangerate": 0.5}
OF_AGREEMENT: Row = {
    "billingaccountid": "PROFILE",
    "billingaccountname": "Acme Profile",
    "billingaccounttype": "Billing Profile",
    "contractedcost": Decimal(6),
    "contractedunitprice": Decimal(2),
    "listcost": Decimal("7.5"),
    "listunitprice": Decimal("2.5"),
    "pricingcurrency": "USD",
    "pricingcurrencyeffectivecost": Decimal(3),
    "skuid": "DZH1",
    "x_billingexchangerate": Decimal("0.5"),
}
RATIO = '{"RINormalizationRatio": "2"}'
OF_RATIO: Row = {"skupricedetails": {"x_RINormalizationRatio": "2"}}
RESERVED: Row = {"benefitid": RESERVATION, "benefitname": "Reserved", "pricingmodel": "Reservation"}
PLANNED: Row = {"benefitid": PLAN, "benefitname": "Plan", "pricingmodel": "SavingsPlan"}
OF_RESERVATION: Row = {
    "commitmentdiscountcategory": "Usage",
    "commitmentdiscountid": RESERVATION.lower(),
    "commitmentdiscountname": "Reserved",
    "commitmentdiscounttype": "Reservation",
    "pricingcategory": "Committed",
    "x_pricingmodel": "Reservation",
}
OF_PLAN: Row = OF_RESERVATION | {
    "commitmentdiscountcategory": "Spend",
    "commitmentdiscountid": PLAN.lower(),
    "commitmentdiscountname": "Plan",
    "commitmentdiscounttype": "Savings Plan",
    "x_pricingmodel": "SavingsPlan",
}
USED: Row = {"billedcost": Decimal(), "commitmentdiscountstatus": "Used"}
UNUSED: Row = {**NOTHING_USED, "billedcost": Decimal(), "commitmentdiscountstatus": "Unused"}
ACTUAL: Row = {"amortizedcost": None, "actualcost": 100}
BOUGHT: Row = ACTUAL | {"chargetype": "Purchase", "frequency": "OneTime"}
OF_PURCHASE: Row = {
    **NOTHING_USED,
    "billedcost": Decimal(100),
    "chargecategory": "Purchase",
    "chargefrequency": "One-Time",
    "effectivecost": Decimal(),
    "pricingcurrencyeffectivecost": Decimal(),
    "x_lineitemtype": "Purchase",
}
ALONE: Row = {"amortizedcost": None, "costinbillingcurrency": 1.5}


def of_plan(quantity, unit="EUR"):
    return OF_PLAN | {"commitmentdiscountquantity": Decimal(quantity), "commitmentdiscountunit": unit}


def normalized(quantity):
    """A reservation is one to hours of its smallest size; Azure says how many of them an hour counts for."""
    quantities = {"commitmentdiscountquantity": Decimal(quantity), "commitmentdiscountunit": "Normalized Hours"}
    return OF_RESERVATION | OF_RATIO | quantities


# Name: what is changed on the line, and what is other in its charge; None is no charge.
CASES: dict[str, tuple[Row, Row | None]] = {
    "usage": ({}, {}),
    "customer agreement": (AGREEMENT, OF_AGREEMENT),
    "customer agreement without a profile": (
        AGREEMENT | {"billingprofileid": None},
        OF_AGREEMENT | {"billingaccountid": "acme:1"},
    ),
    "customer agreement with a list cost": (
        AGREEMENT | {"paygcostinbillingcurrency": 7},
        OF_AGREEMENT | {"listcost": Decimal(7)},
    ),
    **{
        f"customer agreement with a rate of {rate}": (
            AGREEMENT | {"exchangerate": rate},
            OF_AGREEMENT
            | {
                "contractedcost": Decimal(12),
                "contractedunitprice": Decimal(4),
                "listcost": Decimal(15),
                "listunitprice": Decimal(5),
                "pricingcurrencyeffectivecost": Decimal("1.5"),
                "x_billingexchangerate": rate,
            },
        )
        # A rate of 0 is none.
        for rate in (None, Decimal())
    },
    "tax of a customer agreement": (
        AGREEMENT | {"chargetype": "Tax"},
        OF_AGREEMENT | NO_PRICE | NOTHING_USED | {"chargecategory": "Tax", "skuid": None, "x_lineitemtype": "Tax"},
    ),
    "enterprise agreement with a rate": (
        {"exchangerate": 0.5},
        {"x_billingexchangerate": Decimal("0.5")},
    ),
    "no billing account": (
        {"billingaccountid": None},
        {"billingaccountid": None, "billingaccounttype": None},
    ),
    "another billing period": (
        {"billingperiodstartdate": "2024-12-15", "billingperiodenddate": "2025-01-14"},
        {"billingperiodstart": datetime(2024, 12, 15), "billingperiodend": datetime(2025, 1, 15)},
    ),
    "no billing period": (
        {"billingperiodstartdate": None, "billingperiodenddate": None, "date": "2025-01-05"},
        {},
    ),
    "no cost": (
        {"amortizedcost": 0, "unitprice": None, "paygprice": None},
        {
            **dict.fromkeys(
                ("billedcost", "effectivecost", "contractedcost", "listcost", "pricingcurrencyeffectivecost"), Decimal()
            ),
            **dict.fromkeys(
                (
                    *("contractedunitprice", "listunitprice"),
                    *("pricingcurrencycontractedunitprice", "pricingcurrencylistunitprice"),
                )
            ),
        },
    ),
    "no prices": (
        {"unitprice": None, "paygprice": 0},
        {
            "contractedcost": Decimal("1.5"),
            "contractedunitprice": None,
            "listcost": Decimal("1.5"),
            "listunitprice": Decimal(),
            "pricingcurrencycontractedunitprice": None,
            "pricingcurrencylistunitprice": Decimal(),
        },
    ),
    "no quantity": (
        {"quantity": None},
        {
            **NOTHING_USED,
            "contractedcost": Decimal("1.5"),
            "listcost": Decimal("1.5"),
            "pricingquantity": None,
            "pricingunit": None,
        },
    ),
    "unknown unit": (
        {"unitofmeasure": "7 Parsecs"},
        {
            "consumedunit": "7 Parsecs",
            "contractedcost": Decimal(120),
            "listcost": Decimal(150),
            "pricingquantity": Decimal(30),
            "pricingunit": "7 Parsecs",
        },
    ),
    "no product": ({"productname": None}, {"chargedescription": "D2 v3"}),
    "no product or meter": (
        {"productname": None, "metername": None},
        {"chargedescription": "Usage", "skumeter": None},
    ),
    "partner": ({"partnername": "Reseller"}, {"invoiceissuername": "Reseller"}),
    "no publisher": ({"publishername": None}, {"publishername": "Microsoft"}),
    "another frequency": ({"frequency": "Sometimes"}, {"chargefrequency": None}),
    "no frequency": ({"frequency": None}, {"chargefrequency": None}),
    "spot": ({"pricingmodel": "Spot"}, {"pricingcategory": "Dynamic", "x_pricingmodel": "Spot"}),
    "another model": ({"pricingmodel": "New"}, {"pricingcategory": None, "x_pricingmodel": "New"}),
    "no details": ({"additionalinfo": None}, {"skupricedetails": None}),
    "details that are no JSON": ({"additionalinfo": "{"}, {"skupricedetails": None}),
    "details that are a list": ({"additionalinfo": "[1]"}, {"skupricedetails": None}),
    "no subscription": (
        {"subscriptionid": None},
        {"subaccountid": None, "subaccounttype": None},
    ),
    # --- regions and services
    "global": ({"resourcelocation": "Global"}, {"regionid": None, "regionname": None}),
    "no region": ({"resourcelocation": None}, {"regionid": None, "regionname": None}),
    "new region": (
        {"resourcelocation": "Mars North"},
        {"regionid": "marsnorth", "regionname": "Mars North"},
    ),
    "new service": (
        {"consumedservice": "Microsoft.New"},
        {
            "servicename": "Virtual Machines",
            "servicecategory": "Other",
            "servicesubcategory": "Other (Other)",
            "x_servicecode": "Microsoft.New",
            "x_serviceisknown": False,
        },
    ),
    "no consumed service": (
        {"consumedservice": None},
        {
            "servicecategory": "Other",
            "servicesubcategory": "Other (Other)",
            "x_servicecode": None,
            "x_serviceisknown": False,
        },
    ),
    "no resource": (
        {"resourceid": None},
        {
            "resourceid": None,
            "resourcename": None,
            "resourcetype": None,
            "servicecategory": "Other",
            "servicesubcategory": "Other (Other)",
            "x_serviceisknown": False,
        },
    ),
    "neither": (
        {"consumedservice": None, "resourceid": None, "metercategory": "Credits"},
        {
            "resourceid": None,
            "resourcename": None,
            "resourcetype": None,
            "servicename": "Credits",
            "servicecategory": "Other",
            "servicesubcategory": "Other (Other)",
            "x_servicecode": None,
            "x_skumetercategory": "Credits",
        },
    ),
    "service by the application alone": (
        {"consumedservice": "API Center", "resourceid": "/subscriptions/1/providers/Microsoft.ApiCenter/service/x"},
        {
            "resourceid": "/subscriptions/1/providers/microsoft.apicenter/service/x",
            "resourcename": "x",
            "resourcetype": "microsoft.apicenter/service",
            "servicename": "API Center",
            "servicecategory": "Integration",
            "servicesubcategory": "API Management",
            "x_servicecode": "API Center",
        },
    ),
    "service by its resource alone": (
        {"consumedservice": None, "resourceid": "/subscriptions/1/providers/Microsoft.HybridNetwork/devices/x"},
        {
            "resourceid": "/subscriptions/1/providers/microsoft.hybridnetwork/devices/x",
            "resourcename": "x",
            "resourcetype": "microsoft.hybridnetwork/devices",
            "servicename": "Azure Network Function Manager",
            "servicecategory": "Networking",
            "servicesubcategory": "Network Infrastructure",
            "x_servicecode": None,
        },
    ),
    # --- categories
    "purchase": (
        {"chargetype": "Purchase", "frequency": "Recurring"},
        {
            **NOTHING_USED,
            "chargecategory": "Purchase",
            "chargefrequency": "Recurring",
            "x_lineitemtype": "Purchase",
        },
    ),
    "refund": (
        {"chargetype": "Refund"},
        {
            **NOTHING_USED,
            "chargecategory": "Purchase",
            "chargeclass": "Correction",
            "x_lineitemtype": "Refund",
        },
    ),
    **{
        f"charge type {kind}": (
            {"chargetype": kind},
            {**NOTHING_USED, **NO_PRICE, "chargecategory": category, "x_lineitemtype": kind, **change},
        )
        for kind, category, change in (
            ("Tax", "Tax", {}),
            ("Credit", "Credit", {}),
            ("Adjustment", "Adjustment", {}),
            ("RoundingAdjustment", "Adjustment", {}),
            ("Surprise", "Adjustment", {"x_typeisknown": False}),
        )
    },
    # --- capacity reservations
    "capacity reservation": (
        {"additionalinfo": f'{{"VMCapacityReservationId": "{CAPACITY}"}}'},
        {
            "capacityreservationid": CAPACITY,
            "capacityreservationstatus": "Used",
            "skupricedetails": {"x_VMCapacityReservationId": CAPACITY},
        },
    ),
    "unused capacity reservation": (
        {
            "additionalinfo": f'{{"VMCapacityReservationId": "{CAPACITY}"}}',
            "resourceid": f"{CAPACITY}/capacityReservations/C1",
        },
        {
            "capacityreservationid": CAPACITY,
            "capacityreservationstatus": "Unused",
            "resourceid": f"{CAPACITY}/capacityReservations/C1".lower(),
            "resourcename": "C1",
            "resourcetype": "microsoft.compute/capacityreservationgroups/capacityreservations",
            "skupricedetails": {"x_VMCapacityReservationId": CAPACITY},
        },
    ),
    "purchase with a capacity reservation": (
        {"additionalinfo": f'{{"VMCapacityReservationId": "{CAPACITY}"}}', "chargetype": "Purchase"},
        {
            **NOTHING_USED,
            "capacityreservationid": CAPACITY,
            "chargecategory": "Purchase",
            "skupricedetails": {"x_VMCapacityReservationId": CAPACITY},
            "x_lineitemtype": "Purchase",
        },
    ),
    # --- commitments
    "reserved use": (RESERVED | {"additionalinfo": RATIO}, normalized(60) | USED),
    "reserved use of unknown size": (RESERVED, OF_RESERVATION | USED),
    "reserved use whose ratio is no number": (
        RESERVED | {"additionalinfo": '{"RINormalizationRatio": "NA"}'},
        OF_RESERVATION
        | USED
        | {"commitmentdiscountunit": "Normalized Hours", "skupricedetails": {"x_RINormalizationRatio": "NA"}},
    ),
    "reserved use of an unknown unit": (
        RESERVED | {"additionalinfo": RATIO, "unitofmeasure": "Parsecs"},
        normalized(60)
        | USED
        | {
            "commitmentdiscountunit": "Normalized Parsecs",
            "consumedunit": "Parsecs",
            "contractedcost": Decimal(120),
            "listcost": Decimal(150),
            "pricingquantity": Decimal(30),
            "pricingunit": "Parsecs",
        },
    ),
    "reserved use without a list price": (
        RESERVED | {"paygprice": 0},
        OF_RESERVATION
        | USED
        # FOCUS wants what is billed, where there is no list price.
        | {"listcost": Decimal(), "listunitprice": Decimal(), "pricingcurrencylistunitprice": Decimal()},
    ),
    "unused reservation": (
        RESERVED | {"chargetype": "UnusedReservation", "additionalinfo": RATIO},
        normalized(60) | UNUSED | {"x_lineitemtype": "UnusedReservation"},
    ),
    "bought reservation": (RESERVED | BOUGHT | {"additionalinfo": RATIO}, normalized(60) | OF_PURCHASE),
    "returned reservation": (
        RESERVED | BOUGHT | {"chargetype": "Refund", "actualcost": -100},
        OF_RESERVATION
        | OF_PURCHASE
        | {"billedcost": Decimal(-100), "chargeclass": "Correction", "x_lineitemtype": "Refund"},
    ),
    "planned use": (PLANNED, of_plan("1.5") | USED),
    "planned use of a customer agreement": (PLANNED | AGREEMENT, OF_AGREEMENT | of_plan(3, "USD") | USED),
    "unused plan": (
        PLANNED | {"chargetype": "UnusedSavingsPlan"},
        of_plan("1.5") | UNUSED | {"x_lineitemtype": "UnusedSavingsPlan"},
    ),
    "bought plan": (PLANNED | BOUGHT, of_plan(100) | OF_PURCHASE),
    "bought plan of a customer agreement": (
        PLANNED | BOUGHT | AGREEMENT,
        OF_AGREEMENT | of_plan(200, "USD") | OF_PURCHASE,
    ),
    "tax on a plan": (
        PLANNED | {"chargetype": "Tax"},
        OF_PLAN | NOTHING_USED | NO_PRICE | {"chargecategory": "Tax", "x_lineitemtype": "Tax"},
    ),
    **{
        f"benefit that only its model tells: {model}": (
            {"benefitid": "B1", "pricingmodel": model},
            OF_RESERVATION
            | USED
            | {"commitmentdiscountid": "b1", "commitmentdiscountname": None, "x_pricingmodel": model}
            | changes,
        )
        for model, changes in (
            ("Reservation", {}),
            (
                "Savings Plan",
                {
                    "commitmentdiscountcategory": "Spend",
                    "commitmentdiscountquantity": Decimal("1.5"),
                    "commitmentdiscounttype": "Savings Plan",
                    "commitmentdiscountunit": "EUR",
                },
            ),
        )
    },
    **{
        f"benefit of another model that its id tells: {benefit}": (
            {"benefitid": benefit, "additionalinfo": RATIO},
            OF_RATIO
            | {"commitmentdiscountid": benefit.lower(), "commitmentdiscountcategory": category}
            | {"commitmentdiscounttype": kind},
        )
        for benefit, category, kind in (
            ("/Microsoft.Capacity/R1", "Usage", "Reservation"),
            ("/Microsoft.BillingBenefits/P1", "Spend", "Savings Plan"),
        )
    },
    "benefit of another model": (
        {"benefitid": "B1"},
        {"commitmentdiscountid": "b1"},
    ),
    "model without a benefit": (
        {"pricingmodel": "Reservation"},
        USED | {"pricingcategory": "Committed", "x_pricingmodel": "Reservation"},
    ),
    **{
        f"columns without a model: {benefit}": (
            {"benefitid": benefit, "pricingmodel": None},
            changes
            | {"commitmentdiscountid": benefit.lower(), "commitmentdiscountname": None, "x_pricingmodel": None}
            | USED,
        )
        for benefit, changes in ((RESERVATION, OF_RESERVATION), (PLAN, of_plan("1.5")))
    },
    # --- actual costs alone, and what the other data set repeats
    "use of actual costs": (ACTUAL, None),
    "purchase of actual costs that no commitment is": (ACTUAL | {"chargetype": "Purchase"}, None),
    "alone": (ALONE, {}),
    "alone, without a cost": (
        ALONE | {"costinbillingcurrency": None, "paygprice": None, "unitprice": None},
        {
            **dict.fromkeys(
                ("billedcost", "effectivecost", "contractedcost", "listcost", "pricingcurrencyeffectivecost"), Decimal()
            ),
            **dict.fromkeys(("contractedunitprice", "listunitprice")),
            **dict.fromkeys(("pricingcurrencycontractedunitprice", "pricingcurrencylistunitprice")),
        },
    ),
    # It has no place there, and the audit of effective costs says so.
    "bought plan among amortized costs": (
        PLANNED | {"chargetype": "Purchase"},
        OF_PLAN
        | NOTHING_USED
        | {
            "chargecategory": "Purchase",
            "commitmentdiscountquantity": Decimal("1.5"),
            "commitmentdiscountunit": "EUR",
            "effectivecost": Decimal(),
            "pricingcurrencyeffectivecost": Decimal(),
            "x_lineitemtype": "Purchase",
        },
    ),
    "alone, reserved": (ALONE | RESERVED, OF_RESERVATION | USED | {"billedcost": Decimal("1.5")}),
    "alone, bought": (
        ALONE | RESERVED | {"chargetype": "Purchase"},
        OF_RESERVATION | NOTHING_USED | {"chargecategory": "Purchase", "x_lineitemtype": "Purchase"},
    ),
    "pay as you go": (
        ALONE | {"chargetype": None, "frequency": None, "pricingmodel": None},
        {"pricingcategory": None, "x_lineitemtype": None, "x_pricingmodel": None},
    ),
}


EXPORT = Export(
    "azure_cost",
    [LINE | changes | {"costcenter": name} for name, (changes, _) in CASES.items()],
    {"actualcost": "numeric", "amortizedcost": "numeric"},
)


@pytest.fixture(scope="module")
def schema(postgres):
    with own_schemas(postgres) as database:
        yield database


@pytest.fixture(scope="module")
def charges(schema):
    """The charges of one export that has the line of every case, by its cost center."""
    found: dict[str, list[Row]] = {}
    for charge in EXPORT.charges(schema):
        found.setdefault(charge["x_costcenter"], []).append(charge)
    return found


@pytest.mark.parametrize("name", CASES)
def test_line_becomes(charges, name):
    change = CASES[name][1]
    expected = {key: value for key, value in (CHARGE | {"x_costcenter": name} | (change or {})).items()}
    expected = {key: value for key, value in expected.items() if value is not None}
    assert charges.get(name, []) == ([] if change is None else [expected])


def test_daily_sums_are_those_of_the_charges(schema):
    assert sums_by_day(EXPORT.daily_charges(schema)) == sums_by_day(EXPORT.charges(schema))
