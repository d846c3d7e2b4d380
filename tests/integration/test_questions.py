"""The questions for Metabase and Superset, filled in as these tools do, and run as the reader on what the demo loads.

Both give what the same question of `docs/tables.md` gives.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import psycopg
import pytest
from jinja2 import StrictUndefined
from jinja2.sandbox import SandboxedEnvironment

from cloud_costs.charges import accounts
from cloud_costs.database.postgres import Database
from cloud_costs.demo.embedded_postgres import Server
from dashboards.sql import in_schema

ROOT = Path(__file__).resolve().parents[2]
TABLES = (ROOT / "docs/tables.md").read_text(encoding="utf-8")
NAMES = sorted(path.stem for path in (ROOT / "dashboards/metabase").glob("*.sql"))
MARCH = {"month": date(2025, 3, 1)}
# A question of the page, by words of its query there, with the variables that the page sets as constants. `first` is
# how many rows the page shows.
PAGE: dict[str, tuple[str, dict[str, Any], int | None]] = {
    "cost_by_service": ("select service, currency, round(sum(cost)", MARCH, 6),
    "three_costs_by_category": ("select charge_category, currency, sum(cost)", MARCH, None),
    "cost_by_invoice": ("coalesce(invoice_id, '(none yet)')", {**MARCH, "source": "cup"}, None),
    "published_versions": ("from published_months\norder by", {}, 3),
    "commitments": ("select CommitmentDiscountType as commitment", MARCH, None),
    "cost_by_tag": ("coalesce(tags ->> 'user:team'", {**MARCH, "source": "cup", "tag": "user:team"}, None),
    "focus_charges_by_service": ("select ServiceName, BillingCurrency", MARCH, 3),
    "cost_by_owner": ("select owner, currency, sum(cost)", {}, None),
    "accounts_not_listed": ("from accounts where not listed", {}, None),
    "listed_accounts_without_costs": ("from accounts where last_month is null", {}, None),
}
Rows = list[tuple[Any, ...]]
Run = Callable[..., Rows]


# --- what the tools make of a file


def metabase(text: str, values: Mapping[str, Any]) -> tuple[str, list[Any]]:
    """Return the statement and the values that Metabase binds to it.

    A clause in [[ ]] is left out unless each of its variables has a value.
    """
    variable = re.compile(r"\{\{(\w+)\}\}")

    def clause(match: re.Match[str]) -> str:
        return match[1] if set(variable.findall(match[1])) <= values.keys() else ""

    kept = re.sub(r"\[\[(.*?)\]\]", clause, text, flags=re.DOTALL)
    bound = [values[name] for name in variable.findall(kept)]
    return variable.sub("%s", kept.replace("%", "%%")), bound


def where_in(values: Sequence[str]) -> str:
    """Write values as Superset's filter of this name does."""
    quoted = ", ".join("'" + str(value).replace("'", "''") + "'" for value in values)
    return f"({quoted})"


def superset(text: str, parameters: Mapping[str, Any], filters: Mapping[str, list[str]] | None = None) -> str:
    """Return the statement that Superset makes with these parameters and filters of a dashboard."""
    environment = SandboxedEnvironment(undefined=StrictUndefined)
    environment.filters["where_in"] = where_in

    def filter_values(column: str, remove_filter: bool = False) -> list[str]:
        assert remove_filter, "the filter would be applied once more outside, where the column may be missing"
        return list((filters or {}).get(column, []))

    return environment.from_string(text).render(**parameters, filter_values=filter_values)


# --- running them


@pytest.fixture(scope="module")
def run(postgres: Server, demo: Database) -> Iterator[Run]:
    """Return a function that runs a statement as the reader, with a list of accounts that is rolled back."""
    with psycopg.connect(postgres.uri()) as connection:
        connection.execute(f'set local search_path to "{demo.schema}"')
        connection.execute(ACCOUNTS)
        view = accounts.select(connection, demo).as_string(connection)
        connection.execute(
            f"drop view accounts; create view accounts as {view}; grant select on accounts to {demo.reader}"
        )
        connection.execute(f'set local role "{demo.reader}"')

        def run(statement: str, values: Sequence[Any] | None = None) -> Rows:
            with connection.transaction(force_rollback=True):
                return connection.execute(in_schema(statement, demo.schema), values).fetchall()

        yield run
        connection.rollback()


