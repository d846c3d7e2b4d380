"""The budgets: `budgets.yaml` beside `sources.yaml`. `include/config/budgets.example.yaml` explains each key."""

from collections import Counter
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator

from cloud_costs.config.sources import sources_path
from cloud_costs.config.yaml_files import read_yaml
from cloud_costs.errors import ConfigError
from cloud_costs.validation import Location, explain

FILE = "budgets.yaml"


def _several(value: Any) -> Any:
    """Take a single value for a list of one. YAML reads an id without quotes as a number, and drops its zeros."""
    values = value if isinstance(value, list) else [value]
    for one in values:
        if not isinstance(one, str):
            raise ValueError(f"{one!r} is not a text; write it in quotes, with its leading zeros")
    return values


def _exact(value: Any) -> Any:
    """Take a number as it is written: YAML reads 0.1 as a float, whose shortest form is 0.1 again."""
    return str(value) if isinstance(value, float) else value


Texts = Annotated[tuple[Annotated[str, Field(min_length=1)], ...], BeforeValidator(_several)]
Money = Annotated[Decimal, BeforeValidator(_exact), Field(gt=0, max_digits=20, allow_inf_nan=False)]
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
Percents = tuple[Annotated[int, Field(strict=True, ge=1, le=1000)], ...]


class Filters(BaseModel):
    """What a budget is about: costs that match every key that is given, by any of its values."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cloud: Texts = ()
    source: Texts = ()
    account: Texts = ()
    service: Texts = ()
    tag: Mapping[str, Texts] = Field(default_factory=dict)


class Thresholds(BaseModel):
    """Percents of the amount that are told, once in each period: of what was spent, and of what is expected."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    actual: Percents = (80, 100)
    forecast: Percents = (100,)


class Tell(BaseModel):
    """Who is told beside those whom all alerts go to."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    email: Texts = ()
    slack: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_.-]{1,250}$")

    @field_validator("email")
    @classmethod
    def _addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for one in value:
            if "@" not in one or any(char in one for char in ",;\r\n \t"):
                raise ValueError(f"{one!r} is not an address; write one address, or a list of them")
        return value


class Budget(BaseModel):
    """One budget: an amount for each month, quarter or year of the costs that its filters name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 _.&/-]{0,79}$")
    amount: Money
    currency: Currency
    period: Literal["month", "quarter", "year"] = "month"
    cost: Literal["billed", "effective"] = "billed"
    filters: Filters = Field(default_factory=Filters)
    thresholds: Thresholds = Field(default_factory=Thresholds)
    tell: Tell = Field(default_factory=Tell)


class _Budgets(BaseModel):
    model_config = ConfigDict(extra="forbid")
    budgets: list[Budget]


def load_budgets(environ: Mapping[str, str] | None = None) -> tuple[Budget, ...]:
    """Return the budgets; none without a file. Raises `ConfigError` naming the file, the key and what is allowed."""
    path = sources_path(environ).parent / FILE
    if not path.exists():
        return ()
    content = read_yaml(path)
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: expected a mapping with the key 'budgets', as in budgets.example.yaml")
    try:
        found = _Budgets.model_validate(content).budgets
    except ValidationError as error:
        raise ConfigError(f"{path}: {explain(error, _known_keys)}") from None
    for name, count in Counter(one.name for one in found).items():
        if count > 1:
            raise ConfigError(f"{path}: budgets: the name {name!r} is given {count} times")
    return tuple(found)


def _known_keys(location: Location) -> str:
    models: dict[int | str, type[BaseModel]] = {"filters": Filters, "thresholds": Thresholds, "tell": Tell}
    model = _Budgets if len(location) == 1 else models.get(location[-2], Budget)
    return ", ".join(model.model_fields)
