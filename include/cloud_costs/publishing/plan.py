"""`list_manifests`: which months have a delivery that is not published yet.

A month is unchanged when its manifest has the address and the ETag of the published load. Only the other manifests are
read. So a day without changes costs listings and reads no object.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Literal, TypeVar

from psycopg import sql

from cloud_costs.charges import focus
from cloud_costs.config.sources import Source
from cloud_costs.database.postgres import Connection, Database
from cloud_costs.errors import CloudCostsError, TransientError
from cloud_costs.formats.delivery import Manifest
from cloud_costs.messages import safe
from cloud_costs.months import MonthRange, month_label
from cloud_costs.publishing.history import drop_dead_staging
from cloud_costs.storage.files import Storage, labelled
from cloud_costs.storage.threads import in_threads

log = logging.getLogger(__name__)

Decision = Literal["load", "unchanged", "next run"]
EARLIER_RULES = "derived by an earlier version: renew it"
# How many sources are listed at the same time. Each lists its months with threads of its own.
SOURCES = 4

T = TypeVar("T")


@dataclass(frozen=True)
class PlannedMonth:
    """One month of one source: the delivered version, the published one, and what to do.

    `delivered` is the time of the manifest in UTC.
    """

    source: str
    billing_month: date
    manifest_uri: str
    version: str
    published_version: str | None
    decision: Decision
    reason: str
    delivered: datetime

    @property
    def label(self) -> str:
        """The source and the month, as messages name them: `cup 2025-01`."""
        return f"{self.source} {month_label(self.billing_month)}"

    def to_dict(self) -> dict[str, str]:
        """Return what a mapped task needs, as JSON types."""
        return {
            "source": self.source,
            "billing_month": month_label(self.billing_month),
            "manifest_uri": self.manifest_uri,
            "version": self.version,
        }


@dataclass(frozen=True)
class Plan:
    """The plan of a run: the months of all sources, newest first, and what is wrong with sources.

    `failures` has the error of each source that could not be listed, by name. `stale` has a message for each source
    whose newest delivery is too old.
    """

    months: tuple[PlannedMonth, ...]
    failures: dict[str, CloudCostsError]
    stale: tuple[str, ...] = ()

    @property
    def to_load(self) -> tuple[PlannedMonth, ...]:
        """The months that this run loads."""
        return tuple(month for month in self.months if month.decision == "load")

    @property
    def left(self) -> tuple[PlannedMonth, ...]:
        """The months that have to be loaded, and exceed the limit of this run."""
        return tuple(month for month in self.months if month.decision == "next run")

    def lines(self) -> list[str]:
        """Return the whole plan as the lines of a table: source, month, version, published version, decision."""
        rows = [("source", "month", "version", "published", "decision")]
        rows += [
            (
                *(
                    month.source,
                    month_label(month.billing_month),
                    safe(month.version),
                    safe(month.published_version or "-"),
                ),
                month.decision + (f" ({month.reason})" if month.reason else ""),
            )
            for month in self.months
        ]
        widths = [max(len(row[at]) for row in rows) for at in range(4)]
        return ["  ".join([*(row[at].ljust(widths[at]) for at in range(4)), row[4]]) for row in rows]


@dataclass(frozen=True)
class _Published:
    version: str
    manifest_uri: str
    manifest_etag: str
    raw_only: bool
    mapping: str | None


@dataclass(frozen=True)
class _Found:
    """A month as the bucket has it, and where it is read from."""

    source: Source
    storage: Storage
    manifest: Manifest


def list_manifests(
    database: Database,
    sources: Sequence[Source],
    storage_of: Callable[[Source], Storage],
    months: MonthRange,
    *,
    force: bool = False,
    raw_only: bool = False,
    limit: int | None = None,
) -> Plan:
    """Compare the manifests of the sources with what is published.

    Reads the content of a manifest only where its ETag differs from the published one. A source that cannot be listed
    is a failure of the plan, and the other sources are planned all the same. When no source can be listed, raises the
    first failure that may pass, or else the first. With more than `limit` months to load, the newest are loaded, and
    the others are left for the next run.
    """
    with database.session() as connection:
        drop_dead_staging(connection, database)
        published = _published(connection, database, sources)
    found, failures = _find(sources, storage_of, months)
    for error in failures.values():
        log.error("%s", error)
    if failures and len(failures) == len(sources):
        passing = [error for error in failures.values() if isinstance(error, TransientError)]
        raise passing[0] if passing else next(iter(failures.values()))
    planned = []
    for month, unread in in_threads(lambda one: _decide(one, published, force, raw_only), found):
        # The month is planned all the same. Its own task then fails with this error, and other months are loaded.
        if unread:
            log.error("%s", unread)
        planned.append(month)
    # Newest first: people look at the current month, and it is the one that a limit must not leave for the next run.
    planned.sort(key=lambda month: (-month.billing_month.toordinal(), month.source))
    # A run that ends at an older month does not see the newest one.
    stale = () if months.last else tuple(_stale(sources, planned))
    for line in stale:
        log.warning("%s", line)
    return Plan(tuple(_limited(planned, limit)), failures, stale)


def stale_line(source: Source, newest_month: date, delivered: datetime, now: datetime) -> str | None:
    """Return a message where a source's newest delivery is older than `stale_after_hours`, and None where it is not."""
    if not source.stale_after_hours or now - delivered <= timedelta(hours=source.stale_after_hours):
        return None
    return (
        f"{source.name} is stale: its newest delivery, of {month_label(newest_month)}, is of "
        f"{delivered:%Y-%m-%d %H:%M} UTC, {(now - delivered) // timedelta(hours=1)} hours ago, and stale_after_hours "
        f"is {source.stale_after_hours}; look at the export in {source.form.provider.console}, and at what copies its "
        "bucket"
    )


