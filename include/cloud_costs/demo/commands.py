"""`make demo`, `make up`, `make down`, `make psql`: the whole package on a sample bill, on this machine alone.

Everything is in `.demo`: the bucket with the sample billing exports, the embedded PostgreSQL, which holds the cost
tables and Airflow's own database, and Airflow's home. The demo needs no cloud account, no Docker and no root.
"""

import json
import os
import re
import secrets
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from importlib import metadata
from pathlib import Path
from typing import Annotated, TypeVar

import psycopg
import typer
from psycopg import sql
from rich.console import Console

from cloud_costs.config.sources import DEFAULT_SCHEMA
from cloud_costs.demo import costs_database, embedded_postgres, local_airflow, show
from cloud_costs.demo.bills import EXPORTS, MONTHS, write_configuration
from cloud_costs.demo.embedded_postgres import Server
from cloud_costs.demo.sample_bill import read_truth, write_truth
from cloud_costs.demo.totals import costs_totals, differing, truth_totals

ROOT = Path(__file__).resolve().parents[3]
DEMO = ROOT / ".demo"
BUCKET = DEMO / "bucket"
POSTGRES = DEMO / "postgres"
AIRFLOW = DEMO / "airflow"
LOGS = DEMO / "logs"
PASSWORDS = AIRFLOW / "passwords.json"
RUNNING = DEMO / "airflow.json"
AIRFLOW_DATABASE = "airflow"
DAGS = ("cloud_costs", "cloud_costs_insights")
SEARCH_PATH = f"-c search_path={DEFAULT_SCHEMA}"
SECONDS_TO_RUN = 600
# Beginnings of environment variables that would change the demo if the shell that starts it has set them.
NOT_INHERITED = (
    "AIRFLOW",
    "ALERT_",
    "CLOUD_COSTS_",
    "CUR_PATHS",
    "FORCE_COLOR",
    "LOAD_POOL",
    "PG",
    "POSTGRES_",
    "REPORT_",
    "S3_BUCKET",
    "SYNC_SCHEDULE",
)

PLAN_LOGGER = "cloud_costs.airflow.tasks.plan"
PLAN_LINE = re.compile(rf"\S+ \[\w+ *\] (.*) \[{re.escape(PLAN_LOGGER)}\]")

app = typer.Typer(help=__doc__, invoke_without_command=True, pretty_exceptions_enable=False)
# In a pipe or a log, the table is as wide as its names.
console = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 160)
T = TypeVar("T")
Port = Annotated[int, typer.Option(envvar="AIRFLOW_PORT", min=1, max=65535, help="Port of the Airflow UI.")]


@app.callback()
def demo(context: typer.Context) -> None:
    """Load the sample bill with the DAG, compare the costs with the truth, and show events and budgets."""
    if context.invoked_subcommand:
        return
    began = time.monotonic()
    server = _step("PostgreSQL 18 from its wheel", _start_postgres)
    _step("Sample bill: four billing exports of three clouds, three months each", _write_sample_bill)
    environment = _environment(server)
    _step("Airflow's own database", lambda: _migrate(environment, server))
    before, told = _count_loads(server), _count_told(server)
    log = _step("The DAG cloud_costs", lambda: _run_dag("cloud_costs", environment, server))
    loaded = _count_loads(server) - before
    # Airflow runs it when a month was published.
    if loaded or not told:
        _step("The DAG cloud_costs_insights", lambda: _run_dag("cloud_costs_insights", environment, server))
    console.print("\n[bold]The plan of list_manifests[/bold]")
    for line in plan_lines(log):
        console.print(f"  {line}", markup=False)
    console.print(f"{loaded} month(s) loaded" if loaded else "Nothing new: no delivery changed, and none was loaded")
    with _reader(server) as connection:
        show.services(connection, console)
        agree = _reconcile(connection)
        agree = show.events(connection, console) and agree
        show.budgets(connection, console)
    told = _count_told(server) - told
    console.print(f"{told} line(s) told" if told else "Nothing told: there is no news")
    console.print(f"\nTook {time.monotonic() - began:.0f} s. What to try next:")
    for command, what in (
        ("make psql", "ask costs yourself: select service, sum(cost) from costs group by 1;"),
        ("make up", "see the costs in a browser, and the DAG and its run in the Airflow UI"),
        ("make demo", "once more: it loads nothing, because nothing changed"),
        ("make down", "stop everything; make clean removes it"),
    ):
        console.print(f"  {command:<10} {what}")
    raise typer.Exit(0 if agree else 1)


