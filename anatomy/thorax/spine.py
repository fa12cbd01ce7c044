"""Spine: vertebrae C7 to T12 with arch and processes, and the spinal cord.

from above          spinous process
                         |
                    .----'----.       transverse process: rib below its tip
             -------  (canal)  -------
                    '---.-.---'
                    (  body   )
                     '-------'        anterior: spine_front_mm
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from anatomy.thorax.outlines import spine_front_mm
from anatomy.thorax.parameters import Chest
from anatomy.thorax.solids.loft import Loft
from anatomy.thorax.solids.primitives import Tube
from anatomy.thorax.solids.solid import Difference, Solid, Union

CANAL_RADIUS_MM = 8.0
CORD_RADIUS_MM = 5.0
DISC_MM = 4.0

_LEVELS = ("C7", *(f"T{n}" for n in range(1, 13)))
# Height of body and disc, C7 to T12. T4's lower disc lies at z = 0. [mm]
_HEIGHTS = (18.0, 19.0, 19.5, 20.5, 21.0, 22.0, 22.5, 23.0, 23.5, 24.0, 24.5, 26.0, 28.5)
_ABOVE_CARINA = 5


@dataclass(frozen=True)
class Level:
    """One vertebra: its name, the top and bottom of its body with the disc below, and its size. [mm]"""

    name: str
    top_mm: float
    bottom_mm: float
    half_width_mm: float
    depth_mm: float

    @property
    def middle_mm(self) -> float:
        """Half way down. [mm]"""
        return (self.top_mm + self.bottom_mm) / 2


def levels(chest: Chest) -> dict[str, Level]:
    """All vertebrae, by name, from the top."""
    edges = sum(_HEIGHTS[:_ABOVE_CARINA]) - np.concatenate([[0.0], np.cumsum(_HEIGHTS)])
    half_widths = np.linspace(13.0, 19.0, len(_LEVELS)) * chest.calibre
    depths = np.linspace(18.0, 29.0, len(_LEVELS)) * chest.calibre
    rows = zip(_LEVELS, edges[:-1] * chest.z, edges[1:] * chest.z, half_widths, depths, strict=True)
    return {
        name: Level(name, float(top), float(bottom), float(half), float(depth))
        for name, top, bottom, half, depth in rows
    }


def canal_centre_mm(chest: Chest, level: Level) -> float:
    """The y of the middle of the vertebral canal. [mm]"""
    front = spine_front_mm(chest, np.array([level.middle_mm]))[0]
    return float(front) + level.depth_mm + CANAL_RADIUS_MM * chest.calibre


def transverse_tip_P(chest: Chest, level: Level, side: float) -> Float[np.ndarray, "3"]:
    """Tip of a transverse process; `side` is 1.0 left, -1.0 right. [mm]"""
    c = chest.calibre
    return np.array([side * 30 * c, canal_centre_mm(chest, level) + 9 * c, level.middle_mm + 2 * c])


def _vertebra(chest: Chest, level: Level, canal: Tube) -> Solid:
    c = chest.calibre
    y = canal_centre_mm(chest, level)
    front = float(spine_front_mm(chest, np.array([level.middle_mm]))[0])
    half_depth = level.depth_mm / 2
    body = Loft(
        np.array(
            [
                [z, 0.0, front + half_depth, level.half_width_mm * waist, half_depth * waist]
                for z, waist in (
                    (level.bottom_mm + DISC_MM * c, 1.0),
                    (level.middle_mm + DISC_MM * c / 2, 0.88),
                    (level.top_mm, 1.0),
                )
            ]
        ),
        exponent=2.4,
        z_range_mm=(level.bottom_mm + DISC_MM * c, level.top_mm),
    )
    reach = (level.bottom_mm + 8 * c, level.top_mm - 2 * c)
    arch = Loft(np.array([[z, 0.0, y, 13 * c, 13 * c] for z in reach]), z_range_mm=reach)
    spinous = np.array([[0, y + 11 * c, level.middle_mm], [0, y + 35 * c, level.middle_mm - 18 * c]])
    processes = [
        Tube(
            np.array(
                [[side * 11 * c, y + 3 * c, level.middle_mm + 2 * c], transverse_tip_P(chest, level, side)]
            ),
            4 * c,
        )
        for side in (1.0, -1.0)
    ]
    return Difference(Union([body, arch, Tube(spinous, 3.5 * c), *processes]), [canal])


def spine(chest: Chest) -> dict[str, Solid]:
    """vertebrae_C7, vertebrae_T1 to T12 and the spinal cord."""
    column = levels(chest)
    ends = [column["C7"].top_mm + 20 * chest.z, column["T12"].bottom_mm - 20 * chest.z]
    middle = [v.middle_mm for v in column.values()]
    y = [canal_centre_mm(chest, v) for v in column.values()]
    line = np.array(
        [[0.0, yy, zz] for yy, zz in zip([y[0], *y, y[-1]], [ends[0], *middle, ends[1]], strict=True)]
    )
    canal = Tube(line, CANAL_RADIUS_MM * chest.calibre)
    solids: dict[str, Solid] = {
        f"vertebrae_{name}": _vertebra(chest, level, canal) for name, level in column.items()
    }
    solids["spinal_cord"] = Tube(line, CORD_RADIUS_MM * chest.calibre)
    return solids
