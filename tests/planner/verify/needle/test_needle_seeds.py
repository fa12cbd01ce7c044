"""Seeds of a path as verification sees them, where sampling would see them otherwise."""

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


def parts() -> tuple:
    """A target in three parts along a needle, 2.04 mm apart: with a margin of 1 mm, 0.04 mm of each gap lie
    beyond it, from 2.02 and from 5.08 mm behind the tip on. No seed of 4.5 mm fits before the second."""
    grid = grid_of((40, 20, 20), (VOXEL_MM, 1.0, 1.0))
    body = box_mask(grid.shape, ((3, 3, 3), (38, 17, 17)))
    node = box_mask(
        grid.shape, ((12, 9, 9), (13, 11, 11)), ((15, 9, 9), (16, 11, 11)), ((18, 9, 9), (26, 11, 11))
    )
    dose_scene = scene_of_masks(grid, {"body": (Role.SKIN, body), "node": (Role.TARGET, node)})
    request = Request(
        target=TargetRequest(margin_mm=MARGIN_MM), seeds=SeedRequest(spacing_mm=5.0, min_spacing_mm=4.5)
    )
    measured = measure(
        dose_scene, request.needle_assembly, np.array([20.0, 9.7, 9.8]), np.array([1.0, 0.0, 0.0])
    )
    assert measured is not None
    return dose_scene, request, measured


def failures(change: Callable[[Drops], Drops] = lambda drops: drops) -> list[str]:
    """Names of the checks that fail on the planner's seeds, changed."""
    made, asked, measured = parts()
    claims = Claims()
    examined = examined_axis(claims, "path", measured.entry_mm, measured.tip_mm, made, asked)
    assert examined is not None
    seeds = change(seeds_along(made, asked, measured))
    check_seeds(claims, examined, seeds, voxels_of(made.target, outer_only=False))
    return [check.name for check in claims.verification().checks if not check.passed]


def at_tip(drops: Drops) -> Drops:
    """The first seed moved to the tip, stated truly: 0.04 mm of it lie beyond the margin."""
    _, _, measured = parts()
    depth = measured.length_mm - SEED_MM / 2
    place = measured.entry_P + depth * measured.direction_P
    moved = replace(drops[0], position_mm=tuple(place.tolist()), depth_mm=depth)
    second = replace(drops[1], retraction_mm=depth - drops[1].depth_mm)
    return (moved, second, *drops[2:])


def test_a_stretch_just_beyond_the_margin_moves_the_first_seed_and_is_seen() -> None:
    made, asked, measured = parts()
    drops = seeds_along(made, asked, measured)
    first = measured.length_mm - drops[0].depth_mm - SEED_MM / 2
    assert first == pytest.approx(3 * VOXEL_MM + VOXEL_MM + MARGIN_MM + 0.04)
    assert failures() == []


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        (at_tip, "the seed is in the target with its margin"),
        (lambda drops: (drops[0],), "no seed is left out"),
        (lambda drops: drops[1:], "no seed is left out"),
        (lambda _: (), "no seed is left out"),
    ],
)
def test_a_seed_across_such_a_stretch_and_one_left_out_are_caught(change, wanted: str) -> None:
    assert wanted in failures(change)
