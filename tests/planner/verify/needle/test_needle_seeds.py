"""Seeds of a path as verification computes them, where sampling would give another result."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from box_scenes import box_mask, grid_of, scene_of_masks
from measured_paths import seeds_along

from anatomy.structures import Role
from planner.measuring.measure import measure
from planner.records.paths import SeedDrop
from planner.records.request.request import Request
from planner.records.request.seeds import SeedRequest
from planner.records.request.target import TargetRequest
from planner.verify.claims import Claims
from planner.verify.geometry.voxels import voxels_of
from planner.verify.needle.examined_axis import examined_axis
from planner.verify.needle.seeds import check_seeds

VOXEL_MM, MARGIN_MM, SEED_MM = 1.02, 1.0, 4.5

Drops = tuple[SeedDrop, ...]


def scene_with_target_parts() -> tuple:
    """A target in three parts along a needle, 2.04 mm apart. With a margin of 1 mm, 0.04 mm of each gap lie
    outside, starting 2.02 and 5.08 mm behind the tip. No seed of 4.5 mm fits before the second gap."""
    grid = grid_of((40, 20, 20), (VOXEL_MM, 1.0, 1.0))
    body = box_mask(grid.shape, ((3, 3, 3), (38, 17, 17)))
    node = box_mask(
        grid.shape, ((12, 9, 9), (13, 11, 11)), ((15, 9, 9), (16, 11, 11)), ((18, 9, 9), (26, 11, 11))
    )
    scene = scene_of_masks(grid, {"body": (Role.SKIN, body), "node": (Role.TARGET, node)})
    request = Request(
        target=TargetRequest(margin_mm=MARGIN_MM), seeds=SeedRequest(spacing_mm=5.0, min_spacing_mm=4.5)
    )
    measured = measure(scene, request.needle_assembly, np.array([20.0, 9.7, 9.8]), np.array([1.0, 0.0, 0.0]))
    assert measured is not None
    return scene, request, measured


def failures(change: Callable[[Drops], Drops] = lambda drops: drops) -> list[str]:
    """Names of the checks that fail on the planner's seeds, changed."""
    scene, request, measured = scene_with_target_parts()
    claims = Claims()
    examined = examined_axis(claims, "path", measured.entry_mm, measured.tip_mm, scene, request)
    assert examined is not None
    seeds = change(seeds_along(scene, request, measured))
    check_seeds(claims, examined, seeds, voxels_of(scene.target, outer_only=False))
    return [check.name for check in claims.verification().checks if not check.passed]


def with_first_seed_at_tip(drops: Drops) -> Drops:
    """The first seed moved to the tip, with correct numbers: 0.04 mm of it lie beyond the margin."""
    _, _, measured = scene_with_target_parts()
    depth = measured.length_mm - SEED_MM / 2
    position_mm = measured.entry_P + depth * measured.direction_P
    moved = replace(drops[0], position_mm=tuple(position_mm.tolist()), depth_mm=depth)
    second = replace(drops[1], retraction_mm=depth - drops[1].depth_mm)
    return (moved, second, *drops[2:])


def test_a_short_stretch_beyond_the_margin_moves_the_first_seed() -> None:
    scene, request, measured = scene_with_target_parts()
    drops = seeds_along(scene, request, measured)
    distance_mm = measured.length_mm - drops[0].depth_mm - SEED_MM / 2
    assert distance_mm == pytest.approx(3 * VOXEL_MM + VOXEL_MM + MARGIN_MM + 0.04)
    assert failures() == []


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (with_first_seed_at_tip, "the seed is in the target with its margin"),
        (lambda drops: (drops[0],), "no seed is left out"),
        (lambda drops: drops[1:], "no seed is left out"),
        (lambda _: (), "no seed is left out"),
    ],
)
def test_a_seed_across_a_short_stretch_and_a_missing_seed_are_caught(change, expected: str) -> None:
    assert expected in failures(change)
