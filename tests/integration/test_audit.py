"""Every check catches what it is for; an error keeps the published month, a warning is published and shown."""

from datetime import datetime
from decimal import Decimal

import pytest
from pipeline import JANUARY, cost_totals, crafted_source, line, load_month, truth_totals, write_delivery

from cloud_costs import sql_files
from cloud_costs.audit import audit
from cloud_costs.errors import AuditFailed
from cloud_costs.load import load_raw
from cloud_costs.normalize import normalize
from cloud_costs.publish import publish
from cloud_costs.storage import LocalStorage

# How to break each check: lines of a delivery, or a statement on the staged tables before the audit.
LINES = {
    "billing_period_is_the_months": [line(bill_billing_period_start_date=datetime(2024, 12, 1))],
    "costs_are_finite": [line(line_item_unblended_cost=float("nan")), line(line_item_unblended_cost=float("inf"))],
    "dimensions_are_filled": [line(line_item_usage_account_id="", line_item_currency_code="")] * 12,
    "gross_equals_net": [line(line_item_net_unblended_cost=1.25)],
    "line_item_types_are_known": [line(line_item_line_item_type="Surprise")],
    "savings_plan_usage_is_negated": [
        line(line_item_line_item_type="SavingsPlanCoveredUsage", savings_plan_savings_plan_a_r_n="arn:1"),
        line(
            line_item_line_item_type="SavingsPlanNegation",
            line_item_unblended_cost=-1.25,
            savings_plan_savings_plan_a_r_n="arn:1",
        ),
    ],
}
STATEMENTS = {
    "billed_cost_equals_raw": None,
    "normalized_equals_focus": "update {normalized} set effective_cost = effective_cost + 0.0000000001",
    "rows_are_all_stored": "delete from {raw} where ctid = (select min(ctid) from {raw})",
}


def stage(database, source):
    return normalize(database, source, load_raw(database, LocalStorage(), source, JANUARY))


def violated(query, load):
    return dict(query("select check_name, severity from audit_results where not passed and load_id = %s", load.load_id))


def test_every_check_has_a_violation_here():
    assert sorted([*LINES, *STATEMENTS]) == list(sql_files.check_names())


@pytest.mark.parametrize("check", sorted(LINES))
def test_lines_that_break_a_check_are_caught(database, bucket, query, check):
    severity = next(found.severity for found in sql_files.read_checks() if found.name == check)
    source = crafted_source(bucket)
    write_delivery(bucket, [line(), *LINES[check]])
    load = stage(database, source)
    if severity == "error":
        with pytest.raises(AuditFailed, match=rf"2025-01: load 1 is rejected .*{check} \(error\): .*What to do"):
            audit(database, source, load)
        assert query("select status from load_history") == [("rejected",)]
    else:
        audit(database, source, load)
        publish(database, source, load)
    assert violated(query, load)[check] == severity
    assert query("select count(*) from audit_results") == [(len(sql_files.check_names()),)]


@pytest.mark.parametrize("check", [name for name, statement in STATEMENTS.items() if statement])
def test_tables_that_break_a_check_are_caught(database, cup, query, check):
    old = cup.deliver()
    load_month(database, cup.source, JANUARY)
    cup.deliver(version=2)
    load = stage(database, cup.source)
    staging = database.staging_schema
    places = {"raw": f'"{staging}".{load.raw_table}', "normalized": f'"{staging}".{load.normalized_table}'}
    query(STATEMENTS[check].format(**places))
    with pytest.raises(AuditFailed, match=f"cup 2025-01: load {load.load_id} is rejected and what was published"):
        audit(database, cup.source, load)
    assert violated(query, load)[check] == "error"
    assert cost_totals(query, "cup", JANUARY) == truth_totals(old)
    assert [status for (status,) in query("select status from load_history order by load_id")] == [
        "published",
        "rejected",
    ]
    assert check in query("select error from load_history where status = 'rejected'")[0][0]


