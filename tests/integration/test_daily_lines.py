"""How PostgreSQL sums the lines of a month that does not fit into its memory."""

import re

import psycopg
import pytest
from pipeline import JANUARY, crafted_source, line, load_month, write_delivery
from psycopg import sql

from cloud_costs.charges import focus
from cloud_costs.database.postgres import Database

LINES = 20_000
CREATES_DAILY_LINES = re.compile(r'\s*create table "\w+"\."\w*daily_\w*"')


def explaining(database: Database, plans: list[str]) -> Database:
    """Return the same database, which keeps the plan of the statement that sums the lines of a day."""

    class Cursor(psycopg.Cursor):
        def execute(self, query, *args, **kwargs):
            text = query if isinstance(query, str) else query.as_string(self.connection)
            if CREATES_DAILY_LINES.match(text):
                rows = super().execute("explain " + text).fetchall()
                plans.append("\n".join(row[0] for row in rows))
            return super().execute(query, *args, **kwargs)

    def connect() -> psycopg.Connection:
        connection = database.connect()
        connection.cursor_factory = Cursor
        return connection

    return Database(connect, database.schema, database.name)


@pytest.mark.parametrize("raw_only", [False, True], ids=["normalize", "audit"])
def test_lines_are_not_sorted_to_be_summed(database, bucket, query, monkeypatch, raw_only):
    """A month of ten million lines was sorted on disk: 65 seconds instead of 16."""
    monkeypatch.setattr(focus, "WORK_MEM", sql.Literal("64kB"))
    source = crafted_source(bucket)
    different = [
        line(line_item_usage_account_id=str(number % 70), line_item_product_code=str(number % 90))
        for number in range(LINES)
    ]
    write_delivery(bucket, different)
    plans = []
    load_month(explaining(database, plans), source, JANUARY, raw_only=raw_only)
    assert len(plans) == 1
    assert "HashAggregate" in plans[0]
    assert "Sort" not in plans[0]
    assert query("select count(*) from raw_crafted") == [(LINES,)]
