"""Verification of evaluations and replannings: true ones pass, and each planted fault is caught."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from ball_plans import ball_plan, ball_scene
from box_scenes import grid_of
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import label

from anatomy.geometry.masks import mask_from_bool
from anatomy.geometry.points_in_mask import points_inside
from planner.dose.tg43.seed_dose import seed_dose
from planner.evaluate import evaluate_implant
from planner.records.followup import Changes, Evaluation, Replanned
from planner.records.needle_set import PlacedSeed
from planner.records.plan import Plan, Status
from planner.records.request.given import GivenSeed
from planner.records.request.prescription import OrganGoal
from planner.records.verification import Verification
from planner.records.wording.followup import implant_outcome
from planner.replan import MeasuredNeedle, replan
from planner.sources.amersham_6711 import AMERSHAM_6711
from planner.verify import verify_changes, verify_evaluation
from planner.verify.dose.cold_spots import _regions
from planner.verify.dose.seed_doses import seed_doses
from planner.verify.followup import _outside


def failed(verification: Verification) -> set[tuple[str, str]]:
    return {(check.name, check.subject) for check in verification.checks if not check.passed}


@cache
def planned() -> Plan:
    """The plan of the ball, as if the aorta's dose had a goal."""
    plan = ball_plan()
    assert plan.request.prescription is not None
    asked = replace(plan.request.prescription, organ_goals={"aorta": OrganGoal(d0_1cc_gy=300.0)})
    return replace(plan, request=replace(plan.request, prescription=asked))


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
    seeds = (GivenSeed(s.position_mm, s.axis) for s in planned().needle_set.seeds)
    every = tuple(s for n, s in enumerate(seeds) if n % 3)
    return evaluate_implant(ball_scene(), planned(), "ab" * 32, every)


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


def only_outcome(**changed: object) -> Fault:
    return lambda e: replace(e, outcome=replace(e.outcome, **changed))


EVALUATIONS: dict[str, tuple[Fault, tuple[str, str]]] = {
    "a seed too many": (achieved(seeds_found=99), ("seeds found", "achieved")),
    "one more outside": (
        lambda e: achieved(seeds_outside_ptv=e.achieved.seeds_outside_ptv + 1)(e),
        ("seeds outside the PTV", "achieved"),
    ),
    "more D90": (target(d90_gy=5.0), ("D90", "dose in the PTV")),
    "more V100": (target(v100_percent=4.0), ("V100", "dose in the PTV")),
    "a better CI": (target(ci=0.1), ("CI follows from V100 and EI", "dose in the PTV")),
    "a warmer GTV": (
        lambda e: achieved(gtv=replace(e.achieved.gtv, d90_gy=400.0))(e),
        ("D90", "dose in the GTV"),
    ),
    "seeds elsewhere": (
        lambda e: replace(e, seeds=tuple(replace(s, position_mm=e.seeds[0].position_mm) for s in e.seeds)),
        ("D90", "dose in the PTV"),
    ),
    "an organ left out": (achieved(organs=()), ("organs with a dose", "dose")),
    "a cooler organ": (
        lambda e: achieved(organs=tuple(replace(o, d0_1cc_gy=0.1) for o in e.achieved.organs))(e),
        ("D0.1cc", "dose in aorta"),
    ),
    "a goal left out": (
        lambda e: achieved(goals=e.achieved.goals[1:])(e),
        ("the goals are those of the prescription", "goals"),
    ),
    "a goal said to be met": (
        lambda e: achieved(goals=tuple(replace(g, met=True) for g in e.achieved.goals))(e),
        ("whether the goal is met", "goal d90_gy of PTV"),
    ),
    "a goal of its own": (
        lambda e: achieved(goals=tuple(replace(g, name="d50_gy") for g in e.achieved.goals))(e),
        ("goals with an unknown name", "outcome"),
    ),
    "no cold spot": (achieved(cold_spots=()), ("cold regions left out", "cold spots")),
    "a smaller cold spot": (largest(volume_cc=0.03), ("volume", "cold spot 1")),
    "one elsewhere": (largest(least_at_mm=(0.0, 0.0, 0.0)), ("its coldest place", "cold spot 1")),
    "one around another place": (
        largest(centre_mm=(0.0, 0.0, 0.0)),
        ("the centre of its volume", "cold spot 1"),
    ),
    "a warmer one": (
        lambda e: largest(least_dose_gy=e.achieved.cold_spots[0].least_dose_gy + 5.0)(e),
        ("dose of the coldest place", "cold spot 1"),
    ),
    "a speck": (largest(volume_cc=0.001), ("a cold spot is large enough", "cold spot 1")),
    "the smallest first": (
        lambda e: achieved(
            cold_spots=(replace(e.achieved.cold_spots[0], volume_cc=0.02), *e.achieved.cold_spots)
        )(e),
        ("the largest cold spot comes first", "cold spots"),
    ),
    "one told twice": (
        lambda e: achieved(cold_spots=(e.achieved.cold_spots[0], *e.achieved.cold_spots))(e),
        ("each cold region is listed once", "cold spots"),
    ),
    "another promise": (lambda e: replace(e, planned=e.achieved.target), ("what was planned", "evaluation")),
    "a supplement for other seeds": (
        lambda e: replace(e, seeds=(*e.seeds[:-1], replace(e.seeds[-1], axis=None))),
        ("what the supplement is for", "supplement"),
    ),
    "a supplement for a lower dose": (
        lambda e: supplement(
            request=replace(
                e.supplement.request, prescription=replace(e.supplement.request.prescription, dose_gy=60.0)
            )
        )(e),
        ("what the supplement is for", "supplement"),
    ),
    "a supplement that nobody verified": (
        supplement(verification=None),
        ("the supplement is verified", "supplement"),
    ),
    "no supplement where seeds are lacking": (
        lambda e: replace(e, supplement=None),
        ("a supplement where more is needed", "supplement"),
    ),
    "a status of its own": (only_outcome(status=Status.GOALS_NOT_MET), ("status", "outcome")),
    "a message of its own": (only_outcome(message="The implant meets its goals."), ("message", "outcome")),
    "no number": (
        target(d90_gy=float("nan")),
        ("every number is finite and plausible", "evaluation.achieved.target.d90_gy"),
    ),
}


