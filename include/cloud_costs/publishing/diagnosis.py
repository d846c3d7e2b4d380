"""Test the database and the sources, and say what is wrong with them and what to do about it.

`python -m cloud_costs test-connection` and `test-source` call this, and so does the DAG `cloud_costs_check`.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import uuid4

from psycopg import sql
from psycopg.rows import class_row

from cloud_costs.charges.lines import RawLines
from cloud_costs.charges.tags import tag_keys, tags_without_column
from cloud_costs.config.sources import Source
from cloud_costs.database.postgres import Connection, Database
from cloud_costs.database.schema import apply_schema
from cloud_costs.errors import (
    CloudCostsError,
    DatabaseDenied,
    DatabaseUnavailable,
    DeliveryError,
    StorageDenied,
    StorageUnavailable,
)
from cloud_costs.formats import FORMATS, without_manifests
from cloud_costs.formats.delivery import Format, Manifest
from cloud_costs.formats.mapping import billed_columns, is_read
from cloud_costs.loading.shape import FileShape, Shape
from cloud_costs.loading.staging import read_file_shape, read_shape
from cloud_costs.months import MonthRange, month_label
from cloud_costs.publishing.load import newer_version, version_of
from cloud_costs.publishing.plan import stale_line
from cloud_costs.storage.files import Storage, labelled

# The first that has pg_input_is_valid, which tells texts that are JSON or numbers from others.
OLDEST_SERVER = 16
ACTIONS = {
    DatabaseUnavailable: "see that host and port of the connection are right, and that the server runs",
    DatabaseDenied: "correct user, password and database of the connection, or grant what is missing",
    StorageUnavailable: "see that network, proxy and endpoint let this machine reach the storage",
    StorageDenied: "correct the credentials, the bucket or its region, or grant list and read on it",
}


@dataclass(frozen=True)
class Diagnosis:
    """The result of a test: facts to show, and problems to solve, each a line of text."""

    facts: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class Server:
    """The properties of a PostgreSQL server, its role and its database that loads depend on."""

    version: str
    version_num: int
    role: str
    database: str
    encoding: str
    is_replica: bool
    is_read_only: bool
    may_create: bool
    may_make_temporary: bool


SERVER = """
    select
        current_setting('server_version') as version,
        current_setting('server_version_num')::int as version_num,
        current_user::text as role,
        current_database()::text as database,
        current_setting('server_encoding') as encoding,
        pg_is_in_recovery() as is_replica,
        current_setting('default_transaction_read_only') = 'on' as is_read_only,
        has_database_privilege(current_database(), 'create') as may_create,
        has_database_privilege(current_database(), 'temporary') as may_make_temporary
"""
# The schemas, and three of their relations, that the role does not own. Only an owner may alter or drop a relation.
OWNED_BY_OTHERS = """
    select format('schema %%I', nspname), pg_get_userbyid(nspowner)::text
    from pg_namespace
    where nspname = any(%(schemas)s) and not pg_has_role(nspowner, 'usage')
    union all
    select * from (
        select format('table %%I.%%I', nspname, relname), pg_get_userbyid(relowner)::text
        from pg_class
        inner join pg_namespace on pg_namespace.oid = relnamespace
        where nspname = any(%(schemas)s) and relkind in ('r', 'p', 'v') and not pg_has_role(relowner, 'usage')
        order by 1
        limit 3
    ) as relations
