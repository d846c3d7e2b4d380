"""The roles of `include/sql/schema/roles.sql` may do what they are for, and nothing else.

All integration tests connect as the loader; here is what it and the reader may not.
"""

import os
import subprocess
import tempfile
from pathlib import Path

import psycopg
import pytest
from pipeline import JANUARY, crafted_source, line, load_month, write_delivery
from roles import make_roles

from cloud_costs.charges.focus_versions import VIEWS
from cloud_costs.charges.views import DETAILS, READABLE, refresh_views
from cloud_costs.database.postgres import Database
from cloud_costs.database.schema import HISTORY, INSIGHTS, TOTALS, apply_schema
from cloud_costs.demo import embedded_postgres
from cloud_costs.errors import DatabaseDenied, PublishBlocked
from cloud_costs.publishing.load import load_raw
from cloud_costs.publishing.normalize import normalize
from cloud_costs.publishing.publish import publish
from cloud_costs.storage.local import LocalStorage

ROOT = Path(__file__).parents[2]
ROLES = """
    select rolname, rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls,
        exists (select from pg_auth_members where member = pg_roles.oid)
    from pg_roles where rolname like %s order by 1
"""
OWNED = """
    select relkind, relname from pg_class
    where relowner = %s::regrole and relnamespace not in (to_regnamespace(%s), to_regnamespace(%s))
        and relnamespace <> 'pg_toast'::regnamespace
"""


@pytest.fixture
def crafted(database, bucket):
    """One charge in all relations."""
    write_delivery(bucket, [line()])
    load_month(database, crafted_source(bucket), JANUARY)


@pytest.fixture
def elsewhere(administer):
    """A table in a schema that is not the loader's."""
    administer("create schema elsewhere; create table elsewhere.salaries as select 1 as amount")
    yield "elsewhere.salaries"
    administer("drop schema elsewhere cascade")


def test_roles_are_ordinary_and_own_the_two_schemas_alone(database, crafted, administer):
    none = (False,) * 6
    loader = f"{database.schema}_loader"
    assert administer(ROLES, f"{database.schema}%") == [(loader, *none), (database.reader, *none)]
    assert administer("select nspname from pg_namespace where nspowner = %s::regrole order by 1", loader) == [
        (database.schema,),
        (database.staging_schema,),
    ]
    assert administer(OWNED, loader, database.schema, database.staging_schema) == []
    assert administer("select count(*) from pg_class where relowner = %s::regrole", database.reader) == [(0,)]


def test_reader_reads_costs_and_history_and_nothing_else(database, crafted, query, read):
    may = {*HISTORY, *TOTALS, *INSIGHTS, *READABLE, *(name.format("crafted") for name in DETAILS)}
    rows = query(
        "select relname from pg_class where relkind = any('{r,p,v}') and relnamespace = current_schema::regnamespace"
    )
    names = [name for (name,) in rows]
    assert may < set(names)
    assert {"crafted_normalized", "account_list", "schema_versions"} < set(names) - may
    for name in names:
        if name in may:
            assert read(f"select count(*) from {name}")[0][0] >= 0
        else:
            with pytest.raises(DatabaseDenied, match="permission denied for"):
                read(f"select * from {name}")
    assert read("select sum(cost) from costs") == read("select sum(billedcost) from focus_costs") == [(1.5,)]
    assert read("select status from load_history") == [("published",)]


def test_reader_cannot_enter_staging(database, crafted, query, read):
    query(f'create table "{database.staging_schema}".raw_crafted_202501_9 (a int)')
    with pytest.raises(DatabaseDenied, match="permission denied for schema"):
        read(f'select * from "{database.staging_schema}".raw_crafted_202501_9')


