"""The ways to load: this package, PostgreSQL's own limit, and what others use. `WAYS` names them all.

Each takes a job, imports what it needs, and returns the function that is timed. The others get a fair try: the fastest
form that their documentation recommends, the same files, the same server. Where they make the table themselves,
they may.
"""

import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
from psycopg import sql

from benchmarks.process import Job

Load = Callable[[], tuple[int, Mapping[str, Any]]]

BATCH_ROWS = 20_000
PAGE_ROWS = 1_000


def load_raw(job: Job) -> Load:
    """Stage a delivery with this package; facts name the staging table."""
    from cloud_costs.publishing import load
    from cloud_costs.storage.local import LocalStorage

    database, source, month = _ours(job)

    def run() -> tuple[int, Mapping[str, Any]]:
        done = load.load_raw(database, LocalStorage(), source, month)
        return done.rows or 0, {"table": done.raw_table}

    return run


def all_steps(job: Job) -> Load:
    """Take a delivery through every step with this package; facts hold the seconds of each."""
    from time import time

    from cloud_costs.charges.views import refresh_views
    from cloud_costs.publishing.audit import audit
    from cloud_costs.publishing.load import load_raw
    from cloud_costs.publishing.normalize import normalize
    from cloud_costs.publishing.publish import publish
    from cloud_costs.storage.local import LocalStorage

    database, source, month = _ours(job)
    messages = _Messages()
    logging.getLogger("cloud_costs").setLevel(logging.INFO)
    logging.getLogger("cloud_costs").addHandler(messages)

    def run() -> tuple[int, Mapping[str, Any]]:
        marks = [time()]
        staged = load_raw(database, LocalStorage(), source, month)
        marks.append(time())
        load = normalize(database, source, staged)
        marks.append(time())
        audit(database, source, load)
        marks.append(time())
        publish(database, source, load)
        marks.append(time())
        refresh_views(database)
        marks.append(time())
        names = ("load_raw", "normalize", "audit", "publish", "refresh_views")
        seconds = {name: marks[at + 1] - marks[at] for at, name in enumerate(names)}
        facts = {
            "seconds": seconds,
            "publish_began": marks[3],
            "publish_ended": marks[4],
            "locked": messages.number(r"^step=publish .*\blocked=([\d.]+)"),
            "normalized_rows": messages.number(r"^step=normalize .*\bnormalized_rows=(\d+)"),
        }
        return staged.rows or 0, facts

    return run


def export(job: Job) -> Load:
    """Export the month as the source says; facts hold the files and their bytes."""
    from cloud_costs.exporting.months import export_source
    from cloud_costs.storage.local import LocalStorage

    database, source, _ = _ours(job)

    def run() -> tuple[int, Mapping[str, Any]]:
        [outcome] = export_source(database, LocalStorage(), source)
        manifest = outcome.manifest
        return (manifest.rows, {"files": len(manifest.files), "bytes": manifest.bytes}) if manifest else (0, {})

    return run


class _Messages(logging.Handler):
    """Keeps the log, from which the steps' own numbers are read."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())

    def number(self, pattern: str) -> float:
        """Return the number that a line gives; raises `LookupError` when no line does."""
        for line in self.lines:
            if match := re.search(pattern, line):
                return float(match[1])
        raise LookupError(f"no line of the log matches {pattern!r}")


def _ours(job: Job) -> tuple[Any, Any, date]:
    """Return the database with its tables, the source and the month."""
    from benchmarks.sample import MONTH
    from cloud_costs.config.sources import Source
    from cloud_costs.database.postgres import Database
    from cloud_costs.database.schema import apply_schema

    database = Database(lambda: psycopg.connect(job.uri), job.schema, "benchmark")
    apply_schema(database)
    return database, Source(**job.source), MONTH


def copy_from_file(job: Job) -> Load:
    """The limit: PostgreSQL reads a binary file on its own disk into an equal table, over one connection."""
    (path,) = job.files
    connection = psycopg.connect(job.uri, autocommit=True)

    def run() -> tuple[int, Mapping[str, Any]]:
        statement = sql.SQL("copy {} from {} (format binary)").format(_table(job), sql.Literal(path))
        return connection.execute(statement).rowcount, {}

    return run


def pandas_execute_values(job: Job) -> Load:
    """pandas reads the file, psycopg2's execute_values sends pages of rows."""
    import pandas
    import psycopg2
    from psycopg2.extras import execute_values

    connection = psycopg2.connect(job.uri)

    def run() -> tuple[int, Mapping[str, Any]]:
        rows = 0
        with connection, connection.cursor() as cursor:
            for path in job.files:
                frame = pandas.read_parquet(path)
                cursor.execute(_create_like(frame, job).as_string())
                insert = sql.SQL("insert into {} values %s").format(_table(job)).as_string()
                execute_values(cursor, insert, frame.itertuples(index=False, name=None), page_size=PAGE_ROWS)
                rows += len(frame)
        return rows, {}

    return run


