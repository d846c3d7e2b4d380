"""What the rules of AWS bills make of a line: the columns that a rule decides, and nothing else.

The rules are those of the Cloud Intelligence Dashboards (`summary_view.sql`), of FOCUS 1.2, and of AWS's documentation
of the usage report.
"""

from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from cur_lines import PLAN, RESERVED, Charge, charges_by_line, export_of, typed
from roles import own_schemas
from values import sums_by_day

pytestmark = pytest.mark.values

Cases = dict[str, tuple[dict[str, Any], list[Charge]]]
BEFORE = datetime(2024, 12, 5)
OF_PLAN = {"savings_plan_savings_plan_a_r_n": PLAN}
OF_RESERVATION = {"reservation_reservation_a_r_n": RESERVED}
# Of savings_plan_net_amortized_upfront_commitment_for_billing_period PostgreSQL keeps 63 characters.
NET_UPFRONT = "savings_plan_net_amortized_upfront_commitment_for_billin_1da75a"
ONE_TIME_FEE = "Refund for one-time fee for Savings Plan ID 1"


def refund(description: str = "Refund", **columns: Any) -> dict[str, Any]:
    return typed("Refund", line_item_unblended_cost=-1.5, line_item_line_item_description=description, **columns)


def becomes(category: str, effective: str) -> list[Charge]:
    return [{"chargecategory": category, "billedcost": Decimal("-1.5"), "effectivecost": Decimal(effective)}]


def plan_of(option: str) -> dict[str, Any]:
    return {**OF_PLAN, "savings_plan_payment_option": option}


def reservation_of(option: str) -> dict[str, Any]:
    return {**OF_RESERVATION, "pricing_purchase_option": option}


REFUNDS: Cases = {
    "of usage": (refund(), becomes("Usage", "-1.5")),
    "of an upfront fee without an ARN": (
        refund(ONE_TIME_FEE, line_item_product_code="ComputeSavingsPlans"),
        becomes("Purchase", "0"),
    ),
    "of another product in those words": (refund(ONE_TIME_FEE), becomes("Usage", "-1.5")),
    "of a fee without an ARN": (
        refund(line_item_product_code="ComputeSavingsPlans"),
        becomes("Purchase", "-1.5"),
    ),
    "of a plan": (refund(**OF_PLAN), becomes("Purchase", "0")),
    "of a plan with an upfront fee": (refund(**plan_of("Partial Upfront")), becomes("Purchase", "0")),
    "of a plan without one": (refund(**plan_of("No Upfront")), becomes("Purchase", "-1.5")),
    "of a plan, in words": (refund("Recurring fee", **plan_of("Partial Upfront")), becomes("Purchase", "-1.5")),
    "of a reservation": (refund(**OF_RESERVATION), becomes("Purchase", "0")),
    "of a reservation with an upfront fee": (refund(**reservation_of("All Upfront")), becomes("Purchase", "0")),
    "of a reservation without one": (refund(**reservation_of("No Upfront")), becomes("Purchase", "-1.5")),
    **{
        f"of a reservation, in words: {words}": (refund(words, **OF_RESERVATION), becomes("Purchase", effective))
        for words, effective in (("Hourly fee", "-1.5"), ("a recurring fee", "-1.5"), ("hourly", "0"))
    },
    "of tax on a plan": (refund(line_item_tax_type="VAT", **OF_PLAN), becomes("Tax", "-1.5")),
    "no refund, of the same product": (
        {"line_item_product_code": "ComputeSavingsPlans"},
        [{"chargecategory": "Usage", "billedcost": Decimal("1.5"), "effectivecost": Decimal("1.5")}],
    ),
}


def quantities(*expected: tuple[str, str] | None) -> list[Charge]:
    return [
        {
            "commitmentdiscountquantity": Decimal(one[0]) if one else None,
            "commitmentdiscountunit": one[1] if one else None,
        }
        for one in expected
    ]


NORMALIZED, HOURS = "Normalized Hrs", "Hrs"
FEE = typed("RIFee", **OF_RESERVATION, reservation_unused_quantity=4.0, reservation_unused_normalized_unit_quantity=8.0)
QUANTITIES: Cases = {
    "flexible use": (
        typed("DiscountedUsage", **OF_RESERVATION, line_item_normalized_usage_amount=6.0),
        quantities(("6", NORMALIZED)),
    ),
    "use that is not flexible": (
        typed("DiscountedUsage", **OF_RESERVATION, line_item_normalized_usage_amount=0.0),
        quantities(("3", HOURS)),
    ),
    # What was bought, else what the line counts.
    **{
        f"fee of {total} units, {amount} on the line, {units} hours": (
            FEE
            | {
                "reservation_total_reserved_normalized_units": total,
                "line_item_normalized_usage_amount": amount,
                "reservation_total_reserved_units": units,
            },
            quantities((bought, NORMALIZED if left == "8" else HOURS), (left, NORMALIZED if left == "8" else HOURS)),
        )
        for total, amount, units, bought, left in (
            ("1488", 16.0, "744", "1488", "8"),
            ("1", 16.0, "744", "1", "8"),
            ("1", None, "744", "1", "8"),
            ("0", 16.0, "744", "16", "8"),
            (None, 16.0, "744", "16", "8"),
            (None, 1.0, "744", "1", "8"),
            ("1488", None, "744", "1488", "8"),
            (None, 0.0, "744", "744", "4"),
            (None, None, "1", "1", "4"),
            (None, None, "0", "3", "4"),
        )
    },
    "fee of a plan without a commitment": (
        typed("SavingsPlanRecurringFee", **OF_PLAN),
        [one | {"effectivecost": Decimal()} for one in quantities(None, ("0", "EUR"))],
    ),
    "covered use without a cost": (typed("SavingsPlanCoveredUsage", **OF_PLAN), quantities(("0", "EUR"))),
}


