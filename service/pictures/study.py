"""The picture of a study: for each quantity of the plans a set of axes, a line for each case through what
each ranking led to.

A line's colour and style say whether it gets better or worse from one ranking to the next, its width how many
cases run alike, so that fifty can be told from one. What is best is at the top of every axis.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import sqrt
from statistics import median
from string import ascii_uppercase
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from planner.records.wording.number_text import counted
from service.pictures.palette import BLACK, BLUE, GREY, VERMILION, LineStyle

Row = Mapping[str, str | float | int | bool | None]


@dataclass(frozen=True)
class Quantity:
    """A column of the table to draw, with nothing below 0; what its axis says, and which way is better."""

    column: str
    says: str
    more_is_better: bool = False
    is_count: bool = False


QUANTITIES = (
    Quantity("lung_length_mm", "lung, best path [mm]"),
    Quantity("pleural_punctures", "pleural punctures, best path", is_count=True),
    Quantity("fissures_crossed", "fissures crossed, best path", is_count=True),
    Quantity("clearance_mm", "clearance, best path [mm]", more_is_better=True),
    Quantity("length_mm", "length, best path [mm]"),
    Quantity("d90_gy", "D90 of the PTV [Gy]", more_is_better=True),
)

SAME = 0.05
"""Values that differ by less are the same: half a digit of what summaries show. [mm, Gy]"""

BETTER, ALIKE, WORSE = 1, 0, -1
COLOURS = {BETTER: BLUE, ALIKE: GREY, WORSE: VERMILION}
STYLES: dict[int, LineStyle] = {BETTER: "solid", ALIKE: "dotted", WORSE: "dashed"}
WORDS = {BETTER: "better", ALIKE: "the same", WORSE: "worse"}

DARK = "#505050"
MEDIAN: dict[str, Any] = {"marker": "_", "markersize": 20.0, "markeredgewidth": 2.4}

LONGEST_LABEL = 16
"""Names of rankings that are longer stand below the picture, and letters below the axes."""


def study_figure(rows: Sequence[Row], rankings: Sequence[str]) -> Figure:
    """Axes for each quantity that any plan has; what lines mean and which ranking is which stands below."""
    figure = Figure(figsize=(11.0, 7.4), dpi=150, layout="constrained")
    values = _by_case(rows)
    labels, key = _labels(rankings)
    quantities = [q for q in QUANTITIES if any(row[q.column] is not None for row in rows)] or QUANTITIES
    for n, quantity in enumerate(quantities, 1):
        axes = figure.add_subplot(2, 3, n)
        _draw(axes, quantity, values, rankings)
        # A name may hold a dollar, which would begin mathematics.
        axes.set_xticks(range(len(rankings)), labels, parse_math=False)
    figure.suptitle(_title(rows, len(values), rankings), fontsize=11)
    handles = [
        Line2D([], [], color=COLOURS[n], linestyle=STYLES[n], linewidth=2.0, label=WORDS[n]) for n in COLOURS
    ]
    handles.append(Line2D([], [], color=BLACK, linestyle="none", **MEDIAN, label="median"))
    legend = figure.legend(
        handles=handles, loc="outside lower center", ncols=4, frameon=False, fontsize=9, title=key
    )
    legend.get_title().set_parse_math(False)
    return figure


def change(before: float, after: float, quantity: Quantity) -> int:
    """BETTER, ALIKE or WORSE."""
    by = after - before if quantity.more_is_better else before - after
    return ALIKE if abs(by) < SAME else BETTER if by > 0 else WORSE


def _by_case(rows: Sequence[Row]) -> dict[str, dict[str, Row]]:
    by_case: dict[str, dict[str, Row]] = {}
    for row in rows:
        by_case.setdefault(str(row["case"]), {})[str(row["ranking"])] = row
    return by_case


def _draw(
    axes: Axes, quantity: Quantity, cases: Mapping[str, Mapping[str, Row]], rankings: Sequence[str]
) -> None:
    columns = [[_number(of[ranking], quantity.column) for of in cases.values()] for ranking in rankings]
    for n, (before, after) in enumerate(pairwise(columns)):
        pairs = Counter((a, b) for a, b in zip(before, after, strict=True) if a is not None and b is not None)
        _lines(axes, quantity, n, pairs)
    for n, column in enumerate(columns):
        values = [value for value in column if value is not None]
        _points(axes, n, values, len(column))
    axes.set_xlim(-0.4, len(rankings) - 0.6)
    axes.set_title(quantity.says, fontsize=9.5, loc="left")
    axes.grid(axis="y", color="#E0E0E0", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=8.5)
    axes.spines[["top", "right"]].set_visible(False)
    _set_range(axes, quantity, [value for column in columns for value in column if value is not None])


def _lines(axes: Axes, quantity: Quantity, n: int, pairs: Counter[tuple[float, float]]) -> None:
    """From ranking n to the next, and how many cases go which way."""
    count: Counter[int] = Counter()
    for (before, after), cases in sorted(pairs.items()):
        way = change(before, after, quantity)
        count[way] += cases
        axes.plot(
            [n, n + 1],
            [before, after],
            color=COLOURS[way],
            linestyle=STYLES[way],
            linewidth=0.9 * sqrt(cases) + 0.3,
            alpha=0.8,
            zorder=3,
        )
    if pairs:
        axes.annotate(
            "\n".join(f"{count[way]} {WORDS[way]}" for way in COLOURS if count[way]),
            (n + 0.5, 1.0),
            xycoords=("data", "axes fraction"),
            fontsize=7.5,
            color=DARK,
            ha="center",
            va="top",
        )


def _points(axes: Axes, n: int, values: Sequence[float], cases: int) -> None:
    """A ring for each case, larger where several are alike, the median, and how many have none."""
    for value, alike in sorted(Counter(values).items()):
        size = 3.5 * alike**0.25 + 0.5
        axes.plot(n, value, marker="o", markersize=size, color=DARK, mfc="white", mew=0.9, zorder=4)
    if len(values) > 1:
        axes.plot(n, median(values), color=BLACK, **MEDIAN, zorder=5)
    if len(values) < cases:
        axes.annotate(
            f"{cases - len(values)} without",
            (n, 0.0),
            xycoords=("data", "axes fraction"),
            fontsize=7.5,
            color=DARK,
            ha="center",
            va="bottom",
        )


def _set_range(axes: Axes, quantity: Quantity, values: Sequence[float]) -> None:
    """All values, with room for words above and below, the best at the top, and no tick where no value is."""
    if not values:
        axes.set_yticks([])
        return
    room = max(max(values) - min(values), 1.0)
    low, high, above = min(values) - 0.15 * room, max(values) + 0.15 * room, 0.22 * room
    axes.set_ylim((low, high + above) if quantity.more_is_better else (high, low - above))
    low = max(low, 0.0)
    ticks = [t for t in MaxNLocator(nbins=7, steps=[1, 2, 5, 10]).tick_values(low, high) if low <= t <= high]
    axes.set_yticks([t for t in ticks if t.is_integer()] if quantity.is_count else ticks)


def _labels(rankings: Sequence[str]) -> tuple[list[str], str | None]:
    """What stands below the axes, and the key to it where that is not the names."""
    if all(len(name) <= LONGEST_LABEL for name in rankings) and len(rankings) <= 4:
        return list(rankings), None
    letters = [ascii_uppercase[n] if n < len(ascii_uppercase) else str(n + 1) for n in range(len(rankings))]
    return letters, "\n".join(f"{a}: {name}" for a, name in zip(letters, rankings, strict=True))


def _number(row: Row, column: str) -> float | None:
    value = row[column]
    return None if value is None else float(value)


def _title(rows: Sequence[Row], cases: int, rankings: Sequence[str]) -> str:
    planned = sum(row["plan_sha256"] is not None for row in rows)
    of, by = counted(cases, "case"), counted(len(rankings), "ranking")
    none = "" if planned == len(rows) else f"; {len(rows) - planned} of {counted(len(rows), 'plan')} failed"
    return f"{of}, {by}: from each ranking to the next, the best at the top{none}"
