"""A report as HTML and as plain text. Jinja is imported where it is used: it takes longer than a text does."""

import html
import re
from base64 import b64decode, b64encode
from collections.abc import Sequence
from pathlib import Path

from cloud_costs.insights.reports.model import Content, Row, Section, Table

FOLDER = Path(__file__).parent / "templates"
# The template alone writes these: in values from a bill, quotes and `<` are escaped.
PICTURE = re.compile(r'src="data:image/png;base64,([A-Za-z0-9+/=]+)"')
OPEN, REPORT = re.compile(r"<!-- open ([^<> ]+) -->"), "<!-- report -->"
LINK = '<a href="{}" style="color:#0072b2;">{}</a>'
WIDTH = 78


def as_html(report: Content) -> str:
    """Return the report as one HTML document with its pictures in it. Everything from a bill is escaped.

    It has comments in place of links: the archive shows it in a frame that leads nowhere, and a mail has the links.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(loader=FileSystemLoader(FOLDER), autoescape=True, undefined=StrictUndefined)
    environment.filters["base64"] = lambda content: b64encode(content).decode()
    return environment.get_template("report.html").render(report=report, side=_side, pad=_pad)


def as_mail(content: str, page: str | None, link: str | None) -> tuple[str, list[bytes]]:
    """Return the HTML of a report with links to the Costs page, and its pictures, which are `cid:picture-1@report`.

    Mail clients show pictures that a mail carries, and not those that its HTML holds.
    """
    if page and link:
        base = html.escape(page)
        content = OPEN.sub(lambda found: LINK.format(f"{base}/{found[1]}", "Look at it"), content)
        content = content.replace(REPORT, LINK.format(html.escape(link), "See this report on the Costs page"))
    pictures: list[bytes] = []

    def attach(found: re.Match[str]) -> str:
        pictures.append(b64decode(found[1]))
        return f'src="cid:picture-{len(pictures)}@report"'

    return PICTURE.sub(attach, content), pictures


def as_text(report: Content, page: str | None, link: str | None) -> str:
    """Return the report as plain text. `page` is the address of the Costs page, and `link` that of the report on it."""
    lines = [report.title, "=" * len(report.title), "", *report.lead]
    if report.todo:
        lines += ["", "What to do next", "---------------"]
        for nth, one in enumerate(report.todo, 1):
            lines += [f"{nth}. {one.text}", *([f"   {page}/{one.path}"] if page and one.path else [])]
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


def _pad(table: Table, at: int) -> int:
    """Return the pixels before a column: a text beside a number needs more of them."""
    return 0 if at == 0 else 16 if at in table.texts else 8


def _side(table: Table, at: int) -> str:
    return "left" if at in table.texts else "right"
