"""Manifests and configuration of any content: what they say is read exactly, or an error says what is wrong."""

import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from azure_tenant import azure_source
from deliveries import write_month
from fuzzing import bounded
from hypothesis import example, given
from hypothesis import strategies as st

from cloud_costs.config.sources import Source, load_sources
from cloud_costs.demo.sample_bill import Bill
from cloud_costs.demo.sample_bill.azure import AzureBill
from cloud_costs.demo.sample_bill.azure import write_month as write_azure_month
from cloud_costs.demo.sample_bill.gcp import GoogleBill, write_google_month
from cloud_costs.errors import CloudCostsError, ConfigError
from cloud_costs.formats import FORMATS
from cloud_costs.months import MonthRange
from cloud_costs.storage.local import LocalStorage

JANUARY = date(2025, 1, 1)
LOCAL = LocalStorage()
EXAMPLES = 150

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(
        (
            "",
            "..",
            "/",
            "a/../b.parquet",
            "\x00",
            "x.parquet",
            "s3://b/k.csv.gz",
            "20250101T000000.000Z",
            "2025-01",
            "\ud800",
        )
    )
)
anything = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)


def places(content: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of every value in a document."""
    pairs = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    return [path, *(place for key, value in pairs for place in places(value, (*path, key)))]


@st.composite
def changed(draw: st.DrawFn, content: Any) -> Any:
    """Return the document with some of its values replaced, dropped or doubled."""
    content = json.loads(json.dumps(content))
    for _ in range(draw(st.integers(1, 3))):
        *above, key = draw(st.sampled_from(places(content)[1:] or [("",)]))
        parent = content
        for step in above:
            parent = parent[step]
        kind = draw(st.sampled_from(("replace", "replace", "drop", "double")))
        if not isinstance(parent, dict | list) or not parent:
            continue
        if kind == "drop":
            del parent[key]
        elif kind == "double" and isinstance(parent, list):
            parent.append(parent[key])
        else:
            parent[key] = draw(anything)
    return content


@st.composite
def damaged(draw: st.DrawFn, text: bytes) -> bytes:
    """Return the text cut anywhere, or with some bits flipped."""
    if draw(st.booleans()):
        return text[: draw(st.integers(0, len(text)))]
    out = bytearray(text)
    for _ in range(draw(st.integers(1, 4))):
        out[draw(st.integers(0, len(out) - 1))] ^= 1 << draw(st.integers(0, 7))
    return bytes(out)


@st.composite
def texts(draw: st.DrawFn, content: Any) -> bytes:
    """Return a document that is almost the given one, or anything at all."""
    whole = json.dumps(content).encode()
    kind = draw(st.sampled_from(("changed", "changed", "damaged", "anything", "bytes")))
    if kind == "changed":
        return json.dumps(draw(changed(content))).encode()
    if kind == "damaged":
        return draw(damaged(whole))
    return json.dumps(draw(anything)).encode() if kind == "anything" else draw(st.binary())


@pytest.fixture(params=["aws_cur", "aws_cur2", "aws_focus"], scope="module")
def report(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Source, Path, Any]:
    """A delivered month of each format: its source, its manifest, and the manifest's content."""
    bucket = tmp_path_factory.mktemp(request.param)
    bill = Bill(lines=5, files=3, format=request.param)
    write_month(bill, JANUARY, bucket)
    source = Source(name="cup", format=request.param, uri=f"file://{bucket}/{bill.root}/")
    [found] = FORMATS[source.format].find_manifests("cup", source.uri, LOCAL, MonthRange())
    path = Path(LOCAL.local_path(found.file.uri))
    return source, path, json.loads(path.read_bytes())


@pytest.fixture(params=["azure_cost", "azure_focus"], scope="module")
def azure_export(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Source, Path, Any]:
    """A delivered month of each Azure format: its source, its manifest, and the manifest's content."""
    bucket = tmp_path_factory.mktemp(request.param)
    bill = AzureBill(lines=5, files=3, format=request.param, amortized=False)
    write_azure_month(bill, JANUARY, bucket)
    [path] = bucket.rglob("manifest.json")
    return azure_source(bill, bucket, name="cup"), path, json.loads(path.read_bytes())


@pytest.mark.tries(EXAMPLES)
@bounded(EXAMPLES)
@given(data=st.data())
def test_any_azure_manifest_is_read_exactly_or_refused(azure_export, data):
    source, path, content = azure_export
    text = data.draw(texts(content))
    path.write_bytes(text)
    try:
        [manifest] = source.form.find_manifests("cup", source.uri, LOCAL, MonthRange())
        delivery = source.form.read_delivery(manifest, LOCAL)
        version = source.form.read_version(manifest, LOCAL)
    except CloudCostsError as error:
        # A manifest of no bytes is none.
        refusal = str(error)
    else:
        refusal = ""
    if refusal:
        assert refusal.startswith("cup 2025-01: " if text else "cup: no export of a month")
        return
    read = json.loads(text)
    listed = read.get("blobs") or []
    assert len({file.uri for file in delivery.files}) == len(delivery.files) == len(listed)
    assert len(listed) == (read.get("blobCount") or 0)
    for file, blob in zip(delivery.files, listed, strict=True):
        size = Path(LOCAL.local_path(file.uri)).stat().st_size
        assert blob["blobName"].endswith(file.name)
        assert blob.get("byteCount") in (None, size)
        assert delivery.file_rows.get(file.uri) == blob.get("dataRowCount")
    assert delivery.rows == read.get("dataRowCount")
    assert version == delivery.version


@pytest.mark.tries(EXAMPLES)
@bounded(EXAMPLES)
@given(data=st.data())
def test_any_manifest_is_read_exactly_or_refused(report, data):
    source, path, content = report
    text = data.draw(texts(content))
    path.write_bytes(text)
    form = FORMATS[source.format]
    try:
        [manifest] = form.find_manifests("cup", source.uri, LOCAL, MonthRange())
        delivery = form.read_delivery(manifest, LOCAL)
        version = form.read_version(manifest, LOCAL)
    except CloudCostsError as error:
        refusal = str(error)
    else:
        refusal = ""
    if refusal:
        assert refusal.startswith("cup 2025-01: ")
        return
    # Whatever else it says, its files are those that it lists, each once and in order, and they are there.
    read = json.loads(text)
    listed = read["reportKeys"] if source.format == "aws_cur" else read["dataFiles"]
    assert len({file.uri for file in delivery.files}) == len(delivery.files) == len(listed) > 0
    assert all(file.name in json.dumps(entry) for file, entry in zip(delivery.files, listed, strict=True))
    assert all(Path(LOCAL.local_path(file.uri)).stat().st_size == file.size for file in delivery.files)
    assert version == delivery.version == read["assemblyId" if source.format == "aws_cur" else "executionId"]


@pytest.fixture(scope="module")
def google(tmp_path_factory: pytest.TempPathFactory) -> tuple[Source, Path, Any]:
    """A month of Google's: its source, its marker, and the marker's content."""
    bucket = tmp_path_factory.mktemp("google")
    bill = GoogleBill(lines=5, form="json")
    write_google_month(bill, JANUARY, bucket)
    [path] = bucket.rglob("_SUCCESS-*.json")
    source = Source(name="google", format="gcp_billing", uri=f"file://{bucket}/{bill.prefix}/")
    return source, path, json.loads(path.read_bytes())


@pytest.mark.tries(EXAMPLES)
@bounded(EXAMPLES)
@given(data=st.data())
def test_any_marker_promises_exactly_what_it_says_or_is_refused(google, data):
    source, path, content = google
    text = data.draw(texts(content))
    path.write_bytes(text)
    try:
        found = source.form.find_manifests("google", source.uri, LOCAL, MonthRange())
        delivery = source.form.read_delivery(found[0], LOCAL) if found else None
    except CloudCostsError as error:
        refusal = str(error)
    else:
        refusal = ""
    if refusal:
        assert refusal.startswith("google 2025-01: ")
        return
    # An empty file is the shard of a marker, and not the marker.
    assert (delivery is None) == (text == b"")
    if delivery:
        read = json.loads(text)
        assert read["invoice_month"] == "202501"
        assert delivery.rows == int(read["rows"]) >= 0
        promised = {one["currency"]: one["cost"] for one in read.get("billed", []) if one.get("cost") is not None}
        assert delivery.billed == {currency: Decimal(cost) for currency, cost in promised.items()}
        assert [file.name for file in delivery.files] == sorted(one.name for one in path.parent.glob("part-*"))


CONFIGURATION = {
    "sources": [
        {
            "name": "cup",
            "format": "aws_cur",
            "uri": "s3://billing/cup/report/",
            "conn_id": "aws_default",
            "first_month": "2024-01",
            "tags": ["user:team"],
            "checks": {"gross_equals_net": "error"},
        },
        {"name": "focus", "format": "aws_focus", "uri": "file:///data/focus/", "manifest": "none"},
    ]
}
# What YAML has beside JSON.
WORDS = st.sampled_from(
    (
        "!!int",
        "!!float",
        "!!bool",
        "!!timestamp",
        "!!binary",
        "!!set",
        "!!omap",
        "!!python/none",
        "&a",
        "*a",
        "<<:",
        "? ",
    )
)


@st.composite
def yaml_texts(draw: st.DrawFn) -> bytes:
    whole = yaml.safe_dump(CONFIGURATION, sort_keys=False)
    kind = draw(st.sampled_from(("changed", "changed", "damaged", "words", "words", "text", "bytes")))
    if kind == "changed":
        return json.dumps(draw(changed(CONFIGURATION))).encode()
    if kind == "damaged":
        return draw(damaged(whole.encode()))
    if kind == "words":
        # A tag, an anchor or a merge where a value stands, or in its place.
        lines = whole.splitlines()
        at = draw(st.integers(0, len(lines) - 1))
        key, colon, value = lines[at].partition(": ")
        lines[at] = f"{key}{colon}{draw(WORDS)} {draw(st.sampled_from((value, '', '[]', '{}', '~')))}"
        return "\n".join(lines).encode()
    return draw(st.text()).encode("utf-8", "surrogatepass") if kind == "text" else draw(st.binary())


@pytest.mark.tries(4 * EXAMPLES)
@bounded(4 * EXAMPLES)
@given(text=yaml_texts())
@example(b"sources: !!int ''")
@example(b"sources: !!float ''")
@example(b"sources: !!bool maybe")
@example(b"sources: !!timestamp soon")
@example(b"[" * 5000)
def test_any_configuration_is_read_or_refused(tmp_path_factory, text):
    path = tmp_path_factory.getbasetemp() / "sources.yaml"
    path.write_bytes(text)
    try:
        sources = load_sources({"CLOUD_COSTS_CONFIG": str(path)})
    except ConfigError as error:
        refusal = str(error)
    else:
        refusal = ""
    if refusal:
        assert refusal.startswith(f"{path}: ")
        return
    assert sources
    assert all(source.format in FORMATS for source in sources)
