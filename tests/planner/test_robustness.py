"""Robustness: displaced needles against closed forms, touches and tolerances against brute force, and what
must hold whatever the scene."""

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
    # Not 5.0: that is where a voxel's centre of the chest of boxes lies, and rounding would decide on it.
    target=TargetRequest(margin_mm=4.9),
    prescription=Prescription(dose_gy=60.0),
    robustness=RobustnessRequest(samples=40),
)

seeds = st.integers(0, 100_000)


def normal(sd_mm: float) -> Magnitude:
    """The size of an error that is normal, of that SD, in each of two directions."""
    return Magnitude(sd_mm * sqrt(pi / 2), sd_mm * sqrt(2 - pi / 2))


@contextmanager
def erring(errors: PlacementErrors) -> Iterator[None]:
    """Within, needles go wrong like that."""
    with patch.object(robustness_module, "ERRORS", MappingProxyType(dict.fromkeys(Placement, errors))):
        yield


@cache
def amersham() -> SeedDose:
    return seed_dose(SeedRequest())


def a_needle(entry_P, tip_P, depths_mm: tuple[float, ...] = (), id: str = "N1") -> Path:
    """A needle with seeds at those depths of their centres."""
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
    """Three needles from the front of the chest of boxes, right through its node, with seeds in it."""
    return tuple(
        a_needle(at_voxel(scene.grid, i, 8, k), at_voxel(scene.grid, i, 28, k), (24, 32, 38), f"N{n}")
        for n, (i, k) in enumerate(((25, 23), (28, 25), (31, 26)), start=1)
    )


def given_in(scene: Scene) -> tuple[GivenSeed, ...]:
    place = tuple(at_voxel(scene.grid, 26, 25, 26).tolist())
    return (GivenSeed(place), GivenSeed(place, tuple(scene.grid.vectors_to_patient(np.array([0, 0, 1.0])))))


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
    """D90 [Gy] and V100 [%] of 60 Gy at the same points, by the sum that plans are made with."""
    points_P = scene.grid.to_patient(even_points_B(ptv, scene.grid, POINTS))
    places = np.array([s.position_mm for s in seeds])
    axes = np.array([np.zeros(3) if s.axis is None else s.axis for s in seeds])
    doses = doses_outside(amersham().total(points_P, seeds), in_seed(points_P, places, axes, 4.5, 0.8))
    volume = dose_volume(doses, np.ones(len(doses)))
    return dose_covering_percent(volume, 90.0), volume_percent_at(volume, 60.0)


# Errors


@given(st.floats(0.1, 10.0), st.floats(0.05, 2.0))
def test_sizes_have_the_mean_and_sd_asked_for(mean, variation):
    # Finer towards 1, where the long tail is.
    edges = 1.0 - np.concatenate([np.logspace(0, -14, 200_001), [0.0]])
    weights = np.diff(edges)
    sizes = quantile_mm(Magnitude(mean, mean * variation), 0.5 * (edges[1:] + edges[:-1]))
    found = float(weights @ sizes)
    assert found == pytest.approx(mean, rel=1e-3)
    assert sqrt(float(weights @ (sizes - found) ** 2)) == pytest.approx(mean * variation, rel=2e-3)


def test_a_normal_error_is_a_special_case():
    share = np.linspace(0.0, 0.999, 50)
    assert quantile_mm(normal(2.0), share) == pytest.approx(2.0 * np.sqrt(-2.0 * np.log1p(-share)), rel=1e-9)


def test_templates_make_the_angles_that_their_paper_measured():
    along = np.array([0.0, 0.0, 1.0])
    displaced = displaced_needle(
        ERRORS[Placement.TEMPLATE], np.zeros(3), along, 110.0, uniform_draws(0, 0, 50_000)
    )
    angle = np.degrees(np.arccos(displaced.direction_B[:, 2]))
    assert angle.mean() == pytest.approx(2.8, abs=0.3)
    assert angle.std() == pytest.approx(1.7, abs=0.2)


def test_electromagnetic_errors_have_the_quartiles_of_their_paper():
    first, median, third = quantile_mm(ERRORS[Placement.ELECTROMAGNETIC].tip, np.array([0.25, 0.5, 0.75]))
    assert median == pytest.approx(4.1, abs=0.05)
    assert log(third / first) == pytest.approx(log(9.1 / 2.7), rel=0.02)


@given(seeds, st.integers(1, 40), st.integers(0, 40))
def test_more_samples_do_not_change_the_first_draws(seed, few, more):
    assert (uniform_draws(seed, 3, few + more)[:few] == uniform_draws(seed, 3, few)).all()


