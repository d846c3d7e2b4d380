"""What names a source, a folder or a server, and what a manifest says: refused in one line, or taken as it is."""

import json
import os
from pathlib import Path

import pytest
from hostile import HOSTILE, NAMES, one_line
from pipeline import JANUARY, crafted_source, line, write_delivery

from cloud_costs import environment
from cloud_costs.config.sources import Source, load_sources, schema_name
from cloud_costs.database.schema import apply_schema
from cloud_costs.errors import CloudCostsError, DeliveryError, DeliveryNotReady, StorageDenied
from cloud_costs.months import MonthRange
from cloud_costs.publishing.load import find_manifest
from cloud_costs.storage.local import LocalStorage

each = pytest.mark.parametrize("text", HOSTILE, ids=NAMES)


class Watched(LocalStorage):
    """Notes every path that is asked for."""

    def __init__(self):
        self.asked = []

    def local_path(self, uri):
        self.asked.append(super().local_path(uri))
        return self.asked[-1]


@pytest.mark.parametrize(
    "key",
    [
        "../../../../../../etc/passwd",
        "../../../secret.snappy.parquet",
        "crafted/crafted/year=2025/month=1/../../../../../secret.snappy.parquet",
        "/etc/passwd",
        "/secret.snappy.parquet",
        "//secret.snappy.parquet",
        "file:///secret.snappy.parquet",
        "s3://other-bucket/secret.snappy.parquet",
        "https://example.com/secret.snappy.parquet",
        "..\\..\\secret.snappy.parquet",
        "%2e%2e/%2e%2e/secret.snappy.parquet",
        "crafted/\x00/secret.snappy.parquet",
        "crafted/../secret.snappy.parquet",
        "~/secret.snappy.parquet",
        "$HOME/secret.snappy.parquet",
        *(f"{text}/secret.snappy.parquet" for text in HOSTILE),
        *(f"{text}.snappy.parquet" for text in HOSTILE),
    ],
)
def test_manifest_leads_nowhere_but_below_its_own_folder(bucket, key):
    [path] = write_delivery(bucket / "inner", [line()])
    secret = bucket / "secret.snappy.parquet"
    path.rename(secret)
    [manifest] = bucket.rglob("*-Manifest.json")
    content = json.loads(manifest.read_text())
    for bucket_name in (content["bucket"], "..", "/", str(bucket)):
        manifest.write_text(json.dumps({**content, "reportKeys": [key], "bucket": bucket_name}))
        storage, source = Watched(), crafted_source(bucket / "inner")
        with pytest.raises((DeliveryError, DeliveryNotReady, StorageDenied)) as raised:
            source.form.read_delivery(find_manifest(storage, source, JANUARY), storage)
        assert one_line(str(raised.value))
        outside = [
            asked for asked in storage.asked if not Path(os.path.normpath(asked)).is_relative_to(bucket / "inner")
        ]
        assert outside == []


@pytest.mark.parametrize("key", ["../secret.parquet", "s3://other/data/BILLING_PERIOD=2025-01/../x.parquet"])
def test_manifest_of_a_data_export_leads_nowhere_else(bucket, key):
    folder = bucket / "export" / "metadata" / "BILLING_PERIOD=2025-01"
    folder.mkdir(parents=True)
    (folder / "export-Manifest.json").write_text(json.dumps({"executionId": "v1", "dataFiles": [key]}))
    source = Source(name="export", format="aws_cur2", uri=f"file://{bucket}/export/")
    [manifest] = source.form.find_manifests("export", source.uri, LocalStorage(), MonthRange())
    with pytest.raises(DeliveryError, match="outside its folder"):
        source.form.read_delivery(manifest, LocalStorage())


@pytest.mark.parametrize("where", ["name", "format", "uri", "conn_id", "first_month", "manifest", "checks", "more"])
@each
def test_configuration_is_refused_by_name_on_one_line(tmp_path, where, text):
    source = {"name": "cup", "format": "aws_cur", "uri": "s3://billing/cup/"}
    path = tmp_path / "sources.yaml"
    # YAML's keys end after 1,024 characters.
    value = {"checks": {text[:1000]: "error"}, "conn_id": f"{text} "}.get(where, text)
    path.write_text(json.dumps({"sources": [{**source, where: value}]}))
    with pytest.raises(CloudCostsError) as raised:
        load_sources({"CLOUD_COSTS_CONFIG": str(path)})
    assert where in str(raised.value)
    assert one_line(str(raised.value))


def outcome(make):
    """Return the refusal's message and nothing, or no message and what was made."""
    try:
        return "", make()
    except CloudCostsError as error:
        return str(error), ()


@each
def test_environment_is_refused_or_data(text):
    for make in (
        lambda: schema_name({"POSTGRES_SCHEMA": text}),
        lambda: load_sources({"CLOUD_COSTS_CONFIG": text}),
    ):
        with pytest.raises(CloudCostsError) as raised:
            make()
        assert one_line(str(raised.value))
    for bucket, prefix in ((text, "cup"), ("billing", f"cup/{text}")):
        told, sources = outcome(lambda b=bucket, p=prefix: load_sources({"S3_BUCKET": b, "CUR_PATHS": p}))
        assert one_line(told)
        assert [source for source in sources if not source.uri.startswith(f"s3://{bucket}/")] == []
    settings = {"POSTGRES_HOST": "127.0.0.1", "POSTGRES_PORT": "1", "POSTGRES_DB": text, "POSTGRES_USER": text}
    with pytest.raises(CloudCostsError) as raised:
        apply_schema(environment.database(settings))
    assert one_line(str(raised.value))
