"""What the charges of a FOCUS export become: the columns as they are, but for what a provider is known to leave out.

The sources: the FOCUS specification; Microsoft's list of what its export leaves empty (FinOps toolkit, conformance
summary of FOCUS in Cost Management); Google's own FOCUS view for BigQuery; and Oracle's cost reports.
"""

from datetime import datetime
from decimal import Decimal

import pytest
from pipeline import JANUARY
from roles import own_schemas
from values import CHARGE_TYPES, Export, Row

from cloud_costs.charges.columns import focus_columns

pytestmark = pytest.mark.values

FOCUS_NAMES = [column.name for column in focus_columns() if column.focus_name]
FORMATS = {
    "aws_focus": [*FOCUS_NAMES, "x_discounts", "x_operation", "x_servicecode"],
    "azure_focus": [
        *(name for name in FOCUS_NAMES if not name.startswith("pricingcurrency") and name != "skupricedetails"),
        *("pricingcurrency", "x_billingexchangerate", "x_costcenter", "x_invoicesectionname", "x_publishercategory"),
        *("x_resourcegroupname", "x_skumetercategory", "x_skumeterid", "x_skumetersubcategory", "x_skuorderid"),
        "x_skuordername",
    ],
    "focus": [
        *(*FOCUS_NAMES, "x_operation", "x_servicecode", "x_allocatedmethoddetails", "x_allocatedmethodid"),
        *("x_allocatedresourceid", "x_allocatedresourcename", "x_allocatedtags", "x_contractapplied"),
        *("x_commitmentprogrameligibilitydetails", "x_hostprovidername", "x_invoicedetailid"),
        "x_serviceprovidername",
    ],
}
PROVIDERS_OWN = {"x_discounts", "x_operation", "x_servicecode"}
PERIOD: Row = {
    "billingperiodstart": datetime(2025, 1, 1),
    "billingperiodend": datetime(2025, 2, 1),
    "chargeperiodstart": datetime(2025, 1, 5, 1),
    "chargeperiodend": datetime(2025, 1, 5, 2),
    "chargecategory": "Usage",
    "commitmentdiscountstatus": "Used",
}


def value_of(name: str, number: int):
    """Return a value that no other column has."""
    kind = CHARGE_TYPES[name]
    if kind == "numeric":
        return Decimal(number) + Decimal("0.5")
    return {"key": name} if kind == "jsonb" else f"the {name}"


def full_line(form: str) -> Row:
    """Return a charge with a value in every column that the export has."""
    return {name: value_of(name, number) for number, name in enumerate(FORMATS[form])} | PERIOD


def exported(form: str, line: Row) -> Row:
    """Return a charge under the names that a file has: those of FOCUS 1.3 and 1.4 are no columns of our own there."""
    if form != "focus":
        return line
    return {name if name in PROVIDERS_OWN else name.removeprefix("x_"): value for name, value in line.items()}


ADDED: dict[str, Row] = {
    "aws_focus": {"x_usagetype": "the skumeter"},
    # What an exchange rate of 1.25 makes of the effective cost and the unit prices below in the currency of prices.
    "azure_focus": {
        "pricingcurrencyeffectivecost": Decimal(5),
        "pricingcurrencycontractedunitprice": Decimal(2),
        "pricingcurrencylistunitprice": Decimal(4),
    },
    "focus": {"x_lineitemtype": "Usage"},
}
BASE: dict[str, Row] = {
    "aws_focus": {},
    "azure_focus": {
        "x_billingexchangerate": Decimal("1.25"),
        "effectivecost": Decimal("6.25"),
        "contractedunitprice": Decimal("2.5"),
        "listunitprice": Decimal(5),
    },
    "focus": {},
}
ZERO: Row = {"billedcost": Decimal(), "effectivecost": Decimal(), "listcost": Decimal(), "contractedcost": Decimal()}
NO_COSTS: Row = dict.fromkeys(ZERO)
NO_PRICES: Row = {"contractedunitprice": None, "listunitprice": None, "pricingquantity": None}
NO_UNIT_PRICES: Row = {"pricingcurrencycontractedunitprice": None, "pricingcurrencylistunitprice": None}
ONE_CURRENCY: Row = {
    "pricingcurrencyeffectivecost": Decimal("6.25"),
    "pricingcurrencycontractedunitprice": Decimal("2.5"),
    "pricingcurrencylistunitprice": Decimal(5),
    "pricingcurrency": "EUR",
    "billingcurrency": "EUR",
}
VIRTUAL_MACHINE = "/subscriptions/s/resourceGroups/RG/providers/Microsoft.Compute/virtualMachines/vm1"
AZURE_SERVICE: Row = {"servicename": None, "x_publishercategory": None, "x_skumetersubcategory": None}
HALF_A_MONTH: Row = {"billingperiodend": datetime(2025, 1, 16)}

