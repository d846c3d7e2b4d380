"""What the checks of one provider's rules, of promises and of files find in rows that are written down here."""

from datetime import datetime
from decimal import Decimal

import pytest
from check_rows import LOAD, Find, store
from roles import own_schemas
from values import Row

pytestmark = pytest.mark.values

ONE, TWO, THREE = Decimal(1), Decimal(2), Decimal(3)
WHO: Row = {"billing_account_id": "1", "invoice_id": "900", "currency": "EUR"}


@pytest.fixture(scope="module")
def schema(postgres):
    with own_schemas(postgres) as database:
        yield database


@pytest.fixture(scope="module")
def find(schema):
    return Find(schema)


# --- gross_equals_net

BILLED = Decimal("1.5")


@pytest.mark.parametrize(
    ("is_net", "lines", "difference", "is_found"),
    [
        (False, 3, "0", False),
        (False, 3, "0.0000000001", True),
        (None, 3, "-0.0000000001", True),
        (True, 3, "0.0000000003", False),
        (True, 3, "0.0000000004", True),
        (True, 3, "-0.0000000004", True),
    ],
)
def test_billed_cost_is_the_invoice(find, is_net, lines, difference, is_found):
    gross = BILLED + Decimal(difference)
    row = WHO | {"is_net": is_net, "stored_lines": lines, "gross_cost": gross, "billed_cost": BILLED}
    shown = WHO | {"gross_cost": gross, "billed_cost": BILLED}
    assert find("gross_equals_net", raw=[row]) == ([shown] if is_found else [])


# --- payer_is_on_one_basis

ON_NET: Row = {"gross_cost": ONE, "net_cost": TWO, "net_lines": 1, "lines_without_net": 0, "is_net": True}
ON_GROSS = ON_NET | {"is_net": False}
BASES = {"gross_cost": TWO, "net_cost": Decimal(4), "lines_with_net_cost": 2, "lines_without_net_cost": 0}


@pytest.mark.parametrize(
    ("invoices", "shown"),
    [
        ([ON_NET, ON_NET], None),
        ([ON_GROSS, ON_GROSS], BASES | {"is_net": False}),
        ([ON_NET, ON_NET | {"lines_without_net": 1}], BASES | {"lines_without_net_cost": 1, "is_net": True}),
        # An invoice without net costs says nothing of the basis.
        ([ON_NET, ON_GROSS | {"net_lines": 0, "lines_without_net": 5}], None),
        ([ON_GROSS | {"net_lines": 0}], None),
    ],
)
def test_payer_with_net_costs_is_on_the_net_basis(find, invoices, shown):
    found = find("payer_is_on_one_basis", raw=[WHO | one for one in invoices])
    assert found == ([] if shown is None else [{"billing_account_id": "1", "currency": "EUR"} | shown])


# --- commitments_are_spread_exactly

SPREAD: Row = {
    "billing_account_id": "1",
    "currency": "EUR",
    "commitment_id": "A",
    "billed_cost": Decimal(7),
    "effective_cost": Decimal(10),
    "prepaid_use": Decimal(5),
    "prepaid_cost": TWO,
    "commitment_charges": 4,
    "open_commitment_charges": 0,
}
NONE: Row = {"commitment_id": None, "prepaid_use": None, "prepaid_cost": Decimal(), "commitment_charges": 0}
# Charges of no commitment, billed and effective the same.
LOOSE = SPREAD | NONE | {"billed_cost": Decimal(10)}


def off_by(row: Row, difference: str) -> Row:
    return row | {"billed_cost": row["billed_cost"] + Decimal(difference)}


