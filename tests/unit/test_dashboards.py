"""The dashboards for Grafana: as generated, complete, and leading somewhere; their provisioning keeps no secret.

`tests/integration/test_grafana.py` runs their SQL.
"""

import json
import re
import subprocess
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml
from grafana import ROOT, VARIABLE, documents, panels, statements, variables

from dashboards.__main__ import files
from dashboards.sql import in_schema

FOLDER = ROOT / "dashboards/grafana"
DOCUMENTS = documents()


def links(value: Any) -> list[str]:
    """Return every address in a dashboard."""
    if isinstance(value, dict):
        found = [one for key, item in value.items() if key != "url" for one in links(item)]
        return found + ([value["url"]] if value.get("url") else [])
    return [one for item in value for one in links(item)] if isinstance(value, list) else []


def test_files_are_what_the_generator_writes() -> None:
    written = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.json")}
    assert written == files(), "run make dashboards"
    assert len(written) == 5


def test_another_schema_and_address_of_airflow_reach_every_place() -> None:
    for text in files("https://airflow.example.com", 'my "costs"').values():
        assert "cost_analytics" not in text
        assert "localhost" not in text
    assert in_schema("from cost_analytics.costs", "costs") == 'from "costs".costs'


@pytest.mark.parametrize("name", DOCUMENTS)
def test_panels_have_a_title_a_description_and_a_place_of_their_own(name: str) -> None:
    found = panels(DOCUMENTS[name])
    assert len({panel["id"] for panel in found}) == len(found)
    for panel in found:
        assert panel["type"] in ("row", "text") or (panel["title"] and panel["description"]), panel["title"]
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
    for one, other in combinations([panel["gridPos"] for panel in found], 2):
        apart = (
            one["x"] + one["w"] <= other["x"]
            or other["x"] + other["w"] <= one["x"]
            or one["y"] + one["h"] <= other["y"]
            or other["y"] + other["h"] <= one["y"]
        )
        assert apart, (one, other)


def test_names_of_dashboards_and_titles_of_panels_are_unique() -> None:
    assert len({document["uid"] for document in DOCUMENTS.values()}) == len(DOCUMENTS)
    named = [(statement.dashboard, statement.title) for statement in statements()]
    assert len(named) == len(set(named))


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_variable_that_is_used_is_defined_before_and_quoted(name: str) -> None:
    known = variables(DOCUMENTS[name])
    seen: list[str] = []
    for variable in known.values():
        if variable["type"] == "query":
            assert {match[1] or match[2] for match in VARIABLE.finditer(variable["query"])} <= {*seen, *BUILT_IN}
        seen.append(variable["name"])
    used = {match[1] or match[2] for match in VARIABLE.finditer(json.dumps(DOCUMENTS[name]))}
    assert used - set(BUILT_IN) == set(seen)
    for statement in (*(one.sql for one in statements() if one.dashboard == name), *queries(name)):
        for match in VARIABLE.finditer(statement):
            # A value without quotes, or in quotes of the statement's own, could end the statement.
            assert (match[1] or match[2]) in BUILT_IN or match[3] == "sqlstring", match[0]


BUILT_IN = ("__all", "__from", "__to", "__data", "__interval", "__timeFilter", "__timeFrom", "__timeTo", "__timeGroup")


def queries(name: str) -> list[str]:
    return [one["query"] for one in variables(DOCUMENTS[name]).values() if one["type"] == "query"]