def costs(listed: str, contracted: str, price: str | None = None) -> Charge:
    return {
        "listcost": Decimal(listed),
        "contractedcost": Decimal(contracted),
        "contractedunitprice": Decimal(price) if price else None,
    }


def rated(rate: str, **columns: Any) -> dict[str, Any]:
    return {"line_item_unblended_rate": rate, **columns}


NO_LIST_PRICE = {"pricing_public_on_demand_cost": 0.0}
COSTS: Cases = {
    "no list price": (NO_LIST_PRICE, [costs("1.5", "1.5")]),
    "covered use without a list price": (
        rated("0.5", **typed("SavingsPlanCoveredUsage", **OF_PLAN, **NO_LIST_PRICE)),
        [costs("0", "0")],
    ),
    "covered use": (rated("0.5", **typed("SavingsPlanCoveredUsage", **OF_PLAN)), [costs("2", "1.5", "0.5")]),
    "reserved use": (
        rated("0.5", **typed("DiscountedUsage", **OF_RESERVATION)),
        [costs("2", "2")],
    ),
    "rate": (rated("0.5"), [costs("2", "1.5", "0.5")]),
    "rate without a list price": (rated("0.5", **NO_LIST_PRICE), [costs("1.5", "1.5", "0.5")]),
    # AWS rounds costs to ten decimal places.
    "rate within rounding": (rated("0.50000000001"), [costs("2", "1.5", "0.50000000001")]),
    "rate beyond rounding": (rated("0.50000000002"), [costs("2", "1.5")]),
    "rate below by rounding": (rated("0.49999999998"), [costs("2", "1.5")]),
    "fee": (rated("0.5", **typed("Fee")), [costs("2", "1.5")]),
    "fee and its unused part": (
        rated("0.5", **typed("SavingsPlanRecurringFee", **OF_PLAN)),
        [costs("2", "1.5"), costs("0", "0")],
    ),
    "unused part that the rate would give": (
        rated("0", **typed("SavingsPlanRecurringFee", **OF_PLAN, line_item_unblended_cost=0.0)),
        [costs("2", "0"), costs("0", "0")],
    ),
}


def correction(kind: str, cost: float, is_one: bool) -> tuple[dict[str, Any], list[Charge]]:
    line = typed(kind, line_item_usage_start_date=BEFORE, line_item_unblended_cost=cost)
    return line, [{"chargeclass": "Correction" if is_one else None}]


OTHERS: Cases = {
    **{
        f"{cost} of {kind} of a month before": correction(kind, cost, is_one)
        for kind, cost, is_one in (
            ("Usage", -0.5, True),
            ("Usage", 0.0, False),
            ("Usage", 0.5, False),
            ("DiscountedUsage", -0.5, True),
            ("SavingsPlanCoveredUsage", -0.5, True),
            ("EdpDiscount", -0.5, False),
        )
    },
    "a line that ends a second short": (
        {"line_item_usage_end_date": datetime(2025, 1, 31, 23, 59, 59)},
        [{"chargeperiodend": datetime(2025, 2, 1)}],
    ),
    "subscription at a flat rate": (
        typed("FlatRateSubscription"),
        [
            {
                "chargecategory": "Purchase",
                "chargefrequency": "Recurring",
                "effectivecost": Decimal("1.5"),
                "x_typeisknown": True,
            }
        ],
    ),
    "name of the product": ({"product_product_name": "Contoso Scanner"}, [{"servicename": "Contoso Scanner"}]),
    "name of the service": (
        {"product_product_name": "", "product_servicename": "Elastic Compute"},
        [{"servicename": "Elastic Compute"}],
    ),
    "name of the service, of data transfer": (
        # It belongs to the service that caused it.
        {
            "product_product_name": "",
            "product_servicecode": "AWSDataTransfer",
            "product_servicename": "AWS Data Transfer",
        },
        [{"servicename": "Amazon Elastic Compute Cloud"}],
    ),
    "upfront fees that the month uses up": (
        typed(
            "SavingsPlanRecurringFee",
            **OF_PLAN,
            savings_plan_total_commitment_to_date=10.0,
            savings_plan_used_commitment=7.0,
            savings_plan_amortized_upfront_commitment_for_billing_period=2.0,
            savings_plan_recurring_commitment_for_billing_period=8.0,
            **{NET_UPFRONT: 1.0},
            savings_plan_net_recurring_commitment_for_billing_period=4.0,
        ),
        # On the gross basis, what was not used costs what was committed to.
        [
            {"x_prepaiduse": Decimal(2), "effectivecost": Decimal()},
            {"x_prepaiduse": None, "effectivecost": Decimal(3)},
        ],
    ),
    "upfront fees of a reservation": (
        typed(
            "RIFee",
            **OF_RESERVATION,
            reservation_amortized_upfront_fee_for_billing_period=2.0,
            reservation_net_amortized_upfront_fee_for_billing_period=1.0,
        ),
        [{"x_prepaiduse": Decimal(2)}, {"x_prepaiduse": None}],
    ),
    "upfront fees of another line": (
        typed(
            "SavingsPlanCoveredUsage",
            **OF_PLAN,
            savings_plan_amortized_upfront_commitment_for_billing_period=2.0,
            reservation_amortized_upfront_fee_for_billing_period=2.0,
        ),
        [{"x_prepaiduse": None}],
    ),
}
GROSS: Cases = {
    f"{kind}, {name}": case
    for kind, cases in (("refund", REFUNDS), ("quantity", QUANTITIES), ("cost", COSTS), ("other", OTHERS))
    for name, case in cases.items()
}

