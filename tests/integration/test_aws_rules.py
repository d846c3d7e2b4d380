"""What AWS's lines mean, one rule a test: small bills, in each kind of AWS report, whose answer is worked out by hand.

The rules are those of AWS's documentation, of the Cloud Intelligence Dashboards' `summary_view.sql` and of FOCUS 1.2.
"""

from datetime import datetime
from decimal import Decimal

import pytest
from pipeline import JANUARY, crafted_source, line, load_month, write_delivery, write_export

from cloud_costs.database import sql_files
from cloud_costs.errors import AuditFailed

OTHER = {"bill_payer_account_id": "000000000009"}
THIRD = {"bill_payer_account_id": "000000000010"}


@pytest.fixture(params=["aws_cur", "aws_cur2"])
def load(request, database, bucket):
    """Load a month of crafted lines as a report of each kind, and return the names of the checks it violates."""
    source = crafted_source(bucket, format=request.param)
    write = write_delivery if request.param == "aws_cur" else write_export

    def load(lines, month=JANUARY, version="v1"):
        write(bucket, lines, month=month, version=version)
        found = load_month(database, source, month)
        with database.session() as connection:
            rows = connection.execute(
                f'select check_name from "{database.schema}".audit_results where not passed and load_id = %s',
                [found.load_id],
            )
            return {name for (name,) in rows}

    return load


def both(query, of, group="billing_account_id"):
    """Return a sum by group from the daily totals, which the sum of single charges has to equal."""
    names = {
        "billing_account_id": "BillingAccountId",
        "charge_category": "ChargeCategory",
        "cost": "BilledCost",
        "effective_cost": "EffectiveCost",
        "list_cost": "ListCost",
    }
    daily = dict(query(f"select {group}, sum({of}) from costs group by 1"))
    assert dict(query(f"select {names[group]}, sum({names[of]}) from focus_costs group by 1")) == daily
    return daily


# --- the basis


def test_each_payer_is_on_its_own_basis(load, query):
    """One payer has net costs and discount lines, one has no net costs, one has a single net cost among 150."""
    discount = {"line_item_line_item_type": "EdpDiscount", "line_item_unblended_cost": -10.0}
    broken = load(
        [
            line(line_item_unblended_cost=100.0, line_item_net_unblended_cost=90.0),
            line(**discount, line_item_net_unblended_cost=0.0),
            line(**OTHER, line_item_unblended_cost=33.0, line_item_net_unblended_cost=0.0),
            line(**THIRD, line_item_unblended_cost=0.01, line_item_net_unblended_cost=0.009),
            line(**THIRD, line_item_unblended_cost=149.99, line_item_net_unblended_cost=0.0),
        ]
    )
    assert both(query, "cost") == {
        "011254002932": Decimal(90),
        "000000000009": Decimal(33),
        "000000000010": Decimal(150),
    }
    # The first one's discount is inside its net costs.
    assert query("select sum(BilledCost) from focus_costs where x_lineitemtype = 'EdpDiscount'") == [(Decimal(0),)]
    assert broken == {"payer_is_on_one_basis"}
    sample = query("select sample from audit_results where check_name = 'payer_is_on_one_basis'")[0][0]
    assert [(row["billing_account_id"], row["gross_cost"], row["net_cost"]) for row in sample] == [
        ("000000000010", "150.00", "0.009")
    ]
    assert query("select net_accounts from raw_months") == [(["011254002932"],)]


def test_net_costs_that_are_on_another_invoice_are_not_the_bill(load, query):
    """The sums of the payer agree, those of its two invoices do not: the invoices are the gross ones."""
    lines = [
        line(bill_invoice_id="1", line_item_unblended_cost=10.0, line_item_net_unblended_cost=7.0),
        line(bill_invoice_id="2", line_item_unblended_cost=20.0, line_item_net_unblended_cost=23.0),
    ]
    assert load(lines) == {"payer_is_on_one_basis"}
    assert dict(query("select invoice_id, sum(cost) from costs group by 1")) == {"1": Decimal(10), "2": Decimal(20)}