@app.command()
def up(port: Port = 8080) -> None:
    """Start the Costs page and the Airflow UI over the demo's database."""
    running = local_airflow.find(RUNNING)
    if not running:
        _step(f"Port {port} is free", lambda: local_airflow.require_free(port))
    server = _step("PostgreSQL 18 from its wheel", _start_postgres)
    _step("Sample bill: four billing exports of three clouds, three months each", _write_sample_bill)
    environment = _environment(server)
    _step("Airflow's own database", lambda: _migrate(environment, server))
    if running:
        console.print(f"Airflow runs already; its port is {running.port}")
    else:
        running = _step(
            "Airflow: API server, scheduler, DAG processor, triggerer",
            lambda: local_airflow.start(environment, port, RUNNING, LOGS / "airflow.log", lambda: _has_dags(server)),
        )
    password = json.loads(PASSWORDS.read_text())["admin"]
    address = f"http://127.0.0.1:{running.port}"
    console.print(f"\nCosts    {address}/cloud-costs/   user admin, password {password}")
    console.print(f"Airflow  {address}/dags/cloud_costs")
    console.print(f"Logs are in {LOGS.relative_to(ROOT)}; make down stops it.")


@app.command()
def down() -> None:
    """Stop Airflow and PostgreSQL; what was loaded stays."""
    if local_airflow.stop(RUNNING):
        console.print("Airflow stopped")
    if POSTGRES.exists() and embedded_postgres.stop(POSTGRES):
        console.print("PostgreSQL stopped")


@app.command()
def psql() -> None:
    """Open a shell on the demo's cost tables, as their reader."""
    server = _start_postgres()
    os.environ["PGOPTIONS"] = SEARCH_PATH
    os.execv(server.psql, [str(server.psql), "--dbname", costs_database.reader_uri(server)])  # noqa: S606  no shell


def _step(title: str, action: Callable[[], T]) -> T:
    began = time.monotonic()
    with console.status(title):
        try:
            result = action()
        except (embedded_postgres.EmbeddedPostgresError, RuntimeError, OSError) as error:
            console.print(f"[red]✗[/red] {title}")
            typer.echo(f"error: {error}", err=True)
            raise typer.Exit(1) from None
    console.print(f"[green]✓[/green] {title} ({time.monotonic() - began:.1f} s)")
    return result


def _start_postgres() -> Server:
    DEMO.mkdir(exist_ok=True)
    server = embedded_postgres.start(POSTGRES)
    for folder in server.opened:
        console.print(f"  PostgreSQL does not run as root: other users may now pass through {folder}")
    with psycopg.connect(server.uri(), autocommit=True) as connection:
        if not connection.execute("select 1 from pg_database where datname = %s", [AIRFLOW_DATABASE]).fetchone():
            connection.execute(sql.SQL("create database {}").format(sql.Identifier(AIRFLOW_DATABASE)))
        connection.execute(sql.SQL("revoke all on database {} from public").format(sql.Identifier(AIRFLOW_DATABASE)))
    costs_database.prepare(server)
    return server


def _write_sample_bill() -> None:
    """Write each export once. Its truth is written last, so an export that was interrupted is written again."""
    for name, export in EXPORTS.items():
        if not _truth_path(name).exists():
            write_truth(_truth_path(name), export.write(MONTHS, BUCKET))
    write_configuration(DEMO, BUCKET)


def _truth_path(name: str) -> Path:
    return DEMO / "truth" / f"{name}.json"


def _environment(server: Server) -> dict[str, str]:
    """Return the environment of every Airflow process of the demo."""
    AIRFLOW.mkdir(parents=True, exist_ok=True)
    LOGS.mkdir(exist_ok=True)
    if not PASSWORDS.exists():
        PASSWORDS.touch(mode=0o600)
        PASSWORDS.write_text(json.dumps({"admin": secrets.token_urlsafe(12)}))
    airflow_uri = server.uri(AIRFLOW_DATABASE).split("://", 1)[1]
    connection = {
        "conn_type": "postgres",
        "host": str(server.socket_dir),
        "port": server.port,
        "login": costs_database.LOADER,
        "schema": costs_database.NAME,
    }
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(NOT_INHERITED)}
    return inherited | {
        "PYTHONPATH": str(ROOT / "include"),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
        "CLOUD_COSTS_CONFIG": str(DEMO / "sources.yaml"),
        "AIRFLOW_HOME": str(AIRFLOW),
        "AIRFLOW_CONN_COSTS_DB": json.dumps(connection),
        "AIRFLOW_CONN_COSTS_READER": json.dumps(connection | {"login": costs_database.READER}),
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "false",
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(PASSWORDS),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"postgresql+psycopg2://{airflow_uri}",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(LOGS),
        # On a busy machine, the API server answers its first task after more than Airflow's own limit of 5 s. The task
        # would ask again, get the answer that it runs already, and lose a try.
        "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60",
        "NO_COLOR": "1",
        "NO_PROXY": "127.0.0.1,localhost",
    }


def _migrate(environment: dict[str, str], server: Server) -> None:
    """Make Airflow's tables; skipped when this version of Airflow made them already."""
    version = metadata.version("apache-airflow-core")
    with psycopg.connect(server.uri(AIRFLOW_DATABASE), autocommit=True) as connection:
        done = connection.execute(
            "select shobj_description(oid, 'pg_database') from pg_database where datname = %s", [AIRFLOW_DATABASE]
        ).fetchone()
        if done != (version,):
            _run_logged(["airflow", "db", "migrate"], environment, LOGS / "db-migrate.log")
            connection.execute(
                sql.SQL("comment on database {} is {}").format(sql.Identifier(AIRFLOW_DATABASE), sql.Literal(version))
            )


