"""Choose: the needles of a set and the seeds on them, together.

    where would seeds stand best, were needles free?                    -->  wanted places
    the cheapest needles that pass every wanted place within a radius   -->  needles (planner.needles.cover)
    the best seeds on those needles                                     -->  goals met? no: a smaller radius
    nearly met: seeds may leave for further needles, each at its price  -->  their places are wanted then
    met: needles that the others can do without are left out            (planner.needles.prune)

If no radius meets the goals, the set that misses least is kept, and the plan says what it reached. At last
the programme is solved for the places where the seeds stand: its bound is the plan's.
"""

from collections.abc import Callable
from dataclasses import replace

import networkx as nx
import numpy as np
from jaxtyping import Float, Int

from planner.needles.chosen import (
    LADDER_STEP_MM,
    ChosenSet,
    MakeProblem,
    Rules,
    nearest_slots,
    refined,
)
from planner.needles.conflicts import Hardware, Needles, conflict_graph
from planner.needles.cover import Rule, cheapest_cover, conflict_rules
from planner.needles.order import must_precede, mutually_blocking_pairs
from planner.needles.prune import bounded, pruned
from planner.needles.tracks import Tracks, burden_mm, covered, reach_mm
from planner.seeding.aims import MISSED
from planner.seeding.descent import descended
from planner.seeding.slots import slots_on

RADII_MM = (5.0, 4.0, 3.0, 2.0, 1.0)
"""How near a needle must pass a wanted place: the ladder [U]."""
MENDED_RADII_MM = (1.0, 0.01)
"""The same for places where seeds of further needles stand: near them, or at them [U]."""
NEEDLE_COST_MM = 1.0
"""What a needle costs beside its lung and punctures: of two sets as dear, the one with fewer is taken [U]."""
POOL_STEP_MM = 3.0
"""Step of slots on all tracks [U]."""
NEARLY = 0.04 * MISSED
"""Sets that miss the goals by this little may be mended by a needle more [U]."""
OPENING = 0.0002
"""What a needle of 1 mm costs beside points on the wrong side, when seeds may leave for it [U]."""


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
    rules = [Rule(tuple(range(len(pool))), most), *conflict_rules(conflicts, given)]
    cost = burden_mm(pool.lung_mm, pool.punctures, puncture_cost_mm) + NEEDLE_COST_MM
    return Rules(pool, needles, hardware, given, cost, conflicts, rules)


def choose_set(rules: Rules, make: MakeProblem, good: Callable[[ChosenSet], bool]) -> ChosenSet | None:
    """The set for a pool, as the module's text says; None where no seed may stand anywhere.

    `good` judges a set on finer points than it was made on. Raises NoCover where the given needles alone
    break the rules.
    """
    if not any(rules.pool.spans):
        return None
    reach = reach_mm(rules.pool, _wanted_places(rules.pool, make))
    tried: list[ChosenSet] = []
    for radius in RADII_MM:
        found = _best_within(rules, make, good, reach, radius)
        if found.missed == 0.0 and good(found):
            return bounded(rules, make, good, pruned(rules, make, good, found))
        tried.append(found)
    return bounded(rules, make, good, min(tried, key=lambda s: s.value))


def _best_within(
    rules: Rules, make: MakeProblem, good: Callable[[ChosenSet], bool], reach: np.ndarray, radius: float
) -> ChosenSet:
    """The set for a radius, refined where it meets the goals or nearly does, and mended where it must be."""
    found = _set_within(rules, make, reach, radius)
    if found.missed > NEARLY:
        return found
    found = refined(found, make)
    if found.missed == 0.0 and good(found):
        return found
    reach = reach_mm(rules.pool, _mended(rules, make, found))
    for near in MENDED_RADII_MM:
        mended = refined(_set_within(rules, make, reach, near), make)
        if mended.missed < found.missed or mended.missed == 0.0:
            found = mended
        if mended.missed == 0.0 and good(mended):
            break
    return found


def _wanted_places(pool: Tracks, make: MakeProblem) -> Float[np.ndarray, "k 3"]:
    """Where seeds would stand if needles cost nothing and could cross each other."""
    slots = slots_on(pool, POOL_STEP_MM)
    problem = make(slots, len(pool), False)
    return np.asarray(slots.centre_B[descended(problem, problem.none())])


def _mended(rules: Rules, make: MakeProblem, found: ChosenSet) -> Float[np.ndarray, "k 3"]:
    """Where seeds stand best from the set's own on, if they may leave for any needle of the pool that has
    room, at its price."""
    slots = slots_on(rules.pool, POOL_STEP_MM)
    conflicts = nx.to_numpy_array(rules.conflicts, nodelist=range(len(rules.pool)), dtype=bool, weight=None)
    problem = replace(make(slots, len(rules.pool), False), opening=OPENING * rules.cost, conflicts=conflicts)
    seeds = found.seeds
    start = nearest_slots(problem, found.rows[seeds.track], seeds.from_tip_mm)
    return np.asarray(slots.centre_B[descended(problem, start)])


def _set_within(rules: Rules, make: MakeProblem, reach: np.ndarray, radius: float) -> ChosenSet:
    """Needles that pass every wanted place within the radius and the seeds on them. Places that only needles
    without a seed pass need no needle after all: then the set is chosen again without them."""
    needed = covered(reach, radius)
    while True:
        cover = cheapest_cover(rules.cost, needed, rules.rules, rules.given, rules.broken)
        slots = slots_on(rules.pool.take(cover.rows), LADDER_STEP_MM)
        problem = make(slots, len(cover.rows), False)
        found = ChosenSet(
            pool=rules.pool,
            rows=cover.rows,
            problem=problem,
            seeded=descended(problem, problem.none()),
            objective=cover.objective,
            bound=cover.bound,
            radius_mm=radius,
            passed_share=float(needed[cover.rows].any(axis=0).sum()) / max(reach.shape[1], 1),
        )
        used = np.union1d(found.rows[problem.tracks(found.seeded)], rules.given)
        dropped = needed.any(axis=0) & ~needed[used].any(axis=0)
        if len(used) == len(found.rows) or not dropped.any():
            return found
        needed = needed[:, ~dropped]