# Pages of one row of a table, and the column that names it.
ROWS = {"loads": "Load", "anomalies": "Anomaly"}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_lead_to_the_costs_page(name: str) -> None:
    found = links(DOCUMENTS[name])
    assert len(found) > 3
    pages = ["", "explore", "commitments", "months", "changes", "anomalies", "budgets"]
    pages += [rf"{one}/\$\{{__data\.fields\.{name}:percentencode\}}" for one, name in ROWS.items()]
    for link in found:
        assert re.fullmatch(rf"\$\{{airflow\}}/cloud-costs/({'|'.join(pages)})(\?.*)?", link), link


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_read_columns_that_their_panel_has(name: str) -> None:
    for panel in panels(DOCUMENTS[name]):
        for link in links(panel):
            for column in re.findall(r"__data\.fields\.(\w+)", link):
                sql = panel["targets"][0]["rawSql"]
                assert f'as "{column}"' in sql or f"as {column}\n" in sql, (panel["title"], column)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_columns_with_a_unit_are_columns_of_the_panel(name: str) -> None:
    for panel in panels(DOCUMENTS[name]):
        for override in panel.get("fieldConfig", {}).get("overrides", ()):
            sql = panel["targets"][0]["rawSql"]
            column = override["matcher"]["options"]
            assert f'as "{column}"' in sql or f"as {column}\n" in sql, (panel["title"], column)


# --- provisioning


def provisioned(kind: str) -> dict[str, Any]:
    text = (FOLDER / "provisioning" / kind / "cloud-costs.yaml").read_text(encoding="utf-8")
    loaded: dict[str, Any] = yaml.safe_load(text)
    return loaded


def grafana() -> dict[str, Any]:
    compose = yaml.safe_load((ROOT / "docker-compose.yaml").read_text(encoding="utf-8"))
    service: dict[str, Any] = compose["services"]["grafana"]
    return service


def test_data_source_reads_as_the_reader_with_a_password_of_the_environment() -> None:
    (source,) = provisioned("datasources")["datasources"]
    assert source["user"] == "${POSTGRES_READER}"
    assert source["secureJsonData"] == {"password": "${POSTGRES_READER_PASSWORD}"}
    assert source["jsonData"]["postgresVersion"] == 1800
    assert source["jsonData"]["sslmode"] == "${POSTGRES_SSLMODE}"
    given = grafana()["environment"]
    assert given["POSTGRES_READER"] == "${POSTGRES_SCHEMA:-cost_analytics}_reader"
    used = set(re.findall(r"\$\{(\w+)\}", json.dumps(source)))
    assert used <= given.keys()
    # The dashboards choose it by this name.
    for document in DOCUMENTS.values():
        assert variables(document)["datasource"]["current"]["value"] == source["uid"]


def test_dashboards_are_provided_from_the_folder_that_compose_mounts() -> None:
    (provider,) = provisioned("dashboards")["providers"]
    mounted = dict(volume.removesuffix(":ro").split(":")[:2] for volume in grafana()["volumes"])
    assert mounted["./dashboards/grafana"] == provider["options"]["path"]
    assert mounted["./dashboards/grafana/provisioning"] == "/etc/grafana/provisioning"


def test_grafana_starts_only_when_asked_for_and_lets_nobody_in_without_a_login() -> None:
    service = grafana()
    assert service["profiles"] == ["grafana"]
    assert service["environment"]["GF_AUTH_ANONYMOUS_ENABLED"] == "false"
    assert service["environment"]["GF_USERS_ALLOW_SIGN_UP"] == "false"


@pytest.mark.parametrize("missing", ["GRAFANA_ADMIN_PASSWORD", "POSTGRES_READER_PASSWORD", None])
def test_grafana_does_not_start_without_passwords(missing: str | None, tmp_path: Path) -> None:
    """With an empty password, the image would make an administrator `admin` with the password `admin`."""
    run = tmp_path / "run.sh"
    run.write_text("#!/bin/sh\necho started\n")
    run.chmod(0o755)
    service = grafana()
    names = {
        "GRAFANA_ADMIN_PASSWORD": "GF_SECURITY_ADMIN_PASSWORD",
        "POSTGRES_READER_PASSWORD": "POSTGRES_READER_PASSWORD",
    }
    for variable, name in names.items():
        assert service["environment"][name] == f"${{{variable}:-}}"
    environment = {name: "" if variable == missing else "secret" for variable, name in names.items()}
    command = [part.replace("$$", "$").replace("/run.sh", str(run)) for part in service["entrypoint"]]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if missing:
        assert done.returncode != 0
        assert f"set {missing} in .env" in done.stderr
        assert done.stdout == ""
    else:
        assert (done.returncode, done.stdout) == (0, "started\n")
