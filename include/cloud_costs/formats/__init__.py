"""The formats: one module each, and the SQL mapping of the same name in `include/sql/focus`."""

from cloud_costs.delivery import Format
from cloud_costs.formats import aws_cur

FORMATS: dict[str, Format] = {
    "aws_cur": Format(aws_cur.find_manifests, aws_cur.read_version, aws_cur.read_delivery),
}
