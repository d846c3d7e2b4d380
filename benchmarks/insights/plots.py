"""The plots of `make bench-insights`."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

from matplotlib import pyplot

from benchmarks.insights.months import DAYS_OF_MONTH, LEVELS, Try
from benchmarks.insights.scoring import Score, is_lasting, is_spike
from benchmarks.plots import LIMIT, OTHERS, OURS, WIDTH, save

NAMES = {
    "insights-methods": "Precision and recall of three methods on the same data",
    "insights-months": "Errors of forecasts and of the straight line by day of the month",
}


def draw(scores: Mapping[str, Score], tries: Sequence[Try], folder: Path) -> list[Path]:
    """Draw the methods beside each other, and the errors of forecasts by day; return the files."""
    pyplot.rcParams.update({"axes.spines.top": False, "axes.spines.right": False, "font.size": 10})
    methods, months = (folder / f"{name}.png" for name in NAMES)
    return [_methods(scores, methods), _months(tries, months)]


def _methods(scores: Mapping[str, Score], path: Path) -> Path:
    """Draw precision and the two recalls of each method; false events stand below its name."""
    figure, axes = pyplot.subplots(figsize=(WIDTH, 3.2))
    measures: dict[str, Callable[[Score], float]] = {
        "precision": lambda one: one.precision,
        "recall, lasting": lambda one: one.recall(is_lasting),
        "recall, spikes": lambda one: one.recall(is_spike),
    }
    for number, (label, measure) in enumerate(measures.items()):
        at = [place + (number - 1) * 0.27 for place in range(len(scores))]
        heights = [measure(one) for one in scores.values()]
        bars = axes.bar(at, heights, 0.25, label=label, color=(OURS, OTHERS, LIMIT)[number])
        axes.bar_label(bars, fmt="{:.2f}", padding=2, fontsize="small")
    names = [f"{name}\n{one.false_a_month:.1f} false a source and month" for name, one in scores.items()]
    axes.set_xticks(range(len(scores)), names)
    axes.set(ylim=(0, 1.12), ylabel="share of events")
    axes.legend(frameon=False, ncols=3, loc="upper center", bbox_to_anchor=(0.5, 1.18))
    return save(figure, path)


def _months(tries: Sequence[Try], path: Path) -> Path:
    """Draw the mean error of the month by day, beside the straight line, for each level."""
    figure, panels = pyplot.subplots(1, len(LEVELS), figsize=(WIDTH, 2.6), sharey=True)
    for level, axes in zip(LEVELS, panels, strict=True):
        of_level = [[one for one in tries if one.level == level and one.day == day] for day in DAYS_OF_MONTH]
        for label, colour, errors in (
            ("straight line", OTHERS, [[one.line_error for one in group] for group in of_level]),
            ("forecast", OURS, [[one.error for one in group] for group in of_level]),
        ):
            percents = [100 * sum(group) / len(group) for group in errors]
            axes.plot(DAYS_OF_MONTH, percents, "o-", color=colour, label=label)
        axes.set(title=level, xlabel="day of the month", xticks=DAYS_OF_MONTH)
    # Shared by all panels, so it is set when all are drawn.
    panels[0].set_ylim(bottom=0)
    panels[0].set_ylabel("error of the month, %")
    panels[-1].legend(frameon=False)
    return save(figure, path)
