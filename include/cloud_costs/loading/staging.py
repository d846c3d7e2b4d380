"""Stream the files of a delivery into a staging table, several at once.

Each stream has a connection of its own: a connection runs one COPY at a time, and PostgreSQL gives each connection one
process. Two streams therefore use two cores of the server.
"""

import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from datetime import date
from types import MappingProxyType

from psycopg import sql

from cloud_costs.database.postgres import NO_AUTOVACUUM, Connection, Database
from cloud_costs.errors import DeliveryError
from cloud_costs.formats.delivery import Delivery, Format
from cloud_costs.formats.mapping import billed_columns, is_read
from cloud_costs.loading import csv_files, json_files, parquet_files
from cloud_costs.loading.arrow_buffers import spare_memory
from cloud_costs.loading.binary_copy import FIXED
from cloud_costs.loading.columns import MAX_COLUMNS, RESERVED, Column, merge_types, raw_names
from cloud_costs.loading.shape import Copied, Copy, FileShape, Progress, Shape, StagedFile, Stopped
from cloud_costs.messages import safe
from cloud_costs.storage.files import Storage, StoredFile

log = logging.getLogger(__name__)

# Fewest rows of a part. Each part opens a connection, which takes some milliseconds, so parts are not smaller.
PART_ROWS = 50_000


def read_file_shape(storage: Storage, where: str, delivery: Delivery, file: StoredFile, form: Format) -> FileShape:
    """Read the footer or header of one file of a delivery, or the keys of its JSON lines.

    A file of any other name is taken for Parquet. Raises `DeliveryError` for a file that cannot be read.
    """
    if csv_files.is_csv(file):
        shape = csv_files.read_shape(storage, where, file, form)
    elif json_files.is_json(file):
        shape = json_files.read_shape(storage, where, file, form)
    else:
        shape = parquet_files.read_shape(storage, where, file)
    return _renamed(shape, delivery.renamed.get(file.uri, {}))


def _renamed(shape: FileShape, names: Mapping[str, str]) -> FileShape:
    """Return the shape with new names for some columns. `names` has the new name for each old one, whatever its case.

    Of several old names that have the same new one, the first that the file has is renamed.
    """
    # Of names that differ only in case, the first one in the file stays in the dictionary.
    own = {name.lower(): name for name in reversed(list(shape.types))}
    renamed: dict[str, str] = {}
    for old, new in names.items():
        if old in own:
            renamed.setdefault(new, own[old])
    called = {old: new for new, old in renamed.items()}
    types = {called.get(name, name): kind for name, kind in shape.types.items()}
    return replace(shape, types=types, renamed=renamed)


def names_by_rule(files: Sequence[StoredFile]) -> bool:
    """Tell whether the format's rule names the raw columns. Parquet files already have the names of raw tables."""
    return all(csv_files.is_csv(file) or json_files.is_json(file) for file in files)


def read_shape(
    storage: Storage,
    delivery: Delivery,
    form: Format,
    published: Mapping[str, str],
    known: Mapping[str, str] = MappingProxyType({}),
    *,
    mapped: bool = False,
) -> Shape:
    """Read the footers or headers of all files and decide the raw columns.

    The type of a column holds the values of every file, and the published column can be widened to it. `published` has
    the types of the published columns by raw name, and `known` the raw names of exported columns, which stay. With
    `mapped`, columns that the format's FOCUS mapping does not read are left out.

    Raises `DeliveryError` for more columns than a table can have, and for a file that has no column to keep or lacks
    the billed cost. Raises `ColumnTypeError` for a column whose types have no common one.
    """
    where = delivery.manifest.label
    files = tuple(read_file_shape(storage, where, delivery, file, form) for file in delivery.files)
    originals = dict.fromkeys(name for file in files for name in file.types)
    by_rule = names_by_rule([file.file for file in files])
    names = raw_names(originals, known, form.raw_name if by_rule else str.lower)
    kept = [name for name in originals if not mapped or is_read(form, names[name])]
    by_file = {
        file.file.uri: {names[name]: file.types[name] for name in kept if name in file.types}
        for file in files
        # JSON lines have no header: one of several files may be empty.
        if file.types or not originals
    }
    for uri, columns in by_file.items():
        if not columns:
            raise DeliveryError(f"{where}: {uri}: the FOCUS mapping {form.mapping} reads none of its columns")
        if billed_columns(form).isdisjoint(columns):
            billed = (form.billed,) if isinstance(form.billed, str) else form.billed
            raise DeliveryError(
                f"{where}: {uri}: it has no column {billed[0]!r}, which says what is billed; export it too"
            )
    merged = merge_types(where, by_file, published)
    # The raw table keeps the columns of all months, and each of its partitions has them all.
    together = len({*merged, *published} - {RESERVED})
    if together > MAX_COLUMNS:
        raise DeliveryError(
            f"{where}: {len(merged)} columns in all files, {together} with those of the published months; PostgreSQL "
            f"takes {MAX_COLUMNS} at most: leave columns out of the export, or load it as a source of another name"
        )
    ordered = [Column(names[original], original, merged[names[original]]) for original in kept]
    # PostgreSQL reads a row from its start to the last column that a query asks for. So the columns that the mapping
    # reads come first, and those of a fixed width before texts, whose end is found by walking over them.
    ordered.sort(key=lambda column: (not is_read(form, column.name), column.type not in FIXED))
    return Shape(tuple(ordered), files)


