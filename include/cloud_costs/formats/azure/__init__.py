"""Azure: the exports of Microsoft Cost Management, with FOCUS costs or with actual and amortized costs."""

from cloud_costs.formats.azure import costs, exports
from cloud_costs.formats.azure.columns import TAGS, cost_type, focus_type
from cloud_costs.formats.azure.exports import FILE_TYPES
from cloud_costs.formats.delivery import Format, Provider

AZURE = Provider(
    name="Azure",
    console="Cost Management in the Azure portal, under Exports",
    missing_tag="tag the resources, or turn tag inheritance on in Cost Management",
)

FORMATS = {
    "azure_cost": Format(
        AZURE,
        exports.find_manifests,
        costs.read_version,
        costs.read_delivery,
        None,
        mapping="azure_cost",
        billed=costs.BILLED,
        raw_name=str.lower,
        csv_type=cost_type,
        file_types=FILE_TYPES,
        tags=TAGS,
        find_amortized=costs.find_amortized,
    ),
    "azure_focus": Format(
        AZURE,
        exports.find_manifests,
        exports.read_version,
        exports.read_delivery,
        None,
        mapping="azure_focus",
        billed="billedcost",
        raw_name=str.lower,
        csv_type=focus_type,
        file_types=FILE_TYPES,
        tags=TAGS,
    ),
}
