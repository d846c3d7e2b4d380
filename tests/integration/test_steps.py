"""The line that each step logs: the same keys in every step, read back by what reads logfmt."""

import json
import logging
import re
from pathlib import Path

import pytest
from pipeline import JANUARY, load_month

from cloud_costs.publishing.history import Load
from cloud_costs.publishing.publish import publish
from cloud_costs.publishing.steps import log_step

PAIR = re.compile(r'([a-z_]+)=("(?:[^"\\]|\\.)*"|[^\s"=]+)(?: |$)')
STEPS = ["load_raw", "normalize", "audit", "publish"]
KEYS = ["step", "source", "month", "load", "rows", "bytes", "seconds"]
OPERATIONS = Path(__file__).parents[2] / "docs/operations.md"


def read(line: str) -> dict[str, str]:
    """Return the pairs of a line; what is between them is an error."""
    assert PAIR.sub("", line) == ""
    return {key: json.loads(value) if value.startswith('"') else value for key, value in PAIR.findall(line)}


def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, str]]:
    return [read(record.getMessage()) for record in caplog.records if record.getMessage().startswith("step=")]


def test_every_step_logs_one_line_with_the_same_keys(database, cup, query, caplog):
    caplog.set_level(logging.INFO, logger="cloud_costs")
    truth = cup.deliver()
    load = load_month(database, cup.source, JANUARY)
    [(rows, size, files)] = query("select rows, bytes, files from load_history")
    [(normalized,)] = query("select count(*) from cup_normalized")
    [(checks, violated)] = query("select count(*), count(*) filter (where not passed) from audit_results")

    found = lines(caplog)
    assert [line["step"] for line in found] == STEPS
    for line in found:
        assert list(line)[: len(KEYS)] == KEYS
        assert (line["source"], line["month"], line["load"]) == ("cup", "2025-01", str(load.load_id))
        assert (line["rows"], line["bytes"]) == (str(rows), str(size))
        assert 0 <= float(line["seconds"]) < 60
    more = [{key: value for key, value in line.items() if key not in KEYS} for line in found]
    assert more[0] == {"version": truth.assembly_id, "files": str(files)}
    assert more[1] == {"normalized_rows": str(normalized)}
    assert more[2] == {"checks": str(checks), "violated": str(violated)}
    assert list(more[3]) == ["locked"]
    assert float(more[3]["locked"]) <= float(found[3]["seconds"])
    assert (rows, size) == (truth.raw_lines, sum(path.stat().st_size for path in cup.bucket.rglob("*.parquet")))


def test_raw_only_load_says_nothing_of_normalized_rows(database, cup, caplog):
    caplog.set_level(logging.INFO, logger="cloud_costs")
    cup.deliver()
    load_month(database, cup.source, JANUARY, raw_only=True)
    assert [line["step"] for line in lines(caplog)] == STEPS
    assert list(lines(caplog)[1]) == KEYS


def test_publishing_again_logs_no_lock(database, cup, caplog):
    cup.deliver()
    load = load_month(database, cup.source, JANUARY)
    caplog.set_level(logging.INFO, logger="cloud_costs")
    caplog.clear()
    publish(database, cup.source, load)
    [line] = lines(caplog)
    assert list(line) == KEYS


@pytest.mark.parametrize(
    ("version", "written"),
    [
        ("4e1ba4a6-9a53", "4e1ba4a6-9a53"),
        ("two words", '"two words"'),
        ("", '""'),
        ('say "no"', r'"say \"no\""'),
        ("a=b", '"a=b"'),
        (r"back\slash", r'"back\\slash"'),
        ("line\nstep=publish", r'"line\nstep=publish"'),
        ("Jänner\u2028\x1b[0m", r'"J\u00e4nner\u2028\u001b[0m"'),
    ],
)
def test_odd_value_stays_one_value_on_one_line(caplog, version, written):
    caplog.set_level(logging.INFO)
    log_step(logging.getLogger("cloud_costs"), "load_raw", Load(1, "cup", JANUARY), 0.5, version=version)
    [message] = caplog.messages
    assert message == f"step=load_raw source=cup month=2025-01 load=1 seconds=0.500 version={written}"
    assert read(message)["version"] == version


def test_documented_lines_have_the_keys_of_the_code(database, cup, caplog):
    caplog.set_level(logging.INFO, logger="cloud_costs")
    cup.deliver()
    load_month(database, cup.source, JANUARY)
    documented = [read(line) for line in OPERATIONS.read_text().splitlines() if line.startswith("step=")]
    assert [(line["step"], list(line)) for line in documented] == [(line["step"], list(line)) for line in lines(caplog)]