def create_raw_table(connection: Connection, table: sql.Identifier, columns: tuple[Column, ...], month: date) -> None:
    """Create the staging table of the raw lines, ready to become the month's partition.

    `month` is both the default and the only allowed value of `billing_period`. PostgreSQL scans a table that it
    attaches as a partition, unless such a CHECK constraint proves that every row belongs there.
    """
    definitions = [
        sql.SQL("{name} date not null default {month} check ({name} = {month})").format(
            name=sql.Identifier(RESERVED), month=sql.Literal(month)
        )
    ]
    definitions += [sql.SQL("{} {}").format(sql.Identifier(c.name), sql.SQL(c.type)) for c in columns]
    connection.execute(
        sql.SQL("create table {} ({}) with ({})").format(table, sql.SQL(", ").join(definitions), NO_AUTOVACUUM)
    )


def copy_files(
    database: Database,
    storage: Storage,
    where: str,
    shape: Shape,
    table: sql.Identifier,
    streams: int,
    progress: Progress | None = None,
) -> tuple[StagedFile, ...]:
    """Copy every file into the table, over `streams` connections at most, and return what was stored of each.

    Each part of a file is a transaction of its own. Raises `DeliveryError` for a file that cannot be read. The first
    failure stops the other streams, and the caller drops the table with what they stored.
    """
    stop = threading.Event()
    by_original = {column.original: column for column in shape.columns}

    def copy(part: _Part) -> tuple[_Part, Copied]:
        if stop.is_set():
            raise Stopped
        columns = tuple(by_original[original] for original in part.shape.types if original in by_original)
        one = Copy(database, storage, where, part.shape, part.row_groups, columns, table, stop, progress)
        file = part.shape.file
        copied = _copy_file(one)
        log.info("%s: copied %s%s: %s rows", where, safe(file.uri), part.label, copied.rows)
        return part, copied

    # The largest first: otherwise one stream could work on a large part alone after the others have ended.
    parts = sorted((part for file in shape.files for part in _parts(file)), key=lambda part: -part.size)
    workers = max(1, min(streams, len(parts)))
    with spare_memory(), ThreadPoolExecutor(max_workers=workers, thread_name_prefix="copy") as pool:
        copies = [pool.submit(copy, part) for part in parts]
        try:
            return _by_file(shape, [done.result() for done in as_completed(copies)])
        finally:
            # After a failure, or an interrupt of this thread, each stream ends after its current slice.
            stop.set()
            for one in copies:
                one.cancel()


def _copy_file(copy: Copy) -> Copied:
    file = copy.shape.file
    if csv_files.is_csv(file):
        return csv_files.copy_file(copy)
    return json_files.copy_file(copy) if json_files.is_json(file) else parquet_files.copy_file(copy)


def _by_file(shape: Shape, copied: Sequence[tuple["_Part", Copied]]) -> tuple[StagedFile, ...]:
    """Return what was stored of each file, in the order of the delivery. Its parts ended in any order."""
    staged = []
    for file in shape.files:
        own = [one for part, one in copied if part.shape is file]
        staged.append(
            StagedFile(file.file, sum(one.rows for one in own), tuple(sorted(one.transaction for one in own)))
        )
    return tuple(staged)


@dataclass(frozen=True)
class _Part:
    """The work of one stream: a file, or some row groups of a large Parquet file. `size` is about its bytes."""

    shape: FileShape
    row_groups: Sequence[int] = ()
    size: float = 0

    @property
    def label(self) -> str:
        if self.shape.footer is None or len(self.row_groups) == len(self.shape.row_groups):
            return ""
        return f" (row groups {self.row_groups[0]} to {self.row_groups[-1]})"


def _parts(shape: FileShape) -> Iterator[_Part]:
    """Yield the row groups of a Parquet file in parts of at least `PART_ROWS` rows, and any other file as one part.

    Only a row group can be read from the middle of a file. Text files, packed or not, are read from their start.
    """
    if shape.footer is None:
        yield _Part(shape, (), shape.file.size)
        return
    groups: list[int] = []
    rows = 0
    for number, count in enumerate(shape.row_groups):
        groups.append(number)
        rows += count
        if rows >= PART_ROWS or number + 1 == len(shape.row_groups):
            yield _Part(shape, groups, shape.file.size * rows / max(sum(shape.row_groups), 1))
            groups, rows = [], 0
