"""Robustness: displaced needles compared with closed forms, touches and tolerances with brute force, and
properties of any scene."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from math import erf, log, pi, sqrt
from types import MappingProxyType
from unittest.mock import patch

import numpy as np
import pytest
from box_scenes import CHEST_SPACING, at_voxel, box_mask, chest, grid_of, pose_P, scene_of_masks
from hypothesis import given, settings
from hypothesis import strategies as st
from sample_implants import a_path
from scipy.spatial.transform import Rotation

from anatomy.geometry.even_points import even_points_B
from anatomy.geometry.frames import Grid
from anatomy.geometry.masks import VoxelMask, mask_from_bool
from anatomy.scene import Scene
from anatomy.structures import Role, Structure
from planner.dose.dvh import dose_covering_percent, dose_volume, volume_percent_at
from planner.dose.ptv import ptv_of
from planner.dose.tg43.in_seed import doses_outside, in_seed
from planner.dose.tg43.seed_dose import SeedDose, seed_dose
from planner.measuring.clearance import Obstacles
from planner.records.paths import Aim, Path, SeedDrop
from planner.records.request.given import GivenSeed
from planner.records.request.prescription import Goals, Prescription
from planner.records.request.request import Request
from planner.records.request.robustness import Placement, RobustnessRequest
from planner.records.request.seeds import SeedRequest
from planner.records.request.target import TargetRequest
from planner.robustness import robustness as robustness_module
from planner.robustness.dose_spread import POINTS, dose_samples, percentiles_of
from planner.robustness.placement_errors import (
    ERRORS,
    Magnitude,
    PlacementErrors,
    displaced_needle,
    quantile_mm,
    uniform_draws,
)
from planner.robustness.robustness import robustness
from planner.robustness.tolerance import FINE, tolerance_deg
from planner.robustness.touched import touched_structures

TINY = Magnitude(1e-7, 5e-8)
SHAPE = (14, 12, 10)
RADIUS_MM = 0.635
REQUEST = Request(
    # Not 5.0: a voxel's centre of the chest of boxes lies there, and rounding would decide.
    target=TargetRequest(margin_mm=4.9),
    prescription=Prescription(dose_gy=60.0),
    robustness=RobustnessRequest(samples=40),
)

seeds = st.integers(0, 100_000)


def normal(sd_mm: float) -> Magnitude:
    """The magnitude of an error that is normal with this SD in each of two directions."""
    return Magnitude(sd_mm * sqrt(pi / 2), sd_mm * sqrt(2 - pi / 2))


@contextmanager
def with_errors(errors: PlacementErrors) -> Iterator[None]:
    """In this context, needles have these errors."""
    with patch.object(robustness_module, "ERRORS", MappingProxyType(dict.fromkeys(Placement, errors))):
        yield


@cache
def amersham() -> SeedDose:
    return seed_dose(SeedRequest())


def a_needle(entry_P, tip_P, depths_mm: tuple[float, ...] = (), id: str = "N1") -> Path:
    """A needle with seed centres at these depths."""
    entry, tip = np.array(entry_P, float), np.array(tip_P, float)
    length = float(np.linalg.norm(tip - entry))
    direction = (tip - entry) / length
    d = tuple(direction.tolist())
    drops = tuple(SeedDrop(tuple((entry + s * direction).tolist()), d, s, 0.0) for s in depths_mm)
    return replace(
        a_path(id, Aim.PTV),
        entry_mm=tuple(entry.tolist()),
        tip_mm=tuple(tip.tolist()),
        direction=d,
        length_mm=length,
        seeds=drops,
    )


def needles_in(scene: Scene) -> tuple[Path, ...]:
    """Three needles from the front through the node of the chest of boxes, with seeds in the node."""
    return tuple(
        a_needle(at_voxel(scene.grid, i, 8, k), at_voxel(scene.grid, i, 28, k), (24, 32, 38), f"N{n}")
        for n, (i, k) in enumerate(((25, 23), (28, 25), (31, 26)), start=1)
    )


def given_seeds_in(scene: Scene) -> tuple[GivenSeed, ...]:
    position_mm = tuple(at_voxel(scene.grid, 26, 25, 26).tolist())
    return (
        GivenSeed(position_mm),
        GivenSeed(position_mm, tuple(scene.grid.vectors_to_patient(np.array([0, 0, 1.0])))),
    )


def outcome(scene: Scene, request: Request = REQUEST, needles=None, given=()):
    return robustness(
        scene,
        needles_in(scene) if needles is None else needles,
        given,
        ptv_of(scene, request.target),
        amersham(),
        sampling=request.robustness,
        prescription=request.prescription,
        needle_radius_mm=request.needle.radius_mm,
        random_seed=request.random_seed,
    )


def planned_dose(scene: Scene, ptv: VoxelMask, seeds: list[GivenSeed]) -> tuple[float, float]:
    """D90 [Gy] and V100 [%] of 60 Gy at the same points, by the planner's sum of doses."""
    points_P = scene.grid.to_patient(even_points_B(ptv, scene.grid, POINTS))
    positions = np.array([s.position_mm for s in seeds])
    axes = np.array([np.zeros(3) if s.axis is None else s.axis for s in seeds])
    doses = doses_outside(amersham().total(points_P, seeds), in_seed(points_P, positions, axes, 4.5, 0.8))
    volume = dose_volume(doses, np.ones(len(doses)))
    return dose_covering_percent(volume, 90.0), volume_percent_at(volume, 60.0)


