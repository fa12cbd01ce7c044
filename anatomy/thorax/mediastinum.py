"""Mediastinum: heart, great vessels, airway, oesophagus, internal mammary vessels.

Vessels and airway are tubes of constant radius about a smooth line. The source of each diameter is next to
it; positions are schematic and follow from what touches what: the arch passes over the left main bronchus,
the right pulmonary artery behind the ascending aorta and the superior vena cava, the azygos vein over the
right main bronchus, the oesophagus between trachea and spine.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from anatomy.thorax.cage import SIDES, sternal_half_width_mm
from anatomy.thorax.outlines import cavity
from anatomy.thorax.parameters import Chest
from anatomy.thorax.solids.curves import smooth
from anatomy.thorax.solids.primitives import Ellipsoid, Tube
from anatomy.thorax.solids.solid import Difference, Solid, Union

Line = tuple[tuple[float, float, float], ...]

TUBES: dict[str, tuple[float, Line]] = {
    # Ascending 33 +- 4 and descending 24 +- 3 mm (Wolak 2008, 10.1016/j.jcmg.2007.11.005).
    "aorta_ascending": (
        16.5,
        ((2.0, -21.0, -58.0), (-4.0, -26.0, -42.0), (-7.0, -29.0, -20.0), (-6.0, -29.0, -2.0)),
    ),
    "aorta_arch": (
        13.5,
        (
            (-5.0, -27.0, 2.0),
            (0.0, -21.0, 14.0),
            (12.0, -11.0, 20.0),
            (24.0, 4.0, 20.0),
            (30.0, 18.0, 14.0),
            (31.0, 28.0, 2.0),
        ),
    ),
    "aorta": (
        12.0,
        (
            (31.0, 30.0, -2.0),
            (30.0, 34.0, -40.0),
            (27.0, 35.0, -80.0),
            (22.0, 32.0, -120.0),
            (16.0, 26.0, -160.0),
            (10.0, 18.0, -200.0),
            (8.0, 14.0, -225.0),
        ),
    ),
    # Main pulmonary artery 25.1 +- 2.8 mm (Truong 2012, 10.1161/CIRCIMAGING.111.968610).
    "pulmonary_trunk": (
        12.5,
        ((27.0, -48.0, -56.0), (30.0, -36.0, -40.0), (30.0, -20.0, -24.0), (28.0, -10.0, -16.0)),
    ),
    # Right 16.6 +- 2.8 and left 17.3 +- 2.5 mm in men (10.1186/s12968-016-0230-9).
    "pulmonary_artery_right": (
        8.5,
        ((22.0, -5.0, -17.0), (0.0, -1.0, -20.0), (-24.0, 1.0, -23.0), (-46.0, 6.0, -30.0)),
    ),
    "pulmonary_artery_left": (
        9.0,
        ((30.0, -4.0, -14.0), (42.0, 10.0, -13.0), (52.0, 22.0, -22.0), (56.0, 28.0, -36.0)),
    ),
    "superior_vena_cava": (
        9.0,
        ((-31.0, -16.0, 40.0), (-31.0, -16.0, 0.0), (-28.0, -16.0, -45.0), (-26.0, -16.0, -58.0)),
    ),
    "inferior_vena_cava": (11.0, ((-20.0, -4.0, -100.0), (-22.0, 4.0, -130.0), (-22.0, 8.0, -225.0))),
    "azygos_vein": (
        3.5,
        (
            (-6.0, 20.0, -225.0),
            (-6.0, 27.0, -195.0),
            (-6.0, 38.0, -140.0),
            (-6.0, 40.0, -90.0),
            (-6.0, 39.0, -40.0),
            (-10.0, 36.0, -14.0),
            (-21.0, 29.0, 0.0),
            (-27.0, 14.0, 3.0),
            (-30.0, -2.0, 0.0),
            (-31.0, -12.0, -2.0),
        ),
    ),
    "brachiocephalic_vein_right": (
        6.0,
        ((-31.0, -16.0, 40.0), (-33.0, -14.0, 58.0), (-42.0, -8.0, 78.0), (-46.0, -6.0, 110.0)),
    ),
    "brachiocephalic_vein_left": (
        6.0,
        (
            (-30.0, -17.0, 38.0),
            (-8.0, -33.0, 45.0),
            (18.0, -34.0, 56.0),
            (38.0, -20.0, 72.0),
            (44.0, -10.0, 110.0),
        ),
    ),
    "brachiocephalic_trunk": (
        5.5,
        ((2.0, -16.0, 28.0), (-10.0, -14.0, 48.0), (-20.0, -10.0, 68.0), (-26.0, -8.0, 110.0)),
    ),
    "common_carotid_artery_left": (3.5, ((14.0, -4.0, 28.0), (16.0, -8.0, 55.0), (22.0, -10.0, 110.0))),
    "subclavian_artery_left": (
        4.5,
        ((24.0, 8.0, 26.0), (27.0, 8.0, 50.0), (34.0, 2.0, 78.0), (44.0, 2.0, 110.0)),
    ),
    # Trachea 18 mm: men 13 to 25 mm coronal, 13 to 27 mm sagittal (Breatnach 1984, 10.2214/ajr.142.5.903).
    "trachea": (9.0, ((0.0, -17.0, 110.0), (0.0, -7.0, 75.0), (-1.0, 3.0, 40.0), (-2.0, 13.0, 6.0))),
    "main_bronchus_right": (
        6.5,
        ((-4.0, 15.0, 0.0), (-16.0, 18.0, -16.0), (-27.0, 21.0, -34.0), (-34.0, 23.0, -48.0)),
    ),
    "main_bronchus_left": (
        6.0,
        ((0.0, 15.0, 0.0), (16.0, 15.0, -13.0), (34.0, 12.0, -29.0), (48.0, 14.0, -42.0)),
    ),
    "esophagus": (
        6.5,
        (
            (3.0, 0.0, 110.0),
            (3.0, 10.0, 75.0),
            (4.0, 21.0, 40.0),
            (4.0, 30.0, 8.0),
            (4.0, 34.0, -25.0),
            (4.0, 33.0, -70.0),
            (5.0, 26.0, -100.0),
            (9.0, 10.0, -140.0),
            (16.0, 2.0, -170.0),
            (26.0, -4.0, -190.0),
        ),
    ),
}
"""Radius and centreline of each tube, in the reference chest. [mm]"""

# Superior and inferior pulmonary veins of both sides, from the left atrium. [mm]
_PULMONARY_VEINS: tuple[Line, ...] = (
    ((-18.0, 4.0, -52.0), (-34.0, -2.0, -46.0), (-50.0, -8.0, -38.0)),
    ((-18.0, 8.0, -62.0), (-34.0, 18.0, -68.0), (-52.0, 26.0, -72.0)),
    ((24.0, 2.0, -50.0), (38.0, -8.0, -42.0), (52.0, -14.0, -32.0)),
    ((24.0, 8.0, -62.0), (40.0, 14.0, -66.0), (56.0, 24.0, -72.0)),
)
_PULMONARY_VEIN_RADIUS_MM = 5.0

MAMMARY_ARTERY_MM, MAMMARY_VEIN_MM = 15.7, 10.3
"""Lateral of the sternal edge: artery 1.57, vein 1.03 cm (AJR 1990;155:397)."""

MAMMARY_RADIUS_MM = 2.0
"""A vessel of about 1 mm with its sheath; thick enough to stay connected on voxels of 2.5 mm. Schematic."""


_INTO_HEART = (
    "aorta_ascending",
    "pulmonary_trunk",
    "superior_vena_cava",
    "inferior_vena_cava",
    "pulmonary_vein",
)


def _axes(long_axis: tuple[float, float, float]) -> Float[np.ndarray, "3 3"]:
    """A rotation whose first column is the given direction."""
    first = np.array(long_axis) / np.linalg.norm(long_axis)
    second = np.cross([0.0, 0.0, 1.0], first)
    second /= np.linalg.norm(second)
    return np.stack([first, second, np.cross(first, second)], axis=1)


def _heart(chest: Chest, vessels: Sequence[Solid]) -> Difference:
    """Ventricles, right atrium and left atrium as three ellipsoids, up to where the great vessels begin."""
    c = chest.calibre
    ventricles, right_atrium, left_atrium = chest.points(
        (26.0, -28.0, -96.0), (-22.0, -16.0, -82.0), (3.0, 3.0, -62.0)
    )
    chambers = Union(
        [
            Ellipsoid(ventricles, np.array([66.0, 42.0, 38.0]) * c, _axes((0.80, -0.42, -0.42))),
            Ellipsoid(right_atrium, np.array([26.0, 28.0, 34.0]) * c),
            Ellipsoid(left_atrium, np.array([28.0, 17.0, 19.0]) * c),
        ]
    )
    return Difference(chambers, vessels)


def _internal_mammary(chest: Chest, sign: float) -> Union:
    """Artery and vein behind the costal cartilages, straight down next to the body of the sternum."""
    edge = sternal_half_width_mm(chest, -40.0 * chest.z)
    z = np.linspace(34.0, -100.0, 12) * chest.z
    cx, cy, a, b = cavity(chest).section(z).T
    exponent = cavity(chest).exponent
    lines = []
    for lateral in (MAMMARY_ARTERY_MM, MAMMARY_VEIN_MM):
        x = edge + lateral * chest.calibre
        y = cy - b * (1.0 - np.abs((x - cx) / a) ** exponent) ** (1.0 / exponent)
        lines.append(np.stack([np.full(12, sign * x), y, z], axis=1))
    return Union([Tube(line, MAMMARY_RADIUS_MM * chest.calibre) for line in lines])


def mediastinum(chest: Chest) -> dict[str, Solid]:
    """All organs between the lungs, and the internal mammary vessels on the chest wall."""
    c = chest.calibre
    solids: dict[str, Solid] = {}
    for name, (radius, line) in TUBES.items():
        solids[name] = Tube(smooth(chest.points(*line)), radius * c)
    solids["pulmonary_vein"] = Union(
        [Tube(smooth(chest.points(*line)), _PULMONARY_VEIN_RADIUS_MM * c) for line in _PULMONARY_VEINS]
    )
    solids["heart"] = _heart(chest, [solids[name] for name in _INTO_HEART])
    for side, sign in SIDES.items():
        solids[f"internal_mammary_vessels_{side}"] = _internal_mammary(chest, sign)
    return solids
