"""Runs of the DAG on a real Airflow, a real PostgreSQL and the S3 protocol: what becomes of the months."""

import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pipeline import JANUARY, cost_totals, truth_totals

from cloud_costs.months import month_label, next_month

FEBRUARY = next_month(JANUARY)
MARCH = next_month(FEBRUARY)
HISTORY = "select source, to_char(billing_period, 'YYYY-MM'), status from load_history order by load_id"
SMALL_JSON = 2000  # characters


def steps(run: Any, index: int | None = None) -> list[str]:
    """Return the states of a month's steps; of the unmapped steps without an index."""
    suffix = "" if index is None else f"_{index}"
    return [run.tasks[f"{step}{suffix}"] for step in ("load_raw", "normalize", "audit", "publish")]


def loads(query: Any) -> list[tuple[str, str, str]]:
    return query(HISTORY)


def plan(run: Any) -> list[str]:
    """Return the lines of the plan as list_manifests logged them, without what is different every time."""
    lines = re.findall(r"^\[cloud_costs\.airflow\.tasks\.plan\] (.+)", run.log, re.MULTILINE)
    return [re.sub(r"\s+", " ", line) for line in lines]


def exported_cup(bucket_on_s3: Any, lake: str) -> dict[str, Any]:
    """Return the source `cup`, which is exported to a bucket."""
    return {"name": "cup", "format": "aws_cur", "uri": bucket_on_s3.uri("cup"), "export": {"to": f"s3://{lake}/"}}


def test_every_month_of_two_exports_is_published_and_a_second_run_loads_nothing(
    run_dag, configure, bucket_on_s3, s3, query
):
    lake = s3.new_bucket()
    configure(["ca"], more=[exported_cup(bucket_on_s3, lake)])
    truths = {
        (source, month): bucket_on_s3.deliver(source, month)
        for source in ("cup", "ca")
        for month in (JANUARY, FEBRUARY)
    }
    run = run_dag()

    assert run.state == "success"
    assert set(run.tasks.values()) == {"success"}
    for (source, month), truth in truths.items():
        assert cost_totals(query, source, month) == truth_totals(truth)
    assert query("select sum(cost), sum(effective_cost) from costs") == [
        (sum(truth.billed_cost for truth in truths.values()), sum(truth.effective_cost for truth in truths.values()))
    ]
    # Newest month first; the labels are what the grid shows.
    labels = ["ca 2025-02", "cup 2025-02", "ca 2025-01", "cup 2025-01"]
    for step in ("load_raw", "normalize", "audit", "publish"):
        assert [run.labels[f"{step}_{index}"] for index in range(4)] == labels
    assert "4 month(s) published, nothing failed" in run.log

    history = query("select source, billing_period, dag_run_id, map_index from load_history order by map_index")
    assert [f"{source} {month_label(month)}" for source, month, _, _ in history] == labels
    assert [(run_id, index) for _, _, run_id, index in history] == [(run.run_id, index) for index in range(4)]

    _event_tells_what_was_published(run, truths)
    _xcoms_are_small_json(run)
    assert run.labels["export_0"] == "cup"
    exported = _exported_sums(s3, lake)
    assert exported == {month_label(month): truths["cup", month].billed_cost for month in (JANUARY, FEBRUARY)}

    before = query("select * from load_history order by load_id")
    again = run_dag()
    assert again.state == "success"
    assert steps(again) == ["skipped"] * 4
    assert plan(again)[0] == "source month version published decision"
    assert [line.split()[-1] for line in plan(again)[1:]] == ["unchanged"] * 4
    assert again.asset_events() == []
    assert query("select * from load_history order by load_id") == before
    assert "cup 2025-01: unchanged" in again.log
    assert _exported_sums(s3, lake) == exported


def _exported_sums(s3: Any, lake: str) -> dict[str, Decimal]:
    """Return the billed cost of each month as its manifest in the bucket has it, whose files are all there."""
    keys = {one["Key"]: one["Size"] for one in s3.client().list_objects_v2(Bucket=lake)["Contents"]}
    sums = {}
    for key in keys:
        if found := re.fullmatch(r"focus_costs_v1_2/source=cup/billing_period=([^/]+)/_manifest\.json", key):
            manifest = json.loads(s3.client().get_object(Bucket=lake, Key=key)["Body"].read())
            folder = key.replace("_manifest.json", f"version={manifest['version']}/")
            assert {folder + file["name"]: file["bytes"] for file in manifest["files"]}.items() <= keys.items()
            sums[found[1]] = Decimal(manifest["sums"]["USD"]["BilledCost"])
    return sums


