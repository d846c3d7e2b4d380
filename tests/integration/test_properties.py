"""Whatever a bill holds: the exported lines, the charges and the daily totals sum to the same, to the last digit."""

import json
import shutil
from collections import defaultdict
from datetime import date, datetime, timedelta
from decimal import Decimal, localcontext

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pipeline import JANUARY, crafted_source, line, load_month, write_delivery

from cloud_costs.config.sources import Source
from cloud_costs.months import next_month

# Each example is a load or more, so there are few, each of many lines; shrinking would take as many again.
BOUNDED = settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
PAYERS = ("011254002932", "000000000009")
ACCOUNTS = ("004512887103", "112233445566")
INVOICES = ("", "0017", "18")
CURRENCIES = ("USD", "JPY", "EUR")
PLAIN = ("Usage", "Tax", "Fee", "Credit", "Refund", "EdpDiscount", "SppDiscount", "SomethingNew")
# Spelled as a legacy CSV has them.
CSV_NAMES = {
    "savings_plan_savings_plan_a_r_n": "savingsPlan/SavingsPlanARN",
    "reservation_reservation_a_r_n": "reservation/ReservationARN",
}

# What a DOUBLE gives back as it was: up to 15 significant digits, of either sign, tiny and large.
money = st.builds(
    lambda digits, places: Decimal(digits).scaleb(-places),
    st.one_of(st.just(0), st.integers(-(10**15) + 1, 10**15 - 1), st.integers(-999, 999)),
    st.integers(0, 18),
)
positive = money.map(abs)


@st.composite
def own(draw):
    """Return who is billed for a line, on which invoice, in which currency, and when it was used."""
    start = datetime(2025, 1, 1) + timedelta(hours=draw(st.integers(0, 743)))
    return {
        "bill_payer_account_id": draw(st.sampled_from(PAYERS)),
        "bill_invoice_id": draw(st.sampled_from(INVOICES)),
        "line_item_usage_account_id": draw(st.sampled_from(ACCOUNTS)),
        "line_item_currency_code": draw(st.sampled_from(CURRENCIES)),
        "line_item_usage_start_date": start,
        "line_item_usage_end_date": start + timedelta(hours=draw(st.sampled_from((1, 24, 31 * 24)))),
    }


def typed(kind, shared, **values):
    return line(**{**shared, "line_item_line_item_type": kind, **values})


@st.composite
def plain_lines(draw):
    operation = draw(st.sampled_from(("RunInstances", "RunInstances", "EKSPod-EC2")))
    kind = draw(st.sampled_from(PLAIN))
    return [typed(kind, draw(own()), line_item_unblended_cost=draw(money), line_item_operation=operation)]


@st.composite
def savings_plan_lines(draw):
    """Return covered usage with what takes it back, which may not quite cancel, and fees."""
    shared = {**draw(own()), "savings_plan_savings_plan_a_r_n": draw(st.sampled_from(("arn:1", "arn:2")))}
    cost = draw(money)
    off = draw(st.sampled_from((Decimal(0), Decimal(0), Decimal("0.25"))))
    total, upfront = draw(positive), draw(positive)
    return [
        typed(
            "SavingsPlanCoveredUsage",
            shared,
            line_item_unblended_cost=cost,
            savings_plan_savings_plan_effective_cost=draw(positive),
        ),
        typed("SavingsPlanNegation", shared, line_item_unblended_cost=off if off else -cost),
        typed(
            "SavingsPlanRecurringFee",
            shared,
            line_item_unblended_cost=draw(positive),
            savings_plan_total_commitment_to_date=total,
            savings_plan_used_commitment=draw(positive),
            savings_plan_amortized_upfront_commitment_for_billing_period=upfront,
        ),
        typed(draw(st.sampled_from(("SavingsPlanUpfrontFee", "Refund"))), shared, line_item_unblended_cost=upfront),
    ]