# --- the net basis

NET = {"line_item_net_unblended_cost": 1.5}


def share(unused: str, recurring: float | None, upfront: float | None, net: tuple[float | None, float | None]):
    """Return a fee of a plan of 10, of which 7 were used, and what the other 3 cost with its discount."""
    line = typed(
        "SavingsPlanRecurringFee",
        **OF_PLAN,
        savings_plan_total_commitment_to_date=10.0,
        savings_plan_used_commitment=7.0,
        savings_plan_recurring_commitment_for_billing_period=recurring,
        savings_plan_amortized_upfront_commitment_for_billing_period=upfront,
        savings_plan_net_recurring_commitment_for_billing_period=net[0],
        **{NET_UPFRONT: net[1]},
    )
    prepaid = None if net[1] is None else Decimal(str(net[1]))
    fee = {"effectivecost": Decimal(), "x_prepaiduse": prepaid}
    return line, [fee, {"effectivecost": Decimal(unused), "commitmentdiscountquantity": Decimal(3)}]


NET_CASES: Cases = {
    "both fees": share("2.7", 8.0, 2.0, (6.0, 3.0)),
    "a discount on the recurring fee alone": share("1.8", 8.0, 2.0, (6.0, None)),
    "a discount on the upfront fee alone": share("0.9", 8.0, 2.0, (None, 3.0)),
    "no upfront fee": share("1.5", 8.0, None, (4.0, 0.0)),
    "no recurring fee": share("1.5", None, 2.0, (0.0, 1.0)),
    "a fee of 1": share("1.5", 1.0, 0.0, (0.5, 0.0)),
    # The factor has 15 decimal places.
    "a third": share("0.999999999999999", 2.0, 1.0, (1.0, 0.0)),
    "no net fee": share("3", 8.0, 2.0, (0.0, 0.0)),
    "no fee": share("3", 0.0, 0.0, (6.0, 3.0)),
    "upfront fees of a reservation": (
        typed(
            "RIFee",
            **OF_RESERVATION,
            reservation_amortized_upfront_fee_for_billing_period=2.0,
            reservation_net_amortized_upfront_fee_for_billing_period=1.0,
        ),
        [{"x_prepaiduse": Decimal(1)}, {"x_prepaiduse": None}],
    ),
    "net rate": (
        {"line_item_net_unblended_rate": "0.5", "line_item_unblended_rate": "0.75"},
        [{"contractedunitprice": Decimal("0.5")}],
    ),
}


@pytest.fixture(scope="module")
def schema(postgres):
    with own_schemas(postgres) as database:
        yield database


@pytest.fixture(scope="module")
def gross(schema):
    return charges_by_line(schema, {name: line for name, (line, _) in GROSS.items()})


@pytest.fixture(scope="module")
def net(schema):
    return charges_by_line(schema, {name: line | NET for name, (line, _) in NET_CASES.items()})


def decided(charges: list[Charge], expected: list[Charge]) -> list[Charge]:
    """Return of each charge the columns that are expected."""
    assert len(charges) == len(expected)
    return [{key: charge.get(key) for key in one} for charge, one in zip(charges, expected, strict=True)]


@pytest.mark.parametrize("name", GROSS)
def test_rule_decides(gross, name):
    expected = GROSS[name][1]
    assert decided(gross[name], expected) == expected


@pytest.mark.parametrize("name", NET_CASES)
def test_rule_decides_on_the_net_basis(net, name):
    expected = NET_CASES[name][1]
    assert decided(net[name], expected) == expected


@pytest.mark.parametrize("cases", [GROSS, NET_CASES], ids=["gross", "net"])
def test_daily_sums_are_those_of_the_charges(schema, cases):
    basis = {} if cases is GROSS else NET
    export = export_of({name: line | basis for name, (line, _) in cases.items()})
    assert sums_by_day(export.daily_charges(schema)) == sums_by_day(export.charges(schema))
