"""Rib cage: ribs, costal cartilages, sternum, clavicles and scapulae, along the cavity's outline.

A rib leaves its vertebra, passes under the transverse process, and follows the outline forwards and
downwards; cartilage continues it to the sternum (1 to 7) or to the cartilage above (8 to 10).
"""

import itertools
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from anatomy.thorax.outlines import cavity, spine_front_mm
from anatomy.thorax.parameters import Chest
from anatomy.thorax.solids.band import band
from anatomy.thorax.solids.curves import smooth
from anatomy.thorax.solids.loft import Loft
from anatomy.thorax.solids.primitives import Plate, Tube
from anatomy.thorax.solids.solid import Solid, Union
from anatomy.thorax.spine import levels, transverse_tip_P

SIDES = {"left": 1.0, "right": -1.0}

RIB_THICKNESS_MM, RIB_HEIGHT_MM = 7.0, 11.0
CARTILAGE_THICKNESS_MM, CARTILAGE_HEIGHT_MM = 7.0, 9.0
OFF_CAVITY_MM = 5.5
"""From the cavity's outline to a rib's centreline."""

NECK_REACH_MM = 58.0
"""At this distance from the midline, every rib coming from the spine lies outside the cavity's outline."""

ANGLE_START_DEG = 20.0
"""Angle, from the posterior midline, at which ribs meet the cavity's outline."""


@dataclass(frozen=True)
class RibEnd:
    """Where a rib's bone ends: its angle on the outline from the posterior midline, and its height."""

    angle_deg: float
    z_mm: float


RIB_ENDS = {
    1: RibEnd(146.0, 28.0),
    2: RibEnd(146.0, -2.0),
    3: RibEnd(146.0, -28.0),
    4: RibEnd(145.0, -54.0),
    5: RibEnd(144.0, -80.0),
    6: RibEnd(139.0, -108.0),
    7: RibEnd(132.0, -136.0),
    8: RibEnd(124.0, -160.0),
    9: RibEnd(114.0, -180.0),
    10: RibEnd(103.0, -200.0),
    11: RibEnd(78.0, -206.0),
    12: RibEnd(52.0, -206.0),
}
STERNAL_Z_MM = {1: 27.0, 2: 0.0, 3: -22.0, 4: -44.0, 5: -63.0, 6: -79.0, 7: -92.0}
"""Heights at which cartilages 1 to 7 meet the sternum; the second at the sternal angle, z = 0."""

# Rows: z, half width. Manubrium, body, xiphoid. [mm]
_STERNUM = (
    (-120.0, 5.0),
    (-102.0, 9.0),
    (-92.0, 17.0),
    (-70.0, 19.0),
    (-30.0, 17.0),
    (-2.0, 16.0),
    (14.0, 21.0),
    (28.0, 27.0),
    (40.0, 29.0),
)
STERNUM_THICKNESS_MM = 11.0


def sternal_half_width_mm(chest: Chest, z_mm: float) -> float:
    """Half the sternum's width at a height. [mm]"""
    z, half = np.array(_STERNUM).T
    return float(np.interp(z_mm, z * chest.z, half * chest.calibre))


def _outline(chest: Chest, angle_deg: np.ndarray, z: np.ndarray, side: float, off_mm: float) -> np.ndarray:
    points = cavity(chest).rim(np.deg2rad(angle_deg), z, off_mm * chest.calibre)
    return np.asarray(points * np.array([side, 1.0, 1.0]))


def rib_line(chest: Chest, number: int, side: float) -> Float[np.ndarray, "n 3"]:
    """Centreline of a rib, from its head to the end of the bone; `side` is 1.0 left, -1.0 right. [mm]"""
    level = levels(chest)[f"T{number}"]
    c = chest.calibre
    head_z = level.middle_mm if number in (11, 12) else level.top_mm - 2 * c
    front = float(spine_front_mm(chest, np.array([head_z]))[0])
    head = np.array([side * (level.half_width_mm + 3.5 * c), front + 0.85 * level.depth_mm, head_z])
    tubercle = transverse_tip_P(chest, level, side) + np.array([side * 4, -10, 0]) * c
    tubercle[2] = head_z - 3 * c
    end = RIB_ENDS[number]
    share = np.linspace(0.0, 1.0, 24)
    angle = ANGLE_START_DEG + share * (end.angle_deg - ANGLE_START_DEG)
    z = head_z - 6 * c + share * (end.z_mm * chest.z - (head_z - 6 * c))
    arc = _outline(chest, angle, z, side, OFF_CAVITY_MM)
    return smooth(np.concatenate([[head, tubercle], arc[np.abs(arc[:, 0]) > abs(tubercle[0]) + 6 * c]]))