@pytest.mark.parametrize(("net", "billed"), [(1.4999999998, "2.9999999998"), (1.4999999997, "3.0")])
def test_net_costs_may_be_rounded_once_a_line(load, query, net, billed):
    """AWS rounds to ten decimal places: the sums of two lines may differ by two units of the tenth."""
    load([line(line_item_net_unblended_cost=net), line(line_item_net_unblended_cost=1.5)])
    assert both(query, "cost") == {"011254002932": Decimal(billed)}


def test_basis_changes_with_the_next_delivery(load, query):
    """Discounts come with the invoice: until then the net costs of a month are less than its bill."""
    estimate = line(line_item_unblended_cost=100.0, line_item_net_unblended_cost=90.0)
    discount = line(
        line_item_line_item_type="EdpDiscount", line_item_unblended_cost=-10.0, line_item_net_unblended_cost=0.0
    )
    load([estimate])
    assert both(query, "cost") == {"011254002932": Decimal(100)}
    assert load([estimate, discount], version="v2") == set()
    assert both(query, "cost") == {"011254002932": Decimal(90)}
    february = JANUARY.replace(month=2)
    load([line(february, line_item_unblended_cost=5.0)], february)
    assert both(query, "cost") == {"011254002932": Decimal(95)}


def test_wrong_basis_is_an_error(load, query, monkeypatch):
    """A payer whose billed cost is not its invoice is never published, whatever made it so."""
    read = sql_files.read
    every_payer = "select distinct coalesce(bill_payer_account_id, '') as account from ({lines}) as lines"
    monkeypatch.setattr(sql_files, "read", lambda path: every_payer if path.endswith("_net.sql") else read(path))
    with pytest.raises(AuditFailed, match=r"gross_equals_net \(error\): 1 violation"):
        load([line(line_item_unblended_cost=33.0, line_item_net_unblended_cost=0.0)])
    assert query("select status from load_history") == [("rejected",)]


# --- Savings Plans and reservations

PLAN = {"savings_plan_savings_plan_a_r_n": "arn:aws:savingsplans::1:savingsplan/a"}
RESERVATION = {"reservation_reservation_a_r_n": "arn:aws:ec2:us-east-1:1:reserved-instances/b"}
INVOICED = {"bill_invoice_id": "17"}


def of(kind, cost, **values):
    return line(**{"line_item_line_item_type": kind, "line_item_unblended_cost": cost, **values})


def a_plan(**values):
    """Return 720 hours at 1 USD with 10 % off, of which a quarter is not used: it costs 648 USD."""
    shared = {**PLAN, **INVOICED, **values}
    return [
        of(
            "SavingsPlanRecurringFee",
            720.0,
            **shared,
            line_item_net_unblended_cost=648.0,
            savings_plan_total_commitment_to_date=720.0,
            savings_plan_used_commitment=540.0,
            savings_plan_recurring_commitment_for_billing_period=720.0,
            savings_plan_net_recurring_commitment_for_billing_period=648.0,
            savings_plan_amortized_upfront_commitment_for_billing_period=0.0,
            savings_plan_net_amortized_upfront_commitment_for_billing_period=0.0,
        ),
        of(
            "SavingsPlanCoveredUsage",
            900.0,
            **shared,
            line_item_net_unblended_cost=810.0,
            savings_plan_savings_plan_effective_cost=540.0,
            savings_plan_net_savings_plan_effective_cost=486.0,
        ),
        of("SavingsPlanNegation", -900.0, **shared, line_item_net_unblended_cost=-810.0),
        of("EdpDiscount", -72.0, **INVOICED, line_item_net_unblended_cost=0.0),
    ]


QUANTITIES = """
    select
        sum(CommitmentDiscountQuantity) filter (where ChargeCategory = 'Purchase'),
        sum(CommitmentDiscountQuantity) filter (where CommitmentDiscountStatus = 'Used'),
        sum(CommitmentDiscountQuantity) filter (where CommitmentDiscountStatus = 'Unused'),
        array_agg(distinct CommitmentDiscountUnit)
    from focus_costs
    where CommitmentDiscountId is not null
"""


