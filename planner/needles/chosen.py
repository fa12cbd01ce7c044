"""Chosen set: needles of a pool with the seeds on them, and the rules that such sets keep."""

from dataclasses import dataclass, replace
from functools import cached_property

import networkx as nx
import numpy as np
from jaxtyping import Bool, Float, Int

from planner.needles.conflicts import Hardware, Needles, conflict_graph
from planner.needles.cover import Cover, Rule, cheapest_cover, conflict_rules
from planner.needles.order import insertion_order, must_precede, mutually_blocking_pairs
from planner.needles.tracks import Tracks, burden_mm
from planner.seeding.descent import Problem, as_few, descended
from planner.seeding.problems import MANY, Problems
from planner.seeding.slots import Slots, slots_on

NEEDLE_COST_MM = 1.0
"""What a needle costs beside its lung and punctures: of two sets as dear, the one with fewer is taken [U]."""
SEED_STEP_MM = 1.0
"""Step of slots for the seeds of a set [U]."""


@dataclass(frozen=True, eq=False)
class Rules:
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


def rules_of(
    pool: Tracks,
    needles: Needles,
    hardware: Hardware,
    given: Int[np.ndarray, " g"],
    puncture_cost_mm: float,
    most: int,
) -> Rules:
    """The rules of a pool."""
    pairs = mutually_blocking_pairs(needles, hardware)
    # Needles that are in cannot be driven later than those that are not.
    held = np.isin(np.arange(len(pool)), given)
    before = must_precede(needles, hardware)
    late = before[~held[before[:, 0]] & held[before[:, 1]]]
    conflicts = conflict_graph(np.concatenate([pairs, late]), len(pool))
    cost = burden_mm(pool.lung_mm, pool.punctures, puncture_cost_mm) + NEEDLE_COST_MM
    return Rules(pool, needles, hardware, given, cost, conflicts, most)


@dataclass(frozen=True, eq=False)
class ChosenSet:
    """Needles of a pool (its rows), the problem of their seeds with the slots that hold one, what the set
    costs, what no set costs less than that passes where its seeds stand, and whether time ended before all
    was tried."""

    pool: Tracks
    rows: Int[np.ndarray, " k"]
    problem: Problem
    seeded: Bool[np.ndarray, " n"]
    objective: float
    bound: float = 0.0
    time_ended: bool = False

    @property
    def missed(self) -> float:
        """What the goals missed cost on the points looked at; 0.0 where all are met."""
        return self.problem.cost(self.seeded)[1]

    @property
    def seeds(self) -> Slots:
        """Where the seeds stand; `track` counts the rows of the set."""
        return self.problem.slots.take(self.seeded)

    @property
    def seeds_of_pool(self) -> Slots:
        """The seeds; `track` counts the rows of the pool."""
        seeds = self.seeds
        return replace(seeds, track=self.rows[seeds.track])

    @property
    def used(self) -> Int[np.ndarray, " j"]:
        """Rows of the needles that carry a seed."""
        return np.asarray(self.rows[self.problem.tracks(self.seeded)])


def nearest_slots(
    problem: Problem, track: Int[np.ndarray, " k"], from_tip_mm: Float[np.ndarray, " k"]
) -> Bool[np.ndarray, " n"]:
    """The slots nearest to places along tracks, one after the other, as long as seeds keep their
    distances."""
    slots = problem.slots
    start = np.zeros(len(slots), bool)
    for row, s in zip(track, from_tip_mm, strict=True):
        here = problem.free(start)
        here = here[slots.track[here] == row]
        if len(here):
            start[here[np.abs(slots.from_tip_mm[here] - s).argmin()]] = True
    return start


def seeded_on(
    rules: Rules, problems: Problems, rows: Int[np.ndarray, " k"], seeds: Slots, in_hand: float
) -> ChosenSet:
    """Needles with seeds to the millimetre, as few as meet the goals, found from `seeds` on, whose tracks are
    rows of the pool; those on other needles are left out. Needles without a seed are, unless given."""
    slots = slots_on(rules.pool.take(rows), SEED_STEP_MM)
    problem = problems.on(slots, len(rows), MANY, in_hand)
    stay = np.isin(seeds.track, rows)
    start = nearest_slots(problem, np.searchsorted(rows, seeds.track[stay]), seeds.from_tip_mm[stay])
    found = ChosenSet(rules.pool, rows, problem, as_few(problem, descended(problem, start)), 0.0)
    return replace(found, objective=rules.cost_of(rules.with_given(found.used)))