def _stale(sources: Sequence[Source], planned: Sequence[PlannedMonth]) -> Iterator[str]:
    now = datetime.now(UTC)
    for source in sources:
        newest = next((month for month in planned if month.source == source.name), None)
        line = newest and stale_line(source, newest.billing_month, newest.delivered, now)
        if line:
            yield line


def _find(
    sources: Sequence[Source], storage_of: Callable[[Source], Storage], months: MonthRange
) -> tuple[list[_Found], dict[str, CloudCostsError]]:
    """Return the months in the buckets, in the order of the sources, and the error of each source that has none."""

    def reach(source: Source) -> Storage:
        with labelled(source.name):
            return storage_of(source)

    def list_source(source: Source, storage: Storage | CloudCostsError) -> list[_Found] | CloudCostsError:
        if isinstance(storage, CloudCostsError):
            return storage
        return _attempt(lambda: _list_source(source, storage, months))

    # In this thread, one after the other: boto3's clients and Airflow's hooks can be used in several threads, but not
    # made there.
    reached = [(source, _attempt(partial(reach, source))) for source in sources]
    found: list[_Found] = []
    failures: dict[str, CloudCostsError] = {}
    for source, listed in zip(sources, in_threads(lambda one: list_source(*one), reached, SOURCES), strict=True):
        if isinstance(listed, CloudCostsError):
            failures[source.name] = listed
        else:
            found += listed
    return found, failures


def _attempt(work: Callable[[], T]) -> T | CloudCostsError:
    try:
        return work()
    except CloudCostsError as error:
        return error


def _list_source(source: Source, storage: Storage, months: MonthRange) -> list[_Found]:
    first = max((month for month in (months.first, source.first_month) if month), default=None)
    if first and months.last and first > months.last:
        return []
    wanted = MonthRange(first, months.last)
    found = source.form.find_manifests(source.name, source.uri, storage, wanted)
    return [_Found(source, storage, manifest) for manifest in found]


def _decide(
    found: _Found, published_months: Mapping[tuple[str, date], _Published], force: bool, raw_only: bool
) -> tuple[PlannedMonth, CloudCostsError | None]:
    """Return the decision on a month, and the error where its manifest could not be read."""
    manifest = found.manifest
    published = published_months.get((manifest.source, manifest.billing_month))
    month = PlannedMonth(
        manifest.source,
        manifest.billing_month,
        manifest.file.uri,
        "",
        published.version if published else None,
        "load",
        "new",
        manifest.file.modified,
    )
    same = published and (published.manifest_uri, published.manifest_etag) == (
        manifest.file.uri,
        manifest.file.etag,
    )
    # The same manifest pins the same files, so nothing has to be read to know the version.
    if published and same:
        month = replace(month, version=published.version)
        if force:
            return replace(month, reason="forced"), None
        if published.raw_only and not raw_only:
            return replace(month, reason="only raw is published"), None
        earlier = not published.raw_only and published.mapping != focus.digest(found.source.form.mapping)
        return replace(month, decision="unchanged", reason=EARLIER_RULES if earlier else ""), None
    version = _attempt(lambda: found.source.form.read_version(manifest, found.storage))
    if isinstance(version, CloudCostsError):
        return replace(month, version="unreadable", reason="the manifest cannot be read"), version
    return replace(month, version=version, reason="changed" if published else "new"), None


def _limited(planned: list[PlannedMonth], limit: int | None) -> list[PlannedMonth]:
    """Leave the months to load that exceed the limit for the next run."""
    taken = 0
    months = []
    for month in planned:
        if month.decision == "load":
            taken += 1
            if limit is not None and taken > limit:
                month = replace(month, decision="next run", reason=f"this run takes {limit} months")
        months.append(month)
    return months


def _published(
    connection: Connection, database: Database, sources: Sequence[Source]
) -> dict[tuple[str, date], _Published]:
    rows = connection.execute(
        sql.SQL(
            """
            select source, billing_period, version, manifest_uri, manifest_etag, raw_only, mapping from {}
            where source = any(%s) and status = 'published'
            """
        ).format(database.table("load_history")),
        [[source.name for source in sources]],
    ).fetchall()
    return {(row[0], row[1]): _Published(*row[2:]) for row in rows}
