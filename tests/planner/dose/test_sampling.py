"""Sample points: their volume is exact, they lie inside the structure, and their number is bounded."""

from math import ceil

import numpy as np
import pytest
from box_scenes import grid_of, pose_P
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial import cKDTree

from anatomy.geometry.masks import MaskLayers, mask_from_bool
from anatomy.geometry.points_in_mask import points_inside
from planner.dose import sampling
from planner.dose.sampling import FineRegion, sampled
from planner.errors import RequestError

SHAPE = (9, 7, 5)
SPACING = (0.8, 1.1, 3.0)
POSE = pose_P((10.0, 25.0, -70.0), (-40.0, 7.0, 900.0))
GRID = grid_of(SHAPE, SPACING, POSE)


@st.composite
def random_masks(draw: st.DrawFn) -> np.ndarray:
    """A mask of some voxels, at least one."""
    indices = draw(st.sets(st.integers(0, 9 * 7 * 5 - 1), min_size=1, max_size=60))
    mask = np.zeros(SHAPE, bool)
    mask.reshape(-1)[sorted(indices)] = True
    return mask


@st.composite
def fine_regions(draw: st.DrawFn) -> FineRegion | None:
    """A region around up to three points of the grid, or none."""
    indices = draw(st.lists(st.tuples(*(st.floats(-3.0, n + 3.0) for n in SHAPE)), max_size=3))
    points_P = GRID.to_patient(np.array(indices).reshape(-1, 3) * GRID.spacing_mm)
    return draw(st.one_of(st.none(), st.just(FineRegion(points_P, draw(st.floats(0.1, 8.0))))))


STEPS = st.sampled_from([0.3, 0.5, 0.8, 1.0, 3.0, 7.0])


@given(random_masks(), STEPS, fine_regions())
def test_weights_add_up_to_the_voxels_volume(voxels: np.ndarray, step: float, region) -> None:
    mask = mask_from_bool(voxels)
    points = sampled(mask, GRID, step, region)
    assert points.volume_mm3 == pytest.approx(mask.count * GRID.voxel_volume_mm3, rel=1e-12)
    assert (points.weights_mm3 > 0.0).all()
    assert (points.step_mm, points.far_step_mm) == (step, pytest.approx(0.8))


@given(random_masks(), st.sampled_from([0.3, 0.5, 0.8, 1.5]), fine_regions())
def test_points_lie_in_voxels_of_the_mask(voxels: np.ndarray, step: float, region) -> None:
    mask = mask_from_bool(voxels)
    assert points_inside(mask, GRID, sampled(mask, GRID, step, region).points_P).all()


@given(random_masks(), st.sampled_from([0.3, 0.5, 0.75]))
def test_every_voxel_is_divided_equally_and_at_least_as_fine_as_the_step(
    voxels: np.ndarray, step: float
) -> None:
    mask = mask_from_bool(voxels)
    points = sampled(mask, GRID, step)
    divisions = [ceil(s / step) for s in SPACING]
    assert len(points.points_P) == points.near_count == mask.count * np.prod(divisions)
    np.testing.assert_allclose(points.weights_mm3, GRID.voxel_volume_mm3 / np.prod(divisions))
    # The parts of one voxel are centred on it.
    means = points.points_P.reshape(mask.count, -1, 3).mean(axis=1)
    centres = np.argwhere(mask.cropped()) + np.array(mask.lower)
    np.testing.assert_allclose(GRID.to_box(means), centres * GRID.spacing_mm, atol=1e-9)


@given(random_masks(), fine_regions())
def test_voxels_that_reach_into_the_region_are_divided_and_others_are_one_point(
    voxels: np.ndarray, region
) -> None:
    mask = mask_from_bool(voxels)
    if region is None:
        return
    points = sampled(mask, GRID, 0.5, region)
    parts = int(np.prod([ceil(s / 0.5) for s in SPACING]))
    centres_B = (np.argwhere(mask.cropped()) + np.array(mask.lower)) * GRID.spacing_mm
    distance = np.full(mask.count, np.inf)
    if len(region.points_P):
        distance, _ = cKDTree(GRID.to_box(region.points_P)).query(centres_B)
    in_region = distance < region.reach_mm + 0.5 * np.linalg.norm(SPACING)
    assert points.near_count == parts * np.count_nonzero(in_region)
    assert len(points.points_P) - points.near_count == np.count_nonzero(~in_region)
    np.testing.assert_allclose(points.weights_mm3[points.near_count :], GRID.voxel_volume_mm3)


