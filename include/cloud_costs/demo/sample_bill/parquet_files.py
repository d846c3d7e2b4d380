"""Parquet files, as AWS writes them: snappy, no Arrow schema, timestamps of any of the four physical types."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from cloud_costs.demo.sample_bill.bill import Timestamps
from cloud_costs.demo.sample_bill.tables import Column, ColumnType, Row, Table

_MAPS: dict[ColumnType, Any] = {
    "map<string,string>": pa.map_(pa.string(), pa.string()),
    "map<string,double>": pa.map_(pa.string(), pa.float64()),
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@contextmanager
def parquet_writer(path: Path, table: Table, timestamps: Timestamps) -> Iterator[Callable[[Sequence[Row]], None]]:
    """Give a function that writes rows as one row group."""
    unit = "ns" if timestamps == "int96" else timestamps
    types = {"string": pa.string(), "double": pa.float64(), "timestamp": pa.timestamp(unit, tz="UTC"), **_MAPS}
    schema = pa.schema([(column.name, types[column.type]) for column in table.columns])
    with pq.ParquetWriter(
        path,
        schema,
        compression="snappy",
        use_deprecated_int96_timestamps=timestamps == "int96",
        store_schema=False,
    ) as writer:

        def write(rows: Sequence[Row]) -> None:
            filled = set(chain.from_iterable(rows))
            arrays = [
                _array(rows, column, field.type, table.nulls)
                if column.key in filled
                else _absent(column.type, field.type, len(rows), table.nulls)
                for column, field in zip(table.columns, schema, strict=True)
            ]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema), row_group_size=len(rows))

        yield write


def _absent(kind: ColumnType, arrow_type: Any, count: int, nulls: bool) -> Any:
    """Return a column that no row has a cell of."""
    if nulls:
        return pa.nulls(count, arrow_type)
    if kind in _MAPS:
        return pa.array([[]] * count, arrow_type)
    return pa.repeat(pa.scalar("" if kind == "string" else 0.0, arrow_type), count)


def _array(rows: Sequence[Row], column: Column, arrow_type: Any, nulls: bool) -> Any:
    key: str = column.key
    cells: Sequence[Any]
    if column.type in _MAPS:
        return _map_array([row.get(key) for row in rows], arrow_type, nulls)
    if column.type == "timestamp":
        cells = [_milliseconds(row[key]) for row in rows]
        return pa.array(cells, pa.int64()).cast(pa.timestamp("ms", "UTC")).cast(arrow_type)
    if column.type == "string":
        absent = None if nulls else ""
        return pa.array([row.get(key, absent) for row in rows], arrow_type)
    number = None if nulls else 0.0
    cells = [row.get(key, number) for row in rows]
    return pa.array([cell if cell is None else float(cell) for cell in cells], arrow_type)


def _map_array(cells: Sequence[Any], arrow_type: Any, nulls: bool) -> Any:
    """Return a column of maps from their flat entries, which Arrow takes much faster than maps."""
    offsets: list[int | None] = []
    keys: list[str] = []
    values: list[Any] = []
    for cell in cells:
        offsets.append(None if nulls and not cell else len(keys))
        if cell:
            keys.extend(cell)
            values.extend(cell.values())
    items = values if arrow_type.item_type == pa.string() else [float(value) for value in values]
    return pa.MapArray.from_arrays(
        pa.array([*offsets, len(keys)], pa.int32()), pa.array(keys, pa.string()), pa.array(items, arrow_type.item_type)
    )


@cache
def _milliseconds(instant: datetime) -> int:
    return int((instant - _EPOCH).total_seconds()) * 1000
