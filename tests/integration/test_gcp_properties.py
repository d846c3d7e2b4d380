"""Whatever Google bills: lines, charges and daily totals sum to the same, and commitments are spread without a rest."""

import json
import math
import shutil
from collections import defaultdict
from datetime import datetime, timedelta
from decimal import Decimal, localcontext

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pipeline import JANUARY, load_month

from cloud_costs.config.sources import Source

ACCOUNTS = ("01A2B3-C4D5E6-F70819", "000000-000000-000009")
PROJECTS = ("shop", "lab", None)
CURRENCIES = ("USD", "JPY", "EUR")
CREDITS = ("PROMOTION", "FREE_TIER", "SUSTAINED_USAGE_DISCOUNT", "RESELLER_MARGIN", "SomethingNew")
UNITS = ("seconds", "byte-seconds")
# Each example is a load, so there are few, each of many lines; shrinking would take as many again.
BOUNDED = settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
# What a double gives back as it was: up to 15 significant digits, of either sign, tiny and large.
money = st.builds(
    lambda digits, places: Decimal(digits).scaleb(-places),
    st.one_of(st.just(0), st.integers(-(10**15) + 1, 10**15 - 1), st.integers(-999, 999)),
    st.integers(0, 18),
)
positive = money.map(abs)
RUN = "google/invoice_month=202501/20250203T021500Z"


@st.composite
def doubles(draw, amounts):
    """Return a double that is read as the amount: the nearest one, or, as sums come out, one beside it."""
    amount = draw(amounts)
    value = float(amount)
    beside = math.nextafter(value, draw(st.sampled_from((math.inf, -math.inf))))
    return beside if draw(st.booleans()) and f"{beside:.14e}" == f"{value:.14e}" else value


@st.composite
def own(draw, **values):
    start = datetime(2025, 1, 1) + timedelta(hours=draw(st.integers(-40, 743)))
    project = draw(st.sampled_from(PROJECTS))
    return {
        "billing_account_id": draw(st.sampled_from(ACCOUNTS)),
        "invoice": {"month": "202501"},
        "cost_type": "regular",
        "service": {"id": "6F81-5844-456A", "description": draw(st.sampled_from(("Compute Engine", "Cloud SQL")))},
        "sku": {"id": "A", "description": "Core"},
        "usage_start_time": f"{start:%Y-%m-%d %H:%M:%S} UTC",
        "usage_end_time": f"{start + timedelta(hours=1):%Y-%m-%d %H:%M:%S} UTC",
        "currency": draw(st.sampled_from(CURRENCIES)),
        "credits": [],
        **({"project": {"id": project, "name": project}} if project else {}),
        **values,
    }


@st.composite
def plain_lines(draw):
    credits = [
        {"type": draw(st.sampled_from(CREDITS)), "name": "x", "amount": draw(doubles(money))}
        for _ in range(draw(st.integers(0, 3)))
    ]
    kind = draw(st.sampled_from(("regular", "regular", "tax", "adjustment", "rounding_error", "news")))
    listed = draw(st.one_of(st.none(), doubles(money)))
    values = {} if listed is None else {"cost_at_list": listed}
    return [draw(own(cost=draw(doubles(money)), cost_type=kind, credits=credits, **values))]


