"""What each check finds in rows that are written down here: every violation with all its values, and nothing else."""

from datetime import datetime
from decimal import Decimal

import pytest
from check_rows import FOCUS_TOTALS, LOAD, Find, store
from pipeline import JANUARY
from roles import own_schemas
from values import Row

from cloud_costs.months import next_month

pytestmark = pytest.mark.values

ONE, TWO, THREE = Decimal(1), Decimal(2), Decimal(3)
WHO: Row = {"billing_account_id": "1", "invoice_id": "900", "currency": "EUR"}
NOBODY: Row = {"billing_account_id": None, "invoice_id": None, "currency": None}


@pytest.fixture(scope="module")
def schema(postgres):
    with own_schemas(postgres) as database:
        yield database


@pytest.fixture(scope="module")
def find(schema):
    return Find(schema)


# --- charges_have_an_account

ACCOUNT = "charges_have_an_account"
OF_NOBODY: Row = {"subaccountid": None, "billingaccountid": "1", "billingcurrency": "EUR", "billedcost": ONE}
COUNTED: Row = {"charges_without_account": 1, "charges_without_dimensions": 1}


def accountless(find, may_lack, **charge):
    """Return the categories of the charges without an account that are warned of."""
    totals: dict[str, list[Row]] = {"raw": [WHO | {"usage_may_lack_account": may_lack}], "focus": [WHO | COUNTED]}
    found = find(ACCOUNT, **totals, charges=[OF_NOBODY | charge])
    return [row["charge_category"] for row in found]


@pytest.mark.parametrize("category", ["Tax", "Credit", "Purchase", "Adjustment"])
def test_charge_without_account_is_shown_where_the_provider_names_one_on_all_usage(find, category):
    assert accountless(find, None, chargecategory=category) == [category]
    assert accountless(find, True, chargecategory=category, resourceid="r") == []


def test_use_of_a_resource_without_account_is_shown_where_usage_may_lack_one(find):
    used = {"chargecategory": "Usage", "resourceid": "r"}
    assert accountless(find, True, **used) == ["Usage"]
    assert accountless(find, True, **used, commitmentdiscountstatus="Used") == ["Usage"]
    assert accountless(find, True, **used, commitmentdiscountstatus="Unused") == []
    # Support is used by all.
    assert accountless(find, True, chargecategory="Usage") == []
    # Elsewhere it is an error of another check.
    assert accountless(find, None, **used) == []


def test_account_is_looked_for_only_where_the_totals_say_so(find):
    charge = OF_NOBODY | {"chargecategory": "Tax"}
    for counted in ({"charges_without_account": 0, "charges_without_dimensions": 1}, {}):
        assert find(ACCOUNT, raw=[WHO], focus=[WHO | counted], charges=[charge]) == []
    used, exempt = OF_NOBODY | {"chargecategory": "Usage", "resourceid": "r"}, {"usage_may_lack_account": True}
    counted = {"charges_without_account": 1, "charges_without_dimensions": 0}
    assert find(ACCOUNT, raw=[WHO | exempt], focus=[WHO | counted], charges=[used]) == []
    assert find(ACCOUNT, raw=[WHO], focus=[WHO | COUNTED], charges=[charge | {"subaccountid": "2"}]) == []
    named = charge | {"x_lineitemid": "a", "x_lineitemtype": "Tax"}
    shown = {"line_item_id": "a", "line_item_type": "Tax", "charge_category": "Tax", "billing_account_id": "1"}
    assert find(ACCOUNT, raw=[WHO], focus=[WHO | COUNTED], charges=[named]) == [
        shown | {"currency": "EUR", "billed_cost": ONE}
    ]


# --- effective_cost_equals_billed

MONTHLY: Row = {"effective_is_billed": True}
SPREAD = "effective_cost_equals_billed"


def test_effective_cost_of_an_invoice_may_differ_where_its_account_agrees(find):
    lower, higher = {"invoice_id": "1", "billed_cost": TWO, "effective_cost": ONE}, {"invoice_id": "2"}
    higher |= {"billed_cost": ONE, "effective_cost": TWO}
    assert find(SPREAD, raw=[WHO | MONTHLY], focus=[WHO | lower, WHO | higher]) == []


@pytest.mark.parametrize("monthly", [{}, {"effective_is_billed": False}])
def test_effective_cost_may_differ_where_commitments_are_prepaid(find, monthly):
    assert find(SPREAD, raw=[WHO | monthly], focus=[WHO | {"billed_cost": TWO, "effective_cost": ONE}]) == []