@st.composite
def reservation_lines(draw):
    shared = {**draw(own()), "reservation_reservation_a_r_n": "arn:aws:ec2:::reserved-instances/1"}
    return [
        typed("DiscountedUsage", shared, line_item_unblended_cost=draw(money), reservation_effective_cost=draw(money)),
        typed(
            "RIFee",
            shared,
            line_item_unblended_cost=draw(money),
            reservation_unused_amortized_upfront_fee_for_billing_period=draw(money),
            reservation_unused_recurring_fee=draw(money),
        ),
        typed("Fee", shared, line_item_unblended_cost=draw(money)),
    ]


bills = st.lists(st.one_of(plain_lines(), savings_plan_lines(), reservation_lines()), min_size=1, max_size=25).map(
    lambda groups: [one for group in groups for one in group]
)


def as_parquet(lines):
    """Return the lines with money as the doubles that AWS writes."""
    return [{name: float(v) if isinstance(v, Decimal) else v for name, v in one.items()} for one in lines]


@st.composite
def csv_of(draw, lines):
    """Return the lines as a CSV file, in one of the many spellings that mean the same."""
    names = list(dict.fromkeys(name for one in lines for name in one))
    names = draw(st.permutations(names))
    end = draw(st.sampled_from(("\n", "\r\n")))
    quote = draw(st.booleans())

    def cell(value):
        if value is None:
            value = ""
        elif isinstance(value, datetime):
            value = f"{value:%Y-%m-%dT%H:%M:%SZ}"
        elif isinstance(value, Decimal | float):
            value = draw(st.sampled_from((f"{Decimal(str(value)):f}", f"{Decimal(str(value)):E}")))
        return f'"{value}"' if quote or "," in value else value

    rows = [[CSV_NAMES.get(name, name) for name in names]]
    rows += [[cell(one.get(name)) for name in names] for one in lines]
    bom = draw(st.sampled_from(("", "\ufeff")))
    return (bom + "".join(",".join(row) + end for row in rows)).encode()


def expected_invoices(lines):
    """Return what has to be paid, by payer, invoice and currency: the sum of all lines but split cost allocation."""
    sums = defaultdict(Decimal)
    for one in lines:
        if one.get("line_item_operation") != "EKSPod-EC2":
            key = (one["bill_payer_account_id"], one["bill_invoice_id"] or None, one["line_item_currency_code"])
            sums[key] += Decimal(str(one["line_item_unblended_cost"]))
    return dict(sums)


TOTALS = {
    "focus": """
        select BillingAccountId, InvoiceId, BillingCurrency, sum(BilledCost), sum(EffectiveCost), sum(ListCost)
        from focus_costs where x_source = %s group by 1, 2, 3
    """,
    "costs": """
        select billing_account_id, invoice_id, currency, sum(cost), sum(effective_cost), sum(list_cost)
        from costs where source = %s group by 1, 2, 3
    """,
}


def totals(query, relation, source):
    return {tuple(row[:3]): tuple(row[3:]) for row in query(TOTALS[relation], source)}


def deliver_lines(bucket, lines):
    shutil.rmtree(bucket / "crafted", ignore_errors=True)
    write_delivery(bucket, as_parquet(lines))


def deliver_csv(bucket, files):
    shutil.rmtree(bucket / "crafted", ignore_errors=True)
    folder = bucket / "crafted/20250101-20250201"
    folder.mkdir(parents=True)
    manifest = {
        "assemblyId": "v1",
        "bucket": "crafted",
        "billingPeriod": {"start": "20250101T000000.000Z"},
        "reportKeys": [f"crafted/20250101-20250201/crafted-{number}.csv" for number in range(len(files))],
    }
    for key, content in zip(manifest["reportKeys"], files, strict=True):
        (bucket / key).write_bytes(content)
    (folder / "crafted-Manifest.json").write_text(json.dumps(manifest))


