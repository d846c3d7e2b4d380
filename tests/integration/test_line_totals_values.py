"""What the lines of each format sum to by themselves, without the mapping: the other side of the audits of sums."""

from datetime import datetime
from decimal import Decimal

import pytest
from roles import own_schemas
from values import Export, Row

pytestmark = pytest.mark.values

WHO: Row = {"billing_account_id": "1", "invoice_id": "900", "currency": "EUR"}
JANUARY = datetime(2025, 1, 1)


@pytest.fixture(scope="module")
def schema(postgres):
    with own_schemas(postgres) as database:
        yield database


def sums(count: int = 1, **totals: object) -> Row:
    """Return the sums of so many lines, which are as many charges."""
    numbers = {name: Decimal(value) if isinstance(value, str) else value for name, value in totals.items()}
    return WHO | {"stored_lines": count, "line_items": count} | numbers


def check(schema, form: str, lines: list[Row], expected: list[Row], **types: str) -> None:
    filled = [{key: value for key, value in row.items() if value is not None} for row in expected]
    found = Export(form, lines, types).totals(schema)
    assert sorted(found, key=_in_order) == sorted(filled, key=_in_order)


def _in_order(row: Row) -> str:
    return repr(sorted(row.items()))


# --- FOCUS exports

FOCUS: Row = {
    "billingaccountid": "1",
    "invoiceid": "900",
    "billingcurrency": "EUR",
    "billedcost": 1.5,
    "effectivecost": 1.25,
}
OTHERS: list[Row] = [{"billingaccountid": "2"}, {"invoiceid": None}, {"billingcurrency": "USD"}]
OF_OTHERS: list[Row] = [{"billing_account_id": "2"}, {"invoice_id": None}, {"currency": "USD"}]


@pytest.mark.parametrize(
    ("form", "stated"),
    [
        ("aws_focus", {}),
        ("azure_focus", {"effective_cost": "1.25", "usage_may_lack_account": True}),
        ("focus", {"usage_may_lack_account": False}),
    ],
)
def test_focus_exports_are_summed_by_payer_invoice_and_currency(schema, form, stated):
    lines = [FOCUS, *(FOCUS | other for other in OTHERS), FOCUS | {"billedcost": 2, "effectivecost": 4}]
    both = {"effective_cost": "5.25"} if "effective_cost" in stated else {}
    expected = [sums(2, **{**stated, "billed_cost": "3.5", **both})]
    expected += [sums(**{**stated, "billed_cost": "1.5"}) | other for other in OF_OTHERS]
    check(schema, form, lines, expected)


@pytest.mark.parametrize("form", ["aws_focus", "azure_focus", "focus"])
def test_focus_exports_without_costs_sum_to_zero(schema, form):
    stated = {
        "aws_focus": {},
        "azure_focus": {"effective_cost": "0", "usage_may_lack_account": True},
        "focus": {"usage_may_lack_account": False},
    }
    lines = [FOCUS | {"billedcost": None, "effectivecost": None}]
    check(schema, form, lines, [sums(billed_cost="0", **stated[form])])


def test_export_of_this_package_says_how_many_lines_its_charges_are(schema):
    lines = [FOCUS | {"x_lineitems": count} for count in (3, 0)]
    exported = {"line_items": 3, "usage_may_lack_account": True}
    check(schema, "focus", lines, [sums(2, billed_cost="3.0") | exported])


# --- Azure

AZURE: Row = {
    "billingaccountid": "1",
    "invoiceid": "900",
    "billingcurrencycode": "EUR",
    "chargetype": "Usage",
    "pricingmodel": "OnDemand",
    "actualcost": None,
    "amortizedcost": 1.5,
    "costinbillingcurrency": None,
}
OF_AZURE: Row = {"usage_may_lack_account": True}
ACTUAL: Row = {"amortizedcost": None, "actualcost": 4}
BOUGHT: Row = ACTUAL | {"chargetype": "Purchase", "pricingmodel": "Reservation"}


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([{}], {"billed_cost": "0", "effective_cost": "1.5", "line_items": 1}),
        # Of actual costs, usage is what the amortized ones repeat, and purchases are not.
        ([ACTUAL], {"billed_cost": "4", "effective_cost": "0", "line_items": 0}),
        ([BOUGHT], {"billed_cost": "4", "effective_cost": "0", "line_items": 1}),
        ([{}, ACTUAL, BOUGHT], {"billed_cost": "8", "effective_cost": "1.5", "line_items": 2}),
        (
            [{"amortizedcost": None, "costinbillingcurrency": 3}],
            {"billed_cost": "3", "effective_cost": "3", "line_items": 1},
        ),
        ([{"amortizedcost": None}], {"billed_cost": "0", "effective_cost": "0", "line_items": 1}),
    ],
)
def test_actual_and_amortized_costs_are_summed_apart(schema, lines, expected):
    stated = sums(len(lines), **OF_AZURE, **expected)
    numbers = {"actualcost": "numeric", "amortizedcost": "numeric"}
    check(schema, "azure_cost", [AZURE | line for line in lines], [stated], **numbers)