@pytest.mark.parametrize(
    ("place", "broken"),
    [
        # Every Savings Plan negation counts as a charge, twice the purchase of a fee, tax left out.
        ("is distinct from 'SavingsPlanNegation'", "is distinct from 'Nothing'"),
        (
            "when part.is_unused or lines.line_item_line_item_type = 'SavingsPlanCoveredUsage' then 0",
            "when false then 0",
        ),
        ("is distinct from 'SavingsPlanNegation'", "not in ('SavingsPlanNegation', 'Tax')"),
    ],
)
def test_mapping_that_counts_twice_or_not_at_all_is_caught(database, cup, query, monkeypatch, place, broken):
    cup.deliver()
    text = sql_files.read("focus/aws_cur.sql")
    if place not in text:
        pytest.fail(f"the mapping no longer holds {place!r}: break it elsewhere")
    read = sql_files.read
    changed = text.replace(place, broken)
    monkeypatch.setattr(sql_files, "read", lambda path: changed if path == "focus/aws_cur.sql" else read(path))
    load = stage(database, cup.source)
    with pytest.raises(AuditFailed, match="billed_cost_equals_raw"):
        audit(database, cup.source, load)


def test_sample_holds_ten_lines_and_all_are_counted(database, bucket, query):
    source = crafted_source(bucket)
    write_delivery(bucket, [line(identity_line_item_id=f"l{n}", line_item_usage_account_id="") for n in range(300)])
    load = stage(database, source)
    with pytest.raises(AuditFailed, match=r"dimensions_are_filled \(error\): 300 violation"):
        audit(database, source, load)
    rows = query("select violations, sample from audit_results where check_name = 'dimensions_are_filled'")
    assert rows[0][0] == 300
    assert len(rows[0][1]) == 10
    assert rows[0][1][0]["billed_cost"] == "1.5"
    assert set(rows[0][1][0]) == {
        *("line_item_id", "line_item_type", "charge_period_start", "account_id", "currency", "billed_cost")
    }


def test_warning_becomes_an_error_where_the_source_says_so(database, bucket, query):
    source = crafted_source(bucket, checks={"line_item_types_are_known": "error"})
    write_delivery(bucket, [line(line_item_line_item_type="Surprise")])
    load = stage(database, source)
    with pytest.raises(AuditFailed, match="Surprise"):
        audit(database, source, load)
    assert violated(query, load) == {"line_item_types_are_known": "error"}
    # The operator lets it pass: the load is audited again and published, without another download.
    lenient = crafted_source(bucket)
    audit(database, lenient, load)
    publish(database, lenient, load)
    assert query("select status, error from load_history") == [("published", None)]
    assert violated(query, load) == {"line_item_types_are_known": "warning"}


def test_savings_plan_that_does_not_cancel_still_sums_to_the_invoice(database, bucket, query):
    source = crafted_source(bucket)
    plan = {"savings_plan_savings_plan_a_r_n": "arn:1", "savings_plan_savings_plan_effective_cost": 0.75}
    write_delivery(
        bucket,
        [
            line(line_item_line_item_type="SavingsPlanCoveredUsage", **plan),
            line(line_item_line_item_type="SavingsPlanNegation", line_item_unblended_cost=-1.25, **plan),
            line(line_item_unblended_cost=3.0),
        ],
    )
    load = load_month(database, source, JANUARY)
    assert query("select sum(cost) from costs") == [(Decimal("3.25"),)]
    assert query("select billed_cost from load_history") == [({"USD": 3.25},)]
    assert query(
        "select charge_category, sum(cost), sum(effective_cost), sum(line_items) from costs group by 1 order by 1"
    ) == [
        ("Adjustment", Decimal("0.25"), Decimal("0.25"), 0),
        ("Usage", Decimal("3.0"), Decimal("3.75"), 2),
    ]
    sample = query("select sample from audit_results where check_name = 'savings_plan_usage_is_negated'")[0][0]
    assert [(row["savings_plan_arn"], row["difference"]) for row in sample] == [("arn:1", "0.25")]
    assert violated(query, load) == {"savings_plan_usage_is_negated": "warning"}


def test_audit_again_replaces_its_results(database, cup, query):
    cup.deliver()
    load = stage(database, cup.source)
    audit(database, cup.source, load)
    audit(database, cup.source, load)
    assert query("select count(*), bool_and(passed) from audit_results") == [(len(sql_files.check_names()), True)]


def test_raw_only_is_audited_without_normalized(database, cup, query):
    cup.deliver()
    load_month(database, cup.source, JANUARY, raw_only=True)
    names = {name for (name,) in query("select check_name from audit_results")}
    assert names == set(sql_files.check_names()) - {"normalized_equals_focus"}
