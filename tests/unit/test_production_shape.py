"""
What can be said of the Docker files without an engine: that they are valid, complete, and safe by default.

Each rule is a function that returns what breaks it, so that it is also tried on a file that does.
"""

from __future__ import annotations

import itertools
import json
import re
import runpy
import subprocess
import sys
from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = ROOT / "docker-compose.yaml"
ENTRYPOINT = runpy.run_path(str(ROOT / "docker" / "entrypoint.py"))

VARIABLE = re.compile(r"(?<!\$)\$\{(\w+)(?::?([-?+])([^}]*))?\}")
ASSIGNMENT = re.compile(r"^([A-Z0-9_]+)=(.*)$")
SECRET = re.compile(r"PASSWORD|SECRET|TOKEN|FERNET|REDISCLI_AUTH|ACCESS_KEY|_CONN")
AWKWARD = "p@ss/%41:\"q'$HOME {x} #\\ü"

Compose = dict[str, Any]


@pytest.fixture
def compose() -> Compose:
    loaded: Compose = yaml.safe_load(COMPOSE.read_text())
    return loaded


# --- the rules


def waits(compose: Compose) -> list[tuple[str, str, str]]:
    """Return every (service, service waited for, condition)."""
    found = []
    for name, service in compose["services"].items():
        others = service.get("depends_on", {})
        if isinstance(others, list):
            others = {other: {"condition": "service_started"} for other in others}
        found += [(name, other, wait["condition"]) for other, wait in others.items()]
    return found


def is_one_shot(name: str, compose: Compose) -> bool:
    """A service that others wait for to complete, and that nothing restarts."""
    completes = {other for _, other, condition in waits(compose) if condition == "service_completed_successfully"}
    return name in completes and compose["services"][name].get("restart") == "no"


def without_health_check(compose: Compose) -> list[str]:
    return [
        name
        for name, service in compose["services"].items()
        if not service.get("healthcheck", {}).get("test") and not is_one_shot(name, compose)
    ]


def without_restart(compose: Compose) -> list[str]:
    return [
        name
        for name, service in compose["services"].items()
        if service.get("restart") not in {"always", "unless-stopped"} and not is_one_shot(name, compose)
    ]


def started_before_ready(compose: Compose) -> list[str]:
    return [f"{name} on {other}" for name, other, condition in waits(compose) if condition == "service_started"]


def with_too_many_rights(compose: Compose) -> list[str]:
    return [
        name
        for name, service in compose["services"].items()
        if service.get("privileged")
        or service.get("cap_add")
        or service.get("network_mode") == "host"
        or re.match(r"(root|0)(:|$)", str(service.get("user", "")))
        or "no-new-privileges:true" not in service.get("security_opt", [])
        or "docker.sock" in str(service.get("volumes", ""))
    ]


def with_capabilities(compose: Compose) -> list[str]:
    """PostgreSQL's image needs some to hand its folder over to the user that it then becomes."""
    return [
        name
        for name, service in compose["services"].items()
        if "ALL" not in service.get("cap_drop", []) and not service["image"].startswith("postgres:")
    ]


def unable_to_scale(compose: Compose) -> list[str]:
    """A fixed name, or a published port, is one container's only."""
    worker = compose["services"]["airflow-worker"]
    return [key for key in ("container_name", "hostname", "ports") if key in worker]


def ports_beyond_loopback(compose: Compose) -> list[str]:
    return [
        f"{name}: {port}"
        for name, service in compose["services"].items()
        for port in service.get("ports", [])
        if (port.get("host_ip") if isinstance(port, dict) else str(port).split(":")[0]) not in {"127.0.0.1", "[::1]"}
    ]


def literal_secrets(compose: Compose) -> list[str]:
    """A secret is one required variable, or an optional one without a default; never text of its own."""
    found = []
    for name, service in compose["services"].items():
        for key, value in service.get("environment", {}).items():
            if SECRET.search(key):
                variable = VARIABLE.fullmatch(str(value))
                if not variable or (variable[2], bool(variable[3])) not in {("?", True), ("-", False)}:
                    found.append(f"{name}: {key}={value}")
    return found


