"""How much a change has to be to be told: `anomalies.yaml` beside `sources.yaml`.

`include/config/anomalies.example.yaml` explains each key. Without a file, the defaults hold in every currency.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cloud_costs.config.budgets import Currency, Money
from cloud_costs.config.sources import sources_path
from cloud_costs.config.yaml_files import read_yaml
from cloud_costs.errors import ConfigError
from cloud_costs.validation import Location, explain

FILE = "anomalies.yaml"
# Money a day, and percent of what was expected.
MINIMUM, PERCENT = 5.0, 25.0


class Line(BaseModel):
    """One line: limits for a currency, and perhaps for a source, an account and a service of it alone."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    currency: Currency
    source: str | None = None
    account: str | None = None
    service: str | None = None
    minimum: Money | None = None
    percent: float | None = Field(default=None, gt=0, le=10_000)


class _Limits(BaseModel):
    model_config = ConfigDict(extra="forbid")
    limits: list[Line]


@dataclass(frozen=True)
class ChangeLimits:
    """All lines, in the order of the file."""

    lines: Sequence[Line] = ()

    def of(self, source: str, currency: str, account: str | None, service: str | None) -> tuple[float, float]:
        """Return the money a day and the percent that a change has to reach; None stands for all accounts or services.

        Of the lines that match, a later one wins.
        """
        minimum, percent = MINIMUM, PERCENT
        here = {"currency": currency, "source": source, "account": account, "service": service}
        for line in self.lines:
            if all(getattr(line, key) in (None, value) for key, value in here.items()):
                minimum = minimum if line.minimum is None else float(line.minimum)
                percent = percent if line.percent is None else line.percent
        return minimum, percent


def load_limits(environ: Mapping[str, str] | None = None) -> ChangeLimits:
    """Return the limits. Raises `ConfigError` naming the file, the key and what is allowed."""
    path = sources_path(environ).parent / FILE
    if not path.exists():
        return ChangeLimits()
    content = read_yaml(path)
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: expected a mapping with the key 'limits', as in anomalies.example.yaml")
    try:
        return ChangeLimits(tuple(_Limits.model_validate(content).limits))
    except ValidationError as error:
        raise ConfigError(f"{path}: {explain(error, _known_keys)}") from None


def _known_keys(location: Location) -> str:
    return ", ".join(_Limits.model_fields if len(location) == 1 else Line.model_fields)
