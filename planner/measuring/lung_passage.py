"""Lung passage: length of lung that an axis passes, pleural punctures and fissures crossed."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from math import fsum

import numpy as np

from planner.measuring.crossings import SHORTEST_MM, DepthInterval
from planner.measuring.pleura import punctures_and_fissures


@dataclass(frozen=True)
class LungPassage:
    """How an axis passes through lung, without the target's own voxels."""

    length_mm: float
    punctures: int
    fissures: int


def passage(
    lung: list[tuple[str, DepthInterval]], target: list[DepthInterval], voids: list[DepthInterval]
) -> LungPassage:
    """How an axis passes through lung, from the depth intervals in which it is in each lung, in the target
    and in voids that lung encloses. [mm]

    planner.measuring.pleura defines punctures and fissures. Where lungs overlap, the last one in the list
    counts.
    """
    runs = _lung_runs(lung, target)
    names = sorted({name for name, _ in runs})
    lobes = np.array([names.index(name) for name, _ in runs], np.int64)
    spans = np.array([span for _, span in runs], float).reshape(-1, 2)
    leaves = np.array(
        [n > 0 and _leaves(runs[n - 1][1][1], runs[n][1][0], voids) for n in range(len(runs))], bool
    )
    starts, ends = np.ascontiguousarray(spans[:, 0]), np.ascontiguousarray(spans[:, 1])
    punctures, fissures = punctures_and_fissures(lobes, starts, ends, leaves)
    return LungPassage(fsum(b - a for _, (a, b) in runs), punctures, fissures)


def _leaves(end: float, start: float, voids: list[DepthInterval]) -> bool:
    """Whether the axis leaves lung and its voids between two runs of lung."""
    in_voids = fsum(max(0.0, min(b, start) - max(a, end)) for a, b in voids)
    return start - end - in_voids >= SHORTEST_MM


def _lung_runs(
    lung: list[tuple[str, DepthInterval]], target: list[DepthInterval]
) -> list[tuple[str, DepthInterval]]:
    """Lung without target, in order of depth, as the longest possible runs with one name."""
    spans = [span for _, span in lung] + target
    cuts = sorted({place for span in spans for place in span})
    runs: list[tuple[str, DepthInterval]] = []
    for a, b in pairwise(cuts):
        middle = 0.5 * (a + b)
        names = [name for name, span in lung if span[0] < middle < span[1]]
        if names and not _any_holds(target, middle):
            if runs and runs[-1][0] == names[-1] and runs[-1][1][1] == a:
                runs[-1] = (names[-1], (runs[-1][1][0], b))
            else:
                runs.append((names[-1], (a, b)))
    return [(name, (a, b)) for name, (a, b) in runs if b - a >= SHORTEST_MM]


def _any_holds(spans: Iterable[DepthInterval], depth: float) -> bool:
    return any(a < depth < b for a, b in spans)
