"""What costs are grouped and filtered by: the dimensions, and the filters of an address.

The same dimension twice means either value, and two dimensions mean both. A value is data: it is bound, whatever is in
it. A tag's key is bound too.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote

from psycopg import sql

from cloud_costs.page.models import DimensionName
from cloud_costs.page.problems import WRONG, Refusal

TAG = "tag"


class Bound(dict[str, Any]):
    """The values of a statement: calling it with a value binds it, and returns its place in the statement."""

    def __call__(self, value: Any) -> sql.Placeholder:
        """Bind a value under a name of its own."""
        name = f"value_{len(self)}"
        self[name] = value
        return sql.Placeholder(name)


@dataclass(frozen=True)
class Dimension:
    """A column of `costs`, or a key of its tags: `column` is then `tags`, and `key` the key.

    `charge_column` is the column of `focus_costs` that has the same values.
    """

    column: str
    label: str
    none: str
    charge_column: str
    key: str | None = None

    @property
    def name(self) -> str:
        """The dimension as parameters name it. A colon in the key of a tag is written %3A."""
        return self.column if self.key is None else f"{TAG}:{quote(self.key, safe='')}"

    def value(self, bound: "Bound") -> sql.Composable:
        """Return the SQL expression of the value in `costs`, which is empty where costs have none."""
        column: sql.Composable = sql.Identifier(self.column)
        if self.key is not None:
            column = sql.SQL("({} ->> {}::text)").format(column, bound(self.key))
        return sql.SQL("coalesce({}, '')").format(column)

    def value_of_charge(self, bound: "Bound", spellings: Sequence[str]) -> sql.Composable:
        """Return the SQL expression of the value in FOCUS charges.

        `costs` has the tags that the source names, as it spells them. Charges have all, as the exporter spells them:
        `spellings` are those of the key, and none where the source does not name it.
        """
        if self.key is None:
            return sql.SQL("coalesce({}, '')").format(sql.Identifier(self.charge_column))
        tags = sql.Identifier(self.charge_column)
        values = [sql.SQL("nullif({} ->> {}::text, '')").format(tags, bound(spelling)) for spelling in spellings]
        return sql.SQL("coalesce({})").format(sql.SQL(", ").join([*values, sql.SQL("''")]))

    def shown(self) -> DimensionName:
        """Return the dimension as the API has it."""
        return DimensionName(name=self.name, label=self.label, none=self.none)


COLUMNS = (
    Dimension("cloud_provider", "Cloud", "no cloud", "providername"),
    Dimension("source", "Source", "no source", "x_source"),
    Dimension("billing_account_id", "Billing account", "no billing account", "billingaccountid"),
    Dimension("account_id", "Account", "no account", "subaccountid"),
    Dimension("service", "Service", "no service", "servicename"),
    Dimension("region", "Region", "no region", "regionid"),
    Dimension("charge_category", "Category", "no category", "chargecategory"),
    Dimension("invoice_id", "Invoice", "no invoice yet", "invoiceid"),
)
BY_NAME = {one.name: one for one in COLUMNS}
ACCOUNTS = ("account_id", "billing_account_id")
Filters = Mapping[Dimension, tuple[str, ...]]


def of_tag(key: str) -> Dimension:
    """Return the dimension of a tag key."""
    return Dimension("tags", key, "untagged", "tags", key)


def find(name: str, parameter: str) -> Dimension:
    """Return the dimension that a parameter names. Raises `Refusal` for one that there is not."""
    if name in BY_NAME:
        return BY_NAME[name]
    kind, _, key = name.partition(":")
    if kind == TAG and key and "\0" not in unquote(key):
        return of_tag(unquote(key))
    raise Refusal(
        WRONG,
        f"{parameter}: {name!r} is not a dimension.",
        f"Use one of {', '.join(BY_NAME)}, or tag:<key> with a colon in the key written %3A.",
    )


def parse_filters(texts: Iterable[str]) -> dict[Dimension, tuple[str, ...]]:
    """Return the values of each dimension that filters name. Raises `Refusal` for a filter that is not valid.

    >>> {one.name: values for one, values in parse_filters(["service:Amazon S3", "tag:user%3Ateam:"]).items()}
    {'service': ('Amazon S3',), 'tag:user%3Ateam': ('',)}
    """
    found: dict[Dimension, tuple[str, ...]] = {}
    for text in texts:
        colons = 2 if text.startswith(f"{TAG}:") else 1
        parts = text.split(":", colons)
        if len(parts) <= colons or "\0" in text:
            hint = "Write <dimension>:<value>, such as service:Cloud Run."
            raise Refusal(WRONG, f"filter: {text!r} has no value.", hint)
        dimension = find(":".join(parts[:colons]), "filter")
        found[dimension] = tuple(dict.fromkeys((*found.get(dimension, ()), parts[-1])))
    return found


def written(filters: Filters) -> list[str]:
    """Return filters as parameters have them."""
    return [f"{dimension.name}:{value}" for dimension, values in filters.items() for value in values]


def narrowed(filters: Filters, dimensions: Sequence[Dimension], values: Sequence[str]) -> list[str]:
    """Return the filters that lead to the costs of one group: those of the question, and the values of the group."""
    own = {dimension: (value,) for dimension, value in zip(dimensions, values, strict=True)}
    return written({**filters, **own})


def condition(filters: Filters, bound: Bound, value: Callable[[Dimension], sql.Composable]) -> sql.Composable:
    """Return the SQL condition that filters state of the values of dimensions."""
    conditions = [
        sql.SQL("{} = any({}::text[])").format(value(dimension), bound(list(values)))
        for dimension, values in filters.items()
    ]
    return sql.SQL(" and ").join([sql.SQL("true"), *conditions])
