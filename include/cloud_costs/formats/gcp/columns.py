"""The columns of Google's billing export: their names in PostgreSQL, and their types where a file has none.

In Parquet and JSON, `service`, `usage` and others are objects, and `credits` and `labels` are lists: each is one jsonb
column. A CSV file, which some tools make of the export, has `service.id` and `usage.amount` as columns of their own.

Source: Google Cloud's documentation, "Structure of Detailed data export". Amounts are FLOAT64 there and the newer
prices NUMERIC, so amounts are `double precision` in every form. A bill has the same sums in every kind of file.
"""

import re

from cloud_costs.formats.delivery import TagList, Tags

# FLOAT64 in BigQuery.
DOUBLES = {
    "cost",
    "cost_at_list",
    "credits_amount",
    "currency_conversion_rate",
    "usage_amount",
    "usage_amount_in_pricing_units",
}
# NUMERIC in BigQuery.
NUMERICS = {
    "cost_at_effective_price_default",
    "cost_at_list_consumption_model",
    "price_effective_price",
    "price_effective_price_default",
    "price_list_price",
    "price_list_price_consumption_model",
    "price_pricing_unit_quantity",
    "price_tier_start_amount",
}
TIMES = {"export_time", "usage_end_time", "usage_start_time"}
NESTED = {
    "adjustment_info",
    "consumption_model",
    "credits",
    "invoice",
    "labels",
    "location",
    "price",
    "project",
    "project_ancestors",
    "project_labels",
    "resource",
    "service",
    "sku",
    "subscription",
    "system_labels",
    "tags",
    "usage",
}

# In this order: a label of the resource is more specific than a tag, and both than a label of the whole project.
TAGS = Tags(
    lists=(
        TagList(("labels",), ""),
        TagList(("tags",), "tag/"),
        TagList(("project_labels", "project->labels"), "project/"),
    )
)


def raw_name(name: str) -> str:
    """Return the PostgreSQL name of a column: lower case, `_` for the dots of a flattened export.

    >>> raw_name("service.id"), raw_name("usage_start_time")
    ('service_id', 'usage_start_time')
    """
    return re.sub(r"[.]", "_", name.lower())


def column_type(name: str) -> str:
    """Return the PostgreSQL type of a column of a CSV or JSON file, by its name in PostgreSQL.

    >>> column_type("cost"), column_type("project_id"), column_type("credits")
    ('double precision', 'text', 'jsonb')
    """
    if name in DOUBLES:
        return "double precision"
    if name in NUMERICS:
        return "numeric"
    if name in TIMES:
        return "timestamp without time zone"
    return "jsonb" if name in NESTED else "text"