def _event_tells_what_was_published(run: Any, truths: Any) -> None:
    (event,) = run.asset_events()
    told = {(month["source"], month["billing_month"]): month for month in event["months"]}
    assert set(told) == {(source, month_label(month)) for source, month in truths}
    for (source, month), truth in truths.items():
        found = told[source, month_label(month)]
        assert found["rows"] == truth.raw_lines
        assert found["version"] == truth.assembly_id
        # Text, so that no reader of JSON makes a float of it.
        assert found["billed_cost"] == {"USD": found["billed_cost"]["USD"]}
        assert isinstance(found["billed_cost"]["USD"], str)
        assert Decimal(found["billed_cost"]["USD"]) == truth.billed_cost


def _xcoms_are_small_json(run: Any) -> None:
    values = run.xcoms()
    # One for each step and month, the plan, and what could not be listed.
    assert len(values) == 4 * 4 + 2
    for value in values:
        assert len(json.dumps(value)) < SMALL_JSON


def test_dry_run_logs_the_plan_and_loads_nothing(run_dag, bucket_on_s3, query):
    bucket_on_s3.deliver("cup")
    run = run_dag(dry_run=True, sources=["cup"])
    assert run.state == "success"
    assert plan(run)[1].startswith("cup 2025-01")
    assert plan(run)[1].endswith("load (new)")
    assert "dry run: 1 month(s) would be loaded" in run.log
    assert run.tasks["refresh_views"] == "skipped"
    assert run.asset_events() == []
    assert loads(query) == []


def test_raw_only_leaves_costs_and_a_later_run_catches_up(run_dag, bucket_on_s3, query):
    first = bucket_on_s3.deliver("cup", version=1)
    run_dag(sources=["cup"])
    second = bucket_on_s3.deliver("cup", version=2)
    assert truth_totals(first) != truth_totals(second)

    run = run_dag(sources=["cup"], raw_only=True)
    assert run.state == "success"
    assert steps(run, 0) == ["success"] * 4
    assert query("select count(*) from raw_cup") == [(second.raw_lines,)]
    assert cost_totals(query, "cup", JANUARY) == truth_totals(first)

    run = run_dag(sources=["cup"])
    assert run.state == "success"
    assert cost_totals(query, "cup", JANUARY) == truth_totals(second)


def test_force_sources_and_month_range_choose_what_is_loaded(run_dag, bucket_on_s3, query):
    for source in ("cup", "ca"):
        for month in (JANUARY, FEBRUARY, MARCH):
            bucket_on_s3.deliver(source, month)
    run_dag(sources=["cup"], from_month="2025-02", to_month="2025-02")
    assert loads(query) == [("cup", "2025-02", "published")]
    run_dag(sources=["ca"], from_month="2025-03")
    assert loads(query)[1:] == [("ca", "2025-03", "published")]

    run = run_dag(sources=["cup"], to_month="2025-02", from_month="2025-02", force=True)
    assert run.state == "success"
    assert loads(query) == [
        ("cup", "2025-02", "superseded"),
        ("ca", "2025-03", "published"),
        ("cup", "2025-02", "published"),
    ]


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"sources": ["cupp"]}, r"Invalid input for param sources: 'cupp' is not one of \['cup', 'ca'\]"),
        ({"from_month": "2025-13"}, "Invalid input for param from_month: '2025-13' does not match"),
    ],
)
def test_wrong_param_starts_no_run(run_dag, query, params, message):
    from airflow.sdk.exceptions import ParamValidationError

    with pytest.raises(ParamValidationError, match=message):
        run_dag(**params)


def test_months_in_the_wrong_order_are_refused_before_anything_runs(run_dag, bucket_on_s3, database, query):
    bucket_on_s3.deliver("cup")
    run = run_dag(from_month="2025-03", to_month="2025-01")
    assert run.state == "failed"
    assert run.tasks["list_manifests"] == "failed"
    assert run.tries["list_manifests"] == 1
    assert steps(run) == ["upstream_failed"] * 4
    assert run.tasks["refresh_views"] == "skipped"
    assert "from_month 2025-03 is after to_month 2025-01" in run.log
    assert "list_manifests failed: from_month 2025-03 is after to_month 2025-01" in run.log
    assert loads(query) == []


def test_broken_configuration_fails_list_manifests_and_says_where(run_dag, configure, tmp_path, query):
    (tmp_path / "sources.yaml").write_text("sources: [{name: cup, format: aws_curr, uri: 's3://bucket/'}]")
    run = run_dag()
    assert run.state == "failed"
    assert (run.tasks["list_manifests"], run.tries["list_manifests"]) == ("failed", 1)
    assert "sources.yaml" in run.log
    assert "unknown format 'aws_curr'; allowed: aws_cur" in run.log


