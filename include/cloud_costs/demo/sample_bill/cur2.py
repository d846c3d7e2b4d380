"""CUR 2.0: a fixed set of snake-case columns.

Tags, cost categories, discounts and most product attributes are in maps, and accounts have names. The export selects
every base column, resource ids and split cost allocation. On the gross basis its query leaves the net columns out,
because a mapping would take them for the invoiced costs.
"""

from datetime import date
from typing import Any

from cloud_costs.demo.sample_bill.bill import Bill, account_name
from cloud_costs.demo.sample_bill.catalog import Values
from cloud_costs.demo.sample_bill.columns import CATEGORIES, column_names, column_type, is_net
from cloud_costs.demo.sample_bill.discounts import DISCOUNTS
from cloud_costs.demo.sample_bill.lines import ZERO
from cloud_costs.demo.sample_bill.services import AWS_INVOICES
from cloud_costs.demo.sample_bill.tables import Column, ColumnType, Row, Table

_IN_MAPS = ("product", "resource_tags", "cost_category")
_MAPS: dict[str, ColumnType] = {
    "cost_category": "map<string,string>",
    "discount": "map<string,double>",
    "product": "map<string,string>",
    "resource_tags": "map<string,string>",
}
_FLAT_NAMES = """comment fee_code fee_description from_location from_location_type from_region_code instance_family
    instance_type instancesku location location_type operation pricing_unit product_family region_code servicecode
    sku to_location to_location_type to_region_code usagetype"""
_FLAT_PRODUCTS = frozenset(f"product_{name}" for name in _FLAT_NAMES.split())
_DISCOUNTS = ("discount_bundled_discount", "discount_total_discount")
_NEW = (
    *_DISCOUNTS,
    *("bill_invoicing_entity", "bill_payer_account_name", "line_item_usage_account_name"),
    *("split_line_item_public_on_demand_split_cost", "split_line_item_public_on_demand_unused_cost"),
)


def cur2_table(bill: Bill, month: date) -> Table:
    """Return the month's table: the columns never change, but the keys in the maps do."""
    names = {name for name, category in CATEGORIES.items() if category not in _IN_MAPS}
    names |= _FLAT_PRODUCTS | {*_NEW, *_MAPS}
    columns = [Column(name, _type(name), name) for name in sorted(names) if bill.net or not is_net(name)]
    places = _places(month)
    return Table(columns, lambda line: (_row(bill, line.values, places),))


def _type(name: str) -> ColumnType:
    return _MAPS.get(name) or ("double" if name in _DISCOUNTS else column_type(name))


def _places(month: date) -> dict[str, tuple[str, str]]:
    """Return the map and the key in it of each planned column that is in a map."""
    names = [name for name in column_names(month) if CATEGORIES[name] in _IN_MAPS and name not in _FLAT_PRODUCTS]
    places = {name: (CATEGORIES[name], name.removeprefix(f"{CATEGORIES[name]}_")) for name in names}
    columns = [discount.column for discount in DISCOUNTS if discount.column not in _DISCOUNTS]
    return places | {column: ("discount", column.removeprefix("discount_")) for column in columns}


def _row(bill: Bill, values: Values, places: dict[str, tuple[str, str]]) -> Row:
    row: dict[str, Any] = {name: {} for name in _MAPS}
    for name, value in values.items():
        place = places.get(name)
        if place is None:
            row[name] = value
        elif value != "":
            row[place[0]][place[1]] = value
    flat = row.get("discount_bundled_discount", ZERO)
    if row["discount"] or flat:
        row["discount_total_discount"] = sum(row["discount"].values(), flat)
    start = row["line_item_usage_start_date"]
    row["bill_invoicing_entity"] = AWS_INVOICES
    row["bill_payer_account_name"] = account_name(bill, bill.payer, start)
    row["line_item_usage_account_name"] = account_name(bill, row["line_item_usage_account_id"], start)
    return row
