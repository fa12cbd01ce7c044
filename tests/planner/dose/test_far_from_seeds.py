"""Far from all seeds: the dose of a target that the implant misses is small, correct and verified.

This happens if the CT after the implant is not registered to the plan's frame, or if a part of the target is
far from the rest.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from types import MappingProxyType

import numpy as np
import pytest
from box_scenes import grid_of, pose_P
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st
from sample_implants import implant_plan
from scipy.spatial.transform import Rotation
from small_chests import ellipsoid, posed

from anatomy.geometry.frames import Grid
from anatomy.scene import Scene
from anatomy.structures import Role
from planner.dose.tg43.seed_dose import seed_dose
from planner.evaluate import evaluate_implant
from planner.records.dose import TargetDose
from planner.records.followup import Evaluation
from planner.records.request.given import GivenSeed
from planner.records.request.point import Point
from planner.records.request.pose import PoseRequest
from planner.records.request.prescription import Goals, OrganGoal, Prescription
from planner.records.request.request import Request
from planner.records.request.seeds import SeedRequest
from planner.records.request.target import TargetRequest
from planner.verify import verify_evaluation

MIDDLE_B = np.array([30.0, 30.0, 40.0])
REQUEST = Request(
    target=TargetRequest(("node",), margin_mm=3.0),
    pose=PoseRequest(bore_diameter_mm=2000.0),
    prescription=Prescription(
        goals=Goals(d90_gy=1e-30, v100_percent=0.0),
        organ_goals=MappingProxyType({"heart": OrganGoal(d0_1cc_gy=50.0, d1cc_gy=30.0, d2cc_gy=20.0)}),
    ),
)
"""Goals that any dose meets, so that no supplement is planned: the tests look at the evaluation only."""

GRIDS = {
    "thick voxels": grid_of((13, 13, 52), (5.0, 5.0, 5.0), pose_P((12.0, -7.0, 20.0), (30.0, -50.0, 10.0))),
    "thin voxels": grid_of((36, 40, 100), (1.7, 1.5, 2.6)),
}


@cache
def scene_on(name: str) -> Scene:
    """A long body with a ball of 14 mm, another part of it 35 mm away, and a heart."""
    grid = GRIDS[name]
    ball = ellipsoid(grid, MIDDLE_B - (4.0, 0.0, 10.0), (7.0, 7.0, 7.0))
    part = ellipsoid(grid, np.add(MIDDLE_B, (10.0, 0.0, 22.0)), (4.0, 4.0, 4.0))
    heart = ellipsoid(grid, np.add(MIDDLE_B, (2.0, 14.0, 6.0)), (12.0, 7.0, 12.0)) & ~ball & ~part
    masks = {
        "body": (Role.SKIN, ellipsoid(grid, MIDDLE_B, (28.0, 28.0, 1e4))),
        "heart": (Role.FORBIDDEN, heart),
        "node": (Role.TARGET, ball | part),
    }
    return posed(grid, masks, REQUEST).scene


def moved_seeds(grid: Grid, by_mm: float, turn: Rotation) -> tuple[GivenSeed, ...]:
    """Eight seeds in the ball, every third without its axis, rotated about its centre and moved along the
    body."""
    rng = np.random.default_rng(5)
    middle_B, offsets, axes = (
        MIDDLE_B - (4.0, 0.0, 10.0),
        rng.uniform(-5.0, 5.0, (8, 3)),
        rng.normal(size=(8, 3)),
    )
    axes /= np.linalg.norm(axes, axis=1)[:, None]
    middle_B[2] += by_mm
    places_P = grid.to_patient(middle_B + turn.apply(offsets))
    axes_P = grid.vectors_to_patient(turn.apply(axes))
    return tuple(
        GivenSeed(_point(p), None if n % 3 == 0 else _point(a))
        for n, (p, a) in enumerate(zip(places_P, axes_P, strict=True))
    )


def _point(v: np.ndarray) -> Point:
    x, y, z = v.tolist()
    return x, y, z


def evaluated(name: str, by_mm: float, turn: Rotation | None = None) -> Evaluation:
    scene = scene_on(name)
    seeds = moved_seeds(scene.grid, by_mm, turn or Rotation.identity())
    return evaluate_implant(scene, implant_plan(REQUEST), "ab" * 32, seeds)


def failed_checks(evaluation: Evaluation) -> list[str]:
    assert evaluation.verification is not None
    return [
        f"{c.subject}: {c.name}: {c.claimed} {c.recomputed}"
        for c in evaluation.verification.checks
        if not c.passed
    ]


turns = st.tuples(*[st.floats(-180.0, 180.0)] * 3).map(lambda t: Rotation.from_euler("xyz", t, degrees=True))


@pytest.mark.long
@settings(max_examples=8, phases=[Phase.explicit, Phase.generate])
@example("thick voxels", 35.0, Rotation.identity())
@given(st.sampled_from(sorted(GRIDS)), st.floats(0.0, 200.0), turns)
def test_an_implant_moved_in_any_way_is_evaluated_and_verified(
    name: str, by_mm: float, turn: Rotation
) -> None:
    assert failed_checks(evaluated(name, by_mm, turn)) == []


@pytest.mark.representative(2)
@pytest.mark.parametrize("name", sorted(GRIDS))
@pytest.mark.parametrize("by_mm", [0.0, 60.0, 180.0])
def test_the_dose_of_a_distant_target_agrees_with_random_points(name: str, by_mm: float) -> None:
    # The reference is the dose at random points in all of the target's voxels, computed without boxes.
    scene = scene_on(name)
    achieved = evaluated(name, by_mm).achieved
    voxels = np.argwhere(scene.target.cropped()) + np.array(scene.target.lower)
    rng = np.random.default_rng(8)
    points_V = voxels[rng.integers(len(voxels), size=50_000)] + rng.uniform(-0.5, 0.5, (50_000, 3))
    points_P = scene.grid.to_patient(points_V * scene.grid.spacing_mm)
    seeds = moved_seeds(scene.grid, by_mm, Rotation.identity())
    doses = seed_dose(SeedRequest()).total(points_P, seeds)
    assert achieved.gtv.d90_gy == pytest.approx(np.quantile(doses, 0.1), rel=0.02)
    assert doses.min() * 0.9 <= achieved.gtv.d100_gy <= doses.min() * 1.1


def test_an_implant_far_from_the_target_leaves_all_of_it_cold() -> None:
    achieved = evaluated("thick voxels", 190.0).achieved
    assert achieved.target.v100_percent == 0.0
    assert 0.0 < achieved.target.d100_gy <= achieved.target.d90_gy < 0.01
    assert sum(spot.volume_cc for spot in achieved.cold_spots) == pytest.approx(achieved.target.volume_cc)
    assert achieved.seeds_outside_ptv == achieved.seeds_found


@pytest.mark.parametrize(
    ("change", "claim"),
    [
        (lambda t: replace(t, d90_gy=1.05 * t.d90_gy), "D90"),
        (lambda t: replace(t, d100_gy=1.2 * t.d100_gy), "D100 is not overstated"),
        (lambda t: replace(t, d100_gy=0.8 * t.d100_gy), "D100 is not understated"),
    ],
)
def test_a_wrong_small_dose_is_found(change: Callable[[TargetDose], TargetDose], claim: str) -> None:
    evaluation = evaluated("thick voxels", 100.0)
    achieved = replace(evaluation.achieved, target=change(evaluation.achieved.target))
    verification = verify_evaluation(
        replace(evaluation, achieved=achieved), implant_plan(REQUEST), scene_on("thick voxels")
    )
    assert claim in {check.name for check in verification.checks if not check.passed}