@pytest.mark.parametrize(
    "statement",
    [
        "insert into load_history (source, format, billing_period) values ('x', 'x', '2025-01-01')",
        "update load_history set status = 'failed'",
        "delete from audit_results",
        "truncate load_history",
        "drop view costs",
        "create or replace view costs as select 1 as cost",
        "create table mine (a int)",
        "create temp table mine (a int)",
        "alter view costs set (security_invoker = true)",
        "grant select on crafted_normalized to public",
        "begin; lock table load_history in access exclusive mode",
        "comment on view costs is 'mine'",
        "create schema mine",
    ],
)
def test_reader_cannot_write(crafted, read, statement):
    with pytest.raises(DatabaseDenied, match=r"permission denied|must be owner"):
        read(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "select * from elsewhere.salaries",
        "create table elsewhere.mine (a int)",
        "create schema mine",
        "create database mine",
        "create role mine",
        "alter role current_user superuser",
        "alter role postgres password 'mine'",
        "set role postgres",
        "set session authorization postgres",
        "copy load_history (source) from '/etc/passwd'",
        "copy (select 1) to '/tmp/mine'",
        "copy load_history (source) from program 'id'",
        "select pg_read_file('/etc/passwd')",
        "select pg_ls_dir('.')",
        "select lo_import('/etc/passwd')",
        "create function mine() returns int language internal as 'pg_backend_pid'",
        "alter system set work_mem to '1GB'",
        "select passwd from pg_shadow",
        "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'postgres' and pid <> pg_backend_pid()",
    ],
)
def test_loader_cannot(query, administer, postgres, elsewhere, statement):
    with psycopg.connect(postgres.uri()), pytest.raises(DatabaseDenied, match=r"permission denied|must be|only roles"):
        query(statement)


def test_reader_reads_as_soon_as_the_views_are_made_and_made_anew(database, crafted, query, read):
    query("drop view costs; drop view focus_costs cascade")
    assert refresh_views(database) == ["focus_costs", *VIEWS, "costs"]
    assert read("select sum(cost) from costs") == [(1.5,)]
    query("drop view costs; create view costs as select cost::text, date from crafted_normalized")
    refresh_views(database)
    assert read("select sum(cost) from costs") == read("select sum(billedcost) from focus_costs") == [(1.5,)]
    query(f"revoke select on costs, load_history from {database.reader}")
    assert refresh_views(database) == []
    apply_schema(database)
    assert read("select sum(cost) from costs") == [(1.5,)]
    assert read("select count(*) from load_history") == [(1,)]


def test_roles_may_come_after_the_first_load(postgres, bucket):
    """Tables of an older role stay with it: it is named as the loader."""
    schema = "t_roles_later"
    write_delivery(bucket, [line()])
    with psycopg.connect(postgres.uri(), autocommit=True) as connection:
        connection.execute(
            "create role t_older login; grant connect, create, temporary on database postgres to t_older"
        )
    try:
        database = Database(lambda: psycopg.connect(postgres.uri(user="t_older")), schema, "costs_db")
        apply_schema(database)
        load_month(database, crafted_source(bucket), JANUARY)
        make_roles(postgres, schema, "--set=loader=t_older")
        apply_schema(database)
        refresh_views(database)
        with psycopg.connect(postgres.uri(user=f"{schema}_reader")) as connection:
            assert connection.execute(f"select sum(cost) from {schema}.costs").fetchone() == (1.5,)
    finally:
        with psycopg.connect(postgres.uri(), autocommit=True) as connection:
            connection.execute(f"drop owned by t_older, {schema}_reader cascade; drop role t_older, {schema}_reader")


def test_file_runs_twice_and_by_an_administrator_who_is_no_superuser(postgres):
    with psycopg.connect(postgres.uri(), autocommit=True) as connection:
        connection.execute("create role t_admin login createrole")
        connection.execute("create database t_managed owner t_admin")
        connection.execute("revoke all on database t_managed from public")
    uri = postgres.uri("t_managed", "t_admin")
    try:
        for _ in range(2):
            assert "ERROR" not in make_roles(postgres, "t_by_admin", uri=uri)
        with psycopg.connect(postgres.uri("t_managed")) as connection:
            owners = connection.execute(
                "select nspname, nspowner::regrole::text from pg_namespace where nspname like 't_by%' order by 1"
            ).fetchall()
            members = connection.execute(
                "select count(*) from pg_auth_members where roleid = 't_by_admin_loader'::regrole and set_option"
            ).fetchone()
        assert owners == [("t_by_admin", "t_by_admin_loader"), ("t_by_admin_staging", "t_by_admin_loader")]
        assert members == (0,)
        loader = postgres.uri("t_managed", "t_by_admin_loader")
        assert apply_schema(Database(lambda: psycopg.connect(loader), "t_by_admin", "costs_db"))
    finally:
        with psycopg.connect(postgres.uri(), autocommit=True) as connection:
            connection.execute("drop database t_managed with (force)")
            connection.execute("drop role t_by_admin_loader, t_by_admin_reader, t_admin")


