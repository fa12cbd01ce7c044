"""Clearance: compared with sampled distances to every box, and properties of any scene."""

import numpy as np
import pytest
from box_scenes import box_mask, grid_of, sampled_distance
from hypothesis import given, settings
from hypothesis import strategies as st

from anatomy.geometry.frames import Grid
from anatomy.geometry.masks import mask_from_bool
from anatomy.structures import Role, Structure
from planner.measuring.clearance import FIRST_REACH_MM, Obstacles

SHAPE = (14, 12, 10)


def obstacles(grid: Grid, **masks: np.ndarray) -> Obstacles:
    structures = (Structure(name, mask_from_bool(mask), Role.FORBIDDEN) for name, mask in masks.items())
    return Obstacles(structures, grid)


def random_case(seed: int):
    rng = np.random.default_rng(seed)
    grid = grid_of(SHAPE, tuple(rng.uniform(0.7, 4.0, 3)))
    mask = rng.random(SHAPE) < rng.choice([0.002, 0.01, 0.1])
    padding = 0.6 * (grid.upper_B - grid.lower_B)
    start, end = (rng.uniform(grid.lower_B - padding, grid.upper_B + padding) for _ in range(2))
    return rng, grid, mask, start, end


seeds = st.integers(0, 100_000)


@given(seeds)
def test_nearest_is_the_least_over_all_boxes(seed):
    _, grid, mask, start, end = random_case(seed)
    distance, name = obstacles(grid, organ=mask).nearest(start, end, 500.0)
    sampled_mm = sampled_distance(grid, mask, start, end)
    # A clamped needle is not longer than the needle, so samples miss the minimum by at most half a step.
    step = np.linalg.norm(end - start) / 399
    assert sampled_mm - step / 2 - 1e-9 <= distance <= sampled_mm + 1e-9 or (sampled_mm == np.inf == distance)
    assert name == ("organ" if mask.any() else "")


@given(seeds)
@settings(max_examples=30)
def test_the_nearest_of_several_is_named(seed):
    rng, grid, mask, start, end = random_case(seed)
    names = rng.integers(0, 3, SHAPE)
    parts = {f"organ_{n}": mask & (names == n) for n in range(3)}
    filled = {name: part for name, part in parts.items() if part.any()}
    nearest = obstacles(grid, **filled).nearest(start, end, 500.0)
    distances = {
        name: obstacles(grid, **{name: part}).nearest(start, end, 500.0)[0] for name, part in filled.items()
    }
    assert nearest[0] == min(distances.values(), default=np.inf)
    if filled:
        assert distances[nearest[1]] == nearest[0]


@given(seeds)
@settings(max_examples=30)
def test_another_obstacle_never_gains_clearance(seed):
    rng, grid, mask, start, end = random_case(seed)
    distance_mm = obstacles(grid, organ=mask).nearest(start, end, 500.0)[0]
    distance_with_other_mm = obstacles(grid, organ=mask, other=rng.random(SHAPE) < 0.01).nearest(
        start, end, 500.0
    )[0]
    assert distance_with_other_mm <= distance_mm


@given(seeds, st.floats(0.5, 30))
@settings(max_examples=30)
def test_the_reach_only_cuts_off(seed, reach):
    _, grid, mask, start, end = random_case(seed)
    organ = obstacles(grid, organ=mask)
    unlimited = organ.nearest(start, end, 500.0)
    assert organ.nearest(start, end, reach) == (unlimited if unlimited[0] <= reach else (np.inf, ""))


@pytest.mark.interpreted
@pytest.mark.parametrize("gap", [0, 1, int(FIRST_REACH_MM), int(FIRST_REACH_MM) + 1, 25, 60])
def test_a_wall_beside_the_needle_has_its_exact_distance(gap):
    grid = grid_of((80, 20, 20))
    mask = box_mask(grid.shape, ((10 + gap, 0, 0), (80, 20, 20)))
    start, end = np.array([9.5, 10.0, 0.0]), np.array([9.5, 10.0, 19.0])
    assert obstacles(grid, wall=mask).nearest(start, end, 100.0) == (pytest.approx(gap), "wall")


@pytest.mark.interpreted
def test_beyond_the_field_of_view_the_edge_goes_on():
    grid = grid_of((20, 20, 20))
    mask = box_mask(grid.shape, ((0, 5, 19), (20, 10, 20)))
    # 300 mm above the grid, over a row of voxels 4 mm beside the one at the grid's top.
    start, end = np.array([3.0, 13.5, 300.0]), np.array([15.0, 13.5, 320.0])
    assert obstacles(grid, bone=mask).nearest(start, end, 100.0) == (pytest.approx(4.0), "bone")


@pytest.mark.interpreted
def test_equal_distances_go_to_the_first_name():
    grid = grid_of((20, 20, 20))
    left, right = (
        box_mask(grid.shape, ((5, 0, 0), (6, 20, 20))),
        box_mask(grid.shape, ((15, 0, 0), (16, 20, 20))),
    )
    start, end = np.array([10.0, 3.0, 3.0]), np.array([10.0, 15.0, 12.0])
    for first, second in ((left, right), (right, left)):
        assert obstacles(grid, vein=first, aorta=second).nearest(start, end, 50.0) == (
            pytest.approx(4.5),
            "aorta",
        )


def test_overlapping_structures_of_one_label_share_it():
    grid = grid_of((8, 8, 8))
    mask = mask_from_bool(box_mask(grid.shape, ((0, 0, 0), (1, 8, 8))))
    obstacles = Obstacles([Structure("b", mask, Role.FORBIDDEN), Structure("a", mask, Role.FORBIDDEN)], grid)
    assert obstacles.nearest(np.array([4.0, 0, 0]), np.array([4.0, 7, 7]), 50.0) == (pytest.approx(3.5), "a")


def test_labels_above_the_table_are_harmless():
    grid = grid_of((8, 8, 8))
    layer = np.full(grid.shape, 70_000, np.uint32)
    layer[0] = 3
    organ = Structure("organ", mask_from_bool(layer == 3), Role.FORBIDDEN)
    wide = Structure("organ", type(organ.mask)(layer, 3, (0, 0, 0), (1, 8, 8)), Role.FORBIDDEN)
    assert Obstacles([wide], grid).nearest(np.array([4.0, 0, 0]), np.array([4.0, 7, 7]), 50.0)[0] == 3.5


def test_without_obstacles_the_distance_is_infinite():
    assert Obstacles([], grid_of((4, 4, 4))).nearest(np.zeros(3), np.ones(3), 100.0) == (np.inf, "")