@BOUNDED
@given(lines=bills, data=st.data())
def test_every_bill_sums_to_its_invoices_in_every_rendering(database, query, bucket, lines, data):
    deliver_lines(bucket, lines)
    load_month(database, crafted_source(bucket), JANUARY)
    with localcontext(prec=80):
        expected = expected_invoices(lines)
        focus, costs = totals(query, "focus", "crafted"), totals(query, "costs", "crafted")
        assert {key: values[0] for key, values in focus.items()} == expected
        assert costs == focus
        assert query("select count(*) from audit_results where not passed and severity = 'error'") == [(0,)]

    other = bucket / "csv"
    half = data.draw(st.integers(1, len(lines)))
    deliver_csv(other, [data.draw(csv_of(part)) for part in (lines[:half], lines[half:]) if part])
    load_month(database, Source(name="as_csv", format="aws_cur", uri=f"file://{other}/crafted/"), JANUARY)
    assert totals(query, "focus", "as_csv") == focus
    assert totals(query, "costs", "as_csv") == costs


@st.composite
def with_net_costs(draw, lines):
    """Return the lines with net costs: of each payer none, some that are not its bill, or those of its discounts."""
    kinds = {payer: draw(st.sampled_from(("none", "wrong", "net"))) for payer in PAYERS}
    found, discounts = [], defaultdict(Decimal)
    for one in lines:
        kind, cost = kinds[one["bill_payer_account_id"]], one["line_item_unblended_cost"]
        cost = cost if isinstance(cost, Decimal) else Decimal(str(cost))
        off = Decimal(draw(st.integers(0, 10**6))).scaleb(-6) if kind != "none" else Decimal(0)
        if one.get("line_item_operation") != "EKSPod-EC2":
            key = tuple(one[name] for name in ("bill_payer_account_id", "bill_invoice_id", "line_item_currency_code"))
            discounts[key] += off
        found.append({**one, "line_item_net_unblended_cost": cost - off if kind != "none" else Decimal(0)})
    for (payer, invoice, currency), off in discounts.items():
        if kinds[payer] == "net":
            shared = {"bill_payer_account_id": payer, "bill_invoice_id": invoice, "line_item_currency_code": currency}
            values = {"line_item_unblended_cost": -off, "line_item_net_unblended_cost": Decimal(0)}
            found.append(typed("EdpDiscount", shared, **values))
    return found


@settings(parent=BOUNDED, max_examples=12)
@given(lines=bills.flatmap(with_net_costs))
def test_every_payer_is_billed_its_invoices_whatever_its_net_costs(database, query, bucket, lines):
    """The invoice is the gross one; net costs that are taken for it may differ by AWS's rounding of each line."""
    deliver_lines(bucket, lines)
    load_month(database, crafted_source(bucket), JANUARY)
    net = set(query("select net_accounts from raw_months")[0][0])
    with localcontext(prec=80):
        focus = totals(query, "focus", "crafted")
        assert totals(query, "costs", "crafted") == focus
        expected = expected_invoices(lines)
        assert focus.keys() == expected.keys()
        for key, (billed, *_) in focus.items():
            rounding = len(lines) * Decimal("1E-10") if key[0] in net else 0
            assert abs(billed - expected[key]) <= rounding
    assert query("select count(*) from audit_results where not passed and severity = 'error'") == [(0,)]


SPREAD = """
    select date, sum(effective_cost) from costs group by 1 order by 1
"""


@BOUNDED
@given(unused=st.lists(positive, min_size=1, max_size=4), first=st.integers(1, 31), data=st.data())
def test_unused_part_is_spread_evenly_and_exactly(database, query, bucket, unused, first, data):
    start = datetime(2025, 1, first)
    days = data.draw(st.integers(1, 32 - first))
    lines = [
        typed(
            "RIFee",
            {
                "line_item_usage_start_date": start,
                # AWS ends such lines a second before the next day.
                "line_item_usage_end_date": start + timedelta(days=days, seconds=-1),
                "line_item_unblended_cost": Decimal(0),
                "reservation_reservation_a_r_n": "arn:aws:ec2:::reserved-instances/1",
            },
            reservation_unused_recurring_fee=cost,
            reservation_unused_amortized_upfront_fee_for_billing_period=Decimal(0),
        )
        for cost in unused
    ]
    deliver_lines(bucket, lines)
    load_month(database, crafted_source(bucket), JANUARY)
    by_day = dict(query(SPREAD))
    with localcontext(prec=80):
        assert sum(by_day.values()) == sum(unused)
        assert sorted(by_day) == [date(2025, 1, first) + timedelta(days=n) for n in range(days)]
        share = sum(unused) / days
        # The last day takes what rounding leaves: to ten places, or to the 16 digits of PostgreSQL's division.
        rounding = max(Decimal("1E-10"), share.scaleb(-15))
        assert all(abs(cost - share) <= rounding * days for cost in by_day.values())


