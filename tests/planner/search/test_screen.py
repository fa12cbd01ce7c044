"""The screen: what a tile says is true of all points nearest to its nodes, and no thin wall is overseen."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from search_oracle import Oracle
from single_cells import Patient, cell_patient, sampled_margins, scattered_voxels
from small_chests import Lines

from planner.search.kernels import line, verdicts
from planner.search.kernels.screen import PER_MM, ROUNDING_MM, TILE

pytestmark = pytest.mark.interpreted


def walled(voxel: int) -> Patient:
    """Behind a node that ends at x = 7.5, a wall of 3 mm across the body, which needs 3.135 mm."""
    return cell_patient(
        body=((1, 1, 1), (12, 6, 6)),
        nodes=(((1, 2, 2), (3, 5, 5)),),
        bones=(((voxel, 0, 0), (voxel + 1, 7, 7)),),
        spacing=3.0,
        shape=(14, 7, 7),
        clearance=2.5,
    )


def tiles_at(one: Patient, points: np.ndarray) -> np.ndarray:
    """The tiles of the nodes nearest to the points."""
    node = np.floor((points - one.fields.lower) / one.fields.obstacle_step + 0.5).astype(int)
    return one.fields.screen[tuple((node // TILE).T)]


@given(which=st.sampled_from(["wall", "bones", "nothing"]), seed=st.integers(0, 10_000))
@settings(max_examples=20)
def test_a_tile_tells_the_truth_of_every_point_nearest_to_its_nodes(which, seed):
    bones = scattered_voxels(12, 1) if which == "bones" else ()
    one = walled(6) if which == "wall" else cell_patient(bones=bones)
    rng = np.random.default_rng(seed)
    points = rng.uniform(one.fields.lower, one.fields.upper, (200, 3))
    tile = tiles_at(one, points).astype(float)
    margin = sampled_margins(one, Lines(points, np.zeros((200, 3))), np.zeros((200, 1)))[:, 0]
    assert (margin[tile < 0] < 0.0).all()
    assert (margin[tile > 0] >= tile[tile > 0] / PER_MM - ROUNDING_MM).all()
    assert ((tile < 0).any(), (tile > 0).any()) == (which == "wall", True)


@pytest.mark.parametrize("voxel", [4, 5, 6, 7, 8])
def test_a_thin_wall_is_never_overseen_wherever_it_stands(voxel):
    """Between the places looked at first, too."""
    one = walled(voxel)
    y, z = (n.ravel() for n in np.meshgrid(np.arange(5.0, 14.0, 2.0), np.arange(5.0, 14.0, 2.0)))
    straight = Lines(np.column_stack([0.0 * y, y, z]), np.tile([1.0, 0.0, 0.0], (len(y), 1)))
    verdict, _ = line.test_lines(one.fields, straight.point, straight.outward)
    assert (verdict == verdicts.BLOCKED).all()
    assert Oracle(one.chest).judge(straight).reasons[:, verdicts.BLOCKED].all()
