"""Prune: fewer needles for a set that meets its goals, and a lower bound for the cost of sets as good."""

from dataclasses import replace

from planner.implant.chosen_set import ChosenSet, seeded_on
from planner.implant.needles.tracks import covered, reach_mm
from planner.implant.seeding.goals import MISSED_GOAL_COST
from planner.implant.seeding.seed_placement import SeedPlacement
from planner.implant.set_cover import Cover, NoCover
from planner.implant.set_rules import SetRules

PLACE_RADIUS_MM = 1.0
"""Another needle can replace that of a seed if it passes within this distance of the seed; for the bound
[U]."""
WIDER_MM = (2.0,)
"""The same distance for sets that are tried instead [U]."""
WORTH_JUDGING = 0.01 * MISSED_GOAL_COST
"""Sets whose missed goals cost more than this, at the points they were placed for, are not judged [U]."""
NEARLY_EQUAL_MM = 1e-6
"""Costs that differ by less are equal."""


def pruned(rules: SetRules, placement: SeedPlacement, chosen: ChosenSet, reserve: float) -> ChosenSet:
    """The set without the needles that the others can replace, the most expensive left out first. A set that
    misses its goals is returned as it is."""
    if not placement.meets_goals(chosen.seeds):
        return chosen
    needed = set(rules.given.tolist())
    while spare := [row for row in chosen.used.tolist() if row not in needed]:
        dearest = max(spare, key=lambda row: (rules.cost[row], -row))
        rows = rules.with_given(chosen.used[chosen.used != dearest])
        fewer = seeded_on(rules, placement, rows, chosen.seeds_of_pool, reserve)
        if fewer.missed <= WORTH_JUDGING and placement.meets_goals(fewer.seeds):
            chosen = replace(fewer, time_ended=chosen.time_ended)
        else:
            needed.add(dearest)
    return chosen


def bounded(rules: SetRules, placement: SeedPlacement, chosen: ChosenSet, reserve: float) -> ChosenSet:
    """The set with a lower bound of its cost, from the set-cover programme for the places of its seeds.

    A cheaper set that passes near these places and is as good is taken instead, with its own bound. Where the
    programme is not solved, there is no bound.
    """
    for radius in (*WIDER_MM, PLACE_RADIUS_MM):
        chosen = _cheaper(rules, placement, chosen, reserve, radius)
    cover = _cover(rules, chosen, PLACE_RADIUS_MM)
    return chosen if cover is None else replace(chosen, bound=min(cover.bound, chosen.objective))


def _cheaper(
    rules: SetRules, placement: SeedPlacement, chosen: ChosenSet, reserve: float, radius_mm: float
) -> ChosenSet:
    """The cheapest needles that pass within the radius, if seeds on them are as good; otherwise the set as it
    is."""
    cover = _cover(rules, chosen, radius_mm)
    if cover is None or cover.objective >= chosen.objective - NEARLY_EQUAL_MM:
        return chosen
    other = seeded_on(rules, placement, cover.rows, chosen.seeds_of_pool, reserve)
    meets_goals = placement.meets_goals(chosen.seeds)
    as_good = placement.meets_goals(other.seeds) if meets_goals else other.missed <= chosen.missed
    return replace(other, time_ended=chosen.time_ended) if as_good else chosen


def _cover(rules: SetRules, chosen: ChosenSet, radius_mm: float) -> Cover | None:
    try:
        return rules.cover(covered(reach_mm(rules.pool, chosen.seeds.centre_B), radius_mm))
    except NoCover:
        return None
