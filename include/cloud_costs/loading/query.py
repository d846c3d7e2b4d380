"""SQL on the files of a delivery, by DuckDB, before anything is loaded: what an operator needs when a bill looks wrong.

An export of this package is asked in the same way, as one delivery for each month.

Three tables can be queried:

- `lines` has every line of every file. Its columns have the names that they would have in `raw_<source>`, and `file` is
  the number of the file.
- `files` has one row for each file.
- `manifest` has one row for each manifest, with its content.

Parquet columns keep their types. In CSV files and JSON lines, the format's type rule says which columns are numbers or
times. Objects and lists in JSON lines are JSON. All other columns are text.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from cloud_costs.errors import ConfigError
from cloud_costs.formats.delivery import Delivery, Format, Manifest
from cloud_costs.loading.columns import raw_names
from cloud_costs.loading.csv_files import refuse_damaged
from cloud_costs.loading.duckdb_files import DeliveryFiles, Part, open_files
from cloud_costs.loading.second_engine import quoted, reader, timestamp
from cloud_costs.loading.shape import FileShape
from cloud_costs.loading.staging import names_by_rule, read_file_shape
from cloud_costs.months import month_label
from cloud_costs.storage.files import Storage, labelled

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

# DuckDB's decimals have 38 digits; AWS bills have at most 18 decimal places.
TEXT_TYPES = {"numeric": "decimal(38, 18)", "double precision": "double"}
# DuckDB's memory. The command may run on the machine of the loads, and must leave them theirs.
MEMORY = "1GB"
# DuckDB opens a file by a path of ours that begins with the file's number.
FILE_NUMBER = r"regexp_extract(filename, '://([0-9]+)', 1)::integer as file"


@dataclass(frozen=True)
class Answer:
    """The answer of a query. Its rows can be fetched once, as `rows` or as `batches`, while `ask` is open."""

    result: "duckdb.DuckDBPyConnection"

    @property
    def names(self) -> list[str]:
        """The names of the columns."""
        return [column[0] for column in self.result.description or ()]

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """Yield the rows. Numbers are int, Decimal or float, as exact as in the files."""
        with _as_ours():
            while rows := self.result.fetchmany(1000):
                yield from rows

    def batches(self) -> "pa.RecordBatchReader":
        """Return the rows as Arrow's record batches of 10,000 rows."""
        with _as_ours():
            return self.result.to_arrow_reader(10_000)


@contextmanager
def ask(storage: Storage, delivery: Delivery, form: Format, statement: str, *, arrow: bool = False) -> Iterator[Answer]:
    """Run a statement of DuckDB's SQL on a delivery's files. It can read those files and no others.

    `arrow` is for an answer that is fetched in batches. DuckDB would make a double of a 128 bit integer there, so such
    columns become decimals. Raises `ConfigError` with DuckDB's words for a statement that it cannot run, and
    `DeliveryError` for a damaged file.
    """
    with ask_all(storage, (delivery,), form, statement, arrow=arrow) as answer:
        yield answer


@contextmanager
def ask_all(
    storage: Storage, deliveries: Sequence[Delivery], form: Format, statement: str, *, arrow: bool = False
) -> Iterator[Answer]:
    """Run a statement on the files of several deliveries together. See `ask`."""
    shapes, manifests = [], []
    for delivery in deliveries:
        for file in delivery.files:
            shapes.append(read_file_shape(storage, delivery.manifest.label, delivery, file, form))
            manifests.append(delivery.manifest)
            # DuckDB takes a gzip file that is cut for a shorter one, and would answer without a word.
            refuse_damaged(storage, delivery.manifest.label, file)
    where = " and ".join(sorted({delivery.manifest.source for delivery in deliveries}))
    if len(deliveries) == 1:
        where = deliveries[0].manifest.label
    with _as_ours(), open_files(storage, where, [shape.file for shape in shapes], MEMORY) as files:
        connection = files.connection
        _create_files(connection, shapes, manifests)
        _create_manifest(connection, storage, deliveries)
        connection.execute(f"create view lines as {_lines(files, shapes, form)}")
        # From here on no statement can change a setting, such as which files DuckDB may read.
        connection.execute("set lock_configuration = true")
        if arrow:
            statement = _without_huge_integers(connection, statement)
        result = connection.execute(statement)
        if result is None:
            raise ConfigError("the query failed: the statement is empty")
        yield Answer(result)


