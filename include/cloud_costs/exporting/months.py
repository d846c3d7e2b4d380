"""`export`: bring a folder of exports up to date with the published months, one month after the other.

A month is read in one transaction, which sees one state of the database, and is written into a folder of its own
version. The manifest comes last and names the version, so that readers see the old version or the new one, and never a
part (`formats.focus.exports` shows the folders). Two processes may export the same month: the manifest is replaced only
if it is still the one that was there before the month was read.

A version is a digest of its files. Where the rows are the same, the version is, and no file is written again.
"""

import hashlib
import logging
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from psycopg import sql

from cloud_costs.config.exports import Export
from cloud_costs.config.sources import Source
from cloud_costs.database.postgres import Connection, Database, database_errors_of
from cloud_costs.errors import CloudCostsError, ConfigError, PermanentError, TransientError
from cloud_costs.exporting.checking import check_files, read_facts
from cloud_costs.exporting.files import Written, write_files
from cloud_costs.exporting.folders import Found, MonthFolder
from cloud_costs.exporting.relations import exported, folder_of, relation_of
from cloud_costs.exporting.state import Published, alone, find_published, one_state, state_of
from cloud_costs.formats.focus.exports import ExportedDelivery, ExportManifest
from cloud_costs.months import MonthRange, month_label
from cloud_costs.publishing.retention import drop_old_raw
from cloud_costs.storage.files import Storage, labelled

log = logging.getLogger(__name__)

Sums = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class Outcome:
    """What an export did with a month, and the manifest of the version that is there now, if there is one.

    `did` is `exported`, `unchanged`, or `gone` where the database no longer has the rows.
    """

    source: str
    billing_month: date
    did: str
    manifest: ExportManifest | None

    def __str__(self) -> str:
        """The outcome in words."""
        label = f"{self.source} {month_label(self.billing_month)}"
        if self.did == "gone":
            kept = f"version {self.manifest.version} stays" if self.manifest else "nothing is exported"
            return f"{label}: its rows are no longer in the database; {kept}"
        if self.manifest is None:
            return f"{label}: {self.did}"
        return f"{label}: {self.did}, {self.manifest.rows:,} rows, version {self.manifest.version}"


def published_months(database: Database, sources: Sequence[str], months: MonthRange) -> list[tuple[str, date]]:
    """Return the published months of these sources, or of all sources where none is named, oldest month first.

    Raises `ConfigError` for a source that has no published month.
    """
    with database.session() as connection:
        rows = connection.execute(
            sql.SQL("select source, billing_period from {} order by source, billing_period").format(
                database.table("published_months")
            )
        ).fetchall()
    known = dict.fromkeys(source for source, _ in rows)
    if unknown := sorted(set(sources) - set(known)):
        there = f"published are months of {', '.join(known)}" if known else "nothing is published yet"
        raise ConfigError(f"sources: {unknown[0]!r} has no published month; {there}")
    return [(source, month) for source, month in rows if month in months and (not sources or source in sources)]


def export_month(
    database: Database, storage: Storage, source: str, month: date, export: Export, *, force: bool = False
) -> Outcome:
    """Export a month, unless the version there is that of the rows that are published now.

    `force` reads all rows, whatever the manifest says. Raises `ExportFailed` where the files do not hold what
    PostgreSQL holds, `LoadBusy` where another export of the month is running, `StorageUnavailable` where the manifest
    was replaced meanwhile, and `ConfigError` for a manifest that is not one of an export. What was exported before
    stays then.
    """
    began = time.monotonic()
    label = f"{source} {month_label(month)}"
    uri = f"{export.to}{folder_of(export.version)}/source={source}/billing_period={month_label(month)}/"
    folder = MonthFolder(storage, uri, source, month)
    with (
        labelled(label),
        database_errors_of(label),
        alone(database, label, uri) as connection,
        tempfile.TemporaryDirectory(prefix="cloud-costs-") as drafts,
    ):
        # Before the rows are read, so that a manifest which comes meanwhile is noticed.
        old = folder.find()
        with one_state(connection, database.table(relation_of(source, export.version))):
            did, manifest = _read(connection, database, folder, old, export, Path(drafts), force=force)
        if did == "exported" and manifest:
            folder.store(manifest, Path(drafts), old)
        if did != "gone" and manifest and not export.keep_old_versions:
            folder.remove_others(manifest)
    if did == "exported" and manifest:
        log.info(
            "step=export source=%s month=%s load=%s rows=%s bytes=%s seconds=%.3f version=%s files=%s",
            *(source, month_label(month), manifest.delivery.load_id, manifest.rows, manifest.bytes),
            *(time.monotonic() - began, manifest.version, len(manifest.files)),
        )
    return Outcome(source, month, did, manifest)


def _read(
    connection: Connection,
    database: Database,
    folder: MonthFolder,
    old: Found | None,
    export: Export,
    drafts: Path,
    *,
    force: bool,
) -> tuple[str, ExportManifest | None]:
    """Write the month's rows into files below `drafts`, in the open transaction, if they may have changed.

    Returns what has to be done, and the manifest of the new version, or of the one that stays.
    """
    source, month = folder.source, folder.billing_month
    found = exported(connection, database, source, export.version)
    published = find_published(connection, database, source, month, export)
    state = state_of(connection, database, found, month, published, export) if published else None
    if published is None or state is None:
        return "gone", old.content if old else None
    if old and old.content.state == state and not force and folder.is_whole(old):
        return "unchanged", old.content
    facts = read_facts(connection, found, month)
    written = write_files(connection, found, month, export.format, facts.too_long, drafts)
    check_files(found, month, written, facts, drafts)
    return "exported", _manifest(source, month, export, published, state, written, facts.sums(found))


def export_source(database: Database, storage: Storage, source: Source) -> list[Outcome]:
    """Bring the export of a source up to date, and drop its raw lines that are older than `raw_months`.

    Raw lines wait until all months are exported, so that the export keeps what the database does not. Where a month
    fails, the others are exported all the same. Then raises `TransientError` if another try may help, and else
    `PermanentError`.
    """
    if source.export is None:
        return []
    outcomes, failed = [], []
    for name, month in published_months(database, (), MonthRange()):
        if name == source.name:
            try:
                outcomes.append(export_month(database, storage, name, month, source.export))
            except CloudCostsError as error:
                log.error("%s", error)
                failed.append(error)
    if failed:
        kind = TransientError if any(isinstance(error, TransientError) for error in failed) else PermanentError
        raise kind(" || ".join(map(str, failed)))
    drop_old_raw(database, [source])
    return outcomes


def _manifest(
    source: str, month: date, export: Export, published: Published, state: str, written: Written, sums: Sums
) -> ExportManifest:
    names = "\n".join(f"{file.name} {file.sha256}" for file in written.files)
    return ExportManifest(
        relation=export.relation,
        focus_version=export.version,
        source=source,
        billing_period=month_label(month),
        version=hashlib.sha256(names.encode()).hexdigest()[:16],
        state=state,
        delivery=ExportedDelivery(version=published.version, load_id=published.load_id),
        file_type=export.format,
        rows=sum(file.rows for file in written.files),
        bytes=sum(file.bytes for file in written.files),
        sums=sums,
        columns=written.columns,
        files=written.files,
    )
