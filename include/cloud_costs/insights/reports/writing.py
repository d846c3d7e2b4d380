"""A report as HTML and as plain text. Jinja is imported where it is used: it takes longer than a text does."""

import re
from base64 import b64decode, b64encode
from collections.abc import Sequence
from pathlib import Path

from cloud_costs.insights.reports.model import Content, Row, Section, Table

FOLDER = Path(__file__).parent / "templates"
# The template alone writes this: in values from a bill, quotes are escaped.
PICTURE = re.compile(r'src="data:image/png;base64,([A-Za-z0-9+/=]+)"')
WIDTH = 78


def as_html(report: Content, link: str | None) -> str:
    """Return the report as one HTML document with its pictures in it. Everything from a bill is escaped."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(loader=FileSystemLoader(FOLDER), autoescape=True, undefined=StrictUndefined)
    environment.filters["base64"] = lambda content: b64encode(content).decode()
    return environment.get_template("report.html").render(report=report, link=link, side=_side)


def with_attached_pictures(html: str) -> tuple[str, list[bytes]]:
    """Return HTML whose pictures are `cid:picture-1@report` and so on, and the pictures.

    Mail clients show pictures that a mail carries, and not those that its HTML holds.
    """
    pictures: list[bytes] = []

    def attach(found: re.Match[str]) -> str:
        pictures.append(b64decode(found[1]))
        return f'src="cid:picture-{len(pictures)}@report"'

    return PICTURE.sub(attach, html), pictures


def as_text(report: Content, link: str | None) -> str:
    """Return the report as plain text."""
    lines = [report.title, "=" * len(report.title), "", *report.lead]
    if report.todo:
        lines += ["", "What to do next", "---------------"]
        lines += [f"{nth}. {line}" for nth, line in enumerate(report.todo, 1)]
    for section in report.sections:
        lines += _section(section)
    lines += ["", "As of these deliveries", "----------------------", *report.as_of, "", *report.notes]
    return "\n".join([*lines, *([f"On the Costs page: {link}"] if link else []), ""])


def _section(section: Section) -> list[str]:
    if not section.lines and not section.table:
        return []
    lines = ["", section.title, "-" * len(section.title), *section.lines]
    return [*lines, *_table(section.table)] if section.table else lines


def _table(table: Table) -> list[str]:
    rows = [table.heads, *table.rows, *([table.total] if table.total else [])]
    widths = [max(len(row[at]) for row in rows) for at in range(len(table.heads))]
    # A long name has a line of its own.
    widths[0] = max(12, min(widths[0], WIDTH - sum(widths[1:]) - 2 * len(widths)))
    return [line for row in rows for line in _row(row, widths, table)]


def _row(row: Row, widths: Sequence[int], table: Table) -> list[str]:
    first = row[0] if len(row[0]) <= widths[0] else ""
    cells = [first.ljust(widths[0])] + [
        value.ljust(width) if at in table.texts else value.rjust(width)
        for at, (value, width) in enumerate(zip(row[1:], widths[1:], strict=True), 1)
    ]
    line = "  ".join(cells).rstrip()
    return [line] if first or not row[0] else [row[0], line]


def _side(table: Table, at: int) -> str:
    return "left" if at in table.texts else "right"