def test_every_seed_and_every_needle_has_draws_of_its_own():
    streams = [uniform_draws(seed, needle, 4) for seed in (0, 1, -1, 2**70) for needle in (0, 1, 2)]
    firsts = {stream[0, 0] for stream in streams}
    assert len(firsts) == len(streams)


@given(seeds)
def test_needles_are_displaced_across_the_axis_and_along_it(seed):
    rng = np.random.default_rng(seed)
    direction = rng.normal(size=3)
    direction /= np.linalg.norm(direction)
    entry, length = rng.normal(size=3) * 50, rng.uniform(20.0, 150.0)
    draws = uniform_draws(seed, 0, 30)
    errors = ERRORS[Placement.TEMPLATE]
    displaced = displaced_needle(errors, entry, direction, length, draws)
    across = displaced.entry_B - entry
    assert across @ direction == pytest.approx(np.zeros(30), abs=1e-9)
    assert np.linalg.norm(across, axis=1) == pytest.approx(quantile_mm(errors.entry, draws[:, 0]))
    # Where the displaced axis passes the planned tip's depth, it is off by the tip's error.
    reach = length / (displaced.direction_B @ direction)
    off = displaced.entry_B + reach[:, None] * displaced.direction_B - entry - length * direction
    assert np.linalg.norm(off, axis=1) == pytest.approx(quantile_mm(errors.tip, draws[:, 2]))
    assert np.linalg.norm(displaced.direction_B, axis=1) == pytest.approx(np.ones(30))
    depth = np.linalg.norm(displaced.at(length) - displaced.entry_B, axis=1)
    assert depth == pytest.approx(length + displaced.deeper_mm) and (displaced.deeper_mm >= -length).all()


def test_errors_go_every_way_alike():
    displaced = displaced_needle(
        ERRORS[Placement.TEMPLATE], np.zeros(3), np.array([0.6, 0.8, 0.0]), 100.0, uniform_draws(1, 0, 20_000)
    )
    # Four standard errors.
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
    other = mask_from_bool(rng.random(SHAPE) < 0.01)
    return rng, grid, [*organs, replace(organs[0], name="a_twin"), Structure("other", other, Role.FORBIDDEN)]


@given(seeds)
@settings(max_examples=30)
def test_touches_are_the_boxes_within_the_radius(seed):
    rng, grid, organs = random_organs(seed)
    around = 0.6 * (grid.upper_B - grid.lower_B)
    ones, twos = (rng.uniform(grid.lower_B - around, grid.upper_B + around, (12, 3)) for _ in range(2))
    touches = touched_structures(organs, grid, ones, twos, 1.5)
    assert touches.names == ("a_twin", "organ_1", "organ_2", "organ_3", "other")
    for name, column in zip(touches.names, touches.by.T, strict=True):
        alone = Obstacles([s for s in organs if s.name == name], grid)
        near = [alone.nearest(a, b, 50.0)[0] <= 1.5 for a, b in zip(ones, twos, strict=True)]
        assert column.tolist() == near


@pytest.mark.interpreted
def test_a_wall_is_touched_from_the_radius_on():
    grid = grid_of((12, 8, 8))
    wall = Structure("wall", mask_from_bool(box_mask(grid.shape, ((6, 0, 0), (12, 8, 8)))), Role.FORBIDDEN)
    ones = np.array([[4.0, 1.0, 1.0], [4.7, 1.0, 1.0], [5.0, 1.0, 1.0], [5.0, 1.0, 1.0]])
    twos = np.array([[4.9, 6.0, 6.0], [4.7, 6.0, 6.0], [4.9, 6.0, 6.0], [5.0, 1.0, 1.0]])
    touches = touched_structures([wall], grid, ones, twos, 0.5)
    assert touches.by[:, 0].tolist() == [False, False, True, True]
    assert touched_structures([], grid, ones, twos, 0.5).by.shape == (4, 0)


@pytest.mark.parametrize("gap_mm", [0.2, 1.0, 3.0])
@pytest.mark.parametrize(("entry_sd_mm", "tip_sd_mm"), [(1e-6, 2.0), (1.5, 2.5)])
def test_the_chance_to_touch_a_wall_beside_the_needle_is_that_of_normal_errors(
    gap_mm, entry_sd_mm, tip_sd_mm
):
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
    with erring(PlacementErrors(normal(entry_sd_mm), normal(tip_sd_mm), TINY)):
        result = outcome(scene, request, (needle,))
    # It stays off the wall where both ends do.
    clear = 1.0
    for sd in (entry_sd_mm, tip_sd_mm):
        clear *= 0.5 * (1.0 + erf(gap_mm / (sd * sqrt(2.0))))
    expected = 1.0 - clear
    (touch,) = result.needles[0].touches
    assert touch.structure == "wall"
    # Four standard errors, and what the needle's kept length takes off the tip's error.
    assert touch.chance == pytest.approx(expected, abs=4 * sqrt(expected * clear / samples) + 0.003)


