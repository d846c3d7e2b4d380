"""`load`: how fast a month's files become a staged raw table, against PostgreSQL's limit and against other ways.

Every way runs once in each round, so that a disk that becomes slower does so for all; the ratios are of runs of one
round, and their median counts. The limit and this package take turns in going first. A peer that takes long runs in
the first round only.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from statistics import median
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
from psycopg import sql

from benchmarks import database
from benchmarks.process import Job, Run, measure
from benchmarks.results import Options, Result
from benchmarks.sample import Sample, sample

OURS, CSV, LIMIT = "Cloud Costs", "Cloud Costs, CSV.gz", "COPY FROM a binary file on the server"
ALONE = "{}, without the second engine"
SCHEMA = "benchmark_load"
DIGITS = Decimal("1234.000000001234567891")
LONG_SECONDS = 30
# Percent of the time of load_raw without it.
MOST_OF_PARQUET, MOST_OF_CSV = 5.0, 30.0


@dataclass(frozen=True)
class Peer:
    """Another way to load; `most_rows` for one that would take minutes, `bar` how many times faster we mean to be."""

    title: str
    way: str
    streams: int = 1
    most_rows: int | None = None
    bar: float = 1.0


PEERS = (
    Peer("DuckDB postgres extension", "duckdb_extension"),
    Peer("DuckDB postgres extension, 2 streams", "duckdb_extension", streams=2),
    Peer("ADBC ingest", "adbc_ingest"),
    Peer("ADBC ingest, 2 streams", "adbc_ingest", streams=2),
    Peer("pgpq, 1 stream", "pgpq_stream"),
    Peer("dlt", "dlt_pipeline"),
    Peer("pandas + execute_values", "pandas_execute_values", most_rows=10_000, bar=40),
    Peer("pandas to_sql", "to_sql", most_rows=10_000),
    Peer("pandas to_sql, method multi", "to_sql_multi", most_rows=2_000),
)


def run(options: Options) -> list[Result]:
    """Measure every way on one month."""
    month, month_csv = sample(options.work, options.lines), sample(options.work, options.lines, "csv")
    limit_file = options.server.data_dir / "benchmark.copy"
    runs: dict[str, list[Run]] = defaultdict(list)
    try:
        _export(options, month, limit_file)
        # Not counted: the server makes its log files in the first run, which takes up to twice the time.
        _limit(options, limit_file)
        for number in range(options.runs):
            for title in (LIMIT, OURS) if number % 2 == 0 else (OURS, LIMIT):
                runs[title].append(_limit(options, limit_file) if title == LIMIT else _ours(options, month))
            runs[ALONE.format(OURS)].append(_ours(options, month, second_engine=False))
            for peer in PEERS:
                if runs[peer.title] and runs[peer.title][0].seconds > LONG_SECONDS:
                    continue
                runs[peer.title].append(_peer(options, peer, month))
            runs[CSV].append(_ours(options, month_csv))
            runs[ALONE.format(CSV)].append(_ours(options, month_csv, second_engine=False))
    finally:
        limit_file.unlink(missing_ok=True)
        database.drop_schema(options.server, SCHEMA)
        database.drop_schema(options.server, f"{SCHEMA}_limit")
    return _results(month, runs, _lost_digits(options))


def _results(month: Sample, runs: Mapping[str, Sequence[Run]], lost: Mapping[str, str]) -> list[Result]:
    def ratios(title: str, other: str) -> list[float]:
        return [ours.rate / theirs.rate for ours, theirs in zip(runs[title], runs[other], strict=False)]

    def against(title: str, other: str, name: str, bar: float, note: str, headline: bool = False) -> Result:
        found = ratios(title, other)
        return Result(name, median(found), "times", bar, note=note, headline=headline, details={"ratios": found})

    peers = [
        against(
            *(OURS, peer.title, f"load_raw, against {peer.title}", peer.bar, _peer_note(peer, runs[peer.title], lost)),
            headline=peer.bar != 1,
        )
        for peer in PEERS
    ]
    closest = min(peers, key=lambda one: one.value)
    return [
        Result(
            "load_raw, Parquet to staged raw table",
            median(run.rate for run in runs[OURS]),
            "rows/s",
            note=f"{month.rows:,} rows, {len(month.files)} files, {month.size / 1e6:,.0f} MB",
            details={"ways": {title: _details(found) for title, found in runs.items()}},
        ),
        against(
            *(OURS, LIMIT, "load_raw, against the limit: COPY FROM a binary file", 1.0, _rate_note(runs[LIMIT])),
            headline=True,
        ),
        *peers,
        replace(
            closest,
            name=f"load_raw, against the fastest of {len(PEERS)} other ways",
            note=f"{closest.name.removeprefix('load_raw, against ')}: {closest.note}",
            headline=True,
        ),
        against(CSV, OURS, "load_raw of CSV.gz, against Parquet", 0.5, _rate_note(runs[CSV])),
        _second_engine("Parquet", runs[OURS], runs[ALONE.format(OURS)], MOST_OF_PARQUET),
        _second_engine("CSV.gz", runs[CSV], runs[ALONE.format(CSV)], MOST_OF_CSV),
    ]


def _second_engine(kind: str, runs: Sequence[Run], alone: Sequence[Run], bar: float) -> Result:
    """Return by how much longer `load_raw` takes because DuckDB reads the files too, partly beside other work."""
    added = [one.seconds / other.seconds - 1 for one, other in zip(runs, alone, strict=True)]
    return Result(
        f"second engine: DuckDB reads the files, {kind}",
        100 * median(added),
        "% more of load_raw",
        at_most=bar,
        headline=True,
        note=f"{median(run.seconds for run in runs):.2f} s, and {median(run.seconds for run in alone):.2f} s without",
        details={"added": added},
    )


def _rate_note(runs: Sequence[Run]) -> str:
    return f"{median(run.rate for run in runs):,.0f} rows/s"


def _peer_note(peer: Peer, runs: Sequence[Run], lost: Mapping[str, str]) -> str:
    notes = [_rate_note(runs)]
    if peer.most_rows:
        notes.append(f"measured on {runs[0].rows:,} rows")
    if peer.way in lost:
        notes.append(f"loses digits: {DIGITS} arrives as {lost[peer.way]}")
    return "; ".join(notes)


def _details(runs: Sequence[Run]) -> dict[str, Any]:
    return {
        "rows": runs[0].rows,
        "rate": median(run.rate for run in runs),
        "seconds": [round(run.seconds, 3) for run in runs],
        "cpu_seconds": [round(run.cpu, 3) for run in runs],
        "peak_mb": round(max(run.peak for run in runs) / 1e6),
    }


def _job(options: Options, way: str, files: Sequence[Path] = (), schema: str = SCHEMA, **values: Any) -> Job:
    return Job(way, options.server.uri(), schema, str(options.work), files=tuple(map(str, files)), **values)


def _ours(options: Options, month: Sample, second_engine: bool = True) -> Run:
    database.new_schema(options.server, SCHEMA)
    source = month.source.model_copy(update={"second_engine": second_engine})
    found = measure(_job(options, "load_raw", source=source.model_dump(mode="json")))
    _verify(options, sql.Identifier(f"{SCHEMA}_staging", found.facts["table"]), month, found)
    return found


def _peer(options: Options, peer: Peer, month: Sample) -> Run:
    database.new_schema(options.server, SCHEMA)
    files = [_few_rows(options, month, peer.most_rows)] if peer.most_rows else month.files
    found = measure(_job(options, peer.way, files, streams=peer.streams))
    if not peer.most_rows:
        _verify(options, sql.Identifier(SCHEMA, "lines"), month, found)
    return found


def _few_rows(options: Options, month: Sample, rows: int) -> Path:
    """Return a file of the month's first rows."""
    path = options.work / "data" / "few.parquet"
    batch = next(pq.ParquetFile(month.files[0]).iter_batches(rows))
    pq.write_table(pa.Table.from_batches([batch]), path)
    return path


