"""What travels between the steps of loading: the shape of files, the copy of one, and what was stored.

The shape of every file is read before anything is copied, because the raw table needs the columns of all of them.
"""

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
    """Another stream failed, so this one gives up. The other's error is the one that is reported."""


@dataclass(frozen=True)
class FileShape:
    """The PostgreSQL types of the columns of one file by the exporter's name, in the order of the file.

    `renamed` has the file's own name of each column that has another name here (`Delivery.renamed`). For Parquet,
    `row_groups` has the number of rows of each row group, and `footer` the footer, compressed: otherwise it takes
    megabytes for each file. CSV files and JSON lines have neither.
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
        """How many rows the file itself says it has; only Parquet says so."""
        return None if self.footer is None else sum(self.row_groups)


@dataclass(frozen=True)
class Shape:
    """The shape of a delivery: the raw columns that are kept, and the shape of each file."""

    columns: tuple[Column, ...]
    files: tuple[FileShape, ...]


@dataclass(frozen=True)
class Copied:
    """What one stream stored of a file: how many rows, and the id of its transaction, which is the `xmin` of the rows.

    By `xmin` the audit tells which stored lines came from which file, without a column for it.
    """

    rows: int
    transaction: int


@dataclass(frozen=True)
class StagedFile:
    """A file whose lines are stored: how many there are, and the ids of the transactions that stored them."""

    file: StoredFile
    rows: int
    transactions: tuple[int, ...]


@dataclass(frozen=True)
class Fact:
    """One thing that the second engine says of a file: a column, a kind of fact and a number.

    `column` is empty for facts about whole lines. For a key, `number` is how many lines have the `value`, and a `value`
    of None stands for the lines without one.
    """

    uri: str
    column: str
    kind: str
    number: Decimal
    value: str | None = None


@dataclass(frozen=True)
class Copy:
    """A file, or some row groups of one, on its way to the staging table.

    `columns` are those that are kept, in the order of the file. Another stream's failure sets `stop`. `progress` is
    told how many rows were sent.
    """

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
            # `xmin` has the lower 32 bits of the id, which is what the cast to xid keeps. Asking for the id assigns it.
            row = connection.execute("select pg_current_xact_id()::xid::text::bigint").fetchone()
            yield _Transaction(connection, row[0] if row else 0)

    def report(self, rows: int) -> None:
        """Report rows that were sent; raises `Stopped` when another stream failed."""
        if self.stop.is_set():
            raise Stopped
        if self.progress:
            self.progress(rows)


@dataclass(frozen=True)
class _Transaction:
    """An open transaction: the lines that it stores have `number` as their `xmin`."""

    connection: Connection
    number: int
