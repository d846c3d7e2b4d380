"""`budgets.yaml` and `anomalies.yaml`: every mistake is told with the file, the key and what is allowed."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path

import pytest

from cloud_costs.config import sources
from cloud_costs.config.anomalies import MINIMUM, PERCENT, load_limits
from cloud_costs.config.budgets import load_budgets
from cloud_costs.errors import ConfigError

EXAMPLES = Path(sources.__file__).parents[2] / "config"
ONE = "budgets:\n  - name: all\n    amount: 1000.10\n    currency: USD\n"
Write = Callable[[str, str], Mapping[str, str]]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def into(name: str, text: str) -> Mapping[str, str]:
        (tmp_path / name).write_text(text)
        return {"CLOUD_COSTS_CONFIG": str(tmp_path / "sources.yaml")}

    return into


def test_examples_are_valid(write: Write) -> None:
    environ = write("budgets.yaml", (EXAMPLES / "budgets.example.yaml").read_text())
    every, web = load_budgets(environ)
    assert (every.amount, every.period, every.cost) == (Decimal(12000), "month", "effective")
    assert web.filters.tag == {"user:team": ("web", "checkout")}
    assert web.filters.account == ("004512887103",)
    assert (web.thresholds.actual, web.thresholds.forecast) == ((50, 80, 100), (100, 120))
    assert (web.tell.email, web.tell.slack) == (("web-leads@example.com",), "web_slack")
    write("anomalies.yaml", (EXAMPLES / "anomalies.example.yaml").read_text())
    limits = load_limits(environ)
    assert limits.of("cup", "JPY", None, None) == (750, 25)
    assert limits.of("cup", "USD", "004512887103", None) == (20, PERCENT)
    assert limits.of("cup", "USD", "004512887103", "Amazon Simple Storage Service") == (2, 50)
    assert limits.of("ca", "USD", None, None) == (MINIMUM, PERCENT)


def test_without_files_there_are_no_budgets_and_the_default_limits(tmp_path: Path) -> None:
    environ = {"CLOUD_COSTS_CONFIG": str(tmp_path / "sources.yaml")}
    assert load_budgets(environ) == ()
    assert load_limits(environ).of("cup", "USD", None, None) == (MINIMUM, PERCENT)


def test_amount_is_exact_and_defaults_are_those_of_the_example(write: Write) -> None:
    [budget] = load_budgets(write("budgets.yaml", ONE))
    assert budget.amount == Decimal("1000.10")
    assert (budget.period, budget.cost) == ("month", "billed")
    assert (budget.thresholds.actual, budget.thresholds.forecast) == ((80, 100), (100,))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("budgets: 1\n", "budgets: Input should be a valid list"),
        ("- a\n", "expected a mapping with the key 'budgets'"),
        (ONE.replace("1000.10", "0"), "budgets[0].amount: Input should be greater than 0"),
        (ONE.replace("1000.10", ".nan"), "budgets[0].amount: "),
        (ONE.replace("USD", "usd"), "budgets[0].currency: 'usd' does not match"),
        (ONE + "    period: week\n", "budgets[0].period: Input should be 'month', 'quarter' or 'year'"),
        (ONE + "    owner: ana\n", "budgets[0].owner: unknown key; allowed: name, amount, currency, period, cost"),
        (ONE + "    filters: {acount: x}\n", "budgets[0].filters.acount: unknown key; allowed: cloud, source, account"),
        (ONE + "    filters: {account: 011}\n", "write it in quotes, with its leading zeros"),
        (ONE + "    thresholds: {actual: [0]}\n", "budgets[0].thresholds.actual[0]: "),
        (ONE + "    tell: {email: 'a@b.example, c@d.example'}\n", "is not an address"),
        (ONE + ONE.partition("\n")[2], "budgets: the name 'all' is given 2 times"),
        (ONE + "    amount: 2\n", "the key 'amount' is given twice"),
    ],
)
def test_mistake_in_budgets_is_told_with_its_key(write: Write, text: str, told: str) -> None:
    with pytest.raises(ConfigError) as raised:
        load_budgets(write("budgets.yaml", text))
    assert told in str(raised.value)
    assert "budgets.yaml: " in str(raised.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("limits: [{currency: USD, minimum: -1}]\n", "limits[0].minimum: Input should be greater than 0"),
        ("limits: [{minimum: 1}]\n", "limits[0].currency: this key is missing"),
        ("limits: [{currency: USD, region: x}]\n", "limits[0].region: unknown key; allowed: currency, source"),
    ],
)
def test_mistake_in_limits_is_told_with_its_key(write: Write, text: str, told: str) -> None:
    with pytest.raises(ConfigError) as raised:
        load_limits(write("anomalies.yaml", text))
    assert told in str(raised.value)