def test_loader_without_its_schemas_is_told(postgres, database):
    with psycopg.connect(postgres.uri(), autocommit=True) as connection:
        connection.execute(f'drop schema "{database.schema}", "{database.staging_schema}" cascade')
    with pytest.raises(DatabaseDenied, match=r"permission denied for database.*include/sql/schema/roles\.sql"):
        apply_schema(database)


def test_blocked_publish_names_a_reader_of_another_role(database, bucket, crafted, read, postgres):
    source = crafted_source(bucket)
    load = normalize(database, source, load_raw(database, LocalStorage(), source, JANUARY))
    with psycopg.connect(postgres.uri(user=database.reader)) as reader:
        reader.execute(f"select * from {database.schema}.costs")
        with pytest.raises(PublishBlocked, match=rf"pid {reader.info.backend_pid}, user {database.reader}\)"):
            publish(database, source, load, 0.5)
    publish(database, source, load)


@pytest.fixture
def own_server():
    """A server of the test's own, with no role but its superuser."""
    with tempfile.TemporaryDirectory() as folder:
        yield embedded_postgres.start(Path(folder) / "pg", settings={"fsync": "off"})
        embedded_postgres.stop(Path(folder) / "pg")


def test_compose_database_is_made_with_both_roles(own_server, tmp_path, bucket):
    psql = tmp_path / "psql"
    psql.write_text(f'#!/bin/sh\nexec "{own_server.psql}" --host="{own_server.socket_dir}" "$@"\n')
    psql.chmod(0o755)
    names = {"COSTS_DB": "cloud costs", "COSTS_USER": "cloud_costs", "COSTS_SCHEMA": "cost_analytics"}
    passwords = {"AIRFLOW_DB_PASSWORD": "it's", "COSTS_PASSWORD": "a \\'pass", "READER_PASSWORD": "it's \\too"}
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "POSTGRES_HOST": "postgres", **names, **passwords}
    environment["ROLES_SQL"] = str(ROOT / "include/sql/schema/roles.sql")
    script = ["bash", str(ROOT / "docker/postgres-init.sh")]
    made = subprocess.run(script, env=environment, capture_output=True, text=True, check=False)
    assert (made.returncode, made.stderr) == (0, "")
    write_delivery(bucket, [line()])
    loader = own_server.uri("cloud costs", "cloud_costs")
    database = Database(lambda: psycopg.connect(loader), "cost_analytics", "costs_db")
    apply_schema(database)
    load_month(database, crafted_source(bucket), JANUARY)
    with psycopg.connect(own_server.uri("cloud costs", "cost_analytics_reader")) as reader:
        assert reader.execute("select sum(cost) from cost_analytics.costs").fetchone() == (1.5,)
    for role, other in (
        ("airflow", "cloud costs"),
        ("cloud_costs", "airflow"),
        ("cost_analytics_reader", "airflow"),
    ):
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            psycopg.connect(own_server.uri(other, role))
    with psycopg.connect(own_server.uri()) as connection:
        superusers = connection.execute("select rolname from pg_roles where rolsuper").fetchall()
        logins = connection.execute("select rolname from pg_authid where rolpassword is not null order by 1").fetchall()
    assert superusers == [("postgres",)]
    assert logins == [("airflow",), ("cloud_costs",), ("cost_analytics_reader",)]
