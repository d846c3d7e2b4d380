"""Data files with any byte wrong: an error that names the file, or the lines as they were; the process lives.

A loader in a process of its own reads them, so that a crash of Arrow is seen. What is not promised, because
the file itself holds no checksum, is in docs/reliability.md.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pyarrow.parquet as pq
import pytest
from deliveries import write_month
from fuzzing import bounded
from hypothesis import given
from hypothesis import strategies as st
from pipeline import JANUARY
from processes import start

from cloud_costs.config.sources import Source
from cloud_costs.database.postgres import Database
from cloud_costs.database.schema import apply_schema
from cloud_costs.demo import embedded_postgres
from cloud_costs.demo.sample_bill import Bill
from cloud_costs.errors import CloudCostsError
from cloud_costs.publishing.load import load_raw
from cloud_costs.storage.local import LocalStorage

EXAMPLES = 25
# Every line as text, whatever their order.
FINGERPRINT = "select count(*), md5(string_agg(md5(lines::text), '' order by md5(lines::text))) from {} as lines"
KINDS = {
    "parquet": Bill(lines=20, files=1),
    "maps": Bill(lines=20, files=1, format="aws_cur2"),
    "csv": Bill(lines=20, files=1, file_type="csv", compression="none"),
    "gzip": Bill(lines=20, files=1, file_type="csv", compression="gzip"),
    "zip": Bill(lines=20, files=1, file_type="csv", compression="zip"),
}


def load_again_and_again(pipe: Any, uri: str, schema: str, source: Source) -> None:
    """Load the month whenever asked to, and answer with what came of it."""
    database = Database(lambda: psycopg.connect(uri), schema, "costs_db")
    while pipe.recv():
        try:
            load = load_raw(database, LocalStorage(), source, JANUARY)
            with database.session() as connection:
                table = database.staging_table(load.raw_table).as_string(connection)
                pipe.send(("loaded", connection.execute(FINGERPRINT.format(table)).fetchone()))
        except CloudCostsError as error:
            pipe.send(("refused", f"{error}"))
        except BaseException as error:
            pipe.send(("crashed", repr(error)))


@dataclass
class Fuzzed:
    """One source whose only data file a test damages, and a process that loads it."""

    uri: str
    schema: str
    source: Source
    path: Path

    def __post_init__(self) -> None:
        self.whole = self.path.read_bytes()
        self.process, self.pipe = start(load_again_and_again, self.uri, self.schema, self.source)
        self.truth = self.load(self.whole)[1]

    def load(self, content: bytes) -> tuple[str, Any]:
        """Return what became of the month with this content: loaded, refused or crashed."""
        self.path.write_bytes(content)
        self.pipe.send(True)
        try:
            return self.pipe.recv()
        except EOFError:
            self.process.join()
            return "crashed", f"the process ended with {self.process.exitcode}"


@pytest.fixture(params=list(KINDS), scope="module")
def fuzzed(
    request: pytest.FixtureRequest, postgres: embedded_postgres.Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Fuzzed]:
    bucket = tmp_path_factory.mktemp(request.param)
    bill = KINDS[request.param]
    write_month(bill, JANUARY, bucket)
    [path] = bucket.rglob(f"*-00001.{bill.suffix}")
    if bill.file_type == "parquet":
        # As AWS writes them but for size: pages of a few lines, in several row groups.
        pq.write_table(pq.read_table(path), path, row_group_size=200, data_page_size=500, store_schema=False)
    schema = f"fuzz_{request.param}"
    database = Database(lambda: psycopg.connect(postgres.uri()), schema, "costs_db")
    apply_schema(database)
    source = Source(name="cup", format=bill.format, uri=f"file://{bucket}/{bill.root}/")
    found = Fuzzed(postgres.uri(), schema, source, path)
    yield found
    found.pipe.send(False)
    found.process.join()
    with database.session() as connection:
        connection.execute(f"drop schema {schema} cascade; drop schema {schema}_staging cascade")


@st.composite
def damages(draw: st.DrawFn) -> Any:
    """Return a function that damages some bytes: cut anywhere, bits flipped, a stretch zeroed, doubled or lost."""
    kind = draw(st.sampled_from(("cut", "flip", "flip", "flips", "end", "zero", "double", "lose")))
    # A part of the file, with its very ends as likely as its middle.
    at = draw(st.one_of(st.floats(0, 1), st.floats(0, 0.01), st.floats(0.8, 1)))
    length = draw(st.integers(1, 600))
    bits = draw(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 7)), min_size=1, max_size=8))

    def damage(content: bytes) -> bytes:
        start = int(at * (len(content) - 1))
        stretch = content[start : start + length]
        if kind == "cut":
            return content[:start]
        if kind == "end":
            return content[: max(0, len(content) - length)]
        if kind == "zero":
            return content[:start] + bytes(len(stretch)) + content[start + length :]
        if kind == "double":
            return content[:start] + stretch + content[start:]
        if kind == "lose":
            return content[:start] + content[start + length :]
        flipped = bytearray(content)
        for place, bit in [(at, bits[0][1])] if kind == "flip" else bits:
            flipped[int(place * (len(content) - 1))] ^= 1 << bit
        return bytes(flipped)

    return damage


@pytest.mark.tries(EXAMPLES)
@bounded(EXAMPLES)
@given(damage=damages())
def test_damaged_file_is_refused_or_loaded_whole(fuzzed: Fuzzed, damage: Any) -> None:
    content = damage(fuzzed.whole)
    outcome, found = fuzzed.load(content)
    assert outcome != "crashed", found
    if outcome == "refused":
        assert found.startswith("cup 2025-01: ")
        return
    if fuzzed.path.name.endswith(".parquet"):
        assert found[0] == fuzzed.truth[0]
    elif fuzzed.path.name.endswith((".gz", ".zip")):
        assert found == fuzzed.truth
