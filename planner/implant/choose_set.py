"""Choose: the needles of a set and the seeds on them, together.

    seeds on all tracks at once, each track at its price                -->  a first set seeds and needles
    exchanged, a few at a time                        -->  (planner.implant.seeding.exchange) the best seeds
    on these needles, to the millimetre                  -->  goals missed? aim higher, again met: needles
    that the others can do without are left out            -->  (planner.implant.prune) the cheapest needles
    that pass near all places where seeds stand    -->  as good? taken; and the bound

If nothing meets the goals, the set that misses least is kept, and the plan says what it reached.
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
"""Step of slots on all tracks [U]."""
TRACK_COST = 0.0005
"""What a needle of 1 mm costs beside points on the wrong side: what is saved by missing a goal by 1 % buys no
needle of less than a metre of lung [U]."""
COVERAGE_RESERVE = (0.008, 0.015, 0.025)
"""Shares by which coverage is aimed at beyond its goal, one after the other, until the set meets it [U]."""
NEARLY = 0.04 * MISSED_GOAL_COST
"""Sets that miss the goals by more are not helped by aiming higher [U]."""

KeepGoing = Callable[[float], bool]
"""Told how far choosing has come, 0.0 to 1.0; False: time is up."""


def choose_set(
    rules: SetRules, placement: SeedPlacement, keep_going: KeepGoing, rng: np.random.Generator
) -> ChosenSet | None:
    """The set for a pool, as the module's text says. Where no seed may stand anywhere, what was given; None
    where that is nothing.

    The given needles keep the rules. Raises whatever `keep_going` raises.
    """
    if not any(rules.pool.spans):
        return _as_given(rules, placement)
    seeds: Slots | None = None
    best: ChosenSet | None = None
    for number, reserve in enumerate(COVERAGE_RESERVE):
        time = _Time(keep_going, number / len(COVERAGE_RESERVE), 1.0 / len(COVERAGE_RESERVE))
        seeds = _exchanged(rules, placement, seeds, reserve, time, rng)
        found = _refined(rules, placement, seeds, COVERAGE_RESERVE[number:])
        meets_goals = placement.meets_goals(found.seeds)
        if best is None or meets_goals or found.missed < best.missed:
            best = found
        best = replace(best, time_ended=time.is_up)
        if meets_goals or time.is_up or found.missed > NEARLY:
            break
    assert best is not None
    return bounded(rules, placement, pruned(rules, placement, best, COVERAGE_RESERVE[0]), COVERAGE_RESERVE[0])


def _as_given(rules: SetRules, placement: SeedPlacement) -> ChosenSet | None:
    """The given needles, to which no seed is added: no set that keeps them costs less."""
    if not len(rules.given) and not placement.has_given_seeds:
        return None
    nowhere = slots_on(rules.pool, SEED_STEP_MM)
    found = seeded_on(rules, placement, rules.given, nowhere, COVERAGE_RESERVE[0])
    return replace(found, bound=found.objective)


class _Time:
    """Asks for more time, of which a part starts at `done`, and remembers that it ended."""

    def __init__(self, keep_going: KeepGoing, done: float, part: float) -> None:
        self._keep_going, self._done, self._part, self.is_up = keep_going, done, part, False

    def go_on(self, fraction: float) -> bool:
        """Whether there is time for more."""
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
    """Seeds and needles exchanged among all tracks of the pool, from `seeds` on, or from none."""
    problem = _pool_problem(rules, placement, reserve)
    if seeds is None:
        start = _fewer(problem, descended(problem, problem.none()), rules)
    else:
        start = nearest_slots(problem, seeds.track, seeds.from_tip_mm)
    return problem.slots.take(exchanged(problem, start, rules.allow, time.go_on, rng))


def _fewer(
    problem: PlacementProblem, chosen: Bool[np.ndarray, " n"], rules: SetRules
) -> Bool[np.ndarray, " n"]:
    """The seeds without those of needles that carry fewest, until the rules allow what is left."""
    left = chosen.copy()
    while not rules.allow(problem.tracks(left)):
        tracks, counts = np.unique(problem.slots.track[left], return_counts=True)
        left &= problem.slots.track != tracks[counts.argmin()]
    return left


def _pool_problem(rules: SetRules, placement: SeedPlacement, reserve: float) -> PlacementProblem:
    """The problem of seeds on all tracks, each at its price and in conflict with others; given needles are in
    already, so they cost nothing, and whatever conflicts with them is shut."""
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
    rules: SetRules, placement: SeedPlacement, seeds: Slots, reserve: tuple[float, ...]
) -> ChosenSet:
    """The needles of seeds with the best seeds on them, for the first aim that makes them good; or for the
    first of all."""
    rows = rules.with_given(np.unique(seeds.track))
    first: ChosenSet | None = None
    for aim in reserve:
        found = seeded_on(rules, placement, rows, seeds, aim)
        first = found if first is None else first
        if placement.meets_goals(found.seeds):
            return found
        if found.missed > NEARLY:
            break
    assert first is not None
    return first
