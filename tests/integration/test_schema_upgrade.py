"""The numbered DDL brings every earlier version of the tables up to this one, with all that is in them."""

import hashlib
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from functools import partial
from pathlib import Path

import psycopg
import pytest
from pipeline import JANUARY, crafted_source, differing_totals, line, load_month, staged_tables, write_delivery
from psycopg import sql
from roles import drop_roles, loader_uri, make_roles, own_schemas

from cloud_costs.charges.views import READABLE, refresh_views
from cloud_costs.database import schema as schema_module
from cloud_costs.database import sql_files
from cloud_costs.database.postgres import Database
from cloud_costs.database.schema import apply_schema
from cloud_costs.errors import DatabaseUnavailable, SchemaTooNew
from cloud_costs.months import MonthRange
from cloud_costs.publishing.plan import list_manifests
from cloud_costs.storage.local import LocalStorage

FIXTURES = Path(__file__).parents[1] / "fixtures"
FEBRUARY = date(2025, 2, 1)
FILES = sorted(path.name for path in (sql_files.FOLDER / "schema").glob("[0-9]*.sql"))
FIRST = ["001_tables.sql", "002_comments.sql"]
# As the first version published them.
COSTS = [
    (JANUARY, "Tax", "0.3", 1),
    (JANUARY, "Usage", "1.5", 1),
    (JANUARY, "Usage", "2.5", 1),
    (FEBRUARY, "Usage", "0.3", 3),
]
CATALOG = """
    select relname, relkind, attname, format_type(atttypid, atttypmod), attnotnull, pg_get_expr(adbin, adrelid),
        col_description(pg_class.oid, attnum), obj_description(pg_class.oid, 'pg_class'),
        case relkind when 'v' then pg_get_viewdef(pg_class.oid) when 'i' then pg_get_indexdef(pg_class.oid) end
    from pg_class
    inner join pg_attribute on attrelid = pg_class.oid and attnum > 0 and not attisdropped
    left join pg_attrdef on adrelid = pg_class.oid and adnum = attnum
    where relnamespace = current_schema::regnamespace
    order by relname, attnum
"""
CONSTRAINTS = """
    select conrelid::regclass::text, conname, pg_get_constraintdef(oid) from pg_constraint
    where connamespace = current_schema::regnamespace and conrelid <> 0
    order by 1, 2
"""


@pytest.fixture
def first_version(postgres):
    """A database as the first version left it, with its rows; the loader of today owns it."""
    schema = "t_first_version"
    make_roles(postgres, schema)
    dump = (FIXTURES / "first_version.sql").read_text().replace("cost_analytics", schema)
    try:
        subprocess.run(
            [
                postgres.psql,
                "--no-psqlrc",
                "--quiet",
                "--set=ON_ERROR_STOP=1",
                f"--dbname={loader_uri(postgres, schema)}",
            ],
            input=dump,
            text=True,
            check=True,
            capture_output=True,
        )
        yield Database(lambda: psycopg.connect(loader_uri(postgres, schema)), schema, "costs_db")
    finally:
        drop_roles(postgres, schema)


def rows(database, statement, *parameters):
    with database.session() as connection:
        connection.execute(f'set search_path to "{database.schema}"')
        cursor = connection.execute(statement, parameters or None)
        return cursor.fetchall() if cursor.description else []


def costs(database):
    found = rows(database, "select billing_period, charge_category, cost, line_items from costs order by 1, 2, 3")
    return [(month, category, str(cost), lines) for month, category, cost, lines in found]


def apply_first(database, count):
    """Apply the next files up to `count`, as the version of the package that ended there did."""
    with database.session() as connection, connection.transaction():
        seen = {
            name for (name,) in connection.execute(f"select name from {database.schema}.schema_versions").fetchall()
        }
        for name in FILES[:count]:
            if name not in seen:
                connection.execute(
                    sql_files.compose(sql_files.read(f"schema/{name}"), schema=sql.Identifier(database.schema))
                )
                connection.execute(f"insert into {database.schema}.schema_versions (name) values (%s)", [name])


def shape(database, statement):
    """Return a catalog query's rows without the schema's name, and without the tables of a source."""
    text = [tuple(str(value).replace(database.schema, "costs") for value in row) for row in rows(database, statement)]
    return [row for row in text if "crafted" not in row[0] and row[0] not in READABLE]


def test_landed_file_never_changes():
    """A database that has seen a file never sees what is changed in it: write a new file, and add it here.

    `sha256sum include/sql/schema/[0-9]*.sql` prints the lines.
    """
    listed = dict(line.split()[::-1] for line in (FIXTURES / "schema.sha256").read_text().splitlines())
    folder = sql_files.FOLDER / "schema"
    found = {f"include/sql/schema/{name}": hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in FILES}
    assert found == listed
    assert FILES[:2] == FIRST
    assert [int(name[:3]) for name in FILES] == sorted({int(name[:3]) for name in FILES})


@pytest.mark.parametrize("count", range(len(FIRST), len(FILES) + 1), ids=lambda count: FILES[count - 1])
def test_every_earlier_version_becomes_this_one(first_version, postgres, count):
    apply_first(first_version, count)
    assert apply_schema(first_version) == FILES[count:]
    assert apply_schema(first_version) == []
    refresh_views(first_version)
    assert costs(first_version) == COSTS
    assert differing_totals(partial(rows, first_version)) == {}
    with own_schemas(postgres) as fresh:
        for statement in (CATALOG, CONSTRAINTS):
            assert shape(first_version, statement) == shape(fresh, statement)


