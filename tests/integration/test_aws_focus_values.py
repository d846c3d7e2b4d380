"""What a FOCUS export of AWS becomes: its columns as they are, and 0 where it has no cost."""

from datetime import datetime
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import in_schema
from deliveries import write_month
from pipeline import JANUARY, load_month
from roles import own_schemas

from cloud_costs.charges.columns import focus_columns
from cloud_costs.config.sources import Source
from cloud_costs.demo.sample_bill import Bill

pytestmark = pytest.mark.values("aws_focus")

# What the views add, or the export has no column for.
NOT_EXPORTED = {
    "billing_period": JANUARY,
    "x_lineitems": 1,
    "x_source": "cup",
    "x_typeisknown": True,
    "x_usagetype": "the SkuMeter",
}
COSTS = ("BilledCost", "ContractedCost", "EffectiveCost", "ListCost")
BILL = Bill(format="aws_focus", lines=1, files=1)


def value_of(name, kind, number):
    """Return a value that no other column has."""
    if kind == "double":
        return number + 0.5
    if kind == "timestamp[ms, tz=UTC]":
        return datetime(2025, 1, 1 + number % 28)
    if kind.startswith("map"):
        return [("key", 0.25)] if "double" in kind else [("key", name)]
    return f"the {name}"


@pytest.fixture(scope="module")
def charges(postgres, tmp_path_factory):
    """Two charges: one with a value in every exported column, and one without costs."""
    bucket = tmp_path_factory.mktemp("bucket")
    write_month(BILL, JANUARY, bucket)
    [path] = bucket.rglob("*.parquet")
    schema = pq.read_schema(path)
    full = {field.name: value_of(field.name, str(field.type), n) for n, field in enumerate(schema)}
    full |= {"BillingPeriodStart": datetime(2025, 1, 1), "ChargeCategory": "Usage"}
    bare = full | dict.fromkeys(COSTS) | {"ResourceId": "bare", "BillingCurrency": "XXX"}
    pq.write_table(pa.Table.from_pylist([full, bare], schema), path)
    with own_schemas(postgres) as database:
        uri = f"file://{bucket}/{BILL.prefix}/{BILL.report}/"
        load_month(database, Source(name="cup", format="aws_focus", uri=uri, second_engine=False), JANUARY)
        names = [column.name for column in focus_columns()]
        rows = in_schema(database)(f"select {', '.join(names)} from focus_costs order by ResourceId = 'bare'")
        [(billed,)] = in_schema(database)("select billed_cost from load_history")
        yield full, [dict(zip(names, row, strict=True)) for row in rows], billed


def test_every_exported_column_is_passed_on(charges):
    full, (charge, _), _ = charges
    expected = {name.lower(): value for name, value in full.items()}
    expected |= {name: dict(value) for name, value in expected.items() if isinstance(value, list)}
    expected |= {name: Decimal(str(value)) for name, value in expected.items() if isinstance(value, float)}
    expected |= NOT_EXPORTED
    assert {name: value for name, value in charge.items() if value is not None} == expected


def test_absent_costs_are_zero(charges):
    full, (charge, bare), billed = charges
    changed = {name for name in charge if charge[name] != bare[name]}
    assert changed == {"resourceid", "billingcurrency", *(name.lower() for name in COSTS)}
    assert [bare[name.lower()] for name in COSTS] == [Decimal()] * 4
    assert billed == {"the BillingCurrency": full["BilledCost"], "XXX": 0}