# Tolerance


def turned(entry, tip, angle: float, way: float) -> np.ndarray:
    """The tip after a turn about the entry. [rad]"""
    d = tip - entry
    u = np.cross(d, [1.0, 0.3, 0.2])
    u /= np.linalg.norm(u)
    about = Rotation.from_rotvec(way * d / np.linalg.norm(d)).apply(u)
    return entry + Rotation.from_rotvec(angle * about).apply(d)


@given(seeds, st.floats(0.05, 1.5))
@settings(max_examples=100)
def test_turned_by_less_than_its_tolerance_a_needle_touches_nothing(seed, radius):
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
        at = turned(entry, tip, angle, rng.uniform(0.0, 2 * pi))
        assert obstacles.nearest(entry, at, 100.0)[0] > radius


@pytest.mark.parametrize("depth_mm", [20.0, 39.9])
@pytest.mark.parametrize("angle_deg", [2.0, 5.0, 12.0])
def test_towards_a_small_obstacle_tolerance_is_all_but_the_angle_to_it(depth_mm, angle_deg):
    """The second depth lies within the sweep of the tip, and beyond it along the axis."""
    side = 0.1
    entry = np.array([50 * side, 2 * side, 50 * side])
    tip = entry + np.array([0.0, 40.0, 0.0])
    a = np.radians(angle_deg)
    at = entry + depth_mm * np.array([np.sin(a), np.cos(a), 0.0])
    index = np.round(at / side).astype(int)
    grid = grid_of((150, 410, 101), (side,) * 3)
    mask = box_mask(grid.shape, (tuple(index), tuple(index + 1)))
    obstacles = Obstacles([Structure("nerve", mask_from_bool(mask), Role.FORBIDDEN)], grid)
    corners = (index + np.array([[i, j, 0.0] for i in (-0.5, 0.5) for j in (-0.5, 0.5)])) * side - entry
    exact = np.degrees(np.arctan2(corners[:, 0], corners[:, 1])).min()
    found = tolerance_deg(obstacles, entry, tip, 1e-6)
    least = (1.0 - FINE) * np.degrees(2.0 * np.arcsin(0.5 * np.sin(np.radians(exact))))
    assert least - 1e-3 <= found <= exact + 1e-6


def test_where_nothing_is_near_tolerance_is_a_right_angle():
    assert tolerance_deg(Obstacles([], grid_of(SHAPE)), np.zeros(3), np.ones(3), 0.5) == pytest.approx(90.0)


@given(seeds)
@settings(max_examples=30)
def test_another_obstacle_never_adds_tolerance(seed):
    rng, grid, organs = random_organs(seed)
    entry, tip = (rng.uniform(grid.lower_B, grid.upper_B) for _ in range(2))
    less, more = (tolerance_deg(Obstacles(some, grid), entry, tip, 0.2) for some in (organs[:1], organs))
    assert (1.0 - FINE) * more <= less + 1e-9


# Dose


def test_with_errors_near_zero_dose_is_the_plans_own_and_nothing_is_touched():
    scene = chest()
    needles, given = needles_in(scene), given_in(scene)
    ptv = ptv_of(scene, REQUEST.target)
    with erring(PlacementErrors(TINY, TINY, TINY)):
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
        wrong = displaced_needle(
            ERRORS[Placement.ELECTROMAGNETIC],
            scene.grid.to_box(np.array(needle.entry_mm)),
            scene.grid.vectors_to_box(np.array(needle.direction)),
            needle.length_mm,
            uniform_draws(seed, number, 1),
        )
        axis = tuple(scene.grid.vectors_to_patient(wrong.direction_B[0]).tolist())
        for s in needle.seeds:
            at_B = wrong.entry_B[0] + (s.depth_mm + wrong.deeper_mm[0]) * wrong.direction_B[0]
            moved.append(GivenSeed(tuple(scene.grid.to_patient(at_B).tolist()), axis))
    d90, v100 = planned_dose(scene, ptv_of(scene, request.target), moved)
    result = outcome(scene, request)
    assert (result.d90_gy.p50, result.v100_percent.p50) == pytest.approx((d90, v100), rel=1e-9)
    assert result.goals_met_share == float(d90 >= 60.0 and v100 >= 95.0)


def test_given_seeds_stay():
    scene = chest()
    result = outcome(scene, needles=(), given=given_in(scene))
    assert result.needles == ()
    assert result.d90_gy.p5 == result.d90_gy.p95 > 0.0


