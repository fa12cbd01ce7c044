"""Study as text for a terminal: the results of each ranking, and the plans that failed or missed their
goals."""

from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import median
from textwrap import shorten

from planner.records.plan import Status
from planner.records.wording.number_text import counted
from service.cli.text.table import columns as as_columns
from service.study.plan_values import FAILED
from service.study.table import Value

MEDIANS = (
    ("lung_length_mm", "lung mm", 1),
    ("pleural_punctures", "punctures", 1),
    ("fissures_crossed", "fissures", 1),
    ("clearance_mm", "clearance mm", 1),
    ("length_mm", "length mm", 1),
    ("d90_gy", "D90 Gy", 1),
)
"""Columns whose median is shown, with heading and decimals."""

TOLD, LONGEST = 10, 240
"""Number of lines about failures, and of characters of a message in one line; the table has all of it."""

PLURALS = {
    Status.GOALS_NOT_MET: "did not meet the goals",
    Status.NO_PATH: "found no path",
    Status.TIMED_OUT: "ran out of time",
    FAILED: "failed",
}

Row = Mapping[str, Value]


def all_planned(rows: Sequence[Row]) -> bool:
    """Whether every plan was made and meets its goals."""
    return all(row["status"] == Status.PLANNED for row in rows)


def summary_text(rows: Sequence[Row], rankings: Sequence[str]) -> str:
    """Medians by ranking, how the plans ended, and a line for each plan with a problem."""
    headings = ["ranking", "plans", "planned", *(heading for _, heading, _ in MEDIANS)]
    table = [headings, *(_line(name, [r for r in rows if r["ranking"] == name]) for name in rankings)]
    blocks = [as_columns(table), "Medians over the cases; of the best path, and of the dose in the PTV.", ""]
    blocks.append(ending(rows))
    wrong = _wrong(rows)
    blocks.extend(wrong[:TOLD])
    if len(wrong) > TOLD:
        blocks.append(f"... and {len(wrong) - TOLD} more: see the table's columns status and message.")
    return "\n".join(blocks) + "\n"


def ending(rows: Sequence[Row]) -> str:
    """How many plans ended in which way, in one sentence."""
    count = Counter(str(row["status"]) for row in rows)
    if all_planned(rows):
        if len(rows) == 1:
            return "The plan is made, and meets the goals it has."
        return f"All {len(rows)} plans are made, and meet the goals they have."
    others = ", ".join(f"{count[status]} {plural}" for status, plural in PLURALS.items() if count[status])
    return f"Made, with all goals met: {count[Status.PLANNED]} of {counted(len(rows), 'plan')}; {others}."


def _wrong(rows: Sequence[Row]) -> list[str]:
    """A line for each case and problem, with the rankings that have it."""
    names_by_problem: dict[tuple[str, str, str], list[str]] = {}
    for row in rows:
        if row["status"] != Status.PLANNED:
            what = (
                str(row["case"]),
                str(row["status"]),
                shorten(str(row["message"]), LONGEST, placeholder=" ..."),
            )
            names_by_problem.setdefault(what, []).append(str(row["ranking"]))
    return [
        f"{case} ({'; '.join(rankings)}): {status}: {message}"
        for (case, status, message), rankings in names_by_problem.items()
    ]


def _line(name: str, rows: Sequence[Row]) -> list[str]:
    planned = sum(row["status"] == Status.PLANNED for row in rows)
    return [name, str(len(rows)), str(planned), *(_median(rows, column, n) for column, _, n in MEDIANS)]


def _median(rows: Sequence[Row], column: str, decimals: int) -> str:
    known = [float(value) for row in rows if (value := row[column]) is not None]
    return f"{median(known):.{decimals}f}" if known else "-"
