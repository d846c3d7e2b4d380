"""The pictures of reports, as PNG, which every mail client shows. Matplotlib is imported where one is drawn."""

import io
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from cloud_costs.insights.reports.model import Chart

# Inches and pixels an inch: 552 by 200 points of a screen, at twice its resolution.
WIDTH, HEIGHT, DPI = 5.52, 2.0, 200
# Colours that people who see few colours tell apart (Okabe and Ito, 2008), and grey for the rest.
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9")
REST, INK, LINE = "#b8bec6", "#24292f", "#d8dee4"


def daily(amounts: Mapping[date, Decimal], marked: date, currency: str, alt: str) -> Chart:
    """Return bars of the cost of each day, one of them marked."""
    figure, axes = _figure(currency)
    days = sorted(amounts)
    axes.bar(
        range(len(days)),
        [float(amounts[day]) for day in days],
        color=[COLOURS[0] if day == marked else "#a9c9e0" for day in days],
        width=0.8,
    )
    step = max(1, len(days) // 7)
    # The marked day, which is the last, has its name.
    ticks = list(range(len(days) - 1, -1, -step))[::-1]
    axes.set_xticks(ticks, [f"{days[at].day} {days[at]:%b}" for at in ticks])
    return Chart(_png(figure), alt)


def stacked(names: Sequence[str], parts: Mapping[str, Sequence[Decimal]], currency: str, alt: str) -> Chart:
    """Return stacked bars, one for each name; the last part is the rest."""
    figure, axes = _figure(currency)
    at = range(len(names))
    high, low = [0.0] * len(names), [0.0] * len(names)
    colours = [*COLOURS[: len(parts) - 1], REST] if len(parts) > len(COLOURS) else list(COLOURS)
    for (label, amounts), colour in zip(parts.items(), colours, strict=False):
        values = [float(amount) for amount in amounts]
        # Credits hang below the line.
        bottoms = [high[nth] if value >= 0 else low[nth] for nth, value in enumerate(values)]
        axes.bar(at, values, bottom=bottoms, color=colour, width=0.6, label=_cut(label))
        for nth, value in enumerate(values):
            (high if value >= 0 else low)[nth] += value
    axes.set_xticks(list(at), list(names))
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, fontsize=7.5, reverse=True)
    return Chart(_png(figure), alt)


def _figure(currency: str) -> tuple[Any, Any]:
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter

    figure = Figure(figsize=(WIDTH, HEIGHT), dpi=DPI, layout="constrained")
    axes = figure.subplots()
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(LINE)
    axes.tick_params(length=0, labelsize=7.5, labelcolor=INK)
    axes.grid(axis="y", color=LINE, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.yaxis.set_major_formatter(FuncFormatter(_written))
    axes.set_title(currency, loc="left", fontsize=7.5, color=INK)
    return figure, axes


def _written(value: float, _: int) -> str:
    return f"{value:,.0f}" if abs(value) >= 10 else f"{value:g}"


def _png(figure: Any) -> bytes:
    buffer = io.BytesIO()
    # Without the version of matplotlib, the same costs make the same picture.
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def _cut(label: str) -> str:
    # matplotlib reads $…$ as mathematics, and leaves out labels that begin with an underscore.
    label = label if len(label) <= 28 else label[:27] + "…"
    return label.replace("$", r"\$").replace("_", "\u200b_", 1) if label.startswith("_") else label.replace("$", r"\$")