def test_without_any_seed_there_is_no_dose():
    scene = chest()
    result = outcome(
        scene, needles=(a_needle(at_voxel(scene.grid, 28, 8, 25), at_voxel(scene.grid, 28, 28, 25)),)
    )
    assert result.d90_gy.p95 == result.v100_percent.p95 == result.goals_met_share == 0.0


def test_goals_are_met_where_both_are():
    scene = chest()
    plain = outcome(scene)
    met = [
        outcome(scene, replace(REQUEST, prescription=replace(Prescription(60.0), goals=Goals(d90, v100))))
        for d90, v100 in ((0.0, 0.0), (plain.d90_gy.p50, 0.0), (0.0, plain.v100_percent.p50), (1e6, 0.0))
    ]
    assert met[0].goals_met_share == 1.0 and met[3].goals_met_share == 0.0
    assert 0.4 <= met[1].goals_met_share <= 0.6 and 0.4 <= met[2].goals_met_share <= 0.6


def test_points_inside_seeds_count_as_hot():
    """Seeds side by side that fill the whole PTV: no dose outside any seed is left to report."""
    grid = grid_of((3, 3, 3), (0.4, 0.4, 0.4))
    mask = mask_from_bool(np.ones(grid.shape, bool))
    found = dose_samples(
        grid, mask, amersham(), 60.0, np.full((2, 1, 3), 0.4), np.full((2, 1, 3), [0.0, 0.0, 1.0]), ()
    )
    assert np.isfinite(found.d90_gy).all() and found.v100_percent.tolist() == [100.0, 100.0]


def test_percentiles_lie_between_samples():
    spread = percentiles_of(np.arange(41.0))
    assert (spread.p5, spread.p50, spread.p95) == pytest.approx((2.0, 20.0, 38.0))


# The whole


def test_nothing_is_looked_at_where_nothing_is_asked_or_prescribed():
    scene = chest()
    assert outcome(scene, replace(REQUEST, robustness=RobustnessRequest(samples=0))) is None
    assert outcome(scene, replace(REQUEST, prescription=None)) is None


def test_the_same_seed_gives_the_same_and_another_another(monkeypatch):
    scene = chest()
    first = outcome(scene)
    for threads in ("1", "3"):
        monkeypatch.setenv("SEEDPATH_THREADS", threads)
        assert outcome(scene) == first
    other = outcome(scene, replace(REQUEST, random_seed=1))
    assert other.d90_gy != first.d90_gy and other.needles != first.needles


def test_another_needle_changes_nothing_of_the_others():
    scene = chest()
    needles = needles_in(scene)
    assert outcome(scene, needles=needles[:2]).needles == outcome(scene, needles=needles).needles[:2]


def test_likelier_touches_come_first_then_names():
    nearer = box_mask((60, 50, 40), ((29, 10, 4), (31, 20, 36)))
    shape = nearer.shape
    masks = {s.name: (s.role, s.mask.layer == s.mask.label) for s in chest().structures}
    scene = scene_of_masks(
        grid_of(shape, CHEST_SPACING),
        {**masks, "vein": (Role.FORBIDDEN, nearer), "artery": (Role.FORBIDDEN, nearer)},
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
    # Turned no further than the patient lies along the same axis of the grid: that axis is where the field of
    # view ends a body.
    motion = pose_P(tuple(rng.uniform(-25, 25, 3)), tuple(rng.uniform(-100, 100, 3)))
    still, moved = (outcome(s, given=given_in(s)) for s in (chest(), chest(motion)))
    for a, b in zip(still.needles, moved.needles, strict=True):
        assert a.touches == b.touches
        assert a.tolerance_deg == pytest.approx(b.tolerance_deg, rel=2 * FINE)
    for a, b in ((still.d90_gy, moved.d90_gy), (still.v100_percent, moved.v100_percent)):
        assert (a.p5, a.p50, a.p95) == pytest.approx((b.p5, b.p50, b.p95), rel=1e-5)
    assert still.goals_met_share == moved.goals_met_share


@given(st.sampled_from(Placement), seeds)
@settings(max_examples=12)
def test_a_structure_that_is_in_the_way_is_touched_for_certain_by_a_sure_hand(placement, seed):
    scene = chest(spike=(Role.FORBIDDEN, ((28, 20, 24), (29, 21, 26))))
    request = replace(REQUEST, random_seed=seed, robustness=RobustnessRequest(placement, 20))
    with erring(PlacementErrors(TINY, TINY, TINY)):
        sure = outcome(scene, request).needles[1]
    assert sure.tolerance_deg == 0.0 and [(t.structure, t.chance) for t in sure.touches] == [("spike", 1.0)]
