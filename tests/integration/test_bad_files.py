"""Files that are broken, vanish or change: a clear error, and what was published stays."""

import json
import random
from collections.abc import Callable
from contextlib import suppress
from datetime import date
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pipeline import JANUARY, crafted_source, line, load_month, write_delivery

from cloud_costs.errors import AuditFailed, CloudCostsError, DeliveryError, DeliveryNotReady
from cloud_costs.publishing.load import load_raw
from cloud_costs.storage.local import LocalStorage


class Interfering(LocalStorage):
    """A local bucket in which something happens when a file is opened for the `at`-th time."""

    def __init__(self, happen: Callable[[], None], at: int) -> None:
        self.happen, self.left = happen, at

    def local_path(self, uri: str) -> str:
        if uri.endswith(".parquet"):
            self.left -= 1
            if self.left == 0:
                self.happen()
        return super().local_path(uri)


def refuse(database, query, source, kind, storage=None) -> str:
    """Load January, which must fail; return the error, which `load_history` holds too."""
    with pytest.raises(kind) as raised:
        load_raw(database, storage or LocalStorage(), source, JANUARY)
    message = str(raised.value)
    assert query("select status, error from load_history order by load_id")[-1] == ("failed", message)
    assert message.startswith("crafted 2025-01: ")
    return message


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def headless(path: Path) -> None:
    path.write_bytes(b"identity/LineItemId,lineItem/UnblendedCost\n1,2\n")


def empty(path: Path) -> None:
    path.write_bytes(b"")


def flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    for at in range(20, 400):
        content[at] ^= 0xFF
    path.write_bytes(bytes(content))


@pytest.mark.parametrize("damage", [truncated, headless, empty, flipped])
def test_damaged_file_is_named(database, bucket, query, published, damage):
    paths = write_delivery(bucket, [line()] * 3, [line()] * 500)
    damage(paths[1])
    message = refuse(database, query, published, DeliveryError)
    assert f"file://{paths[1]}" in message
    assert "damaged, or not Parquet" in message


def test_text_outside_its_dictionary_is_damage(database, bucket, query, published):
    """Three texts have places of two bits, in 26 bytes for 104 lines: with all bits set, each is a fourth text."""
    table = pa.Table.from_pylist([line(line_item_line_item_description="abc"[n % 3]) for n in range(104)])
    path = write_delivery(bucket, table)[0]
    pq.write_table(table, path, compression="none")
    at = table.schema.get_field_index("line_item_line_item_description")
    chunk = pq.read_metadata(path).row_group(0).column(at)
    end = chunk.dictionary_page_offset + chunk.total_compressed_size
    content = bytearray(path.read_bytes())
    content[end - 26 : end] = b"\xff" * 26
    path.write_bytes(bytes(content))
    assert f"file://{path}" in refuse(database, query, published, DeliveryError)


@pytest.mark.tries(25)
def test_any_flipped_byte_fails_by_name_or_harms_no_count(database, bucket, query):
    source = crafted_source(bucket)
    random.seed(7)
    for _ in range(25):
        path = write_delivery(bucket, [line(n=n, text=f"text {n}") for n in range(300)])[0]
        content = bytearray(path.read_bytes())
        content[random.randrange(4, len(content))] ^= 1 << random.randrange(8)  # noqa: S311  damage, no secret
        path.write_bytes(bytes(content))
        with suppress(CloudCostsError):
            load_raw(database, LocalStorage(), source, JANUARY)
        status, rows, error = query("select status, rows, error from load_history order by load_id")[-1]
        assert (status, rows) == ("staged", 300) or error.startswith("crafted 2025-01: file://")


def test_file_that_vanishes_before_it_is_opened_is_tried_again(database, bucket, query, published):
    paths = write_delivery(bucket, [line()], [line()])
    # Each file is looked for, opened for its footer, and opened for its rows.
    for at in range(1, 7):
        write_delivery(bucket, [line()], [line()])
        storage = Interfering(lambda: [path.unlink() for path in paths], at)
        message = refuse(database, query, published, DeliveryNotReady, storage)
        # The first file may have been found already when both went.
        assert any(path.name in message for path in paths)


@pytest.mark.parametrize("at", [2, 3])
def test_file_that_changes_while_it_is_read_is_tried_again(database, bucket, query, published, at):
    path = write_delivery(bucket, [line()])[0]
    other = write_delivery(bucket, [line(), line()], month=date(2025, 2, 1))[0]
    storage = Interfering(lambda: path.write_bytes(other.read_bytes()), at)
    message = refuse(database, query, published, DeliveryNotReady, storage)
    assert f"{path} changed while it was read" in message


