"""The screen: a tile's value holds for all points nearest to its nodes, and no thin wall is missed."""

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


def patient_with_wall(voxel: int) -> Patient:
    """A wall of 3 mm across the body behind a node that ends at x = 7.5; the axis needs 3.135 mm from it."""
    return cell_patient(
        body=((1, 1, 1), (12, 6, 6)),
        nodes=(((1, 2, 2), (3, 5, 5)),),
        bones=(((voxel, 0, 0), (voxel + 1, 7, 7)),),
        spacing=3.0,
        shape=(14, 7, 7),
        clearance=2.5,
    )


def tiles_at(patient: Patient, points: np.ndarray) -> np.ndarray:
    """The tiles of the nodes nearest to the points."""
    node = np.floor((points - patient.fields.lower) / patient.fields.obstacle_step + 0.5).astype(int)
    return patient.fields.screen[tuple((node // TILE).T)]


@given(obstacle=st.sampled_from(["wall", "bones", "nothing"]), seed=st.integers(0, 10_000))
@settings(max_examples=20)
def test_a_tiles_value_holds_for_every_point_nearest_to_its_nodes(obstacle, seed):
    bones = scattered_voxels(12, 1) if obstacle == "bones" else ()
    patient = patient_with_wall(6) if obstacle == "wall" else cell_patient(bones=bones)
    rng = np.random.default_rng(seed)
    points = rng.uniform(patient.fields.lower, patient.fields.upper, (200, 3))
    tile = tiles_at(patient, points).astype(float)
    margin = sampled_margins(patient, Lines(points, np.zeros((200, 3))), np.zeros((200, 1)))[:, 0]
    assert (margin[tile < 0] < 0.0).all()
    assert (margin[tile > 0] >= tile[tile > 0] / PER_MM - ROUNDING_MM).all()
    assert ((tile < 0).any(), (tile > 0).any()) == (obstacle == "wall", True)


@pytest.mark.parametrize("voxel", [4, 5, 6, 7, 8])
def test_a_thin_wall_is_never_missed_at_any_position(voxel):
    """Also between the positions that are checked first."""
    patient = patient_with_wall(voxel)
    y, z = (n.ravel() for n in np.meshgrid(np.arange(5.0, 14.0, 2.0), np.arange(5.0, 14.0, 2.0)))
    straight = Lines(np.column_stack([0.0 * y, y, z]), np.tile([1.0, 0.0, 0.0], (len(y), 1)))
    verdict, _ = line.test_lines(patient.fields, straight.point, straight.outward)
    assert (verdict == verdicts.BLOCKED).all()
    assert Oracle(patient.chest).judge(straight).reasons[:, verdicts.BLOCKED].all()
