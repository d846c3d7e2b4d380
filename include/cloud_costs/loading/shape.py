"""What a delivery holds, read before anything is copied: its raw columns, and each file's own."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal

from psycopg import sql

from cloud_costs.database.postgres import Connection, Database
from cloud_costs.loading.columns import Column
from cloud_costs.storage.files import Storage, StoredFile

Progress = Callable[[int], None]


class Stopped(Exception):
    """Another stream failed."""


@dataclass(frozen=True)
class FileShape:
    """The PostgreSQL types of the columns of one file by the exporter's name, in order.

    `renamed` are the file's own names of the columns that are called otherwise here (`Delivery.renamed`).
    `row_groups` are the rows that Parquet's footer counts in each, `footer` is what was read of it, packed: unpacked
    it takes megabytes for each file. A CSV file has neither, and neither have JSON lines.
    """

    file: StoredFile
    types: Mapping[str, str]
    row_groups: tuple[int, ...] = ()
    footer: bytes | None = None
    renamed: Mapping[str, str] = field(default_factory=dict)

    def own_name(self, name: str) -> str:
        """Return what the file itself calls a column."""
        return self.renamed.get(name, name)

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
class Copied:
    """What one stream stored of a file: how many rows, and the transaction that did it, which is their `xmin`."""

    rows: int
    transaction: int


@dataclass(frozen=True)
class StagedFile:
    """A file whose lines are stored: how many, and by which transactions."""

    file: StoredFile
    rows: int
    transactions: tuple[int, ...]


@dataclass(frozen=True)
class Fact:
    """What a file holds of one column of the mapping; `column` is empty for what is of the whole line.

    `value` is the value of a key that `number` lines have, None where they have none.
    """

    uri: str
    column: str
    kind: str
    number: Decimal
    value: str | None = None


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

    @contextmanager
    def transaction(self) -> Iterator["_Transaction"]:
        """Open a connection and a transaction in which all of the copy is stored."""
        with self.database.session() as connection, connection.transaction():
            row = connection.execute("select pg_current_xact_id()::xid::text::bigint").fetchone()
            yield _Transaction(connection, row[0] if row else 0)

    def report(self, rows: int) -> None:
        """Count rows that were sent; raises `Stopped` when another stream failed."""
        if self.stop.is_set():
            raise Stopped
        if self.progress:
            self.progress(rows)


@dataclass(frozen=True)
class _Transaction:
    """An open transaction: the lines that it stores have `number` as their `xmin`."""

    connection: Connection
    number: int