def test_effective_cost_that_is_not_what_an_account_is_billed_is_shown(find):
    found = find(SPREAD, raw=[WHO | MONTHLY], focus=[WHO | {"billed_cost": TWO, "effective_cost": ONE}])
    assert found == [
        {"billing_account_id": "1", "currency": "EUR", "billed_cost": TWO, "effective_cost": ONE},
    ]


# --- billed_cost_equals_raw

SAME: Row = {"billed_cost": ONE, "line_items": 1}
BILLED = "billed_cost_equals_raw"


@pytest.mark.parametrize("who", [WHO, NOBODY], ids=["who", "nobody"])
def test_equal_sums_are_no_violation(find, who):
    assert find(BILLED, raw=[who | SAME], focus=[who | SAME]) == []


@pytest.mark.parametrize("change", [{"billed_cost": TWO}, {"line_items": 2}])
def test_unequal_sums_are_shown_with_both_sides(find, change):
    found = find(BILLED, raw=[WHO | SAME], focus=[WHO | SAME | change])
    focus = SAME | change
    assert found == [
        WHO
        | {
            "raw_cost": ONE,
            "focus_cost": focus["billed_cost"],
            "raw_lines": 1,
            "focus_lines": focus["line_items"],
        }
    ]


@pytest.mark.parametrize("name", WHO)
def test_sums_of_another_payer_invoice_or_currency_are_not_compared(find, name):
    found = find(BILLED, raw=[WHO | SAME], focus=[WHO | SAME | {name: "other"}])
    nothing_raw = {"raw_cost": None, "raw_lines": None, "focus_cost": ONE, "focus_lines": 1}
    nothing_focus = {"raw_cost": ONE, "raw_lines": 1, "focus_cost": None, "focus_lines": None}
    assert found == sorted([WHO | {name: "other"} | nothing_raw, WHO | nothing_focus], key=repr)


@pytest.mark.parametrize("side", ["raw", "focus"])
def test_sums_of_nothing_may_be_missing(find, side):
    assert find(BILLED, **{side: [WHO | {"billed_cost": Decimal(), "line_items": 0}]}) == []


@pytest.mark.parametrize("column", SAME)
@pytest.mark.parametrize("side", ["raw", "focus"])
def test_sum_that_only_one_side_has_is_a_violation(find, side, column):
    row = WHO | {"billed_cost": Decimal(), "line_items": 0, column: 1}
    assert len(find(BILLED, **{side: [row]})) == 1


# --- normalized_equals_focus

COSTS: Row = {"effective_cost": TWO, "list_cost": THREE}
EQUAL = "normalized_equals_focus"


@pytest.mark.parametrize("who", [WHO, NOBODY], ids=["who", "nobody"])
def test_equal_costs_are_no_violation(find, who):
    halves = [
        who | {"billing_period": JANUARY, "cost": Decimal("0.5"), "effective_cost": ONE, "list_cost": Decimal("1.5")}
    ]
    other = who | COSTS | {"billing_period": next_month(JANUARY), "cost": ONE}
    assert find(EQUAL, focus=[who | COSTS | {"billed_cost": ONE}], normalized=[*halves * 2, other]) == []


@pytest.mark.parametrize("column", ["cost", "effective_cost", "list_cost"])
def test_unequal_costs_are_shown_with_both_sides(find, column):
    normalized = COSTS | {"cost": ONE, column: Decimal(7)}
    found = find(
        EQUAL,
        focus=[WHO | COSTS | {"billed_cost": ONE}],
        normalized=[WHO | normalized | {"billing_period": JANUARY}],
    )
    assert found == [
        WHO
        | {
            "focus_cost": ONE,
            "focus_effective_cost": TWO,
            "focus_list_cost": THREE,
            "normalized_cost": normalized["cost"],
            "normalized_effective_cost": normalized["effective_cost"],
            "normalized_list_cost": normalized["list_cost"],
        }
    ]


@pytest.mark.parametrize("name", WHO)
def test_costs_of_another_payer_invoice_or_currency_are_not_compared(find, name):
    focus = WHO | COSTS | {"billed_cost": ONE}
    normalized = WHO | COSTS | {"billing_period": JANUARY, "cost": ONE, name: "other"}
    found = find(EQUAL, focus=[focus], normalized=[normalized])
    assert [{key: row[key] for key in WHO} for row in found] == [WHO, WHO | {name: "other"}] or [
        {key: row[key] for key in WHO} for row in found
    ] == [WHO | {name: "other"}, WHO]


