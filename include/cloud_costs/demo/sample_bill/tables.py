"""The interface of renderers and writers: a renderer gives columns and the rows of a line, and a writer makes files."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal, TypeAlias

from cloud_costs.demo.sample_bill.lines import Line

ColumnType = Literal["string", "double", "timestamp", "map<string,string>", "map<string,double>"]
Cell: TypeAlias = str | Decimal | datetime | Mapping[str, str | Decimal]
Row: TypeAlias = Mapping[str, Cell]


@dataclass(frozen=True)
class Column:
    """A column of the files; `key` finds its cell in a row."""

    name: str
    type: ColumnType
    key: str
    category: str = ""


@dataclass(frozen=True)
class Table:
    """The columns of a month, and the rows that a line becomes.

    `nulls` says whether an absent cell of a Parquet file is NULL, or '' and 0 as in AWS's usage reports.
    """

    columns: Sequence[Column]
    rows_of: Callable[[Line], Iterable[Row]]
    nulls: bool = False
