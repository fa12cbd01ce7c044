"""Tip requirements: what a needle must fulfil by its aim, besides free space and a way to the skin.

    target   |== target ==|       the required length in the target, the tip not beyond its far edge
    PTV      |=== PTV ====|       the tip in the PTV, and room for a whole seed in it on the way
    given    anywhere             none: the needle is in place

Verification requires the same of a plan's paths, except that here the tip may end before the far edge.
"""

from math import fsum

from planner.measuring.crossings import SHORTEST_MM, DepthInterval
from planner.measuring.crossings_batch import NeedleCrossings
from planner.records.appraisal import Reason
from planner.records.paths import Aim
from planner.records.wording.appraisal import too_deep, too_short_in
from planner.search.kernels.clear import ROUNDING_MM


class TipRequirements:
    """The least length in the target, and the length of a seed, which must fit into the PTV. [mm]"""

    def __init__(self, chord_mm: float, seed_mm: float) -> None:
        self._chord_mm = chord_mm
        self._seed_mm = seed_mm

    def lacks(self, aim: Aim, along: NeedleCrossings, length_mm: float) -> tuple[Reason, ...]:
        """What a needle whose tip lies `length_mm` from its entry lacks by the requirements of its aim."""
        if aim is Aim.GIVEN:
            return ()
        if aim is Aim.PTV:
            return (*self._lack_of_ptv(along.ptv), *_too_deep(along.ptv, length_mm, aim))
        return (*self._lack_of_target(along.target), *_too_deep(along.target, length_mm, aim))

    def _lack_of_target(self, runs: tuple[DepthInterval, ...]) -> tuple[Reason, ...]:
        chord_mm = fsum(b - a for a, b in runs)
        if chord_mm >= self._chord_mm - ROUNDING_MM and chord_mm > 0.0:
            return ()
        return (too_short_in(Aim.TARGET, chord_mm, self._chord_mm),)

    def _lack_of_ptv(self, runs: tuple[DepthInterval, ...]) -> tuple[Reason, ...]:
        longest_mm = max((b - a for a, b in runs), default=0.0)
        if longest_mm >= self._seed_mm - SHORTEST_MM:
            return ()
        return (too_short_in(Aim.PTV, longest_mm, self._seed_mm),)


def _too_deep(runs: tuple[DepthInterval, ...], length_mm: float, aim: Aim) -> tuple[Reason, ...]:
    """A tip must not lie beyond the far edge of what it aims at: tissue beyond it would be pierced without
    need."""
    past_mm = length_mm - max((b for _, b in runs), default=length_mm)
    if past_mm <= SHORTEST_MM:
        return ()
    return (too_deep(aim, past_mm),)
