"""Runs of the DAG on a whole Airflow as `make up` starts it: REST API, scheduler, DAG processor, LocalExecutor.

The tests share one Airflow: the scheduled run loads what there is, and each test works on months of its own.
"""

import os
import re
import time
from typing import Any

import psutil
import pytest
from live_airflow import COSTS_PASSWORD, DAG, Live
from pipeline import JANUARY, truth_totals

from cloud_costs.demo import local_airflow
from cloud_costs.months import next_month

FEBRUARY = next_month(JANUARY)
MARCH = next_month(FEBRUARY)
CUP_FEBRUARY = {"sources": ["cup"], "from_month": "2025-02", "to_month": "2025-02"}

pytestmark = pytest.mark.slow


def test_schedule_loads_every_month(live: Live, scheduled: str) -> None:
    run = live.call(f"{DAG}/dagRuns/{scheduled}")
    assert (run["run_type"], run["state"]) == ("scheduled", "success")
    assert {tries for _, tries in live.tasks(scheduled).values()} == {1}, live.errors()
    # Two tasks run side by side, so the months are loaded in either order.
    assert sorted(live.history("cup", JANUARY, FEBRUARY)) == [
        ("2025-01", "20250203T120125Z", "published"),
        ("2025-02", "20250303T120125Z", "published"),
    ]
    assert set(live.months(scheduled)) == {"cup 2025-02", "cup 2025-01", "ca 2025-01"}
    found = live.query("select count(*) from load_history where dag_run_id = %s", scheduled)
    assert found == [(3,)]


def test_api_serves_the_dag_and_its_form_to_those_who_log_in(live: Live, scheduled: str) -> None:
    with pytest.raises(AssertionError, match="401"):
        live.call(DAG, token="")
    dag = live.call(DAG)
    assert dag["dag_display_name"] == "Cloud costs"
    assert not dag["is_paused"]
    assert not dag["has_import_errors"]
    details = live.call(f"{DAG}/details")
    assert set(details["params"]) == {"sources", "from_month", "to_month", "force", "dry_run", "raw_only"}
    assert details["params"]["sources"]["schema"]["items"]["enum"] == ["cup", "ca"]
    assert "**To load a month again**" in details["doc_md"]
    assert live.call("/api/v2/importErrors")["total_entries"] == 0


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"from_month": "2025-13"}, "from_month"),
        ({"sources": ["cupp"]}, "'cupp' is not one of"),
        ({"force": 1}, "force"),
    ],
)
def test_wrong_param_is_refused_by_the_api(live: Live, scheduled: str, params: dict[str, Any], message: str) -> None:
    before = live.call(f"{DAG}/dagRuns")["total_entries"]
    with pytest.raises(AssertionError, match=rf"^4.*{re.escape(message)}"):
        live.trigger(**params)
    assert live.call(f"{DAG}/dagRuns")["total_entries"] == before


def test_task_logs_are_read_from_disk(live: Live, scheduled: str) -> None:
    january = live.months(scheduled)["cup 2025-01"]
    assert "load_raw source=cup month=2025-01" in live.log(scheduled, "billing_month.load_raw", january)
    assert "decision" in live.log(scheduled, "list_manifests")


def test_cleared_month_loads_the_newest_delivery_and_touches_no_other(live: Live, scheduled: str) -> None:
    before = live.history("cup", JANUARY, FEBRUARY)
    february = live.totals("cup", FEBRUARY)
    truth = live.bucket.deliver("cup", JANUARY, version=2)
    live.bucket.deliver("cup", FEBRUARY, version=2)
    january = live.months(scheduled)["cup 2025-01"]
    assert live.totals("cup", JANUARY) != truth_totals(truth)

    assert live.clear(scheduled, "load_raw", january, downstream=True) == "success"
    assert live.totals("cup", JANUARY) == truth_totals(truth)
    assert live.totals("cup", FEBRUARY) == february
    after = live.history("cup", JANUARY, FEBRUARY)
    assert after[2:] == [("2025-01", truth.assembly_id, "published")]
    assert [row for row in after[:2] if row[0] == "2025-02"] == [row for row in before if row[0] == "2025-02"]
    for (task, index), (state, tries) in live.tasks(scheduled).items():
        assert state == "success"
        again = index == january or task in ("refresh_views", "report")
        assert tries == (2 if again else 1), (task, index)

    # Without a new delivery a cleared later step works from what is published, and changes nothing.
    for task in ("normalize", "publish"):
        assert live.clear(scheduled, task, january, downstream=False) == "success"
        assert live.totals("cup", JANUARY) == truth_totals(truth)
    assert live.totals("cup", FEBRUARY) == february
    assert live.history("cup", JANUARY, FEBRUARY) == after


