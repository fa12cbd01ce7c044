"""The Pareto front, against every pair compared."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from measured_paths import BASE, numbers, paths_from

from planner.paths.pareto import front, pareto_flags
from planner.paths.ranking import ranked
from planner.records.request.request import Request


def beaten(values: np.ndarray) -> np.ndarray:
    no_worse = (values[:, None, :] <= values[None, :, :]).all(axis=2)
    better = (values[:, None, :] < values[None, :, :]).any(axis=2)
    return (no_worse & better).any(axis=0)


small = st.tuples(st.integers(0, 40), st.integers(1, 5)).flatmap(
    lambda shape: arrays(np.float64, shape, elements=st.integers(0, 4).map(float))
)


@pytest.mark.interpreted
@given(small)
def test_front_is_what_no_pair_rules_out(values):
    assert front(values).tolist() == (~beaten(values)).tolist()


@given(small, st.randoms(use_true_random=False))
def test_order_of_input_never_matters(values, random):
    order = list(range(len(values)))
    random.shuffle(order)
    assert front(values[order]).tolist() == front(values)[order].tolist()


@given(small)
def test_everything_off_the_front_is_beaten_by_something_on_it(values):
    on = front(values)
    for row in values[~on]:
        assert ((values[on] <= row).all(axis=1) & (values[on] < row).any(axis=1)).any()


def test_many_random_paths_agree_with_every_pair():
    values = np.random.default_rng(3).normal(size=(1500, 5))
    assert front(values).tolist() == (~beaten(values)).tolist()


def test_a_hundred_thousand_paths_are_no_burden():
    values = np.random.default_rng(3).random((100_000, 5))
    on = front(values)
    # The best in one objective, and the best sum, are on any front.
    assert on[values.argmin(axis=0)].all()
    assert on[values.sum(axis=1).argmin()]
    assert 0 < on.sum() < 10_000


def test_rounding_beats_nobody():
    assert front(np.array([[1.0, 2.0], [1.0 + 1e-12, 2.0]])).all()
    assert front(np.array([[1.0, 2.0], [1.0 + 1e-5, 2.0]])).tolist() == [True, False]


def test_no_paths_no_front():
    assert pareto_flags([]) == []


@given(st.lists(numbers, min_size=1, max_size=12))
def test_the_best_ranked_path_is_on_the_front(some):
    some = paths_from(some)
    best = ranked(some, Request().path_order)[0]
    assert pareto_flags(some)[some.index(best)]


def test_the_front_holds_what_no_weighted_sum_finds():
    # Lung against clearance: the middle one lies above the line through the others.
    ends = [
        replace(BASE, lung_length_mm=0.0, clearance_mm=0.0),
        replace(BASE, lung_length_mm=10.0, clearance_mm=10.0),
    ]
    middle = replace(BASE, lung_length_mm=6.0, clearance_mm=5.0)
    assert pareto_flags([*ends, middle]) == [True, True, True]
    assert pareto_flags([*ends, middle, replace(middle, length_mm=60.0)]) == [True, True, True, False]
