"""The files of a run, in each form that Google's export is found in: nested Parquet, JSON lines, CSV with dotted names.

Parquet has the types that BigQuery gives it. JSON lines leave NULL values out, and have integers and decimals as texts,
as BigQuery writes them. In CSV, objects are columns with dotted names, and lists are JSON texts.
"""

import csv
import gzip
import io
import json
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from cloud_costs.demo.sample_bill.gcp.lines import Line, Values, double

_TEXT, _DOUBLE, _NUMERIC = pa.string(), pa.float64(), pa.decimal128(38, 9)
_TIME = pa.timestamp("us", tz="UTC")
_PAIRS = pa.list_(pa.struct({"key": _TEXT, "value": _TEXT}))
SCHEMA = pa.schema(
    {
        "billing_account_id": _TEXT,
        "invoice": pa.struct({"month": _TEXT, "publisher_type": _TEXT}),
        "cost_type": _TEXT,
        "service": pa.struct({"id": _TEXT, "description": _TEXT}),
        "sku": pa.struct({"id": _TEXT, "description": _TEXT}),
        "usage_start_time": _TIME,
        "usage_end_time": _TIME,
        "project": pa.struct(
            {
                "id": _TEXT,
                "number": _TEXT,
                "name": _TEXT,
                "labels": _PAIRS,
                "ancestry_numbers": _TEXT,
                "ancestors": pa.list_(pa.struct({"resource_name": _TEXT, "display_name": _TEXT})),
            }
        ),
        "labels": _PAIRS,
        "system_labels": _PAIRS,
        "tags": pa.list_(
            pa.struct({"key": _TEXT, "value": _TEXT, "inherited": pa.bool_(), "namespace": _TEXT})
        ),
        "location": pa.struct({"location": _TEXT, "country": _TEXT, "region": _TEXT, "zone": _TEXT}),
        "resource": pa.struct({"name": _TEXT, "global_name": _TEXT}),
        "cost": _DOUBLE,
        "currency": _TEXT,
        "currency_conversion_rate": _DOUBLE,
        "usage": pa.struct(
            {"amount": _DOUBLE, "unit": _TEXT, "amount_in_pricing_units": _DOUBLE, "pricing_unit": _TEXT}
        ),
        "credits": pa.list_(
            pa.struct({"name": _TEXT, "amount": _DOUBLE, "full_name": _TEXT, "id": _TEXT, "type": _TEXT})
        ),
        "adjustment_info": pa.struct({"id": _TEXT, "description": _TEXT, "mode": _TEXT, "type": _TEXT}),
        "export_time": _TIME,
        "price": pa.struct(
            {
                "effective_price": _NUMERIC,
                "list_price": _NUMERIC,
                "tier_start_amount": _NUMERIC,
                "unit": _TEXT,
                "pricing_unit_quantity": _NUMERIC,
            }
        ),
        "cost_at_list": _DOUBLE,
        "transaction_type": _TEXT,
        "seller_name": _TEXT,
        "subscription": pa.struct({"instance_id": _TEXT}),
        "consumption_model": pa.struct({"id": _TEXT, "description": _TEXT}),
    }
)  # fmt: skip


def write_file(path: Path, form: str, lines: Sequence[Line], first: int) -> None:
    """Write some lines of a run to a file. `first` is the number in the run of the first of them."""
    rows = [_exported(line.values, (first + number) % 3 == 0) for number, line in enumerate(lines)]
    path.parent.mkdir(parents=True, exist_ok=True)
    if form == "parquet":
        pq.write_table(pa.Table.from_pylist(rows, SCHEMA), path, compression="snappy", row_group_size=20_000)
        return
    text = _json(rows) if form.startswith("json") else _csv(rows)
    data = text.encode()
    path.write_bytes(gzip.compress(data, mtime=0) if form.endswith(".gz") else data)


def _exported(values: Values, noisy: bool) -> Values:
    """Return a line with the doubles that Google has for amounts; prices stay decimals."""

    def read(name: str, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: item if name == "price" else read(key, item) for key, item in value.items()}
        if isinstance(value, list):
            return [read(name, item) for item in value]
        return double(value, noisy) if isinstance(value, Decimal) else value

    return {name: read(name, value) for name, value in values.items()}


def _json(rows: Sequence[Values]) -> str:
    return "".join(json.dumps(_without_nulls(row), default=_text, ensure_ascii=False) + "\n" for row in rows)


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value


def _text(value: Any) -> str:
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def _csv(rows: Sequence[Values]) -> str:
    columns = list(_columns())
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow([name for name, _ in columns])
    writer.writerows([_cell(read(row)) for _, read in columns] for row in rows)
    return out.getvalue()


def _columns() -> Iterator[tuple[str, Callable[[Values], Any]]]:
    for field in SCHEMA:
        if pa.types.is_struct(field.type):
            for inner in field.type:
                yield f"{field.name}.{inner.name}", _reader(field.name, inner.name)
        else:
            yield field.name, _reader(field.name)


def _reader(name: str, inner: str | None = None) -> Callable[[Values], Any]:
    if inner is None:
        return lambda row: row[name]
    return lambda row: (row[name] or {}).get(inner)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return json.dumps(_without_nulls(value), default=_text, ensure_ascii=False)
    return repr(value) if isinstance(value, float) else _text(value)
