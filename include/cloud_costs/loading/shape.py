"""What a delivery holds, read before anything is copied: its raw columns, and each file's own."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from psycopg import sql

from cloud_costs.database.postgres import Database
from cloud_costs.loading.columns import Column
from cloud_costs.storage.files import Storage, StoredFile

Progress = Callable[[int], None]


class Stopped(Exception):
    """Another stream failed."""


@dataclass(frozen=True)
class FileShape:
    """The PostgreSQL types of the columns of one file by the exporter's name, in order.

    `row_groups` are the rows that Parquet's footer counts in each, `footer` is what was read of it, packed: unpacked
    it takes megabytes for each file. A CSV file has neither.
    """

    file: StoredFile
    types: Mapping[str, str]
    row_groups: tuple[int, ...] = ()
    footer: bytes | None = None

    @property
    def rows(self) -> int | None:
        """What the file says of its rows."""
        return None if self.footer is None else sum(self.row_groups)


@dataclass(frozen=True)
class Shape:
    """What a delivery holds: the raw columns that are kept, and each file's own."""

    columns: tuple[Column, ...]
    files: tuple[FileShape, ...]


@dataclass(frozen=True)
class Copy:
    """A file, or some row groups of one, on the way to staging; `columns` are those that are kept, in its order."""

    database: Database
    storage: Storage
    where: str
    shape: FileShape
    row_groups: Sequence[int]
    columns: tuple[Column, ...]
    table: sql.Identifier
    stop: threading.Event
    progress: Progress | None = None

    def statement(self, options: sql.Composable) -> sql.Composed:
        """Return the COPY statement for the columns."""
        names = sql.SQL(", ").join(sql.Identifier(column.name) for column in self.columns)
        return sql.SQL("copy {} ({}) from stdin ({})").format(self.table, names, options)

    def report(self, rows: int) -> None:
        """Count rows that were sent; raises `Stopped` when another stream failed."""
        if self.stop.is_set():
            raise Stopped
        if self.progress:
            self.progress(rows)
