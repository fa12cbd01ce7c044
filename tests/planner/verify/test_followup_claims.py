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
def plan_with_organ_goal() -> Plan:
    """The plan of the ball with a dose goal for the aorta."""
    plan = ball_plan()
    assert plan.request.prescription is not None
    prescription = replace(plan.request.prescription, organ_goals={"aorta": OrganGoal(d0_1cc_gy=300.0)})
    return replace(plan, request=replace(plan.request, prescription=prescription))


# Regions


@given(st.integers(0, 9999), st.floats(0.1, 0.7))
def test_regions_are_connected_by_faces(seed, share):
    rng = np.random.default_rng(seed)
    cold = rng.random((6, 5, 4)) < share
    index = np.argwhere(np.ones(cold.shape, bool))
    region_of = np.full(cold.shape, -1)
    region_of[tuple(index.T)] = _regions(index, cold[tuple(index.T)])
    expected, count = label(cold)
    assert (region_of[~cold] == -1).all()
    pairs = set(zip(region_of[cold].tolist(), expected[cold].tolist(), strict=True))
    assert len(pairs) == count == len({a for a, _ in pairs})


# Evaluations


@pytest.fixture(scope="module")
def evaluation() -> Evaluation:
    seeds = (GivenSeed(s.position_mm, s.axis) for s in plan_with_organ_goal().needle_set.seeds)
    found_seeds = tuple(s for n, s in enumerate(seeds) if n % 3)
    return evaluate_implant(ball_scene(), plan_with_organ_goal(), "ab" * 32, found_seeds)


Fault = Callable[[Evaluation], Evaluation]


def with_achieved(**changes: object) -> Fault:
    return lambda e: replace(e, achieved=replace(e.achieved, **changes))


def with_target(**increases: float) -> Fault:
    def change(e: Evaluation) -> Evaluation:
        target = e.achieved.target
        return with_achieved(
            target=replace(target, **{k: getattr(target, k) + v for k, v in increases.items()})
        )(e)

    return change


def with_largest_spot(**changes: object) -> Fault:
    return lambda e: with_achieved(
        cold_spots=(replace(e.achieved.cold_spots[0], **changes), *e.achieved.cold_spots[1:])
    )(e)


def with_supplement(**changes: object) -> Fault:
    return lambda e: replace(e, supplement=replace(e.supplement, **changes))


def with_outcome(**changes: object) -> Fault:
    return lambda e: replace(e, outcome=replace(e.outcome, **changes))


EVALUATIONS: dict[str, tuple[Fault, tuple[str, str]]] = {
    "a seed too many": (with_achieved(seeds_found=99), ("seeds found", "achieved")),
    "one more outside": (
        lambda e: with_achieved(seeds_outside_ptv=e.achieved.seeds_outside_ptv + 1)(e),
        ("seeds outside the PTV", "achieved"),
    ),
    "more D90": (with_target(d90_gy=5.0), ("D90", "dose in the PTV")),
    "more V100": (with_target(v100_percent=4.0), ("V100", "dose in the PTV")),
    "a better CI": (with_target(ci=0.1), ("CI follows from V100 and EI", "dose in the PTV")),
    "a warmer GTV": (
        lambda e: with_achieved(gtv=replace(e.achieved.gtv, d90_gy=400.0))(e),
        ("D90", "dose in the GTV"),
    ),
    "seeds elsewhere": (
        lambda e: replace(e, seeds=tuple(replace(s, position_mm=e.seeds[0].position_mm) for s in e.seeds)),
        ("D90", "dose in the PTV"),
    ),
    "an organ left out": (with_achieved(organs=()), ("organs with a dose", "dose")),
    "a cooler organ": (
        lambda e: with_achieved(organs=tuple(replace(o, d0_1cc_gy=0.1) for o in e.achieved.organs))(e),
        ("D0.1cc", "dose in aorta"),
    ),
    "a goal left out": (
        lambda e: with_achieved(goals=e.achieved.goals[1:])(e),
        ("the goals are those of the prescription", "goals"),
    ),
    "a goal said to be met": (
        lambda e: with_achieved(goals=tuple(replace(g, met=True) for g in e.achieved.goals))(e),
        ("whether the goal is met", "goal d90_gy of PTV"),
    ),
    "a goal of its own": (
        lambda e: with_achieved(goals=tuple(replace(g, name="d50_gy") for g in e.achieved.goals))(e),
        ("goals with an unknown name", "outcome"),
    ),
    "no cold spot": (with_achieved(cold_spots=()), ("cold regions left out", "cold spots")),
    "a smaller cold spot": (with_largest_spot(volume_cc=0.03), ("volume", "cold spot 1")),
    "a cold spot elsewhere": (
        with_largest_spot(least_at_mm=(0.0, 0.0, 0.0)),
        ("its coldest place", "cold spot 1"),
    ),
    "a cold spot with another centre": (
        with_largest_spot(centre_mm=(0.0, 0.0, 0.0)),
        ("the centre of its volume", "cold spot 1"),
    ),
    "a warmer cold spot": (
        lambda e: with_largest_spot(least_dose_gy=e.achieved.cold_spots[0].least_dose_gy + 5.0)(e),
        ("dose of the coldest place", "cold spot 1"),
    ),
    "a cold spot that is too small": (
        with_largest_spot(volume_cc=0.001),
        ("a cold spot is large enough", "cold spot 1"),
    ),
    "the smallest first": (
        lambda e: with_achieved(
            cold_spots=(replace(e.achieved.cold_spots[0], volume_cc=0.02), *e.achieved.cold_spots)
        )(e),
        ("the largest cold spot comes first", "cold spots"),
    ),
    "a cold spot listed twice": (
        lambda e: with_achieved(cold_spots=(e.achieved.cold_spots[0], *e.achieved.cold_spots))(e),
        ("each cold region is listed once", "cold spots"),
    ),
    "another planned dose": (
        lambda e: replace(e, planned=e.achieved.target),
        ("what was planned", "evaluation"),
    ),
    "a supplement for other seeds": (
        lambda e: replace(e, seeds=(*e.seeds[:-1], replace(e.seeds[-1], axis=None))),
        ("what the supplement is for", "supplement"),
    ),
    "a supplement for a lower dose": (
        lambda e: with_supplement(
            request=replace(
                e.supplement.request, prescription=replace(e.supplement.request.prescription, dose_gy=60.0)
            )
        )(e),
        ("what the supplement is for", "supplement"),
    ),
    "a supplement without verification": (
        with_supplement(verification=None),
        ("the supplement is verified", "supplement"),
    ),
    "no supplement where seeds are lacking": (
        lambda e: replace(e, supplement=None),
        ("a supplement where more is needed", "supplement"),
    ),
    "a status of its own": (with_outcome(status=Status.GOALS_NOT_MET), ("status", "outcome")),
    "a message of its own": (with_outcome(message="The implant meets its goals."), ("message", "outcome")),
    "not a number": (
        with_target(d90_gy=float("nan")),
        ("every number is finite and plausible", "evaluation.achieved.target.d90_gy"),
    ),
}


