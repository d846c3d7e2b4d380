"""Google Cloud: the standard and detailed billing export of BigQuery, as a scheduled query writes it to a bucket."""

from cloud_costs.formats.delivery import Format, Provider
from cloud_costs.formats.gcp import deliveries
from cloud_costs.formats.gcp.columns import TAGS, column_type, raw_name

GOOGLE = Provider(
    name="Google Cloud",
    console="the Google Cloud console",
    missing_tag="let the query that writes the export keep its labels",
)

FORMATS = {
    "gcp_billing": Format(
        GOOGLE,
        deliveries.find_manifests,
        deliveries.read_version,
        deliveries.read_delivery,
        deliveries.find_months,
        mapping="gcp_billing",
        billed="cost",
        raw_name=raw_name,
        csv_type=column_type,
        file_types=deliveries.FILE_TYPES,
        tags=TAGS,
    )
}
