"""A chest of ellipsoids to draw, and how its pictures are read: pixels and their colours."""

from io import BytesIO

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.image import imread

from anatomy.geometry.frames import Grid
from anatomy.geometry.masks import mask_from_bool
from anatomy.scene import Scene, scene
from anatomy.structures import Role, Segmentation, Structure

CENTRE_P = np.array([80.0, 60.0, 60.0])


DIRECTION = np.array([0.6, 0.8, 0.0])


def ellipsoid(centre_P: np.ndarray, radii_mm: tuple[float, float, float]) -> np.ndarray:
    p = np.stack(
        np.meshgrid(*(np.arange(n) * s for n, s in zip(SHAPE, SPACING_MM, strict=True)), indexing="ij"), -1
    )
    return (((p - centre_P) / np.array(radii_mm)) ** 2).sum(-1) <= 1


def chest(ct: bool) -> Scene:
    parts = {
        "body": (ellipsoid(CENTRE_P, (74.0, 48.0, 200.0)), Role.SKIN),
        "lung_right": (ellipsoid(CENTRE_P - np.array([35.0, 0.0, 0.0]), (22.0, 30.0, 45.0)), Role.LUNG),
        "heart": (ellipsoid(CENTRE_P + np.array([30.0, 0.0, 0.0]), (18.0, 20.0, 30.0)), Role.FORBIDDEN),
        "node": (ellipsoid(CENTRE_P, (9.0, 9.0, 9.0)), Role.TARGET),
    }
    structures = tuple(Structure(name, mask_from_bool(mask), role) for name, (mask, role) in parts.items())
    hu = np.where(parts["lung_right"][0], -800, np.where(parts["body"][0], 40, -1000)).astype(np.int16)
    grid = Grid(SHAPE, np.diag([*SPACING_MM, 1.0]))
    return scene(Segmentation(grid, structures, (), ct_hu=hu if ct else None))


def pixels(figure: Figure) -> np.ndarray:
    file = BytesIO()
    figure.savefig(file, format="png")
    assert file.getvalue().startswith(b"\x89PNG\r\n")
    return imread(BytesIO(file.getvalue()))[..., :3]


def colour_at(figure: Figure, picture: np.ndarray, axes: int, on_page: np.ndarray) -> np.ndarray:
    x, y = figure.axes[axes].transData.transform(on_page)
    return picture[picture.shape[0] - 1 - int(y), int(x)]


def is_colour(colour: np.ndarray, name: str) -> bool:
    return bool(np.abs(colour - np.array(to_rgb(name))).max() < 0.02)


SHAPE, SPACING_MM = (80, 60, 40), np.array([2.0, 2.0, 3.0])
