"""`focus_costs` as people use it: the FOCUS use cases, the spec's spelling, its types, and the way back to raw."""

import json
import re
from collections import defaultdict
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from deliveries import write_month
from pipeline import JANUARY, crafted_source, line, load_month, write_delivery
from roles import own_schemas, reading

from cloud_costs.charges.columns import focus_columns
from cloud_costs.config.sources import Source
from cloud_costs.database.postgres import columns_of
from cloud_costs.demo.sample_bill import Bill, plan_lines
from cloud_costs.demo.sample_bill.columns import APPEARING_TAG
from cloud_costs.demo.sample_bill.cur import tag_key
from cloud_costs.demo.sample_bill.resources import COLLIDING_TAG, ODD_TAG_VALUES

FEBRUARY, MARCH = JANUARY.replace(month=2), JANUARY.replace(month=3)
BILL = Bill(lines=2000, files=2)
QUERIES = sorted((Path(__file__).parents[1] / "sql/focus_queries").glob("*.sql"))
HEADER = re.compile(r"-- use case: (.+)\n-- FOCUS: [\d., ]*1\.2\n-- parameters: ({.+})\n\n")
# A Parquet export names the tag's column, not the tag.
OVERRIDES = {"tag_key": "user_team", "provider_name": "AWS", "service_name": "Amazon Elastic Compute Cloud"}
# What a sample bill has none of: corrections of earlier months, capacity reservations, virtual currency.
MAY_BE_EMPTY = {
    "analyze_purchase_of_virtual_currency",
    "corrections",
    "corrections_by_subaccount",
    "identify_unused_capacity_reservations",
    "virtual_currency_contracted_savings",
}


def source_of(bill, bucket, name="cup"):
    return Source(name=name, format=bill.format, uri=f"file://{bucket}/{bill.prefix}/{bill.report}/")


@pytest.fixture(scope="module")
def loaded(postgres, tmp_path_factory):
    """A schema with three loaded months that nobody changes, and the truth of January."""
    with own_schemas(postgres) as database:
        bucket = tmp_path_factory.mktemp("bucket")
        truths = [write_month(BILL, month, bucket) for month in (JANUARY, FEBRUARY, MARCH)]
        for truth in truths:
            load_month(database, source_of(BILL, bucket), truth.billing_month)
        yield database, truths[0]


@pytest.fixture
def ask(loaded, postgres):
    """Run a statement on the loaded months as their reader."""
    with reading(postgres, loaded[0]).session() as connection:
        connection.execute(f'set search_path to "{loaded[0].schema}"')
        yield lambda statement, parameters=None: connection.execute(statement, parameters).fetchall()


@pytest.fixture
def ask_owner(loaded):
    """Run a statement on the loaded months as the loader, who may read the raw lines too."""
    with loaded[0].session() as connection:
        connection.execute(f'set search_path to "{loaded[0].schema}"')
        yield lambda statement: connection.execute(statement).fetchall()


@pytest.mark.parametrize("path", QUERIES, ids=lambda path: path.stem)
def test_use_case_runs_on_the_view(ask, path):
    header = HEADER.match(path.read_text())
    parameters = json.loads(header.group(2))
    parameters |= {key: value for key, value in OVERRIDES.items() if key in parameters}
    if "resource_id" in parameters:
        parameters["resource_id"] = ask("select min(ResourceId) from focus_costs")[0][0]
    statement = path.read_text()[header.end() :].replace("focus_data_table", "focus_costs")
    rows = ask(statement.replace("%", "%%").replace("?", "%s"), list(parameters.values()))
    if not rows:
        print("EMPTY", path.stem)
    assert rows or path.stem in MAY_BE_EMPTY


def test_issue_example_sums_to_the_truth(ask, loaded):
    services = defaultdict(Decimal)
    for row in loaded[1].rows:
        services[row.service] += row.billed_cost
    rows = ask("select ServiceName, sum(BilledCost) from focus_costs where billing_period = '2025-01-01' group by 1")
    assert dict(rows) == services


def test_sums_by_account_and_category_are_the_truth(ask, loaded):
    expected = defaultdict(lambda: [Decimal()] * 3)
    for row in loaded[1].rows:
        costs = (row.billed_cost, row.effective_cost, row.list_cost)
        key = row.account, row.charge_category, row.currency
        expected[key] = [total + cost for total, cost in zip(expected[key], costs, strict=True)]
    rows = ask(
        "select SubAccountId, ChargeCategory, BillingCurrency, sum(BilledCost), sum(EffectiveCost), sum(ListCost) "
        "from focus_costs where billing_period = '2025-01-01' group by 1, 2, 3"
    )
    assert {row[:3]: list(row[3:]) for row in rows} == expected


def test_all_columns_of_focus_are_there_with_their_types(loaded):
    names = {"timestamp": "timestamp without time zone"}
    expected = {column.name: names.get(column.type, column.type) for column in focus_columns()}
    assert sum(bool(column.focus_name) for column in focus_columns()) == 57
    assert all(column.focus_name.lower() in ("", column.name) for column in focus_columns())
    with loaded[0].session() as connection:
        assert columns_of(connection, loaded[0].table("focus_costs")) == expected
        del expected["x_source"]
        assert columns_of(connection, loaded[0].table("cup_focus")) == {**expected, "x_rawline": "text"}


