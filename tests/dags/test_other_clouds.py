"""The DAGs on the other clouds' own protocols: their exports in their own buckets, and one of Azure that S3 holds."""

import json

import pytest
from azure_tenant import azure_source
from clouds import ACCOUNT, upload
from pipeline import JANUARY, cost_totals, truth_totals
from proxies import GoogleProxy

from cloud_costs.demo.sample_bill.azure import AzureBill
from cloud_costs.demo.sample_bill.azure import write_month as write_azure_month
from cloud_costs.demo.sample_bill.gcp import GoogleBill, write_google_month

COSTS = AzureBill(lines=40)
FOCUS = AzureBill(lines=40, format="azure_focus", file_type="parquet", layout="create-new")
GOOGLE = GoogleBill(lines=150, files=1)
SECRET = "c2VjcmV0LXRoYXQtbm8tbG9nLW1heS1zaG93"
NO_RIGHT = "x@y.iam does not have storage.objects.list access to the Google Cloud Storage bucket."


class Denying(GoogleProxy):
    """Google's answer to who may not list a bucket; its emulator asks nobody who they are."""

    def amend(self, path, status, headers, body):
        if "/b/denied-" in path:
            return self._json(403, {"error": {"code": 403, "message": NO_RIGHT, "errors": [{"message": NO_RIGHT}]}})
        return super().amend(path, status, headers, body)


@pytest.fixture
def delivered(configure, azurite, google_server, s3, monkeypatch, tmp_path):
    """Put an export into each of three buckets; return the sources, and the truth of each."""
    truths, roots = {}, {"azure": azurite.new_root(), "google": google_server.new_root()}
    truths["azure"] = write_azure_month(COSTS, JANUARY, tmp_path / "azure")
    upload(azurite, tmp_path / "azure", roots["azure"])
    truths["google"] = write_google_month(GOOGLE, JANUARY, tmp_path / "google")
    upload(google_server, tmp_path / "google", roots["google"])
    truths["copied"] = write_azure_month(FOCUS, JANUARY, tmp_path / "copied")
    copies = s3.new_bucket()
    s3.upload(tmp_path / "copied", copies)

    extra = {"connection_string": azurite.connection_string()}
    monkeypatch.setenv("AIRFLOW_CONN_WASB_DEFAULT", json.dumps({"conn_type": "wasb", "extra": extra}))
    anyone = {"conn_type": "google_cloud_platform", "extra": {"is_anonymous": True}}
    monkeypatch.setenv("AIRFLOW_CONN_GOOGLE_CLOUD_DEFAULT", json.dumps(anyone))
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", google_server.endpoint_url)
    google = {"name": "google", "format": "gcp_billing", "uri": f"{roots['google']}{GOOGLE.prefix}/"}
    sources = [
        _settings(azure_source(COSTS, roots["azure"], stale_after_hours=0)),
        _settings(azure_source(FOCUS, f"s3://{copies}", name="copied", stale_after_hours=0)),
        {**google, "stale_after_hours": 0},
    ]
    configure([], more=sources)
    return sources, truths


def _settings(source):
    """Return a source as `sources.yaml` has it."""
    kept = source.model_dump(mode="json", include=source.model_fields_set)
    return {key: value for key, value in kept.items() if key != "conn_id"}


def _elsewhere(source, ending):
    """Return a source like this one, of another name, in a bucket of another name."""
    uris = {key: value.replace("billing-", f"{ending}-") for key, value in source.items() if key.endswith("uri")}
    return {**source, **uris, "name": f"{source['name']}_{ending}"}


def test_every_cloud_is_loaded_over_its_own_protocol(run_dag, delivered, query):
    _, truths = delivered
    run = run_dag()
    assert run.state == "success"
    assert {run.labels[f"publish_{index}"] for index in range(3)} == {f"{name} 2025-01" for name in truths}
    for name, truth in truths.items():
        assert cost_totals(query, name, JANUARY) == truth_totals(truth)
    assert query("select source, cloud_provider from costs group by 1, 2 order by 1") == [
        ("azure", "Microsoft"),
        ("copied", "Microsoft"),
        ("google", "Google Cloud"),
    ]
    assert query("select sum(rows) from load_history") == [(sum(truth.raw_lines for truth in truths.values()),)]
    again = run_dag()
    assert again.tasks["load_raw"] == "skipped"


def test_check_tells_what_is_wrong_with_each_cloud(run_dag, configure, delivered, azurite, google_server, monkeypatch):
    sources, _ = delivered
    by_name = {source["name"]: source for source in sources}
    proxy = Denying(google_server.emulator_url)
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", proxy.url)
    stranger = {"conn_type": "wasb", "host": f"{azurite.endpoint_url}/{ACCOUNT}", "password": SECRET}
    monkeypatch.setenv("AIRFLOW_CONN_STRANGER", json.dumps(stranger))
    gone = [_elsewhere(by_name[name], "gone") for name in ("azure", "google")]
    denied = [
        {**_elsewhere(by_name["azure"], "denied"), "conn_id": "stranger"},
        _elsewhere(by_name["google"], "denied"),
    ]
    configure([], more=[*sources, *gone, *denied])
    try:
        run = run_dag(dag_id="cloud_costs_check")
    finally:
        proxy.close()
    tasks = {run.labels[name]: state for name, state in run.tasks.items() if name.startswith("check_source_")}
    assert tasks == {name: "success" for name in by_name} | {one["name"]: "failed" for one in gone + denied}
    for name in by_name:
        assert f"{name}: 1 month(s), 2025-01 to 2025-01; " in run.log
    told = "; correct the credentials, the bucket or its region, or grant list and read on it"
    for words in (
        f"azure_gone: {gone[0]['uri']}: the container does not exist (connection 'wasb_default', ContainerNotFound)",
        f"google_gone: {gone[1]['uri']}: the bucket does not exist (connection 'google_cloud_default', ",
        f"azure_denied: {denied[0]['uri']}: access denied: ",
        f"google_denied: {denied[1]['uri']}: access denied: {NO_RIGHT}",
    ):
        assert any(words in line and line.endswith(told) for line in run.log.splitlines())
    assert SECRET not in run.log