# Errors


@given(st.floats(0.1, 10.0), st.floats(0.05, 2.0))
def test_magnitudes_have_the_requested_mean_and_sd(mean, variation):
    # Finer steps towards 1, because of the long tail
    edges = 1.0 - np.concatenate([np.logspace(0, -14, 200_001), [0.0]])
    weights = np.diff(edges)
    sizes = quantile_mm(Magnitude(mean, mean * variation), 0.5 * (edges[1:] + edges[:-1]))
    mean_size = float(weights @ sizes)
    assert mean_size == pytest.approx(mean, rel=1e-3)
    assert sqrt(float(weights @ (sizes - mean_size) ** 2)) == pytest.approx(mean * variation, rel=2e-3)


def test_a_normal_error_is_a_special_case():
    share = np.linspace(0.0, 0.999, 50)
    assert quantile_mm(normal(2.0), share) == pytest.approx(2.0 * np.sqrt(-2.0 * np.log1p(-share)), rel=1e-9)


def test_template_errors_have_the_published_angles():
    direction = np.array([0.0, 0.0, 1.0])
    displaced = displaced_needle(
        ERRORS[Placement.TEMPLATE], np.zeros(3), direction, 110.0, uniform_draws(0, 0, 50_000)
    )
    angle = np.degrees(np.arccos(displaced.direction_B[:, 2]))
    assert angle.mean() == pytest.approx(2.8, abs=0.3)
    assert angle.std() == pytest.approx(1.7, abs=0.2)


def test_electromagnetic_errors_have_the_published_quartiles():
    first, median, third = quantile_mm(ERRORS[Placement.ELECTROMAGNETIC].tip, np.array([0.25, 0.5, 0.75]))
    assert median == pytest.approx(4.1, abs=0.05)
    assert log(third / first) == pytest.approx(log(9.1 / 2.7), rel=0.02)


@given(seeds, st.integers(1, 40), st.integers(0, 40))
def test_more_samples_do_not_change_the_first_draws(seed, count, extra):
    assert (uniform_draws(seed, 3, count + extra)[:count] == uniform_draws(seed, 3, count)).all()


def test_every_random_seed_and_needle_has_its_own_draws():
    streams = [uniform_draws(seed, needle, 4) for seed in (0, 1, -1, 2**70) for needle in (0, 1, 2)]
    firsts = {stream[0, 0] for stream in streams}
    assert len(firsts) == len(streams)


@given(seeds)
def test_needles_are_displaced_laterally_and_in_depth(seed):
    rng = np.random.default_rng(seed)
    direction = rng.normal(size=3)
    direction /= np.linalg.norm(direction)
    entry, length = rng.normal(size=3) * 50, rng.uniform(20.0, 150.0)
    draws = uniform_draws(seed, 0, 30)
    errors = ERRORS[Placement.TEMPLATE]
    displaced = displaced_needle(errors, entry, direction, length, draws)
    lateral = displaced.entry_B - entry
    assert lateral @ direction == pytest.approx(np.zeros(30), abs=1e-9)
    assert np.linalg.norm(lateral, axis=1) == pytest.approx(quantile_mm(errors.entry, draws[:, 0]))
    # At the planned tip's depth, the displaced axis is off by the tip's error.
    reach = length / (displaced.direction_B @ direction)
    tip_offset = displaced.entry_B + reach[:, None] * displaced.direction_B - entry - length * direction
    assert np.linalg.norm(tip_offset, axis=1) == pytest.approx(quantile_mm(errors.tip, draws[:, 2]))
    assert np.linalg.norm(displaced.direction_B, axis=1) == pytest.approx(np.ones(30))
    depth = np.linalg.norm(displaced.at(length) - displaced.entry_B, axis=1)
    assert depth == pytest.approx(length + displaced.deeper_mm) and (displaced.deeper_mm >= -length).all()