def _create_files(
    connection: "duckdb.DuckDBPyConnection", shapes: Sequence[FileShape], manifests: Sequence[Manifest]
) -> None:
    connection.execute(
        "create table files (file integer, uri varchar, bytes bigint, etag varchar, modified timestamp, rows bigint, "
        "source varchar, month varchar)"
    )
    rows = [
        [
            *(number, shape.file.uri, shape.file.size, shape.file.etag, shape.file.modified.replace(tzinfo=None)),
            *(shape.rows, manifest.source, month_label(manifest.billing_month)),
        ]
        for number, (shape, manifest) in enumerate(zip(shapes, manifests, strict=True))
    ]
    connection.executemany("insert into files values (?, ?, ?, ?, ?, ?, ?, ?)", rows)


def _create_manifest(connection: "duckdb.DuckDBPyConnection", storage: Storage, deliveries: Sequence[Delivery]) -> None:
    """Make the table of the manifests; `content` is NULL where a listing or a data file stands for one."""
    columns = "source varchar, month varchar, version varchar, uri varchar, etag varchar, content json"
    connection.execute("create table manifest (" + columns + ")")
    for delivery in deliveries:
        manifest = delivery.manifest
        month = month_label(manifest.billing_month)
        for file in manifest.parts or (manifest.file,):
            content = None
            if file.name.endswith(".json"):
                with labelled(manifest.label):
                    content = storage.read(file.uri).decode("utf-8-sig")
            connection.execute(
                "insert into manifest values (?, ?, ?, ?, ?, ?)",
                [manifest.source, month, delivery.version, file.uri, file.etag, content],
            )


def _lines(files: DeliveryFiles, shapes: Sequence[FileShape], form: Format) -> str:
    """Return the select of all lines; files that lack a column of another have NULL in it."""
    types = {shape.file.uri: shape.types for shape in shapes}
    by_rule = names_by_rule([part.file for part in files.parts])
    originals = dict.fromkeys(name for shape in shapes for name in shape.types)
    names = raw_names(originals, rule=form.raw_name if by_rule else str.lower)

    def columns_of(part: Part) -> tuple[str, list[str]]:
        return part.kind, list(types[part.file.uri])

    selects = []
    # One reader takes all files of the same columns at once.
    for _, group in groupby(sorted(files.parts, key=columns_of), key=columns_of):
        parts = list(group)
        exported = types[parts[0].file.uri]
        if not exported:
            continue
        source = reader(parts, exported)
        # DuckDB renames columns that differ only in case. The order stays that of the file.
        found = files.connection.execute(f"select * from {source} limit 0").description or []  # noqa: S608  names are quoted
        columns = [
            f"{_typed(parts[0], quoted(column[0]), kind)} as {quoted(names[original])}"
            for column, (original, kind) in zip(found, exported.items(), strict=False)
        ]
        selects.append(f"select {FILE_NUMBER}, {', '.join(columns)} from {source}")  # noqa: S608  names are quoted
    return " union all by name ".join(selects)


def _typed(part: Part, column: str, kind: str) -> str:
    value = f"nullif({column}, '')"
    if part.kind == "parquet":
        return column
    if kind == "timestamp without time zone":
        return timestamp(value)
    return f"{value}::{TEXT_TYPES[kind]}" if kind in TEXT_TYPES else column


def _without_huge_integers(connection: "duckdb.DuckDBPyConnection", statement: str) -> str:
    described = connection.execute(f"select * from ({statement}) limit 0").description or []  # noqa: S608  the operator's own SQL
    huge = [quoted(column[0]) for column in described if str(column[1]) in ("HUGEINT", "UHUGEINT")]
    if not huge:
        return statement
    replaced = ", ".join(f"{name}::decimal(38, 0) as {name}" for name in huge)
    return f"select * replace ({replaced}) from ({statement})"  # noqa: S608  the operator's own SQL


@contextmanager
def _as_ours() -> Iterator[None]:
    import duckdb

    try:
        yield
    except duckdb.Error as error:
        raise ConfigError(f"the query failed: {' '.join(str(error).split())}") from None
