"""The data dictionary: complete, and what the database and the mappings say today."""

import csv
import re

import pytest

from cloud_costs.charges.columns import focus_columns
from cloud_costs.charges.data_dictionary import RELATIONS, read_expressions
from cloud_costs.charges.focus import selects_of
from cloud_costs.charges.focus_versions import version_columns
from cloud_costs.database import sql_files
from cloud_costs.demo.dictionary import PAGE, generate
from cloud_costs.formats import FORMATS
from cloud_costs.formats.mapping import line_columns


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
    start = page.index("## FOCUS columns of aws_cur and aws_cur2")
    derivations = page[start : page.index("### Steps")]
    derived = set(re.findall(r"^(?:\| )?`(\w+)`(?: \||:$)", derivations, re.MULTILINE))
    elsewhere = {"Tags"}  # gathered from the tag columns by charges/tags.py
    # A Cost and Usage Report has nothing for them: docs/focus-conformance.md and docs/tables.md.
    empty = {"CommitmentDiscountName", "PricingCurrencyContractedUnitPrice", "ResourceName"}
    expected = {column.focus_name for column in focus_columns()} - {""}
    assert expected - derived == elsewhere | empty


@pytest.mark.parametrize("mapping", sorted({form.mapping for form in FORMATS.values()}))
def test_mappings_state_columns_of_the_views_alone_and_each_once(mapping):
    names = {column.name for column in focus_columns()} - {"x_source"}
    for text in selects_of(mapping):
        stated = [one.name for one in read_expressions(text) if not one.step]
        assert set(stated) <= names
        assert len(stated) == len(set(stated))


def test_focus_export_has_every_column_that_its_mapping_does_not_derive():
    # Without what Azure and Google keep.
    others = {
        row["column"]
        for provider in ("azure", "gcp")
        for row in csv.DictReader(sql_files.read(f"focus/{provider}_x_columns.csv").splitlines())
    }
    names = {column.name for column in focus_columns()} - {"x_source", "x_serviceisknown"} - others
    derived = {one.name for one in read_expressions(selects_of("aws_focus")[0])}
    kept = {column.name for column in line_columns("aws_focus")} | {"billing_period", "tags"}
    # Of a line of a Cost and Usage Report: a FOCUS export has no such thing.
    of_lines = {"x_lineitemid", "x_lineitemtype", "x_prepaiduse", "x_timeinterval"}
    newer = {f"x_{column.name.lower()}" for column in version_columns() if "1.2" not in column.versions}
    assert names - derived - kept == of_lines | newer


def test_mapping_of_any_providers_focus_files_has_every_column_of_every_version():
    derived = {one.name for one in read_expressions(selects_of("focus")[0])}
    kept = {column.name for column in line_columns("focus")} | {"tags"}
    expected = {
        column.name.lower() if "1.2" in column.versions else f"x_{column.name.lower()}" for column in version_columns()
    }
    assert expected - derived - kept == set()


def test_expressions_are_read_whole():
    text = (
        "select case when a is distinct from 'x, y as z' then f(b, substring(c from '(')) end as d, 'it''s' as e from t"
    )
    assert [(one.name, one.text) for one in read_expressions(text)] == [
        ("d", "case when a is distinct from 'x, y as z' then f(b, substring(c from '(')) end"),
        ("e", "'it''s'"),
    ]
