"""Azure and Google that are not well, through a proxy before each: as of S3, nothing of it is taken for data."""

from collections.abc import Iterator
from typing import Any

import proxies
import pytest
from clouds import Cloud, GoogleServer, upload
from fault_month import Month, assert_passes
from pipeline import JANUARY, load_month
from proxies import GoogleProxy, HttpProxy

from cloud_costs.config.sources import Source
from cloud_costs.demo.sample_bill import Bill
from cloud_costs.errors import CloudCostsError

BILL = Bill(lines=60, files=3, file_type="csv")
SECONDS = 1
FAULTS = {
    "500": proxies.refuse(500, "InternalError"),
    "503": proxies.refuse(503, "ServerBusy"),
    "reset": proxies.reset_at_once,
    "timeout": proxies.hang(SECONDS + 1),
    "cut": proxies.cut_body,
    "reset in the body": proxies.reset_body,
    "short": proxies.shorten_body,
}

REQUESTS = {"list": ("503", "reset"), "manifest": ("503", "reset"), "data": tuple(FAULTS)}


@pytest.fixture(scope="module", params=["azure", "google"])
def broken(request: pytest.FixtureRequest, new_module_month: Any) -> Iterator[tuple[Month, HttpProxy]]:
    """A published month in each cloud, behind a proxy."""
    server: Cloud = request.getfixturevalue({"azure": "azurite", "google": "google_server"}[request.param])
    google = isinstance(server, GoogleServer)
    proxy = GoogleProxy(server.emulator_url) if google else HttpProxy(server.endpoint_url)
    month: Month = new_module_month(BILL)
    root = server.new_root()
    month.source = Source(name="cup", format="aws_cur", uri=f"{root}{BILL.root}/", tags=("user:team",))
    month.upload = lambda: upload(server, month.bucket, root) and None
    # Not again by the libraries, whose pauses take seconds: `test_storage_clouds.py` counts their tries.
    month.storage = server.storage(proxy.url, seconds=SECONDS, attempts=1)
    month.deliver()
    month.next_run()
    yield month, proxy
    proxy.close()


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=pytest.mark.tries(len(faults))) for kind, faults in REQUESTS.items()]
)
def test_cloud_that_is_not_well(broken, kind):
    """Every answer of one kind: an error after which Airflow tries again, and the old month stays."""
    month, proxy = broken
    month.deliver()
    for fault in REQUESTS[kind]:
        with proxy.faulty(FAULTS[fault], kind) as faults, pytest.raises(CloudCostsError, match=r"^cup") as raised:
            load_month(month.database, month.source, JANUARY, month.storage)
        assert faults.met
        assert_passes(raised.value)
        month.assert_whole(3 - month.delivered)
    month.next_run()


@pytest.mark.parametrize("fault", FAULTS)
def test_cloud_that_is_not_well_for_a_moment(broken, fault):
    """One answer with data: the request is made again, or the next run makes it."""
    month, proxy = broken
    month.deliver()
    with proxy.faulty(FAULTS[fault], "data", times=1) as faults:
        month.next_run()
    assert faults.met == 1


@pytest.mark.parametrize("at", [1, 2, 3, 4])
def test_delivery_in_a_cloud_is_replaced_while_it_is_read(broken, at):
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
