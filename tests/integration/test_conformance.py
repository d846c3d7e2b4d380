"""The export that `make conformance` checks, and the check itself where its environment is there."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from cloud_costs.charges import conformance
from cloud_costs.charges.columns import focus_columns
from cloud_costs.charges.conformance_gaps import GAPS
from cloud_costs.database.postgres import Database
from cloud_costs.demo import conformance as command
from cloud_costs.demo.conformance import Month
from cloud_costs.demo.embedded_postgres import Server


@pytest.fixture(scope="module")
def sample_month(postgres: Server, tmp_path_factory: pytest.TempPathFactory) -> tuple[Month, Database]:
    month = next(command.months(tmp_path_factory.mktemp("conformance")))
    return month, command.load(postgres, month)


@pytest.fixture(scope="module")
def real_month(postgres: Server, tmp_path_factory: pytest.TempPathFactory) -> tuple[Month, Database]:
    months = list(command.months(tmp_path_factory.mktemp("conformance")))
    if len(months) < 2:
        pytest.skip("../shared/data is not there")
    return months[1], command.load(postgres, months[1])


@pytest.fixture
def export(sample_month: tuple[Month, Database], tmp_path: Path) -> Iterator[pa.Table]:
    month, database = sample_month
    path = tmp_path / "export.parquet"
    assert conformance.export_month(database, month.billing_month, path) == 5855
    return pq.read_table(path)


def test_export_has_the_columns_of_the_specification_and_exact_sums(
    sample_month: tuple[Month, Database], export: pa.Table
) -> None:
    assert export.column_names == [column.focus_name for column in focus_columns() if column.focus_name]
    assert len(export.column_names) == 57
    assert export.schema.field("BillingAccountId").type == pa.string()
    assert str(export["BillingAccountId"][0]) == "011254002932"
    assert export.schema.field("ChargePeriodStart").type == pa.timestamp("us", tz="UTC")
    sums = [pc.sum(export[name]).as_py() for name in ("BilledCost", "EffectiveCost", "ListCost")]
    with sample_month[1].session() as connection:
        statement = "select sum(billedcost), sum(effectivecost), sum(listcost) from sample.focus_costs"
        assert sums == list(connection.execute(statement).fetchone())


def test_rows_that_the_validator_does_not_see_are_as_documented(sample_month: tuple[Month, Database]) -> None:
    month, database = sample_month
    documented = {gap.rule: gap.rows[month.title] for gap in GAPS if gap.unseen}
    assert conformance.count_unseen(database) == documented


@pytest.mark.slow
@pytest.mark.skipif(not command.VALIDATOR.exists(), reason="make conformance has not made its environment")
@pytest.mark.parametrize("name", ["sample_month", "real_month"])
def test_no_rule_fails_but_known_and_documented_ones(name: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    month, database = request.getfixturevalue(name)
    path = tmp_path / "export.parquet"
    conformance.export_month(database, month.billing_month, path)
    _, failures = conformance.validate(command.VALIDATOR, path)
    assert conformance.new_rules(failures) == []
    documented = {gap.rule: gap.rows[month.title] for gap in GAPS if not gap.unseen and gap.rows[month.title]}
    found = {failure.rule: failure.rows for failure in failures}
    assert {rule: rows for rule, rows in found.items() if rule in documented} == documented
    unseen = {gap.rule: gap.rows[month.title] for gap in GAPS if gap.unseen}
    assert conformance.count_unseen(database) == unseen


def test_sku_price_has_one_sku_where_the_export_has_no_rate_codes(real_month: tuple[Month, Database]) -> None:
    with real_month[1].session() as connection:
        shared = "select skupriceid from workshop.focus_costs group by 1 having count(distinct skuid) <> 1"
        assert connection.execute(shared).fetchall() == []
        filled = "select count(*) filter (where skupriceid is null), count(*) from workshop.focus_costs"
        assert connection.execute(filled).fetchall() == [(0, 119_316)]
