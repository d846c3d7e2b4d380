"""Every panel and variable of the dashboards for Grafana, run as the reader on what the demo loads.

What a panel shows adds up to `costs`, where these tests sum with filters of their own. A second currency changes
nothing that is shown in the first.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import grafana
import psycopg
import pytest
from dashboard_reader import HISTORY, INSIGHTS, Chosen, Reader, Row
from grafana import Statement
from psycopg.rows import dict_row

from cloud_costs.database.postgres import Database
from cloud_costs.demo.embedded_postgres import Server

DOCUMENTS = grafana.documents()
STATEMENTS = grafana.statements()


EVERYTHING = Chosen(date(2025, 1, 1), date(2025, 3, 31))
# A bound within a month, values with quotes, and a charge without an account.
SOME = Chosen(
    date(2025, 2, 10),
    date(2025, 3, 5),
    {
        "cloud": ["AWS", "it's"],
        "source": ["cup"],
        "account": ["(none)", "004512887103", "011254002932"],
        "service": ["Amazon Elastic Compute Cloud", "Amazon Simple Storage Service"],
        "tag_value": ["checkout", "(untagged)"],
        "commitment": ["Savings Plan"],
    },
)


@pytest.fixture(scope="module")
def reader(postgres: Server, demo: Database) -> Iterator[Reader]:
    """The demo's tables, and in one transaction what the demo does not have: a restatement, a failed load, insights."""
    with psycopg.connect(postgres.uri(), row_factory=dict_row) as connection:
        connection.execute(f'set local search_path to "{demo.schema}"')
        connection.execute(HISTORY)
        connection.execute(INSIGHTS)
        yield Reader(connection, demo)
        connection.rollback()


TODAY = datetime.now(UTC).date()
NOW = Chosen(TODAY - timedelta(days=1), TODAY + timedelta(days=1))


def everything(statement: Statement) -> Chosen:
    return NOW if statement.dashboard == "data-quality" else EVERYTHING


def named(statement: Statement) -> str:
    return f"{statement.dashboard}: {statement.title}"


# --- what a panel adds up to: expressions over `costs`, by column

EFFECTIVE = "sum(effective_cost)"
USAGE = "filter (where charge_category = 'Usage')"
MARCH = "filter (where billing_period = '2025-03-01')"
FEBRUARY = "filter (where billing_period = '2025-02-01')"
SUMS = {
    "executive": {
        "Billed (${currency})": {"billed": "sum(cost)"},
        "Effective (${currency})": {"effective": EFFECTIVE},
        "Saved (${currency})": {"saved": f"sum(list_cost - effective_cost) {USAGE}"},
        "Saved, of the list price": {
            "share": f"sum(list_cost - effective_cost) {USAGE} / sum(list_cost) {USAGE}",
        },
        "Billed by month and cloud (${currency})": {"value": "sum(cost)"},
        "Effective by day and cloud (${currency})": {"value": EFFECTIVE},
        "Months (${currency})": {
            "Billed": "sum(cost)",
            "Effective": EFFECTIVE,
            "Tax": "sum(cost) filter (where charge_category = 'Tax')",
            "Credits": "coalesce(sum(cost) filter (where charge_category = 'Credit'), 0)",
        },
        "Services (${currency})": {"Billed": "sum(cost)", "Effective": EFFECTIVE},
        "Billed by kind of charge (${currency})": {"value": "sum(cost)"},
        "Invoices (${currency})": {"Billed": "sum(cost)"},
        # March has more days than February, so all of February is before.
        "Newest month so far (${currency})": {"Now": f"sum(cost) {MARCH}", "Before": f"sum(cost) {FEBRUARY}"},
        "What moved most (${currency})": {
            "Now": f"sum(effective_cost) {MARCH}",
            "Before": f"sum(effective_cost) {FEBRUARY}",
            "Change": f"sum(effective_cost) {MARCH} - sum(effective_cost) {FEBRUARY}",
        },
    },
    "engineering": {
        "Cost (${currency})": {"cost": EFFECTIVE},
        "A day (${currency})": {"cost": "sum(effective_cost) / count(distinct date)"},
        "Usage without ${tag}": {
            "share": f"sum(effective_cost) filter (where charge_category = 'Usage' and not tags ? 'user:team') "
            f"/ sum(effective_cost) {USAGE}",
        },
        "Accounts": {"accounts": "count(distinct account_id)"},
        "By ${tag} (${currency})": {"value": EFFECTIVE},
        "${tag} (${currency})": {"Cost": EFFECTIVE},
        "By account (${currency})": {"value": EFFECTIVE},
        "Accounts (${currency})": {"Cost": EFFECTIVE},
        "By service (${currency})": {"value": EFFECTIVE},
        "Services and regions (${currency})": {"Cost": EFFECTIVE},
        "What each account uses (${currency})": {"Cost": EFFECTIVE},
    },
}
IN_COSTS = [one for one in STATEMENTS if one.dashboard in SUMS]


