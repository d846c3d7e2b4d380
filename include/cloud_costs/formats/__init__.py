"""The formats: one module each, and the SQL mapping in `include/sql/focus` that says what their columns mean."""

from dataclasses import replace
from typing import TYPE_CHECKING

from cloud_costs.delivery import Format
from cloud_costs.formats import aws_cur, aws_exports, manifests
from cloud_costs.formats.aws_columns import athena_name, cur_type, focus_type

if TYPE_CHECKING:
    from cloud_costs.config import Source

FORMATS: dict[str, Format] = {
    "aws_cur": Format(
        aws_cur.find_manifests,
        aws_cur.read_version,
        aws_cur.read_delivery,
        aws_cur.find_months,
        mapping="aws_cur",
        billed="line_item_unblended_cost",
        raw_name=athena_name,
        csv_type=cur_type,
    ),
    "aws_cur2": Format(
        aws_exports.find_manifests,
        aws_exports.read_version,
        aws_exports.read_delivery,
        aws_exports.find_months,
        mapping="aws_cur",
        billed="line_item_unblended_cost",
        raw_name=athena_name,
        csv_type=cur_type,
    ),
    "aws_focus": Format(
        aws_exports.find_manifests,
        aws_exports.read_version,
        aws_exports.read_delivery,
        aws_exports.find_months,
        mapping="aws_focus",
        billed="billedcost",
        raw_name=str.lower,
        csv_type=focus_type,
    ),
}


def format_of(source: "Source") -> Format:
    """Return how the source's deliveries are found: by their manifests, or by listing where there are none."""
    form = FORMATS[source.format]
    if source.manifest == "none":
        return replace(
            form,
            find_manifests=form.find_months,
            read_version=manifests.version_of_listing,
            read_delivery=manifests.delivery_of_listing,
        )
    return form
