"""Rules of a needle set: the cost of each needle, and which needles may be together."""

from dataclasses import dataclass
from functools import cached_property

import networkx as nx
import numpy as np
from jaxtyping import Bool, Float, Int

from planner.implant.needles.conflicts import Hardware, Needles, conflict_graph
from planner.implant.needles.insertion_order import insertion_order, must_precede, mutually_blocking_pairs
from planner.implant.needles.tracks import Tracks, needle_cost_mm
from planner.implant.set_cover import Cover, Rule, cheapest_cover, conflict_rules

NEEDLE_COST_MM = 1.0
"""Cost of a needle in addition to its lung and punctures: of two sets that cost the same otherwise, the one
with fewer needles is taken [U]."""


@dataclass(frozen=True, eq=False)
class SetRules:
    """The cost of each needle of a pool, and what forbids needles to be together.

    `needles` are the pool's tracks in P, `given` the rows of the given needles, `cost` in mm, `conflicts` the
    pairs that cannot be together, `most` the largest number of needles.
    """

    pool: Tracks
    needles: Needles
    hardware: Hardware
    given: Int[np.ndarray, " g"]
    cost: Float[np.ndarray, " n"]
    conflicts: nx.Graph
    most: int

    def cover(self, needed: Bool[np.ndarray, "n m"]) -> Cover:
        """The cheapest needles that keep the rules and cover all places that any needle covers. Raises
        NoCover."""
        return cheapest_cover(self.cost, needed, self._rules, self.given, self.broken)

    @cached_property
    def _rules(self) -> list[Rule]:
        every = tuple(range(len(self.pool)))
        return [Rule(every, self.most), *conflict_rules(self.conflicts, self.given)]

    def broken(self, rows: Int[np.ndarray, " k"]) -> list[Rule]:
        """A rule against the cycle that prevents a set from being driven in any order, if there is one.

        Only planned needles count. Given needles are in place already, and a needle that they would stop is
        in conflict with them.
        """
        planned = np.setdiff1d(rows, self.given)
        cycle = insertion_order(self.needles.of(planned), self.hardware).cycle
        return [Rule(tuple(int(planned[n]) for n in cycle), len(cycle) - 1)] if cycle else []

    def allow(self, rows: Int[np.ndarray, " k"]) -> bool:
        """Whether these needles and the given ones are few enough and can be driven in some order. Conflicts
        of pairs are not checked."""
        every = self.with_given(rows)
        return len(every) <= self.most and not self.broken(every)

    def with_given(self, rows: Int[np.ndarray, " k"]) -> Int[np.ndarray, " j"]:
        """These rows and those of the given needles, in rising order."""
        return np.union1d(rows, self.given).astype(int)

    def cost_of(self, rows: Int[np.ndarray, " k"]) -> float:
        """Cost of these needles together. [mm]"""
        return float(self.cost[rows].sum())


def set_rules(
    pool: Tracks,
    needles: Needles,
    hardware: Hardware,
    given: Int[np.ndarray, " g"],
    puncture_cost_mm: float,
    most: int,
) -> SetRules:
    """The rules of a pool."""
    pairs = mutually_blocking_pairs(needles, hardware)
    # A planned needle cannot be driven before a needle that is in place.
    in_place = np.isin(np.arange(len(pool)), given)
    before = must_precede(needles, hardware)
    late = before[~in_place[before[:, 0]] & in_place[before[:, 1]]]
    conflicts = conflict_graph(np.concatenate([pairs, late]), len(pool))
    cost = needle_cost_mm(pool.lung_mm, pool.punctures, puncture_cost_mm) + NEEDLE_COST_MM
    return SetRules(pool, needles, hardware, given, cost, conflicts, most)
