"""The billing exports of the demo: two of AWS, one of Azure and one of Google Cloud, three months each."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path

import yaml

from cloud_costs.demo.sample_bill import Bill, Truth, azure, gcp, write_export

MONTHS = (date(2025, 1, 1), date(2025, 2, 1), date(2025, 3, 1))


@dataclass(frozen=True)
class Export:
    """One export of the demo: its settings in sources.yaml, and the function that writes it.

    `folders` has the folders in the bucket by the settings that name them. `write(months, bucket)` writes the months
    below the folder `bucket`, and returns the truth of the newest deliveries.
    """

    format: str
    folders: Mapping[str, str]
    tags: Sequence[str]
    write: Callable[[Sequence[date], Path], list[Truth]]


def _of_aws(bill: Bill, tags: Sequence[str]) -> Export:
    folder = str(Path(bill.prefix) / bill.report)
    return Export(bill.format, {"uri": folder}, tags, partial(write_export, bill))


def _of_azure(bill: azure.AzureBill, tags: Sequence[str]) -> Export:
    folders = {"uri": bill.root, "amortized_uri": bill.amortized_root}
    return Export(bill.format, folders, tags, partial(azure.write_export, bill))


def _of_google(bill: gcp.GoogleBill, tags: Sequence[str]) -> Export:
    return Export("gcp_billing", {"uri": bill.prefix}, tags, partial(gcp.write_google_export, bill))


EXPORTS = {
    "cup": _of_aws(Bill(report="CUP-Cost-Usage-Report", prefix="cup", lines=6000), ("user:team", "user:environment")),
    # No prefix, so its keys begin with "/"; create-new, so an old delivery lies beside the newest one.
    "ca": _of_aws(
        Bill(
            report="CA-Cost-Usage-Report",
            prefix="",
            payer="004711223344",
            accounts=("004711223344", "559900112233", "663300998877"),
            lines=4000,
            seed=2,
            layout="create-new",
        ),
        ("user:team",),
    ),
    # Actual and amortized costs, two exports of one bill in two currencies.
    "azure": _of_azure(azure.AzureBill(lines=1000), ("team",)),
    "google": _of_google(gcp.GoogleBill(lines=1000), ("team", "env")),
}


def sources_yaml(bucket: Path) -> str:
    """Return the configuration that loads the exports from the folder `bucket`."""
    sources = [
        {
            "name": name,
            "format": export.format,
            **{key: f"file://{bucket / folder}/" for key, folder in export.folders.items()},
            "tags": list(export.tags),
            # The sample bill is of 2025, and is delivered once.
            "stale_after_hours": 0,
        }
        for name, export in EXPORTS.items()
    ]
    comment = "# Written by `make demo`. Each uri names an export of the sample bill in .demo/bucket.\n"
    return comment + yaml.safe_dump({"sources": sources}, sort_keys=False, allow_unicode=True)
