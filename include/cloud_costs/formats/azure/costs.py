"""`azure_cost`: actual costs, and amortized costs too where the source names the export of those.

The two are separate exports that run at different times, and every line of usage is in both. So a month of such a
source is a pair of runs, and is loaded when either of them is new. The lines of both go into one raw table. The column
of the costs has the same name in both exports. It becomes `actualcost` for one and `amortizedcost` for the other, so
that a line shows its export, and nobody adds the two up by mistake. A source with actual costs alone keeps the export's
name of the column.
"""

from collections.abc import Sequence

from cloud_costs.errors import DeliveryError, DeliveryNotReady
from cloud_costs.formats.azure import exports
from cloud_costs.formats.delivery import Delivery, Manifest
from cloud_costs.formats.manifests import standing_for
from cloud_costs.months import MonthRange, month_label
from cloud_costs.storage.files import Storage, StoredFile

# The cost in the billing currency. Its name depends on the agreement and the version; the first that a file has counts.
COSTS = ("costinbillingcurrency", "cost", "pretaxcost")
ACTUAL, AMORTIZED = "ActualCost", "AmortizedCost"
BILLED = (*COSTS, ACTUAL.lower(), AMORTIZED.lower())


def find_amortized(source: str, uri: str, amortized_uri: str, storage: Storage, months: MonthRange) -> list[Manifest]:
    """Return one manifest for each month, made up from the newest ones of the actual and of the amortized export.

    A month that only one of the two has is returned too. Reading it raises an error that says which one is missing.
    """
    actual, amortized = (
        {one.billing_month: one.file for one in exports.find_manifests(source, one_uri, storage, months)}
        for one_uri in (uri, amortized_uri)
    )
    found = []
    for month in sorted(actual.keys() | amortized.keys()):
        parts = tuple(export[month] for export in (actual, amortized) if month in export)
        found.append(Manifest(source, month, standing_for(parts[0].uri, parts), parts))
    return found


def read_version(manifest: Manifest, storage: Storage) -> str:
    """Return the id of the run; for two exports, the ids of the actual and of the amortized run."""
    if not manifest.parts:
        return exports.read_version(manifest, storage)
    _refuse_alone(manifest)
    return "+".join(exports.read_version(exports.of_part(manifest, part), storage) for part in manifest.parts)


def read_delivery(manifest: Manifest, storage: Storage) -> Delivery:
    """Read the manifest, or both, and find every file that they list.

    Raises `DeliveryNotReady` where one of two exports has no such month.
    """
    if not manifest.parts:
        return exports.read_delivery(manifest, storage)
    _refuse_alone(manifest)
    actual, amortized = (exports.read_delivery(exports.of_part(manifest, part), storage) for part in manifest.parts)
    files = (*actual.files, *amortized.files)
    if twice := {file.uri for file in actual.files} & {file.uri for file in amortized.files}:
        raise DeliveryError(f"{manifest.label}: the actual and the amortized export both list {min(twice)}")
    return Delivery(
        manifest,
        f"{actual.version}+{amortized.version}",
        files,
        {**actual.file_rows, **amortized.file_rows},
        None if actual.rows is None or amortized.rows is None else actual.rows + amortized.rows,
        renamed=_renamed(actual.files, ACTUAL) | _renamed(amortized.files, AMORTIZED),
    )


def _renamed(files: Sequence[StoredFile], name: str) -> dict[str, dict[str, str]]:
    """Return the new name of the cost for each file. Only its header says which of the old names a file has."""
    return {file.uri: dict.fromkeys(COSTS, name) for file in files}


def _refuse_alone(manifest: Manifest) -> None:
    if len(manifest.parts) < 2:
        raise DeliveryNotReady(
            f"{manifest.label}: only one of the two exports has this month, as {manifest.parts[0].uri}; run the other "
            f"one for {month_label(manifest.billing_month)} in the Azure portal, or set first_month to a month that "
            "both have"
        )