def test_every_panel_of_costs_has_its_sums_here() -> None:
    assert {(one.dashboard, one.title) for one in IN_COSTS} == {
        (name, title) for name, titles in SUMS.items() for title in titles
    }


@pytest.mark.parametrize("statement", STATEMENTS, ids=named)
def test_panel_shows_rows(statement: Statement, reader: Reader) -> None:
    shown = reader.show(statement, everything(statement))
    assert shown
    if statement.is_series:
        assert list(shown[0]) == ["time", "metric", "value"]
        assert [row["time"] for row in shown] == sorted(row["time"] for row in shown)
        # A name twice at one time would be drawn as two points.
        assert len({(row["time"], row["metric"]) for row in shown}) == len(shown)
    # A load that failed has no lines.
    assert None not in shown[0].values() or statement.title == "Loads"


@pytest.mark.parametrize("chosen", [EVERYTHING, SOME], ids=["everything", "some"])
@pytest.mark.parametrize("statement", IN_COSTS, ids=named)
def test_panel_adds_up_to_costs(statement: Statement, chosen: Chosen, reader: Reader) -> None:
    expressions = SUMS[statement.dashboard][statement.title]
    by_month = statement.dashboard == "executive"
    if by_month:
        chosen = Chosen(chosen.first, chosen.last, {k: v for k, v in chosen.values.items() if k in ("cloud", "source")})
    expected = reader.costs(chosen, expressions, by_month)
    assert all(expected.values())
    shown = reader.show(statement, chosen)
    sums = {name: sum(row[name] for row in shown) for name in expressions}
    if "share" in expected:
        # PostgreSQL gives a quotient as many digits as its operands have.
        sums, expected = rounded(sums["share"]), rounded(expected["share"])
    assert sums == expected


def rounded(share: Decimal) -> Decimal:
    return round(share, 18)


@pytest.mark.parametrize("dashboard", DOCUMENTS)
def test_choosing_every_option_is_choosing_all(dashboard: str, reader: Reader) -> None:
    chosen = NOW if dashboard == "data-quality" else EVERYTHING
    total = {"executive": "Effective (${currency})", "engineering": "Cost (${currency})", "data-quality": "Loads"}
    total["insights"] = "Anomalies (${currency})"
    title = total.get(dashboard, "Commitments (${currency})")
    (statement,) = (one for one in STATEMENTS if (one.dashboard, one.title) == (dashboard, title))
    expected = reader.show(statement, chosen)
    for name, variable in grafana.variables(DOCUMENTS[dashboard]).items():
        if variable["type"] != "query":
            continue
        options = reader.options(dashboard, name, chosen)
        assert len(options) == len(set(options)), name
        assert None not in options
        if not variable["includeAll"]:
            assert options[0] == {"currency": "USD", "tag": "user:team"}[name]
            continue
        assert len(options) > 1, name
        every = Chosen(chosen.first, chosen.last, {name: options})
        assert reader.show(statement, every) == expected, name
        one = Chosen(chosen.first, chosen.last, {name: options[:1]})
        assert reader.show(statement, one) != expected, name


