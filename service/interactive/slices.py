"""Slices: the contents of the two slices that contain a needle, pixel by pixel, for GUIs to draw.

row 0   ......              pixel (row, column) = first + pixel_mm (column right + row down)
        ..oooo              numbers name structures; the CT and a plan's dose lie on the same pixels
row n   ....oo
"""

import base64
import functools
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int, UInt16

from anatomy.scene import Scene
from anatomy.structures import Role, Structure
from planner.dose.dose_grid import DoseAt
from planner.dose.plan_dose import plan_dose
from planner.measuring.crossings import by_layer
from service.pictures.oblique_slice import Slice, along_needle
from service.schemas.json.strict import NotJson, Refused
from service.schemas.plan.file import read_plan, unreadable

BODY = "body"
"""Name of everything inside the skin on slices."""

FRONT_TO_BACK = (Role.TARGET, Role.FORBIDDEN, Role.LUNG, Role.PASSABLE, Role.OUTSIDE)

BEYOND = np.iinfo(np.uint16).max
"""Label of pixels outside the field of view, where anything may be."""

NO_CT = np.iinfo(np.int16).min
"""Value of CT pixels outside the field of view."""

DECIMALS = 6
"""Decimals of unit vectors and millimetres in JSON."""


def sliced(
    scene: Scene,
    entry_mm: Float[np.ndarray, "3"],
    tip_mm: Float[np.ndarray, "3"],
    half_mm: float,
    pixel_mm: float,
    dose: DoseAt | None,
) -> dict[str, Any]:
    """The slices through a needle as JSON values, `half_mm` around its middle; with the dose, where there is
    one. [mm, P]"""
    along_P = (tip_mm - entry_mm) / np.linalg.norm(tip_mm - entry_mm)
    planes = along_needle(0.5 * (entry_mm + tip_mm), along_P, half_mm)
    structures = _shown(scene)
    return {
        "structures": [{"structure": s.name, "role": s.role} for s in structures],
        "slices": [
            {"name": name} | _pixels(plane, pixel_mm, scene, structures, dose)
            for name, plane in zip(("nearest_axial", "across"), planes, strict=True)
        ],
    }


def _pixels(
    plane: Slice, pixel_mm: float, scene: Scene, structures: list[Structure], dose: DoseAt | None
) -> dict[str, Any]:
    # Images start at the top row.
    where_P = plane.pixels_P(pixel_mm)[::-1]
    rows, columns = where_P.shape[:2]
    index, inside = _voxels(where_P, scene)
    return {
        "first_mm": _numbers(where_P[0, 0]),
        "right": _numbers(plane.u_P),
        "down": _numbers(-plane.v_P),
        "pixel_mm": 2.0 * plane.half_mm / columns,
        "rows": rows,
        "columns": columns,
        "edges": plane.letters(),
        "labels": _base64(_labels(index, inside, structures)),
        "ct_hu": None if scene.ct_hu is None else _base64(_ct(index, inside, scene.ct_hu)),
        "dose_gy": None
        if dose is None
        else _base64(dose(where_P.reshape(-1, 3)).reshape(rows, columns).astype("<f4")),
    }


def _shown(scene: Scene) -> list[Structure]:
    """What can be seen, from back to front: the body first, the target last."""
    order = {role: -n for n, role in enumerate(FRONT_TO_BACK)}
    structures = [s for s in scene.structures if s.role in order]
    structures.sort(key=lambda s: order[s.role or Role.PASSABLE])
    return [Structure(BODY, scene.body, Role.SKIN), *structures]


def _voxels(
    where_P: Float[np.ndarray, "rows columns 3"], scene: Scene
) -> tuple[Int[np.ndarray, "3 rows columns"], Bool[np.ndarray, "rows columns"]]:
    """The voxel that contains each pixel's centre, and whether there is one."""
    grid = scene.grid
    index = np.rint(np.moveaxis(grid.to_box(where_P) / grid.spacing_mm, -1, 0)).astype(np.int64)
    last = np.array(grid.shape)[:, None, None] - 1
    inside = np.asarray(((index >= 0) & (index <= last)).all(axis=0))
    return index.clip(0, last), inside


def _labels(
    index: Int[np.ndarray, "3 rows columns"],
    inside: Bool[np.ndarray, "rows columns"],
    structures: list[Structure],
) -> UInt16[np.ndarray, "rows columns"]:
    """The number of the front structure at each pixel; BEYOND where nothing is known."""
    i, j, k = index
    labels = np.where(inside, 0, BEYOND).astype("<u2")
    layers = {id(layer.voxels): layer.voxels[i, j, k] for layer in by_layer(structures)}
    for number, structure in enumerate(structures, start=1):
        labels[inside & (layers[id(structure.mask.layer)] == structure.mask.label)] = number
    return labels


def _ct(
    index: Int[np.ndarray, "3 rows columns"], inside: Bool[np.ndarray, "rows columns"], hu: np.ndarray
) -> np.ndarray:
    i, j, k = index
    # The lowest value is reserved for NO_CT.
    return np.where(inside, hu[i, j, k].clip(NO_CT + 1, np.iinfo(np.int16).max), NO_CT).astype("<i2")


@functools.lru_cache(maxsize=4)
def dose_of(text: bytes) -> DoseAt | None:
    """The dose of a plan's seeds; None for a plan without dose. Raises UnreadablePlanFile."""
    try:
        plan = read_plan(text).plan
    except (NotJson, Refused) as error:
        raise unreadable(text, error) from None
    return None if plan.dose is None else plan_dose(plan)


def _numbers(p: Float[np.ndarray, "3"]) -> list[float]:
    return list((p.round(DECIMALS) + 0.0).tolist())


def _base64(values: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(values).tobytes()).decode()
