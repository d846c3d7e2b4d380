"""The smallest relation that can answer a query."""

import pytest

from cloud_costs.charges.by_day import AMOUNTS, COMMON, RELATIONS, table_for
from cloud_costs.database.schema import TOTALS


@pytest.mark.parametrize(
    ("columns", "relation"),
    [
        ((), "costs_by_day_service"),
        (("date", "currency"), "costs_by_day_service"),
        (("billing_period", "service"), "costs_by_day_service"),
        (("month",), "costs_by_month"),
        (("account_id",), "costs_by_month"),
        (("service", "account_id", "billing_period"), "costs_by_month"),
        (("date", "account_id"), "costs_by_day_account"),
        (("date", "account_id", "service"), "costs_by_day"),
        (("region",), "costs"),
        (("date", "tags"), "costs"),
    ],
)
def test_smallest_relation_with_all_columns_is_named(columns: tuple[str, ...], relation: str) -> None:
    assert table_for(columns) == table_for([*columns, *COMMON, *AMOUNTS]) == relation


def test_readers_may_read_every_table() -> None:
    assert set(RELATIONS) < set(TOTALS)