@pytest.mark.parametrize("column", ["cost", "effective_cost", "list_cost"])
@pytest.mark.parametrize("side", ["focus", "normalized"])
def test_cost_that_only_one_side_has_is_a_violation(find, side, column):
    row = WHO | {"billing_period": JANUARY} | dict.fromkeys(("cost", "billed_cost", *COSTS), Decimal())
    assert find(EQUAL, **{side: [row]}) == []
    row |= {column: ONE} | ({"billed_cost": ONE} if column == "cost" else {})
    assert len(find(EQUAL, **{side: [row]})) == 1


# --- costs_by_day_equals_normalized

TOTALS = "costs_by_day_equals_normalized"
TABLES = ("costs_by_day", "costs_by_day_account", "costs_by_day_service", "costs_by_month")
AMOUNTS: Row = {"currency": "EUR", "cost": ONE, "effective_cost": TWO, "list_cost": THREE, "line_items": 4}


def totals_of(amounts):
    return [amounts | {"relation": table} for table in TABLES]


def test_totals_that_sum_to_the_costs_are_no_violation(find):
    halves = [
        AMOUNTS | {"cost": share, "effective_cost": 2 * share, "list_cost": 3 * share, "line_items": int(4 * share)}
        for share in (Decimal("0.25"), Decimal("0.75"))
    ]
    for currency in ("EUR", None):
        normalized = [half | {"currency": currency} for half in halves]
        assert find(TOTALS, normalized=normalized, totals=totals_of(AMOUNTS | {"currency": currency})) == []


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("column", ["cost", "effective_cost", "list_cost", "line_items"])
def test_each_total_that_differs_is_shown_with_its_difference(find, table, column):
    totals = totals_of(AMOUNTS)
    totals[TABLES.index(table)] |= {column: 7}
    differences = dict.fromkeys(("cost", "effective_cost", "list_cost", "line_items"), 0) | {
        column: 7 - AMOUNTS[column]
    }
    assert find(TOTALS, normalized=[AMOUNTS], totals=totals) == [
        {"relation": table, "currency": "EUR"} | {f"{name}_difference": value for name, value in differences.items()}
    ]


def test_totals_of_another_currency_or_of_a_missing_table_are_shown(find):
    other = totals_of(AMOUNTS | {"currency": "USD"})
    found = find(TOTALS, normalized=[AMOUNTS], totals=other)
    assert {(row["relation"], row["currency"], row["cost_difference"]) for row in found} == {
        (table, currency, cost) for table in TABLES for currency, cost in (("EUR", -ONE), ("USD", ONE))
    }
    found = find(TOTALS, normalized=[AMOUNTS], totals=totals_of(AMOUNTS)[1:])
    assert [(row["relation"], row["line_items_difference"]) for row in found] == [("costs_by_day", -4)]


# --- checks that look for charges only where a sum says so