def undescribed_variables(compose_text: str, example: str) -> set[str]:
    """Return the variables that only one of the two files knows."""
    used = {match[1] for match in VARIABLE.finditer(compose_text)}
    described = {match[1] for line in example.splitlines() if (match := ASSIGNMENT.match(line))}
    return used ^ described


def variables_without_comment(example: str) -> list[str]:
    lines = ["", *example.splitlines()]
    return [
        match[1]
        for above, line in itertools.pairwise(lines)
        if (match := ASSIGNMENT.match(line)) and not above.startswith("# ")
    ]


def secrets_with_value(example: str) -> list[str]:
    assignments = (ASSIGNMENT.match(line) for line in example.splitlines())
    return [match[1] for match in assignments if match and SECRET.search(match[1]) and match[2]]


def differing_defaults(compose_text: str, example: str) -> list[str]:
    """What `.env.example` sets is what holds when the line is removed."""
    defaults = {match[1]: match[3] for match in VARIABLE.finditer(compose_text) if match[2] == "-"}
    values = {match[1]: match[2].strip("'") for line in example.splitlines() if (match := ASSIGNMENT.match(line))}
    return [name for name, default in defaults.items() if values.get(name) != default]


# --- the files keep them


@pytest.mark.parametrize(
    "rule",
    [
        without_health_check,
        without_restart,
        started_before_ready,
        with_too_many_rights,
        with_capabilities,
        unable_to_scale,
        ports_beyond_loopback,
        literal_secrets,
    ],
)
def test_compose_keeps(rule: Callable[[Compose], list[str]], compose: Compose) -> None:
    assert rule(compose) == []


def test_compose_is_valid() -> None:
    checked = check_schema(COMPOSE)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_compose_has_every_part_of_airflow(compose: Compose) -> None:
    commands = [service.get("command") for service in compose["services"].values()]
    for part in ("api-server", "scheduler", "dag-processor", "triggerer", "celery worker"):
        assert part in commands


def test_pool_of_the_loads_is_made_before_anything_runs(compose: Compose) -> None:
    init = (ROOT / "docker/init.sh").read_text()
    assert re.search(r'^airflow pools set "\$\{LOAD_POOL\}" "\$\{LOAD_SLOTS\}" ".+"$', init, re.MULTILINE)
    assert compose["services"]["airflow-init"]["environment"]["LOAD_SLOTS"]
    airflow = [service for name, service in compose["services"].items() if name.startswith("airflow-")]
    assert len({service["environment"]["LOAD_POOL"] for service in airflow}) == 1


def test_compose_keeps_the_data_of_postgres(compose: Compose) -> None:
    # https://github.com/docker-library/postgres/pull/1259: from 18 on, the data is not in …/data.
    service = compose["services"]["postgres"]
    assert int(service["image"].removeprefix("postgres:").split(".")[0]) >= 18
    assert "postgres-data:/var/lib/postgresql" in service["volumes"]
    assert "postgres-data" in compose["volumes"]


def test_every_file_that_compose_mounts_exists(compose: Compose) -> None:
    mounted = {
        volume.split(":")[0]
        for service in compose["services"].values()
        for volume in service.get("volumes", [])
        if volume.startswith("./")
    }
    assert mounted
    assert [path for path in mounted if not (ROOT / path).exists()] == []


def test_every_variable_is_described() -> None:
    example = (ROOT / ".env.example").read_text()
    text = COMPOSE.read_text()
    assert undescribed_variables(text, example) == set()
    assert variables_without_comment(example) == []
    assert secrets_with_value(example) == []
    assert differing_defaults(text, example) == []


