"""Airflow's processes on this machine, for `make up`. All are in one session, and end with its leader.

`airflow standalone` would also start servers for task logs, which listen on every interface of the machine, and its
children survive when it is killed. Here the API server listens on the loopback interface and reads the logs from disk.
"""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

PROGRAM = Path(sys.executable).parent / "airflow"
PROCESSES = (("api-server",), ("dag-processor",), ("triggerer", "--skip-serve-logs"))
SCHEDULER = ("scheduler", "--skip-serve-logs")
SECONDS_TO_START = 300
SECONDS_TO_STOP = 20


@dataclass(frozen=True)
class Airflow:
    """Airflow's processes: the leader of their session, when it started, and the port of the API server."""

    pid: int
    started: float
    port: int


def require_free(port: int) -> None:
    """Raise `RuntimeError` when the port cannot be listened on."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise RuntimeError(f"port {port}: {error.strerror}; choose another one, as in AIRFLOW_PORT=8081") from None


def start(environment: Mapping[str, str], port: int, file: Path, log: Path, ready: Callable[[], bool]) -> Airflow:
    """Start Airflow, write its process to `file`, and return when it answers and `ready` returns true.

    Raises `RuntimeError` when that takes too long or a process ends, after it has ended all of them.
    """
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "cloud_costs.demo.local_airflow", str(port)],
            env={**environment, **api_settings(port)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=file.parent,
            start_new_session=True,
        )
    running = Airflow(process.pid, psutil.Process(process.pid).create_time(), port)
    file.write_text(json.dumps(asdict(running)))
    try:
        deadline = time.monotonic() + SECONDS_TO_START
        while not (_is_healthy(port) and ready()):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"Airflow did not start on port {port}; its log is {log}")
            time.sleep(0.5)
    except BaseException:
        stop(file)
        raise
    return running


def api_settings(port: int) -> dict[str, str]:
    """Return the environment variables with the address of the API server, for the server and for every task.

    On a busy machine, its first answers take longer than the five seconds that a task waits by default. The task would
    fail, and be tried again a minute later.
    """
    return {
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
        "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60",
    }


def find(file: Path) -> Airflow | None:
    """Return the Airflow that `file` describes, if it still runs. Another process may have its process id by now."""
    with suppress(FileNotFoundError, ValueError, TypeError, psutil.NoSuchProcess):
        found = Airflow(**json.loads(file.read_text()))
        # psutil computes the time from the time of boot, which a corrected clock moves by a second.
        if abs(psutil.Process(found.pid).create_time() - found.started) < 2 and _session(found.pid):
            return found
    return None


def stop(file: Path) -> bool:
    """End every process of the Airflow that `file` describes; tell whether there was any."""
    running = find(file)
    if running:
        for end, seconds in ((psutil.Process.terminate, SECONDS_TO_STOP), (psutil.Process.kill, 5)):
            for process in _session(running.pid):
                with suppress(psutil.NoSuchProcess):
                    end(process)
            deadline = time.monotonic() + seconds
            while _session(running.pid) and time.monotonic() < deadline:
                time.sleep(0.1)
    file.unlink(missing_ok=True)
    return running is not None


def _session(leader: int) -> list[psutil.Process]:
    """Return the live processes of a session. Running tasks are in the session too, but have other process groups."""
    found = []
    for process in psutil.process_iter(["status"]):
        with suppress(ProcessLookupError, PermissionError):
            if os.getsid(process.pid) == leader and process.info["status"] != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def _is_healthy(port: int) -> bool:
    """Return whether the API server answers, and reports the other processes as healthy."""
    # No proxy: the environment may name one that does not know this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with suppress(urllib.error.URLError, ConnectionError, TimeoutError, ValueError):
        with opener.open(f"http://127.0.0.1:{port}/api/v2/monitor/health", timeout=5) as answer:
            health = json.load(answer)
        return all(health[part]["status"] == "healthy" for part in ("metadatabase", "scheduler", "dag_processor"))
    return False


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def main(port: int) -> int:
    """Run Airflow's processes; when one of them ends, end the others.

    The scheduler comes last: a task that it starts before the API server listens fails, to be tried again in a minute.
    """
    children = [subprocess.Popen([PROGRAM, *arguments]) for arguments in PROCESSES]
    while not _listens(port) and all(child.poll() is None for child in children):
        time.sleep(0.2)
    children.append(subprocess.Popen([PROGRAM, *SCHEDULER]))
    while all(child.poll() is None for child in children):
        time.sleep(0.5)
    for child in children:
        child.terminate()
    return 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