"""


def diagnose_database(database: Database) -> Diagnosis:
    """Test everything that loads need of the database, and make the tables where they are missing.

    Problems are returned and not raised.
    """
    try:
        with database.session() as connection:
            with connection.cursor(row_factory=class_row(Server)) as cursor:
                [server] = cursor.execute(SERVER).fetchall()
            problems = [
                *server_problems(server),
                *_right_problems(connection, database, server),
                *_lock_problems(connection, database),
            ]
        fact = f"{database.name}: PostgreSQL {server.version}, user {server.role}"
        if problems:
            return Diagnosis((fact,), tuple(f"{database.name}: {problem}" for problem in problems))
        applied = apply_schema(database)
    except CloudCostsError as error:
        return Diagnosis(problems=(_with_action(error),))
    schema = f"schema {database.schema}: " + (f"applied {', '.join(applied)}" if applied else "up to date")
    return Diagnosis((f"{fact}: ok", schema))


def server_problems(server: Server) -> Iterator[str]:
    """Yield why this server or database cannot hold the tables, whatever the role's rights."""
    if server.version_num < OLDEST_SERVER * 10_000:
        yield f"PostgreSQL {server.version} is too old; use {OLDEST_SERVER} or newer"
    if server.encoding != "UTF8":
        yield (
            f"the database {server.database} has the encoding {server.encoding}, but names on bills need UTF8; "
            "create another one: create database … encoding 'UTF8' template template0"
        )
    if server.is_replica:
        yield "this server is a replica, which nobody can write to; name the primary in the connection"
    elif server.is_read_only:
        yield (
            f"default_transaction_read_only is on for {server.role}: alter role … reset default_transaction_read_only"
        )


def _right_problems(connection: Connection, database: Database, server: Server) -> Iterator[str]:
    schemas = [database.schema, database.staging_schema]
    known = connection.execute("select nspname from pg_namespace where nspname = any(%s)", [schemas]).fetchall()
    missing = [name for name in schemas if (name,) not in known]

    def grant(right: str) -> str:
        statement = sql.SQL("grant {} on database {} to {}").format(
            sql.SQL(right), sql.Identifier(server.database), sql.Identifier(server.role)
        )
        return statement.as_string(connection)

    if missing and not server.may_create:
        yield (
            f"{server.role} may not create the schema {' and '.join(missing)} in the database {server.database}; run "
            f"include/sql/schema/roles.sql as an administrator, or {grant('create')}"
        )
    if not server.may_make_temporary:
        yield f"{server.role} may not make temporary tables, which the checks need: {grant('temporary')}"
    for what, owner in connection.execute(OWNED_BY_OTHERS, {"schemas": schemas}):
        yield (
            f"{what} belongs to {owner}, not to {server.role}; connect as {owner}, or: "
            f"alter {what} owner to {server.role}"
        )


def _lock_problems(first: Connection, database: Database) -> Iterator[str]:
    """Yield a problem where two connections do not exclude each other with a session lock.

    A pooler in transaction mode lets several clients share one session of PostgreSQL, and a session can take its own
    lock twice. The key is random, so no other check is in the way.
    """
    lock = "select pg_try_advisory_lock(hashtextextended(%s, 0))"
    key = [f"cloud_costs check {uuid4()}"]
    # The first connection gets the lock, so the second must not.
    with database.session() as second:
        held = [connection.execute(lock, key).fetchone() for connection in (first, second)]
        first.execute("select pg_advisory_unlock_all()")
    if held != [(True,), (False,)]:
        yield (
            "two connections share one session, as through a pooler in transaction mode, so a load could not keep the "
            "lock on its month; connect to PostgreSQL itself, or set the pooler to session mode"
        )


def diagnose_source(source: Source, storage_of: Callable[[Source], Storage]) -> Diagnosis:
    """List the source's manifests, and read the newest one and the footer or header of its first file.

    Problems are returned and not raised.
    """
    try:
        with labelled(source.name):
            storage = storage_of(source)
        found = _find(source, storage)
        newest = found[-1]
        delivery = source.form.read_delivery(newest, storage)
        if not delivery.files:
            return Diagnosis((f"{source.name}: {month_label(newest.billing_month)} is empty, and can be loaded: ok",))
        first = read_file_shape(storage, newest.label, delivery, delivery.files[0], source.form)
        if other := _other_format(source, first):
            return Diagnosis(
                problems=(f"{source.name}: the columns of {month_label(newest.billing_month)} are {other}",)
            )
        # A month may have hundreds of files. One is enough to see that the storage lets its files be read.
        first_file = replace(delivery, files=delivery.files[:1])
        shape = read_shape(storage, first_file, source.form, {}, mapped=source.raw == "mapped")
    except CloudCostsError as error:
        return Diagnosis(problems=(_with_action(error),))
    rows = "" if shape.files[0].rows is None else f"{shape.files[0].rows} rows, "
    columns = len(shape.files[0].types)
    kept = f", {len(shape.columns)} of them kept" if len(shape.columns) < columns else ""
    found_version = source.focus_version or version_of(source, shape)
    version = f", of FOCUS {found_version}" if found_version else ""
    months = f"{month_label(found[0].billing_month)} to {month_label(newest.billing_month)}"
    fact = (
        f"{source.name}: {len(found)} month(s), {months}; the newest is version {delivery.version}, "
        f"{len(delivery.files)} file(s), {delivery.size} bytes; the first has {rows}{columns} columns{kept}{version}"
    )
    problems = tuple(f"{source.name}: {problem}" for problem in _setting_problems(source, newest, shape))
    if stale := stale_line(source, newest.billing_month, newest.file.modified, datetime.now(UTC)):
        problems = (*problems, stale)
    return Diagnosis((fact if problems else f"{fact}: ok",), problems)