@given(random_masks(), STEPS)
def test_every_step_keeps_the_centre_of_mass(voxels: np.ndarray, step: float) -> None:
    mask = mask_from_bool(voxels)
    points = sampled(mask, GRID, step)
    centres = (np.argwhere(mask.cropped()) + np.array(mask.lower)) * GRID.spacing_mm
    mean_P = points.weights_mm3 @ points.points_P / points.volume_mm3
    np.testing.assert_allclose(GRID.to_box(mean_P), centres.mean(axis=0), atol=1e-9)


@given(random_masks(), STEPS, fine_regions())
def test_the_same_input_gives_the_same_points(voxels: np.ndarray, step: float, region) -> None:
    mask = mask_from_bool(voxels)
    points, repeated = sampled(mask, GRID, step, region), sampled(mask, GRID, step, region)
    assert points.points_P.tobytes() == repeated.points_P.tobytes()
    assert points.weights_mm3.tobytes() == repeated.weights_mm3.tobytes()


@given(random_masks())
def test_moving_the_patient_moves_the_points(voxels: np.ndarray) -> None:
    mask = mask_from_bool(voxels)
    unmoved = grid_of(SHAPE, SPACING)
    moved = sampled(mask, GRID, 0.5).points_P
    np.testing.assert_allclose(
        sampled(mask, unmoved, 0.5).points_P, (moved - POSE[:3, 3]) @ POSE[:3, :3], atol=1e-9
    )


def test_division_tolerates_rounding() -> None:
    grid = grid_of((1, 1, 1), (0.6, 0.9, 0.3))
    assert sampled(mask_from_bool(np.ones((1, 1, 1), bool)), grid, 0.1).near_count == 6 * 9 * 3


def test_steps_grow_until_the_number_of_points_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    mask, grid = mask_from_bool(np.ones((20, 20, 20), bool)), grid_of((20, 20, 20), (1.0, 1.0, 1.0))
    assert len(sampled(mask, grid, 0.5).points_P) == 64_000
    for max_points in (9000, 8000, 1000, 100, 2):
        monkeypatch.setattr(sampling, "MAX_POINTS", max_points)
        points = sampled(mask, grid, 0.5)
        assert len(points.points_P) <= max_points
        assert points.step_mm > 0.5
        assert points.volume_mm3 == pytest.approx(8000.0)
        np.testing.assert_allclose(points.weights_mm3 @ points.points_P / 8000.0, np.full(3, 9.5))


def test_too_many_far_voxels_are_sampled_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    mask, grid = mask_from_bool(np.ones((20, 20, 20), bool)), grid_of((20, 20, 20), (1.0, 1.0, 1.0))
    monkeypatch.setattr(sampling, "MAX_POINTS", 3000)
    points = sampled(mask, grid, 0.5, FineRegion(np.array([[10.0, 10.0, 10.0]]), 2.0))
    assert points.step_mm == 0.5
    assert points.far_step_mm >= 2.0
    assert len(points.points_P) <= 3000
    assert points.volume_mm3 == pytest.approx(8000.0)


def test_an_empty_mask_has_no_points() -> None:
    empty = MaskLayers(SHAPE).add("node", np.zeros(SHAPE, bool))
    for step in (0.5, 5.0):
        points = sampled(empty, GRID, step, FineRegion(GRID.to_patient(np.zeros((1, 3)))))
        assert points.points_P.shape == (0, 3)
        assert points.volume_mm3 == 0.0


def test_an_invalid_step_or_reach_is_refused() -> None:
    mask = mask_from_bool(np.ones(SHAPE, bool))
    with pytest.raises(RequestError, match="step"):
        sampled(mask, GRID, 0.0)
    with pytest.raises(RequestError, match="reach"):
        sampled(mask, GRID, 1.0, FineRegion(np.zeros((1, 3)), float("nan")))


def test_coarse_far_points_do_not_change_volumes() -> None:
    size, spacing = 60, 1.5
    grid = grid_of((size, size, size), (spacing,) * 3)
    mask = mask_from_bool(np.ones((size, size, size), bool))
    seed_P = np.full((1, 3), 0.5 * size * spacing + 0.21)

    def dose(p_P: np.ndarray) -> np.ndarray:
        r2 = ((p_P - seed_P) ** 2).sum(axis=1)
        return 1500.0 / np.maximum(r2, 0.01) * np.exp(-0.03 * np.sqrt(r2))

    fine, coarse = sampled(mask, grid, 0.75), sampled(mask, grid, 0.75, FineRegion(seed_P, 20.0))
    assert len(coarse.points_P) < len(fine.points_P) / 3
    for level in (0.2, 1.0, 2.0, 20.0, 100.0):
        fine_mm3, coarse_mm3 = (s.weights_mm3[dose(s.points_P) >= level].sum() for s in (fine, coarse))
        assert coarse_mm3 == pytest.approx(fine_mm3, rel=2e-3)
