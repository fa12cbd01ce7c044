"""Rules of a needle set: what each needle costs, and what needles may not do together."""

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
"""What a needle costs beside its lung and punctures: of two sets as dear, the one with fewer is taken [U]."""


@dataclass(frozen=True, eq=False)
class SetRules:
    """What forbids needles of a pool to be together (`needles` are its tracks in P), and what each costs."""

    pool: Tracks
    needles: Needles
    hardware: Hardware
    given: Int[np.ndarray, " g"]
    cost: Float[np.ndarray, " n"]
    conflicts: nx.Graph
    most: int

    def cover(self, needed: Bool[np.ndarray, "n m"]) -> Cover:
        """The cheapest needles that pass all places that any does, and keep the rules. Raises NoCover."""
        return cheapest_cover(self.cost, needed, self._rules, self.given, self.broken)

    @cached_property
    def _rules(self) -> list[Rule]:
        every = tuple(range(len(self.pool)))
        return [Rule(every, self.most), *conflict_rules(self.conflicts, self.given)]

    def broken(self, rows: Int[np.ndarray, " k"]) -> list[Rule]:
        """The cycle that keeps a set from being driven one by one, where there is one. Given needles are in
        already, and what they would stop conflicts with them: only the others are looked at."""
        planned = np.setdiff1d(rows, self.given)
        cycle = insertion_order(self.needles.of(planned), self.hardware).cycle
        return [Rule(tuple(int(planned[n]) for n in cycle), len(cycle) - 1)] if cycle else []

    def allow(self, rows: Int[np.ndarray, " k"]) -> bool:
        """Whether these needles and the given ones are few enough and can be driven one by one; pairs of them
        that conflict are not looked for."""
        every = self.with_given(rows)
        return len(every) <= self.most and not self.broken(every)

    def with_given(self, rows: Int[np.ndarray, " k"]) -> Int[np.ndarray, " j"]:
        """The rows and the given ones, in rising order."""
        return np.union1d(rows, self.given).astype(int)

    def cost_of(self, rows: Int[np.ndarray, " k"]) -> float:
        """What needles cost together. [mm]"""
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
    # Needles that are in cannot be driven later than those that are not.
    held = np.isin(np.arange(len(pool)), given)
    before = must_precede(needles, hardware)
    late = before[~held[before[:, 0]] & held[before[:, 1]]]
    conflicts = conflict_graph(np.concatenate([pairs, late]), len(pool))
    cost = needle_cost_mm(pool.lung_mm, pool.punctures, puncture_cost_mm) + NEEDLE_COST_MM
    return SetRules(pool, needles, hardware, given, cost, conflicts, most)
