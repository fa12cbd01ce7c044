"""Scenes made of boxes, for tests that know the truth: each structure is a box of voxels."""

from collections.abc import Mapping

import numpy as np
from scipy.spatial.transform import Rotation

from anatomy.geometry.frames import Grid
from anatomy.geometry.masks import MaskLayers
from anatomy.scene import Scene, scene
from anatomy.structures import Role, Segmentation, Structure

Box = tuple[tuple[int, int, int], tuple[int, int, int]]
"""The first voxel along each axis, and the one after the last."""


def pose_P(rotation_deg: tuple[float, float, float] = (0, 0, 0), origin=(0.0, 0.0, 0.0)) -> np.ndarray:
    """A rigid motion of P, as a 4 x 4 matrix."""
    X = np.eye(4)
    X[:3, :3] = Rotation.from_euler("xyz", rotation_deg, degrees=True).as_matrix()
    X[:3, 3] = origin
    return X


def grid_of(shape: tuple[int, int, int], spacing=(1.0, 1.0, 1.0), motion: np.ndarray | None = None) -> Grid:
    """A grid whose first voxel's centre is the origin of P, moved by `motion`."""
    X = np.diag([*spacing, 1.0])
    return Grid(shape, X if motion is None else motion @ X)


def box_mask(shape: tuple[int, int, int], *boxes: Box) -> np.ndarray:
    mask = np.zeros(shape, bool)
    for (a, b, c), (d, e, f) in boxes:
        mask[a:d, b:e, c:f] = True
    return mask


def scene_of_masks(grid: Grid, masks: Mapping[str, tuple[Role, np.ndarray]]) -> Scene:
    """A scene of the named masks, each with its role. Overlapping masks get layers of their own."""
    layers = MaskLayers(grid.shape)
    structures = tuple(Structure(name, layers.add(name, mask), role) for name, (role, mask) in masks.items())
    return scene(Segmentation(grid, structures, ()))


CHEST_SHAPE = (60, 50, 40)
CHEST_SPACING = (2.0, 2.0, 3.0)
CHEST: dict[str, tuple[Role, Box]] = {
    "body": (Role.SKIN, ((10, 8, 0), (50, 42, 40))),
    "lung_upper_lobe_right": (Role.LUNG, ((12, 14, 20), (28, 36, 38))),
    "lung_lower_lobe_right": (Role.LUNG, ((12, 14, 4), (28, 36, 20))),
    "heart": (Role.FORBIDDEN, ((32, 16, 4), (46, 30, 20))),
    "vertebrae": (Role.FORBIDDEN, ((28, 34, 0), (34, 42, 40))),
    "node": (Role.TARGET, ((24, 22, 22), (32, 28, 28))),
}
"""A chest of boxes: 120 x 100 x 120 mm, i to the left, j posterior, k cranial. The node reaches into lung."""


def chest(motion: np.ndarray | None = None, **boxes: tuple[Role, Box]) -> Scene:
    """The chest of boxes, with further boxes, moved as a whole."""
    grid = grid_of(CHEST_SHAPE, CHEST_SPACING, motion)
    parts = {**CHEST, **boxes}
    return scene_of_masks(
        grid, {name: (role, box_mask(CHEST_SHAPE, box)) for name, (role, box) in parts.items()}
    )


def at_voxel(grid: Grid, *index: float) -> np.ndarray:
    """The position of a (fractional) voxel index in P. [mm]"""
    return grid.to_patient(np.array(index) * grid.spacing_mm)


def sampled_distance(grid: Grid, mask: np.ndarray, start: np.ndarray, end: np.ndarray, n: int = 400) -> float:
    """Least distance from n points of the segment, clipped to the grid's box, to any voxel's box. [mm]"""
    points = np.clip(start + np.linspace(0, 1, n)[:, None] * (end - start), grid.lower_B, grid.upper_B)
    centres = np.argwhere(mask) * grid.spacing_mm
    offset_mm = np.maximum(0, np.abs(points[:, None, :] - centres) - grid.spacing_mm / 2)
    return float(np.linalg.norm(offset_mm, axis=2).min(initial=np.inf))