def test_a_correct_evaluation_passes(evaluation: Evaluation) -> None:
    assert evaluation.verification is not None and evaluation.verification.passed
    assert evaluation.achieved.cold_spots and evaluation.achieved.organs


@pytest.mark.parametrize("fault", EVALUATIONS)
def test_a_fault_in_an_evaluation_is_caught(fault: str, evaluation: Evaluation) -> None:
    change, expected = EVALUATIONS[fault]
    assert expected in failed(verify_evaluation(change(evaluation), plan_with_organ_goal(), ball_scene()))


def test_a_cold_spot_with_another_coldest_place_is_caught(evaluation: Evaluation) -> None:
    """Each stated place is one of the spot's voxels with its correct dose, but another voxel is colder."""
    grid, spot = ball_scene().grid, evaluation.achieved.cold_spots[0]
    seeds = seed_dose(plan_with_organ_goal().request.seeds)
    caught_count = 0
    for step in (*np.eye(3), *-np.eye(3)):
        position_mm = np.array(spot.least_at_mm) + grid.vectors_to_patient(grid.spacing_mm * step)
        dose = float(seeds.total(position_mm[None], evaluation.seeds)[0])
        edited = with_largest_spot(least_at_mm=tuple(position_mm.tolist()), least_dose_gy=dose)(evaluation)
        failed_checks = failed(verify_evaluation(edited, plan_with_organ_goal(), ball_scene()))
        if dose > spot.least_dose_gy * 1.01 and ("its coldest place", "cold spot 1") not in failed_checks:
            assert failed_checks == {("no place of it is colder", "cold spot 1")}
            caught_count += 1
    assert caught_count > 0


def test_an_evaluation_of_a_plan_without_a_prescription_is_refused(evaluation: Evaluation) -> None:
    plan = replace(plan_with_organ_goal(), request=replace(plan_with_organ_goal().request, prescription=None))
    assert failed(verify_evaluation(evaluation, plan, ball_scene())) == {
        ("the plan has a prescription", "plan")
    }