def test_azure_is_summed_by_payer_invoice_and_currency(schema):
    others: list[Row] = [{"billingaccountid": "2"}, {"invoiceid": None}, {"billingcurrencycode": "USD"}]
    stated = sums(billed_cost="0", effective_cost="1.5", **OF_AZURE)
    expected = [stated, *(stated | other for other in OF_OTHERS)]
    numbers = {"actualcost": "numeric", "amortizedcost": "numeric"}
    check(schema, "azure_cost", [AZURE, *(AZURE | other for other in others)], expected, **numbers)


# --- Google

GOOGLE: Row = {"billing_account_id": "1", "currency": "EUR", "cost": 1.5, "credits": [{"amount": -0.5}]}
OF_GOOGLE: Row = {"invoice_id": None, "effective_is_billed": True, "usage_may_lack_account": True}


def test_google_is_billed_cost_and_credits(schema):
    lines = [GOOGLE, GOOGLE, GOOGLE | {"billing_account_id": "2"}, GOOGLE | {"currency": "USD"}]
    one = sums(billed_cost="1", **OF_GOOGLE)
    two = sums(2, billed_cost="2", **OF_GOOGLE)
    check(schema, "gcp_billing", lines, [two, one | {"billing_account_id": "2"}, one | {"currency": "USD"}])


@pytest.mark.parametrize(
    ("line", "billed"),
    [({"credits": []}, "1.5"), ({"cost": None}, "-0.5"), ({"cost": None, "credits": []}, "0")],
)
def test_google_may_have_no_cost_or_no_credits(schema, line, billed):
    check(schema, "gcp_billing", [GOOGLE | line], [sums(billed_cost=billed, **OF_GOOGLE)])


# --- AWS

