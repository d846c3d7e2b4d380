"""Every check catches what it is for; an error keeps the published month, a warning is published and shown."""

from datetime import datetime
from decimal import Decimal

import pytest
from pipeline import JANUARY, cost_totals, crafted_source, line, load_month, truth_totals, write_delivery

from cloud_costs.database import sql_files
from cloud_costs.errors import AuditFailed
from cloud_costs.publishing.audit import audit
from cloud_costs.publishing.load import load_raw
from cloud_costs.publishing.normalize import normalize
from cloud_costs.publishing.publish import publish
from cloud_costs.storage.local import LocalStorage

# A payer whose month is closed: every line of it is on an invoice.
CLOSED = {"bill_payer_account_id": "000000000009", "bill_invoice_id": "17"}
PLAN_FEE = {"line_item_line_item_type": "SavingsPlanRecurringFee", "savings_plan_savings_plan_a_r_n": "arn:1"}
RESERVATION = {"reservation_reservation_a_r_n": "arn:aws:ec2:::reserved-instances/1"}

# How to break each check: lines of a delivery, or a statement on the staged tables before the audit.
LINES = {
    "billing_period_is_the_months": [line(bill_billing_period_start_date=datetime(2024, 12, 1))],
    "costs_are_finite": [line(line_item_unblended_cost=float("nan")), line(line_item_unblended_cost=float("inf"))],
    "dimensions_are_filled": [line(line_item_usage_account_id="", line_item_currency_code="")] * 12,
    "charges_have_an_account": [line(line_item_line_item_type="Tax", line_item_usage_account_id="")],
    "commitments_are_spread_exactly": [
        line(
            **CLOSED,
            **PLAN_FEE,
            savings_plan_total_commitment_to_date=3.0,
            savings_plan_used_commitment=2.0,
            savings_plan_amortized_upfront_commitment_for_billing_period=0.5,
        )
    ],
    "invoices_have_one_currency": [line(**CLOSED), line(**CLOSED, line_item_currency_code="EUR")],
    "payer_is_on_one_basis": [line(line_item_net_unblended_cost=1.25)],
    "unused_commitment_is_not_negative": [
        line(**PLAN_FEE, savings_plan_total_commitment_to_date=1.0, savings_plan_used_commitment=1.0000000001)
    ],
    "rates_are_numbers": [line(pricing_public_on_demand_rate="0.5 USD")],
    "split_lines_cost_nothing": [line(line_item_operation="EKSPod-EC2")],
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
# None: a test of its own, here or in test_check_values.py, test_azure.py and test_gcp.py.
STATEMENTS = {
    "billed_cost_equals_manifest": None,
    "billed_cost_equals_raw": None,
    "costs_by_day_equals_normalized": "update {by_day} set line_items = 0 where relation = 'costs_by_month'",
    "commitment_fees_are_spread": None,
    "effective_cost_equals_billed": None,
    "effective_cost_equals_raw": None,
    "services_are_known": None,
    "gross_equals_net": None,
    "invoices_are_as_listed": None,
    "invoices_keep_their_amount": None,
    "raw_equals_files": None,
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
        with pytest.raises(AuditFailed, match=rf"2025-01: load 1 is rejected, .*{check} \(error\): .*What to do"):
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
    tables = {"raw": load.raw_table, "normalized": load.normalized_table, "by_day": load.by_day_table}
    places = {place: f'"{staging}".{table}' for place, table in tables.items()}
    query(STATEMENTS[check].format(**places))
    with pytest.raises(AuditFailed, match=f"cup 2025-01: load {load.load_id} is rejected, and readers keep"):
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


@pytest.mark.parametrize("category", ["Tax", "Credit", "Fee"])
def test_charge_of_no_account_is_published_and_restated(database, bucket, query, category):
    """FOCUS lets SubAccountId be null; AWS has tax lines without a usage account, Google too."""
    source = crafted_source(bucket)
    for version, cost in (("v1", 0.25), ("v2", 0.5)):
        nobodys = line(line_item_line_item_type=category, line_item_usage_account_id="", line_item_unblended_cost=cost)
        write_delivery(bucket, [line(), nobodys], version=version)
        assert audited(database, query, source) == {"charges_have_an_account"}
        assert query("select account_id, sum(cost) from costs group by 1 order by 1") == [
            ("004512887103", Decimal("1.5")),
            (None, Decimal(str(cost))),
        ]
    sample = sample_of(query, "charges_have_an_account")
    assert [(row["billing_account_id"], row["billed_cost"]) for row in sample] == [("011254002932", "0.5")]
    assert query("select account_id, cost_change from restatements") == [("", Decimal("0.25"))]


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
    assert names == set(sql_files.check_names()) - {"costs_by_day_equals_normalized", "normalized_equals_focus"}


def sample_of(query, check):
    rows = query("select sample from audit_results where check_name = %s order by load_id desc limit 1", check)
    return rows[0][0]


def audited(database, query, source):
    """Take the month through all steps, and return the names of the checks that it violates."""
    return set(violated(query, load_month(database, source, JANUARY)))


def test_invoice_that_changes_after_it_was_published_is_shown(database, bucket, query):
    source = crafted_source(bucket)
    first = [line(bill_invoice_id="1"), line(bill_invoice_id="2"), line(bill_invoice_id="3"), line()]
    write_delivery(bucket, first)
    assert audited(database, query, source) == set()
    # The same again, lines that get their invoice, and an invoice more: nothing that was issued has changed.
    write_delivery(bucket, [*first[:3], line(bill_invoice_id="4"), line(bill_invoice_id="5")], version="v2")
    assert audited(database, query, source) == set()
    write_delivery(bucket, [line(bill_invoice_id="1"), line(bill_invoice_id="2", line_item_unblended_cost=1.4)])
    assert audited(database, query, source) == {"invoices_keep_their_amount"}
    sample = {row["invoice_id"]: row for row in sample_of(query, "invoices_keep_their_amount")}
    assert sorted(sample) == ["2", "3", "4", "5"]
    assert (sample["2"]["published_cost"], sample["2"]["billed_cost"]) == ("1.5", "1.4")
    assert sample["3"]["billed_cost"] is None
    # It is what readers see now.
    assert audited(database, query, source) == set()


def test_line_without_a_net_cost_on_the_net_basis_is_named(database, bucket, query):
    source = crafted_source(bucket)
    # A line without a cost, and a discount without a net one, are on either basis.
    discount = {"line_item_line_item_type": "EdpDiscount", "line_item_unblended_cost": -0.5}
    cheap = line(line_item_net_unblended_cost=1.0)
    write_delivery(bucket, [cheap, line(line_item_unblended_cost=0.0), line(**discount)])
    assert audited(database, query, source) == set()
    # Two lines that cancel: their sum says nothing.
    opposite = line(line_item_line_item_type="Credit", line_item_unblended_cost=-1.5)
    write_delivery(bucket, [cheap, line(**discount), line(), opposite])
    assert audited(database, query, source) == {"payer_is_on_one_basis"}
    assert [row["lines_without_net_cost"] for row in sample_of(query, "payer_is_on_one_basis")] == ["2"]


PAID = {
    **PLAN_FEE,
    "savings_plan_total_commitment_to_date": 3.0,
    "savings_plan_used_commitment": 1.0,
    "savings_plan_amortized_upfront_commitment_for_billing_period": 0.5,
}


@pytest.mark.parametrize(
    ("lines", "difference"),
    [
        # Half paid upfront long ago: 3 are committed, 1 is used, 2 are not.
        (
            [
                line(**CLOSED, **PAID, line_item_unblended_cost=2.5),
                line(**CLOSED, line_item_line_item_type="SavingsPlanCoveredUsage", line_item_unblended_cost=4.0,
                     savings_plan_savings_plan_effective_cost=1.0),
                line(**CLOSED, line_item_line_item_type="SavingsPlanNegation", line_item_unblended_cost=-4.0),
            ],
            None,
        ),
        # The same, its use left out.
        (
            [
                line(**CLOSED, **PAID, line_item_unblended_cost=2.5),
            ],
            "1.0",
        ),
        # A reservation with an upfront fee this month, nothing unused; 0.000000005 is what AWS may have rounded.
        (
            [
                line(**CLOSED, **RESERVATION, line_item_line_item_type="Fee", line_item_unblended_cost=100.0),
                line(**CLOSED, **RESERVATION, line_item_line_item_type="RIFee", line_item_unblended_cost=1.0,
                     reservation_amortized_upfront_fee_for_billing_period=2.0),
                line(**CLOSED, **RESERVATION, line_item_line_item_type="DiscountedUsage", line_item_unblended_cost=0.0,
                     reservation_effective_cost=3.000000005),
            ],
            None,
        ),
        (
            [
                line(**CLOSED, **RESERVATION, line_item_line_item_type="RIFee", line_item_unblended_cost=1.0,
                     reservation_amortized_upfront_fee_for_billing_period=2.0),
                line(**CLOSED, **RESERVATION, line_item_line_item_type="DiscountedUsage", line_item_unblended_cost=0.0,
                     reservation_effective_cost=3.0001),
            ],
            "-0.0001",
        ),
        # The export does not say what the month uses up of upfront fees.
        ([line(**CLOSED, **RESERVATION, line_item_line_item_type="RIFee", line_item_unblended_cost=1.0)], None),
        # The month is open.
        ([line(**PAID)], None),
        # No commitment, and no difference.
        ([line(**CLOSED), line(**CLOSED, line_item_line_item_type="Tax")], None),
    ],
)  # fmt: skip
def test_closed_month_adds_up_per_payer(database, bucket, query, lines, difference):
    write_delivery(bucket, [line(), *lines])
    found = audited(database, query, crafted_source(bucket))
    assert found == ({"commitments_are_spread_exactly"} if difference else set())
    if difference:
        assert [Decimal(row["difference"]) for row in sample_of(query, "commitments_are_spread_exactly")] == [
            Decimal(difference)
        ]


def test_sample_bill_and_its_redelivery_break_no_check(database, cup, query):
    for version in (1, 1):
        cup.deliver(version=version)
        assert audited(database, query, cup.source) == set()


def test_checks_look_for_charges_only_where_a_sum_says_so():
    """The charges of a month are derived once, for all checks together."""
    assert sql_files.read("focus/totals.sql").count("{charges}") == 1
    for check in sql_files.read_checks():
        assert "charges" not in check.needs or "focus_totals" in check.needs