LINE: Row = {
    "billing_period": JANUARY,
    "billingperiodstart": datetime(2025, 1, 1),
    "billingcurrency": "EUR",
    "chargecategory": "Usage",
    "chargeperiodstart": datetime(2025, 1, 5),
    "commitmentdiscountid": "arn",
    "subaccountid": "2",
    "invoiceid": "900",
    "billedcost": ONE,
    "effectivecost": TWO,
    "listcost": THREE,
    "x_lineitemid": "a",
    "x_lineitemtype": "Usage",
    "x_typeisknown": True,
}
NAN = Decimal("NaN")
SHOWN_COSTS = {
    "line_item_id": "a",
    "line_item_type": "Usage",
    "billed_cost": "1",
    "effective_cost": "2",
    "list_cost": "3",
}
SHOWN = {
    "line_item_id": "a",
    "line_item_type": "Usage",
    "charge_period_start": datetime(2025, 1, 5),
    "account_id": "2",
    "currency": "EUR",
    "billed_cost": ONE,
}
DECEMBER = datetime(2024, 12, 1)
# The check, the sum that says so, what is wrong with the charge, and how it is shown.
GUARDED: list[tuple[str, Row, Row, Row]] = [
    (
        "billing_period_is_the_months",
        {"charges_of_other_months": 1},
        {"billingperiodstart": DECEMBER},
        {"billing_period_start": DECEMBER, "charges": 1},
    ),
    (
        "billing_period_is_the_months",
        {"charges_of_other_months": 1},
        {"billingperiodstart": None},
        {"billing_period_start": None, "charges": 1},
    ),
    *(
        (
            "costs_are_finite",
            {"billed_cost": ONE, "effective_cost": ONE, "list_cost": ONE, name: value},
            {name.replace("_", ""): value},
            SHOWN_COSTS | {name: str(value)},
        )
        for name in ("billed_cost", "effective_cost", "list_cost")
        for value in (NAN, Decimal("Infinity"), Decimal("-Infinity"))
    ),
    *(
        (
            "dimensions_are_filled",
            {"charges_without_dimensions": 1},
            {column: None},
            SHOWN | ({name: None} if name else {}),
        )
        for column, name in (
            ("chargeperiodstart", "charge_period_start"),
            ("subaccountid", "account_id"),
            ("billingcurrency", "currency"),
            ("chargecategory", ""),
        )
    ),
    (
        "line_item_types_are_known",
        {"charges_of_unknown_type": 1},
        {"x_typeisknown": False},
        {"line_item_type": "Usage", "charges": 1, "billed_cost": ONE},
    ),
    (
        "savings_plan_usage_is_negated",
        {"adjustments": 1},
        {"chargecategory": "Adjustment", "x_lineitemtype": "SavingsPlanNegation"},
        {
            "invoice_id": "900",
            "currency": "EUR",
            "account_id": "2",
            "savings_plan_arn": "arn",
            "difference": ONE,
        },
    ),
    (
        "unused_commitment_is_not_negative",
        {"unused_below_zero": 1},
        {"commitmentdiscountstatus": "Unused", "effectivecost": Decimal(-2)},
        {"commitment_id": "arn", "account_id": "2", "currency": "EUR", "unused_cost": Decimal(-2), "charges": 1},
    ),
]
SOUND: Row = {
    **dict.fromkeys(("billed_cost", "effective_cost", "list_cost"), ONE),
    **dict.fromkeys((name for name, kind in FOCUS_TOTALS.items() if kind == "bigint"), 0),
}
UNUSED_SOUND = [
    {"commitmentdiscountstatus": "Unused", "effectivecost": Decimal()},
    {"commitmentdiscountstatus": "Used", "effectivecost": Decimal(-1)},
]


@pytest.mark.parametrize(("check", "sums", "change", "shown"), GUARDED)
def test_broken_charge_is_shown_and_no_other(find, check, sums, change, shown):
    charges = [LINE, LINE | change, *(LINE | one for one in UNUSED_SOUND)]
    assert find(check, focus=[SOUND | sums], charges=charges) == [shown]


@pytest.mark.parametrize(("check", "sums", "change", "shown"), GUARDED)
def test_charges_are_not_looked_at_where_the_sums_are_sound(find, check, sums, change, shown):
    assert find(check, focus=[SOUND], charges=[LINE | change]) == []


@pytest.mark.parametrize(
    ("check", "change", "counted"),
    [
        ("billing_period_is_the_months", {"billingperiodstart": DECEMBER}, {"charges": 2}),
        ("line_item_types_are_known", {"x_typeisknown": False}, {"charges": 2, "billed_cost": TWO}),
        (
            "unused_commitment_is_not_negative",
            {"commitmentdiscountstatus": "Unused", "effectivecost": Decimal(-2)},
            {"charges": 2, "unused_cost": Decimal(-4)},
        ),
    ],
)
def test_charges_with_the_same_fault_are_counted(find, check, change, counted):
    sums = dict.fromkeys(("charges_of_other_months", "charges_of_unknown_type", "unused_below_zero"), 1)
    [found] = find(check, focus=[SOUND | sums], charges=[LINE | change] * 2)
    assert {name: found[name] for name in counted} == counted


def test_large_cost_is_finite(find):
    large = Decimal(10) ** 12
    charge = LINE | {"billedcost": large, "effectivecost": large, "listcost": -large}
    broken = LINE | {"billedcost": NAN}
    sums = {"billed_cost": large, "effective_cost": large, "list_cost": -large}
    assert find("costs_are_finite", focus=[SOUND | sums], charges=[broken]) == []
    assert len(find("costs_are_finite", focus=[SOUND | {"billed_cost": NAN}], charges=[charge, broken])) == 1


# --- invoices


