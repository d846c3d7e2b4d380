"""What normalize and the sums of charges make of charges that are written down here, to the last digit.

Each statement is run as it is, its `{places}` filled with rows of these tests instead of a load's.
"""

from datetime import date, datetime
from decimal import Decimal

import pytest
from pipeline import JANUARY
from psycopg import sql
from roles import own_schemas
from values import CHARGE_TYPES, Row, relation_of, rows_of, run_sql

pytestmark = pytest.mark.values

CHARGE: Row = {
    "billing_period": JANUARY,
    "billingaccountid": "011254002932",
    "billingcurrency": "EUR",
    "billingperiodstart": datetime(2025, 1, 1),
    "chargecategory": "Usage",
    "chargefrequency": "Usage-Based",
    "chargeperiodstart": datetime(2025, 1, 5, 1),
    "chargeperiodend": datetime(2025, 1, 5, 2),
    "invoiceid": "900",
    "providername": "AWS",
    "regionid": "eu-west-1",
    "servicename": "Amazon Elastic Compute Cloud",
    "subaccountid": "004512887103",
    "subaccountname": "Shop",
    "billedcost": Decimal("1.5"),
    "effectivecost": Decimal("1.25"),
    "listcost": Decimal(2),
    "tags": {"team": "shop"},
    "x_lineitemid": "a",
    "x_lineitems": 1,
    "x_lineitemtype": "Usage",
    "x_typeisknown": True,
}


@pytest.fixture(scope="module")
def schema(postgres):
    with own_schemas(postgres) as database:
        yield database


# --- normalize