def _verify(options: Options, table: sql.Identifier, month: Sample, run: Run) -> None:
    """Raise `RuntimeError` unless every row arrived; a way that loses rows is fast for nothing."""
    with database.connect(options.server) as connection:
        row = connection.execute(sql.SQL("select count(*) from {}").format(table)).fetchone()
    if row is None or not row[0] == run.rows == month.rows:
        raise RuntimeError(f"{table.as_string()}: {row} rows of {month.rows}, and {run.rows} were reported")


def _export(options: Options, month: Sample, file: Path) -> None:
    """Have the server write the staged rows to a binary file, and keep an empty table like the staged one."""
    found = _ours(options, month)
    staged = sql.Identifier(f"{SCHEMA}_staging", found.facts["table"])
    database.new_schema(options.server, f"{SCHEMA}_limit")
    with database.connect(options.server) as connection:
        connection.execute(
            sql.SQL("copy (select * from {}) to {} (format binary)").format(staged, sql.Literal(str(file)))
        )
        connection.execute(sql.SQL("create table {} (like {} including all)").format(_limit_table("template"), staged))


def _limit(options: Options, file: Path) -> Run:
    with database.connect(options.server) as connection:
        connection.execute(sql.SQL("drop table if exists {}").format(_limit_table("lines")))
        connection.execute(
            sql.SQL("create table {} (like {} including all)").format(_limit_table("lines"), _limit_table("template"))
        )
        connection.execute("checkpoint")
    return measure(_job(options, "copy_from_file", [file], f"{SCHEMA}_limit"))


def _limit_table(name: str) -> sql.Identifier:
    return sql.Identifier(f"{SCHEMA}_limit", name)


def _lost_digits(options: Options) -> dict[str, str]:
    """Return what a number of 22 digits becomes in a numeric column, for each way that does not keep it."""
    path = options.work / "data" / "digits.parquet"
    pq.write_table(pa.table({"amount": pa.array([DIGITS], pa.decimal128(38, 18))}), path)
    lost = {}
    for way in ("duckdb_extension", "adbc_ingest", "pgpq_stream", "pandas_execute_values"):
        database.new_schema(options.server, SCHEMA)
        with database.connect(options.server) as connection:
            connection.execute(sql.SQL("create table {} (amount numeric)").format(sql.Identifier(SCHEMA, "lines")))
            arrived = _arrived(options, connection, way, path)
        if Decimal(arrived) != DIGITS:
            lost[way] = arrived
    database.drop_schema(options.server, SCHEMA)
    return lost


def _arrived(options: Options, connection: psycopg.Connection, way: str, path: Path) -> str:
    measure(_job(options, way, [path]))
    row = connection.execute(sql.SQL("select amount::text from {}").format(sql.Identifier(SCHEMA, "lines"))).fetchone()
    return row[0] if row else "nothing"