def _run_dag(dag_id: str, environment: dict[str, str], server: Server) -> str:
    """Run a DAG once and return its log, of which that of `list_manifests` is enough.

    It runs in a process of its own. When the UI is up, the scheduler there runs it, because two would take each other's
    tasks.
    """
    log = LOGS / f"demo-{dag_id}.log"
    if not local_airflow.find(RUNNING):
        _run_logged(["airflow", "dags", "test", dag_id], environment, log)
        return log.read_text(encoding="utf-8", errors="replace")
    run_id = f"demo__{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}"
    _run_logged(["airflow", "dags", "trigger", dag_id, "--run-id", run_id], environment, log)
    state = _wait_for_run(server, dag_id, run_id)
    folder = LOGS / f"dag_id={dag_id}" / f"run_id={run_id}"
    if state != "success":
        raise RuntimeError(f"the run {run_id} is {state}; its logs are in {folder}")
    attempts = sorted((folder / "task_id=list_manifests").glob("attempt=*.log"))
    return "".join(path.read_text(encoding="utf-8", errors="replace") for path in attempts[-1:])


def _wait_for_run(server: Server, dag_id: str, run_id: str) -> str:
    deadline = time.monotonic() + SECONDS_TO_RUN
    while time.monotonic() < deadline and local_airflow.find(RUNNING):
        with psycopg.connect(server.uri(AIRFLOW_DATABASE)) as connection:
            row = connection.execute(
                "select state from dag_run where dag_id = %s and run_id = %s", [dag_id, run_id]
            ).fetchone()
        if row and row[0] in ("success", "failed"):
            return str(row[0])
        time.sleep(0.5)
    return "not finished (is the DAG paused?)"


def _run_logged(command: list[str], environment: dict[str, str], log: Path) -> None:
    with log.open("wb") as output:
        result = subprocess.run(
            [local_airflow.PROGRAM, *command[1:]], env=environment, stdout=output, stderr=output, cwd=DEMO
        )
    if result.returncode:
        tail = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:])
        raise RuntimeError(f"{' '.join(command)} failed; the end of {log}:\n{tail}")


def plan_lines(log: str) -> list[str]:
    """Return the lines of the plan in a log: those of the plan's own logger.

    `airflow dags test` writes `2026-01-01T… [info     ] <line> [<logger>] loc=…`; a task's log file is JSON lines.
    """
    found = []
    for line in log.splitlines():
        if line.startswith("{"):
            with suppress(ValueError):
                entry = json.loads(line)
                if entry.get("logger") == PLAN_LOGGER:
                    found.append(str(entry["event"]).rstrip())
        elif match := PLAN_LINE.match(line):
            found.append(match[1].rstrip())
    return found


def _reader(server: Server) -> psycopg.Connection:
    """Connect as the reader, who may see only costs and the history."""
    return psycopg.connect(costs_database.reader_uri(server), options=SEARCH_PATH)


def _count_loads(server: Server) -> int:
    """Return how many loads there have been."""
    with _reader(server) as connection:
        known = connection.execute("select to_regclass('load_history')").fetchone()
        row = connection.execute("select count(*) from load_history").fetchone() if known and known[0] else None
    return int(row[0]) if row else 0


def _count_told(server: Server) -> int:
    with _reader(server) as connection:
        return show.count_told(connection)


def _reconcile(connection: psycopg.Connection) -> bool:
    """Compare costs with the truth that the sample bill's generator wrote, digit by digit."""
    truth = truth_totals({name: read_truth(_truth_path(name)) for name in EXPORTS})
    found = costs_totals(connection)
    if wrong := differing(found, truth):
        console.print(f"[red]costs and truth differ[/red] in {len(wrong)} of {len(truth)} totals, the first:")
        for key in wrong[:5]:
            console.print(f"  {key}: costs {found.get(key)}, truth {truth.get(key)}", markup=False)
        return False
    sums: defaultdict[str, Decimal] = defaultdict(Decimal)
    for key, amounts in truth.items():
        sums[key[5]] += amounts[0]
    total = ", ".join(f"{currency} {amount:,f}" for currency, amount in sorted(sums.items()))
    console.print(
        f"[green]costs and truth agree to the last digit[/green]: {total}, in {len(truth)} totals by source, month, "
        "service, account and charge category"
    )
    return True


def _has_dags(server: Server) -> bool:
    with psycopg.connect(server.uri(AIRFLOW_DATABASE)) as connection:
        rows = connection.execute("select distinct dag_id from serialized_dag").fetchall()
    return {dag_id for (dag_id,) in rows} >= set(DAGS)