TOTAL: Row = {
    "date": date(2025, 1, 5),
    "billing_period": JANUARY,
    "line_items": 1,
    "cost": Decimal("1.5"),
    "effective_cost": Decimal("1.25"),
    "list_cost": Decimal(2),
    "currency": "EUR",
    "account_id": "004512887103",
    "service": "Amazon Elastic Compute Cloud",
    "region": "eu-west-1",
    "charge_category": "Usage",
    "billing_account_id": "011254002932",
    "account_name": "Shop",
    "invoice_id": "900",
    "tags": {"team": "shop"},
    "cloud_provider": "AWS",
    "source": "cup",
    "source_table": "raw_cup",
}
UNUSED: Row = {
    "commitmentdiscountstatus": "Unused",
    "chargeperiodstart": datetime(2025, 1, 5),
    "effectivecost": Decimal(10),
    "billedcost": Decimal(),
    "listcost": Decimal(),
    "x_lineitems": 0,
}
SPREAD: Row = {"cost": Decimal(), "list_cost": Decimal(), "line_items": 0}
NORMALIZED: dict[str, tuple[list[Row], list[Row]]] = {
    "one charge": ([{}], [{}]),
    "like charges are summed": (
        [{}, {"x_lineitems": 2, "chargeperiodstart": datetime(2025, 1, 5, 23)}],
        [{"cost": Decimal(3), "effective_cost": Decimal("2.5"), "list_cost": Decimal(4), "line_items": 3}],
    ),
    "no list cost": ([{"listcost": None}], [{"list_cost": Decimal()}]),
    **{
        f"another {name} is a row of its own": (
            [{}, {column: value}],
            [{}, {name: value}],
        )
        for name, column, value in (
            ("billing_account_id", "billingaccountid", "2"),
            ("account_id", "subaccountid", "2"),
            ("service", "servicename", "B"),
            ("region", "regionid", "us-east-1"),
            ("charge_category", "chargecategory", "Tax"),
            ("currency", "billingcurrency", "USD"),
            ("invoice_id", "invoiceid", None),
            ("cloud_provider", "providername", "Other"),
            ("tags", "tags", {}),
        )
    },
    "an account has its latest name": (
        [
            {},
            {"subaccountname": "Store", "chargeperiodstart": datetime(2025, 1, 9)},
            {"subaccountname": None, "chargeperiodstart": datetime(2025, 1, 20)},
            {"subaccountname": "Other", "subaccountid": "2"},
            {"subaccountname": "Theirs", "billingaccountid": "3", "chargeperiodstart": datetime(2025, 1, 30)},
        ],
        [
            {"account_name": "Store"},
            {"account_name": "Store", "date": date(2025, 1, 9)},
            {"account_name": "Store", "date": date(2025, 1, 20)},
            {"account_name": "Other", "account_id": "2"},
            {"account_name": "Theirs", "billing_account_id": "3", "date": date(2025, 1, 30)},
        ],
    ),
    "of two names of one day, the first by alphabet": (
        [{"subaccountname": "B"}, {"subaccountname": "A"}],
        [
            {
                "account_name": "A",
                "cost": Decimal(3),
                "effective_cost": Decimal("2.5"),
                "list_cost": Decimal(4),
                "line_items": 2,
            }
        ],
    ),
    "unused is spread over its days, the last takes the rest": (
        [{**UNUSED, "chargeperiodend": datetime(2025, 1, 8)}],
        [
            {**SPREAD, "date": date(2025, 1, 5), "effective_cost": Decimal("3.3333333333")},
            {**SPREAD, "date": date(2025, 1, 6), "effective_cost": Decimal("3.3333333333")},
            {**SPREAD, "date": date(2025, 1, 7), "effective_cost": Decimal("3.3333333334")},
        ],
    ),
    "unused that ends a second before the day": (
        [{**UNUSED, "chargeperiodend": datetime(2025, 1, 6, 23, 59, 59)}],
        [
            {**SPREAD, "date": date(2025, 1, 5), "effective_cost": Decimal(5)},
            {**SPREAD, "date": date(2025, 1, 6), "effective_cost": Decimal(5)},
        ],
    ),
    "unused of a moment": (
        [{**UNUSED, "chargeperiodend": datetime(2025, 1, 5)}],
        [{**SPREAD, "effective_cost": Decimal(10)}],
    ),
    "billed stays on its day": (
        [
            {
                **UNUSED,
                "chargeperiodend": datetime(2025, 1, 7),
                "billedcost": Decimal(7),
                "listcost": Decimal(8),
                "x_lineitems": 9,
            }
        ],
        [
            {"effective_cost": Decimal(5), "cost": Decimal(7), "list_cost": Decimal(8), "line_items": 9},
            {**SPREAD, "date": date(2025, 1, 6), "effective_cost": Decimal(5)},
        ],
    ),
    "used is not spread": ([{"chargeperiodend": datetime(2025, 1, 20)}], [{}]),
}


@pytest.mark.parametrize("name", NORMALIZED)
def test_charges_become_daily_totals(schema, name):
    charges, expected = NORMALIZED[name]
    rows = run_sql(
        schema,
        "normalize.sql",
        charges=rows_of([{**CHARGE, **charge} for charge in charges], CHARGE_TYPES),
        billing_period=sql.Literal(JANUARY),
        source=sql.Literal("cup"),
        raw_table=sql.Literal("raw_cup"),
    )
    assert all(row.pop("sync_timestamp") for row in rows)
    assert sorted(rows, key=repr) == sorted(({**TOTAL, **one} for one in expected), key=repr)


# --- costs_by_day and the coarser tables

DAILY_TYPES = {
    "date": "date",
    "billing_period": "date",
    "cost": "numeric",
    "effective_cost": "numeric",
    "list_cost": "numeric",
    "line_items": "bigint",
    **dict.fromkeys(("currency", "account_id", "service", "region", "charge_category"), "text"),
    **dict.fromkeys(("billing_account_id", "cloud_provider", "source"), "text"),
}
DAY: Row = {name: TOTAL[name] for name in DAILY_TYPES if name != "region"} | {"month": JANUARY}
# The columns that a table does not have.
LACKS = {
    "costs_by_day": ("month",),
    "costs_by_day_account": ("month", "service"),
    "costs_by_day_service": ("month", "account_id"),
    "costs_by_month": ("date",),
}
ADDED: Row = {"cost": Decimal("1.5"), "effective_cost": Decimal("1.25"), "list_cost": Decimal(2), "line_items": 1}
TWICE: Row = {name: 2 * value for name, value in ADDED.items()}


