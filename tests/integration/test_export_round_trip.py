"""Exports of the demo's months: DuckDB and pandas read them to the last digit, and `format: focus` loads them back."""

import json
from decimal import Decimal
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow.parquet as pq
import pytest
from conftest import in_schema
from pipeline import JANUARY, load_month

from cloud_costs.charges.focus_versions import columns_of_version
from cloud_costs.config.exports import Export
from cloud_costs.config.sources import Source
from cloud_costs.demo.bills import EXPORTS
from cloud_costs.exporting.months import export_month
from cloud_costs.formats.focus.versions import VERSIONS
from cloud_costs.storage.local import LocalStorage

FOCUS_SUMS = "sum(BilledCost), sum(EffectiveCost), sum(ListCost), sum(ContractedCost)"
# Every column of `costs` that says something of the bill, and not of the load.
COLUMNS = """
    date, billing_period, billing_account_id, account_id, account_name, service, region, charge_category,
    cost, effective_cost, list_cost, currency, invoice_id, tags, line_items, cloud_provider
"""
DIFFERENT = f"""
    (select {COLUMNS} from {{ours}} except all select {COLUMNS} from {{theirs}})
    union all
    (select {COLUMNS} from {{theirs}} except all select {COLUMNS} from {{ours}})
"""


def exported(demo, folder: Path, source: str, **settings):
    """Export January of a source of the demo; return the manifest, and the paths of its files."""
    export = Export(to=f"file://{folder}/", **settings)
    outcome = export_month(demo, LocalStorage(), source, JANUARY, export)
    assert outcome.did == "exported"
    [path] = folder.glob(f"*/source={source}/billing_period=2025-01/_manifest.json")
    names = [str(path.parent / outcome.manifest.folder / file.name) for file in outcome.manifest.files]
    assert json.loads(path.read_text()) == json.loads(outcome.manifest.to_json())
    return outcome.manifest, names


def amounts(manifest, *names):
    return {currency: tuple(Decimal(sums[name]) for name in names) for currency, sums in manifest.sums.items()}


@pytest.mark.parametrize("source", EXPORTS)
def test_duckdb_and_pandas_read_exact_sums_of_focus_charges(demo, tmp_path, source):
    manifest, paths = exported(demo, tmp_path, source)
    query = in_schema(demo)
    where = "where x_source = %s and billing_period = %s group by 1"
    published = {
        currency: tuple(sums)
        for currency, *sums in query(f"select BillingCurrency, {FOCUS_SUMS} from focus_costs {where}", source, JANUARY)
    }
    assert amounts(manifest, "BilledCost", "EffectiveCost", "ListCost", "ContractedCost") == published
    [(rows,)] = query("select count(*) from focus_costs where x_source = %s and billing_period = %s", source, JANUARY)
    assert manifest.rows == rows > 0

    with duckdb.connect() as connection:
        answer = connection.execute(
            f"select BillingCurrency, {FOCUS_SUMS}, typeof(any_value(BilledCost)) from read_parquet(?) group by 1",
            [paths],
        ).fetchall()
    assert {currency: tuple(sums) for currency, *sums, _ in answer} == published
    assert {kind for *_, kind in answer} == {"DECIMAL(38,18)"}

    frame = pd.concat(pd.read_parquet(path) for path in paths)
    assert isinstance(frame["BilledCost"].iloc[0], Decimal)
    assert {currency: sum(group["BilledCost"]) for currency, group in frame.groupby("BillingCurrency")} == {
        currency: sums[0] for currency, sums in published.items()
    }


