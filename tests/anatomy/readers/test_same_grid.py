"""The message on different grids contains different numbers."""

from pathlib import Path

import numpy as np
import pytest
from case_files import NAMES, OBLIQUE, body_labels, write_names, write_nifti
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from anatomy.errors import FrameMismatch
from anatomy.geometry.frames import Grid
from anatomy.readers.read import read
from anatomy.readers.same_grid import refuse_other_grid

SHAPE = (512, 512, 300)
OTHER = Grid(SHAPE, OBLIQUE)


def message_on(grid: Grid) -> str:
    with pytest.raises(FrameMismatch, match="it is on another grid than labels") as error:
        refuse_other_grid("t.nii", grid, "labels", OTHER)
    return error.value.value.removeprefix("it is on another grid than labels: ")


def test_the_largest_difference_is_stated_with_different_numbers() -> None:
    assert message_on(Grid((512, 511, 300), OBLIQUE)) == "512 x 511 x 300 voxels, not 512 x 512 x 300"
    finer = OBLIQUE @ np.diag([1.0, 1.0, 1 + 2e-5, 1.0])
    assert message_on(Grid(SHAPE, finer)).endswith("mm away (spacing 0.8, 0.9, 5.0001, not 0.8, 0.9, 5 mm)")
    shifted = OBLIQUE.copy()
    shifted[2, 3] += 0.02
    assert message_on(Grid(SHAPE, shifted)) == (
        "the same voxel is up to 0.02 mm away (LPS origin -12, 34, 560.02, not -12, 34, 560 mm)"
    )
    rotated = OBLIQUE.copy()
    rotated[:3, :3] = Rotation.from_euler("x", 0.01, degrees=True).as_matrix() @ OBLIQUE[:3, :3]
    assert message_on(Grid(SHAPE, rotated)).endswith("(axes rotated by 0.01 degrees)")


@given(st.integers(0, 2), st.integers(0, 3), st.sampled_from([1e-4, -1e-4, 3e-5, 1e-2, 1.0]))
def test_different_grids_are_never_printed_with_equal_numbers(row: int, column: int, change: float) -> None:
    """Includes differences of 1e-4 or less, which four digits do not show."""
    X = OBLIQUE.copy()
    X[row, column] += change * (1 if column < 3 else 1000)
    try:
        grid = Grid(SHAPE, X)
    except ValueError:
        return  # sheared: no grid
    if grid.same_as(OTHER):
        refuse_other_grid("t.nii", grid, "labels", OTHER)
        return
    text = message_on(grid)
    if "rotated by" not in text:
        numbers, _, others = text.rpartition(" (")[2].partition(", not ")
        assert not numbers.endswith(others.removesuffix(" mm)"))


def test_targets_and_masks_have_the_same_message(tmp_path: Path) -> None:
    mask = (body_labels() == 3).astype(np.uint8)
    # 0.01 mm is float32 rounding; a spacing larger by 5e-3 mm moves the last slice by 0.035 mm.
    other_affine = OBLIQUE @ np.diag([1.0, 1.0, 1.001, 1.0])
    labels = write_nifti(tmp_path / "labels.nii.gz", body_labels())
    names = write_names(tmp_path / "labels.json", NAMES)
    pattern = r"the same voxel is up to 0\.035 mm away \(spacing 0\.8, 0\.9, 5\.005, not 0\.8, 0\.9, 5 mm\)"
    with pytest.raises(FrameMismatch, match=rf"t\.nii\.gz: .*than the input: {pattern}"):
        read(labels, names=names, targets=[write_nifti(tmp_path / "t.nii.gz", mask, other_affine)])
    masks = tmp_path / "masks"
    masks.mkdir()
    write_nifti(masks / "a.nii.gz", mask)
    write_nifti(masks / "b.nii.gz", mask, other_affine)
    with pytest.raises(FrameMismatch, match=rf"b\.nii\.gz: .*than a\.nii\.gz: {pattern}"):
        read(masks)
