"""Prune: a set that meets its goals, with fewer needles, and what none as good costs less than."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from planner.needles.chosen import LADDER_STEP_MM, ChosenSet, MakeProblem, Rules, nearest_slots, refined
from planner.needles.cover import Cover, cheapest_cover
from planner.needles.tracks import covered, reach_mm
from planner.seeding.descent import descended
from planner.seeding.slots import slots_on

PLACE_RADIUS_MM = 1.0
"""How near to a place where a seed stands another needle must pass to do for it [U]."""

Good = Callable[[ChosenSet], bool]


def pruned(rules: Rules, make: MakeProblem, good: Good, found: ChosenSet) -> ChosenSet:
    """The set without needles that the others can do without, the dearest left out first."""
    held = set(rules.given.tolist())
    left_alone: set[int] = set()
    while True:
        spare = [row for row in found.rows.tolist() if row not in held and row not in left_alone]
        if not spare:
            return found
        dearest = max(spare, key=lambda row: (rules.cost[row], -row))
        fewer = _without(rules, make, found, dearest)
        if fewer is not None and good(fewer):
            found = fewer
        else:
            left_alone.add(dearest)


def _without(rules: Rules, make: MakeProblem, found: ChosenSet, row: int) -> ChosenSet | None:
    """The set without a needle, if the others can still meet the goals: quickly tried, then refined."""
    rows = found.rows[found.rows != row]
    place = {int(r): n for n, r in enumerate(rows)}
    seeds = found.seeds
    stay = found.rows[seeds.track] != row
    tracks = np.array([place[int(r)] for r in found.rows[seeds.track[stay]]], int)
    slots = slots_on(found.pool.take(rows), LADDER_STEP_MM)
    if not len(slots):
        return None
    problem = make(slots, len(rows), False)
    seeded = descended(problem, nearest_slots(problem, tracks, seeds.from_tip_mm[stay]))
    if problem.cost(seeded)[1] > 0.0:
        return None
    objective = float(rules.cost[rows].sum())
    fewer = replace(found, rows=rows, problem=problem, seeded=seeded, objective=objective)
    fewer = refined(fewer, make)
    return fewer if fewer.missed == 0.0 else None


def bounded(rules: Rules, make: MakeProblem, good: Good, found: ChosenSet) -> ChosenSet:
    """The set with the bound of the programme for the places where its seeds stand; or the programme's own
    set where that is cheaper and as good."""
    used = np.union1d(found.rows[found.problem.tracks(found.seeded)], rules.given).astype(int)
    needed = covered(reach_mm(rules.pool, found.seeds.centre_B), PLACE_RADIUS_MM)
    cover = cheapest_cover(rules.cost, needed, rules.rules, rules.given, rules.broken)
    objective = float(rules.cost[used].sum())
    if cover.objective < objective - NEARLY_EQUAL_MM:
        other = _seeded_on(rules, make, found, cover)
        as_good = good(other) if good(found) else other.value <= found.value
        if as_good:
            return replace(other, bound=cover.bound, radius_mm=PLACE_RADIUS_MM, passed_share=1.0)
    return replace(
        found,
        objective=objective,
        bound=min(cover.bound, objective),
        radius_mm=PLACE_RADIUS_MM,
        passed_share=1.0,
    )


NEARLY_EQUAL_MM = 1e-6
"""Costs this near are one."""


def _seeded_on(rules: Rules, make: MakeProblem, found: ChosenSet, cover: Cover) -> ChosenSet:
    slots = slots_on(rules.pool.take(cover.rows), LADDER_STEP_MM)
    problem = make(slots, len(cover.rows), False)
    seeded = descended(problem, problem.none())
    made = replace(found, rows=cover.rows, problem=problem, seeded=seeded, objective=cover.objective)
    return refined(made, make)