def test_image_is_the_airflow_and_python_of_the_requirements() -> None:
    pinned = re.search(r"^apache-airflow==(\S+)$", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    image = re.search(r"^FROM apache/airflow:slim-(\S+)-python(\S+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert pinned
    assert image
    assert image[1] == pinned[1]
    assert image[2] == "3.11"


def test_image_has_the_versions_of_the_tests() -> None:
    tests, image, chosen = (
        dict(re.findall(r"^([\w.-]+)==([\w.]+)", (ROOT / path).read_text(), re.MULTILINE))
        for path in ("constraints.txt", "docker/constraints.txt", "docker/requirements.txt")
    )
    assert "apache-airflow-providers-celery" in chosen
    assert {"apache-airflow", "pyarrow", "psycopg"} <= image.keys()
    assert {name: tests[name] for name in tests.keys() & image if tests[name] != image[name]} == {}
    assert {name: image.get(name) for name in chosen} == chosen


def test_image_does_not_run_as_root() -> None:
    users = re.findall(r"^USER (\S+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert users
    assert users[-1].split(":")[0] not in {"root", "0"}


def test_image_copies_what_exists_and_what_may_enter() -> None:
    allowed = {line[1:].rstrip("/") for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] == "!"}
    copies = re.findall(r"^COPY (?:--\S+ )*(.+) \S+$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    sources = {source for copied in copies for source in copied.split()}
    named = {source for source in sources if "[" not in source}
    assert [source for source in named if not (ROOT / source).exists()] == []
    assert [source for source in named if source.split("/")[0] not in allowed] == []
    for needed in ("requirements.txt", "docker/", "dags/", "include/", "plugins/"):
        assert needed.rstrip("/") in allowed
        assert any(fnmatch(needed, source) or fnmatch(needed.rstrip("/"), source) for source in sources), needed


def test_build_context_holds_nothing_by_default() -> None:
    rules = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]
    assert rules[0] == "*"
    assert not {rule for rule in rules if rule.startswith("!.")}


def test_shell_scripts_parse() -> None:
    scripts = sorted((ROOT / "docker").glob("*.sh"))
    assert scripts
    for script in scripts:
        checked = subprocess.run(["bash", "-n", script], capture_output=True, text=True, check=False)
        assert checked.returncode == 0, checked.stderr


# --- the entrypoint


def complete(**environment: str) -> dict[str, str]:
    given = {
        "AIRFLOW_DB_PASSWORD": AWKWARD,
        "REDIS_PASSWORD": AWKWARD,
        "POSTGRES_HOST": "db.example.com",
        "POSTGRES_PORT": "5433",
        "POSTGRES_DB": "costs",
        "POSTGRES_USER": "loader",
        "POSTGRES_PASSWORD": AWKWARD,
    }
    completed: dict[str, str] = ENTRYPOINT["complete"](given | environment)
    return completed


@pytest.mark.parametrize(
    "name",
    ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "AIRFLOW__CELERY__RESULT_BACKEND", "AIRFLOW__CELERY__BROKER_URL"],
)
def test_any_password_survives_a_url(name: str) -> None:
    url = complete()[name]
    assert unquote(urlsplit(url).password or "") == AWKWARD
    # Airflow expands $NAME in its settings.
    assert "$" not in url


def test_costs_db_is_made_of_the_postgres_variables() -> None:
    assert json.loads(complete()["AIRFLOW_CONN_COSTS_DB"]) == {
        "conn_type": "postgres",
        "host": "db.example.com",
        "port": 5433,
        "schema": "costs",
        "login": "loader",
        "password": AWKWARD,
    }


def test_aws_default_without_keys_is_the_default_chain() -> None:
    completed = complete(AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="", AWS_REGION="eu-west-1")
    assert json.loads(completed["AIRFLOW_CONN_AWS_DEFAULT"]) == {
        "conn_type": "aws",
        "extra": {"region_name": "eu-west-1"},
    }
    assert "AWS_ACCESS_KEY_ID" not in completed


def test_aws_default_takes_the_keys() -> None:
    connection = json.loads(
        complete(AWS_ACCESS_KEY_ID="AKIA", AWS_SECRET_ACCESS_KEY=AWKWARD)["AIRFLOW_CONN_AWS_DEFAULT"]
    )
    assert (connection["login"], connection["password"]) == ("AKIA", AWKWARD)


def test_half_a_key_is_refused() -> None:
    with pytest.raises(SystemExit, match="both AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"):
        complete(AWS_ACCESS_KEY_ID="AKIA")


def test_missing_password_is_refused_by_name() -> None:
    with pytest.raises(SystemExit, match="REDIS_PASSWORD is not set"):
        complete(REDIS_PASSWORD="")


def test_a_connection_of_ones_own_wins() -> None:
    own = '{"conn_type": "postgres", "extra": {"sslmode": "verify-full"}}'
    assert complete(AIRFLOW_CONN_COSTS_DB=own)["AIRFLOW_CONN_COSTS_DB"] == own


def test_every_optional_variable_can_be_left_out() -> None:
    defaults = {match[1]: match[3] for match in VARIABLE.finditer(COMPOSE.read_text()) if match[2] == "-"}
    # Of the image, and of Grafana, not of Airflow's environment.
    for name in ("CLOUDS", "GRAFANA_ADMIN_PASSWORD", "POSTGRES_READER_PASSWORD"):
        del defaults[name]
    assert set(ENTRYPOINT["OPTIONAL"]) == {name for name, default in defaults.items() if not default}


# --- the rules can fail


def test_schema_refuses_an_unknown_key(tmp_path: Path) -> None:
    broken = tmp_path / "docker-compose.yaml"
    broken.write_text("services: {redis: {image: redis, healtcheck: {}}}\n")
    assert check_schema(broken).returncode != 0


@pytest.mark.parametrize(
    ("rule", "service", "change"),
    [
        (without_health_check, "redis", {"healthcheck": {}}),
        (without_health_check, "airflow-init", {"restart": "always"}),
        (without_restart, "redis", {"restart": "no"}),
        (started_before_ready, "airflow-worker", {"depends_on": ["redis"]}),
        (with_too_many_rights, "redis", {"user": "0:0"}),
        (with_too_many_rights, "redis", {"privileged": True}),
        (with_too_many_rights, "redis", {"security_opt": []}),
        (with_capabilities, "redis", {"cap_drop": []}),
        (with_capabilities, "airflow-worker", {"cap_drop": ["NET_RAW"]}),
        (unable_to_scale, "airflow-worker", {"hostname": "worker"}),
        (ports_beyond_loopback, "redis", {"ports": ["6379:6379"]}),
        (ports_beyond_loopback, "redis", {"ports": ["0.0.0.0:6379:6379"]}),
        (ports_beyond_loopback, "redis", {"ports": [{"target": 6379, "published": "6379"}]}),
        (literal_secrets, "redis", {"environment": {"REDIS_PASSWORD": "secret"}}),
        (literal_secrets, "redis", {"environment": {"REDIS_PASSWORD": "${REDIS_PASSWORD:-secret}"}}),
        (literal_secrets, "redis", {"environment": {"REDIS_PASSWORD": "${REDIS_PASSWORD}"}}),
    ],
)
def test_rule_finds(
    rule: Callable[[Compose], list[str]], service: str, change: dict[str, object], compose: Compose
) -> None:
    compose["services"][service] |= change
    assert rule(compose) != []


def test_rules_on_variables_find() -> None:
    assert undescribed_variables("a: ${USED}\nb: $${HOSTNAME}", "# Described.\nDESCRIBED=\n") == {
        "USED",
        "DESCRIBED",
    }
    assert variables_without_comment("# A sentence.\nFIRST=\nSECOND=\n") == ["SECOND"]
    assert secrets_with_value("REDIS_PASSWORD=secret\nLOG_LEVEL=INFO\n") == ["REDIS_PASSWORD"]
    assert differing_defaults("${LOG_LEVEL:-INFO}", "LOG_LEVEL=DEBUG\n") == ["LOG_LEVEL"]


def check_schema(path: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