@pytest.mark.parametrize("file_type", ["parquet", "csv"])
def test_costs_are_exported_with_all_their_columns(demo, tmp_path, file_type):
    manifest, paths = exported(demo, tmp_path, "azure", relation="costs", format=file_type)
    query = in_schema(demo)
    names = ", ".join(column.name for column in manifest.columns)
    published = query(f"select {names} from costs where source = 'azure' and billing_period = %s", JANUARY)
    assert {currency: sums["cost"] for currency, sums in manifest.sums.items()} == {
        currency: f"{cost:f}"
        for currency, cost in query(
            "select currency, sum(cost) from costs where source = 'azure' and billing_period = %s group by 1", JANUARY
        )
    }
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        reader = "read_parquet(?)"
        if file_type == "csv":
            kinds = {"decimal": "varchar", "string": "varchar", "timestamp with time zone": "timestamptz"}
            columns = {one.name: kinds.get(one.type, one.type) for one in manifest.columns}
            reader = f"read_csv(?, header = true, columns = {columns})"
        answer = connection.execute(f"select {names} from {reader}", [paths]).fetchall()

    kinds = [column.type.partition("(")[0] for column in manifest.columns]

    def comparable(rows):
        """Return rows in one order and one spelling; DuckDB has tags as text, and other objects for time zones."""
        read = {
            "decimal": lambda value: Decimal(value).normalize(),
            "json": lambda value: value if isinstance(value, dict) else json.loads(value),
            "timestamp with time zone": lambda value: value.isoformat(),
        }
        return sorted(
            repr([read.get(kind, repr)(value) for kind, value in zip(kinds, row, strict=True)]) for row in rows
        )

    assert len(answer) == manifest.rows
    assert comparable(answer) == comparable(published)


@pytest.mark.parametrize("version", VERSIONS)
def test_columns_are_those_of_the_version_and_our_own(demo, tmp_path, version):
    manifest, paths = exported(demo, tmp_path, "google", version=version)
    assert manifest.relation == "focus_costs"
    assert manifest.focus_version == version
    names = [name for path in paths for name in pq.read_schema(path).names]
    assert [name for name in names if not name.startswith("x_")] == [one.name for one in columns_of_version(version)]
    assert {"x_source", "x_lineitems", "x_lineitemid"} <= set(names)
    # What a version of FOCUS has a column for has no column of our own beside it.
    assert ("x_allocatedtags" in names) == (version in ("1.0", "1.1", "1.2"))
    sums = amounts(manifest, "BilledCost")
    assert sums == {
        currency: (cost,)
        for currency, cost in in_schema(demo)(
            "select billingcurrency, sum(billedcost) from google_focus where billing_period = %s group by 1", JANUARY
        )
    }


@pytest.mark.parametrize(
    ("source", "file_type"), [*((name, "parquet") for name in EXPORTS), ("cup", "csv"), ("google", "csv")]
)
def test_export_is_loaded_back_to_the_same_costs(demo, database, query, tmp_path, source, file_type):
    manifest, _ = exported(demo, tmp_path, source, format=file_type)
    back = Source(
        name="back",
        format="focus",
        uri=f"file://{tmp_path}/focus_costs_v1_2/source={source}/",
        tags=EXPORTS[source].tags,
    )
    load = load_month(database, back, JANUARY)
    assert load.rows == manifest.rows
    assert query("select version from published_months") == [(manifest.version,)]
    ours = "(select * from costs where source = 'back') as ours"
    theirs = (
        f"(select * from \"{demo.schema}\".costs where source = '{source}' and billing_period = '{JANUARY}') as theirs"
    )
    with demo.session() as connection:
        loader = f"{database.schema}_loader"
        connection.execute(f'grant usage on schema "{demo.schema}" to "{loader}"')
        connection.execute(f'grant select on "{demo.schema}".costs to "{loader}"')
    try:
        assert query(f"select count(*) from {theirs}")[0][0] > 0
        assert query(DIFFERENT.format(ours=ours, theirs=theirs)) == []
    finally:
        with demo.session() as connection:
            connection.execute(f'revoke all on "{demo.schema}".costs from "{loader}"')
            connection.execute(f'revoke all on schema "{demo.schema}" from "{loader}"')