# --- commitments, which `costs` does not tell apart

CHARGES = """
    select
        commitmentdiscountid as id, commitmentdiscounttype as kind, commitmentdiscountstatus as status,
        coalesce(subaccountid, '(none)') as account, x_source as source, chargecategory as category,
        sum(billedcost) as billed, sum(effectivecost) as effective, sum(listcost) as list
    from "{schema}".focus_costs
    where billingcurrency = 'USD' and commitmentdiscountid is not null and billing_period between %s and %s
    group by 1, 2, 3, 4, 5, 6
"""


def committed(reader: Reader, chosen: Chosen) -> dict[str, Decimal]:
    """Return the sums of the commitments that are chosen, added up here."""
    charges = reader.rows(CHARGES.format(schema=reader.schema), [chosen.first.replace(day=1), chosen.last])
    for name, column in {"source": "source", "account": "account", "commitment": "kind"}.items():
        if name in chosen.values:
            charges = [charge for charge in charges if charge[column] in chosen.values[name]]

    def total(amount: str, **where: str) -> Decimal:
        return sum((one[amount] for one in charges if where.items() <= one.items()), Decimal(0))

    spread = [dict(category="Usage", status=status) for status in ("Used", "Unused")]
    return {
        "used": total("effective", **spread[0]),
        "unused": total("effective", **spread[1]),
        "covered": total("list", **spread[0]),
        "saved": sum(total("list", **one) - total("effective", **one) for one in spread),
        "bought": total("billed", category="Purchase"),
    }


@pytest.mark.parametrize("chosen", [EVERYTHING, SOME], ids=["everything", "some"])
def test_commitments_add_up(chosen: Chosen, reader: Reader) -> None:
    shown = {one.title: reader.show(one, chosen) for one in STATEMENTS if one.dashboard == "commitments"}

    def total(title: str, column: str) -> Decimal:
        return sum((row[column] for row in shown.pop(title) if row[column]), Decimal(0))

    expected = committed(reader, chosen)
    assert all(expected.values())
    both = expected["used"] + expected["unused"]
    assert rounded(total("Utilization", "utilization")) == rounded(expected["used"] / both)
    assert total("Unused (${currency})", "unused") == expected["unused"]
    assert total("Saved by commitments (${currency})", "saved") == expected["saved"]
    assert total("Used and unused (${currency})", "value") == both
    assert total("Bought (${currency})", "value") == expected["bought"]
    each = shown.pop("Commitments (${currency})")
    for column in ("Used", "Unused", "Saved", "Bought"):
        assert sum(row[column] for row in each) == expected[column.lower()], column
    services = shown.pop("Coverage by service (${currency})")
    assert sum(row["Covered"] for row in services) == expected["covered"]
    whole = sum(row["Covered"] + row["On demand"] for row in services)
    assert rounded(total("Coverage", "coverage")) == rounded(expected["covered"] / whole)
    assert not shown
    if chosen is EVERYTHING:
        # Unused commitments have no list price, so `costs` has the list price of the same usage.
        names = {"service": [row["Service"] for row in services]}
        in_costs = Chosen(chosen.first, chosen.last, names)
        assert reader.costs(in_costs, {"list": f"sum(list_cost) {USAGE}"}, True) == {"list": whole}


# --- data quality