def test_a_true_evaluation_passes(lacking: Evaluation) -> None:
    assert lacking.verification is not None and lacking.verification.passed
    assert lacking.achieved.cold_spots and lacking.achieved.organs


@pytest.mark.parametrize("fault", EVALUATIONS)
def test_a_fault_in_an_evaluation_is_caught(fault: str, lacking: Evaluation) -> None:
    change, expected = EVALUATIONS[fault]
    assert expected in failed(verify_evaluation(change(lacking), planned(), ball_scene()))


def test_a_cold_spot_whose_coldest_place_is_not_that_is_caught(lacking: Evaluation) -> None:
    """Each place told is one of the spot's voxels, and its dose is true, but another is colder."""
    grid, spot = ball_scene().grid, lacking.achieved.cold_spots[0]
    seeds = seed_dose(planned().request.seeds)
    caught = 0
    for step in (*np.eye(3), *-np.eye(3)):
        place = np.array(spot.least_at_mm) + grid.vectors_to_patient(grid.spacing_mm * step)
        dose = float(seeds.total(place[None], lacking.seeds)[0])
        told = largest(least_at_mm=tuple(place.tolist()), least_dose_gy=dose)(lacking)
        failed_checks = failed(verify_evaluation(told, planned(), ball_scene()))
        if dose > spot.least_dose_gy * 1.01 and ("its coldest place", "cold spot 1") not in failed_checks:
            assert failed_checks == {("no place of it is colder", "cold spot 1")}
            caught += 1
    assert caught > 0


def test_of_a_plan_without_a_prescription_no_evaluation_is_believed(lacking: Evaluation) -> None:
    plan = replace(planned(), request=replace(planned().request, prescription=None))
    assert failed(verify_evaluation(lacking, plan, ball_scene())) == {("the plan has a prescription", "plan")}


