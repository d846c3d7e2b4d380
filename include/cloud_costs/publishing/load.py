"""`load_raw`: bring the newest delivery of one billing month into a staging table.

The manifest is read when the task runs, and never taken from the plan, so a cleared task loads the delivery that is the
newest by then. After the copy, the manifest and the files are compared once more with what was read. A provider may
replace a delivery at any moment, and half of the old one with half of the new one would be a bill that nobody sent.
"""

import logging
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date

from psycopg import sql

from cloud_costs.config.sources import Source
from cloud_costs.database.postgres import STAGING_STATISTICS, Connection, Database, columns_of, database_errors_of
from cloud_costs.errors import CloudCostsError, ColumnTypeError, DeliveryError, DeliveryNotReady
from cloud_costs.formats.delivery import Delivery, Manifest
from cloud_costs.formats.manifests import files_at
from cloud_costs.loading.second_engine import Unread, read_facts
from cloud_costs.loading.shape import Fact, Progress, Shape, StagedFile
from cloud_costs.loading.staging import copy_files, create_raw_table, read_shape
from cloud_costs.messages import safe
from cloud_costs.months import MonthRange, month_label
from cloud_costs.publishing import history
from cloud_costs.publishing.history import Load, Run
from cloud_costs.publishing.steps import log_step
from cloud_costs.storage.files import Storage, labelled

log = logging.getLogger(__name__)

# How long a failed load waits to drop its own table. The next run drops it otherwise.
DROP_LOCK_TIMEOUT = "5s"
# Files without a checksum or a count of their lines: a part of such a file is a file too.
PLAIN = {".csv": "CSV", ".json": "JSON", ".jsonl": "JSON", ".ndjson": "JSON"}


def load_raw(
    database: Database,
    storage: Storage,
    source: Source,
    month: date,
    *,
    raw_only: bool = False,
    run: Run | None = None,
    progress: Progress | None = None,
) -> Load:
    """Stage the newest delivery of one month, whatever was loaded before, and return the load.

    Raises `LoadBusy` when another load of the month is running, `DeliveryNotReady` when a file is missing or
    the delivery changed while it was read, `DeliveryError` when it is broken. Whatever fails, the load's row in
    `load_history` says so, its staging table is dropped, and what was published stays.
    """
    # This connection holds the month's lock and writes `load_history`, each statement in a transaction of its own, so
    # that people see the load while it runs. The lines are copied over other connections, in long transactions.
    label = f"{source.name} {month_label(month)}"
    with (
        database_errors_of(label),
        database.session() as connection,
        history.month_lock(connection, database, source.name, month),
    ):
        load = history.open_load(connection, database, source, month, raw_only, run or Run())
        table = database.staging_table(load.raw_table)
        # BaseException, because an interrupt must leave nothing that looks like a complete load either.
        try:
            return _stage(connection, database, storage, source, load, progress)
        except BaseException as error:
            history.fail_load(database, load, "failed", error)
            _drop_quietly(database, table)
            raise


def _stage(
    connection: Connection,
    database: Database,
    storage: Storage,
    source: Source,
    load: Load,
    progress: Progress | None,
) -> Load:
    began = time.monotonic()
    manifest = find_manifest(storage, source, load.billing_month)
    delivery = source.form.read_delivery(manifest, storage)
    history.record_delivery(connection, database, load, delivery)
    table = database.staging_table(load.raw_table)
    published = columns_of(connection, database.table(source.raw_table))
    known = history.raw_names_of(connection, database, source.name)
    try:
        shape = read_shape(storage, delivery, source.form, published, known, mapped=source.raw == "mapped")
        create_raw_table(connection, table, shape.columns, load.billing_month)
        files = copy_files(database, storage, load.label, shape, table, source.streams, progress)
        _refuse_other_rows(delivery, files)
        # The second engine works on one core while PostgreSQL analyzes the table on the other.
        with ThreadPoolExecutor(1, "second engine") as pool:
            opinion = pool.submit(_second_opinion, storage, source, load, shape, counted=delivery.rows is not None)
            _describe(connection, table, shape)
            facts, notes = opinion.result()
        notes += newer_version(source, shape)
    except (DeliveryError, ColumnTypeError) as error:
        # A file that was replaced while it was read looks broken. Then the error is one that passes.
        _refuse_changed(storage, source, delivery, error)
        raise
    _refuse_changed(storage, source, delivery)
    rows = sum(file.rows for file in files)
    history.record_files(connection, database, load, files, facts)
    for note in notes:
        log.warning("%s: %s", load.label, safe(note))
    history.mark(connection, database, load, status="staged", rows=rows, note=safe("; ".join(notes)) or None)
    staged = replace(load, rows=rows, bytes=delivery.size)
    seconds = time.monotonic() - began
    log_step(log, "load_raw", staged, seconds, version=delivery.version, files=len(delivery.files))
    return staged


