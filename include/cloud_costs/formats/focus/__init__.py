"""FOCUS files of any provider: those of Google, of Oracle, of SaaS vendors, and those that people write themselves."""

from cloud_costs.formats.delivery import Format, Provider
from cloud_costs.formats.focus.columns import FILE_TYPES, TAGS, csv_type
from cloud_costs.formats.focus.deliveries import find_manifests, read_delivery, read_version
from cloud_costs.formats.focus.versions import VERSIONS, version_of

ANYONE = Provider(
    name="FOCUS",
    console="the provider's billing console",
    missing_tag="let the provider write it to the Tags column",
)

FORMATS = {
    "focus": Format(
        ANYONE,
        find_manifests,
        read_version,
        read_delivery,
        None,
        mapping="focus",
        billed="billedcost",
        raw_name=str.lower,
        csv_type=csv_type,
        file_types=FILE_TYPES,
        tags=TAGS,
        versions=VERSIONS,
        version_of=version_of,
    ),
}
