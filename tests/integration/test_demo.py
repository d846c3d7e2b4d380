"""`make demo`, `make up` and `make down`, from a copy of the package under a path with a space."""

import json
import os
import shutil
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
from side_by_side import free_port

from cloud_costs.demo import embedded_postgres
from cloud_costs.demo.commands import plan_lines

ROOT = Path(__file__).parents[2]
PLAN_LOGGER = "cloud_costs.airflow.tasks.plan"


@dataclass(frozen=True)
class Copy:
    """A copy of the package; its demo keeps everything in `.demo` beside it."""

    root: Path

    @property
    def postgres(self) -> Path:
        return self.root / ".demo" / "postgres"

    def make(self, *command: str, answers: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
        """Do what the Makefile's recipe of that name does; `answers` is what is typed."""
        return subprocess.run(
            [sys.executable, "-m", "cloud_costs.demo", *command],
            env={**os.environ, "PYTHONPATH": str(self.root / "include"), **environment},
            cwd=self.root,
            input=answers,
            capture_output=True,
            text=True,
            check=False,
        )

    def administer(self, statement: str) -> list[tuple[Any, ...]]:
        """Run a statement on the database of costs as the superuser."""
        server = embedded_postgres.start(self.postgres)
        with psycopg.connect(server.uri("costs")) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def history(self) -> list[tuple[Any, ...]]:
        return self.administer("select * from cost_analytics.load_history order by load_id")

    def owners(self) -> set[str]:
        """Return who owns what the loads made."""
        rows = self.administer(
            "select distinct relowner::regrole::text from pg_class "
            "where relnamespace in ('cost_analytics'::regnamespace, 'cost_analytics_staging'::regnamespace)"
        )
        return {owner for (owner,) in rows}

    def processes(self) -> list[str]:
        """Return the processes that work in this copy, or were told of it."""
        found = []
        for process in psutil.process_iter(["pid", "cmdline", "cwd"]):
            words = [process.info["cwd"] or "", *(process.info["cmdline"] or [])]
            if process.pid != os.getpid() and any(str(self.root) in word for word in words):
                found.append(" ".join(words))
        return found


@pytest.fixture(scope="module")
def copy() -> Iterator[Copy]:
    # Not in pytest's own folder: pytest takes back what the server's user needs to enter it.
    import tempfile

    root = Path(tempfile.mkdtemp(prefix="cloud costs demo "))
    for folder in ("include", "dags"):
        shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__", "sources.yaml"))
    found = Copy(root)
    yield found
    found.make("down")
    shutil.rmtree(root, ignore_errors=True)


@pytest.fixture(scope="module")
def first(copy: Copy) -> subprocess.CompletedProcess[str]:
    return copy.make()


def answer(url: str, body: Any = None, token: str = "") -> Any:
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    request = urllib.request.Request(url, None if body is None else json.dumps(body).encode(), headers)  # noqa: S310  our server
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=30) as found:
        text = found.read().decode()
    return json.loads(text) if text.startswith(("{", "[")) else text


@pytest.mark.slow
def test_demo_loads_the_sample_bill_and_agrees_with_its_truth(
    copy: Copy, first: subprocess.CompletedProcess[str]
) -> None:
    assert first.returncode == 0, first.stdout + first.stderr
    assert "costs and truth agree to the last digit: USD " in first.stdout
    assert "12 month(s) loaded" in first.stdout
    plan = first.stdout.split("The plan of list_manifests\n")[1].split("12 month(s) loaded")[0].splitlines()
    assert plan[0].split() == ["source", "month", "version", "published", "decision"]
    assert [(line.split()[0], line.split()[1]) for line in plan[1:]] == [
        (source, month) for month in ("2025-03", "2025-02", "2025-01") for source in ("azure", "ca", "cup", "google")
    ]
    assert all(line.endswith("load (new)") for line in plan[1:])
    assert "Amazon Elastic Compute Cloud" in first.stdout