def totals_of(schema, *changes):
    """Return the rows of each table for daily totals with these changes, without the columns that it does not have."""
    daily = relation_of([TOTAL | change for change in changes], DAILY_TYPES)
    found: dict[str, list[Row]] = {relation: [] for relation in LACKS}
    for row in run_sql(schema, "costs_by_day.sql", normalized=daily):
        relation = row.pop("relation")
        found[relation].append({name: value for name, value in row.items() if name not in LACKS[relation]})
    return found


def without(relation, row):
    return {name: value for name, value in row.items() if name not in LACKS[relation]}


def test_rows_that_differ_in_other_columns_are_summed_in_every_table(schema):
    found = totals_of(schema, {}, {"region": "us-east-1", "invoice_id": None, "tags": {}})
    assert found == {relation: [without(relation, DAY | TWICE)] for relation in LACKS}


@pytest.mark.parametrize(
    "change",
    [
        {"billing_account_id": "2"},
        {"charge_category": "Tax"},
        {"cloud_provider": "Other"},
        {"currency": "USD"},
        {"currency": None},
        {"source": "ca"},
        {"service": "B"},
        {"service": None},
        {"account_id": "2"},
        {"account_id": None},
        {"date": date(2025, 1, 6)},
        {"date": date(2024, 12, 31), "month": date(2024, 12, 1)},
    ],
    ids=repr,
)
def test_rows_stay_apart_where_a_table_has_the_column(schema, change):
    found = totals_of(schema, {}, {name: value for name, value in change.items() if name != "month"})
    for relation, rows in found.items():
        one, other = without(relation, DAY), without(relation, DAY | change)
        expected = [one | TWICE] if one == other else [one, other]
        assert sorted(rows, key=repr) == sorted(expected, key=repr), relation


# --- the sums that the audits compare