def test_unused_part_of_a_plan_has_its_discount_on_the_net_basis(load, query):
    assert load(a_plan()) == set()
    assert both(query, "effective_cost") == {"011254002932": Decimal(648)}
    assert query("select EffectiveCost from focus_costs where CommitmentDiscountStatus = 'Unused'") == [(162,)]
    # What was committed to is money before discounts.
    assert query(QUANTITIES) == [(720, 540, 180, ["USD"])]


def test_name_of_64_characters_is_read(load, query):
    """Half paid upfront, with a net share of its own that PostgreSQL has no room for the name of."""
    fee = a_plan()[0] | {
        "line_item_unblended_cost": 360.0,
        "line_item_net_unblended_cost": 324.0,
        "savings_plan_recurring_commitment_for_billing_period": 360.0,
        "savings_plan_net_recurring_commitment_for_billing_period": 324.0,
        "savings_plan_amortized_upfront_commitment_for_billing_period": 360.0,
        "savings_plan_net_amortized_upfront_commitment_for_billing_period": 288.0,
    }
    # 612 of 720 on the net basis: a used part of 540 costs 459, and the unused 180 cost 153.
    covered = a_plan()[1] | {"savings_plan_net_savings_plan_effective_cost": 459.0}
    lines = [fee, covered, a_plan()[2], of("EdpDiscount", -36.0, **INVOICED, line_item_net_unblended_cost=0.0)]
    assert load(lines) == set()
    assert both(query, "effective_cost") == {"011254002932": Decimal(612)}
    assert query("select sum(x_prepaiduse) from focus_costs") == [(288,)]


def test_each_commitment_is_judged_by_its_own_lines(load, query):
    """One line of the bill has no invoice, and another plan lost its use: it is named nevertheless."""
    other = {"savings_plan_savings_plan_a_r_n": "arn:aws:savingsplans::1:savingsplan/b"}
    lines = [*a_plan(), a_plan(**other)[0], line(line_item_net_unblended_cost=1.5)]
    lines.append(of("EdpDiscount", -72.0, **INVOICED, line_item_net_unblended_cost=0.0))
    assert load(lines) == {"commitments_are_spread_exactly"}
    sample = query("select sample from audit_results where check_name = 'commitments_are_spread_exactly'")[0][0]
    assert [(row["commitment_id"], Decimal(row["difference"])) for row in sample] == [(*other.values(), 486)]


def test_plan_with_an_open_line_is_not_judged(load):
    fee, *rest = a_plan()
    assert (
        load([fee | {"savings_plan_used_commitment": 500.0}, *rest, line(**PLAN, line_item_net_unblended_cost=1.5)])
        == set()
    )


@pytest.mark.parametrize(
    ("refund", "category", "effective"),
    [
        # An upfront fee that is given back was never an effective cost.
        ({**PLAN, "savings_plan_payment_option": "All Upfront"}, "Purchase", 0),
        ({**PLAN}, "Purchase", 0),
        (
            {
                "line_item_product_code": "ComputeSavingsPlans",
                "line_item_line_item_description": "Refund for one-time fee for Savings Plan ID: a1b2",
            },
            "Purchase",
            0,
        ),
        ({**RESERVATION, "pricing_purchase_option": "All Upfront"}, "Purchase", 0),
        # A recurring fee that is given back was one.
        ({**PLAN, "savings_plan_payment_option": "No Upfront"}, "Purchase", -1000),
        ({**PLAN, "line_item_line_item_description": "Refund for recurring fee for Savings Plan"}, "Purchase", -1000),
        ({"line_item_product_code": "ComputeSavingsPlans"}, "Purchase", -1000),
        ({**RESERVATION, "pricing_purchase_option": "No Upfront"}, "Purchase", -1000),
        # Any other keeps the category of what it gives back.
        ({}, "Usage", -1000),
        ({**PLAN, "line_item_tax_type": "VAT"}, "Tax", -1000),
    ],
)
def test_refund_of_each_kind(load, query, refund, category, effective):
    load([of("Refund", -1000.0, **refund), line()])
    assert query("select ChargeCategory, BilledCost, EffectiveCost from focus_costs where BilledCost < 0") == [
        (category, -1000, effective)
    ]
    assert sum(both(query, "effective_cost").values()) == Decimal("1.5") + effective