@pytest.mark.slow
def test_demo_shows_the_events_of_the_bill_and_the_budgets(copy: Copy, first: subprocess.CompletedProcess[str]) -> None:
    """What it prints has the exact amounts of `costs`."""
    assert "the 2 events that are planted in the bill are news, and no other is" in first.stdout
    for service, account, days in (
        ("Amazon Elastic Compute Cloud", "771928304455", ("2025-03-24", "2025-03-31")),
        ("Amazon Simple Storage Service", "663300998877", ("2025-03-18", "2025-03-20")),
    ):
        [(cost,)] = copy.administer(
            "select sum(effective_cost) from cost_analytics.costs where charge_category = 'Usage' "
            f"and service = '{service}' and account_id = '{account}' and date between '{days[0]}' and '{days[1]}'"
        )
        [line] = [line for line in first.stdout.splitlines() if account in line and " to ".join(days) in line]
        assert f" {cost:,.2f} " in line
    lines = first.stdout.splitlines()
    [all_clouds] = [line for line in lines if "All clouds" in line]
    [google] = [line for line in lines if "Google Cloud" in line and "2025-12-31" in line]
    assert "at risk" in all_clouds
    assert "kept" in google
    [(spent,)] = copy.administer(
        "select sum(cost) from cost_analytics.costs where currency = 'USD' and extract(year from date) = 2025"
    )
    assert f" {spent:,.2f} " in all_clouds
    assert "3 line(s) told" in first.stdout


@pytest.mark.slow
def test_demo_again_loads_nothing_and_fails_when_costs_and_truth_differ(
    copy: Copy, first: subprocess.CompletedProcess[str]
) -> None:
    before = copy.history()
    path = copy.root / ".demo" / "truth" / "cup.json"
    right = path.read_text()
    cost = json.dumps(json.loads(right)[0]["rows"][0]["billed_cost"])
    path.write_text(right.replace(f'"billed_cost": {cost}', '"billed_cost": "0.0000000001"', 1))
    assert path.read_text() != right
    try:
        again = copy.make()
    finally:
        path.write_text(right)
    assert again.returncode == 1
    assert "costs and truth differ in 1 of" in again.stdout
    assert "agree" not in again.stdout
    assert "Nothing new: no delivery changed, and none was loaded" in again.stdout
    assert again.stdout.count("  unchanged") == 12
    assert "Nothing told: there is no news" in again.stdout
    assert len(before) == 12
    assert copy.history() == before


@pytest.mark.slow
def test_demo_loads_as_the_loader_and_shows_as_the_reader(copy: Copy, first: subprocess.CompletedProcess[str]) -> None:
    assert copy.owners() == {"cost_analytics_loader"}
    assert copy.administer("select rolname from pg_roles where rolsuper") == [("postgres",)]
    shown = copy.make("psql", answers="select current_user, count(*) > 0 from costs; delete from load_history;")
    assert "cost_analytics_reader | t" in shown.stdout
    assert "permission denied for table load_history" in shown.stderr
    server = embedded_postgres.start(copy.postgres)
    for role in ("cost_analytics_loader", "cost_analytics_reader"):
        with pytest.raises(psycopg.OperationalError, match='permission denied for database "airflow"'):
            psycopg.connect(server.uri("airflow", role))


@pytest.mark.slow
def test_demo_that_a_superuser_loaded_goes_on_with_the_roles(
    copy: Copy, first: subprocess.CompletedProcess[str]
) -> None:
    """As the first version left it: everything is the superuser's, and there are no roles."""
    before = copy.history()
    copy.administer("reassign owned by cost_analytics_loader to postgres")
    copy.administer(
        "drop owned by cost_analytics_loader, cost_analytics_reader; "
        "drop role cost_analytics_loader, cost_analytics_reader; "
        "grant connect, temporary on database costs, airflow to public"
    )
    assert copy.owners() == {"postgres"}
    shown = copy.make("psql", answers="select current_user, count(*) > 0 from costs;")
    assert "cost_analytics_reader | t" in shown.stdout, shown.stderr
    assert copy.owners() == {"cost_analytics_loader"}
    assert copy.history() == before
    # Months are replaced by who did not load them, and others stay.
    copy.administer(
        "update cost_analytics.load_history set manifest_etag = 'other' where source = 'ca' and status = 'published'"
    )
    loaded = copy.make()
    assert loaded.returncode == 0, loaded.stdout + loaded.stderr
    assert "3 month(s) loaded" in loaded.stdout
    assert loaded.stdout.count("  unchanged") == len(before) - 3
    assert len(copy.history()) == len(before) + 3
    assert copy.owners() == {"cost_analytics_loader"}