ACCOUNTS = """
insert into account_list (account_id, name, attributes, listed, first_month, last_month)
select
    account_id, 'Shop', jsonb_build_object('owner', 'Robin'), account_id <> '004711223344',
    min(billing_period), max(billing_period)
from costs where source in ('cup', 'ca') and account_id is not null group by account_id;

insert into account_list (account_id, name, attributes, listed) values ('000000000042', 'Old', '{"owner": "Kim"}', true)
"""


def question(tool: str, name: str) -> str:
    return (ROOT / "dashboards" / tool / f"{name}.sql").read_text(encoding="utf-8")


def answers(run: Run, name: str, values: Mapping[str, Any]) -> Rows:
    """Return the answer of both tools, which is the same."""
    of_metabase = run(*metabase(question("metabase", name), values))
    of_superset = run(superset(question("superset", name), {key: str(value) for key, value in values.items()}))
    assert of_metabase == of_superset
    return of_metabase


def on_page(name: str) -> str:
    """Return the query of `docs/tables.md`."""
    words, _, _ = PAGE[name]
    found = [query for query in re.findall(r"^```sql\n(.+?)^```|`(select [^`]+)`", TABLES, re.DOTALL | re.MULTILINE)]
    (query,) = (one or other for one, other in found if words in (one or other))
    return query


def test_both_tools_have_the_same_questions() -> None:
    assert NAMES == sorted(path.stem for path in (ROOT / "dashboards/superset").glob("*.sql")) == sorted(PAGE)
    page = (ROOT / "docs/metabase-superset.md").read_text(encoding="utf-8")
    for name in NAMES:
        row = next(line for line in page.splitlines() if f"metabase/{name}.sql" in line)
        assert f"superset/{name}.sql" in row
        assert set(re.findall(r"`(\w+)`", row)) == set(re.findall(r"\{\{(\w+)\}\}", question("metabase", name)))


@pytest.mark.parametrize("name", NAMES)
def test_answer_is_the_one_of_the_page(name: str, run: Run) -> None:
    _, values, first = PAGE[name]
    shown = answers(run, name, values)
    expected = run(on_page(name))
    assert expected
    if name.startswith(("accounts", "listed")):
        expected = [row[: len(shown[0])] for row in expected]
        assert {row[0] for row in shown} == {row[0] for row in expected}
    elif name == "cost_by_owner":
        assert shown == sorted(expected)
    else:
        assert shown[:first] == expected


@pytest.mark.parametrize("name", NAMES)
def test_every_variable_chooses(name: str, run: Run) -> None:
    known = set(re.findall(r"\{\{(\w+)\}\}", question("metabase", name)))
    # One month, because `focus_costs` takes its time.
    needed = {key: value for key, value in {"tag": "user:team", "month": date(2025, 3, 1)}.items() if key in known}
    whole = answers(run, name, needed)
    assert whole
    if "month" in known:
        assert answers(run, name, {**needed, "month": date(2025, 2, 1)}) != whole
    some = {"currency": "USD", "source": "ca", "owner": "Kim"}
    for variable in known & some.keys():
        # The value has a quote that ends nothing, and nothing has this value.
        assert answers(run, name, {**needed, variable: "it's"}) == [], variable
        chosen = answers(run, name, {**needed, variable: some[variable]})
        # All of the demo is in one currency, and the one listed account without costs is Kim's.
        same = variable == "currency" or (variable, name) == ("owner", "listed_accounts_without_costs")
        assert (chosen == whole) is same, variable


def test_filter_of_a_dashboard_wins_over_the_parameter(run: Run) -> None:
    text = question("superset", "cost_by_service")
    both = run(superset(text, {"source": "cup"}, {"source": ["ca", "google"]}))
    assert both == run(superset(text, {}, {"source": ["ca", "google"]}))
    assert both != run(superset(text, {"source": "cup"}))