def rib_necks(chest: Chest) -> list[Solid]:
    """The posterior part of each rib: everything that lies inside the cavity's outline."""
    c = chest.calibre
    necks: list[Solid] = []
    for number, sign in itertools.product(RIB_ENDS, SIDES.values()):
        line = rib_line(chest, number, sign)
        behind = int(np.argmax(np.abs(line[:, 0]) > NECK_REACH_MM * chest.x)) + 1
        necks.append(band(line[:behind], RIB_THICKNESS_MM * c, RIB_HEIGHT_MM * c))
    return necks


def _cartilage_line(chest: Chest, number: int, side: float) -> np.ndarray:
    end = RIB_ENDS[number]
    start_z = end.z_mm * chest.z
    if number in STERNAL_Z_MM:
        goal_z = STERNAL_Z_MM[number] * chest.z
        goal_x = sternal_half_width_mm(chest, goal_z) + (CARTILAGE_THICKNESS_MM / 2 + 1.0) * chest.calibre
        goal_deg = _angle_at(chest, goal_x, goal_z)
    else:
        # A false rib's cartilage joins the one above, a little in front of that rib's end.
        above = RIB_ENDS[number - 1]
        goal_deg, goal_z = above.angle_deg + 4.0, (above.z_mm + 1.0) * chest.z
    share = np.linspace(0.0, 1.0, 10)
    # Cartilages first continue the rib and then rise: the height follows the power 1.5 of the way.
    z = start_z + share**1.5 * (goal_z - start_z)
    return _outline(chest, end.angle_deg + share * (goal_deg - end.angle_deg), z, side, OFF_CAVITY_MM + 1.0)


def _angle_at(chest: Chest, x_mm: float, z_mm: float) -> float:
    """Angle on the anterior outline at which it is `x_mm` from the midline."""
    angles = np.linspace(90.0, 180.0, 721)
    x = _outline(chest, angles, np.full(721, z_mm), 1.0, OFF_CAVITY_MM + 1.0)[:, 0]
    return float(angles[np.argmin(np.abs(x - x_mm))])


def _sternum(chest: Chest) -> Loft:
    thick = STERNUM_THICKNESS_MM / 2 * chest.calibre
    inner = cavity(chest)
    rows = []
    for z, half in _STERNUM:
        _, cy, _, b = inner.section(np.array(z * chest.z))
        rows.append([z * chest.z, 0.0, cy - b - 2.5 * chest.calibre - thick, half * chest.calibre, thick])
    return Loft(
        np.array(rows), exponent=4.0, z_range_mm=(_STERNUM[0][0] * chest.z, _STERNUM[-1][0] * chest.z)
    )


_CLAVICLE = (
    (27.0, -67.0, 49.0),
    (52.0, -66.0, 54.0),
    (88.0, -42.0, 68.0),
    (122.0, -14.0, 76.0),
    (142.0, 8.0, 78.0),
)
_SCAPULA = ((78.0, 98.0, 46.0), (146.0, 52.0, 44.0), (112.0, 97.0, -70.0))
_SCAPULAR_SPINE = ((80.0, 100.0, 30.0), (112.0, 88.0, 44.0), (150.0, 52.0, 60.0))


def cage(chest: Chest) -> dict[str, Solid]:
    """Ribs 1 to 12, cartilages, clavicle and scapula of both sides, and the sternum."""
    c = chest.calibre
    solids: dict[str, Solid] = {}
    mirror = {side: np.array([sign, 1.0, 1.0]) for side, sign in SIDES.items()}
    for side, sign in SIDES.items():
        for number in RIB_ENDS:
            line = rib_line(chest, number, sign)
            solids[f"rib_{side}_{number}"] = band(line, RIB_THICKNESS_MM * c, RIB_HEIGHT_MM * c)
    for side, sign in SIDES.items():
        lines = [_cartilage_line(chest, number, sign) for number in range(1, 11)]
        solids[f"costal_cartilage_{side}"] = Union(
            [band(line, CARTILAGE_THICKNESS_MM * c, CARTILAGE_HEIGHT_MM * c) for line in lines]
        )
    solids["sternum"] = _sternum(chest)
    for side in SIDES:
        solids[f"clavicula_{side}"] = Tube(smooth(chest.points(*_CLAVICLE) * mirror[side]), 5.5 * c)
    for side in SIDES:
        blade = Plate(chest.points(*_SCAPULA) * mirror[side], 3.5 * c)
        ridge = Tube(chest.points(*_SCAPULAR_SPINE) * mirror[side], 5.0 * c)
        solids[f"scapula_{side}"] = Union([blade, ridge])
    return solids
