"""Prune: a set that meets its goals, with fewer needles, and what none as good costs less than."""

from dataclasses import replace

from planner.implant.chosen_set import ChosenSet, seeded_on
from planner.implant.needles.tracks import covered, reach_mm
from planner.implant.seeding.goals import MISSED_GOAL_COST
from planner.implant.seeding.seed_placement import SeedPlacement
from planner.implant.set_cover import Cover, NoCover
from planner.implant.set_rules import SetRules

PLACE_RADIUS_MM = 1.0
"""How near to a place where a seed stands another needle must pass to do for it, for the bound [U]."""
WIDER_MM = (2.0,)
"""The same for sets that are tried instead [U]."""
WORTH_JUDGING = 0.01 * MISSED_GOAL_COST
"""Sets that miss the goals by more, on the points they were placed for, are not judged [U]."""
NEARLY_EQUAL_MM = 1e-6
"""Costs this near are one."""


def pruned(rules: SetRules, placement: SeedPlacement, found: ChosenSet, reserve: float) -> ChosenSet:
    """The set without needles that the others can do without, the dearest left out first; one that misses its
    goals as it is."""
    if not placement.meets_goals(found.seeds):
        return found
    needed = set(rules.given.tolist())
    while spare := [row for row in found.used.tolist() if row not in needed]:
        dearest = max(spare, key=lambda row: (rules.cost[row], -row))
        rows = rules.with_given(found.used[found.used != dearest])
        fewer = seeded_on(rules, placement, rows, found.seeds_of_pool, reserve)
        if fewer.missed <= WORTH_JUDGING and placement.meets_goals(fewer.seeds):
            found = replace(fewer, time_ended=found.time_ended)
        else:
            needed.add(dearest)
    return found


def bounded(rules: SetRules, placement: SeedPlacement, found: ChosenSet, reserve: float) -> ChosenSet:
    """The set with the bound of the programme for the places where its seeds stand; or one that passes near
    them and is cheaper and as good, with its own. Where the programme is not solved, nothing is bounded."""
    for radius in (*WIDER_MM, PLACE_RADIUS_MM):
        found = _cheaper(rules, placement, found, reserve, radius)
    cover = _cover(rules, found, PLACE_RADIUS_MM)
    return found if cover is None else replace(found, bound=min(cover.bound, found.objective))


def _cheaper(
    rules: SetRules, placement: SeedPlacement, found: ChosenSet, reserve: float, radius_mm: float
) -> ChosenSet:
    """The cheapest needles that pass within the radius if seeds on them do as well, else the set as it is."""
    cover = _cover(rules, found, radius_mm)
    if cover is None or cover.objective >= found.objective - NEARLY_EQUAL_MM:
        return found
    other = seeded_on(rules, placement, cover.rows, found.seeds_of_pool, reserve)
    meets_goals = placement.meets_goals(found.seeds)
    as_good = placement.meets_goals(other.seeds) if meets_goals else other.missed <= found.missed
    return replace(other, time_ended=found.time_ended) if as_good else found


def _cover(rules: SetRules, found: ChosenSet, radius_mm: float) -> Cover | None:
    try:
        return rules.cover(covered(reach_mm(rules.pool, found.seeds.centre_B), radius_mm))
    except NoCover:
        return None