@st.composite
def commitment_lines(draw):
    """Return fees and covered use of a commitment that may be named or not, used too little or too much."""
    kind = draw(st.sampled_from(("COMMITTED_USAGE_DISCOUNT", "COMMITTED_USAGE_DISCOUNT_DOLLAR_BASE")))
    offset = draw(st.booleans())
    named = draw(st.sampled_from(("sub-1", "sub-2", None)))
    unit = draw(st.sampled_from(UNITS))
    shared = {"subscription": {"instance_id": named}} if named else {}
    sku = "Commitment v1: Cpu" if kind == "COMMITTED_USAGE_DISCOUNT" else "Commitment - dollar based v1: Cpu"
    fee = draw(
        own(
            cost=draw(doubles(st.one_of(positive, money))),
            sku={"id": "F", "description": sku},
            usage={"amount": draw(doubles(positive)), "unit": unit},
            credits=[{"type": "FEE_UTILIZATION_OFFSET", "amount": -draw(doubles(positive))}] if offset else [],
            **shared,
        )
    )
    account = {name: fee[name] for name in ("billing_account_id", "currency")}
    uses = [
        draw(
            own(
                cost=draw(doubles(positive)),
                usage={"amount": draw(doubles(positive)), "unit": unit},
                credits=[{"type": kind, "amount": -draw(doubles(positive))}],
                **shared,
            )
        )
        | account
        for _ in range(draw(st.integers(0, 3)))
    ]
    return [fee, *uses]


bills = st.lists(st.one_of(plain_lines(), commitment_lines()), min_size=1, max_size=20).map(
    lambda groups: [one for group in groups for one in group]
)


def read(value):
    """Return a double as PostgreSQL makes numeric of it: with 15 significant digits."""
    return Decimal(f"{value:.14e}")


def expected(lines):
    """Return what has to be paid, by billing account and currency, and in how many lines."""
    sums = defaultdict(lambda: [Decimal(0), 0])
    for one in lines:
        total = sums[one["billing_account_id"], one["currency"]]
        total[0] += read(one["cost"]) + sum((read(credit["amount"]) for credit in one["credits"]), Decimal(0))
        total[1] += 1
    return {key: tuple(values) for key, values in sums.items()}


def deliver(bucket, lines):
    shutil.rmtree(bucket / "google", ignore_errors=True)
    folder = bucket / RUN
    folder.mkdir(parents=True)
    (folder / "part-000000000000.json").write_text("".join(json.dumps(line) + "\n" for line in lines))
    sums = defaultdict(Decimal)
    for (_, currency), (cost, _) in expected(lines).items():
        sums[currency] += cost
    marker = {
        "invoice_month": "202501",
        "rows": str(len(lines)),
        "billed": [{"currency": currency, "cost": f"{cost:f}"} for currency, cost in sums.items()],
    }
    (folder / "_SUCCESS-000000000000.json").write_text(json.dumps(marker))


FOCUS = """
    select BillingAccountId, SubAccountId, ServiceName, ChargeCategory, BillingCurrency,
        sum(BilledCost), sum(EffectiveCost), sum(ListCost), sum(x_lineitems)
    from focus_costs group by 1, 2, 3, 4, 5 order by 1, 2, 3, 4, 5
"""
COSTS = """
    select billing_account_id, account_id, service, charge_category, currency,
        sum(cost), sum(effective_cost), sum(list_cost), sum(line_items)
    from costs group by 1, 2, 3, 4, 5 order by 1, 2, 3, 4, 5
"""


@BOUNDED
@given(lines=bills)
def test_every_bill_sums_to_its_lines_and_spreads_its_commitments(database, query, bucket, lines):
    with localcontext(prec=120):
        deliver(bucket, lines)
        load_month(database, Source(name="google", format="gcp_billing", uri=f"file://{bucket}/google/"), JANUARY)
        charges = query(FOCUS)
        assert query(COSTS) == charges
        found = defaultdict(lambda: [Decimal(0), Decimal(0), 0])
        for account, *_, currency, billed, effective, _, count in charges:
            total = found[account, currency]
            total[0], total[1], total[2] = total[0] + billed, total[1] + effective, total[2] + count
        billed = {key: (values[0], values[2]) for key, values in found.items()}
        assert billed == expected(lines)
        assert all(values[0] == values[1] for values in found.values())
    # What Google itself takes off a fee may be more than the fee.
    if not any("FEE_UTILIZATION_OFFSET" in json.dumps(line) for line in lines):
        unused = "select min(EffectiveCost) >= 0 from focus_costs where CommitmentDiscountStatus = 'Unused'"
        assert query(unused) in ([(True,)], [(None,)])
