"""`page`: how long people wait for the Costs page, with the tables of `queries` behind the real API server.

One process of Airflow's API server, with its login and its metadata in PostgreSQL, on the same two cores as the server
of the costs and as those who ask. Each view is asked with other months each time, over one kept connection, from the
first byte of the request to the last of the answer. The page keeps answers until the next publication, so each address
is made another one by a parameter that means nothing: what is timed is computed. Then 20 people click at once, without
a pause, on addresses as they are. Last, a Chromium without a cache opens the overview and explore, where Chromium is
installed.
"""

import http.client
import json
import os
import random
import secrets
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlencode

import psycopg
import yaml

from benchmarks.queries import MONTHS, SCHEMA, SOURCES, filled
from benchmarks.results import ROOT, Options, Result
from benchmarks.sample import MONTH
from cloud_costs.demo import local_airflow
from cloud_costs.months import month_label, next_month

METADATA = "bench_page"
PREFIX = "/cloud-costs/api/"
REPEATS, WARM = 40, 3
PEOPLE, CLICKS = 20, 15
SECONDS_TO_START = 180
NOT_INHERITED = ("AIRFLOW", "AWS_", "CLOUD_COSTS_", "PG", "POSTGRES_")
# Parallel workers have the name of their leader's application, and are no connections.
CONNECTIONS = """
    select count(*) from pg_stat_activity
    where application_name = 'cloud_costs_page' and backend_type = 'client backend'
"""
IMPORT = """
import importlib.util, sys, time
import airflow.plugins_manager
began = time.perf_counter()
spec = importlib.util.spec_from_file_location("cloud_costs_page", sys.argv[1])
spec.loader.exec_module(importlib.util.module_from_spec(spec))
print((time.perf_counter() - began) * 1000)
"""
PAINTS = 5
BROWSER = ("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")
PAINTED = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
# The frame after the costs were put into the page is painted when its own callback asks for another one.
SHOWN = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now()))))"
Draw = random.Random


@dataclass(frozen=True)
class View:
    """A question that the page asks: what it is of, its address for drawn months, and its bar in milliseconds."""

    title: str
    address: Callable[[Draw], str]
    at_most: float = 100


def month_of(number: int) -> date:
    """Return the month that is so many months after the first one of the tables."""
    month = MONTH
    for _ in range(number):
        month = next_month(month)
    return month


def _range(draw: Draw, months: int) -> dict[str, str]:
    first = draw.randrange(MONTHS - months + 1)
    last = month_of(first + months) - timedelta(days=1)
    return {"from": str(month_of(first)), "to": str(last)}


def _explore(months: int, *groups: str, **more: str) -> Callable[[Draw], str]:
    def address(draw: Draw) -> str:
        return f"explore?{urlencode({**_range(draw, months), 'group': groups, **more}, doseq=True)}"

    return address


def _months(draw: Draw, months: int) -> str:
    found = _range(draw, months)
    return urlencode({"from": found["from"][:7], "to": found["to"][:7]})


def _charges(draw: Draw) -> str:
    # The lines of the other months are emptied.
    service = draw.choice(("Amazon Elastic Compute Cloud", "Amazon Simple Storage Service", "AWS Lambda"))
    end = next_month(MONTH) - timedelta(days=1)
    wanted = {"from": str(MONTH), "to": str(end), "filter": [f"source:{draw.choice(SOURCES)}", f"service:{service}"]}
    return f"charges?{urlencode(wanted, doseq=True)}"


def _changes(draw: Draw) -> str:
    month = month_label(month_of(draw.randrange(MONTHS)))
    return f"changes?{urlencode({'source': draw.choice(SOURCES), 'billing_period': month})}"