def test_first_version_goes_on_as_if_nothing_had_been(first_version, bucket):
    assert costs(first_version) == COSTS
    before = rows(first_version, "select sum(billedcost), sum(effectivecost), count(*) from focus_costs")
    apply_schema(first_version)
    refresh_views(first_version)
    assert rows(first_version, "select sum(billedcost), sum(effectivecost), count(*) from focus_costs") == before
    assert rows(first_version, "select load_id, status from load_history order by 1") == [
        (1, "superseded"),
        (2, "published"),
        (3, "published"),
    ]
    changes = rows(first_version, "select charge_category, cost_change::text from restatements order by 1")
    assert changes == [("Tax", "0.3"), ("Usage", "0.25")]
    # A reload, a restated month with a new column, and a new month.
    source = crafted_source(bucket, tags=("user:team",))
    march = date(2025, 3, 1)
    write_delivery(bucket, [line(line_item_unblended_cost=9.5, resource_tags_user_team="shop", new=1)], version="v3")
    write_delivery(bucket, [line(march, line_item_unblended_cost=4.5)], month=march)
    plan = list_manifests(first_version, [source], lambda _: LocalStorage(), MonthRange())
    assert [(month.label, month.decision) for month in plan.months] == [
        ("crafted 2025-03", "load"),
        ("crafted 2025-01", "load"),
    ]
    for month in (JANUARY, march):
        load_month(first_version, source, month)
    load_month(first_version, source, JANUARY)
    assert costs(first_version) == [(JANUARY, "Usage", "9.5", 1), COSTS[3], (march, "Usage", "4.5", 1)]
    assert rows(
        first_version, "select billing_period, sum(billedcost)::text from focus_costs group by 1 order by 1"
    ) == [
        (JANUARY, "9.5"),
        (FEBRUARY, "0.3"),
        (march, "4.5"),
    ]
    assert differing_totals(partial(rows, first_version)) == {}
    assert staged_tables(first_version) == []


def test_processes_that_upgrade_at_once_apply_each_file_once(first_version, postgres):
    with psycopg.connect(postgres.uri(), autocommit=True) as connection:
        connection.execute(f"delete from {first_version.schema}.schema_versions where name = '002_comments.sql'")
    with ThreadPoolExecutor(8) as pool:
        applied = list(pool.map(lambda _: apply_schema(first_version), range(8)))
    assert sorted(applied) == [[]] * 7 + [FILES[1:]]
    assert rows(first_version, "select name from schema_versions order by 1") == [(name,) for name in FILES]


def test_processes_that_make_the_tables_at_once_agree(postgres):
    schema = "t_apply_at_once"
    make_roles(postgres, schema)
    try:
        database = Database(lambda: psycopg.connect(loader_uri(postgres, schema)), schema, "costs_db")
        with ThreadPoolExecutor(8) as pool:
            applied = list(pool.map(lambda _: apply_schema(database), range(8)))
        assert sorted(applied) == [[]] * 7 + [FILES]
    finally:
        drop_roles(postgres, schema)


def test_file_that_fails_leaves_nothing_of_itself_or_the_others(first_version, tmp_path, monkeypatch):
    before = shape(first_version, CATALOG)
    os.symlink(sql_files.FOLDER / "focus", tmp_path / "focus")
    (tmp_path / "schema").mkdir()
    for name in FILES:
        (tmp_path / "schema" / name).symlink_to(sql_files.FOLDER / "schema" / name)
    (tmp_path / "schema" / "998_good.sql").write_text("create table {schema}.half (a int);")
    (tmp_path / "schema" / "999_bad.sql").write_text("create table {schema}.other (a int); select 1 / 0;")
    monkeypatch.setattr(sql_files, "FOLDER", tmp_path)
    sql_files.read.cache_clear()
    with pytest.raises(Exception, match="division by zero"):
        apply_schema(first_version)
    assert shape(first_version, CATALOG) == before
    assert rows(first_version, "select name from schema_versions order by 1") == [(name,) for name in FIRST]
    sql_files.read.cache_clear()


def test_older_package_refuses_a_newer_database(database, cup, query):
    query("insert into schema_versions (name) values ('998_ahead.sql'), ('999_far_ahead.sql')")
    with pytest.raises(SchemaTooNew, match=rf"{database.schema} \(998_ahead\.sql, 999_far_ahead\.sql\): update this"):
        apply_schema(database)


def test_upgrade_does_not_queue_readers_behind_a_long_one(first_version, monkeypatch, tmp_path):
    monkeypatch.setattr(schema_module, "DDL_LOCK_TIMEOUT", "100ms")
    rows(first_version, "delete from schema_versions where name = '002_comments.sql'")
    with first_version.session() as reader:
        reader.autocommit = False
        reader.execute(f"lock table {first_version.schema}.load_history in share row exclusive mode")
        with pytest.raises(DatabaseUnavailable, match="lock timeout"):
            apply_schema(first_version)
    assert apply_schema(first_version) == FILES[1:]
