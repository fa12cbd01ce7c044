"""Which needles may be in a set together, and sets limited by what the request allows."""

from itertools import combinations, permutations

import numpy as np
import pytest
from ball_plans import ball_scene, changed_request
from hypothesis import given, settings
from hypothesis import strategies as st
from random_needles import HARDWARE, NO_ORDER, crowd, random_needles

from planner.implant.needles.conflicts import Needles
from planner.implant.needles.insertion_order import must_precede
from planner.implant.needles.tracks import Tracks
from planner.implant.set_rules import SetRules, set_rules
from planner.plan import plan
from planner.records.plan import Plan, Status
from planner.records.progress import Phase, Progress
from planner.records.request.needle_set import NeedleSetRequest

NONE = np.empty(0, int)


def rules_for(needles: Needles, given_count: int, most: int = 99) -> SetRules:
    n = len(needles)
    pool = Tracks(
        needles.tip_P, needles.outward_P, needles.length_mm, np.ones(n), np.zeros(n, int), ((),) * n
    )
    return set_rules(pool, needles, HARDWARE, np.arange(given_count), 10.0, most)


@given(st.integers(0, 9999), st.integers(0, 2), st.booleans())
@settings(max_examples=40, deadline=None)
def test_a_set_is_allowed_exactly_if_some_insertion_order_is_possible(seed, given_count, crowded):
    """For needles without conflicts; given ones are in place, even if they block others."""
    needles = crowd(seed, 6) if crowded else random_needles(seed, 6)
    given_count = min(given_count, len(needles))
    rules = rules_for(needles, given_count)
    blocking = {(later, first) for first, later in must_precede(needles, HARDWARE).tolist()}
    for rows in combinations(range(given_count, len(needles)), 3):
        pairs = [p for p in combinations([*range(given_count), *rows], 2) if p[1] >= given_count]
        if any(rules.conflicts.has_edge(*p) for p in pairs):
            continue
        orders = permutations(rows)
        possible = any(not any(p in blocking for p in combinations(order, 2)) for order in orders)
        assert rules.allow(np.array(rows)) == possible
        assert not any((in_already, row) in blocking for in_already in range(given_count) for row in rows)


def test_a_blocking_cycle_is_refused_for_planned_and_accepted_for_given_needles():
    needles = NO_ORDER
    (rule,) = rules_for(needles, 0).broken(np.arange(3))
    assert sorted(rule.tracks) == [0, 1, 2] and rule.most == 2
    assert not rules_for(needles, 0).allow(np.arange(3))
    assert rules_for(needles, 3).broken(np.arange(3)) == [] and rules_for(needles, 3).allow(NONE)


def test_the_maximum_of_needles_includes_the_given_ones():
    needles = crowd(4, 5)
    assert len(needles) >= 3
    rules = rules_for(needles, 1, most=2)
    assert rules.allow(NONE) and rules.allow(np.array([0, 1])) and rules.allow(np.array([1]))
    assert not rules.allow(np.array([1, 2]))


def is_verified(plan: Plan) -> bool:
    return plan.verification is not None and plan.verification.passed


@pytest.mark.long
def test_a_plan_with_at_most_two_needles_uses_at_most_two():
    planned = plan(ball_scene(), changed_request(needle_set=NeedleSetRequest(max_needles=2))).plan
    assert is_verified(planned) and planned.needle_set is not None
    assert 1 <= len(planned.needle_set.path_ids) <= 2
    if planned.outcome.status is not Status.PLANNED:
        assert "No more than 2 needles were allowed" in planned.outcome.message


@pytest.mark.long
def test_a_set_at_the_time_limit_says_so_and_is_verified():
    def until_needles(progress: Progress) -> bool:
        return progress.phase is not Phase.NEEDLES

    planned = plan(ball_scene(), changed_request(), until_needles).plan
    assert is_verified(planned) and planned.needle_set is not None
    assert planned.needle_set.time_ended and "time limit" in planned.needle_set.claims[-1]
    complete = plan(ball_scene(), changed_request()).plan
    assert complete.needle_set is not None and not complete.needle_set.time_ended


def test_cancelling_takes_effect_between_exchanges():
    class Withdrawn(Exception):
        pass

    fractions: list[float] = []

    def withdraw(progress: Progress) -> bool:
        if progress.text.startswith("exchanged"):
            fractions.append(progress.fraction)
            if len(fractions) == 3:
                raise Withdrawn
        return True

    with pytest.raises(Withdrawn):
        plan(ball_scene(), changed_request(), withdraw)
    assert fractions == sorted(fractions) and 0.0 <= fractions[-1] <= 1.0
