"""What a delivery holds, read before anything is copied: its raw columns, and each file's own."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from psycopg import sql

from cloud_costs.columns import Column
from cloud_costs.postgres import Database
from cloud_costs.storage import Storage, StoredFile

Progress = Callable[[int], None]


class Stopped(Exception):
    """Another stream failed."""


@dataclass(frozen=True)
class FileShape:
    """The columns of one file by the exporter's name, in order.

    `types` are PostgreSQL's, `duckdb_types` those that Parquet's footer gives, `rows` what it counts; a CSV file
    has neither.
    """

    file: StoredFile
    types: Mapping[str, str]
    duckdb_types: Mapping[str, str] = field(default_factory=dict)
    rows: int | None = None


@dataclass(frozen=True)
class Shape:
    """What a delivery holds: the raw columns that are kept, and each file's own."""

    columns: tuple[Column, ...]
    files: tuple[FileShape, ...]


@dataclass(frozen=True)
class Copy:
    """One file on its way into the staging table; `columns` are those of it that are kept, in its order."""

    database: Database
    storage: Storage
    where: str
    shape: FileShape
    columns: tuple[Column, ...]
    table: sql.Identifier
    stop: threading.Event
    progress: Progress | None = None

    def statement(self, options: sql.Composable) -> sql.Composed:
        """Return the COPY statement for the file's columns, in its order."""
        names = sql.SQL(", ").join(sql.Identifier(column.name) for column in self.columns)
        return sql.SQL("copy {} ({}) from stdin ({})").format(self.table, names, options)

    def report(self, rows: int) -> None:
        """Count rows that were sent; raises `Stopped` when another stream failed."""
        if self.stop.is_set():
            raise Stopped
        if self.progress:
            self.progress(rows)
