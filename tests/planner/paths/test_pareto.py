"""The Pareto front, compared with all pairs."""

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


def dominated(values: np.ndarray) -> np.ndarray:
    no_worse = (values[:, None, :] <= values[None, :, :]).all(axis=2)
    strictly_better = (values[:, None, :] < values[None, :, :]).any(axis=2)
    return (no_worse & strictly_better).any(axis=0)


small_arrays = st.tuples(st.integers(0, 40), st.integers(1, 5)).flatmap(
    lambda shape: arrays(np.float64, shape, elements=st.integers(0, 4).map(float))
)


@pytest.mark.interpreted
@given(small_arrays)
def test_the_front_agrees_with_all_pairs(values):
    assert front(values).tolist() == (~dominated(values)).tolist()


@given(small_arrays, st.randoms(use_true_random=False))
def test_order_of_input_never_matters(values, random):
    order = list(range(len(values)))
    random.shuffle(order)
    assert front(values[order]).tolist() == front(values)[order].tolist()


@given(small_arrays)
def test_every_path_off_the_front_is_dominated_by_one_on_it(values):
    on_front = front(values)
    for row in values[~on_front]:
        assert ((values[on_front] <= row).all(axis=1) & (values[on_front] < row).any(axis=1)).any()


def test_the_front_of_many_random_paths_agrees_with_all_pairs():
    values = np.random.default_rng(3).normal(size=(1500, 5))
    assert front(values).tolist() == (~dominated(values)).tolist()


def test_the_front_of_a_hundred_thousand_paths_is_fast():
    values = np.random.default_rng(3).random((100_000, 5))
    on_front = front(values)
    # The best in each objective and the best sum are always on the front.
    assert on_front[values.argmin(axis=0)].all()
    assert on_front[values.sum(axis=1).argmin()]
    assert 0 < on_front.sum() < 10_000


def test_differences_within_rounding_do_not_dominate():
    assert front(np.array([[1.0, 2.0], [1.0 + 1e-12, 2.0]])).all()
    assert front(np.array([[1.0, 2.0], [1.0 + 1e-5, 2.0]])).tolist() == [True, False]


def test_without_paths_the_front_is_empty():
    assert pareto_flags([]) == []


@given(st.lists(numbers, min_size=1, max_size=12))
def test_the_best_ranked_path_is_on_the_front(values):
    values = paths_from(values)
    best = ranked(values, Request().path_order)[0]
    assert pareto_flags(values)[values.index(best)]


def test_the_front_contains_paths_that_no_weighted_sum_finds():
    # Lung and clearance: the middle path lies above the line through the others.
    ends = [
        replace(BASE, lung_length_mm=0.0, clearance_mm=0.0),
        replace(BASE, lung_length_mm=10.0, clearance_mm=10.0),
    ]
    middle = replace(BASE, lung_length_mm=6.0, clearance_mm=5.0)
    assert pareto_flags([*ends, middle]) == [True, True, True]
    assert pareto_flags([*ends, middle, replace(middle, length_mm=60.0)]) == [True, True, True, False]