def test_data_quality_tells_what_happened(reader: Reader) -> None:
    shown = {one.title: reader.show(one, NOW) for one in STATEMENTS if one.dashboard == "data-quality"}
    (facts,) = reader.rows(FACTS.format(schema=reader.schema))

    def number(title: str) -> Any:
        (row,) = shown.pop(title)
        return next(iter(row.values()))

    assert 0 < number("Hours since the stalest source") < 24
    assert number("Failed or rejected loads") == 1
    found = shown.pop("Readers see")
    assert number("Checks with violations") == len(found) == facts["found"]
    assert ("ca", "2025-03", "made_up", 3) in [
        (row["Source"], row["Month"], row["Check"], row["Violations"]) for row in found
    ]
    assert number("Restated months") == 1
    sources = shown.pop("Sources")
    assert {row["Source"]: (row["Newest month"], row["Months"], row["State"]) for row in sources} == dict.fromkeys(
        ("azure", "ca", "cup", "google"), ("2025-03", 3, "fresh")
    )
    assert sum(row["Lines"] for row in sources) == facts["lines"]
    assert sum(row["value"] for row in shown.pop("Loads by status")) == facts["loads"]
    loads = shown.pop("Loads")
    assert len(loads) == facts["loads"]
    assert [row["Error"] for row in loads if row["Status"] == "failed"] == ["no manifest"]
    checks = shown.pop("Checks of the range")
    assert sum(row["Runs"] for row in checks) == facts["checks"]
    assert [row["Note"] for row in shown.pop("Not proven") if row["Source"] == "ca"] == ["not compared"]
    months, services = (shown.pop(f"Restated {what} (${{currency}})") for what in ("months", "accounts and services"))
    assert len(services) == facts["restated"] > 1
    assert {(row["Billed"], row["Effective"], row["Lines"]) for row in services} == {
        (Decimal("10.5"), Decimal("2.25"), 1)
    }
    (restated,) = months
    assert (restated["Source"], restated["Month"], restated["Version before"]) == ("cup", "2025-03", "before")
    assert (restated["Billed"], restated["Effective"]) == (
        len(services) * Decimal("10.5"),
        len(services) * Decimal("2.25"),
    )
    assert set(shown) == {"Adds up"}


FACTS = """
    select
        (select sum(rows) from "{schema}".published_months) as lines,
        (select count(*) from "{schema}".load_history) as loads,
        (select count(*) from "{schema}".audit_results) as checks,
        (
            select count(*) from "{schema}".audit_results inner join "{schema}".published_months using (load_id)
            where not passed
        ) as found,
        (select count(*) from "{schema}".restatements) as restated
"""


def test_published_months_add_up_to_their_lines(reader: Reader) -> None:
    (statement,) = (one for one in STATEMENTS if one.title == "Adds up")
    shown = reader.show(statement, NOW)
    assert len(shown) == 4 * 3
    assert {row["Difference"] for row in shown} == {Decimal(0)}
    assert reader.costs(EVERYTHING, {"cost": "sum(cost)"}, True) == {"cost": sum(row["Costs"] for row in shown)}
    with reader.connection.transaction(force_rollback=True):
        reader.connection.execute(
            "update costs_by_month set cost = cost + 0.0000000001 "
            "where ctid = (select min(ctid) from costs_by_month where cost is not null)"
        )
        assert [row["Difference"] for row in reader.show(statement, NOW)][:2] == [Decimal("-0.0000000001"), 0]


# --- insights