@pytest.mark.slow
def test_airflow_comes_up_over_the_demo_and_goes_down_again(
    copy: Copy, first: subprocess.CompletedProcess[str]
) -> None:
    port = free_port()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        refused = copy.make("up", AIRFLOW_PORT=str(port))
    assert refused.returncode == 1
    assert f"port {port}: Address already in use; choose another one" in refused.stderr

    up = copy.make("up", AIRFLOW_PORT=str(port))
    assert up.returncode == 0, up.stdout + up.stderr
    url = f"http://127.0.0.1:{port}"
    assert f"{url}/dags/cloud_costs" in up.stdout
    password = up.stdout.split("password ")[1].split()[0]
    assert "<title>" in answer(f"{url}/")
    token = answer(f"{url}/auth/token", {"username": "admin", "password": password})["access_token"]
    runs = answer(f"{url}/api/v2/dags/cloud_costs/dagRuns?order_by=run_after", token=token)["dag_runs"]
    assert "manual" in {run["run_type"] for run in runs}

    # Up already: the same Airflow, whatever port is asked for. The demo leaves its run to that scheduler.
    leader = json.loads((copy.root / ".demo" / "airflow.json").read_text())["pid"]
    assert f"{url}/dags/cloud_costs" in copy.make("up", AIRFLOW_PORT="1").stdout
    assert json.loads((copy.root / ".demo" / "airflow.json").read_text())["pid"] == leader
    demo = copy.make()
    assert demo.returncode == 0, demo.stdout + demo.stderr
    assert "Nothing new" in demo.stdout
    assert "costs and truth agree to the last digit" in demo.stdout
    assert "Nothing told" in demo.stdout
    assert demo.stdout.count("  unchanged") == 12
    ids = {run["dag_run_id"] for run in answer(f"{url}/api/v2/dags/cloud_costs/dagRuns", token=token)["dag_runs"]}
    assert any(run_id.startswith("demo__") for run_id in ids)

    down = copy.make("down")
    assert (down.returncode, down.stdout) == (0, "Airflow stopped\nPostgreSQL stopped\n")
    assert copy.processes() == []
    again = copy.make("down")
    assert (again.returncode, again.stdout) == (0, "")


def test_port_that_is_no_port_is_refused(copy: Copy) -> None:
    refused = copy.make("up", AIRFLOW_PORT="http")
    assert refused.returncode == 2
    assert "AIRFLOW_PORT" in refused.stderr


def test_plan_is_told_from_all_other_lines() -> None:
    console = "2026-01-01T00:00:00Z [info     ] {} [{}] loc=x.py:1"
    lines = [
        console.format("source  month    decision", PLAN_LOGGER),
        console.format("cup     2025-01  load (new)  ", PLAN_LOGGER),
        console.format("cup 2025-01: published", "cloud_costs.airflow.tasks"),
        "anything else",
        json.dumps({"event": "ca      2025-01  unchanged", "logger": PLAN_LOGGER}),
        json.dumps({"event": "ca 2025-01: published", "logger": "cloud_costs.airflow.tasks"}),
        "{not json",
    ]
    assert plan_lines("\n".join(lines)) == [
        "source  month    decision",
        "cup     2025-01  load (new)",
        "ca      2025-01  unchanged",
    ]
