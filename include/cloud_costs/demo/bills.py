"""The billing exports of the demo: two of AWS, one of Azure and one of Google Cloud, three months each.

Two events are planted in March. So anomalies can be compared with what is known of them: account, service and days.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import partial
from pathlib import Path

import yaml

from cloud_costs.demo.sample_bill import Bill, Event, Truth, azure, gcp, write_export

MONTHS = (date(2025, 1, 1), date(2025, 2, 1), date(2025, 3, 1))
# A server with GPUs that nobody stopped, and downloads from a bucket for three days.
SERVER = Event(
    "771928304455", "AmazonEC2", "BoxUsage:g5.12xlarge", date(2025, 3, 24), date(2025, 3, 31), Decimal(1)
)  # fmt: skip
DOWNLOADS = Event(
    "663300998877", "AmazonS3", "DataTransfer-Out-Bytes", date(2025, 3, 18), date(2025, 3, 20), Decimal(60)
)
# A budget that is expected to be exceeded at the end of the year, and one that is expected to be kept.
BUDGETS = (
    {"name": "All clouds", "amount": 320_000, "currency": "USD", "period": "year"},
    {"name": "Google Cloud", "amount": 55_000, "currency": "USD", "period": "year", "filters": {"source": "google"}},
)
# The sample bill has few lines a day, so its days differ by tens of dollars.
LIMITS = ({"currency": "USD", "minimum": 50, "percent": 50},)


@dataclass(frozen=True)
class Export:
    """One export of the demo: its settings in sources.yaml, and the function that writes it.

    `folders` has the folders in the bucket by the settings that name them. `write(months, bucket)` writes the months
    below the folder `bucket`, and returns the truth of the newest deliveries. `events` are those planted in it.
    """

    format: str
    folders: Mapping[str, str]
    tags: Sequence[str]
    write: Callable[[Sequence[date], Path], list[Truth]]
    events: Sequence[Event] = ()


def _of_aws(bill: Bill, tags: Sequence[str]) -> Export:
    folder = str(Path(bill.prefix) / bill.report)
    return Export(bill.format, {"uri": folder}, tags, partial(write_export, bill), bill.events)


def _of_azure(bill: azure.AzureBill, tags: Sequence[str]) -> Export:
    folders = {"uri": bill.root, "amortized_uri": bill.amortized_root}
    return Export(bill.format, folders, tags, partial(azure.write_export, bill))


def _of_google(bill: gcp.GoogleBill, tags: Sequence[str]) -> Export:
    return Export("gcp_billing", {"uri": bill.prefix}, tags, partial(gcp.write_google_export, bill))


EXPORTS = {
    "cup": _of_aws(
        Bill(report="CUP-Cost-Usage-Report", prefix="cup", lines=6000, events=(SERVER,)),
        ("user:team", "user:environment"),
    ),
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
            events=(DOWNLOADS,),
        ),
        ("user:team",),
    ),
    # Actual and amortized costs, two exports of one bill in two currencies.
    "azure": _of_azure(azure.AzureBill(lines=1000), ("team",)),
    "google": _of_google(gcp.GoogleBill(lines=1000), ("team", "env")),
}


def write_configuration(folder: Path, bucket: Path) -> None:
    """Write the files that configure the demo: its sources in the folder `bucket`, its budgets and its limits."""
    (folder / "sources.yaml").write_text(sources_yaml(bucket), encoding="utf-8")
    for name, content in (("budgets", BUDGETS), ("anomalies", LIMITS)):
        key = "limits" if name == "anomalies" else name
        text = yaml.safe_dump({key: list(content)}, sort_keys=False)
        (folder / f"{name}.yaml").write_text(f"# Written by `make demo`.\n{text}", encoding="utf-8")


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
