"""The dashboards of `dashboards/grafana`, and what Grafana makes of their SQL before PostgreSQL sees it.

The rules are those of Grafana's PostgreSQL data source and of its variables. What is not among them is an error, so
that a misspelt macro is no text that PostgreSQL happens to accept.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "dashboards/grafana"
ALL = object()
VARIABLE = re.compile(r"\$(\w+)|\$\{(\w+)(?::(\w+))?\}")
# As Grafana finds a macro: its arguments hold no parentheses.
MACRO = re.compile(r"\$(__\w+)\(([^)]*)\)")
SECONDS = {"1h": 3600, "1d": 86400, "7d": 604800}

Value = str | list[str] | object


@dataclass(frozen=True)
class Statement:
    """The SQL of a panel or of a variable."""

    dashboard: str
    title: str
    sql: str
    is_series: bool


def documents() -> dict[str, dict[str, Any]]:
    """Return the committed dashboards by name."""
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.json"))}


def panels(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return all panels, also those in rows."""
    return [one for panel in document["panels"] for one in (panel, *panel.get("panels", ()))]


def statements() -> list[Statement]:
    """Return the SQL of every panel."""
    return [
        Statement(name, panel["title"], target["rawSql"], target["format"] == "time_series")
        for name, document in documents().items()
        for panel in panels(document)
        for target in panel.get("targets", ())
    ]


def variables(document: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the variables of a dashboard by name, in their order."""
    return {variable["name"]: variable for variable in document["templating"]["list"]}


def expand(
    sql: str,
    document: Mapping[str, Any],
    values: Mapping[str, Value],
    start: datetime,
    end: datetime,
    interval: str = "1d",
) -> str:
    """Return the statement that Grafana sends for these values of the variables and this range."""
    known = variables(document)

    def value(match: re.Match[str]) -> str:
        name, form = match[1] or match[2], match[3]
        if name == "__interval":
            return interval
        if name.startswith("__"):
            return match[0]
        chosen = values[name]
        if chosen is ALL:
            # A value of its own for All is not formatted.
            assert known[name]["includeAll"], name
            return str(known[name]["allValue"])
        return formatted(chosen, form)

    def macro(match: re.Match[str]) -> str:
        arguments = [argument.strip() for argument in match[2].split(",")]
        return MACROS[match[1]](arguments, _time(start), _time(end))

    expanded = MACRO.sub(macro, VARIABLE.sub(value, sql))
    assert "$" not in expanded, f"not expanded: {expanded}"
    return expanded


def formatted(value: Value, form: str | None) -> str:
    """Write the value of a variable in one of Grafana's formats."""
    assert isinstance(value, str | list)
    if form == "sqlstring":
        many = [value] if isinstance(value, str) else value
        return ",".join("'" + one.replace("'", "''") + "'" for one in many)
    if form is None and isinstance(value, str):
        return value.replace("'", "''")
    raise AssertionError(f"{form} is no format for SQL")


def _time_group(arguments: list[str], _start: str, _end: str) -> str:
    column, width = arguments
    seconds = SECONDS[width.strip("'\"")]
    return f"floor(extract(epoch from {column})/{seconds})*{seconds}"


MACROS = {
    "__timeFilter": lambda arguments, start, end: f"{arguments[0]} BETWEEN {start} AND {end}",
    "__timeFrom": lambda _, start, __: start,
    "__timeTo": lambda _, __, end: end,
    "__timeGroup": _time_group,
}


def _time(moment: datetime) -> str:
    return f"'{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}'".replace("000'", "Z'")
