"""The export that `make conformance` checks, and the check itself where its environment is there."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from cloud_costs.charges import conformance
from cloud_costs.charges.columns import focus_columns
from cloud_costs.charges.conformance import Counts, bills_table, gaps_table
from cloud_costs.charges.conformance_gaps import COUNTED_OTHERWISE, GAPS
from cloud_costs.charges.views import refresh_views
from cloud_costs.database.postgres import Database
from cloud_costs.demo import conformance as command
from cloud_costs.demo.conformance import Month
from cloud_costs.demo.embedded_postgres import Server
from cloud_costs.publishing.sync import load_month
from cloud_costs.storage.local import LocalStorage

PAGE = Path(__file__).parents[2] / "docs" / "focus-conformance.md"


@dataclass(frozen=True)
class Loaded:
    """The months that `make conformance` checks, all in one database."""

    database: Database
    months: tuple[Month, ...]

    def counts(self) -> dict[str, dict[str, Counts]]:
        found: dict[str, dict[str, Counts]] = {}
        for month in self.months:
            count = conformance.count_gaps(self.database, month.source.name, month.provider)
            found.setdefault(month.provider, {})[month.title] = count
        return found


@pytest.fixture(scope="module")
def loaded(postgres: Server, tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    database = command.scratch_database(postgres)
    months = tuple(command.months(tmp_path_factory.mktemp("conformance")))
    for month in months:
        load_month(database, LocalStorage(), month.source, month.billing_month)
    refresh_views(database)
    return Loaded(database, months)


@pytest.fixture(scope="module")
def counts(loaded: Loaded) -> dict[str, dict[str, Counts]]:
    return loaded.counts()


def with_unloaded_months(page: str, counts: dict[str, dict[str, Counts]]) -> dict[str, dict[str, Counts]]:
    """Return the counts, of a real month that is not beside the project as the page has them."""
    if command.REAL in counts["AWS"]:
        return counts
    section = page.partition("\n## AWS\n")[2].partition("\n## ")[0]
    rows = [line[2:-2].split(" | ") for line in section.splitlines() if line.startswith("| ")]
    column = rows[0].index(command.REAL)
    broken = {row[0]: int(row[column].replace(",", "")) for row in rows[2:]}
    charges = re.search(rf"^\| AWS \| {command.REAL} \| ([\d,]+) ", page, re.MULTILINE)
    assert charges
    real = Counts(int(charges[1].replace(",", "")), broken)
    return counts | {"AWS": counts["AWS"] | {command.REAL: real}}


def tables_of(counts: Mapping[str, Mapping[str, Counts]]) -> dict[str, str]:
    return {"Bills": bills_table(counts)} | {name: gaps_table(name, bills) for name, bills in counts.items()}


def test_no_count_of_the_page_is_older_than_the_code(counts: dict[str, dict[str, Counts]]) -> None:
    page = PAGE.read_text(encoding="utf-8")
    for heading, table in tables_of(with_unloaded_months(page, counts)).items():
        if os.environ.get("UPDATE_DOCS"):
            pattern = rf"(\n## {heading}\n(?:(?!\n## |\n\|).)*\n)(?:\|[^\n]*\n)+"
            page = re.sub(pattern, lambda found, table=table: f"{found[1]}{table}\n", page, count=1, flags=re.DOTALL)
            PAGE.write_text(page, encoding="utf-8")
        assert f"{table}\n" in page.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def test_every_gap_is_broken_by_a_bill(counts: dict[str, dict[str, Counts]]) -> None:
    if command.REAL not in counts["AWS"]:
        pytest.skip("../shared/data is not there")
    for provider, bills in counts.items():
        idle = [gap.rule for gap in GAPS[provider] if not any(count.broken[gap.rule] for count in bills.values())]
        assert idle == [], provider


def test_export_has_the_columns_of_the_specification_and_exact_sums(loaded: Loaded, tmp_path: Path) -> None:
    month, path = loaded.months[0], tmp_path / "export.parquet"
    count = conformance.export_month(loaded.database, month.source.name, month.billing_month, path)
    export = pq.read_table(path)
    assert count == export.num_rows
    assert export.column_names == [column.focus_name for column in focus_columns() if column.focus_name]
    assert len(export.column_names) == 57
    assert export.schema.field("BillingAccountId").type == pa.string()
    assert str(export["BillingAccountId"][0]) == "011254002932"
    assert export.schema.field("ChargePeriodStart").type == pa.timestamp("us", tz="UTC")
    sums = [pc.sum(export[name]).as_py() for name in ("BilledCost", "EffectiveCost", "ListCost")]
    with loaded.database.session() as connection:
        statement = (
            f"select sum(billedcost), sum(effectivecost), sum(listcost) from conformance.{month.source.name}_focus"
        )
        assert sums == list(connection.execute(statement).fetchone())


@pytest.mark.slow
@pytest.mark.skipif(not command.VALIDATOR.exists(), reason="make conformance has not made its environment")
def test_no_rule_fails_but_known_and_documented_ones(
    loaded: Loaded, counts: dict[str, dict[str, Counts]], tmp_path: Path
) -> None:
    path = tmp_path / "export.parquet"
    for month in loaded.months:
        conformance.export_month(loaded.database, month.source.name, month.billing_month, path)
        _, failures = conformance.validate(command.VALIDATOR, path)
        assert conformance.new_rules(month.provider, failures) == [], month
        found = {failure.rule: failure.rows for failure in failures}
        counted = counts[month.provider][month.title].broken
        assert {rule: found.get(rule, 0) for rule in counted if rule not in COUNTED_OTHERWISE} == {
            rule: rows for rule, rows in counted.items() if rule not in COUNTED_OTHERWISE
        }, month


def test_sku_price_has_one_sku_where_the_export_has_no_rate_codes(loaded: Loaded) -> None:
    if not command.REAL_MONTH.exists():
        pytest.skip("../shared/data is not there")
    with loaded.database.session() as connection:
        shared = "select skupriceid from conformance.workshop_focus group by 1 having count(distinct skuid) <> 1"
        assert connection.execute(shared).fetchall() == []
        filled = "select count(*) filter (where skupriceid is null), count(*) from conformance.workshop_focus"
        assert connection.execute(filled).fetchall() == [(0, 119_316)]
