"""What a tool answered, as tables and links of the Costs page, so that a person sees more than a model's words.

The tables are made from any answer alike: lists become tables, what is single becomes a row, and nothing is reckoned.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from cloud_costs.asking.box_models import Column, PageLink, Table
from cloud_costs.asking.models import Answer, Askable, CostsBy, QueryAnswer
from cloud_costs.page.models import plain

MAX_TABLES, MAX_ROWS, MAX_COLUMNS = 16, 50, 16
# What a person does not read: addresses, the values behind labels, and what has a place of its own.
HIDDEN = frozenset(
    (
        *("basis", "charges", "columns", "dimensions", "explanation", "explore", "filters", "largest_charges"),
        *("periods", "run_url", "sample", "series", "statement", "task_url", "values"),
    )
)
WITH_POINT = re.compile(r"-?(?:0|[1-9]\d*)\.\d+")
VIEWS = {"month_so_far": ("Overview", ""), "anomalies": ("Anomalies", "anomalies"), "budgets": ("Budgets", "budgets")}


def tables_of(answer: Answer) -> list[Table]:
    """Return an answer as tables; what there is to ask is none."""
    if isinstance(answer, Askable):
        return []
    if isinstance(answer, QueryAnswer):
        return [_of_query(answer)]
    found = list(_walk(answer.model_dump(), ()))
    if isinstance(answer, CostsBy):
        found += _series(answer)
    return found[:MAX_TABLES]


def said_of(answer: Answer, asked: Collection[str]) -> list[str]:
    """Return what an answer is of beside what was asked: its single values, each with its name."""
    if isinstance(answer, Askable):
        return [f"Months: {', '.join(answer.months[:12])}"]
    values = answer.model_dump()
    return [
        f"{_label(name)}: {_text(value)}"
        for name, value in values.items()
        if name not in HIDDEN and name not in asked and value is not None and not isinstance(value, Mapping | list)
    ]


def links_of(tool: str, arguments: Mapping[str, Any], answer: Answer) -> list[PageLink]:
    """Return the views of the page that show the same numbers."""
    values = answer.model_dump()
    found = [
        PageLink(label=f"{label} ({part['currency']})", address=part[name])
        for part in values.get("currencies", ())
        if isinstance(part, Mapping)
        for name, label in (("explore", "Explore"), ("charges", "Charges"))
        if name in part
    ]
    if tool in VIEWS:
        label, path = VIEWS[tool]
        found.append(PageLink(label=label, address=path))
    if tool == "commitments":
        months = {"from": values["first_month"], "to": values["last_month"]}
        found += [
            PageLink(
                label=f"Commitments ({one['currency']})",
                address=f"commitments?{urlencode({**months, 'currency': one['currency']})}",
            )
            for one in values["currencies"]
        ]
    if tool == "load":
        found.append(PageLink(label="Load", address=f"loads/{values['load']['load_id']}"))
    if tool == "changes":
        names = {name: arguments[name] for name in ("source", "billing_period")}
        found.append(PageLink(label="Changes", address=f"changes?{urlencode(names)}"))
    return found


def _of_query(answer: QueryAnswer) -> Table:
    columns = [
        Column(label=name, number=_is_number([row[place] for row in answer.rows]))
        for place, name in enumerate(answer.columns)
    ]
    rows = [[_text(value) for value in row] for row in answer.rows]
    return Table(title="Rows", columns=columns, rows=rows[:MAX_ROWS], more=len(rows[MAX_ROWS:]))


def _is_number(values: Sequence[str | bool | None]) -> bool:
    """Tell whether a column of a statement holds amounts: its values are texts, and ids of accounts are digits too."""
    texts = [one for one in values if one is not None]
    return any(isinstance(one, str) and WITH_POINT.fullmatch(one) for one in texts) and all(
        isinstance(one, str) and re.fullmatch(r"-?\d+(\.\d+)?", one) for one in texts
    )


def _walk(node: Mapping[str, Any], titles: tuple[str, ...], dimensions: Sequence[str] = ()) -> Iterator[Table]:
    dimensions = [one["label"] for one in node.get("dimensions", ())] or dimensions
    for name, value in node.items():
        if name in HIDDEN:
            continue
        if isinstance(value, Mapping):
            if any(_is_rows(one) for one in value.values()):
                yield _table([value], (*titles, _label(name)), dimensions)
            yield from _walk(value, titles, dimensions)
        elif _is_rows(value):
            yield _table(value, (*titles, _label(name)), dimensions)
            for one in value:
                own = one.get("currency") or one.get("version") or one.get("name")
                yield from _walk(one, (*titles, str(own)) if own else titles, dimensions)


def _is_rows(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, Mapping) for one in value)


def _table(nodes: Sequence[Mapping[str, Any]], titles: Sequence[str], dimensions: Sequence[str]) -> Table:
    flat = [dict(_flat(one, dimensions)) for one in nodes[:MAX_ROWS]]
    names = list(dict.fromkeys(name for one in flat for name in one))[:MAX_COLUMNS]
    names = [name for name in names if any(one.get(name) is not None for one in flat)]
    return Table(
        title=" \u00b7 ".join(titles),
        columns=[Column(label=name, number=any(isinstance(one.get(name), Decimal) for one in flat)) for name in names],
        rows=[[_text(one.get(name)) for name in names] for one in flat],
        more=len(nodes[MAX_ROWS:]),
    )


def _flat(node: Mapping[str, Any], dimensions: Sequence[str], before: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in node.items():
        label = f"{before}{_label(name)}"
        if name in HIDDEN or _is_rows(value):
            continue
        if name == "labels" and len(dimensions) == len(value):
            yield from zip(dimensions, value, strict=True)
        elif isinstance(value, Mapping):
            yield from _flat(value, dimensions, f"{label}: ")
        elif isinstance(value, list):
            yield label, ", ".join(filter(None, map(_text, value))) or None
        else:
            yield label, value


def _series(answer: CostsBy) -> Iterator[Table]:
    for part in answer.currencies if answer.periods else ():
        groups = part.groups[: MAX_COLUMNS - 2] if answer.dimensions else []
        series = [part.series, *(one.series for one in groups)]
        labels = ["All", *(", ".join(one.labels) for one in groups)]
        rows: list[list[str | None]] = [
            [str(period), *(plain(one[place]) for one in series)]
            for place, period in enumerate(answer.periods[:MAX_ROWS])
        ]
        yield Table(
            title=f"{part.currency} \u00b7 by period",
            columns=[Column(label="From", number=False), *(Column(label=one, number=True) for one in labels)],
            rows=rows,
            more=len(answer.periods[MAX_ROWS:]),
        )


def _label(name: str) -> str:
    text = name.replace("_", " ")
    return text[:1].upper() + text[1:]


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, float):
        return f"{value * 100:.2f} %"
    return value.isoformat() if isinstance(value, date | datetime) else str(value)
