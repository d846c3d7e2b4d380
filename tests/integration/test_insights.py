"""Anomalies, forecasts and budgets of published months: found once, exact, and taken back by a restatement."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from conftest import Query, in_schema
from insights_bill import DATA, EC2, MONTHS, S3, WEB, Bill

from cloud_costs.config.anomalies import ChangeLimits
from cloud_costs.config.budgets import Budget
from cloud_costs.insights import telling
from cloud_costs.insights.anomalies import detect_anomalies
from cloud_costs.insights.budgets import check_budgets
from cloud_costs.insights.forecasts import forecast

MAY = MONTHS[-1]
EVERYONE = telling.Channel(email="finops@example.com")


@pytest.fixture(scope="module")
def bill(schemas: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bill]:
    """Five months, the last until the 20th, with a shift of one service in the last."""
    folder: Path = tmp_path_factory.mktemp("bill")
    with schemas.borrowed() as database:
        bill = Bill(folder, database)
        bill.plant(WEB, "AmazonEC2", date(2025, 5, 12), date(2025, 5, 19), 80)
        for month in MONTHS:
            bill.load(month, until=date(2025, 5, 20))
        detect_anomalies(database, ChangeLimits())
        yield bill


@pytest.fixture
def query(bill: Bill) -> Query:
    return in_schema(bill.database)


def test_event_is_told_at_its_level_with_exact_amounts(bill: Bill, query: Query) -> None:
    [row] = query(
        "select account_id, service, first_date, last_date, actual, impact, kind, status, running, severity, explanation "
        "from anomalies"
    )
    account, service, first, last, actual, impact, *rest, explanation = row
    assert (account, service, first, last) == (WEB, EC2, date(2025, 5, 12), date(2025, 5, 19))
    assert rest == ["anomaly", "open", True, "high"]
    [(exact,)] = query(
        "select sum(effective_cost) from costs where charge_category = 'Usage' and account_id = %s and service = %s "
        "and date between %s and %s",
        *(account, service, first, last),
    )
    assert actual == exact
    assert abs(impact - 8 * 80) < 20
    assert explanation["usage types"][0]["value"] == "Usage:planted"
    assert explanation["tag user:team"][0]["value"] == "web"
