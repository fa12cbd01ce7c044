"""A shell-shaped skin is accepted if filling closes it, and refused if it stays open."""

import numpy as np
import pytest
from box_scenes import grid_of
from scipy import ndimage

from anatomy.errors import StructureError
from anatomy.geometry.masks import MaskLayers
from anatomy.scene import Scene, scene
from anatomy.structures import Segmentation, Structure

SHAPE = (80, 60, 30)
X, Y, Z = np.indices(SHAPE)


def trunk(half_width: float) -> np.ndarray:
    return np.asarray(((X - 40) / half_width) ** 2 + ((Y - 30) / 24) ** 2 <= 1)


def shell_of(body: np.ndarray) -> np.ndarray:
    return body & ~ndimage.binary_erosion(body, np.ones((3, 3, 1)), border_value=1)


def scene_with(**masks: np.ndarray) -> Scene:
    organs = {
        "lung_left": ((X - 54) / 10) ** 2 + ((Y - 30) / 14) ** 2 <= 1,
        "lung_right": ((X - 26) / 10) ** 2 + ((Y - 30) / 14) ** 2 <= 1,
        "heart": (abs(X - 40) < 5) & (abs(Y - 22) < 5) & (abs(Z - 10) < 6),
        "node_4R": (abs(X - 40) < 3) & (abs(Y - 30) < 3) & (abs(Z - 20) < 3),
    }
    layers = MaskLayers(SHAPE)
    parts = tuple(Structure(n, layers.add(n, m)) for n, m in {**organs, **masks}.items())
    return scene(Segmentation(grid_of(SHAPE, (4.0, 4.0, 4.0)), parts, ()))


def test_a_closed_shell_is_the_body_that_it_encloses() -> None:
    assert np.array_equal(
        scene_with(skin=shell_of(trunk(34))).body.cropped(), scene_with(body=trunk(34)).body.cropped()
    )


def test_a_shell_that_the_field_of_view_opens_is_refused() -> None:
    with pytest.raises(StructureError, match="it is an open shell in 100 % of its slices"):
        scene_with(skin=shell_of(trunk(50)))


def test_a_body_cut_by_the_field_of_view_is_accepted() -> None:
    assert scene_with(body=trunk(50)).body.count == np.count_nonzero(trunk(50))


def test_a_body_without_its_lungs_is_accepted() -> None:
    """In a label map, the body contains only voxels without another label."""
    lungs = (((X - 54) / 10) ** 2 + ((Y - 30) / 14) ** 2 <= 1) | (
        ((X - 26) / 10) ** 2 + ((Y - 30) / 14) ** 2 <= 1
    )
    assert scene_with(body=trunk(34) & ~lungs).body.count == np.count_nonzero(trunk(34))


def test_organs_with_little_of_the_drawn_body_are_no_body() -> None:
    arms = (abs(abs(X - 40) - 34) < 5) & (Y < 40) & (Z < 12)
    lungs = {"lung_left": trunk(20) & (X >= 40), "lung_right": trunk(20) & (X < 40)}
    node = (abs(X - 6) < 2) & (abs(Y - 6) < 2) & (abs(Z - 6) < 2)
    with pytest.raises(StructureError, match=r"its largest part, .* holds 0 % of what was drawn as body"):
        scene_with(body=arms, node_4R=node, **lungs)
