"""Ranking and scores: the default order, weights, and an order that is total."""

import importlib
import pkgutil
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from measured_paths import BASE, numbers, paths_from

import planner.scores
from planner.errors import RequestError
from planner.measuring.measured import MeasuredPath
from planner.paths.ranking import ranked, score_named
from planner.records.request.ranking import DEFAULT_RANKING
from planner.records.request.request import Request
from planner.scores import RISK_MODELS, SCORES, Score
from planner.scores.pneumothorax_odds import pneumothorax_odds


def default_key(p: MeasuredPath):
    position = (*p.entry_mm, *p.tip_mm)
    return (p.lung_length_mm, p.pleural_punctures, p.fissures_crossed, -p.clearance_mm, p.length_mm, position)


@given(st.lists(numbers, max_size=12))
def test_the_default_order_is_lexicographic(values):
    values = paths_from(values)
    assert [default_key(p) for p in ranked(values, Request().path_order)] == sorted(
        default_key(p) for p in values
    )


@given(
    st.lists(numbers, max_size=8).flatmap(lambda values: st.tuples(st.just(values), st.permutations(values)))
)
def test_order_of_input_never_matters(orders):
    orders = paths_from(orders[0]), paths_from(orders[1])
    for request in (Request(), Request(weights={"length_mm": 1.0}), Request(ranking=("fissures_crossed",))):
        assert ranked(orders[0], request.path_order) == ranked(orders[1], request.path_order)


@given(st.lists(numbers, max_size=12))
def test_paths_without_lung_come_first(values):
    lungs = [p.lung_length_mm > 0 for p in ranked(paths_from(values), Request().path_order)]
    assert lungs == sorted(lungs)


@given(st.lists(numbers, max_size=12), st.permutations([s.name for s in SCORES]))
def test_the_first_named_score_decides(values, names):
    scores = [
        score_named(names[0]).of(p)
        for p in ranked(paths_from(values), Request(ranking=tuple(names)).path_order)
    ]
    assert scores == sorted(scores)


@given(st.lists(numbers, max_size=12), st.floats(0, 10), st.floats(0, 10))
def test_weights_order_by_their_sum_of_raw_scores(values, a, b):
    order = ranked(paths_from(values), Request(weights={"clearance_mm": a, "lung_length_mm": b}).path_order)
    sums = [round(b * p.lung_length_mm - a * p.clearance_mm, 6) for p in order]
    assert sums == sorted(sums)


def test_rounding_errors_do_not_decide_the_order():
    a = replace(BASE, lung_length_mm=10.0 + 1e-12, clearance_mm=6.0)
    b = replace(BASE, lung_length_mm=10.0, clearance_mm=5.0)
    assert ranked([b, a], Request().path_order) == [a, b]
    other = replace(BASE, entry_mm=(1e-12, 0.0, 0.0), tip_mm=(0.0, 49.0, 0.0))
    assert ranked([BASE, other], Request().path_order) == [other, BASE]


def test_ranking_sorts_a_plans_paths_as_well_as_measured_lines():
    from planner.measuring.measured import to_path

    measured = [replace(BASE, lung_length_mm=3.0), replace(BASE, lung_length_mm=2.0)]
    paths = [to_path(m, id="p", rank=1, window="", approach="", pareto=False, seeds=()) for m in measured]
    assert [p.lung_length_mm for p in ranked(paths, Request().path_order)] == [2.0, 3.0]


def test_an_unknown_score_is_refused_with_the_known_ones():
    with pytest.raises(RequestError, match="'lung'") as failure:
        ranked([BASE], Request(ranking=("lung_length_mm", "lung")).path_order)
    assert failure.value.field == "ranking"
    assert all(score.name in failure.value.remedy for score in SCORES)
    with pytest.raises(RequestError) as failure:
        ranked([], Request(weights={"speed": 1.0}).path_order)
    assert failure.value.field == "weights/speed"


def test_a_risk_model_cannot_be_ranked_by():
    for model in RISK_MODELS:
        with pytest.raises(RequestError):
            score_named(model.name)


def test_the_default_ranking_is_known():
    assert {score_named(name).name for name in DEFAULT_RANKING} <= {score.name for score in SCORES}


def test_every_score_is_listed_once_and_has_a_source():
    modules = (
        importlib.import_module(f"planner.scores.{m.name}")
        for m in pkgutil.iter_modules(planner.scores.__path__)
    )
    defined = {
        value.name: value for module in modules for value in vars(module).values() if isinstance(value, Score)
    }
    listed = [*SCORES, *RISK_MODELS]
    assert {score.name for score in listed} == set(defined)
    assert len(listed) == len(defined)
    assert all(score.source for score in listed)


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"lung_length_mm": 9.0}, "lung_length_mm"),
        ({"pleural_punctures": 0}, "pleural_punctures"),
        ({"clearance_mm": 5.0}, "clearance_mm"),
        ({"length_mm": 40.0}, "length_mm"),
        ({"target_chord_mm": 16.0}, "target_chord_mm"),
        ({"craniocaudal_angle_deg": -0.5}, "off_axial_angle_deg"),
    ],
)
def test_lower_is_better(changes, name):
    path = replace(BASE, craniocaudal_angle_deg=1.0, fissures_crossed=1)
    assert score_named(name).of(replace(path, **changes)) < score_named(name).of(path)


@pytest.mark.parametrize(
    ("changes", "odds"),
    [
        ({}, 1.0),
        ({"lung_length_mm": 0.0, "pleural_punctures": 0}, 1.0),
        ({"fissures_crossed": 2}, 3.75),
        ({"pleural_punctures": 2}, 2.43),
        ({"lung_length_mm": 30.0}, 2.38),
        ({"lung_length_mm": 29.9}, 1.0),
        ({"fissures_crossed": 1, "pleural_punctures": 3, "lung_length_mm": 60.0}, 3.75 * 2.43 * 2.38),
    ],
)
def test_pneumothorax_odds_agree_with_the_cited_ratios(changes, odds):
    assert pneumothorax_odds(replace(BASE, **changes)) == pytest.approx(odds)