# The format, what the file has under which name, and what is other in its charge.
CASES: dict[str, tuple[str, Row, Row]] = {
    **{f"all of {form}": (form, {}, {}) for form in FORMATS},
    "aws: no costs": ("aws_focus", NO_COSTS, ZERO),
    # --- Azure
    "azure: no costs": ("azure_focus", NO_COSTS, ZERO | {
        # The prices and quantities of the line are there.
        "contractedcost": Decimal("2.5")
        * value_of("pricingquantity", FORMATS["azure_focus"].index("pricingquantity")),
        "listcost": Decimal(5)
        * value_of("pricingquantity", FORMATS["azure_focus"].index("pricingquantity")),
        "pricingcurrencyeffectivecost": Decimal(),
    }),
    "azure: no costs, prices or quantities": (
        "azure_focus",
        NO_COSTS | NO_PRICES,
        ZERO | NO_PRICES | NO_UNIT_PRICES | {"pricingcurrencyeffectivecost": Decimal()},
    ),
    "azure: contracted cost by its price": (
        "azure_focus",
        {"contractedcost": 0, "contractedunitprice": 3, "pricingquantity": 2},
        {
            "contractedcost": Decimal(6),
            "contractedunitprice": Decimal(3),
            "pricingcurrencycontractedunitprice": Decimal("2.4"),
            "pricingquantity": Decimal(2),
        },
    ),
    "azure: contracted cost as billed": (
        "azure_focus",
        {"contractedcost": 0, "contractedunitprice": 0, "billedcost": 7},
        {
            "contractedcost": Decimal(7),
            "contractedunitprice": Decimal(),
            "pricingcurrencycontractedunitprice": Decimal(),
            "billedcost": Decimal(7),
        },
    ),
    "azure: list cost by its price": (
        "azure_focus",
        {"listcost": 0, "listunitprice": 3, "pricingquantity": 2},
        {
            "listcost": Decimal(6),
            "listunitprice": Decimal(3),
            "pricingcurrencylistunitprice": Decimal("2.4"),
            "pricingquantity": Decimal(2),
        },
    ),
    "azure: list cost as billed": (
        "azure_focus",
        {"listcost": 0, "listunitprice": 0, "billedcost": 7},
        {
            "listcost": Decimal(7),
            "listunitprice": Decimal(),
            "pricingcurrencylistunitprice": Decimal(),
            "billedcost": Decimal(7),
        },
    ),
    "azure: one currency": (
        "azure_focus",
        {"pricingcurrency": "EUR", "billingcurrency": "EUR"},
        ONE_CURRENCY,
    ),
    "azure: one currency and no cost": (
        "azure_focus",
        {"pricingcurrency": None, "billingcurrency": "EUR", "effectivecost": None},
        ONE_CURRENCY | {"pricingcurrencyeffectivecost": Decimal(), "effectivecost": Decimal()},
    ),
    "azure: no currency of prices": (
        "azure_focus",
        {"pricingcurrency": None, "billingcurrency": "EUR"},
        ONE_CURRENCY,
    ),
    "azure: no rate": (
        "azure_focus",
        {"x_billingexchangerate": 0},
        NO_UNIT_PRICES | {"pricingcurrencyeffectivecost": None, "x_billingexchangerate": Decimal()},
    ),
    "azure: tax": ("azure_focus", {"chargecategory": "Tax"}, NO_UNIT_PRICES | {"chargecategory": "Tax"}),
    "azure: no type of a resource": (
        "azure_focus",
        {"resourcetype": None, "resourceid": VIRTUAL_MACHINE + "/extensions/one"},
        {
            "resourcetype": "microsoft.compute/virtualmachines/extensions",
            "resourceid": VIRTUAL_MACHINE + "/extensions/one",
        },
    ),
    "azure: no type, a resource in other letters": (
        "azure_focus",
        {"resourcetype": None, "resourceid": VIRTUAL_MACHINE.upper()},
        {"resourcetype": "microsoft.compute/virtualmachines", "resourceid": VIRTUAL_MACHINE.upper()},
    ),
    "azure: no type and no resource of Azure": ("azure_focus", {"resourcetype": None}, {"resourcetype": None}),
    "azure: nobody": (
        "azure_focus",
        {"publishername": None, "providername": None},
        {"publishername": "Microsoft", "providername": "Microsoft"},
    ),
    "azure: no service category": (
        "azure_focus",
        {"servicecategory": None, "servicesubcategory": None},
        {"servicecategory": "Other", "servicesubcategory": "Other (Other)"},
    ),
    "azure: no subcategory": (
        "azure_focus",
        {"servicecategory": "Compute", "servicesubcategory": None},
        {"servicecategory": "Compute", "servicesubcategory": "Other (Compute)"},
    ),
    "azure: a Marketplace purchase": (
        "azure_focus",
        AZURE_SERVICE | {"x_publishercategory": "Vendor", "publishername": "Contoso"},
        AZURE_SERVICE | {"servicename": "Contoso", "x_publishercategory": "Vendor", "publishername": "Contoso"},
    ),
    "azure: a commitment": (
        "azure_focus",
        AZURE_SERVICE | {"x_skumetersubcategory": "Savings Plan"},
        AZURE_SERVICE | {"servicename": "Savings Plan", "x_skumetersubcategory": "Savings Plan"},
    ),
    "azure: names of FOCUS 1.0": (
        "azure_focus",
        {
            **dict.fromkeys(("invoiceid", "pricingcurrency", "skumeter", "consumedquantity", "consumedunit")),
            "x_invoiceid": "G1",
            "x_pricingcurrency": "USD",
            "x_skumetername": "D2 v3",
            "x_skudetails": '{"VCPUs": 2}',
            "usagequantity": 2.5,
            "usageunit": "Hours",
        },
        {
            "invoiceid": "G1",
            "pricingcurrency": "USD",
            "skumeter": "D2 v3",
            "skupricedetails": {"VCPUs": 2},
            "consumedquantity": Decimal("2.5"),
            "consumedunit": "Hours",
        },
    ),
    **{
        f"azure: details {text}": ("azure_focus", {"skupricedetails": text}, {"skupricedetails": details})
        for text, details in (
            (' {"VCPUs": 2}', {"VCPUs": 2}),
            ('{"VCPUs": ', None),
            ("[1]", None),
            ("2", None),
        )
    },
    # --- FOCUS files of any provider
    "focus: no costs": ("focus", NO_COSTS, ZERO),
    "focus: billed alone": (
        "focus",
        NO_COSTS | {"billedcost": 7},
        dict.fromkeys(ZERO, Decimal(7)),
    ),
    "focus: no list cost": (
        "focus",
        {"billedcost": 7, "contractedcost": 6, "effectivecost": 5, "listcost": None},
        {
            "billedcost": Decimal(7),
            "contractedcost": Decimal(6),
            "effectivecost": Decimal(5),
            "listcost": Decimal(6),
        },
    ),
    **{
        f"focus: {category} in lower case": (
            "focus",
            {"chargecategory": category.lower()},
            {"chargecategory": category, "x_lineitemtype": category.lower()},
        )
        for category in ("Usage", "Purchase", "Tax", "Credit", "Adjustment")
    },
    "focus: a category in capitals": (
        "focus",
        {"chargecategory": "USAGE"},
        {"chargecategory": "Usage", "x_lineitemtype": "USAGE"},
    ),
    "focus: another category": (
        "focus",
        {"chargecategory": "support fee"},
        {"chargecategory": "support fee", "x_lineitemtype": "support fee", "x_typeisknown": False},
    ),
    "focus: no category": (
        "focus",
        {"chargecategory": None},
        {"chargecategory": None, "x_lineitemtype": None, "x_typeisknown": False},
    ),
    "focus: FOCUS 1.4 names the service's provider": (
        "focus",
        {"providername": None, "serviceprovidername": "Acme"},
        {"providername": "Acme", "x_serviceprovidername": "Acme"},
    ),
    "focus: no sub account": (
        "focus",
        {"subaccountid": None},
        {"subaccountid": "the billingaccountid"},
    ),
    "focus: no sub account in an export of this package": (
        "focus",
        {"subaccountid": None, "x_lineitems": 3},
        {"subaccountid": None, "x_lineitems": 3},
    ),
    "focus: a charge of no line of its own in an export of this package": (
        "focus",
        {"x_lineitems": 0},
        {"x_lineitems": 0},
    ),
    **{
        f"focus: a month that ends {end}": (
            "focus",
            {"billingperiodend": end},
            {"billingperiodend": expected or datetime.fromisoformat(end)},
        )
        for end, expected in (
            # Google's own view.
            ("2025-01-31", datetime(2025, 2, 1)),
            # Oracle.
            ("2025-01-31 23:59:59.999", datetime(2025, 2, 1)),
            ("2025-01-30 23:59:59.999", None),
            ("2025-02-02", None),
        )
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def schema(postgres):
    with own_schemas(postgres) as database:
        yield database


@pytest.fixture(scope="module")
def charges(schema):
    """The charges of every case, by name: one file of each format."""
    found = {}
    for form in FORMATS:
        lines = [
            exported(form, full_line(form) | BASE[form] | {"chargedescription": name}) | changes
            for name, (of, changes, _) in CASES.items()
            if of == form
        ]
        types = {"skupricedetails": "text"} if form == "azure_focus" else {"x_discounts": "jsonb"}
        for charge in Export(form, lines, types).charges(schema):
            found[charge["chargedescription"]] = charge
    return found


@pytest.mark.parametrize("name", CASES)
def test_charge_becomes(charges, name):
    form, _, expected = CASES[name]
    passed_on = full_line(form) | BASE[form] | {"chargedescription": name}
    added = {"billing_period": JANUARY, "x_lineitems": 1, "x_typeisknown": True} | ADDED[form]
    expected = {key: value for key, value in (passed_on | added | expected).items() if value is not None}
    assert charges[name] == expected
