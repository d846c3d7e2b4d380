"""A report as PDF, with the fonts of matplotlib's wheel. They have the letters of Europe; PDF's own have fewer."""

import io
from datetime import datetime
from pathlib import Path
from typing import Any

from cloud_costs.insights.reports.model import Content, Section, Table

# Millimetres of a page of A4 between its margins.
WIDTH, MARGIN = 180, 15
INK, QUIET, LINE = (36, 41, 47), (87, 96, 106), (208, 215, 222)
FONT = "DejaVu"


def as_pdf(report: Content, made_at: datetime, link: str | None) -> bytes:
    """Return the report as PDF. The time is when it is made."""
    pdf = _document(report, made_at)
    _text(pdf, report.title, 15, "B", after=3)
    for line in report.lead:
        _text(pdf, line, 10.5, after=1.5)
    if report.todo:
        _text(pdf, "What to do next", 11.5, "B", before=3, after=1)
        for nth, one in enumerate(report.todo, 1):
            _text(pdf, f"{nth}. {one.text}", 10, after=1)
    for section in report.sections:
        _section(pdf, section)
    _text(pdf, "As of these deliveries", 8.5, "B", QUIET, before=5)
    for line in [*report.as_of, *report.notes, *([f"On the Costs page: {link}"] if link else [])]:
        _text(pdf, line, 8.5, "", QUIET, after=0.5)
    return bytes(pdf.output())


def _document(report: Content, made_at: datetime) -> Any:
    import matplotlib
    from fpdf import FPDF

    class Document(FPDF):
        def footer(self) -> None:
            self.set_y(-12)
            self.set_font(FONT, "", 8)
            self.set_text_color(*QUIET)
            self.cell(0, 5, f"Page {self.page_no()} of {{nb}}", align="R")

    pdf = Document(format="A4")
    fonts = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    pdf.add_font(FONT, "", fonts / "DejaVuSans.ttf")
    pdf.add_font(FONT, "B", fonts / "DejaVuSans-Bold.ttf")
    pdf.set_margins(MARGIN, MARGIN)
    pdf.set_auto_page_break(auto=True, margin=16)
    pdf.set_title(report.subject)
    pdf.set_lang("en")
    pdf.set_creation_date(made_at)
    pdf.add_page()
    return pdf


def _section(pdf: Any, section: Section) -> None:
    # A title does not stay alone at the end of a page.
    needed = 55 if section.chart else 24
    if pdf.will_page_break(needed):
        pdf.add_page()
    _text(pdf, section.title, 11.5, "B", before=4, after=1.5)
    for line in section.lines:
        _text(pdf, line, 9.5, after=1)
    if section.chart:
        pdf.image(io.BytesIO(section.chart.png), w=150, alt_text=section.chart.alt)
    if section.table:
        _table(pdf, section.table)


def _table(pdf: Any, table: Table) -> None:
    from fpdf.enums import TableBordersLayout
    from fpdf.fonts import FontFace

    widths = _widths(pdf, table)
    pdf.set_font(FONT, "", 8.5)
    pdf.set_text_color(*INK)
    pdf.set_draw_color(*LINE)
    rows = [*table.rows, *([table.total] if table.total else [])]
    with pdf.table(
        width=WIDTH,
        col_widths=widths,
        text_align=tuple("LEFT" if at in table.texts else "RIGHT" for at in range(len(table.heads))),
        borders_layout=TableBordersLayout.HORIZONTAL_LINES,
        headings_style=FontFace(emphasis="BOLD", color=QUIET),
        line_height=4.6,
        padding=0.6,
    ) as drawn:
        for nth, row in enumerate([table.heads, *rows]):
            style = FontFace(emphasis="BOLD") if row is table.total else None
            line = drawn.row()
            for value in row:
                line.cell(value, style=style if nth else None)


def _widths(pdf: Any, table: Table) -> tuple[float, ...]:
    """Return the widths of the columns: numbers on one line, and texts share what is left."""
    every = [table.heads, *table.rows, *([table.total] if table.total else [])]
    pdf.set_font(FONT, "B", 8.5)
    needed = [max(pdf.get_string_width(row[at]) for row in every) + 4 for at in range(len(table.heads))]
    texts = [at for at in range(len(needed)) if at in table.texts]
    left = WIDTH - sum(width for at, width in enumerate(needed) if at not in table.texts)
    asked = sum(needed[at] for at in texts)
    found = [needed[at] * max(left, 40) / asked if at in table.texts else needed[at] for at in range(len(needed))]
    return tuple(found)


def _text(
    pdf: Any,
    text: str,
    size: float,
    style: str = "",
    color: tuple[int, int, int] = INK,
    before: float = 0,
    after: float = 0,
) -> None:
    pdf.set_y(pdf.get_y() + before)
    pdf.set_font(FONT, style, size)
    pdf.set_text_color(*color)
    pdf.multi_cell(0, size * 0.5, text, align="L", new_x="LMARGIN", new_y="NEXT")
    pdf.set_y(pdf.get_y() + after)