def test_triggered_run_takes_its_params(live: Live, scheduled: str) -> None:
    live.bucket.deliver("cup", FEBRUARY, version=2)
    loads = live.query("select count(*) from load_history")
    run_id = live.trigger(**CUP_FEBRUARY, dry_run=True)
    assert live.wait(run_id) == "success"
    log = live.log(run_id, "list_manifests")
    assert "load (changed)" in log
    assert "2025-01 " not in log
    assert live.query("select count(*) from load_history") == loads


def test_two_runs_asked_for_at_once_follow_one_another(live: Live, scheduled: str) -> None:
    before = live.history("cup", FEBRUARY)
    first, second = (live.trigger(**CUP_FEBRUARY, force=True) for _ in range(2))
    seen = set()
    while (states := (live.state(first), live.state(second)))[1] not in ("success", "failed"):
        seen.add(states)
        time.sleep(0.2)
    assert states == ("success", "success")
    assert ("running", "queued") in seen
    assert ("running", "running") not in seen
    assert {tries for run in (first, second) for _, tries in live.tasks(run).values()} == {1}
    forced = live.history("cup", FEBRUARY)[len(before) :]
    assert [status for _, _, status in forced] == ["superseded", "published"]


def test_paused_dag_keeps_a_run_waiting_until_it_is_resumed(live: Live, scheduled: str) -> None:
    before = live.history("cup", FEBRUARY)
    live.call(DAG, {"is_paused": True}, method="PATCH")
    try:
        run_id = live.trigger(**CUP_FEBRUARY, force=True)
        asked = live.call(f"{DAG}/dagRuns/{run_id}")["queued_at"]
        # The scheduler has gone through all runs before each of its heartbeats.
        beats = {live.call("/api/v2/monitor/health")["scheduler"]["latest_scheduler_heartbeat"]}
        while len([beat for beat in beats if beat > asked]) < 3:
            time.sleep(0.2)
            beats.add(live.call("/api/v2/monitor/health")["scheduler"]["latest_scheduler_heartbeat"])
        assert live.state(run_id) == "queued"
        assert live.history("cup", FEBRUARY) == before
    finally:
        live.call(DAG, {"is_paused": False}, method="PATCH")
    assert live.wait(run_id) == "success"
    assert len(live.history("cup", FEBRUARY)) == len(before) + 1


def test_broken_month_fails_the_run_by_name_and_hinders_no_other(live: Live, scheduled: str) -> None:
    truth = live.bucket.deliver("ca", FEBRUARY)
    mended = live.bucket.deliver("ca", MARCH)
    live.bucket.damage("ca", MARCH, "-00002.snappy.parquet")
    run_id = live.trigger(sources=["ca"], from_month="2025-02", to_month="2025-03")

    assert live.wait(run_id) == "failed"
    index = live.months(run_id)
    tasks = live.tasks(run_id)
    # A damaged file is as damaged a minute later: no retry.
    assert tasks["load_raw", index["ca 2025-03"]] == ("failed", 1)
    assert tasks["publish", index["ca 2025-02"]] == ("success", 1)
    assert tasks["report", -1] == ("failed", 1)
    assert live.totals("ca", FEBRUARY) == truth_totals(truth)
    assert live.totals("ca", MARCH) == {}
    report = live.log(run_id, "report")
    assert "1 problem(s): ca 2025-03: load_raw failed:" in report
    assert "CA-Report-00002.snappy.parquet" in report
    assert "ca 2025-02: published" in report

    # The file is copied again, and the month cleared.
    assert live.bucket.deliver("ca", MARCH) == mended
    assert live.clear(run_id, "load_raw", index["ca 2025-03"], downstream=True) == "success"
    assert live.totals("ca", MARCH) == truth_totals(mended)
    assert live.totals("ca", FEBRUARY) == truth_totals(truth)
    assert [status for _, _, status in live.history("ca", FEBRUARY, MARCH)].count("published") == 2
    assert "nothing failed" in live.log(run_id, "report", attempt=2)


def test_no_log_shows_a_secret(live: Live, scheduled: str) -> None:
    logs = [path for path in (live.folder / "logs").rglob("*") if path.is_file()]
    assert len(logs) > 10
    for path in logs:
        text = path.read_text(errors="replace")
        for secret in (live.bucket.s3.secret, COSTS_PASSWORD, live.password):
            assert secret not in text, path


def test_airflow_listens_on_loopback_alone(live: Live) -> None:
    leader = local_airflow.find(live.folder / "airflow.json")
    assert leader
    processes = [process for process in psutil.process_iter() if _session_of(process.pid) == leader.pid]
    assert len(processes) >= 5
    listening = {
        connection.laddr.ip
        for process in processes
        for connection in process.net_connections()
        if connection.status == psutil.CONN_LISTEN
    }
    assert listening == {"127.0.0.1"}


def _session_of(pid: int) -> int:
    try:
        return os.getsid(pid)
    except OSError:
        return -1
