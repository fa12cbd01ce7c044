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
from planner.implant.seeding.descent import Problem, descended
from planner.implant.seeding.exchange import exchanged
from planner.implant.seeding.goals import MISSED
from planner.implant.seeding.placement_problem import SOME, Problems
from planner.implant.seeding.slots import Slots, slots_on
from planner.implant.set_rules import Rules

POOL_STEP_MM = 3.0
"""Step of slots on all tracks [U]."""
OPENING = 0.0005
"""What a needle of 1 mm costs beside points on the wrong side: what is saved by missing a goal by 1 % buys no
needle of less than a metre of lung [U]."""
IN_HAND = (0.008, 0.015, 0.025)
"""Shares by which coverage is aimed at beyond its goal, one after the other, until the set meets it [U]."""
NEARLY = 0.04 * MISSED
"""Sets that miss the goals by more are not helped by aiming higher [U]."""

More = Callable[[float], bool]
"""Told how far choosing has come, 0.0 to 1.0; False: time is up."""


def choose_set(rules: Rules, problems: Problems, more: More, rng: np.random.Generator) -> ChosenSet | None:
    """The set for a pool, as the module's text says. Where no seed may stand anywhere, what was given; None
    where that is nothing.

    The given needles keep the rules. Raises whatever `more` raises.
    """
    if not any(rules.pool.spans):
        return _as_given(rules, problems)
    seeds: Slots | None = None
    best: ChosenSet | None = None
    for number, in_hand in enumerate(IN_HAND):
        time = _Time(more, number / len(IN_HAND), 1.0 / len(IN_HAND))
        seeds = _exchanged(rules, problems, seeds, in_hand, time, rng)
        found = _refined(rules, problems, seeds, IN_HAND[number:])
        good = problems.good(found.seeds)
        if best is None or good or found.missed < best.missed:
            best = found
        best = replace(best, time_ended=time.is_up)
        if good or time.is_up or found.missed > NEARLY:
            break
    assert best is not None
    return bounded(rules, problems, pruned(rules, problems, best, IN_HAND[0]), IN_HAND[0])


def _as_given(rules: Rules, problems: Problems) -> ChosenSet | None:
    """The given needles, to which no seed is added: no set that keeps them costs less."""
    if not len(rules.given) and not problems.anything_given:
        return None
    nowhere = slots_on(rules.pool, SEED_STEP_MM)
    found = seeded_on(rules, problems, rules.given, nowhere, IN_HAND[0])
    return replace(found, bound=found.objective)


class _Time:
    """Asks for more time, of which a part starts at `done`, and remembers that it ended."""

    def __init__(self, more: More, done: float, part: float) -> None:
        self._more, self._done, self._part, self.is_up = more, done, part, False

    def go_on(self, fraction: float) -> bool:
        """Whether there is time for more."""
        self.is_up = not self._more(self._done + fraction * self._part)
        return not self.is_up


def _exchanged(
    rules: Rules,
    problems: Problems,
    seeds: Slots | None,
    in_hand: float,
    time: _Time,
    rng: np.random.Generator,
) -> Slots:
    """Seeds and needles exchanged among all tracks of the pool, from `seeds` on, or from none."""
    problem = _pool_problem(rules, problems, in_hand)
    if seeds is None:
        start = _fewer(problem, descended(problem, problem.none()), rules)
    else:
        start = nearest_slots(problem, seeds.track, seeds.from_tip_mm)
    return problem.slots.take(exchanged(problem, start, rules.allow, time.go_on, rng))


def _fewer(problem: Problem, chosen: Bool[np.ndarray, " n"], rules: Rules) -> Bool[np.ndarray, " n"]:
    """The seeds without those of needles that carry fewest, until the rules allow what is left."""
    left = chosen.copy()
    while not rules.allow(problem.tracks(left)):
        tracks, counts = np.unique(problem.slots.track[left], return_counts=True)
        left &= problem.slots.track != tracks[counts.argmin()]
    return left


def _pool_problem(rules: Rules, problems: Problems, in_hand: float) -> Problem:
    """The problem of seeds on all tracks, each at its price and in conflict with others; given needles are in
    already, so they cost nothing, and whatever conflicts with them is shut."""
    pool, given = rules.pool, rules.given
    slots = slots_on(pool, POOL_STEP_MM)
    problem = problems.on(slots, len(pool), SOME, in_hand)
    conflicts = nx.to_numpy_array(rules.conflicts, nodelist=range(len(pool)), dtype=bool, weight=None)
    closed = conflicts[given].any(axis=0)
    closed[given] = False
    conflicts[given] = conflicts[:, given] = False
    opening = OPENING * rules.cost
    opening[given] = 0.0
    return replace(problem, shut=problem.shut | closed[slots.track], opening=opening, conflicts=conflicts)


def _refined(rules: Rules, problems: Problems, seeds: Slots, in_hand: tuple[float, ...]) -> ChosenSet:
    """The needles of seeds with the best seeds on them, for the first aim that makes them good; or for the
    first of all."""
    rows = rules.with_given(np.unique(seeds.track))
    first: ChosenSet | None = None
    for aim in in_hand:
        found = seeded_on(rules, problems, rows, seeds, aim)
        first = found if first is None else first
        if problems.good(found.seeds):
            return found
        if found.missed > NEARLY:
            break
    assert first is not None
    return first
