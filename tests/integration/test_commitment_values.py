"""What `commitment_costs` makes of charges that are written down here, and what Commitments makes of that."""

from decimal import Decimal

import pytest
from pipeline import JANUARY
from psycopg import sql
from roles import own_schemas
from values import CHARGE_TYPES, Row, rows_of, run_sql

pytestmark = pytest.mark.values

CHARGE: Row = {
    "billingaccountid": "011254002932",
    "billingcurrency": "EUR",
    "chargecategory": "Usage",
    "commitmentdiscountid": "arn:1",
    "commitmentdiscountname": "Plan",
    "commitmentdiscounttype": "Savings Plan",
    "commitmentdiscountcategory": "Spend",
    "commitmentdiscountstatus": "Used",
    "pricingcategory": "Committed",
    "providername": "AWS",
    "servicename": "EC2",
    "subaccountid": "004512887103",
    "billedcost": Decimal("0.5"),
    "effectivecost": Decimal("1.25"),
    "listcost": Decimal(2),
    "x_lineitems": 1,
}
COST: Row = {
    "source": "cup",
    "billing_period": JANUARY,
    "cloud_provider": "AWS",
    "currency": "EUR",
    "billing_account_id": "011254002932",
    "account_id": "004512887103",
    "service": "EC2",
    "charge_category": "Usage",
    "commitment_id": "arn:1",
    "commitment_name": "Plan",
    "commitment_type": "Savings Plan",
    "commitment_category": "Spend",
    "commitment_status": "Used",
    "is_spot": False,
    "billed_cost": Decimal("0.5"),
    "effective_cost": Decimal("1.25"),
    "list_cost": Decimal(2),
    "line_items": 1,
}
NO_COMMITMENT: Row = {name: None for name in CHARGE if name.startswith("commitment")}
TWICE: Row = {
    "billed_cost": Decimal(1),
    "effective_cost": Decimal("2.5"),
    "list_cost": Decimal(4),
    "line_items": 2,
}


@pytest.fixture(scope="module")
def schema(postgres):
    with own_schemas(postgres) as database:
        yield database


def costs_of(schema, *changes):
    charges = rows_of([CHARGE | change for change in changes], CHARGE_TYPES)
    places = {"charges": charges, "source": sql.Literal("cup"), "billing_period": sql.Literal(JANUARY)}
    return sorted(run_sql(schema, "commitment_costs.sql", **places), key=repr)


def test_charges_of_one_commitment_and_kind_are_summed(schema):
    assert costs_of(schema, {}, {"regionid": "us-east-1", "invoiceid": "9", "commitmentdiscountname": None}) == [
        COST | TWICE
    ]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"commitmentdiscountid": "arn:2"}, {"commitment_id": "arn:2"}),
        ({"commitmentdiscounttype": "Reservation"}, {"commitment_type": "Reservation"}),
        ({"commitmentdiscountcategory": "Usage"}, {"commitment_category": "Usage"}),
        ({"commitmentdiscountstatus": "Unused"}, {"commitment_status": "Unused"}),
        ({"commitmentdiscountstatus": None}, {"commitment_status": None}),
        ({"chargecategory": "Purchase"}, {"charge_category": "Purchase"}),
        ({"servicename": None}, {"service": None}),
        ({"subaccountid": None}, {"account_id": None}),
        ({"billingaccountid": "2"}, {"billing_account_id": "2"}),
        ({"billingcurrency": "USD"}, {"currency": "USD"}),
        ({"providername": "Microsoft"}, {"cloud_provider": "Microsoft"}),
        ({"commitmentdiscountid": "arn:2", "listcost": None}, {"commitment_id": "arn:2", "list_cost": Decimal()}),
    ],
    ids=repr,
)
def test_others_stay_apart(schema, change, expected):
    assert costs_of(schema, {}, change) == sorted([COST, COST | expected], key=repr)


def test_of_charges_without_a_commitment_spot_use_alone_is_there(schema):
    nothing = {"commitment_id": None, "commitment_name": None, "commitment_type": None}
    nothing |= {"commitment_category": None, "commitment_status": None, "is_spot": True}
    spot = NO_COMMITMENT | {"pricingcategory": "Dynamic"}
    standard = NO_COMMITMENT | {"pricingcategory": "Standard"}
    assert costs_of(schema, spot, standard, spot | {"chargecategory": "Tax"}, spot | {"listcost": None}) == [
        COST | nothing | TWICE | {"list_cost": Decimal(2)}
    ]
