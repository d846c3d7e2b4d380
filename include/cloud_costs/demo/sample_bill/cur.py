"""The legacy Cost and Usage Report: the planned columns, with Athena's names in Parquet and AWS's own names in CSV.

The Athena names (`line_item_usage_amount`) are lower case, so tags that differ only in case are one column. CSV has
`lineItem/UsageAmount`, and keeps both tags.
"""

from datetime import date

from cloud_costs.demo.sample_bill.bill import Bill
from cloud_costs.demo.sample_bill.columns import CATEGORIES, column_names, column_type
from cloud_costs.demo.sample_bill.resources import COLLIDING_TAG
from cloud_costs.demo.sample_bill.tables import Column, Table

TAGS = {
    "resource_tags_aws_autoscaling_group_name": "aws:autoscaling:groupName",
    "resource_tags_aws_created_by": "aws:createdBy",
    "resource_tags_user_cost_center": "user:CostCenter",
    "resource_tags_user_name": "user:Name",
}
_LABELS = TAGS | {
    "cost_category_product_line": "ProductLine",
    "pricing_currency": "currency",
    "pricing_public_on_demand_cost": "publicOnDemandCost",
    "pricing_public_on_demand_rate": "publicOnDemandRate",
    "pricing_term": "term",
    "pricing_unit": "unit",
    "product_product_name": "ProductName",
    "savings_plan_savings_plan_a_r_n": "SavingsPlanArn",
}


def cur_table(bill: Bill, month: date) -> Table:
    """Return the month's table: CSV has one column more than Parquet."""
    columns = []
    for name in column_names(month, bill.net):
        category, kind = CATEGORIES[name], column_type(name)
        if bill.file_type == "parquet":
            columns.append(Column(name, kind, name, category))
            continue
        columns.append(Column(csv_name(name), kind, name, _camel(category)))
        if name == "resource_tags_user_name":
            columns.append(Column(COLLIDING_TAG, "string", COLLIDING_TAG, "resourceTags"))
    return Table(columns, lambda line: (line.values,))


def csv_name(name: str) -> str:
    """Return AWS's own name of a column.

    >>> csv_name("line_item_usage_amount"), csv_name("product_vcpu"), csv_name("resource_tags_user_team")
    ('lineItem/UsageAmount', 'product/vcpu', 'resourceTags/user:team')
    """
    category = CATEGORIES[name]
    return f"{_camel(category)}/{_LABELS.get(name) or _label(category, name.removeprefix(f'{category}_'))}"


def _label(category: str, rest: str) -> str:
    if category == "resource_tags":
        return tag_key(f"resource_tags_{rest}")
    label = _camel(rest)
    return label if category == "product" else label[0].upper() + label[1:]


def tag_key(name: str) -> str:
    """Return the tag key behind an Athena name, with its `user:` or `aws:`."""
    return TAGS.get(name) or name.removeprefix("resource_tags_").replace("_", ":", 1)


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)