def test_errors_have_no_preferred_direction():
    displaced = displaced_needle(
        ERRORS[Placement.TEMPLATE], np.zeros(3), np.array([0.6, 0.8, 0.0]), 100.0, uniform_draws(1, 0, 20_000)
    )
    # Four standard errors
    assert np.abs(displaced.entry_B.mean(axis=0)).max() < 4 * 3.8 / sqrt(20_000)
    assert abs(displaced.deeper_mm.mean()) < 4 * 7.1 / sqrt(20_000)


# Touches


def random_organs(seed: int) -> tuple[np.random.Generator, Grid, list[Structure]]:
    """A few organs of scattered voxels, some of them in one layer, and one twice."""
    rng = np.random.default_rng(seed)
    grid = grid_of(SHAPE, tuple(rng.uniform(0.7, 4.0, 3)))
    layer = rng.integers(1, 5, SHAPE).astype(np.uint8)
    layer[rng.random(SHAPE) < 0.97] = 0
    organs = [
        Structure(f"organ_{label}", VoxelMask(layer, label, (0, 0, 0), SHAPE), Role.FORBIDDEN)
        for label in (3, 1, 2)
    ]
    other_mask = mask_from_bool(rng.random(SHAPE) < 0.01)
    return (
        rng,
        grid,
        [*organs, replace(organs[0], name="a_twin"), Structure("other", other_mask, Role.FORBIDDEN)],
    )


@given(seeds)
@settings(max_examples=30)
def test_touches_are_the_boxes_within_the_radius(seed):
    rng, grid, organs = random_organs(seed)
    padding = 0.6 * (grid.upper_B - grid.lower_B)
    entries, tips = (rng.uniform(grid.lower_B - padding, grid.upper_B + padding, (12, 3)) for _ in range(2))
    touches = touched_structures(organs, grid, entries, tips, 1.5)
    assert touches.names == ("a_twin", "organ_1", "organ_2", "organ_3", "other")
    for name, column in zip(touches.names, touches.by.T, strict=True):
        obstacles = Obstacles([s for s in organs if s.name == name], grid)
        expected = [obstacles.nearest(a, b, 50.0)[0] <= 1.5 for a, b in zip(entries, tips, strict=True)]
        assert column.tolist() == expected


@pytest.mark.interpreted
def test_a_wall_within_the_radius_is_touched():
    grid = grid_of((12, 8, 8))
    wall = Structure("wall", mask_from_bool(box_mask(grid.shape, ((6, 0, 0), (12, 8, 8)))), Role.FORBIDDEN)
    entries = np.array([[4.0, 1.0, 1.0], [4.7, 1.0, 1.0], [5.0, 1.0, 1.0], [5.0, 1.0, 1.0]])
    tips = np.array([[4.9, 6.0, 6.0], [4.7, 6.0, 6.0], [4.9, 6.0, 6.0], [5.0, 1.0, 1.0]])
    touches = touched_structures([wall], grid, entries, tips, 0.5)
    assert touches.by[:, 0].tolist() == [False, False, True, True]
    assert touched_structures([], grid, entries, tips, 0.5).by.shape == (4, 0)