COMMITMENTS: dict[str, tuple[list[Row], dict[tuple[str, str, str | None], str]]] = {
    "exact": ([SPREAD, LOOSE], {}),
    "more is billed": ([off_by(SPREAD, "1")], {("1", "EUR", "A"): "1"}),
    "less is billed": ([off_by(SPREAD, "-1")], {("1", "EUR", "A"): "-1"}),
    "within rounding": ([off_by(SPREAD, "0.00000002")], {}),
    "beyond rounding": ([off_by(SPREAD, "0.000000021")], {("1", "EUR", "A"): "0.000000021"}),
    "not invoiced yet": ([off_by(SPREAD, "1") | {"open_commitment_charges": 1}], {}),
    "one of its invoices is open": ([off_by(SPREAD, "1"), SPREAD | {"open_commitment_charges": 1}], {}),
    "two invoices that balance": ([off_by(SPREAD, "1"), off_by(SPREAD, "-1")], {}),
    "nothing said of upfront fees": ([off_by(SPREAD, "1") | {"prepaid_use": None}], {}),
    "nothing said by one invoice": ([SPREAD, SPREAD | {"billed_cost": TWO, "prepaid_use": None, "effective_cost": ONE}],
                                    {("1", "EUR", "A"): "-1"}),
    "charges of no commitment": ([off_by(LOOSE, "1")], {("1", "EUR", None): "1"}),
    "some lack their id": ([off_by(SPREAD, "1"), off_by(LOOSE, "-1")], {}),
    "some lack their id, within rounding": ([off_by(SPREAD, "1"), off_by(LOOSE, "-1.00000002")], {}),
    "some lack their id, and the payer differs": (
        [off_by(SPREAD, "1"), off_by(LOOSE, "-2")],
        {("1", "EUR", "A"): "1", ("1", "EUR", None): "-2"},
    ),
    "all have their id": (
        [off_by(SPREAD, "1"), off_by(SPREAD, "-1") | {"commitment_id": "B"}, LOOSE],
        {("1", "EUR", "A"): "1", ("1", "EUR", "B"): "-1"},
    ),
    "those of another payer lack it": (
        [off_by(SPREAD, "1"), off_by(LOOSE, "-1") | {"billing_account_id": "2"}],
        {("1", "EUR", "A"): "1", ("2", "EUR", None): "-1"},
    ),
    "those of another currency lack it": (
        [off_by(SPREAD, "1"), off_by(LOOSE, "-1") | {"currency": "USD"}],
        {("1", "EUR", "A"): "1", ("1", "USD", None): "-1"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", COMMITMENTS)
def test_commitments_are_spread_exactly(find, name):
    rows, expected = COMMITMENTS[name]
    found = find("commitments_are_spread_exactly", commitments=rows)
    differences = {
        (row["billing_account_id"], row["currency"], row["commitment_id"]): row["difference"] for row in found
    }
    assert differences == {key: Decimal(difference) for key, difference in expected.items()}


def test_commitment_is_shown_with_what_it_is_made_of(find):
    shown = {name: SPREAD[name] for name in SPREAD if not name.endswith("charges")}
    [found] = find("commitments_are_spread_exactly", commitments=[off_by(SPREAD, "1")])
    assert found == shown | {"billed_cost": Decimal(8), "difference": ONE}


# --- effective_cost_equals_raw

EFFECTIVE = "effective_cost_equals_raw"
NOBODY: Row = {"billing_account_id": None, "invoice_id": None, "currency": None}


@pytest.mark.parametrize("who", [WHO, NOBODY], ids=["who", "nobody"])
def test_equal_effective_costs_are_no_violation(find, who):
    halves = [who | {"effective_cost": ONE}, who | {"effective_cost": ONE, "invoice_id": "901"}]
    assert find(EFFECTIVE, raw=halves, focus=[who | {"effective_cost": TWO}]) == []


@pytest.mark.parametrize("stated", [[None], [ONE, None]])
def test_effective_costs_are_compared_where_all_are_stated(find, stated):
    rows = [WHO | {"effective_cost": cost} for cost in stated]
    assert find(EFFECTIVE, raw=rows, focus=[WHO | {"effective_cost": THREE}]) == []


@pytest.mark.parametrize("other", [{}, {"billing_account_id": "2"}, {"currency": "USD"}])
def test_unequal_effective_costs_are_shown_with_both_sides(find, other):
    found = find(EFFECTIVE, raw=[WHO | {"effective_cost": TWO}], focus=[WHO | other | {"effective_cost": ONE}])
    shown = {"billing_account_id": "1", "currency": "EUR", "raw_effective_cost": TWO}
    assert found == [shown | {"focus_effective_cost": None if other else ONE}]


def test_effective_cost_of_nothing_may_be_missing(find):
    assert find(EFFECTIVE, raw=[WHO | {"effective_cost": Decimal()}]) == []


# --- billed_cost_equals_manifest

PROMISED = "billed_cost_equals_manifest"


@pytest.mark.parametrize(
    ("stored", "violation"),
    [
        ([("EUR", ONE), ("EUR", TWO)], False),
        ([("EUR", ONE)], ONE),
        ([("USD", THREE)], None),
        ([], None),
    ],
)
def test_billed_cost_is_what_the_manifest_promises(find, schema, stored, violation):
    store(schema, "load_history", LOAD, LOAD | {"load_id": 2})
    promise = {"load_id": 1, "currency": "EUR", "billed_cost": THREE}
    nothing = {"load_id": 1, "currency": "GBP", "billed_cost": Decimal()}
    store(schema, "manifest_totals", promise, nothing, promise | {"load_id": 2, "billed_cost": Decimal(9)})
    found = find(PROMISED, raw=[WHO | {"currency": currency, "billed_cost": cost} for currency, cost in stored])
    shown = {"currency": "EUR", "promised_cost": THREE, "stored_cost": violation}
    assert found == ([] if violation is False else [shown])


# --- checks that look for charges only where a sum says so

CHARGE: Row = {
    "billingaccountid": "1",
    "billingcurrency": "EUR",
    "chargecategory": "Purchase",
    "chargedescription": "Fee",
    "chargefrequency": "Recurring",
    "chargeperiodstart": datetime(2025, 1, 5),
    "commitmentdiscountcategory": "Spend",
    "subaccountid": "2",
    "billedcost": ONE,
    "effectivecost": TWO,
    "resourcetype": "thing",
    "servicename": "Service",
    "x_lineitemid": "a",
    "x_lineitemtype": "Type",
    "x_serviceisknown": True,
}
FEE: Row = {"fee": "Fee", "account_id": "2", "currency": "EUR", "charges": 1, "effective_cost": TWO}
FEES = "commitment_fees_are_spread"


@pytest.mark.parametrize(
    "sound",
    [
        {"chargecategory": "Usage"},
        {"chargefrequency": "One-Time"},
        {"commitmentdiscountcategory": None},
        {"effectivecost": Decimal()},
    ],
)
def test_fee_that_is_not_spread_is_shown_and_no_other(find, sound):
    charges = [CHARGE, CHARGE | sound]
    assert find(FEES, focus=[{"fees_not_spread": 1}], charges=charges) == [FEE]
    assert find(FEES, focus=[{"fees_not_spread": 0}], charges=charges) == []


def test_fees_are_counted(find):
    charges = [CHARGE, CHARGE, CHARGE | {"effectivecost": ONE}]
    assert find(FEES, focus=[{"fees_not_spread": 1}], charges=charges) == [
        FEE | {"charges": 3, "effective_cost": Decimal(5)}
    ]


UNKNOWN: Row = {"service": "Service", "resource_type": "thing", "charges": 2, "billed_cost": TWO}


@pytest.mark.parametrize(("count", "shown"), [(1, [UNKNOWN]), (0, [])])
def test_service_that_is_not_known_is_shown(find, count, shown):
    charges = [CHARGE, *[CHARGE | {"x_serviceisknown": False}] * 2, CHARGE | {"x_serviceisknown": None}]
    assert find("services_are_known", focus=[{"charges_of_unknown_service": count}], charges=charges) == shown


# --- charges of no account

TAX = CHARGE | {"chargecategory": "Tax", "subaccountid": None}
USAGE = CHARGE | {"chargecategory": "Usage", "subaccountid": None, "x_lineitemid": "b", "resourceid": "r"}
LACKING: Row = {
    "line_item_id": "a",
    "line_item_type": "Type",
    "charge_category": "Tax",
    "billing_account_id": "1",
    "currency": "EUR",
    "billed_cost": ONE,
}
LACKING_USAGE = LACKING | {"line_item_id": "b", "charge_category": "Usage"}


@pytest.mark.parametrize(
    ("may_lack", "sums", "shown"),
    [
        (False, {"charges_without_account": 1}, [LACKING]),
        (False, {"charges_without_dimensions": 1}, []),
        (False, {}, []),
        (True, {"charges_without_account": 1}, []),
        (True, {"charges_without_dimensions": 1}, [LACKING_USAGE]),
        (True, {}, []),
    ],
)
def test_charges_of_no_account_are_shown(find, may_lack, sums, shown):
    none = {"charges_without_account": 0, "charges_without_dimensions": 0}
    raw = [WHO | {"usage_may_lack_account": may_lack}]
    unused = USAGE | {"commitmentdiscountstatus": "Unused"}
    charges = [CHARGE, CHARGE | {"chargecategory": "Usage"}, TAX, USAGE, USAGE | {"resourceid": None}, unused]
    assert find("charges_have_an_account", raw=raw, focus=[none | sums], charges=charges) == shown


@pytest.mark.parametrize("may_lack", [True, False])
def test_usage_lacks_an_account_only_where_the_provider_bills_some_to_none(find, may_lack):
    found = find(
        "dimensions_are_filled",
        raw=[WHO | {"usage_may_lack_account": may_lack}],
        focus=[{"charges_without_dimensions": 1}],
        charges=[CHARGE, TAX, USAGE],
    )
    assert [row["line_item_id"] for row in found] == ([] if may_lack else ["b"])


# --- checks that show what they are given


def test_texts_that_are_no_numbers_are_shown(find):
    row = {"column_name": "pricing_public_on_demand_rate", "value": "free", "lines": 3, "line": {"id": "a"}}
    assert find("rates_are_numbers", unreadable=[row]) == [row]


def test_split_lines_that_cost_something_are_shown(find):
    rows = [WHO | {"split_cost": cost} for cost in (Decimal(), None, ONE, -TWO)]
    found = find("split_lines_cost_nothing", raw=rows)
    assert found == sorted([WHO | {"split_cost": ONE}, WHO | {"split_cost": -TWO}], key=repr)


# --- raw_equals_files


def fact(number: int, column: str = "", kind: str = "rows", value: str | None = None, uri: str | None = None) -> Row:
    row = {"column_name": column, "kind": kind, "value": value, "number": Decimal(number)}
    return row if uri is None else row | {"uri": uri}


# What DuckDB says of two files, of 2 and 3 lines.
FILES = [
    *(fact(2, uri="a"), fact(3, uri="b")),
    *(fact(2, "cost", "filled", uri="a"), fact(2, "cost", "filled", uri="b")),
    *(fact(4, "cost", "sum", uri="a"), fact(6, "cost", "sum", uri="b")),
    *(fact(2, "list", "filled", uri="a"), fact(3, "list", "filled", uri="b")),
    *(fact(1, "list", "sum", uri="a"), fact(1, "list", "sum", uri="b")),
    *(fact(2, "account", "lines", "x", uri="a"), fact(2, "account", "lines", "x", uri="b")),
    fact(1, "account", "lines", None, uri="b"),
]
STORED = [
    *(fact(5), fact(9, "", "filled"), fact(10, "cost", "sum"), fact(2, "list", "sum")),
    *(fact(4, "account", "lines", "x"), fact(1, "account", "lines", None)),
]


def place(row: Row) -> tuple[str, str, str | None]:
    return row["column_name"], row["kind"], row["value"]


def changed(facts: list[Row], *changes: Row) -> list[Row]:
    """Return facts with others in the place of those of the same file, column, kind and value; of 0, none."""
    places = {(*place(one), one.get("uri")) for one in changes}
    kept = [one for one in facts if (*place(one), one.get("uri")) not in places]
    return [*kept, *(one for one in changes if one["number"])]


def shown(file: str | None, of: tuple[str, str, str | None], in_files: int | None, in_table: int | None) -> Row:
    column, kind, value = of
    numbers = {"number_in_files": in_files, "number_in_table": in_table}
    return {"file": file, "column_name": column, "kind": kind, "value": value} | {
        name: None if number is None else Decimal(number) for name, number in numbers.items()
    }


COST, ACCOUNT = ("cost", "sum", None), ("account", "lines", "x")
# What PostgreSQL says of all lines and of those of each file, where that differs from what DuckDB says.
DIFFERENCES: dict[str, tuple[list[Row], list[Row], list[Row]]] = {
    "nothing": ([], [], []),
    "a sum": ([fact(11, *COST)], [fact(7, *COST, uri="b")], [shown("b", COST, 6, 7)]),
    "a sum that no file explains": ([fact(11, *COST)], [], [shown(None, COST, 10, 11)]),
    "a value that is missing from no file": (
        [fact(0, *ACCOUNT)],
        [],
        [shown(None, ACCOUNT, 4, None)],
    ),
    "a value that no file has": (
        [fact(2, "account", "lines", "y")],
        [],
        [shown(None, ("account", "lines", "y"), None, 2)],
    ),
    "a file alone": ([], [fact(7, *COST, uri="b")], []),
    "a line": ([fact(4)], [fact(1, uri="a")], [shown("a", ("", "rows", None), 2, 1)]),
    "a value that is missing": (
        [fact(3, *ACCOUNT)],
        [fact(1, *ACCOUNT, uri="a")],
        [shown("a", ACCOUNT, 2, 1)],
    ),
    "a value that is another": (
        [fact(2, *ACCOUNT), fact(2, "account", "lines", "y")],
        [fact(0, *ACCOUNT, uri="a"), fact(2, "account", "lines", "y", uri="a")],
        [shown("a", ACCOUNT, 2, None), shown("a", ("account", "lines", "y"), None, 2)],
    ),
    "a value that is none": (
        [fact(3, *ACCOUNT), fact(2, "account", "lines", None)],
        [fact(1, *ACCOUNT, uri="a"), fact(1, "account", "lines", None, uri="a")],
        [shown("a", ACCOUNT, 2, 1), shown("a", ("account", "lines", None), None, 1)],
    ),
    # All amounts are counted together, and each by itself in a file.
    "an amount that is missing": (
        [fact(8, "", "filled")],
        [fact(1, "cost", "filled", uri="b")],
        [shown("b", ("cost", "filled", None), 2, 1)],
    ),
    "an amount that no file lacks": ([fact(8, "", "filled")], [], [shown(None, ("", "filled", None), 9, 8)]),
    "a column that the files have not": ([fact(5, "more", "sum")], [fact(5, "more", "sum", uri="a")], []),
    "a key with too many values": ([fact(5, "cost", "lines", "z")], [], []),
    # The other column sums to the same, although not file by file.
    "a sum, and files of another": (
        [fact(11, *COST)],
        [fact(7, *COST, uri="b"), fact(2, "list", "sum", uri="a"), fact(0, "list", "sum", uri="b")],
        [shown("b", COST, 6, 7)],
    ),
    "a sum, and another kind of it": (
        [fact(11, *COST)],
        [fact(7, *COST, uri="b"), fact(1, "cost", "filled", uri="a"), fact(3, "cost", "filled", uri="b")],
        [shown("b", COST, 6, 7)],
    ),
    "a file that is not stored": (
        [fact(4, *COST)],
        [fact(0, *COST, uri="b")],
        [shown("b", COST, 6, None)],
    ),
    "a file that nobody read": (
        [fact(17, *COST)],
        [fact(7, *COST, uri="c")],
        [shown("c", COST, None, 7)],
    ),
    "an amount of 0 that is not there": ([fact(11, *COST)], [fact(7, *COST, uri="b")], [shown("b", COST, 6, 7)]),
}


@pytest.mark.parametrize("name", DIFFERENCES)
def test_stored_lines_are_those_of_the_files(find, schema, name):
    stored, by_file, expected = DIFFERENCES[name]
    store(schema, "load_history", LOAD, LOAD | {"load_id": 2})
    facts = [fact(0, "free", "sum", uri="a"), *FILES]
    others = [{"load_id": 2} | one | {"number": Decimal(77)} for one in FILES]
    store(schema, "file_facts", *({"load_id": 1} | one for one in facts), *others)
    found = find("raw_equals_files", facts=changed(STORED, *stored), facts_by_file=changed(FILES, *by_file))
    assert found == sorted(expected, key=repr)
