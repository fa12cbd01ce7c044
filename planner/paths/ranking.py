"""Ranking: one total order of paths, the same whatever order they come in.

Lexicographic by the scores that `request.ranking` names, the first deciding; or, where `request.weights` is
not empty, by their weighted sum. Values that agree to ROUNDING are equal, so that the last bits of a float
never decide; what is left equal is ordered by where the paths run. By default lung comes first, so paths that
cross none are a class of their own at the head.
"""

from collections.abc import Sequence
from math import fsum
from typing import TypeVar

from anatomy.names.did_you_mean import did_you_mean
from planner.errors import RequestError
from planner.records.request import Request
from planner.scores import SCORES, Quantities, Score

ROUNDING_DECIMALS = 6
"""A millionth of a mm or degree: far below anything measurable, far above float64 rounding."""

P = TypeVar("P", bound=Quantities)


def score_named(name: str, field: str = "ranking") -> Score:
    """The score of that name. Raises RequestError, naming `field` of the request and all known scores."""
    for score in SCORES:
        if score.name == name:
            return score
    known = [score.name for score in SCORES]
    raise RequestError(field, f"{name!r} is not a known score", did_you_mean(name, known))


def ranked(paths: Sequence[P], request: Request) -> list[P]:
    """The paths, best first. Raises RequestError for an unknown score."""
    if request.weights:
        weighted = [(score_named(name, f"weights/{name}"), w) for name, w in sorted(request.weights.items())]
        return sorted(paths, key=lambda p: ((_sum(p, weighted),), _place(p)))
    scores = [score_named(name) for name in request.ranking]
    return sorted(paths, key=lambda p: (tuple(_rounded(s.of(p)) for s in scores), _place(p)))


def _sum(path: Quantities, weighted: Sequence[tuple[Score, float]]) -> float:
    return _rounded(fsum(weight * score.of(path) for score, weight in weighted))


def _rounded(value: float) -> float:
    return round(value, ROUNDING_DECIMALS)


def _place(path: Quantities) -> tuple[tuple[float, ...], ...]:
    """Where a path runs: a total order of different paths, by rounded coordinates first."""
    exact = (*path.entry_mm, *path.tip_mm)
    return tuple(_rounded(x) for x in exact), exact