def _describe(connection: Connection, table: sql.Identifier, shape: Shape) -> None:
    """Leave the exporter's names of columns as comments, which `publish` reads, and the planner's statistics."""
    for column in shape.columns:
        if column.name != column.original:
            connection.execute(
                sql.SQL("comment on column {}.{} is {}").format(
                    table, sql.Identifier(column.name), sql.Literal(column.original)
                )
            )
    # Autovacuum is off for partitions, so nothing else would tell the planner how many lines there are.
    connection.execute(sql.SQL("set default_statistics_target to {}").format(STAGING_STATISTICS))
    connection.execute(sql.SQL("analyze {}").format(table))


def _refuse_other_rows(delivery: Delivery, files: Sequence[StagedFile]) -> None:
    """Raise `DeliveryError` where the manifest promises another number of lines than were stored."""
    where = f"{delivery.manifest.label}: manifest {delivery.manifest.file.uri} promises"
    for file in files:
        promised = delivery.file_rows.get(file.file.uri, file.rows)
        if promised != file.rows:
            raise DeliveryError(f"{where} {promised} lines in {file.file.uri}, which has {file.rows}")
    stored = sum(file.rows for file in files)
    if delivery.rows not in (None, stored):
        raise DeliveryError(f"{where} {delivery.rows} lines in all files, which have {stored}")


def _second_opinion(
    storage: Storage, source: Source, load: Load, shape: Shape, counted: bool
) -> tuple[list[Fact], list[str]]:
    """Return the facts of the second engine, and notes on what nothing can verify.

    `counted` tells whether the manifest says how many lines there are.
    """
    notes = []
    facts: list[Fact] = []
    if source.second_engine:
        try:
            facts = read_facts(storage, load.label, shape, source.form)
        except Unread as error:
            notes.append(f"its lines were not compared with its files, because DuckDB cannot read them: {error}")
    else:
        notes.append("its lines were not compared with its files: second_engine is false")
    for ending, name in PLAIN.items():
        if not counted and any(file.file.name.endswith(ending) for file in shape.files):
            notes.append(
                f"a plain {name} file that was cut at the end of a line would not be noticed: nothing says how many "
                "lines it has"
            )
    return facts, notes


def newer_version(source: Source, shape: Shape) -> list[str]:
    """Return a note where files have the columns of a newer version of FOCUS than the source's `focus_version`."""
    found = version_of(source, shape)
    if found and source.focus_version and found > source.focus_version:
        return [f"its columns are those of FOCUS {found}; correct focus_version, which is {source.focus_version}"]
    return []


def version_of(source: Source, shape: Shape) -> str | None:
    """Return the version of FOCUS that the columns of a delivery belong to; None for a provider's own format."""
    form = source.form
    return form.version_of(column.original for column in shape.columns) if form.version_of else None


def find_manifest(storage: Storage, source: Source, month: date) -> Manifest:
    """Return the newest manifest of one month; raises `DeliveryError` when there is none."""
    found = source.form.find_manifests(source.name, source.uri, storage, MonthRange(month, month))
    if not found:
        raise DeliveryError(f"{source.name} {month_label(month)}: no manifest of this month below {source.uri}")
    return found[0]


def _refuse_changed(
    storage: Storage, source: Source, delivery: Delivery, reason: CloudCostsError | None = None
) -> None:
    """Raise `DeliveryNotReady` when the manifest or a file is no longer the one that was read."""
    label = delivery.manifest.label
    because = f" ({reason})" if reason else ""
    try:
        newest = find_manifest(storage, source, delivery.manifest.billing_month)
    except DeliveryError as error:
        raise DeliveryNotReady(f"{label}: the delivery disappeared while it was read: {error}{because}") from None
    if newest.file != delivery.manifest.file:
        raise DeliveryNotReady(f"{label}: a newer delivery came while {delivery.version} was read{because}")
    with labelled(label):
        now = files_at([file.uri for file in delivery.files], delivery.manifest, storage)
        for file in delivery.files:
            if now.get(file.uri) != file:
                raise DeliveryNotReady(f"{label}: {file.uri} changed while it was read{because}")


def _drop_quietly(database: Database, table: sql.Identifier) -> None:
    """Drop a staging table. When that fails too, the next run drops it (`history.drop_dead_staging`)."""
    try:
        with database.session() as connection:
            # The session of a stream whose connection is dead may hold the table until the server notices that.
            connection.execute(sql.SQL("set lock_timeout to {}").format(sql.Literal(DROP_LOCK_TIMEOUT)))
            connection.execute(sql.SQL("drop table if exists {}").format(table))
    except CloudCostsError as error:
        log.warning("%s", error)