@pytest.mark.parametrize("gap_mm", [0.2, 1.0, 3.0])
@pytest.mark.parametrize(("entry_sd_mm", "tip_sd_mm"), [(1e-6, 2.0), (1.5, 2.5)])
def test_the_chance_to_touch_a_wall_agrees_with_normal_errors(gap_mm, entry_sd_mm, tip_sd_mm):
    shape = (40, 60, 40)
    scene = scene_of_masks(
        grid_of(shape),
        {
            "body": (Role.SKIN, box_mask(shape, ((0, 0, 0), shape))),
            "wall": (Role.FORBIDDEN, box_mask(shape, ((30, 0, 0), shape))),
            "node": (Role.TARGET, box_mask(shape, ((18, 40, 18), (22, 44, 22)))),
        },
    )
    x = 29.5 - RADIUS_MM - gap_mm
    needle = a_needle((x, 2.0, 20.0), (x, 52.0, 20.0))
    samples = 8_000
    request = replace(REQUEST, robustness=RobustnessRequest(samples=samples))
    with with_errors(PlacementErrors(normal(entry_sd_mm), normal(tip_sd_mm), TINY)):
        result = outcome(scene, request, (needle,))
    # The needle is clear of the wall if both ends are.
    clear = 1.0
    for sd in (entry_sd_mm, tip_sd_mm):
        clear *= 0.5 * (1.0 + erf(gap_mm / (sd * sqrt(2.0))))
    expected = 1.0 - clear
    (touch,) = result.needles[0].touches
    assert touch.structure == "wall"
    # Four standard errors, plus the reduction of the tip's error by the constant needle length
    assert touch.chance == pytest.approx(expected, abs=4 * sqrt(expected * clear / samples) + 0.003)


# Tolerance


def turned_tip(entry, tip, angle: float, about_axis: float) -> np.ndarray:
    """The tip after a rotation about the entry; angles in rad."""
    d = tip - entry
    u = np.cross(d, [1.0, 0.3, 0.2])
    u /= np.linalg.norm(u)
    axis = Rotation.from_rotvec(about_axis * d / np.linalg.norm(d)).apply(u)
    return entry + Rotation.from_rotvec(angle * axis).apply(d)


@given(seeds, st.floats(0.05, 1.5))
@settings(max_examples=100)
def test_a_needle_turned_by_less_than_its_tolerance_touches_nothing(seed, radius):
    rng = np.random.default_rng(seed)
    grid = grid_of(SHAPE, tuple(rng.uniform(0.7, 4.0, 3)))
    mask = rng.random(SHAPE) < rng.choice([0.001, 0.004, 0.02])
    obstacles = Obstacles([Structure("organ", mask_from_bool(mask), Role.FORBIDDEN)], grid)
    entry, tip = (rng.uniform(grid.lower_B, grid.upper_B) for _ in range(2))
    tolerance = np.radians(tolerance_deg(obstacles, entry, tip, radius))
    touches = obstacles.nearest(entry, tip, 100.0)[0] <= radius
    assert (tolerance == 0.0) == touches
    if touches:
        return
    for _ in range(150):
        angle = tolerance * rng.choice([1.0 - 1e-9, rng.uniform()])
        new_tip = turned_tip(entry, tip, angle, rng.uniform(0.0, 2 * pi))
        assert obstacles.nearest(entry, new_tip, 100.0)[0] > radius


@pytest.mark.parametrize("depth_mm", [20.0, 39.9])
@pytest.mark.parametrize("angle_deg", [2.0, 5.0, 12.0])
def test_the_tolerance_towards_a_small_obstacle_is_almost_the_angle_to_it(depth_mm, angle_deg):
    """The second depth is inside the sweep of the tip, near the needle's end."""
    voxel_mm = 0.1
    entry = np.array([50 * voxel_mm, 2 * voxel_mm, 50 * voxel_mm])
    tip = entry + np.array([0.0, 40.0, 0.0])
    a = np.radians(angle_deg)
    obstacle = entry + depth_mm * np.array([np.sin(a), np.cos(a), 0.0])
    index = np.round(obstacle / voxel_mm).astype(int)
    grid = grid_of((150, 410, 101), (voxel_mm,) * 3)
    mask = box_mask(grid.shape, (tuple(index), tuple(index + 1)))
    obstacles = Obstacles([Structure("nerve", mask_from_bool(mask), Role.FORBIDDEN)], grid)
    corners = (index + np.array([[i, j, 0.0] for i in (-0.5, 0.5) for j in (-0.5, 0.5)])) * voxel_mm - entry
    exact = np.degrees(np.arctan2(corners[:, 0], corners[:, 1])).min()
    tolerance = tolerance_deg(obstacles, entry, tip, 1e-6)
    least_deg = (1.0 - FINE) * np.degrees(2.0 * np.arcsin(0.5 * np.sin(np.radians(exact))))
    assert least_deg - 1e-3 <= tolerance <= exact + 1e-6