def test_every_charge_leads_to_one_raw_line(ask_owner):
    rows = ask_owner(
        """
        with lines as (
            select billing_period, identity_line_item_id, identity_time_interval, count(*) as found
            from raw_cup
            group by 1, 2, 3
        )

        select lines.found, count(*) > 6000
        from focus_costs
        left join lines
            on
                focus_costs.billing_period = lines.billing_period
                and focus_costs.x_lineitemid = lines.identity_line_item_id
                and focus_costs.x_timeinterval = lines.identity_time_interval
        group by 1
        """
    )
    assert rows == [(1, True)]
    # A line that AWS splits in two charges is counted once.
    assert ask_owner(
        "select sum(x_lineitems) = count(distinct (billing_period, x_lineitemid, x_timeinterval)) from focus_costs"
    ) == [(True,)]


def test_adjustment_leads_to_no_line(database, bucket, query):
    write_delivery(bucket, [line(line_item_line_item_type="SavingsPlanCoveredUsage"), line(identity_line_item_id="b")])
    load_month(database, crafted_source(bucket), JANUARY)
    rows = query("select ChargeCategory, x_lineitemid, BilledCost from focus_costs order by 1, 2")
    assert rows == [
        ("Adjustment", None, Decimal("1.5")),
        ("Usage", "b", Decimal("1.5")),
        ("Usage", "line", Decimal()),
    ]


def test_tags_are_verbatim_even_where_keys_differ_in_case_alone(database, bucket, query):
    bill = replace(BILL, file_type="csv", lines=4000)
    write_month(bill, JANUARY, bucket)
    load_month(database, source_of(bill, bucket), JANUARY)
    expected = {}
    for planned in plan_lines(bill, JANUARY):
        values = planned.values
        keys = {name: tag_key(name) for name in values if name.startswith("resource_tags_") and name != APPEARING_TAG}
        keys[COLLIDING_TAG] = COLLIDING_TAG.removeprefix("resourceTags/")
        tags = {key: values[name] for name, key in keys.items() if values.get(name)}
        expected[values["identity_line_item_id"], values["identity_time_interval"]] = tags
    found = {
        (line_id, interval): tags
        for line_id, interval, tags in query("select x_lineitemid, x_timeinterval, Tags from focus_costs")
    }
    assert found == {key: tags for key, tags in expected.items() if key in found}
    assert any({"user:Name", "user:name"} <= tags.keys() for tags in found.values())
    assert set(ODD_TAG_VALUES) <= {value for tags in found.values() for value in tags.values()}


def test_sources_of_all_formats_share_one_view(database, bucket, query):
    """A column that no CUR can fill has the type it has in a FOCUS export."""
    expected = {}
    for form in ("aws_cur", "aws_cur2", "aws_focus"):
        bill = replace(BILL, format=form, lines=100)
        truth = write_month(bill, JANUARY, bucket / form)
        load_month(database, source_of(bill, bucket / form, form.removeprefix("aws_")), JANUARY)
        expected[form.removeprefix("aws_")] = truth.billed_cost
    assert dict(query("select x_source, sum(BilledCost) from focus_costs group by 1")) == expected


def scanned(ask, where):
    """Return the partitions of `raw_cup` that a query reads."""
    plan = "\n".join(
        line for (line,) in ask(f"explain (costs off) select sum(BilledCost) from focus_costs where {where}")
    )
    return set(re.findall(r" on (raw_cup_\d{6})", plan))


@pytest.mark.parametrize(
    "where",
    [
        "billing_period = '2025-02-01'",
        "billing_period = '2025-02-01' and ChargePeriodStart >= '2025-02-10' and SubAccountId = '112233445566'",
        "billing_period between '2025-02-01' and '2025-02-28'",
        "x_source = 'cup' and billing_period in ('2025-02-01')",
    ],
)
def test_billing_period_reads_one_partition(ask, where):
    assert scanned(ask, where) == {"raw_cup_202502"}


def test_without_billing_period_every_partition_is_read(ask):
    assert scanned(ask, "true") == {"raw_cup_202501", "raw_cup_202502", "raw_cup_202503"}


def test_filter_on_the_charge_period_reaches_the_raw_lines(loaded):
    """A partition whose dates PostgreSQL knows is not read: the mapping passes the date on as it is."""
    where = "ChargePeriodStart >= '2025-02-10' and ChargePeriodStart < '2025-02-11'"
    with loaded[0].session() as connection, connection.transaction(force_rollback=True):
        connection.execute(f'set local search_path to "{loaded[0].schema}"')

        def ask(statement):
            return connection.execute(statement).fetchall()

        assert len(scanned(ask, where)) == 3
        partitions = ask("select inhrelid::regclass::text from pg_inherits where inhparent = 'raw_cup'::regclass")
        for (partition,) in partitions:
            [(first, last, month)] = ask(
                "select min(line_item_usage_start_date)::text, max(line_item_usage_start_date)::text, "
                f"min(billing_period)::text from {partition}"
            )
            connection.execute(
                f"alter table {partition} add check (line_item_usage_start_date between '{first}' and '{last}'), "
                f"add check (bill_billing_period_start_date = '{month}')"
            )
        assert scanned(ask, where) == {"raw_cup_202502"}
