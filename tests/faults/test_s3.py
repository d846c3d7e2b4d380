"""S3 that is not well, through a proxy before it: what passes is tried again, and nothing of it is taken for data."""

from collections.abc import Iterator
from typing import Any

import proxies
import pytest
from botocore.config import Config
from fault_month import Month, assert_passes
from pipeline import JANUARY, load_month
from proxies import HttpProxy

from cloud_costs.config.sources import Source
from cloud_costs.demo.sample_bill import Bill
from cloud_costs.errors import CloudCostsError
from cloud_costs.storage.s3 import S3Storage

BILLS = {"parquet": Bill(lines=60, files=3), "csv": Bill(lines=60, files=3, file_type="csv")}
SECONDS = 1
FAULTS = {
    "500": proxies.refuse(500, "InternalError"),
    "503": proxies.refuse(503, "SlowDown"),
    "reset": proxies.reset_at_once,
    "timeout": proxies.hang(SECONDS + 1),
    "cut": proxies.cut_body,
    "reset in the body": proxies.reset_body,
    "short": proxies.shorten_body,
}
REQUESTS = [*[("csv", kind) for kind in ("list", "manifest", "data")], ("parquet", "data")]


@pytest.fixture(scope="module")
def proxy(s3: Any) -> Iterator[HttpProxy]:
    found = HttpProxy(s3.endpoint_url)
    yield found
    found.close()


@pytest.fixture(scope="module")
def months(new_module_month: Any, s3: Any, proxy: HttpProxy) -> dict[str, Month]:
    """A published month of each bill, in S3 behind the proxy."""

    def in_s3(bill: Bill) -> Month:
        month: Month = new_module_month(bill)
        bucket = s3.new_bucket()
        month.source = Source(name="cup", format="aws_cur", uri=f"s3://{bucket}/{bill.root}/")
        month.upload = lambda: s3.upload(month.bucket, bucket)
        config = Config(read_timeout=SECONDS, retries={"max_attempts": 2, "mode": "standard"})
        client = s3.session().client("s3", endpoint_url=proxy.url, config=config)
        month.storage = S3Storage(client, "aws_default")
        month.deliver()
        month.next_run()
        return month

    return {name: in_s3(bill) for name, bill in BILLS.items()}


@pytest.mark.tries(len(FAULTS))
@pytest.mark.parametrize(("bill", "kind"), REQUESTS)
def test_s3_that_is_not_well(months, proxy, bill, kind):
    """Every answer of one kind: an error after which Airflow tries again, and the old month stays."""
    month = months[bill]
    month.deliver()
    for fault in FAULTS.values():
        with proxy.faulty(fault, kind) as faults, pytest.raises(CloudCostsError, match=r"^cup") as raised:
            load_month(month.database, month.source, JANUARY, month.storage)
        assert faults.met
        assert_passes(raised.value)
        month.assert_whole(3 - month.delivered)
    month.next_run()


@pytest.mark.parametrize("bill", BILLS)
@pytest.mark.parametrize("fault", FAULTS)
def test_s3_that_is_not_well_for_a_moment(months, proxy, bill, fault):
    """One answer with data: the request is made again, or the next run makes it."""
    month = months[bill]
    month.deliver()
    with proxy.faulty(FAULTS[fault], "data", times=1) as faults:
        month.next_run()
    assert faults.met == 1


@pytest.mark.parametrize("bill", BILLS)
@pytest.mark.parametrize("at", [1, 2, 3, 4])
def test_delivery_is_replaced_while_it_is_read(months, proxy, bill, at):
    """Under the same names, in overwrite mode, before a request for data: no load is of both deliveries."""
    month = months[bill]
    month.deliver()
    old = 3 - month.delivered
    with proxy.before("data", at, month.deliver):
        try:
            load_month(month.database, month.source, JANUARY, month.storage)
        except CloudCostsError as error:
            assert_passes(error)
    assert month.delivered == old
    month.assert_whole(old)
    month.next_run()