def _create_like(frame: Any, job: Job) -> sql.Composed:
    kinds = {"float64": "double precision", "datetime64": "timestamptz", "Decimal": "numeric"}

    def kind(values: Any) -> str:
        name = str(values.dtype)
        name = type(values.iloc[0]).__name__ if name == "object" else name
        return next((kinds[known] for known in kinds if name.startswith(known)), "text")

    columns = sql.SQL(", ").join(
        sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(kind(frame[name]))) for name in frame
    )
    return sql.SQL("create table if not exists {} ({})").format(_table(job), columns)


def to_sql(job: Job) -> Load:
    """pandas to_sql, as it is."""
    return _to_sql(job, None, None)


def to_sql_multi(job: Job) -> Load:
    """pandas to_sql with several rows in a statement."""
    return _to_sql(job, "multi", PAGE_ROWS)


def _to_sql(job: Job, method: Any, chunk: int | None) -> Load:
    import pandas
    import sqlalchemy

    engine = sqlalchemy.create_engine(job.uri.replace("postgresql://", "postgresql+psycopg2://"))

    def run() -> tuple[int, Mapping[str, Any]]:
        rows = 0
        for path in job.files:
            frame = pandas.read_parquet(path)
            frame.to_sql(
                job.table, engine, schema=job.schema, if_exists="append", index=False, method=method, chunksize=chunk
            )
            rows += len(frame)
        return rows, {}

    return run


def duckdb_extension(job: Job) -> Load:
    """DuckDB's postgres extension, from its wheel: `insert into … select` from the files."""
    import duckdb
    import duckdb_extension_postgres_scanner as extension

    folder = Path(extension.__file__).parent / "extensions" / f"v{duckdb.__version__}"

    def connect() -> Any:
        connection = duckdb.connect()
        connection.execute(f"load '{folder / 'postgres_scanner.duckdb_extension'}'")
        connection.execute(f"attach '{job.uri}' as target (type postgres)")
        return connection

    connections = [connect() for _ in range(job.streams)]
    target = f'target."{job.schema}"."{job.table}"'

    def copy(connection: Any, files: Sequence[str]) -> int:
        inserted = connection.execute(f"insert into {target} select * from read_parquet(?)", [list(files)])  # noqa: S608
        return int(inserted.fetchone()[0])

    def run() -> tuple[int, Mapping[str, Any]]:
        create = f"create table if not exists {target} as select * from read_parquet(?) limit 0"  # noqa: S608
        connections[0].execute(create, [list(job.files)])
        return _on_streams(job, connections, copy), {}

    return run


def adbc_ingest(job: Job) -> Load:
    """ADBC's driver for PostgreSQL: `adbc_ingest` of a reader of record batches."""
    import pyarrow as pa
    import pyarrow.parquet as pq
    from adbc_driver_postgresql import dbapi

    connections = [dbapi.connect(job.uri) for _ in range(job.streams)]

    def reader(files: Sequence[str]) -> Any:
        schema = pq.read_schema(files[0])
        return pa.RecordBatchReader.from_batches(schema, (batch for path in files for batch in _batches(path)))

    def copy(connection: Any, files: Sequence[str]) -> int:
        with connection.cursor() as cursor:
            rows = cursor.adbc_ingest(job.table, reader(files), mode="create_append", db_schema_name=job.schema)
        connection.commit()
        return int(rows)

    def run() -> tuple[int, Mapping[str, Any]]:
        with connections[0].cursor() as cursor:
            empty = pq.read_schema(job.files[0]).empty_table()
            cursor.adbc_ingest(job.table, empty, mode="create_append", db_schema_name=job.schema)
        connections[0].commit()
        return _on_streams(job, connections, copy), {}

    return run