@pytest.mark.parametrize(("commitment", "kind"), [(PLAN, "SavingsPlanUpfrontFee"), (RESERVATION, "Fee")])
def test_commitment_bought_and_returned_costs_nothing(load, query, commitment, kind):
    load([of(kind, 1000.0, **commitment), of("Refund", -1000.0, **commitment)])
    assert query("select sum(cost), sum(effective_cost) from costs") == [(0, 0)]


def test_reservation_of_flexible_size_counts_in_normalized_units(load, query):
    """744 hours of a large one, 4 units an hour: used by small ones of 2 units, 1,000 hours, and a large one, 100."""
    used = {**RESERVATION, "reservation_effective_cost": 1.0}
    load(
        [
            of("DiscountedUsage", 0.0, **used, line_item_usage_amount=1000.0, line_item_normalized_usage_amount=2000.0),
            of("DiscountedUsage", 0.0, **used, line_item_usage_amount=100.0, line_item_normalized_usage_amount=400.0),
            of(
                "RIFee",
                74.4,
                **RESERVATION,
                line_item_usage_amount=744.0,
                line_item_normalized_usage_amount=2976.0,
                reservation_total_reserved_units="744.0000000000",
                reservation_total_reserved_normalized_units="2976.00000000000",
                reservation_unused_quantity=144.0,
                reservation_unused_normalized_unit_quantity=576.0,
            ),
        ]
    )
    assert query(QUANTITIES) == [(2976, 2400, 576, ["Normalized Hrs"])]


def test_reservation_without_units_counts_in_hours(load, query):
    load(
        [
            of("DiscountedUsage", 0.0, **RESERVATION, line_item_usage_amount=700.0),
            of(
                "RIFee",
                74.4,
                **RESERVATION,
                line_item_usage_amount=744.0,
                reservation_total_reserved_units="744.0000000000",
                reservation_total_reserved_normalized_units="",
                reservation_unused_quantity=44.0,
            ),
        ]
    )
    assert query(QUANTITIES) == [(744, 700, 44, ["Hrs"])]


# --- prices


def test_list_cost_is_what_is_billed_where_there_is_no_list_price(load, query):
    """Four kinds of lines of one day, which the daily totals sum: list prices of 2 and 0.5, Spot, tax and credit."""
    load(
        [
            line(pricing_public_on_demand_cost=2.0),
            line(pricing_public_on_demand_cost=-2.0, line_item_unblended_cost=-1.0),
            line(line_item_usage_type="SpotUsage:m5.large", pricing_public_on_demand_cost=0.0),
            of("Tax", 0.3, pricing_public_on_demand_cost=0.0),
            of("Credit", -0.25, pricing_public_on_demand_cost=0.0),
            of("SavingsPlanCoveredUsage", 3.0, **PLAN, pricing_public_on_demand_cost=4.0),
            of("SavingsPlanCoveredUsage", 3.0, **PLAN, pricing_public_on_demand_cost=0.0),
            of("SavingsPlanNegation", -6.0, **PLAN, pricing_public_on_demand_cost=-4.0),
        ]
    )
    assert both(query, "list_cost", "charge_category") == {
        "Usage": Decimal("5.5"),
        "Tax": Decimal("0.3"),
        "Credit": Decimal("-0.25"),
    }
    assert query("select count(*) from focus_costs where ContractedCost > ListCost and ListCost > 0") == [(0,)]
    spot = "select BilledCost, ListCost, ContractedCost from focus_costs where x_usagetype = 'SpotUsage:m5.large'"
    assert query(spot) == [(Decimal("1.5"),) * 3]