def test_invoice_has_one_currency(find):
    rows = [
        WHO | {"currency": "USD", "billing_account_id": "2"},
        WHO,
        NOBODY | {"currency": "USD"},
        NOBODY | {"currency": "EUR"},
        WHO | {"invoice_id": "901"},
        WHO | {"invoice_id": "901", "billing_account_id": "2"},
    ]
    rows += [WHO | {"invoice_id": "902", "billing_account_id": payer, "currency": of} for payer in "12" for of in "AB"]
    assert find("invoices_have_one_currency", focus=rows) == [
        {"invoice_id": "900", "currencies": ["EUR", "USD"], "billing_account_ids": ["1", "2"]},
        {"invoice_id": "902", "currencies": ["A", "B"], "billing_account_ids": ["1", "2"]},
    ]


def test_invoice_keeps_its_amount(find):
    published = [
        {"invoice_id": name, "currency": "EUR", "billed_cost": ONE} for name in ("same", "changed", "gone", "dollars")
    ]
    focus = [
        {"invoice_id": "same", "currency": "EUR", "billed_cost": Decimal("0.25")},
        {"invoice_id": "same", "currency": "EUR", "billed_cost": Decimal("0.75")},
        {"invoice_id": "changed", "currency": "EUR", "billed_cost": TWO},
        {"invoice_id": "dollars", "currency": "USD", "billed_cost": ONE},
        {"invoice_id": "new", "currency": "EUR", "billed_cost": ONE},
    ]
    shown = {"currency": "EUR", "published_cost": ONE, "billed_cost": None}
    assert find("invoices_keep_their_amount", published=published, focus=focus) == sorted(
        [
            {"invoice_id": "changed"} | shown | {"billed_cost": TWO},
            {"invoice_id": "dollars"} | shown,
            {"invoice_id": "gone"} | shown,
        ],
        key=repr,
    )


def listed(invoice, amount, currency="EUR", month=JANUARY):
    return {"invoice_id": invoice, "amount": Decimal(amount), "currency": currency, "billing_period": month}


def billed(invoice, amount, currency="EUR"):
    return {"invoice_id": invoice, "currency": currency, "billed_cost": Decimal(amount)}


LISTINGS = {
    "agrees, rounded as listed": ([listed("1", "1.23")], [billed("1", "1"), billed("1", "0.2349")], []),
    "agrees in another month": ([listed("1", "1", month=None)], [billed("1", "1")], []),
    "differs": ([listed("1", "1.2")], [billed("1", "1.25")], [("1", "EUR", "1.2", "1.25")]),
    "not billed": ([listed("1", "1")], [], [("1", "EUR", "1", None)]),
    "not listed": (
        [listed("1", "1")],
        [billed("1", "1"), billed("2", "3")],
        [("2", "EUR", None, "3")],
    ),
    "no list for the month": ([listed("1", "1", month=next_month(JANUARY))], [billed("1", "2")], []),
    "no month, of this one": ([listed("1", "1", month=None)], [billed("1", "2")], [("1", "EUR", "1", "2")]),
    "no month, of another": ([listed("9", "1", month=None)], [billed("1", "2")], []),
    "other currency": (
        [listed("1", "1", "USD")],
        [billed("1", "1")],
        [("1", "EUR", None, "1"), ("1", "USD", "1", None)],
    ),
    "not on an invoice yet": ([listed("1", "1")], [billed("1", "1"), billed(None, "5")], []),
    "whole units": ([listed("1", "2")], [billed("1", "1.5")], []),
}


@pytest.mark.parametrize("name", LISTINGS)
def test_invoices_are_as_listed(find, name):
    lists, focus, expected = LISTINGS[name]
    found = find("invoices_are_as_listed", listed=lists, focus=focus)
    assert sorted(tuple(row.values()) for row in found) == [
        (invoice, currency, amount and Decimal(amount), cost and Decimal(cost))
        for invoice, currency, amount, cost in expected
    ]
    assert all(list(row) == ["invoice_id", "currency", "listed_amount", "billed_cost"] for row in found)


# --- rows_are_all_stored


@pytest.mark.parametrize(("stored", "violations"), [([3, 4], []), ([3], [(7, 3)]), ([], [(7, 0)])])
def test_rows_are_all_stored(find, schema, stored, violations):
    store(schema, "load_history", LOAD | {"rows": 7}, LOAD | {"load_id": 2, "rows": 99})
    found = find("rows_are_all_stored", raw=[WHO | {"stored_lines": count} for count in stored])
    assert found == [{"rows_read": read, "rows_stored": count} for read, count in violations]
