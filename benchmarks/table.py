"""Rows of measurements, and the table that they print as."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from time import perf_counter


@dataclass(frozen=True)
class Row:
    """One measurement. `ratio` compares with another row of the same run and says with which; `goal` is what
    the project asks for, and `met` whether the measurement reaches it (None: nothing is asked)."""

    benchmark: str
    what: str
    value: float
    unit: str
    ratio: str = ""
    goal: str = ""
    met: bool | None = None


def seconds(run: Callable[[], object], repeats: int = 3) -> float:
    """Best wall time of `repeats` calls, after one that is not counted. [s]

    The best, since whatever else runs on the machine only ever adds.
    """
    run()
    times = []
    for _ in range(repeats):
        start = perf_counter()
        run()
        times.append(perf_counter() - start)
    return min(times)


def as_text(rows: Iterable[Row]) -> str:
    """The rows as a Markdown table with aligned columns."""
    head = ("benchmark", "what", "value", "unit", "ratio", "goal", "met")
    marks = {None: "", True: "yes", False: "NO"}
    cells = [(r.benchmark, r.what, f"{r.value:.4g}", r.unit, r.ratio, r.goal, marks[r.met]) for r in rows]
    widths = [max(len(line[c]) for line in (head, *cells)) for c in range(len(head))]
    lines = [head, tuple("-" * w for w in widths), *cells]
    return "\n".join(
        "| " + " | ".join(text.ljust(w) for text, w in zip(line, widths, strict=True)) + " |"
        for line in lines
    )