VIEWS = (
    View("context", lambda draw: "context"),
    View("overview", lambda draw: "overview"),
    View("a month by service and day", _explore(1, "service")),
    View("a quarter by account and day", _explore(3, "account_id")),
    View("a quarter by account and service", _explore(3, "account_id", "service", per="month")),
    View("a month by region", _explore(1, "region", compare="none")),
    View("a month by tag", _explore(1, "tag:user%3Ateam", compare="none")),
    View("36 months by day", _explore(MONTHS), at_most=50),
    View("36 months by service and month", _explore(MONTHS, "service", per="month", dates="billing")),
    View("months", lambda draw: "months"),
    View("changes of a month", _changes),
    View("a load", lambda draw: f"loads/{draw.randrange(1, MONTHS * len(SOURCES) + 1)}"),
    View("commitments of a month", lambda draw: f"commitments?{_months(draw, 1)}"),
    View("commitments of 36 months", lambda draw: f"commitments?{_months(draw, MONTHS)}"),
    View("the first 200 charges", _charges),
)


class Client:
    """A person's browser: one kept connection, and a login."""

    def __init__(self, port: int, token: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self._headers = {"Authorization": f"Bearer {token}", "Accept-Encoding": "gzip"}

    def ask(self, address: str) -> float:
        """Ask the page's API, and return the milliseconds until the answer was there."""
        began = time.perf_counter()
        self._connection.request("GET", PREFIX + address, headers=self._headers)
        answer = self._connection.getresponse()
        content = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{address}: {answer.status} {content[:300]!r}")
        return (time.perf_counter() - began) * 1000


def run(options: Options) -> list[Result]:
    """Time every view, and all of them with 20 people at once."""
    with (
        filled(options) as (_, rows),
        TemporaryDirectory(dir=options.work) as folder,
        _api_server(options, Path(folder)) as (port, token),
    ):
        note = f"p95 of {REPEATS}; {rows:,} rows in costs"
        results = [_time(Client(port, token), view, note) for view in VIEWS]
        return [
            *results,
            _slowest(results),
            *_crowd(options, port, token),
            *_first_paint(port, token),
            _plugin(Path(folder)),
        ]


def _time(client: Client, view: View, note: str) -> Result:
    draw = random.Random(1)  # noqa: S311  the same months each time
    taken = [client.ask(_another(view.address(draw), number)) for number in range(WARM + REPEATS)][WARM:]
    note = f"{note}; median {median(taken):.0f} ms"
    return Result(f"page: {view.title}", p95(taken), "ms", at_most=view.at_most, note=note, details={"runs": taken})


def _slowest(views: Sequence[Result]) -> Result:
    slowest = max(views, key=lambda one: one.value)
    note = f"{slowest.name.removeprefix('page: ')}; {slowest.note}"
    return replace(slowest, name=f"page: the slowest of {len(views)} views", note=note, headline=True, details={})


def _another(address: str, number: int) -> str:
    return f"{address}{'&' if '?' in address else '?'}n={number}"


def p95(values: list[float]) -> float:
    """Return the 95th percentile."""
    return sorted(values)[int(len(values) * 0.95)]


def _crowd(options: Options, port: int, token: str) -> list[Result]:
    """Let people click at once, and count the connections that the page has meanwhile."""
    most, over = [0], threading.Event()

    def count() -> None:
        with psycopg.connect(options.server.uri(), autocommit=True) as connection:
            while not over.wait(0.05):
                row = connection.execute(CONNECTIONS).fetchone()
                most[0] = max(most[0], row[0] if row else 0)

    def person(number: int) -> list[float]:
        draw = random.Random(number)  # noqa: S311  the same clicks each time
        client = Client(port, token)
        return [client.ask(draw.choice(VIEWS).address(draw)) for _ in range(CLICKS)]

    watcher = threading.Thread(target=count)
    watcher.start()
    try:
        with ThreadPoolExecutor(PEOPLE) as pool:
            taken = [one for clicks in pool.map(person, range(PEOPLE)) for one in clicks]
    finally:
        over.set()
        watcher.join()
    note = f"p95 of {len(taken)} clicks, without a pause; median {median(taken):.0f} ms"
    title = f"page: {PEOPLE} people at once"
    return [
        Result(title, p95(taken), "ms", at_most=500, note=note, headline=True, details={"runs": taken}),
        Result("page: connections meanwhile", most[0], "", at_most=10),
    ]


def _first_paint(port: int, token: str) -> list[Result]:
    """Time how long a browser that has nothing in its cache takes to paint, and until it shows the costs."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if not program:
        return []
    from playwright.sync_api import sync_playwright

    address = f"http://127.0.0.1:{port}"
    painted, shown = [], []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=BROWSER)
        for path in ("", "explore") * PAINTS:
            context = browser.new_context(viewport={"width": 1280, "height": 800})
            context.add_cookies([{"name": "_token", "value": token, "url": address}])
            page = context.new_page()
            page.goto(f"{address}/cloud-costs/{path}")
            page.wait_for_selector("#content:not([aria-busy=true])")
            shown.append(float(page.evaluate(SHOWN)))
            painted.append(float(page.evaluate(PAINTED)))
            context.close()
        browser.close()
    note = f"median of {len(painted)}, nothing cached; the costs are shown after {median(shown):.0f} ms"
    details = {"painted": painted, "shown": shown}
    return [Result("page: first paint", median(painted), "ms", at_most=1000, note=note, details=details)]


def _plugin(folder: Path) -> Result:
    """Time the import of the plugin in a process that has imported Airflow."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "include"), "AIRFLOW_HOME": str(folder)}
    command = [sys.executable, "-c", IMPORT, str(ROOT / "plugins" / "cloud_costs_page.py")]
    taken = [
        float(
            subprocess.run(
                command, env=environment, capture_output=True, text=True, check=True, cwd=folder
            ).stdout.splitlines()[-1]
        )
        for _ in range(3)
    ]
    return Result("page: import of the plugin", median(taken), "ms", at_most=50, details={"runs": taken})


@contextmanager
def _api_server(options: Options, folder: Path) -> Iterator[tuple[int, str]]:
    """Run Airflow's API server, and return its port and a token."""
    with psycopg.connect(options.server.uri(), autocommit=True) as connection:
        connection.execute(f'drop database if exists "{METADATA}" with (force)')
        connection.execute(f'create database "{METADATA}"')
    password = secrets.token_urlsafe(12)
    (folder / "passwords.json").write_text(json.dumps({"admin": password}))
    source = {"name": SOURCES[0], "format": "aws_cur", "uri": "file:///nowhere/", "tags": ["user:team"]}
    (folder / "sources.yaml").write_text(yaml.safe_dump({"sources": [source]}))
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = int(unused.getsockname()[1])
    environment = _environment(options, folder, port)
    program = local_airflow.PROGRAM
    subprocess.run([program, "db", "migrate"], env=environment, check=True, stdout=subprocess.DEVNULL, cwd=folder)
    with (folder / "api-server.log").open("wb") as log:
        server = subprocess.Popen([program, "api-server"], env=environment, stdout=log, stderr=log, cwd=folder)
    try:
        yield port, _token(server, port, password)
    finally:
        server.terminate()
        server.wait()
        with psycopg.connect(options.server.uri(), autocommit=True) as connection:
            connection.execute(f'drop database "{METADATA}" with (force)')


def _token(server: "subprocess.Popen[bytes]", port: int, password: str) -> str:
    """Log in as soon as the server answers."""
    body = json.dumps({"username": "admin", "password": password})
    deadline = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < deadline and server.poll() is None:
        with suppress(OSError):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            connection.request("POST", "/auth/token", body, {"Content-Type": "application/json"})
            found: Any = json.loads(connection.getresponse().read())
            return str(found["access_token"])
        time.sleep(0.5)
    raise RuntimeError("the API server did not start")


def _environment(options: Options, folder: Path, port: int) -> dict[str, str]:
    server = options.server
    costs = {"conn_type": "postgres", "host": str(server.socket_dir), "port": server.port, "login": "postgres"}
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(NOT_INHERITED)}
    return inherited | {
        "PYTHONPATH": str(ROOT / "include"),
        "CLOUD_COSTS_CONFIG": str(folder / "sources.yaml"),
        "POSTGRES_SCHEMA": SCHEMA,
        "AIRFLOW_HOME": str(folder),
        "AIRFLOW_CONN_COSTS_READER": json.dumps({**costs, "schema": "postgres"}),
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(folder / "passwords.json"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": server.uri(METADATA).replace("://", "+psycopg2://", 1),
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(folder / "logs"),
        **local_airflow.api_settings(port),
    }