def test_broken_month_hinders_no_other_and_is_tried_again(run_dag, bucket_on_s3, query):
    truth = bucket_on_s3.deliver("cup", JANUARY)
    bucket_on_s3.deliver("cup", FEBRUARY)
    bucket_on_s3.remove("cup", FEBRUARY, "-00002.snappy.parquet")
    run = run_dag(sources=["cup"])

    assert run.state == "failed"
    # A missing file may still come: three retries.
    assert steps(run, 0) == ["failed", *["upstream_failed"] * 3]
    assert run.tries["load_raw_0"] == 4
    assert "UP_FOR_RETRY" in run.log.upper()
    assert steps(run, 1) == ["success"] * 4
    assert run.tries["load_raw_1"] == 1
    assert cost_totals(query, "cup", JANUARY) == truth_totals(truth)
    assert sorted(loads(query)) == [("cup", "2025-01", "published"), *[("cup", "2025-02", "failed")] * 4]

    (said,) = set(re.findall(r"PermanentError: (1 problem\(s\): .*)", run.log))
    assert said.startswith("1 problem(s): cup 2025-02: load_raw failed: manifest s3://")
    assert "CUP-Cost-Usage-Report-00002.snappy.parquet" in said
    assert run.tries["report"] == 1
    (event,) = run.asset_events()
    assert [month["billing_month"] for month in event["months"]] == ["2025-01"]


def test_broken_delivery_is_not_tried_again(run_dag, bucket_on_s3, s3, query):
    bucket_on_s3.deliver("cup")
    key = "cup/CUP-Cost-Usage-Report/20250101-20250201/CUP-Cost-Usage-Report-Manifest.json"
    s3.client().put_object(Bucket=bucket_on_s3.name, Key=key, Body=b'{"assemblyId": "x"}')
    run = run_dag(sources=["cup"])
    assert run.state == "failed"
    assert (run.tasks["load_raw_0"], run.tries["load_raw_0"]) == ("failed", 1)
    assert run.asset_events() == []
    assert re.search(r"PermanentError: 1 problem\(s\): cup 2025-01: load_raw failed: .* is not a CUR manifest", run.log)


def test_source_that_cannot_be_listed_hinders_no_other(run_dag, configure, bucket_on_s3, query):
    gone = {"name": "gone", "format": "aws_cur", "uri": "s3://no-such-bucket-here/cur/"}
    typo = {"name": "typo", "format": "aws_cur", "uri": "s3://no-such-bucket-here/x/", "conn_id": "aws_defualt"}
    configure([], more=[exported_cup(bucket_on_s3, "no-such-lake-here"), gone, typo])
    truth = bucket_on_s3.deliver("cup")
    run = run_dag()
    assert run.state == "failed"
    assert run.tasks["list_manifests"] == "success"
    assert steps(run, 0) == ["success"] * 4
    assert cost_totals(query, "cup", JANUARY) == truth_totals(truth)
    assert run.tasks["report"] == "failed"
    # Nor does an export that fails take back what is published.
    assert (run.tasks["export_0"], run.tries["export_0"]) == ("failed", 1)
    assert "cup 2025-01: s3://no-such-lake-here/" in run.log
    (said,) = set(re.findall(r"PermanentError: (3 problem\(s\): .*)", run.log))
    assert "cup: export failed: its log says why; what is published stays published" in said
    assert "no-such-bucket-here" in said
    assert "the bucket does not exist" in said
    assert "the Airflow connection 'aws_defualt' is not defined" in said


def test_no_more_months_than_airflow_maps_newest_first(run_dag, bucket_on_s3, query, monkeypatch):
    monkeypatch.setenv("AIRFLOW__CORE__MAX_MAP_LENGTH", "2")
    for month in (JANUARY, FEBRUARY, MARCH):
        bucket_on_s3.deliver("cup", month)
    run = run_dag(sources=["cup"])
    assert run.state == "success"
    assert sorted(loads(query)) == [("cup", "2025-02", "published"), ("cup", "2025-03", "published")]
    assert "1 month(s) are left for the next run, this one takes 2: cup 2025-01" in run.log
    assert plan(run)[3].endswith("next run (this run takes 2 months)")

    run = run_dag(sources=["cup"])
    assert run.state == "success"
    assert loads(query)[2:] == [("cup", "2025-01", "published")]


def test_dag_is_read_from_this_repository(load_dag):
    assert Path(load_dag().fileloc) == Path(__file__).parents[2] / "dags" / "cloud_costs.py"
