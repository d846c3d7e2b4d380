"""Views when the package changes: replaced where PostgreSQL can, made anew where it cannot, never at a user's cost."""

import pyarrow as pa
import pytest
from pipeline import JANUARY, crafted_source, line, load_month, write_delivery

from cloud_costs.charges import views
from cloud_costs.charges.columns import focus_columns
from cloud_costs.charges.focus_versions import VIEWS
from cloud_costs.charges.views import refresh_views
from cloud_costs.database.postgres import columns_of
from cloud_costs.errors import DatabaseDenied

OLD_FOCUS = """
    drop view focus_costs cascade;
    drop view crafted_focus;
    create view crafted_focus as
    select billing_period, 1.5 as billedcost, 'AmazonEC2'::text as service_name, 7 as gone from raw_crafted;
    create view focus_costs as select *, 'crafted'::text as x_source from crafted_focus
"""
OLD_COSTS = "drop view costs; create view costs as select cost::text, date from crafted_normalized"


@pytest.fixture
def crafted(database, bucket, query):
    """One charge in the views."""
    write_delivery(bucket, [line()])
    load_month(database, crafted_source(bucket), JANUARY)


def shapes(database):
    with database.session() as connection:
        return {
            name: columns_of(connection, database.table(name)) for name in ("crafted_focus", "focus_costs", "costs")
        }


def oids(query):
    return query(
        "select relname, oid from pg_class where relkind = 'v' and relnamespace = current_schema::regnamespace"
    )


def test_older_shape_of_the_focus_views_is_made_anew(database, crafted, query):
    expected = shapes(database)
    query(OLD_FOCUS)
    assert refresh_views(database) == ["crafted_focus", "focus_costs", *VIEWS]
    assert shapes(database) == expected
    assert query("select ServiceName, BilledCost from focus_costs") == [("Amazon Elastic Compute Cloud", 1.5)]
    assert refresh_views(database) == []


def test_older_shape_of_costs_is_made_anew(database, crafted, query):
    expected = shapes(database)
    query(OLD_COSTS)
    query("grant select on costs to pg_monitor")
    assert refresh_views(database) == ["costs"]
    assert shapes(database) == expected
    assert query("select has_table_privilege('pg_monitor', 'costs', 'select')") == [(True,)]
    assert query("select col_description('costs'::regclass, 1) is not null") == [(True,)]


def test_column_put_first_is_made_anew_and_one_put_last_is_replaced(database, crafted, query, monkeypatch):
    charges, names = views.focus.charges_with_lines, views.focus.columns_with_lines()
    before = dict(oids(query))

    def wrapped(columns, names):
        text = views.sql.SQL(f"select {columns} from (")
        end = views.sql.SQL(") as charges")
        monkeypatch.setattr(views.focus, "charges_with_lines", lambda *lines: text + charges(*lines) + end)
        monkeypatch.setattr(views.focus, "columns_with_lines", lambda: names)

    wrapped("*, 1 as x_last", [*names, "x_last"])
    assert refresh_views(database) == ["crafted_focus", "focus_costs", *VIEWS]
    last = dict(oids(query))
    assert last["crafted_focus"] == before["crafted_focus"]
    assert query("select x_last, x_source from focus_costs") == [(1, "crafted")]
    wrapped("1 as x_first, *", ["x_first", *names])
    assert refresh_views(database) == ["crafted_focus", "focus_costs", *VIEWS]
    assert dict(oids(query))["crafted_focus"] != last["crafted_focus"]
    assert query("select x_first, x_source from focus_costs") == [(1, "crafted")]


def test_rights_survive_a_new_shape(database, crafted, query):
    query(OLD_FOCUS)
    query(
        "grant select on crafted_focus to pg_monitor with grant option; grant select on focus_costs to public;"
        "grant select (billedcost, gone) on focus_costs to pg_read_all_stats"
    )
    refresh_views(database)
    assert query("select has_table_privilege('pg_monitor', 'crafted_focus', 'select with grant option')") == [(True,)]
    assert query("select relacl::text like '%%=r/%%' from pg_class where oid = 'focus_costs'::regclass") == [(True,)]
    assert query(
        "select attname, attacl::text like '%%pg_read_all_stats=r%%' from pg_attribute "
        "where attrelid = 'focus_costs'::regclass and attacl is not null"
    ) == [("billedcost", True)]


@pytest.mark.parametrize("view", ["crafted_focus", "focus_costs"])
def test_view_of_a_user_is_not_dropped_but_named(database, crafted, query, view):
    query(OLD_FOCUS)
    query(f"create view by_team as select sum(billedcost) as cost from {view}; create view again as table by_team")
    before = oids(query)
    with pytest.raises(DatabaseDenied) as raised:
        refresh_views(database)
    message = str(raised.value)
    assert f"{database.schema}.{view} has to be created again" in message
    assert "view by_team depends on" in message.replace(f"{database.schema}.", "")
    assert "pg_get_viewdef" in message
    assert oids(query) == before
    assert query("select cost from again") == [(1.5,)]
    query("drop view by_team cascade")
    assert refresh_views(database) == ["crafted_focus", "focus_costs", *VIEWS]


def test_view_of_a_user_outlives_a_refresh_that_only_adds_columns(database, bucket, crafted, query):
    """A tag that appears changes the view's definition, and not its columns."""
    query("create view by_team as select sum(billedcost) as cost from focus_costs")
    write_delivery(bucket, [line(resource_tags_user_team="shop")])
    load_month(database, crafted_source(bucket), JANUARY)
    assert query("select cost from by_team") == [(1.5,)]
    assert query("select Tags from focus_costs") == [({"user_team": "shop"},)]


def test_user_is_told_of_a_view_that_holds_up_a_wider_column(database, bucket, query):
    source = crafted_source(bucket)
    february = JANUARY.replace(month=2)
    table = pa.Table.from_pylist([line()]).append_column("n", pa.array([7], pa.int32()))
    write_delivery(bucket, table)
    load_month(database, source, JANUARY)
    query("create view by_team as select sum(billedcost) as cost from focus_costs")
    write_delivery(bucket, [line(february, n=2**40)], month=february)
    with pytest.raises(DatabaseDenied, match=r"crafted 2025-02: .*focus_costs has to be created again.*view .*by_team"):
        load_month(database, source, february)
    assert query("select cost from by_team") == [(1.5,)]
    assert query("select count(*) from focus_costs") == [(1,)]


def test_comments_follow_the_package_without_a_change_of_the_view(database, crafted, query):
    before = oids(query)
    query("comment on column focus_costs.billedcost is 'old'; comment on view crafted_focus is 'old'")
    assert refresh_views(database) == []
    assert oids(query) == before
    meanings = {column.name: column.meaning for column in focus_columns()}
    meanings[views.focus.RAW_LINE] = views.focus.RAW_LINE_MEANING
    for view in ("crafted_focus", "focus_costs"):
        found = dict(
            query(
                "select attname, col_description(attrelid, attnum) from pg_attribute "
                f"where attrelid = '{view}'::regclass and attnum > 0"
            )
        )
        assert found == {name: meanings[name] for name in found}
        assert query(f"select obj_description('{view}'::regclass) like 'One row per FOCUS 1.2 charge%%'") == [(True,)]
