"""The resources whose use is metered: their accounts, regions, products, tags and cost categories."""

from dataclasses import dataclass
from decimal import Decimal
from random import Random

from cloud_costs.demo.sample_bill.bill import Bill
from cloud_costs.demo.sample_bill.catalog import MARKETPLACE, TRANSFER, Meter, Values
from cloud_costs.demo.sample_bill.discounts import net_rate

REGIONS = {
    "us-east-1": ("", "US East (N. Virginia)"),
    "us-west-2": ("USW2-", "US West (Oregon)"),
    "eu-west-1": ("EU-", "EU (Ireland)"),
    "ap-southeast-2": ("APS2-", "Asia Pacific (Sydney)"),
}

ODD_TAG_VALUES = (
    "Zürich — Größe 42 ✓",
    'say "hello", it\'s fine',
    "C:\\data\\new\\table",
    "tab\there\tand there",
    "日本語のタグ 🚀",
    " leading and trailing ",
    "semi;colon,comma|pipe",
    '{"json": [1, 2, null]}',
    "NULL",
    "\\N",
    "%s %(x)s $1 --",
    'first line\nsecond line, "quoted"',
    "carriage\r\nreturn",
    "é" * 256,
)

# The CSV header of a tag that differs from `user:Name` only in case. In Parquet, both would be one column, and AWS
# keeps one of them.
COLLIDING_TAG = "resourceTags/user:name"

# The service of a line of data transfer, as a real month has it. Its product is the one that caused the transfer.
TRANSFER_NAME = "AWS Data Transfer"

_ENVIRONMENTS = ("production", "staging", "development", "sandbox", "")
_PRODUCT_LINES = {"checkout": "Shop", "search": "Shop", "mobile": "Shop", "data-platform": "Insights"}
_TEAMS = ("checkout", "search", "data-platform", "mobile", "security", "growth", "")


@dataclass(frozen=True, eq=False)
class Resource:
    """Something that runs up a meter, with every column that stays the same on all of its lines."""

    meter: Meter
    service: str
    account: str
    values: Values


def resource_of(bill: Bill, meter: Meter, rng: Random, account: str = "") -> Resource:
    """Return a made-up resource of the account, or of one of the bill's accounts."""
    account = account or bill.accounts[int(rng.random() ** 2 * len(bill.accounts))]
    region = list(REGIONS)[int(rng.random() ** 2 * len(REGIONS))]
    number = rng.getrandbits(128)
    name = meter.resource
    if name:
        width = int(name.split(":0")[-1].rstrip("xX}")) if ":0" in name else 0
        name = name.format(number % 16**width, region=region, account=account)
    values = _priced(bill, meter, region, number) | _tags(meter, rng) | meter.columns
    values |= {"line_item_usage_account_id": account, "line_item_resource_id": name}
    return Resource(meter, meter.service, account, values)


def _priced(bill: Bill, meter: Meter, region: str, number: int) -> Values:
    code, location = REGIONS[region]
    usage_type = code + meter.usage_type
    values: Values = product_columns(meter.product_code, meter.product_name, meter.servicecode or "")
    values |= {
        "bill_billing_entity": meter.billing_entity,
        "line_item_line_item_type": "Usage",
        "line_item_usage_type": usage_type,
        "line_item_operation": meter.operation,
        "line_item_availability_zone": f"{region}{'abc'[number % 3]}" if meter.factor else "",
        "line_item_unblended_rate": f"{meter.rate:.10f}",
        "line_item_net_unblended_rate": f"{_net_rate(meter):.10f}",
        "line_item_blended_rate": f"{meter.rate:.10f}",
        "line_item_line_item_description": f"${meter.rate.normalize():f} per {meter.unit} {meter.usage_type}",
        "product_product_family": meter.family,
        "product_usagetype": usage_type,
        "product_operation": meter.operation,
        "product_region": region,
        "product_region_code": region,
        "product_location": location,
        "product_location_type": "AWS Region",
        "product_sku": f"{number % 36**12:016X}",
        "pricing_currency": bill.currency,
        "pricing_public_on_demand_rate": f"{meter.rate:.10f}" if meter.is_listed else "",
        "pricing_rate_id": str(number % 10**9),
        "pricing_rate_code": f"{number % 36**12:016X}.JRTCKXETXF.6YS6EN2CT7",
        "pricing_term": "" if "Spot" in meter.usage_type else "OnDemand",
        "pricing_unit": meter.unit,
    }
    if meter.factor:
        values["line_item_normalization_factor"] = Decimal(meter.factor)
    if meter.servicecode == TRANSFER:
        values |= {"product_from_location": location, "product_to_location": "External"}
    return values


def _net_rate(meter: Meter) -> Decimal:
    return meter.rate if meter.billing_entity == MARKETPLACE else net_rate(meter.product_code, meter.rate)


def product_columns(code: str, name: str, servicecode: str) -> Values:
    """Return the columns that name the product and its seller."""
    return {
        "line_item_product_code": code,
        "line_item_legal_entity": "Amazon Web Services, Inc.",
        "product_product_name": name,
        "product_servicecode": servicecode,
        "product_servicename": TRANSFER_NAME if servicecode == TRANSFER else name if servicecode else "",
    }


def _tags(meter: Meter, rng: Random) -> Values:
    """Return tag values; untaggable meters have none, and some values are odd."""
    if not meter.resource:
        return {}
    team = _TEAMS[int(rng.random() * len(_TEAMS))]
    name = f"{team or 'unnamed'}-{rng.getrandbits(16):04x}"
    tags: Values = {
        "cost_category_product_line": _PRODUCT_LINES.get(team, "Platform"),
        COLLIDING_TAG: name.upper(),
        "resource_tags_aws_created_by": f"AssumedRole:AROA{rng.getrandbits(64):016X}:deploy",
        "resource_tags_user_cost_center": f"{int(rng.random() * 40):04d}" if team else "",
        "resource_tags_user_department": "engineering" if team else "",
        "resource_tags_user_environment": _ENVIRONMENTS[int(rng.random() * len(_ENVIRONMENTS))],
        "resource_tags_user_name": name,
        "resource_tags_user_owner": f"{team}@example.com" if team else "",
        "resource_tags_user_project": f"project-{int(rng.random() * 12)}",
        "resource_tags_user_team": team,
        "resource_tags_user_workload": "",
    }
    for key, odd in (("resource_tags_user_name", 0.025), ("resource_tags_user_workload", 0.15)):
        if rng.random() < odd:
            tags[key] = ODD_TAG_VALUES[int(rng.random() * len(ODD_TAG_VALUES))]
    return tags


def resources(bill: Bill, topic: str, meters: tuple[Meter, ...], count: int) -> list[Resource]:
    """Return `count` resources of each meter, meter by meter; they live on from month to month."""
    rng = Random(f"{bill.seed}/{topic}")  # noqa: S311 - reproducible, not secret
    return [resource_of(bill, meter, rng) for meter in meters for _ in range(count)]