def dlt_pipeline(job: Job) -> Load:
    """dlt: a resource that yields Arrow tables, loaded as Parquet (which dlt does through ADBC)."""
    import os

    os.environ |= {
        "DLT_DATA_DIR": job.work,
        "RUNTIME__DLTHUB_TELEMETRY": "false",
        "RUNTIME__LOG_LEVEL": "ERROR",
        "DATA_WRITER__FILE_MAX_ITEMS": "250000",
    }
    import dlt
    import pyarrow as pa
    import pyarrow.parquet

    parts = psycopg.conninfo.conninfo_to_dict(job.uri)
    credentials = {
        "database": parts["dbname"],
        "username": parts["user"],
        "password": "unused",
        "host": quote(str(parts["host"]), safe=""),
        "port": parts["port"],
    }
    pipeline = dlt.pipeline(
        "benchmark",
        pipelines_dir=str(Path(job.work, "dlt")),
        destination=dlt.destinations.postgres(credentials),
        dataset_name=job.schema,
    )

    def lines() -> Iterator[Any]:
        for path in job.files:
            for batch in _batches(path):
                yield pa.Table.from_batches([batch])

    def run() -> tuple[int, Mapping[str, Any]]:
        resource = dlt.resource(lines, name=job.table, write_disposition="append")
        pipeline.run(resource(), loader_file_format="parquet")
        return int(pipeline.last_trace.last_normalize_info.row_counts[job.table]), {}

    return run


def pgpq_stream(job: Job) -> Load:
    """DuckDB reads, pgpq encodes, psycopg copies: one stream, the plain form of what this package does."""
    import duckdb
    import pgpq

    connection = psycopg.connect(job.uri)
    reader = duckdb.connect()

    def run() -> tuple[int, Mapping[str, Any]]:
        batches = reader.execute("select * from read_parquet(?)", [list(job.files)]).to_arrow_reader(BATCH_ROWS)
        encoder = pgpq.ArrowToPostgresBinaryEncoder(batches.schema)
        columns = sql.SQL(", ").join(
            sql.SQL("{} {}").format(sql.Identifier(column.name), sql.SQL(column.data_type.ddl() or ""))
            for column in encoder.schema().columns
        )
        connection.execute(sql.SQL("create table if not exists {} ({})").format(_table(job), columns))
        rows = 0
        statement = sql.SQL("copy {} from stdin (format binary)").format(_table(job))
        with connection.cursor() as cursor, cursor.copy(statement) as copy:
            copy.write(encoder.write_header())
            for batch in batches:
                copy.write(encoder.write_batch(batch))
                rows += batch.num_rows
            copy.write(encoder.finish())
        connection.commit()
        return rows, {}

    return run


def _on_streams(job: Job, connections: Sequence[Any], copy: Callable[[Any, Sequence[str]], int]) -> int:
    """Give each connection its share of the files, all at once; return the rows."""
    shares = [job.files[number :: job.streams] for number in range(job.streams)]
    with ThreadPoolExecutor(max_workers=job.streams) as pool:
        return sum(pool.map(copy, connections, shares))


def _batches(path: str) -> Iterator[Any]:
    import pyarrow.parquet as pq

    yield from pq.ParquetFile(path).iter_batches(BATCH_ROWS)


def _table(job: Job) -> sql.Identifier:
    return sql.Identifier(job.schema, job.table)


WAYS: Mapping[str, Callable[[Job], Load]] = {
    way.__name__: way
    for way in (
        load_raw,
        all_steps,
        export,
        copy_from_file,
        pandas_execute_values,
        to_sql,
        to_sql_multi,
        duckdb_extension,
        adbc_ingest,
        dlt_pipeline,
        pgpq_stream,
    )
}
