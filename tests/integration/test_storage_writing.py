"""What exports write in clouds and folders: whole objects, and a manifest only in the place of the expected one."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cloud_costs.errors import StorageDenied, StorageUnavailable
from cloud_costs.storage.files import Storage
from cloud_costs.storage.local import LocalStorage


@dataclass(frozen=True)
class Place:
    """A storage, and a folder in it that is empty."""

    storage: Storage
    root: str


@pytest.fixture(params=["folder", "s3", "azure", "google"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "folder":
        return Place(LocalStorage(), f"file://{tmp_path}/lake/")
    if request.param == "s3":
        server: Any = request.getfixturevalue("s3")
        return Place(server.storage(), f"s3://{server.new_bucket()}/lake/")
    cloud: Any = request.getfixturevalue({"azure": "azurite", "google": "google_server"}[request.param])
    return Place(cloud.storage(), f"{cloud.new_root()}lake/")


@pytest.fixture
def draft(tmp_path: Path) -> Path:
    return tmp_path / "draft"


@pytest.mark.parametrize("size", [0, 10, 9 << 20])
def test_object_is_stored_whole_and_again(place, draft, size):
    uri = f"{place.root}source=cup/billing_period=2025-01/version=0/part-00000.parquet"
    for letter in (b"a", b"b"):
        draft.write_bytes(letter * size)
        place.storage.write(uri, draft)
        assert place.storage.read(uri) == letter * size
        folder = place.storage.list_folder(uri.rpartition("/")[0] + "/")
        assert [(file.uri, file.size) for file in folder.files] == [(uri, size)]


def test_object_is_replaced_only_where_it_is_the_expected_one(place):
    uri = f"{place.root}_manifest.json"
    place.storage.replace(uri, b"first", None)
    first = place.storage.stat(uri)
    with pytest.raises(StorageUnavailable, match="_manifest"):
        place.storage.replace(uri, b"another first", None)
    assert place.storage.read(uri) == b"first"
    place.storage.replace(uri, b"second", first)
    with pytest.raises(StorageUnavailable, match="_manifest"):
        place.storage.replace(uri, b"another second", first)
    assert place.storage.read(uri) == b"second"
    place.storage.replace(uri, b"third", place.storage.stat(uri))
    assert place.storage.read(uri) == b"third"


def test_object_is_deleted_and_may_be_gone_already(place, draft):
    uri = f"{place.root}version=0/part"
    draft.write_bytes(b"1")
    place.storage.write(uri, draft)
    place.storage.delete(uri)
    place.storage.delete(uri)
    assert place.storage.stat(uri) is None
    folder = place.storage.list_folder(place.root)
    assert (folder.folders, folder.files) == ((), ())


@pytest.mark.parametrize("place", ["s3", "azure", "google"], indirect=True)
def test_bucket_that_does_not_exist_is_told(place, draft):
    draft.write_bytes(b"1")
    uri = place.root.replace("billing-", "nowhere-") + "part"
    for write in (lambda: place.storage.write(uri, draft), lambda: place.storage.replace(uri, b"1", None)):
        with pytest.raises((StorageDenied, StorageUnavailable), match="nowhere-"):
            write()


def test_local_file_is_there_whole_or_not_at_all(tmp_path, draft):
    storage, uri = LocalStorage(), f"file://{tmp_path}/lake/part"
    draft.write_bytes(b"old")
    storage.write(uri, draft)
    draft.unlink()
    draft.mkdir()
    with pytest.raises(StorageUnavailable, match="Is a directory"):
        storage.write(uri, draft)
    assert [path.name for path in (tmp_path / "lake").iterdir()] == ["part"]
    assert storage.read(uri) == b"old"


def test_folder_that_nobody_may_write_to_is_told(tmp_path, draft):
    (tmp_path / "lake").write_text("a file")
    draft.write_bytes(b"1")
    with pytest.raises((StorageDenied, StorageUnavailable), match=r"lake/part: (File exists|Not a directory)"):
        LocalStorage().write(f"file://{tmp_path}/lake/part", draft)
