"""Choose set: the needles of a set and the seeds on them, chosen together, in five steps.

1. Seeds on all tracks at once, where each track has a cost: a first set.
2. Seeds and needles are exchanged, a few at a time (planner.implant.seeding.exchange).
3. The best seeds on these needles, to the millimetre. If the goals are missed, the search aims higher and
   begins again at step 2.
4. If they are met, needles that the others can replace are left out (planner.implant.prune).
5. The cheapest needles that pass near all seeds are taken if they are as good; they give the bound as well.

If no set meets the goals, the one that misses them least is kept, and the plan states what it reaches.
"""

from collections.abc import Callable
from dataclasses import replace

import networkx as nx
import numpy as np
from jaxtyping import Bool

from planner.implant.chosen_set import SEED_STEP_MM, ChosenSet, nearest_slots, seeded_on
from planner.implant.prune import bounded, pruned
from planner.implant.seeding.descent import descended
from planner.implant.seeding.exchange import exchanged
from planner.implant.seeding.goals import MISSED_GOAL_COST
from planner.implant.seeding.placement_problem import PlacementProblem
from planner.implant.seeding.seed_placement import COARSE_POINTS, SeedPlacement
from planner.implant.seeding.slots import Slots, slots_on
from planner.implant.set_rules import SetRules

POOL_STEP_MM = 3.0
"""Step of the slots on all tracks [U]."""
TRACK_COST = 0.0005
"""Cost of a track for each mm of its needle's cost, on the scale of the cost of points. Missing a goal by 1 %
costs more than a needle through a metre of lung [U]."""
COVERAGE_RESERVE = (0.008, 0.015, 0.025)
"""Shares of the volume by which the search aims beyond the coverage goals, tried in turn until the set meets
them [U]."""
NEARLY = 0.04 * MISSED_GOAL_COST
"""Aiming higher does not help sets whose missed goals cost more than this [U]."""

KeepGoing = Callable[[float], bool]
"""Called with the progress of the choice, from 0.0 to 1.0. False: time is up."""


def choose_set(
    rules: SetRules, placement: SeedPlacement, keep_going: KeepGoing, rng: np.random.Generator
) -> ChosenSet | None:
    """The set for a pool, as described at the top of the module.

    Where no seed can be placed anywhere, the set is what was given, or None if nothing was. The given needles
    must keep the rules. Raises whatever `keep_going` raises.
    """
    if not any(rules.pool.spans):
        return _as_given(rules, placement)
    seeds: Slots | None = None
    best: ChosenSet | None = None
    for number, reserve in enumerate(COVERAGE_RESERVE):
        time = _Time(keep_going, number / len(COVERAGE_RESERVE), 1.0 / len(COVERAGE_RESERVE))
        seeds = _exchanged(rules, placement, seeds, reserve, time, rng)
        candidate = _refined(rules, placement, seeds, COVERAGE_RESERVE[number:])
        meets = placement.meets_goals(candidate.seeds)
        if best is None or meets or candidate.missed < best.missed:
            best = candidate
        best = replace(best, time_ended=time.is_up)
        if meets or time.is_up or candidate.missed > NEARLY:
            break
    assert best is not None
    return bounded(rules, placement, pruned(rules, placement, best, COVERAGE_RESERVE[0]), COVERAGE_RESERVE[0])


def _as_given(rules: SetRules, placement: SeedPlacement) -> ChosenSet | None:
    """The given needles, without additional seeds: no set that keeps them costs less."""
    if not len(rules.given) and not placement.has_given_seeds:
        return None
    no_slots = slots_on(rules.pool, SEED_STEP_MM)
    given_set = seeded_on(rules, placement, rules.given, no_slots, COVERAGE_RESERVE[0])
    return replace(given_set, bound=given_set.objective)


class _Time:
    """Reports the progress of one part of the choice, and remembers whether time is up."""

    def __init__(self, keep_going: KeepGoing, done: float, part: float) -> None:
        self._keep_going, self._done, self._part, self.is_up = keep_going, done, part, False

    def go_on(self, fraction: float) -> bool:
        """Whether there is time left."""
        self.is_up = not self._keep_going(self._done + fraction * self._part)
        return not self.is_up


def _exchanged(
    rules: SetRules,
    placement: SeedPlacement,
    seeds: Slots | None,
    reserve: float,
    time: _Time,
    rng: np.random.Generator,
) -> Slots:
    """Seeds and needles exchanged among all tracks of the pool, starting from `seeds`, or from none."""
    problem = _pool_problem(rules, placement, reserve)
    if seeds is None:
        start = _fewer(problem, descended(problem, problem.none()), rules)
    else:
        start = nearest_slots(problem, seeds.track, seeds.from_tip_mm)
    return problem.slots.take(exchanged(problem, start, rules.allow, time.go_on, rng))


def _fewer(
    problem: PlacementProblem, chosen: Bool[np.ndarray, " n"], rules: SetRules
) -> Bool[np.ndarray, " n"]:
    """The seeds after removing the needles with the fewest seeds, until the rules allow the others."""
    reduced = chosen.copy()
    while not rules.allow(problem.tracks(reduced)):
        tracks, counts = np.unique(problem.slots.track[reduced], return_counts=True)
        reduced &= problem.slots.track != tracks[counts.argmin()]
    return reduced


def _pool_problem(rules: SetRules, placement: SeedPlacement, reserve: float) -> PlacementProblem:
    """The problem of placing seeds on all tracks, with the cost and the conflicts of each track. Given
    needles are in place already: they cost nothing, and tracks that conflict with them are closed."""
    pool, given = rules.pool, rules.given
    slots = slots_on(pool, POOL_STEP_MM)
    problem = placement.on(slots, len(pool), COARSE_POINTS, reserve)
    conflicts = nx.to_numpy_array(rules.conflicts, nodelist=range(len(pool)), dtype=bool, weight=None)
    closed = conflicts[given].any(axis=0)
    closed[given] = False
    conflicts[given] = conflicts[:, given] = False
    track_cost = TRACK_COST * rules.cost
    track_cost[given] = 0.0
    return replace(
        problem, closed=problem.closed | closed[slots.track], track_cost=track_cost, conflicts=conflicts
    )


def _refined(
    rules: SetRules, placement: SeedPlacement, seeds: Slots, reserves: tuple[float, ...]
) -> ChosenSet:
    """The needles that carry these seeds, with the best seeds on them, for the first reserve with which they
    meet the goals, or for the first of all."""
    rows = rules.with_given(np.unique(seeds.track))
    first: ChosenSet | None = None
    for share in reserves:
        candidate = seeded_on(rules, placement, rows, seeds, share)
        first = candidate if first is None else first
        if placement.meets_goals(candidate.seeds):
            return candidate
        if candidate.missed > NEARLY:
            break
    assert first is not None
    return first
