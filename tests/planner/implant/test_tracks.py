"""Each track of a pool can be measured: it is a path whose tip lies at the distal edge of the PTV.

skin |        | ptv | skin     Lines come from the search in float32, so a tip on the far skin may lie
     |========o     |          a micrometre outside the body.
     |==============o
"""

from dataclasses import replace

import numpy as np
import pytest
from ball_plans import ball_scene, changed_request
from box_scenes import box_mask, grid_of, pose_P, scene_of_masks

from anatomy.geometry.masks import VoxelMask, mask_from_bool
from anatomy.scene import Scene
from anatomy.structures import Role
from planner.dose.ptv import ptv_of
from planner.implant.needles.track_pool import pools
from planner.implant.needles.tracks import Tracks, tracks_of
from planner.measuring.measure import Measurer
from planner.plan import plan
from planner.records.paths import Aim
from planner.records.progress import always
from planner.records.request.needle import Needle
from planner.records.request.needle_set import Arrangement, NeedleSetRequest
from planner.records.request.request import Request
from planner.records.request.search import SearchRequest
from planner.records.request.target import TargetRequest
from planner.search.kernels.line import LENGTH, QUANTITIES, TIP
from planner.search.scene_fields import search_fields
from planner.search.search import SafeLines

SHAPE, SPACING = (14, 27, 34), (5.0, 2.4, 1.5)
BODY = ((2, 3, 4), (12, 24, 30))
NODE = ((10, 11, 15), (11, 14, 19))
SEED_MM = 4.5


def shallow_scene() -> Scene:
    """A body of 50 x 50 x 39 mm of thick voxels, oblique in P, with a node one voxel below the skin."""
    grid = grid_of(SHAPE, SPACING, pose_P((12.0, -7.0, 20.0), (30.0, -50.0, 10.0)))
    return scene_of_masks(
        grid,
        {"body": (Role.SKIN, box_mask(SHAPE, BODY)), "node": (Role.TARGET, box_mask(SHAPE, NODE))},
    )


def request_to_the_skin(arrangement: Arrangement = Arrangement.FREE) -> Request:
    """A request with a PTV that reaches the skin, and needles long enough to cross the body."""
    return changed_request(
        target=TargetRequest(("node",), margin_mm=6.0),
        needle=Needle(max_length_mm=90.0),
        search=SearchRequest(covering_radius_mm=8.0, max_paths=1),
        needle_set=NeedleSetRequest(arrangement=arrangement),
    )


def pools_of(scene: Scene, request: Request) -> list[Tracks]:
    return pools(scene, request, (), search_fields(scene, request), ptv_of(scene, request.target), always)


@pytest.mark.parametrize("arrangement", list(Arrangement))
def test_every_track_can_be_measured_and_has_the_measured_length(arrangement):
    scene, request = shallow_scene(), request_to_the_skin(arrangement)
    measurer, grid = Measurer(scene, request.needle_assembly), scene.grid
    track_pools = pools_of(scene, request)
    assert track_pools and all(map(len, track_pools))
    for pool in track_pools:
        for tip_B, outward_B, length in zip(pool.tip_B, pool.outward_B, pool.length_mm, strict=True):
            tip_P, outward_P = grid.to_patient(tip_B), grid.vectors_to_patient(outward_B)
            measured = measurer.measure_from(tip_P, outward_P)
            assert measured is not None and measured.length_mm == length
            assert measured == measurer.measure_to(tip_P, outward_P, length)


@pytest.mark.long
def test_a_set_of_needles_to_the_far_skin_is_planned():
    planned = plan(shallow_scene(), request_to_the_skin()).plan
    assert planned.verification is not None and planned.verification.passed
    assert any(path.aim is Aim.PTV for path in planned.paths)


def lines_along(outward: int, points_B: np.ndarray, tip_off_mm: float) -> SafeLines:
    """Lines along an axis with their tips stated `tip_off_mm` from their points."""
    quantities = np.zeros((len(points_B), QUANTITIES), np.float32)
    quantities[:, TIP], quantities[:, LENGTH] = tip_off_mm, 30.0
    direction = np.zeros(3)
    direction[abs(outward) - 1] = np.sign(outward)
    return SafeLines(points_B, np.tile(direction, (len(points_B), 1)), quantities)


def tracks_along(scene: Scene, request: Request, lines: SafeLines, target: VoxelMask) -> Tracks:
    return tracks_of(lines, target, target, Measurer(scene, request.needle_assembly), scene.grid, SEED_MM)


@pytest.mark.parametrize("off_mm", [1e-6, 0.0, -1e-6])
def test_a_tip_on_the_far_skin_stays_there_for_any_rounding_of_its_line(off_mm):
    """From the skin at i = 7.5 mm to the far skin at 57.5 mm, where the PTV ends, and in the other direction
    to the PTV's other end."""
    scene, request = shallow_scene(), request_to_the_skin()
    ptv = ptv_of(scene, request.target)
    for outward, tip_mm, length in ((-1, 57.5, 50.0), (1, 42.5, 15.0)):
        lines = lines_along(outward, np.array([[tip_mm, 30.0, 25.5], [tip_mm, 30.0, 0.0]]), off_mm)
        tracks = tracks_along(scene, request, lines, ptv)
        # The second line misses the PTV.
        assert len(tracks) == 1
        assert tracks.tip_B[0] == pytest.approx([tip_mm, 30.0, 25.5], abs=1e-9)
        assert tracks.length_mm[0] == pytest.approx(length, abs=1e-9)
        ((first, last),) = tracks.spans[0]
        assert (first, last) == pytest.approx((SEED_MM / 2, 15.0 - SEED_MM / 2), abs=1e-6)


def test_a_line_longer_than_the_needle_is_no_track():
    scene, request = shallow_scene(), request_to_the_skin()
    ptv = ptv_of(scene, request.target)
    lines = lines_along(-1, np.array([[57.5, 30.0, 25.5]]), 0.0)
    for max_length_mm, count in ((50.001, 1), (49.999, 0)):
        shorter = replace(request, needle=replace(request.needle, max_length_mm=max_length_mm))
        assert len(tracks_along(scene, shorter, lines, ptv)) == count


def test_a_line_without_room_for_a_seed_is_no_track():
    """Along i, a seed of 4.5 mm fits in a ball of 14 mm and not in a voxel of 2 mm."""
    scene, request = ball_scene(), changed_request()
    middle = tuple((np.array(scene.target.lower) + scene.target.upper) // 2)
    one_voxel = np.zeros(scene.grid.shape, bool)
    one_voxel[middle] = True
    lines = lines_along(-1, np.array([middle]) * scene.grid.spacing_mm, 0.0)
    assert len(tracks_along(scene, request, lines, scene.target)) == 1
    assert len(tracks_along(scene, request, lines, mask_from_bool(one_voxel))) == 0