def test_without_obstacles_the_tolerance_is_a_right_angle():
    assert tolerance_deg(Obstacles([], grid_of(SHAPE)), np.zeros(3), np.ones(3), 0.5) == pytest.approx(90.0)


@given(seeds)
@settings(max_examples=30)
def test_another_obstacle_never_adds_tolerance(seed):
    rng, grid, organs = random_organs(seed)
    entry, tip = (rng.uniform(grid.lower_B, grid.upper_B) for _ in range(2))
    first_only, all_organs = (
        tolerance_deg(Obstacles(structures, grid), entry, tip, 0.2) for structures in (organs[:1], organs)
    )
    assert (1.0 - FINE) * all_organs <= first_only + 1e-9


# Dose


def test_with_tiny_errors_the_dose_is_the_plans_and_nothing_is_touched():
    scene = chest()
    needles, given = needles_in(scene), given_seeds_in(scene)
    ptv = ptv_of(scene, REQUEST.target)
    with with_errors(PlacementErrors(TINY, TINY, TINY)):
        result = outcome(scene, given=given)
    seeds = [*given, *(GivenSeed(s.position_mm, s.axis) for n in needles for s in n.seeds)]
    d90, v100 = planned_dose(scene, ptv, seeds)
    for spread, planned in ((result.d90_gy, d90), (result.v100_percent, v100)):
        assert spread.p5 == pytest.approx(planned, rel=1e-5)
        assert spread.p95 == pytest.approx(planned, rel=1e-5)
    assert all(n.touches == () and n.tolerance_deg > 0.0 for n in result.needles)
    assert [n.path_id for n in result.needles] == ["N1", "N2", "N3"]


@given(seeds)
@settings(max_examples=10)
def test_seeds_keep_their_depth_on_the_displaced_needle(seed):
    scene = chest()
    needles = needles_in(scene)
    request = replace(
        REQUEST, random_seed=seed, robustness=RobustnessRequest(Placement.ELECTROMAGNETIC, samples=1)
    )
    moved = []
    for number, needle in enumerate(needles):
        displaced = displaced_needle(
            ERRORS[Placement.ELECTROMAGNETIC],
            scene.grid.to_box(np.array(needle.entry_mm)),
            scene.grid.vectors_to_box(np.array(needle.direction)),
            needle.length_mm,
            uniform_draws(seed, number, 1),
        )
        axis = tuple(scene.grid.vectors_to_patient(displaced.direction_B[0]).tolist())
        for s in needle.seeds:
            at_B = displaced.entry_B[0] + (s.depth_mm + displaced.deeper_mm[0]) * displaced.direction_B[0]
            moved.append(GivenSeed(tuple(scene.grid.to_patient(at_B).tolist()), axis))
    d90, v100 = planned_dose(scene, ptv_of(scene, request.target), moved)
    result = outcome(scene, request)
    assert (result.d90_gy.p50, result.v100_percent.p50) == pytest.approx((d90, v100), rel=1e-9)
    assert result.goals_met_share == float(d90 >= 60.0 and v100 >= 95.0)


def test_given_seeds_do_not_move():
    scene = chest()
    result = outcome(scene, needles=(), given=given_seeds_in(scene))
    assert result.needles == ()
    assert result.d90_gy.p5 == result.d90_gy.p95 > 0.0


def test_without_any_seed_there_is_no_dose():
    scene = chest()
    result = outcome(
        scene, needles=(a_needle(at_voxel(scene.grid, 28, 8, 25), at_voxel(scene.grid, 28, 28, 25)),)
    )
    assert result.d90_gy.p95 == result.v100_percent.p95 == result.goals_met_share == 0.0


def test_the_goals_met_share_counts_samples_that_meet_both_goals():
    scene = chest()
    reference = outcome(scene)
    outcomes = [
        outcome(scene, replace(REQUEST, prescription=replace(Prescription(60.0), goals=Goals(d90, v100))))
        for d90, v100 in (
            (0.0, 0.0),
            (reference.d90_gy.p50, 0.0),
            (0.0, reference.v100_percent.p50),
            (1e6, 0.0),
        )
    ]
    assert outcomes[0].goals_met_share == 1.0 and outcomes[3].goals_met_share == 0.0
    assert 0.4 <= outcomes[1].goals_met_share <= 0.6 and 0.4 <= outcomes[2].goals_met_share <= 0.6


