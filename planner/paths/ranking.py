"""Ranking: a total order of paths that does not depend on the order of the input.

Lexicographic by the named scores, the first deciding; or by a weighted sum of scores. Values that agree to
ROUNDING_DECIMALS are equal, so that the last bits of a float never decide; paths that are still equal are
ordered by their coordinates. By default lung comes first, so that paths without lung precede all others.
"""

from collections.abc import Sequence
from math import fsum
from typing import TypeVar

from anatomy.errors import RequestPath
from anatomy.names.did_you_mean import did_you_mean
from planner.errors import RequestError
from planner.records.request.ranking import PathOrder
from planner.scores import SCORES, Quantities, Score

ROUNDING_DECIMALS = 6
"""A millionth of a mm or degree: far below anything measurable, far above float64 rounding."""

P = TypeVar("P", bound=Quantities)


def score_named(name: str, field: str | RequestPath = ("ranking",)) -> Score:
    """The score of that name. Raises RequestError, naming `field` of the request and all known scores."""
    for score in SCORES:
        if score.name == name:
            return score
    names = [score.name for score in SCORES]
    raise RequestError(field, f"{name!r} is not a known score", did_you_mean(name, names))


def ranked(paths: Sequence[P], order: PathOrder) -> list[P]:
    """The paths, best first. Raises RequestError for an unknown score."""
    if order.weights:
        weighted = [(score_named(name, f"weights/{name}"), w) for name, w in sorted(order.weights.items())]
        return sorted(paths, key=lambda p: ((_sum(p, weighted),), _place(p)))
    scores = [score_named(name) for name in order.scores]
    return sorted(paths, key=lambda p: (tuple(_rounded(s.of(p)) for s in scores), _place(p)))


def _sum(path: Quantities, weighted: Sequence[tuple[Score, float]]) -> float:
    return _rounded(fsum(weight * score.of(path) for score, weight in weighted))


def _rounded(value: float) -> float:
    return round(value, ROUNDING_DECIMALS)


def _place(path: Quantities) -> tuple[tuple[float, ...], ...]:
    """A path's coordinates, the rounded ones first: a total order of different paths."""
    exact = (*path.entry_mm, *path.tip_mm)
    return tuple(_rounded(x) for x in exact), exact