AWS: Row = {
    "bill_payer_account_id": "1",
    "bill_invoice_id": "900",
    "line_item_currency_code": "EUR",
    "line_item_line_item_type": "Usage",
    "line_item_operation": None,
    "line_item_unblended_cost": 1.5,
    "line_item_net_unblended_cost": None,
}
GROSS: Row = {"net_cost": "0", "net_lines": 0, "lines_without_net": 0, "is_net": False}
NET: Row = {"line_item_net_unblended_cost": 1.25}
# It makes the net costs come to the invoice.
DISCOUNT: Row = {
    "line_item_line_item_type": "EdpDiscount",
    "line_item_unblended_cost": -0.25,
    "line_item_net_unblended_cost": None,
}
SPLIT: Row = {"line_item_operation": "EKSPod-EC2", "line_item_unblended_cost": 4}
AWS_CASES: dict[str, tuple[list[Row], Row]] = {
    "gross": ([{}], {"billed_cost": "1.5", "gross_cost": "1.5"}),
    "no cost": ([{"line_item_unblended_cost": None}], {"billed_cost": "0", "gross_cost": "0"}),
    "negation": (
        [{}, {"line_item_line_item_type": "SavingsPlanNegation", "line_item_unblended_cost": -0.5}],
        {"billed_cost": "1.0", "gross_cost": "1.0", "line_items": 1},
    ),
    "no type": ([{"line_item_line_item_type": None}], {"billed_cost": "1.5", "gross_cost": "1.5"}),
    "split cost": (
        [{}, SPLIT, SPLIT | {"line_item_operation": "ECSTask-EC2"}],
        {"billed_cost": "1.5", "gross_cost": "1.5", "split_cost": "8", "line_items": 1},
    ),
    "split cost alone": ([SPLIT], {"billed_cost": "0", "gross_cost": "0", "split_cost": "4", "line_items": 0}),
    "split cost with a net one": (
        [{}, SPLIT | NET],
        {"billed_cost": "1.5", "gross_cost": "1.5", "split_cost": "4", "line_items": 1},
    ),
    "split negation": (
        [{}, SPLIT | {"line_item_line_item_type": "SavingsPlanNegation"}],
        {"billed_cost": "1.5", "gross_cost": "1.5", "split_cost": "4", "line_items": 1},
    ),
    "another operation": ([{"line_item_operation": "RunInstances"}], {"billed_cost": "1.5", "gross_cost": "1.5"}),
    "net": (
        [NET, DISCOUNT],
        {"billed_cost": "1.25", "gross_cost": "1.25", "net_cost": "1.25", "net_lines": 1, "is_net": True},
    ),
    "net, and lines without": (
        [
            NET,
            *({"line_item_line_item_type": kind, "line_item_unblended_cost": -0.25} for kind in ("Credit", None)),
            # Nothing to be net of, and what has a net cost of 0.
            {"line_item_unblended_cost": 0},
            {"line_item_unblended_cost": 0.25, "line_item_net_unblended_cost": 0},
            SPLIT,
        ],
        {
            "billed_cost": "1.25",
            "gross_cost": "1.25",
            "net_cost": "1.25",
            "net_lines": 1,
            "is_net": True,
            "lines_without_net": 2,
            "split_cost": "4",
            "line_items": 5,
        },
    ),
    "net that is not the invoice": (
        [NET, {}],
        {"billed_cost": "3.0", "gross_cost": "3.0", "net_cost": "1.25", "net_lines": 1},
    ),
    # AWS rounds to ten decimal places: on each of the two bases a line may be half a unit off.
    "net within rounding": (
        [NET, DISCOUNT | {"line_item_unblended_cost": -0.2499999998}],
        {
            "billed_cost": "1.25",
            "gross_cost": "1.2500000002",
            "net_cost": "1.25",
            "net_lines": 1,
            "is_net": True,
        },
    ),
    "net beyond rounding": (
        [NET, DISCOUNT | {"line_item_unblended_cost": -0.2499999997}],
        {"billed_cost": "1.2500000003", "gross_cost": "1.2500000003", "net_cost": "1.25", "net_lines": 1},
    ),
    "net below by rounding": (
        [NET, DISCOUNT | {"line_item_unblended_cost": -0.2500000003}],
        {"billed_cost": "1.2499999997", "gross_cost": "1.2499999997", "net_cost": "1.25", "net_lines": 1},
    ),
    "net costs of 0 are none": (
        [{"line_item_unblended_cost": 0, "line_item_net_unblended_cost": 0}],
        {"billed_cost": "0", "gross_cost": "0"},
    ),
    "a net cost of 1": (
        [{"line_item_unblended_cost": 1, "line_item_net_unblended_cost": 1}],
        {"billed_cost": "1", "gross_cost": "1", "net_cost": "1", "net_lines": 1, "is_net": True},
    ),
    "a net cost alone": (
        [{"line_item_unblended_cost": None, "line_item_net_unblended_cost": 1}],
        {"billed_cost": "0", "gross_cost": "0", "net_cost": "1", "net_lines": 1},
    ),
    "net beside split cost": (
        # Split cost counts on neither side.
        [NET, DISCOUNT, SPLIT, SPLIT | {"line_item_operation": "ECSTask-EC2"}],
        {
            "billed_cost": "1.25",
            "gross_cost": "1.25",
            "net_cost": "1.25",
            "net_lines": 1,
            "is_net": True,
            "split_cost": "8",
            "line_items": 2,
        },
    ),
}


@pytest.mark.parametrize("name", AWS_CASES)
def test_aws_lines_are_summed(schema, name):
    lines, expected = AWS_CASES[name]
    check(schema, "aws_cur", [AWS | line for line in lines], [sums(len(lines), **GROSS | expected)])


def test_aws_is_summed_by_payer_invoice_and_currency(schema):
    others: list[Row] = [
        {"bill_payer_account_id": "2"},
        {"bill_invoice_id": None},
        {"line_item_currency_code": "USD"},
    ]
    stated = sums(billed_cost="1.5", gross_cost="1.5", **GROSS)
    expected = [stated, *(stated | other for other in OF_OTHERS)]
    check(schema, "aws_cur", [AWS, *(AWS | other for other in others)], expected)


def test_aws_is_net_for_a_payer_only_where_every_invoice_is(schema):
    lines = [NET | {"bill_invoice_id": "901"}, {}, NET | {"bill_payer_account_id": "2"}]
    lines += [DISCOUNT | {"bill_payer_account_id": "2"}, DISCOUNT | {"bill_invoice_id": "901"}]
    lines += [NET | {"bill_payer_account_id": None}, DISCOUNT | {"bill_payer_account_id": None}]
    alone = {"line_item_unblended_cost": None, "line_item_net_unblended_cost": 1, "bill_invoice_id": "901"}
    lines += [one | {"bill_payer_account_id": "3"} for one in (NET, DISCOUNT, alone)]
    found = Export("aws_cur", [AWS | line for line in lines]).totals(schema)
    assert {(row.get("billing_account_id"), row["invoice_id"]): row["is_net"] for row in found} == {
        ("1", "900"): False,
        ("1", "901"): False,
        ("2", "900"): True,
        ("3", "900"): False,
        ("3", "901"): False,
        (None, "900"): True,
    }