def test_file_that_changes_after_its_rows_were_read_is_tried_again(database, bucket, query, published):
    write_delivery(bucket, [line()])
    storage = LocalStorage()
    storage.stat = _changing_stat(storage)
    assert "changed while it was read" in refuse(database, query, published, DeliveryNotReady, storage)


def _changing_stat(storage: LocalStorage) -> Callable[[str], object]:
    """The file changes after its rows were read, before it is looked at again."""
    stat, seen = storage.stat, []

    def changing(uri: str):
        if uri.endswith(".parquet"):
            seen.append(uri)
            if len(seen) == 2:
                path = Path(uri.removeprefix("file://"))
                path.write_bytes(path.read_bytes())
        return stat(uri)

    return changing


def test_manifest_that_changes_while_its_files_are_read_is_tried_again(database, bucket, query, published):
    write_delivery(bucket, [line()], version="v1")
    manifest = next(bucket.glob("crafted/*/crafted-Manifest.json"))

    def deliver():
        content = json.loads(manifest.read_text())
        manifest.write_text(json.dumps({**content, "assemblyId": "v2-is-longer"}))

    message = refuse(database, query, published, DeliveryNotReady, Interfering(deliver, 2))
    assert message == "crafted 2025-01: a newer delivery came while v1 was read"


def test_manifest_that_vanishes_while_its_files_are_read_is_tried_again(database, bucket, query, published):
    write_delivery(bucket, [line()])
    manifest = next(bucket.glob("crafted/*/crafted-Manifest.json"))
    message = refuse(database, query, published, DeliveryNotReady, Interfering(manifest.unlink, 2))
    assert "the delivery disappeared while it was read" in message


def test_month_without_a_manifest_is_named(database, bucket, query):
    source = crafted_source(bucket)
    write_delivery(bucket, [line()])
    with pytest.raises(DeliveryError, match="crafted 2025-06: no manifest of this month below file://"):
        load_raw(database, LocalStorage(), source, date(2025, 6, 1))


def test_file_without_the_billed_cost_is_refused(database, bucket, query, published):
    """Its lines would cost nothing: an absent column reads as NULL."""
    bare = {name: value for name, value in line().items() if name != "line_item_unblended_cost"}
    paths = write_delivery(bucket, [line()], [bare])
    message = refuse(database, query, published, DeliveryError)
    assert message.endswith(
        f"file://{paths[1]}: it has no column 'line_item_unblended_cost', which says what is billed; export it too"
    )


def test_nul_in_a_text_names_file_line_and_column(database, bucket, query, published):
    paths = write_delivery(bucket, [line()], [line(), line(line_item_line_item_description="a\x00b")])
    message = refuse(database, query, published, DeliveryError)
    assert f"file://{paths[1]}" in message
    assert "0x00" in message
    assert "column line_item_line_item_description" in message


def test_text_that_is_not_utf8_names_the_file(database, bucket, query, published):
    table = pa.Table.from_pylist([line()])
    broken = pa.Array.from_buffers(pa.string(), 1, pa.array([b"\xff\xfe"], pa.binary()).buffers())
    paths = write_delivery(bucket, table.append_column("resource_tags_user_x", broken))
    message = refuse(database, query, published, DeliveryError)
    assert f"file://{paths[0]}" in message
    assert "UTF" in message


@pytest.mark.parametrize("cost", [float("nan"), float("inf"), float("-inf")])
def test_cost_that_is_no_number_is_refused_with_its_line(database, bucket, query, cost):
    source = crafted_source(bucket)
    write_delivery(bucket, [line()])
    load_month(database, source, JANUARY)
    write_delivery(bucket, [line(), line(identity_line_item_id="bad", line_item_unblended_cost=cost)])
    with pytest.raises(AuditFailed, match=r"costs_are_finite .*line_item_id=bad"):
        load_month(database, source, JANUARY)
    assert query("select sum(cost) from costs") == [(Decimal("1.5"),)]


def test_file_without_rows_is_no_error(database, bucket, query):
    source = crafted_source(bucket)
    table = pa.Table.from_pylist([line()])
    write_delivery(bucket, table, table.slice(0, 0))
    load_month(database, source, JANUARY)
    assert query("select rows, files from load_history") == [(1, 2)]


def test_month_without_a_line_is_published_empty(database, bucket, query):
    source = crafted_source(bucket)
    write_delivery(bucket, [line()])
    load_month(database, source, JANUARY)
    write_delivery(bucket, pa.Table.from_pylist([line()]).slice(0, 0))
    load_month(database, source, JANUARY)
    assert query("select count(*) from costs") == [(0,)]
    assert query("select billed_cost from load_history order by load_id") == [({"USD": 1.5},), ({},)]