def test_insights_have_the_sums_of_costs(reader: Reader) -> None:
    shown = {one.title: reader.show(one, EVERYTHING) for one in STATEMENTS if one.dashboard == "insights"}

    def number(title: str) -> Any:
        (row,) = shown.pop(title)
        return next(iter(row.values()))

    def costs(amount: str, condition: str) -> Decimal:
        (row,) = reader.rows(f'select sum({amount}) as total from "{reader.schema}".costs where {condition}')
        found: Decimal = row["total"]
        return found

    events = "charge_category = 'Usage' and date between '2025-03-10' and '2025-03-12' and source in"
    anomalies = shown.pop("Anomalies (${currency})")
    assert {row["Source"] for row in anomalies} == {"azure", "cup"}
    assert sum(row["Cost"] for row in anomalies) == costs("effective_cost", f"{events} ('azure', 'cup')")
    still_open = [row for row in anomalies if row["Status"] == "open"]
    assert number("Open anomalies") == len(still_open) > 1
    assert number("Above expected (${currency})") == sum(row["Above expected"] for row in still_open)
    assert sum(row["Cost"] for row in still_open) == costs("effective_cost", f"{events} ('cup')")

    months = {
        month: costs("cost", f"date_trunc('month', date::timestamp) = '{month}-01'")
        for month in ("2025-01", "2025-02", "2025-03")
    }
    budgets = shown.pop("Budgets (${currency})")
    assert {row["Budget"] for row in budgets} == {"clouds"}
    assert {row["From"][:7]: row["Spent"] for row in budgets} == months
    assert {row["Spent share"] * 1000 for row in budgets} == set(months.values())
    assert number("Budgets at risk or exceeded") == 1

    so_far = costs("cost", "date between '2025-03-01' and '2025-03-20'")
    assert number("Expected month (${currency})") == so_far * 2
    lines = shown.pop("Where the month will end, as of each day (${currency})")
    assert len(lines) == 5 * 4
    assert [row["value"] for row in lines if row["metric"] == "so far"][-1] == so_far
    against = shown.pop("Forecasts against actual (${currency})")
    assert {row["Month"]: row["Actual until now"] for row in against} == months
    assert [row["As of"] for row in against] == ["2025-03-12", "2025-02-20", "2025-01-10"]
    assert all(row["Difference"] == row["Actual until now"] - row["Expected"] for row in against)
    sources = shown.pop("Newest month by source (${currency})")
    assert [(row["Source"], row["Amount"], row["Expected"]) for row in sources] == [
        ("cup", "billed", 2),
        ("cup", "effective", 2),
    ]
    assert not shown


# --- currencies


@pytest.fixture
def euros(reader: Reader) -> Iterator[None]:
    """All costs once more, in euros; of the charges, those of cup's March."""
    tables = dict.fromkeys(
        [
            *(f"{source}_normalized" for source in ("azure", "ca", "cup", "google")),
            *("costs_by_day", "costs_by_day_account", "costs_by_day_service", "costs_by_month", "published_totals"),
        ],
        ("currency", "true"),
    )
    tables["raw_cup"] = ("line_item_currency_code", "billing_period = '2025-03-01'")
    with reader.connection.transaction(force_rollback=True):
        for table, (currency, condition) in tables.items():
            found = reader.connection.execute(f"select * from {table} limit 0").description
            columns = [f'"{column.name}"' for column in found or ()]
            copied = ["'EUR'" if column == f'"{currency}"' else column for column in columns]
            reader.connection.execute(
                f"insert into {table} ({', '.join(columns)}) select {', '.join(copied)} from {table} where {condition}"
            )
        yield


@pytest.fixture
def before(reader: Reader) -> dict[str, list[Row]]:
    """What every panel shows of the demo."""
    return {named(one): reader.show(one, for_currencies(one)) for one in STATEMENTS}


def for_currencies(statement: Statement) -> Chosen:
    return (
        Chosen(date(2025, 3, 1), date(2025, 3, 31)) if statement.dashboard == "commitments" else everything(statement)
    )


def test_no_panel_sums_over_currencies(before: dict[str, list[Row]], euros: None, reader: Reader) -> None:
    for dashboard in DOCUMENTS:
        assert sorted(reader.options(dashboard, "currency", EVERYTHING)) == ["EUR", "USD"]
    changed = []
    for statement in STATEMENTS:
        chosen = for_currencies(statement)
        shown = [row for row in reader.show(statement, chosen) if row.get("Currency") != "EUR"]
        if statement.dashboard in SUMS:
            in_euros = Chosen(chosen.first, chosen.last, {"currency": "EUR"})
            shown += reader.show(statement, in_euros)
        if shown != before[named(statement)] * (2 if statement.dashboard in SUMS else 1):
            changed.append(named(statement))
    assert changed == []
