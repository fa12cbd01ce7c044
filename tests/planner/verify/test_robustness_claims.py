"""Verification of robustness: its parts against the planner's and exact geometry, and planted faults."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from box_scenes import box_mask, grid_of, scene_of_masks
from hypothesis import given, settings
from hypothesis import strategies as st
from sample_implants import a_path
from scipy.stats import weibull_min
from true_implants import (
    TIPS_B,
    dosed,
    given_needle,
    honest_implant,
    implanted,
    in_words,
    outward_of,
    with_given,
)
from true_plans import Patient

from anatomy.structures import Role
from planner.measuring.clearance import Obstacles
from planner.records.paths import Aim
from planner.records.plan import Plan
from planner.records.request.needle import Needle
from planner.records.request.robustness import Placement
from planner.records.robustness import NeedleRisk, Robustness, Spread, Touch
from planner.robustness.placement_errors import ERRORS, displaced_needle, uniform_draws
from planner.robustness.tolerance import tolerance_deg
from planner.verify import verify
from planner.verify.claims import Claims
from planner.verify.geometry.boxes import segment_box2
from planner.verify.robustness.placement_errors import MEAN_AND_SD_MM, misplaced
from planner.verify.robustness.risk import check_tolerances
from planner.verify.robustness.touched import touching

# Placement

directions = st.tuples(*[st.floats(-1.0, 1.0)] * 3).map(np.array).filter(lambda d: np.linalg.norm(d) > 0.1)


@given(
    st.sampled_from(list(Placement)),
    directions,
    st.integers(-(2**40), 2**40),
    st.integers(0, 50),
    st.floats(20, 200),
)
def test_verification_and_planner_draw_the_same_errors(placement, direction, seed, number, length):
    entry, inward = np.array([10.0, -20.0, 5.0]), direction / np.linalg.norm(direction)
    # Near the threshold where the choice of lateral axes changes, rounding may give different axes.
    if abs(abs(inward[0]) - 0.9) < 1e-9:
        return
    sampled_needles = misplaced(placement, entry, entry + length * inward, seed, number, 20)
    planner_needles = displaced_needle(
        ERRORS[placement], entry, inward, length, uniform_draws(seed, number, 20)
    )
    assert np.allclose(sampled_needles.entry_B, planner_needles.entry_B, atol=1e-9)
    assert np.allclose(sampled_needles.at(length), planner_needles.at(length), atol=1e-9)
    assert np.allclose(sampled_needles.inward_B, planner_needles.direction_B, atol=1e-11)


@pytest.mark.parametrize("placement", list(Placement))
def test_errors_have_the_published_mean_and_sd(placement):
    entry, tip = np.zeros(3), np.array([0.0, 0.0, 200.0])
    needles = misplaced(placement, entry, tip, 1, 0, 200_000)
    at_entry, at_tip, in_depth = MEAN_AND_SD_MM[placement]
    # Where the displaced line meets the plane of the planned tip
    depth_mm = (200.0 - needles.entry_B[:, 2]) / needles.inward_B[:, 2]
    tip_offset = needles.entry_B + depth_mm[:, None] * needles.inward_B - tip
    for sizes, (mean, sd) in (
        (np.linalg.norm(needles.entry_B, axis=1), at_entry),
        (np.linalg.norm(tip_offset, axis=1), at_tip),
        (np.abs(needles.deeper_mm), in_depth),
    ):
        assert sizes.mean() == pytest.approx(mean, rel=0.01)
        assert sizes.std() == pytest.approx(sd, rel=0.02)
        shape, _, scale = weibull_min.fit(sizes[:20_000], floc=0.0)
        quantiles = np.quantile(sizes, (0.1, 0.5, 0.9, 0.99))
        assert quantiles == pytest.approx(
            weibull_min.ppf((0.1, 0.5, 0.9, 0.99), shape, scale=scale), rel=0.03
        )


# Touching


@pytest.mark.interpreted
@settings(max_examples=60, deadline=None)
@given(st.integers(0, 9999), st.sampled_from([0.3, 0.635, 1.4]))
def test_the_true_touches_lie_between_surely_and_maybe(seed, radius):
    rng = np.random.default_rng(seed)
    grid = grid_of((9, 8, 7), (1.0, 1.5, 0.6))
    names = ("one", "two", "three")
    masks = {n: (Role.FORBIDDEN, rng.random(grid.shape) < 0.01) for n in names}
    for _, mask in masks.values():
        mask[0, 0, 0] = True
    body = box_mask(grid.shape, ((0, 0, 0), grid.shape))
    target = box_mask(grid.shape, ((4, 4, 3), (6, 6, 5)))
    scene = scene_of_masks(grid, {"body": (Role.SKIN, body), **masks, "node": (Role.TARGET, target)})
    middle, size = 0.5 * (grid.lower_B + grid.upper_B), grid.upper_B - grid.lower_B
    # Inside the field of view, where needles are not clipped
    ends = middle + (rng.random((2, 6, 3)) - 0.5) * size
    touches = touching(scene.of_role(Role.FORBIDDEN), grid, ends[0], ends[1], radius)
    assert touches.names == ("one", "three", "two")
    for column, name in enumerate(touches.names):
        boxes = (np.argwhere(masks[name][1]) - 0.5) * grid.spacing_mm
        for n in range(6):
            distance_mm = min(
                segment_box2(tuple(ends[0, n]), tuple(ends[1, n]), tuple(low), tuple(low + grid.spacing_mm))
                for low in boxes
            )
            distance_mm = np.sqrt(distance_mm)
            assert touches.surely[n, column] <= (distance_mm <= radius) <= touches.maybe[n, column]
            assert touches.surely[n, column] or distance_mm > radius - 0.02
            assert not touches.maybe[n, column] or distance_mm < radius + 0.02


def test_beyond_the_field_of_view_the_scene_continues_as_at_its_edge():
    grid = grid_of((10, 10, 10))
    edge = box_mask(grid.shape, ((0, 4, 4), (1, 6, 6)))
    body, target = (
        box_mask(grid.shape, ((0, 0, 0), (10, 10, 10))),
        box_mask(grid.shape, ((5, 5, 5), (7, 7, 7))),
    )
    masks = {"body": (Role.SKIN, body), "rib": (Role.FORBIDDEN, edge), "node": (Role.TARGET, target)}
    ribs = scene_of_masks(grid, masks).of_role(Role.FORBIDDEN)
    tips, entries = (
        np.array([[-20.0, 4.5, 4.5], [-20.0, 8.5, 8.5]]),
        np.array([[-5.0, 4.5, 4.5], [-5.0, 8.5, 8.5]]),
    )
    assert touching(ribs, grid, tips, entries, 0.6).surely[:, 0].tolist() == [True, False]


# Planted faults

Fault = Callable[[Robustness], Robustness | None]


def in_spread(name: str, **changes: float) -> Fault:
    def change(r: Robustness) -> Robustness:
        spread: Spread = getattr(r, name)
        return replace(
            r, **{name: replace(spread, **{k: getattr(spread, k) + v for k, v in changes.items()})}
        )

    return change


def in_first_needle(change: Callable[[NeedleRisk], NeedleRisk]) -> Fault:
    return lambda r: replace(r, needles=(change(r.needles[0]), *r.needles[1:]))


def with_touches(*touches: tuple[str, float]) -> Fault:
    return in_first_needle(lambda n: replace(n, touches=tuple(Touch(*t) for t in touches)))


FAULTS: dict[str, tuple[Fault, str]] = {
    "no robustness": (lambda r: None, "robustness where it is asked for"),
    "another placement": (lambda r: replace(r, placement="robot"), "placement"),
    "more samples": (lambda r: replace(r, samples=13), "samples"),
    "more samples with a dose": (lambda r: replace(r, dose_samples=60), "samples with a dose"),
    "a needle left out": (lambda r: replace(r, needles=r.needles[1:]), "needles with a risk"),
    "a touch left out": (with_touches(), "chance of a touch"),
    "a smaller chance": (with_touches(("vertebrae", 1 / 12)), "chance of a touch"),
    "a touch that is none": (with_touches(("vertebrae", 0.25), ("aorta", 1 / 12)), "chance of a touch"),
    "an organ that is not there": (
        with_touches(("vertebrae", 0.25), ("hart", 0.1)),
        "touched structures that do not exist",
    ),
    "a touch without a chance": (
        with_touches(("vertebrae", 0.25), ("aorta", 0.0)),
        "touched structures, the most likely first",
    ),
    "a touch listed twice": (
        with_touches(("vertebrae", 0.25), ("vertebrae", 0.25)),
        "touched structures, the most likely first",
    ),
    "the likeliest last": (
        with_touches(("aorta", 0.1), ("vertebrae", 0.25)),
        "touched structures, the most likely first",
    ),
    "the risk of another needle": (
        lambda r: replace(r, needles=(replace(r.needles[-1], path_id=r.needles[0].path_id), *r.needles[1:])),
        "chance of a touch",
    ),
    "more tolerance": (
        in_first_needle(lambda n: replace(n, tolerance_deg=n.tolerance_deg + 10.0)),
        "no turn by less than the tolerance touches",
    ),
    "a negative tolerance": (
        in_first_needle(lambda n: replace(n, tolerance_deg=-1.0)),
        "the tolerance is an angle",
    ),
    "a higher D90": (in_spread("d90_gy", p50=5.0), "50th percentile of D90"),
    "a lower D90": (in_spread("d90_gy", p95=-5.0), "95th percentile of D90"),
    "a higher V100": (in_spread("v100_percent", p5=8.0), "5th percentile of V100"),
    "goals met more often": (lambda r: replace(r, goals_met_share=0.5), "share of samples with D90 and V100"),
}


@pytest.fixture(scope="module")
def true_implant() -> tuple[Plan, Patient]:
    return honest_implant()


def failed(plan: Plan, patient: Patient) -> set[str]:
    return {check.name for check in verify(plan, patient.scene).checks if not check.passed}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_caught(fault: str, true_implant: tuple[Plan, Patient]) -> None:
    plan, patient = true_implant
    change, name = FAULTS[fault]
    assert plan.robustness is not None
    failed_checks = failed(replace(plan, robustness=change(plan.robustness)), patient)
    assert name in failed_checks


def test_robustness_of_another_random_seed_is_refused(true_implant: tuple[Plan, Patient]) -> None:
    plan, patient = true_implant
    other_seed = dosed(replace(plan, request=replace(plan.request, random_seed=5)), patient)
    assert failed(other_seed, patient) == set()
    assert failed(replace(plan, robustness=other_seed.robustness), patient)


def test_a_request_without_samples_has_no_robustness(true_implant: tuple[Plan, Patient]) -> None:
    plan, patient = true_implant
    request = replace(plan.request, robustness=replace(plan.request.robustness, samples=0))
    assert failed(in_words(replace(plan, request=request, robustness=None)), patient) == set()
    assert failed(replace(plan, request=request), patient) == {"robustness where it is asked for"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"samples": 10_001}, "robustness.samples is too large"),
        ({"samples": -1}, "robustness.samples is too small"),
    ],
)
def test_an_impossible_number_of_samples_is_refused(
    true_implant: tuple[Plan, Patient], change, message
) -> None:
    plan, patient = true_implant
    request = replace(plan.request, robustness=replace(plan.request.robustness, **change))
    checks = verify(replace(plan, request=request), patient.scene).checks
    assert [c.recomputed for c in checks if not c.passed] == [message]


def test_an_unknown_seed_model_is_refused(true_implant: tuple[Plan, Patient]) -> None:
    plan, patient = true_implant
    request = replace(plan.request, seeds=replace(plan.request.seeds, model="amersham_671"))
    checks = verify(replace(plan, request=request), patient.scene).checks
    assert [c.recomputed for c in checks if not c.passed] == ["seeds.model is unknown"]


def test_robustness_without_needles_is_refused(true_implant: tuple[Plan, Patient]) -> None:
    plan, patient = true_implant
    without_needles = replace(plan, needle_set=None, dose=None, paths=plan.paths[:1])
    assert "an implant is complete, and prescribed" in failed(without_needles, patient)


def test_a_tolerance_above_the_true_angle_is_refused() -> None:
    """A vessel crosses 5 mm beside the needle near its tip: turning by more than the tolerance touches it."""
    grid = grid_of((60, 60, 120))
    vessel = box_mask(grid.shape, ((36, 10, 22), (42, 50, 28)))
    masks = {
        "body": (Role.SKIN, box_mask(grid.shape, ((0, 0, 0), grid.shape))),
        "vessel": (Role.FORBIDDEN, vessel),
        "node": (Role.TARGET, box_mask(grid.shape, ((28, 28, 18), (33, 33, 22)))),
    }
    scene = scene_of_masks(grid, masks)
    entry, tip = (grid.to_patient(np.array(p)) for p in ((30.0, 30.0, 119.0), (30.0, 30.0, 20.0)))
    path = replace(a_path("N1", Aim.PTV), entry_mm=tuple(entry.tolist()), tip_mm=tuple(tip.tolist()))
    true_deg = tolerance_deg(
        Obstacles(scene.of_role(Role.FORBIDDEN), grid), grid.to_box(entry), grid.to_box(tip), 0.635
    )
    assert 2.0 < true_deg < 4.0
    for stated_deg, passes in (
        (true_deg, True),
        *((angle, False) for angle in (true_deg + 0.1, 4.0, 20.0, 45.0, 90.0)),
    ):
        claims = Claims()
        check_tolerances(claims, scene, Needle(), (NeedleRisk("N1", stated_deg, ()),), (path,))
        assert claims.verification().passed is passes, stated_deg


def test_without_obstacles_the_tolerance_is_90_degrees() -> None:
    grid = grid_of((60, 60, 120))
    masks = {
        "body": (Role.SKIN, box_mask(grid.shape, ((0, 0, 0), grid.shape))),
        "lung_left": (Role.LUNG, box_mask(grid.shape, ((2, 2, 2), (20, 50, 100)))),
        "node": (Role.TARGET, box_mask(grid.shape, ((28, 28, 18), (33, 33, 22)))),
    }
    scene = scene_of_masks(grid, masks)
    entry, tip = (grid.to_patient(np.array(p)) for p in ((30.0, 30.0, 119.0), (30.0, 30.0, 20.0)))
    path = replace(a_path("N1", Aim.PTV), entry_mm=tuple(entry.tolist()), tip_mm=tuple(tip.tolist()))
    assert tolerance_deg(Obstacles([], grid), grid.to_box(entry), grid.to_box(tip), 0.635) == 90.0
    for stated_deg, passes in ((90.0, True), (90.1, False)):
        claims = Claims()
        check_tolerances(claims, scene, Needle(), (NeedleRisk("N1", stated_deg, ()),), (path,))
        assert claims.verification().passed is passes


def test_given_needles_have_errors_in_depth_only() -> None:
    entry, tip = np.array([1.0, 2.0, 3.0]), np.array([20.0, 50.0, 30.0])
    planned_needles = misplaced(Placement.TEMPLATE, entry, tip, 3, 1, 30)
    sampled_needles = misplaced(Placement.TEMPLATE, entry, tip, 3, 1, 30, in_already=True)
    assert np.array_equal(sampled_needles.entry_B, np.tile(entry, (30, 1)))
    assert np.allclose(sampled_needles.inward_B, (tip - entry) / np.linalg.norm(tip - entry))
    assert np.array_equal(sampled_needles.deeper_mm, planned_needles.deeper_mm)
    direction = (tip - entry) / np.linalg.norm(tip - entry)
    length = float(np.linalg.norm(tip - entry))
    displaced = displaced_needle(
        ERRORS[Placement.TEMPLATE], entry, direction, length, uniform_draws(3, 1, 30)
    )
    in_line = displaced.in_line(entry, direction)
    assert np.allclose(in_line.at(length), sampled_needles.at(length), atol=1e-9)


def test_a_given_needle_has_no_chances_of_touches(true_implant: tuple[Plan, Patient]) -> None:
    scene = honest_implant()[1].scene
    plan, patient = implanted(
        with_given(given_needle(scene, (60.0, 75.0, 62.0), outward_of((60.0, 75.0, 62.0), 0.01))),
        tips_B=TIPS_B[:3],
    )
    assert plan.robustness is not None and failed(plan, patient) == set()
    (given_id,) = [p.id for p in plan.paths if p.aim is Aim.GIVEN]
    needles = tuple(
        replace(n, touches=(Touch("heart", 0.5),)) if n.path_id == given_id else n
        for n in plan.robustness.needles
    )
    failed_checks = failed(replace(plan, robustness=replace(plan.robustness, needles=needles)), patient)
    assert failed_checks == {"chances of a needle in place"}


def test_a_set_without_needles_has_no_needle_risks(true_implant: tuple[Plan, Patient]) -> None:
    """The given seeds alone meet all goals."""
    plan, patient = true_implant
    assert plan.needle_set is not None and plan.robustness is not None
    empty_set = replace(plan.needle_set, path_ids=(), order=(), seeds=())
    without_needles = replace(
        plan,
        paths=plan.paths[:1],
        needle_set=empty_set,
        robustness=replace(plan.robustness, needles=()),
    )
    assert "needles with a risk" not in failed(without_needles, patient)