@given(st.integers(0, 9999), st.sampled_from([(1.0, 1.0, 1.0), (0.8, 1.0, 2.5)]))
def test_seeds_on_voxel_faces_may_count_to_either_side(seed, spacing):
    """Such faces contain the centroids of small groups of voxels."""
    rng = np.random.default_rng(seed)
    grid = grid_of((16, 16, 12), spacing)
    ptv = mask_from_bool(rng.random(grid.shape) < 0.5)
    points_P = grid.to_patient(rng.integers(-1, 2 * np.array(grid.shape) + 1, (30, 3)) / 2 * grid.spacing_mm)
    doses = seed_doses(
        AMERSHAM_6711, 0.8, [PlacedSeed(None, tuple(p.tolist()), None, None, None) for p in points_P]
    )
    least, most = _outside(ptv, grid, doses)
    assert least <= np.count_nonzero(~points_inside(ptv, grid, points_P)) <= most
    inner_P = grid.to_patient(np.rint(grid.to_box(points_P) / grid.spacing_mm + 0.2) * grid.spacing_mm)
    doses = seed_doses(
        AMERSHAM_6711, 0.8, [PlacedSeed(None, tuple(p.tolist()), None, None, None) for p in inner_P]
    )
    assert _outside(ptv, grid, doses) == (np.count_nonzero(~points_inside(ptv, grid, inner_P)),) * 2


# Replannings


@pytest.fixture(scope="module")
def replanned() -> Replanned:
    first = next(p for p in ball_plan().paths if p.id in ball_plan().needle_set.path_ids)
    shift = 2.0 * np.cross(first.direction, (0.36, 0.48, 0.8))
    entry, tip = (tuple((np.array(p) + shift).tolist()) for p in (first.entry_mm, first.tip_mm))
    return replan(ball_scene(), ball_plan(), "ab" * 32, (MeasuredNeedle(first.id, entry, tip),))


def with_changes(**changes: object) -> Callable[[Changes], Changes]:
    return lambda c: replace(c, **changes)


def with_first_needle(**changes: object) -> Callable[[Changes], Changes]:
    return lambda c: replace(c, needles=(replace(c.needles[0], **changes), *c.needles[1:]))


CHANGES: dict[str, tuple[Callable[[Changes], Changes], tuple[str, str]]] = {
    "a needle that does not exist": (with_first_needle(before_id="N99"), ("the needles exist", "change 1")),
    "a needle moved less": (with_first_needle(entry_moved_mm=0.5), ("entry moved", "change 1")),
    "a needle not moved": (with_first_needle(tip_moved_mm=None), ("tip moved", "change 1")),
    "a seed more on it": (
        lambda c: with_first_needle(seeds_after=c.needles[0].seeds_after + 1)(c),
        ("seeds after", "change 1"),
    ),
    "fewer seeds on it before": (with_first_needle(seeds_before=0), ("seeds before", "change 1")),
    "a needle left out": (
        lambda c: replace(c, needles=c.needles[1:]),
        ("needles that are not listed", "before_id"),
    ),
    "a needle listed twice": (
        lambda c: replace(c, needles=(*c.needles, c.needles[0])),
        ("each needle is listed once", "after_id"),
    ),
    "more seeds": (with_changes(seeds_after=99), ("seeds on needles", "after")),
    "a seed more in before": (with_changes(given_seeds_before=1), ("seeds in place already", "before")),
    "a seed more in": (with_changes(given_seeds_after=99), ("seeds in place already", "after")),
    "more D90": (with_changes(d90_after_gy=500.0), ("D90", "after")),
    "less V100 before": (with_changes(v100_before_percent=1.0), ("V100", "before")),
    "other sentences": (with_changes(sentences=("All is well.",)), ("sentences", "changes")),
    "no number": (
        with_changes(d90_before_gy=float("inf")),
        ("every number is finite and plausible", "changes.d90_before_gy"),
    ),
}


def test_a_correct_replanning_passes(replanned: Replanned) -> None:
    assert replanned.verification is not None and replanned.verification.passed
    assert replanned.changes.needles[0].entry_moved_mm == pytest.approx(2.0, abs=1.0)


@pytest.mark.parametrize("fault", CHANGES)
def test_a_fault_in_a_replanning_is_caught(fault: str, replanned: Replanned) -> None:
    change, expected = CHANGES[fault]
    assert expected in failed(
        verify_changes(replace(replanned, changes=change(replanned.changes)), ball_plan())
    )


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
def test_a_replanning_for_another_request_is_caught(
    change: Callable, name: str, replanned: Replanned
) -> None:
    plan = replace(ball_plan(), request=change(ball_plan().request))
    assert (name, "plan") in failed(verify_changes(replanned, plan))


def test_the_outcome_says_whether_the_search_for_tracks_ended_early(evaluation: Evaluation) -> None:
    needle_set = evaluation.supplement.needle_set
    given_seeds = tuple(seed for seed in needle_set.seeds if seed.path_id is None)
    given_only = replace(needle_set, path_ids=(), seeds=given_seeds, reachable_percent=0.0)
    complete = replace(evaluation.supplement, needle_set=given_only)
    incomplete = replace(complete, search=replace(complete.search, complete=False))
    for supplement, is_early in ((complete, False), (incomplete, True)):
        outcome = implant_outcome(evaluation.achieved, supplement)
        assert outcome.status is Status.GOALS_NOT_MET
        assert "No track was found along which a seed could be added." in outcome.message
        assert outcome.message.endswith("ended early: allow more time.") is is_early
