"""Whatever an Azure bill holds: both exports, the charges and the daily totals sum to the same, to the last digit."""

from collections import defaultdict
from decimal import Decimal, localcontext
from itertools import count

from azure_tenant import crafted_azure, usage, write_csv
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pipeline import JANUARY, load_month

# Each example is two loads, so there are few, each of many lines; shrinking would take as many again.
BOUNDED = settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
RUNS = count()
COMMITMENTS = {
    "Reservation": "/providers/Microsoft.Capacity/reservationOrders/o/reservations/r",
    "SavingsPlan": "/providers/Microsoft.BillingBenefits/savingsPlanOrders/o/savingsPlans/p",
}
KINDS = ("Usage", "usage", "Purchase", "Refund", "Tax", "Credit", "RoundingAdjustment", "Surprise")
money = st.builds(
    lambda digits, places: Decimal(digits).scaleb(-places),
    st.one_of(st.just(0), st.integers(-(10**20), 10**20), st.integers(-999, 999)),
    st.integers(0, 24),
)
texts = money.map(lambda amount: f"{amount:f}")


@st.composite
def own(draw):
    """Return who pays for a line, in which currency, when, and at which prices."""
    is_mca = draw(st.booleans())
    return {
        "BillingAccountId": "a:b_2019" if is_mca else draw(st.sampled_from(("01", "2"))),
        "BillingProfileId": draw(st.sampled_from(("P1", "P2"))) if is_mca else "",
        "BillingCurrencyCode": draw(st.sampled_from(("USD", "EUR", "JPY"))),
        "InvoiceId": draw(st.sampled_from(("", "G1", "007"))) if is_mca else "",
        "SubscriptionId": draw(st.sampled_from(("0001", "0002"))),
        "Date": draw(st.sampled_from(("01/01/2025", "2025-01-31"))),
        "Tags": draw(st.sampled_from(("", '"team": "a"', '{"team": "b", "x": "y"}', "not json"))),
        "PayGPrice": draw(st.sampled_from(("", "0", "0.0123", "7"))),
        "PaygCostInBillingCurrency": draw(st.sampled_from(("", "0", "3.21"))) if is_mca else "",
        "Quantity": draw(st.sampled_from(("1", "0.5", "12.345678", "-3"))),
        "ExchangeRatePricingToBilling": "0.91" if is_mca else "",
        "UnitOfMeasure": draw(st.sampled_from(("1 Hour", "100 Hours", "10K", "30 Days", "1 New Thing", ""))),
    }


@st.composite
def lines(draw):
    """Return a line of each export, None where it has none."""
    shared = draw(own())
    model = draw(st.sampled_from(("OnDemand", "Spot", "", "Reservation", "SavingsPlan")))
    if model in COMMITMENTS:
        kind = draw(st.sampled_from(("Usage", "Purchase", "Refund", "Unused")))
        shared |= {"PricingModel": model, "benefitId": COMMITMENTS[model]}
        if kind in ("Purchase", "Refund"):
            return usage(**shared, ChargeType=kind, Cost=draw(texts)), None
        charge = {"Unused": f"Unused{model}"}.get(kind, kind)
        covered = usage(**shared, ChargeType=charge)
        actual = covered | {"Cost": "0"} if kind == "Usage" else None
        return actual, covered | {"Cost": draw(texts)}
    kind = draw(st.sampled_from(KINDS))
    line = usage(**shared, PricingModel=model, ChargeType=kind, Cost=draw(texts))
    return line, line


TOTALS = (
    "select billing_account_id, currency, sum(cost), sum(effective_cost), sum(list_cost), sum(line_items) from costs"
)
CHARGES = (
    "select BillingAccountId, BillingCurrency, sum(BilledCost), sum(EffectiveCost), sum(ListCost), sum(x_lineitems) "
    "from focus_costs"
)


@BOUNDED
@given(bill=st.lists(lines(), min_size=1, max_size=40))
def test_every_bill_is_billed_as_actual_and_costs_as_amortized(database, query, bucket, bill):
    run = f"run-{next(RUNS)}"
    actual, amortized = ([line for line in export if line] for export in zip(*bill, strict=True))
    if not (actual and amortized):
        return
    write_csv(bucket, *actual, export=f"{run}/actual", run=run)
    write_csv(bucket, *amortized, export=f"{run}/amortized", run=run)
    uris = {"uri": f"file://{bucket}/{run}/actual/", "amortized_uri": f"file://{bucket}/{run}/amortized/"}
    load_month(database, crafted_azure(bucket, tags=("team",), **uris), JANUARY)
    expected = defaultdict(lambda: [Decimal(0), Decimal(0)])
    with localcontext(prec=80):
        for at, export in enumerate((actual, amortized)):
            for line in export:
                payer = line["BillingProfileId"] or line["BillingAccountId"]
                expected[payer, line["BillingCurrencyCode"]][at] += Decimal(line["Cost"])
        costs = {tuple(row[:2]): list(row[2:]) for row in query(f"{TOTALS} group by 1, 2")}
        charges = {tuple(row[:2]): list(row[2:]) for row in query(f"{CHARGES} group by 1, 2")}
        assert {payer: amounts[:2] for payer, amounts in costs.items()} == dict(expected)
        assert costs == charges
        assert query("select count(*) from audit_results where not passed and severity = 'error'") == [(0,)]


@BOUNDED
@given(bill=st.lists(lines(), min_size=1, max_size=40))
def test_every_bill_of_actual_costs_alone_is_what_it_says(database, query, bucket, bill):
    run = f"run-{next(RUNS)}"
    actual = [line for line, _ in bill if line]
    if not actual:
        return
    write_csv(bucket, *actual, export=run, run=run)
    load_month(database, crafted_azure(bucket, uri=f"file://{bucket}/{run}/"), JANUARY)
    with localcontext(prec=80):
        billed = sum((Decimal(line["Cost"]) for line in actual), Decimal(0))
        assert query("select sum(cost), sum(effective_cost), sum(line_items) from costs") == [
            (billed, billed, len(actual))
        ]
        assert query("select sum(ListCost) from focus_costs") == query("select sum(list_cost) from costs")