def _find(source: Source, storage: Storage) -> list[Manifest]:
    """Return the manifests. Where there are none, raises `DeliveryError` with the setting that would find some."""
    try:
        found = source.form.find_manifests(source.name, source.uri, storage, MonthRange())
        words = f"{source.name}: no month below {source.uri} has a manifest"
    except DeliveryError as error:
        found, words = [], str(error)
    if found:
        return found
    # A format for files of any provider finds something in most folders, which proves nothing.
    others = [
        name
        for name, form in FORMATS.items()
        if name != source.format and not form.versions and _finds(form, source, storage)
    ]
    if others:
        words += f"; its folders are those of {' or '.join(others)}: correct format, which is {source.format}"
    elif (
        source.manifest == "required"
        and source.form.find_months
        and _finds(without_manifests(source.form), source, storage)
    ):
        words += "; it holds data files, so if nothing copies the manifests, set manifest: none"
    raise DeliveryError(words)


def _finds(form: Format, source: Source, storage: Storage) -> bool:
    try:
        return bool(form.find_manifests(source.name, source.uri, storage, MonthRange()))
    except DeliveryError:
        return False


def _setting_problems(source: Source, newest: Manifest, shape: Shape) -> Iterator[str]:
    month = month_label(newest.billing_month)
    if source.first_month and source.first_month > newest.billing_month:
        yield (
            f"nothing is loaded: first_month is {month_label(source.first_month)}, and the newest month of the export "
            f"is {month}; correct first_month, or wait"
        )
    raw = RawLines(
        source.form,
        sql.SQL("raw"),
        {column.name: column.type for column in shape.columns},
        "",
        {column.name: column.original for column in shape.columns},
        lambda name: sql.Literal(True),
    )
    yield from newer_version(source, shape)
    known = ", ".join(tag_keys(raw)) or "no tags"
    for key in tags_without_column(raw, source.tags):
        yield (
            f"tags: no column of {month} holds {key!r}, the export has {known}; correct tags, or "
            f"{source.form.provider.missing_tag}"
        )


def _other_format(source: Source, file: FileShape) -> str | None:
    """Return the format that a file's columns belong to, as words, where it is not the source's; else None.

    A FOCUS file of a provider can be loaded by the provider's own format, and by the one for any provider.
    """
    if source.form.versions and not billed_columns(source.form).isdisjoint(map(str.lower, file.types)):
        return None
    fits = {name: _matches(form, file.types) for name, form in FORMATS.items()}
    if fits[source.format] == max(fits.values()):
        return None
    best = " or ".join(name for name, matches in fits.items() if matches == max(fits.values()))
    return f"those of {best}: correct format, which is {source.format}"


def _matches(form: Format, columns: Iterable[str]) -> int:
    """Return how many of the exported columns the format's mapping reads."""
    return sum(is_read(form, form.raw_name(name)) or is_read(form, name.lower()) for name in columns)


def _with_action(error: CloudCostsError) -> str:
    action = ACTIONS.get(type(error))
    return f"{error}; {action}" if action else str(error)
