"""S3, Azure and Google that are not well, through a proxy before each: nothing of it is taken for data."""

from collections.abc import Iterator
from typing import Any

import proxies
import pytest
from botocore.config import Config
from clouds import upload
from fault_month import Month, assert_passes
from pipeline import JANUARY, load_month
from proxies import GoogleProxy, HttpProxy

from cloud_costs.config.sources import Source
from cloud_costs.demo.sample_bill import Bill
from cloud_costs.errors import CloudCostsError
from cloud_costs.storage.s3 import S3Storage

PARQUET = Bill(lines=60, files=3)
CSV = Bill(lines=60, files=3, file_type="csv")
SERVERS = {"s3": "s3", "s3 Parquet": "s3", "azure": "azurite", "google": "google_server"}
CLOUDS = ("azure", "google")
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
# What each server is asked, and the faults that the answers meet.
REQUESTS = {
    "s3": {"list": tuple(FAULTS), "manifest": tuple(FAULTS), "data": tuple(FAULTS)},
    "s3 Parquet": {"data": tuple(FAULTS)},
    **{name: {"list": ("503", "reset"), "manifest": ("503", "reset"), "data": tuple(FAULTS)} for name in CLOUDS},
}
Broken = tuple[Month, HttpProxy]


@pytest.fixture(scope="module")
def broken(request: pytest.FixtureRequest, new_module_month: Any) -> Iterator[Broken]:
    """A published month in one of the clouds, behind a proxy."""
    server = request.getfixturevalue(SERVERS[request.param])
    proxy = GoogleProxy(server.emulator_url) if request.param == "google" else HttpProxy(server.endpoint_url)
    month: Month = new_module_month(PARQUET if request.param == "s3 Parquet" else CSV)
    if SERVERS[request.param] == "s3":
        bucket = server.new_bucket()
        root = f"s3://{bucket}/"
        month.upload = lambda: server.upload(month.bucket, bucket)
        config = Config(read_timeout=SECONDS, retries={"max_attempts": 2, "mode": "standard"})
        client = server.session().client("s3", endpoint_url=proxy.url, config=config)
        month.storage = S3Storage(client, "aws_default")
    else:
        root = server.new_root()
        month.upload = lambda: upload(server, month.bucket, root) and None
        # Not again by the libraries, whose pauses take seconds: `test_storage_clouds.py` counts their tries.
        month.storage = server.storage(proxy.url, seconds=SECONDS, attempts=1)
    month.source = Source(name="cup", format="aws_cur", uri=f"{root}{CSV.root}/", tags=("user:team",))
    month.deliver()
    month.next_run()
    yield month, proxy
    proxy.close()


@pytest.mark.parametrize(
    "broken",
    [pytest.param(name, marks=pytest.mark.tries(sum(map(len, kinds.values())))) for name, kinds in REQUESTS.items()],
    indirect=True,
)
def test_storage_that_is_not_well(broken: Broken, request: pytest.FixtureRequest) -> None:
    """Every answer of one kind: an error after which Airflow tries again, and the old month stays."""
    month, proxy = broken
    month.deliver()
    for kind, names in REQUESTS[request.node.callspec.params["broken"]].items():
        for name in names:
            with proxy.faulty(FAULTS[name], kind) as faults, pytest.raises(CloudCostsError, match=r"^cup") as raised:
                load_month(month.database, month.source, JANUARY, month.storage)
            assert faults.met
            assert_passes(raised.value)
            month.assert_whole(3 - month.delivered)
    month.next_run()


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("broken", SERVERS, indirect=True)
def test_storage_that_is_not_well_for_a_moment(broken: Broken, fault: str) -> None:
    """One answer with data: the request is made again, or the next run makes it."""
    month, proxy = broken
    month.deliver()
    with proxy.faulty(FAULTS[fault], "data", times=1) as faults:
        month.next_run()
    assert faults.met == 1


@pytest.mark.parametrize("at", [1, 2, 3, 4])
@pytest.mark.parametrize("broken", SERVERS, indirect=True)
def test_delivery_is_replaced_while_it_is_read(broken: Broken, at: int) -> None:
    """Under the same names, in overwrite mode, before a request for data: no load is of both deliveries."""
    month, proxy = broken
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