@settings(parent=BOUNDED, max_examples=8)
@given(
    upfront=st.integers(0, 10**9),
    recurring=st.integers(0, 10**9),
    used=st.lists(st.integers(0, 100), min_size=3, max_size=3),
    kind=st.sampled_from(("savings plan", "reservation")),
)
def test_commitment_costs_over_its_term_what_was_paid_for_it(database, query, bucket, upfront, recurring, used, kind):
    """A term of three months: the upfront fee in the first, what is not used shown as unused."""
    shutil.rmtree(bucket / "crafted", ignore_errors=True)
    fee, share = Decimal(recurring).scaleb(-6), Decimal(upfront).scaleb(-6)
    month, paid = JANUARY, Decimal(0)
    for number, percent in enumerate(used):
        part = (share + fee) * percent / 100
        lines = _savings_plan(fee, share, part) if kind == "savings plan" else _reservation(fee, share, percent)
        if number == 0:
            lines.append(_upfront(kind, 3 * share))
        lines = [{**one, **_dates(month), "bill_invoice_id": f"{number + 1}"} for one in lines]
        write_delivery(bucket, as_parquet(lines), month=month)
        load_month(database, crafted_source(bucket), month)
        paid += fee + (3 * share if number == 0 else 0)
        month = next_month(month)
    assert query("select sum(cost), sum(effective_cost) from costs") == [(paid, paid)]
    # Each example publishes the same invoices with other amounts.
    broken = "select check_name from audit_results where not passed and check_name <> 'invoices_keep_their_amount'"
    assert query(broken) == []
    assert query("select sum(EffectiveCost) from focus_costs where ChargeCategory = 'Usage'") == [(paid,)]


PLAN = {"savings_plan_savings_plan_a_r_n": "arn:1"}
RESERVED = {"reservation_reservation_a_r_n": "arn:aws:ec2:::reserved-instances/1"}


def _dates(month):
    start = datetime(month.year, month.month, 1)
    return {
        "bill_billing_period_start_date": start,
        "bill_billing_period_end_date": datetime(*next_month(month).timetuple()[:3]),
        "line_item_usage_start_date": start,
        "line_item_usage_end_date": start + timedelta(hours=1),
    }


def _upfront(kind, cost):
    if kind == "reservation":
        return typed("Fee", RESERVED, line_item_unblended_cost=cost)
    return typed("SavingsPlanUpfrontFee", PLAN, line_item_unblended_cost=cost)


def _savings_plan(fee, share, part):
    return [
        typed(
            "SavingsPlanRecurringFee",
            PLAN,
            line_item_unblended_cost=fee,
            savings_plan_total_commitment_to_date=fee + share,
            savings_plan_used_commitment=part,
            savings_plan_amortized_upfront_commitment_for_billing_period=share,
        ),
        typed("SavingsPlanCoveredUsage", PLAN, savings_plan_savings_plan_effective_cost=part),
        typed("SavingsPlanNegation", PLAN, line_item_unblended_cost=Decimal("-1.5")),
    ]


def _reservation(fee, share, percent):
    return [
        typed(
            "RIFee",
            RESERVED,
            line_item_unblended_cost=fee,
            reservation_amortized_upfront_fee_for_billing_period=share,
            reservation_unused_amortized_upfront_fee_for_billing_period=share * (100 - percent) / 100,
            reservation_unused_recurring_fee=fee * (100 - percent) / 100,
        ),
        typed(
            "DiscountedUsage",
            RESERVED,
            line_item_unblended_cost=Decimal(0),
            reservation_effective_cost=(fee + share) * percent / 100,
        ),
    ]