def test_points_inside_seeds_count_as_hot():
    """Seeds side by side fill the whole PTV, so there is no dose outside seeds to report."""
    grid = grid_of((3, 3, 3), (0.4, 0.4, 0.4))
    mask = mask_from_bool(np.ones(grid.shape, bool))
    samples = dose_samples(
        grid, mask, amersham(), 60.0, np.full((2, 1, 3), 0.4), np.full((2, 1, 3), [0.0, 0.0, 1.0]), ()
    )
    assert np.isfinite(samples.d90_gy).all() and samples.v100_percent.tolist() == [100.0, 100.0]


def test_percentiles_lie_between_samples():
    spread = percentiles_of(np.arange(41.0))
    assert (spread.p5, spread.p50, spread.p95) == pytest.approx((2.0, 20.0, 38.0))


# The complete result


def test_without_samples_or_prescription_there_is_no_robustness():
    scene = chest()
    assert outcome(scene, replace(REQUEST, robustness=RobustnessRequest(samples=0))) is None
    assert outcome(scene, replace(REQUEST, prescription=None)) is None


def test_the_random_seed_determines_the_result(monkeypatch):
    scene = chest()
    result = outcome(scene)
    for threads in ("1", "3"):
        monkeypatch.setenv("SEEDPATH_THREADS", threads)
        assert outcome(scene) == result
    other_result = outcome(scene, replace(REQUEST, random_seed=1))
    assert other_result.d90_gy != result.d90_gy and other_result.needles != result.needles


def test_another_needle_does_not_change_the_risks_of_the_others():
    scene = chest()
    needles = needles_in(scene)
    assert outcome(scene, needles=needles[:2]).needles == outcome(scene, needles=needles).needles[:2]


def test_touches_are_sorted_by_chance_and_then_by_name():
    near_mask = box_mask((60, 50, 40), ((29, 10, 4), (31, 20, 36)))
    shape = near_mask.shape
    masks = {s.name: (s.role, s.mask.layer == s.mask.label) for s in chest().structures}
    scene = scene_of_masks(
        grid_of(shape, CHEST_SPACING),
        {**masks, "vein": (Role.FORBIDDEN, near_mask), "artery": (Role.FORBIDDEN, near_mask)},
    )
    result = outcome(scene)
    for needle in result.needles:
        key = [(-t.chance, t.structure) for t in needle.touches]
        assert key == sorted(key) and all(0.0 < t.chance <= 1.0 for t in needle.touches)
    assert [t.structure for t in result.needles[1].touches][:2] == ["artery", "vein"]
    assert any(t.chance == 1.0 and n.tolerance_deg == 0.0 for n in result.needles for t in n.touches) == any(
        n.tolerance_deg == 0.0 for n in result.needles
    )


@given(seeds)
@settings(max_examples=8)
def test_a_rigid_motion_changes_nothing(seed):
    rng = np.random.default_rng(seed)
    # Rotations that keep the patient along the same axis of the grid: the field of view cuts a body along
    # that axis.
    motion = pose_P(tuple(rng.uniform(-25, 25, 3)), tuple(rng.uniform(-100, 100, 3)))
    result, moved_result = (outcome(s, given=given_seeds_in(s)) for s in (chest(), chest(motion)))
    for a, b in zip(result.needles, moved_result.needles, strict=True):
        assert a.touches == b.touches
        assert a.tolerance_deg == pytest.approx(b.tolerance_deg, rel=2 * FINE)
    for a, b in ((result.d90_gy, moved_result.d90_gy), (result.v100_percent, moved_result.v100_percent)):
        assert (a.p5, a.p50, a.p95) == pytest.approx((b.p5, b.p50, b.p95), rel=1e-5)
    assert result.goals_met_share == moved_result.goals_met_share


@given(st.sampled_from(Placement), seeds)
@settings(max_examples=12)
def test_a_structure_in_the_way_is_touched_with_certainty_by_tiny_errors(placement, seed):
    scene = chest(spike=(Role.FORBIDDEN, ((28, 20, 24), (29, 21, 26))))
    request = replace(REQUEST, random_seed=seed, robustness=RobustnessRequest(placement, 20))
    with with_errors(PlacementErrors(TINY, TINY, TINY)):
        risk = outcome(scene, request).needles[1]
    assert risk.tolerance_deg == 0.0 and [(t.structure, t.chance) for t in risk.touches] == [("spike", 1.0)]
