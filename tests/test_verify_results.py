"""Verification of evaluations and replannings: true ones pass, and each planted fault is caught."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_plans import ball_plan, ball_scene
from scipy.ndimage import label

from planner.evaluate import evaluate_implant
from planner.implant_records import Changes
from planner.implant_results import Evaluation, Replanned
from planner.records import Status, Verification
from planner.replan import MeasuredNeedle, replan
from planner.request import GivenSeed
from planner.verify import verify_changes, verify_evaluation
from planner.verify.cold_spots import _regions


def failed(verification: Verification) -> set[str]:
    return {check.name for check in verification.checks if not check.passed}


# Regions


@given(st.integers(0, 9999), st.floats(0.1, 0.7))
def test_regions_are_those_that_hang_together_by_faces(seed, share):
    rng = np.random.default_rng(seed)
    cold = rng.random((6, 5, 4)) < share
    index = np.argwhere(np.ones(cold.shape, bool))
    found = np.full(cold.shape, -1)
    found[tuple(index.T)] = _regions(index, cold[tuple(index.T)])
    expected, count = label(cold)
    assert (found[~cold] == -1).all()
    pairs = set(zip(found[cold].tolist(), expected[cold].tolist(), strict=True))
    assert len(pairs) == count == len({a for a, _ in pairs})


# Evaluations


@pytest.fixture(scope="module")
def lacking() -> Evaluation:
    seeds = (GivenSeed(s.position_mm, s.axis) for s in ball_plan().needle_set.seeds)
    every = tuple(s for n, s in enumerate(seeds) if n % 3)
    return evaluate_implant(ball_scene(), ball_plan(), "ab" * 32, every)


Fault = Callable[[Evaluation], Evaluation]


def achieved(**changed: object) -> Fault:
    return lambda e: replace(e, achieved=replace(e.achieved, **changed))


def target(**by: float) -> Fault:
    def change(e: Evaluation) -> Evaluation:
        told = e.achieved.target
        return achieved(target=replace(told, **{k: getattr(told, k) + v for k, v in by.items()}))(e)

    return change


def largest(**changed: object) -> Fault:
    return lambda e: achieved(
        cold_spots=(replace(e.achieved.cold_spots[0], **changed), *e.achieved.cold_spots[1:])
    )(e)


def supplement(**changed: object) -> Fault:
    return lambda e: replace(e, supplement=replace(e.supplement, **changed))


EVALUATIONS: dict[str, tuple[Fault, str]] = {
    "a seed too many": (achieved(seeds_found=99), "seeds found"),
    "no seed outside": (
        lambda e: achieved(seeds_outside_ptv=e.achieved.seeds_outside_ptv + 1)(e),
        "seeds outside",
    ),
    "more D90": (target(d90_gy=5.0), "D90"),
    "more V100": (target(v100_percent=4.0), "V100"),
    "a better CI": (target(ci=0.1), "CI follows"),
    "a warmer GTV": (lambda e: achieved(gtv=replace(e.achieved.gtv, d90_gy=400.0))(e), "D90"),
    "seeds elsewhere": (
        lambda e: replace(e, seeds=tuple(replace(s, position_mm=e.seeds[0].position_mm) for s in e.seeds)),
        "D90",
    ),
    "no cold spot": (achieved(cold_spots=()), "cold regions left out"),
    "a smaller cold spot": (largest(volume_cc=0.03), "volume"),
    "one elsewhere": (largest(least_at_mm=(0.0, 0.0, 0.0)), "its coldest place"),
    "one around another place": (largest(centre_mm=(0.0, 0.0, 0.0)), "the centre of its volume"),
    "a warmer one": (
        lambda e: largest(least_dose_gy=e.achieved.cold_spots[0].least_dose_gy + 5.0)(e),
        "dose of the coldest place",
    ),
    "a speck": (
        lambda e: achieved(
            cold_spots=(*e.achieved.cold_spots, replace(e.achieved.cold_spots[0], volume_cc=0.001))
        )(e),
        "a cold spot is large enough",
    ),
    "the smallest first": (
        lambda e: achieved(
            cold_spots=(replace(e.achieved.cold_spots[0], volume_cc=0.02), *e.achieved.cold_spots)
        )(e),
        "the largest cold spot comes first",
    ),
    "another promise": (lambda e: replace(e, planned=e.achieved.target), "what was planned"),
    "a supplement for other seeds": (
        lambda e: replace(e, seeds=(*e.seeds[:-1], replace(e.seeds[-1], axis=None))),
        "the supplement keeps the seeds found",
    ),
    "a supplement that nobody verified": (supplement(verification=None), "the supplement is verified"),
    "a supplement that falls short": (
        lambda e: supplement(outcome=replace(e.supplement.outcome, status=Status.GOALS_NOT_MET))(e),
        "whether the supplement is enough",
    ),
    "no number": (target(d90_gy=float("nan")), "every number is finite"),
}


def test_a_true_evaluation_passes(lacking: Evaluation) -> None:
    assert lacking.verification is not None and lacking.verification.passed
    assert lacking.achieved.cold_spots
    without = replace(lacking, supplement=None)
    assert failed(verify_evaluation(without, ball_plan(), ball_scene())) == set()


@pytest.mark.parametrize("fault", EVALUATIONS)
def test_a_fault_in_an_evaluation_is_caught(fault: str, lacking: Evaluation) -> None:
    change, name = EVALUATIONS[fault]
    found = failed(verify_evaluation(change(lacking), ball_plan(), ball_scene()))
    assert any(failing.startswith(name) for failing in found), found


def test_a_cold_spot_whose_coldest_place_is_not_that_is_caught(lacking: Evaluation) -> None:
    """Its stated place is one of its voxels, and has the dose that is stated, but another is colder."""
    grid, spot = ball_scene().grid, lacking.achieved.cold_spots[0]
    places = [np.array(spot.least_at_mm) + grid.vectors_to_patient(step) for step in 2.0 * np.eye(3)]
    places += [np.array(spot.least_at_mm) - grid.vectors_to_patient(step) for step in 2.0 * np.eye(3)]
    found = set()
    for place in places:
        at = tuple(place.tolist())
        told = largest(least_at_mm=at, least_dose_gy=spot.least_dose_gy + 3.0)(lacking)
        found |= failed(verify_evaluation(told, ball_plan(), ball_scene()))
    assert "no place of it is colder" in found


def test_of_a_plan_without_a_prescription_nothing_is_recomputed(lacking: Evaluation) -> None:
    plan = replace(ball_plan(), request=replace(ball_plan().request, prescription=None))
    assert verify_evaluation(lacking, plan, ball_scene()).passed


# Replannings


@pytest.fixture(scope="module")
def moved() -> Replanned:
    first = next(p for p in ball_plan().paths if p.id in ball_plan().needle_set.path_ids)
    aside = 2.0 * np.cross(first.direction, (0.36, 0.48, 0.8))
    entry, tip = (tuple((np.array(p) + aside).tolist()) for p in (first.entry_mm, first.tip_mm))
    return replan(ball_scene(), ball_plan(), "ab" * 32, (MeasuredNeedle(first.id, entry, tip),))


def changes(**changed: object) -> Callable[[Changes], Changes]:
    return lambda c: replace(c, **changed)


def first_needle(**changed: object) -> Callable[[Changes], Changes]:
    return lambda c: replace(c, needles=(replace(c.needles[0], **changed), *c.needles[1:]))


CHANGES: dict[str, tuple[Callable[[Changes], Changes], str]] = {
    "a needle that never was": (first_needle(before_id="N99"), "the needles exist"),
    "a needle moved less": (first_needle(entry_moved_mm=0.5), "entry moved"),
    "a needle not moved": (first_needle(tip_moved_mm=None), "tip moved"),
    "more seeds on it": (first_needle(seeds_after=50), "seeds after"),
    "fewer seeds on it before": (first_needle(seeds_before=0), "seeds before"),
    "a needle left out": (lambda c: replace(c, needles=c.needles[1:]), "needles that are not told of"),
    "a needle told twice": (
        lambda c: replace(c, needles=(*c.needles, c.needles[0])),
        "a needle is told of once",
    ),
    "more seeds": (changes(seeds_after=99), "seeds on needles"),
    "more D90": (changes(d90_after_gy=500.0), "D90"),
    "less V100 before": (changes(v100_before_percent=1.0), "V100"),
    "no number": (changes(d90_before_gy=float("inf")), "every number is finite"),
}


def test_a_true_replanning_passes(moved: Replanned) -> None:
    assert moved.verification is not None and moved.verification.passed
    assert moved.changes.needles[0].entry_moved_mm == pytest.approx(2.0, abs=1.0)


@pytest.mark.parametrize("fault", CHANGES)
def test_a_fault_in_a_replanning_is_caught(fault: str, moved: Replanned) -> None:
    change, name = CHANGES[fault]
    found = failed(verify_changes(replace(moved, changes=change(moved.changes)), ball_plan()))
    assert any(failing.startswith(name) for failing in found), found
