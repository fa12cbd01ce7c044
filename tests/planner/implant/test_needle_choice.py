"""Which needles may be in a set together, and what a set is where not all that helps is allowed."""

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
def test_what_is_allowed_is_what_some_order_can_drive(seed, given_count, crowded):
    """Of needles in no conflict; the given ones are in already, whatever they stop."""
    needles = crowd(seed, 6) if crowded else random_needles(seed, 6)
    given_count = min(given_count, len(needles))
    rules = rules_for(needles, given_count)
    stops = {(later, first) for first, later in must_precede(needles, HARDWARE).tolist()}
    for rows in combinations(range(given_count, len(needles)), 3):
        pairs = [p for p in combinations([*range(given_count), *rows], 2) if p[1] >= given_count]
        if any(rules.conflicts.has_edge(*p) for p in pairs):
            continue
        orders = permutations(rows)
        free = any(not any(p in stops for p in combinations(order, 2)) for order in orders)
        assert rules.allow(np.array(rows)) == free
        assert not any((in_already, row) in stops for in_already in range(given_count) for row in rows)


def test_a_ring_is_broken_where_it_is_planned_and_let_be_where_it_is_in():
    needles = NO_ORDER
    (rule,) = rules_for(needles, 0).broken(np.arange(3))
    assert sorted(rule.tracks) == [0, 1, 2] and rule.most == 2
    assert not rules_for(needles, 0).allow(np.arange(3))
    assert rules_for(needles, 3).broken(np.arange(3)) == [] and rules_for(needles, 3).allow(NONE)


def test_no_more_needles_are_allowed_than_asked_for_the_given_ones_counted():
    needles = crowd(4, 5)
    assert len(needles) >= 3
    rules = rules_for(needles, 1, most=2)
    assert rules.allow(NONE) and rules.allow(np.array([0, 1])) and rules.allow(np.array([1]))
    assert not rules.allow(np.array([1, 2]))


def passed(made: Plan) -> bool:
    return made.verification is not None and made.verification.passed


@pytest.mark.long
def test_where_two_needles_are_allowed_two_do_what_they_can():
    planned = plan(ball_scene(), changed_request(needle_set=NeedleSetRequest(max_needles=2))).plan
    assert passed(planned) and planned.needle_set is not None
    assert 1 <= len(planned.needle_set.path_ids) <= 2
    if planned.outcome.status is not Status.PLANNED:
        assert "No more than 2 needles were allowed" in planned.outcome.message


@pytest.mark.long
def test_a_set_that_time_cut_short_says_so_and_is_verified_all_the_same():
    def until_needles(progress: Progress) -> bool:
        return progress.phase is not Phase.NEEDLES

    planned = plan(ball_scene(), changed_request(), until_needles).plan
    assert passed(planned) and planned.needle_set is not None
    assert planned.needle_set.time_ended and "time limit" in planned.needle_set.claims[-1]
    whole = plan(ball_scene(), changed_request()).plan
    assert whole.needle_set is not None and not whole.needle_set.time_ended


def test_cancelling_takes_effect_between_exchanges():
    class Withdrawn(Exception):
        pass

    told: list[float] = []

    def withdraw(progress: Progress) -> bool:
        if progress.text.startswith("exchanged"):
            told.append(progress.fraction)
            if len(told) == 3:
                raise Withdrawn
        return True

    with pytest.raises(Withdrawn):
        plan(ball_scene(), changed_request(), withdraw)
    assert told == sorted(told) and 0.0 <= told[-1] <= 1.0
