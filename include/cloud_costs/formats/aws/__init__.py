"""AWS: the legacy Cost and Usage Report, and the exports of AWS Data Exports (CUR 2.0 and FOCUS)."""

from cloud_costs.formats.aws import cur, exports
from cloud_costs.formats.aws.columns import TAGS, athena_name, cur_type, focus_type
from cloud_costs.formats.aws.manifests import FILE_TYPES
from cloud_costs.formats.delivery import Format, Provider

AWS = Provider(
    name="AWS",
    console="the AWS console",
    missing_tag="activate it as a cost allocation tag in AWS Billing",
)

FORMATS = {
    "aws_cur": Format(
        AWS,
        cur.find_manifests,
        cur.read_version,
        cur.read_delivery,
        cur.find_months,
        mapping="aws_cur",
        billed="line_item_unblended_cost",
        raw_name=athena_name,
        csv_type=cur_type,
        file_types=FILE_TYPES,
        tags=TAGS,
    ),
    "aws_cur2": Format(
        AWS,
        exports.find_manifests,
        exports.read_version,
        exports.read_delivery,
        exports.find_months,
        mapping="aws_cur",
        billed="line_item_unblended_cost",
        raw_name=athena_name,
        csv_type=cur_type,
        file_types=FILE_TYPES,
        tags=TAGS,
    ),
    "aws_focus": Format(
        AWS,
        exports.find_manifests,
        exports.read_version,
        exports.read_delivery,
        exports.find_months,
        mapping="aws_focus",
        billed="billedcost",
        raw_name=str.lower,
        csv_type=focus_type,
        file_types=FILE_TYPES,
        tags=TAGS,
    ),
}