@pytest.mark.parametrize(
    ("values", "price"),
    [
        ({"line_item_unblended_rate": "0.5", "line_item_usage_amount": 3.0}, "0.5"),
        # 0.3333333333 times 3 is 0.9999999999: rounded to ten places the cost is still not 1.5.
        ({"line_item_unblended_rate": "0.3333333333", "line_item_usage_amount": 3.0}, None),
        ({"line_item_unblended_rate": "", "line_item_usage_amount": 3.0}, None),
        ({"line_item_unblended_rate": "0.5", "line_item_usage_amount": 3.0, "line_item_line_item_type": "Tax"}, None),
    ],
)
def test_rate_that_gives_the_cost_is_the_contracted_price(load, query, values, price):
    load([line(**values)])
    assert query("select ContractedUnitPrice from focus_costs") == [(price and Decimal(price),)]


# --- lines of other kinds


def test_split_lines_with_money_are_named(load, query):
    """What they hold is left out of both sides of the audit of sums, as AWS's dashboards do."""
    pod = {"line_item_operation": "EKSPod-EC2"}
    assert load([line(line_item_unblended_cost=6.0), line(**pod, line_item_unblended_cost=0.0)]) == set()
    lines = [line(line_item_unblended_cost=6.0), line(**pod, line_item_unblended_cost=9.0)]
    assert load(lines, version="v2") == {"split_lines_cost_nothing"}
    assert both(query, "cost") == {"011254002932": Decimal(6)}
    sample = query("select sample from audit_results where check_name = 'split_lines_cost_nothing' and not passed")
    assert [Decimal(row["split_cost"]) for row in sample[0][0]] == [9]


def test_charge_ends_where_the_next_begins(load, query):
    load(
        [
            of("RIFee", 1.0, **RESERVATION, line_item_usage_end_date=datetime(2025, 1, 31, 23, 59, 59)),
            line(),
        ]
    )
    assert query("select distinct ChargePeriodEnd from focus_costs order by 1") == [
        (datetime(2025, 1, 1, 1),),
        (datetime(2025, 2, 1),),
    ]


def test_negative_usage_of_an_earlier_month_is_a_correction(load, query):
    earlier = {"line_item_usage_start_date": datetime(2024, 12, 30), "line_item_usage_end_date": datetime(2024, 12, 31)}
    load([line(**earlier, line_item_unblended_cost=-1.0), line(**earlier), line(line_item_unblended_cost=-2.0)])
    assert query("select ChargeClass, BilledCost from focus_costs order by BilledCost") == [
        (None, Decimal(-2)),
        ("Correction", Decimal(-1)),
        (None, Decimal("1.5")),
    ]


def test_flat_rate_subscription_is_a_recurring_purchase(load, query):
    assert load([of("FlatRateSubscription", 15.0)]) == set()
    assert query("select ChargeCategory, ChargeFrequency, BilledCost, EffectiveCost from focus_costs") == [
        ("Purchase", "Recurring", 15, 15)
    ]


def test_rate_that_is_no_number_fails_no_query_and_is_named(load, query):
    rates = ("0.5", "5E-1", "", "half a dollar", "half a dollar", "1.2.3", "NaN")
    lines = [
        line(identity_line_item_id=f"l{number}", pricing_public_on_demand_rate=rate)
        for number, rate in enumerate(rates)
    ]
    assert load(lines) == {"rates_are_numbers"}
    assert query("select x_lineitemid, ListUnitPrice from focus_costs where ListUnitPrice is not null order by 1") == [
        ("l0", Decimal("0.5")),
        ("l1", Decimal("0.5")),
    ]
    sample = query("select sample from audit_results where check_name = 'rates_are_numbers'")[0][0]
    assert sorted((row["column_name"], row["value"], row["lines"]) for row in sample) == [
        ("pricing_public_on_demand_rate", "1.2.3", "1"),
        ("pricing_public_on_demand_rate", "NaN", "1"),
        ("pricing_public_on_demand_rate", "half a dollar", "2"),
    ]
    assert all("004512887103" in row["line"] and "AmazonEC2" in row["line"] for row in sample)
