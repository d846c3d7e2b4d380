"""The data dictionary: complete, and what the database and the mappings say today."""

import doctest
import re

import pytest

from cloud_costs import data_dictionary, sql_files
from cloud_costs.data_dictionary import PAGE, RELATIONS, generate, read_expressions
from cloud_costs.views import focus_columns


@pytest.fixture
def page(database):
    return generate(database)


def test_page_is_up_to_date(page):
    assert PAGE.read_text(encoding="utf-8") == page, "run make dictionary"


def test_every_relation_is_told_of(page, query):
    found = query(
        "select relname from pg_class where relnamespace = current_schema::regnamespace "
        "and relkind in ('r', 'p', 'v') and not relispartition"
    )
    assert {name for (name,) in found} == set(RELATIONS)


def test_every_relation_and_column_has_a_comment(page, query):
    missing = query(
        """
        select relname, attname
        from pg_class
        inner join pg_attribute on attrelid = pg_class.oid and attnum >= 0 and not attisdropped
        where
            relnamespace = current_schema::regnamespace
            and relkind in ('r', 'p', 'v')
            and not relispartition
            and relname <> 'raw_cup'
            and col_description(attrelid, attnum) is null
        union all
        select relname, null
        from pg_class
        where
            relnamespace = current_schema::regnamespace
            and relkind in ('r', 'p', 'v')
            and not relispartition
            and obj_description(oid, 'pg_class') is null
        """
    )
    assert missing == []


def test_every_focus_column_is_derived_on_the_page(page):
    start = page.index("## FOCUS columns of a Cost and Usage Report")
    derivations = page[start : page.index("### Steps")]
    derived = set(re.findall(r"^(?:\| )?`(\w+)`(?: \||:$)", derivations, re.MULTILINE))
    passed_on = {"Tags"}  # gathered from the tag columns by include/cloud_costs/focus.py
    expected = {column.focus_name for column in focus_columns()} - {""}
    assert expected - derived == passed_on


def test_mappings_have_the_columns_of_the_views():
    names = [column.name for column in focus_columns() if column.name != "x_source"]
    for mapping in ("aws_cur", "aws_focus"):
        text = sql_files.read(f"focus/{mapping}.sql")
        assert [name for name in names if not re.search(rf"\b{name}\b", text)] == [], mapping
        known = {one.name for one in read_expressions(text) if not one.step}
        assert known - set(names) == set(), mapping


def test_expressions_are_read_whole():
    assert doctest.testmod(data_dictionary).failed == 0
    text = (
        "select case when a is distinct from 'x, y as z' then f(b, substring(c from '(')) end as d, 'it''s' as e from t"
    )
    assert [(one.name, one.text) for one in read_expressions(text)] == [
        ("d", "case when a is distinct from 'x, y as z' then f(b, substring(c from '(')) end"),
        ("e", "'it''s'"),
    ]