@given(st.integers(0, 9999), st.sampled_from([(1.0, 1.0, 1.0), (0.8, 1.0, 2.5)]))
def test_seeds_on_faces_of_voxels_may_be_counted_to_either_side(seed, spacing):
    """Centroids of small blobs of voxels lie there."""
    rng = np.random.default_rng(seed)
    grid = grid_of((16, 16, 12), spacing)
    ptv = mask_from_bool(rng.random(grid.shape) < 0.5)
    places_P = grid.to_patient(rng.integers(-1, 2 * np.array(grid.shape) + 1, (30, 3)) / 2 * grid.spacing_mm)
    doses = seed_doses(
        AMERSHAM_6711, 0.8, [PlacedSeed(None, tuple(p.tolist()), None, None, None) for p in places_P]
    )
    few, many = _outside(ptv, grid, doses)
    assert few <= np.count_nonzero(~points_inside(ptv, grid, places_P)) <= many
    inner_P = grid.to_patient(np.rint(grid.to_box(places_P) / grid.spacing_mm + 0.2) * grid.spacing_mm)
    doses = seed_doses(
        AMERSHAM_6711, 0.8, [PlacedSeed(None, tuple(p.tolist()), None, None, None) for p in inner_P]
    )
    assert _outside(ptv, grid, doses) == (np.count_nonzero(~points_inside(ptv, grid, inner_P)),) * 2


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


CHANGES: dict[str, tuple[Callable[[Changes], Changes], tuple[str, str]]] = {
    "a needle that never was": (first_needle(before_id="N99"), ("the needles exist", "change 1")),
    "a needle moved less": (first_needle(entry_moved_mm=0.5), ("entry moved", "change 1")),
    "a needle not moved": (first_needle(tip_moved_mm=None), ("tip moved", "change 1")),
    "a seed more on it": (
        lambda c: first_needle(seeds_after=c.needles[0].seeds_after + 1)(c),
        ("seeds after", "change 1"),
    ),
    "fewer seeds on it before": (first_needle(seeds_before=0), ("seeds before", "change 1")),
    "a needle left out": (
        lambda c: replace(c, needles=c.needles[1:]),
        ("needles that are not listed", "before_id"),
    ),
    "a needle told twice": (
        lambda c: replace(c, needles=(*c.needles, c.needles[0])),
        ("each needle is listed once", "after_id"),
    ),
    "more seeds": (changes(seeds_after=99), ("seeds on needles", "after")),
    "a seed more in before": (changes(given_seeds_before=1), ("seeds in place already", "before")),
    "a seed more in": (changes(given_seeds_after=99), ("seeds in place already", "after")),
    "more D90": (changes(d90_after_gy=500.0), ("D90", "after")),
    "less V100 before": (changes(v100_before_percent=1.0), ("V100", "before")),
    "sentences of its own": (changes(sentences=("All is well.",)), ("sentences", "changes")),
    "no number": (
        changes(d90_before_gy=float("inf")),
        ("every number is finite and plausible", "changes.d90_before_gy"),
    ),
}


def test_a_true_replanning_passes(moved: Replanned) -> None:
    assert moved.verification is not None and moved.verification.passed
    assert moved.changes.needles[0].entry_moved_mm == pytest.approx(2.0, abs=1.0)


@pytest.mark.parametrize("fault", CHANGES)
def test_a_fault_in_a_replanning_is_caught(fault: str, moved: Replanned) -> None:
    change, expected = CHANGES[fault]
    assert expected in failed(verify_changes(replace(moved, changes=change(moved.changes)), ball_plan()))


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (
            lambda r: replace(r, prescription=replace(r.prescription, dose_gy=60.0)),
            "what the new plan is for",
        ),
        (
            lambda r: replace(r, needle_set=replace(r.needle_set, given_seeds=(GivenSeed((1.0, 2.0, 3.0)),))),
            "seeds given before are still given",
        ),
    ],
)
def test_a_replanning_for_another_request_is_caught(change: Callable, name: str, moved: Replanned) -> None:
    before = replace(ball_plan(), request=change(ball_plan().request))
    assert (name, "plan") in failed(verify_changes(moved, before))


def test_where_time_ended_no_one_says_that_there_is_no_track(lacking: Evaluation) -> None:
    found = lacking.supplement.needle_set
    given = tuple(seed for seed in found.seeds if seed.path_id is None)
    alone = replace(found, path_ids=(), seeds=given, reachable_percent=0.0)
    bare = replace(lacking.supplement, needle_set=alone)
    early = replace(bare, search=replace(bare.search, complete=False))
    for supplement_made, is_early in ((bare, False), (early, True)):
        outcome = implant_outcome(lacking.achieved, supplement_made)
        assert outcome.status is Status.GOALS_NOT_MET
        assert "No track was found along which a seed could be added." in outcome.message
        assert outcome.message.endswith("ended early: allow more time.") is is_early
