"""Every SQL file of the package is found, has its header, and fills its places."""

import pytest
from psycopg import sql

from cloud_costs.database import sql_files

PLACES = {
    *("schema", "raw", "charges", "normalized"),
    *("raw_totals", "focus_totals", "published_invoices", "listed_invoices"),
    *("stored_facts", "stored_by_file", "commitment_totals", "unreadable", "by_day"),
}


def test_every_check_says_what_it_protects_and_what_to_do():
    checks = sql_files.read_checks()
    assert [check.name for check in checks] == sorted(path.stem for path in (sql_files.FOLDER / "checks").iterdir())
    assert len(checks) >= 8
    for check in checks:
        assert check.severity in ("error", "warning")
        assert len(check.protects) > 20
        assert len(check.action) > 20
        assert check.needs <= PLACES


def test_header_goes_on_over_lines():
    check = next(found for found in sql_files.read_checks() if found.name == "savings_plan_usage_is_negated")
    assert check.action.endswith("AWS Support about the lines of these invoices")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("-- severity: error\n-- protects: a\nselect 1", "misses '-- action:'"),
        ("-- severity: fatal\n-- protects: a\n-- action: b\nselect 1", "severity is 'error' or 'warning'"),
    ],
)
def test_broken_header_is_refused(tmp_path, monkeypatch, text, message):
    (tmp_path / "checks").mkdir()
    (tmp_path / "checks" / "broken.sql").write_text(text)
    monkeypatch.setattr(sql_files, "FOLDER", tmp_path)
    sql_files.read.cache_clear()
    with pytest.raises(ValueError, match=message):
        sql_files._read_check("broken")
    sql_files.read.cache_clear()


def test_places_take_composed_sql_and_braces_stay():
    composed = sql_files.compose("select '{{}}' from {table}", table=sql.Identifier('a "b" {c} %s'))
    assert composed.as_string(None) == 'select \'{}\' from "a ""b"" {c} %s"'