SUMS: Row = {
    "billing_account_id": "011254002932",
    "invoice_id": "900",
    "currency": "EUR",
    "commitment_id": None,
    "is_of_commitment": False,
    "billed_cost": Decimal("1.5"),
    "effective_cost": Decimal("1.25"),
    "list_cost": Decimal(2),
    "line_items": 1,
    "prepaid_cost": Decimal(),
    "commitment_charges": 0,
    "open_commitment_charges": 0,
    "prepaid_use": None,
    "charges_of_other_months": 0,
    "charges_without_dimensions": 0,
    "charges_without_account": 0,
    "charges_of_unknown_type": 0,
    "charges_of_unknown_service": 0,
    "fees_not_spread": 0,
    "adjustments": 0,
    "unused_below_zero": 0,
}
ONE_TIME: Row = {"chargecategory": "Purchase", "chargefrequency": "One-Time"}
SUMMED: dict[str, tuple[Row, Row]] = {
    "a charge": ({}, {}),
    "an upfront fee": (ONE_TIME, {"prepaid_cost": Decimal("0.25")}),
    "a recurring fee": ({**ONE_TIME, "chargefrequency": "Recurring"}, {}),
    "a credit": ({**ONE_TIME, "chargecategory": "Credit"}, {}),
    "a commitment": ({"commitmentdiscountid": "arn", "x_lineitems": 3}, {"commitment_charges": 3, "line_items": 3}),
    "an unused part": ({"commitmentdiscountid": "arn", "x_lineitems": 0}, {"commitment_charges": 1, "line_items": 0}),
    "another month": ({"billingperiodstart": datetime(2024, 12, 1)}, {"charges_of_other_months": 1}),
    "no month": ({"billingperiodstart": None}, {"charges_of_other_months": 1}),
    "no start": ({"chargeperiodstart": None}, {"charges_without_dimensions": 1}),
    "no account": ({"subaccountid": None}, {"charges_without_dimensions": 1}),
    "a tax of no account": ({"subaccountid": None, "chargecategory": "Tax"}, {"charges_without_account": 1}),
    "no invoice": ({"invoiceid": None}, {"invoice_id": None, "open_commitment_charges": 1}),
    "no invoice, paid as used": (
        {"invoiceid": None, "effectivecost": Decimal("1.5")},
        {"invoice_id": None, "effective_cost": Decimal("1.5")},
    ),
    "a commitment without an invoice, paid as used": (
        {"invoiceid": None, "effectivecost": Decimal("1.5"), "commitmentdiscountid": "arn"},
        {
            "invoice_id": None,
            "effective_cost": Decimal("1.5"),
            "commitment_charges": 1,
            "open_commitment_charges": 1,
        },
    ),
    "use that was paid before": ({"x_prepaiduse": Decimal("0.5")}, {"prepaid_use": Decimal("0.5")}),
    "no currency": ({"billingcurrency": None}, {"charges_without_dimensions": 1, "currency": None}),
    "no category": ({"chargecategory": None}, {"charges_without_dimensions": 1}),
    "an unknown type": ({"x_typeisknown": False}, {"charges_of_unknown_type": 1}),
    "an unknown service": ({"x_serviceisknown": False}, {"charges_of_unknown_service": 1}),
    "a recurring fee of a commitment": (
        {"chargecategory": "Purchase", "chargefrequency": "Recurring", "commitmentdiscountcategory": "Spend"},
        {"fees_not_spread": 1},
    ),
    "a recurring fee that is spread": (
        {
            "chargecategory": "Purchase",
            "chargefrequency": "Recurring",
            "commitmentdiscountcategory": "Spend",
            "effectivecost": Decimal(),
        },
        {"effective_cost": Decimal()},
    ),
    "an adjustment": ({"chargecategory": "Adjustment", "x_lineitems": 0}, {"adjustments": 1, "line_items": 0}),
    "an adjustment that the provider states": ({"chargecategory": "Adjustment"}, {}),
    "unused below zero": (
        {"commitmentdiscountstatus": "Unused", "effectivecost": Decimal(-1)},
        {"unused_below_zero": 1, "effective_cost": Decimal(-1)},
    ),
    "unused": ({"commitmentdiscountstatus": "Unused", "effectivecost": Decimal()}, {"effective_cost": Decimal()}),
    "used below zero": ({"effectivecost": Decimal(-1)}, {"effective_cost": Decimal(-1)}),
}


@pytest.mark.parametrize("name", SUMMED)
def test_charges_are_summed_by_invoice(schema, name):
    charge, sums = SUMMED[name]
    rows = run_sql(schema, "focus/totals.sql", charges=rows_of([{**CHARGE, **charge}], CHARGE_TYPES))
    of_all = {**SUMS, **sums}
    of_commitment = {**of_all, "commitment_id": charge.get("commitmentdiscountid"), "is_of_commitment": True}
    assert sorted(rows, key=lambda row: row["is_of_commitment"]) == [of_all, of_commitment]


def test_sums_are_by_payer_invoice_and_currency(schema):
    others: list[Row] = [{}, {}, {"billingaccountid": "2"}, {"invoiceid": "901"}, {"billingcurrency": "USD"}]
    rows = run_sql(schema, "focus/totals.sql", charges=rows_of([{**CHARGE, **one} for one in others], CHARGE_TYPES))
    found = {
        (row["billing_account_id"], row["invoice_id"], row["currency"]): row["billed_cost"]
        for row in rows
        if not row["is_of_commitment"]
    }
    assert found == {
        ("011254002932", "900", "EUR"): Decimal(3),
        ("2", "900", "EUR"): Decimal("1.5"),
        ("011254002932", "901", "EUR"): Decimal("1.5"),
        ("011254002932", "900", "USD"): Decimal("1.5"),
    }
