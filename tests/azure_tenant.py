"""Helpers of the tests of Azure: sources over the sample bill, and crafted exports."""

import csv
import json
from calendar import monthrange
from datetime import date
from pathlib import Path
from typing import Any

from cloud_costs.config.sources import Source
from cloud_costs.demo.sample_bill.azure import AzureBill


def azure_source(bill: AzureBill, bucket: Path | str, **options: Any) -> Source:
    """Return the source of a bill below a folder that stands for the container, or below the uri of a container."""
    root = f"file://{bucket}" if isinstance(bucket, Path) else bucket.rstrip("/")
    if bill.has_two_exports:
        options.setdefault("amortized_uri", f"{root}/{bill.amortized_root}/")
    options.setdefault("name", "azure")
    options.setdefault("tags", ("team", "Env"))
    return Source(format=bill.format, uri=f"{root}/{bill.root}/", **options)


USAGE: dict[str, str] = {
    "BillingAccountId": "01234567",
    "BillingCurrencyCode": "USD",
    "BillingPeriodStartDate": "01/01/2025",
    "BillingPeriodEndDate": "01/31/2025",
    "ChargeType": "Usage",
    "ConsumedService": "Microsoft.Compute",
    "Cost": "1.5",
    "Date": "01/02/2025",
    "Frequency": "UsageBased",
    "MeterCategory": "Virtual Machines",
    "PricingModel": "OnDemand",
    "Quantity": "3",
    "ResourceId": "/subscriptions/0001/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines/vm1",
    "SubscriptionId": "0001",
    "Tags": "",
}


def usage(**values: str | None) -> dict[str, str]:
    """Return a line of usage for 1.5 USD, changed by `values`; a column with the value None is left out."""
    return {name: value for name, value in {**USAGE, **values}.items() if value is not None}


def write_csv(
    bucket: Path, *lines: dict[str, str], export: str = "crafted", run: str = "run-1", month: date = date(2025, 1, 1)
) -> Path:
    """Write a run of one CSV file below `bucket`, with a manifest that is right, and return the file."""
    folder = (
        bucket / export / f"{month:%Y%m%d}-{month.replace(day=monthrange(month.year, month.month)[1]):%Y%m%d}" / run
    )
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "part_0_0001.csv"
    columns = list(dict.fromkeys(name for line in lines for name in line))
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="", lineterminator="\r\n")
        writer.writeheader()
        writer.writerows(lines)
    key, size = path.relative_to(bucket).as_posix(), path.stat().st_size
    blobs = [{"blobName": key, "byteCount": size, "dataRowCount": len(lines)}]
    manifest = {
        "blobCount": 1,
        "byteCount": size,
        "dataRowCount": len(lines),
        "blobs": blobs,
        "runInfo": {"runId": run},
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return path


def crafted_azure(bucket: Path, *, amortized: bool = False, **settings: Any) -> Source:
    """Return the source that reads what `write_csv` writes."""
    if amortized:
        settings["amortized_uri"] = f"file://{bucket}/amortized/"
    return Source(**{"name": "azure", "format": "azure_cost", "uri": f"file://{bucket}/crafted/"} | settings)
