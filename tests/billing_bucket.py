"""A bucket on the S3 protocol with billing exports in it, for the tests that run the DAG."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from deliveries import write_month
from pipeline import JANUARY

from cloud_costs.demo.sample_bill import Bill, Truth

CUP = Bill(lines=120, files=2)
# No prefix, so its keys begin with "/"; create-new, so deliveries lie beside one another.
CA = Bill(
    report="CA-Report",
    prefix="",
    payer="004711223344",
    accounts=("004711223344",),
    lines=80,
    seed=2,
    layout="create-new",
)


@dataclass
class Bucket:
    """A bucket with two billing exports, and how to deliver to it."""

    s3: Any
    name: str
    folder: Path
    bills: Mapping[str, Bill] = field(default_factory=lambda: {"cup": CUP, "ca": CA})

    def deliver(self, source: str, month: date = JANUARY, version: int = 1) -> Truth:
        """Put one delivery into the bucket and return its truth."""
        bill = self.bills[source]
        scratch = Path(tempfile.mkdtemp(dir=self.folder))
        truth = write_month(bill, month, scratch, version=version)
        # With an empty prefix AWS's keys begin with a slash.
        self.s3.upload(scratch, self.name, "" if bill.prefix else "/")
        return truth

    def keys(self, source: str, month: date, ending: str) -> list[str]:
        """Return the keys of a source's month that end like this."""
        bill = self.bills[source]
        parts = (f"year={month.year}/month={month.month}/", f"{month:%Y%m%d}-")
        pages = self.s3.client().get_paginator("list_objects_v2").paginate(Bucket=self.name)
        keys = [found["Key"] for page in pages for found in page.get("Contents", ()) if bill.report in found["Key"]]
        return [key for key in keys if any(part in key for part in parts) and key.endswith(ending)]

    def remove(self, source: str, month: date, ending: str) -> None:
        """Delete the objects of a source's month whose keys end like this."""
        for key in self.keys(source, month, ending):
            self.s3.client().delete_object(Bucket=self.name, Key=key)

    def damage(self, source: str, month: date, ending: str) -> None:
        """Overwrite the second half of the objects whose keys end like this with zeros."""
        client = self.s3.client()
        for key in self.keys(source, month, ending):
            body = client.get_object(Bucket=self.name, Key=key)["Body"].read()
            client.put_object(Bucket=self.name, Key=key, Body=body[: len(body) // 2].ljust(len(body), b"\0"))

    def uri(self, source: str) -> str:
        """Return the address of a source's report, as `sources.yaml` names it."""
        bill = self.bills[source]
        return f"s3://{self.name}/{bill.prefix + '/' if bill.prefix else '/'}{bill.report}/"
