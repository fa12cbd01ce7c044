"""Outlines: the inner face of the rib cage, the skin, and the line of the spine.

Ribs, sternum and lungs follow the cavity's outline; vertebrae, cord, aorta and oesophagus follow the spine.
Sizes are schematic, those of an adult at deep inspiration with raised arms.
"""

import numpy as np
from jaxtyping import Float
from scipy.interpolate import PchipInterpolator

from anatomy.thorax.parameters import Chest
from anatomy.thorax.solids.loft import Loft
from anatomy.thorax.solids.solid import Union

CAVITY_EXPONENT, SKIN_EXPONENT = 2.3, 2.4

# Rows: z, half width, anterior y, posterior y. [mm]
_CAVITY = (
    (95.0, 48.0, -26.0, 46.0),
    (70.0, 62.0, -34.0, 60.0),
    (50.0, 78.0, -47.0, 71.0),
    (25.0, 97.0, -61.0, 82.0),
    (0.0, 112.0, -73.0, 90.0),
    (-50.0, 128.0, -88.0, 97.0),
    (-100.0, 135.0, -95.0, 98.0),
    (-150.0, 137.0, -94.0, 95.0),
    (-200.0, 133.0, -88.0, 89.0),
)
_SKIN = (
    (95.0, 152.0, -46.0, 96.0),
    (60.0, 178.0, -74.0, 114.0),
    (20.0, 190.0, -95.0, 126.0),
    (-30.0, 188.0, -110.0, 131.0),
    (-80.0, 181.0, -117.0, 129.0),
    (-140.0, 174.0, -117.0, 127.0),
    (-200.0, 170.0, -113.0, 121.0),
)
# Anterior face of the vertebral bodies: thoracic kyphosis. Rows: z, y. [mm]
_SPINE = (
    (-230.0, 26.0),
    (-200.0, 33.0),
    (-150.0, 41.0),
    (-100.0, 45.0),
    (-50.0, 45.0),
    (0.0, 40.0),
    (30.0, 33.0),
    (60.0, 24.0),
    (100.0, 10.0),
)


def cavity(chest: Chest) -> Loft:
    """Everything inside the inner face of the rib cage."""
    return Loft(chest.sections(*_CAVITY), CAVITY_EXPONENT)


def skin(chest: Chest) -> Loft:
    """Everything inside the skin; it continues beyond the field of view, as neck and abdomen do."""
    return Loft(chest.sections(*_SKIN), SKIN_EXPONENT)


def spine_front_mm(chest: Chest, z: Float[np.ndarray, "m"]) -> Float[np.ndarray, "m"]:
    """The y of the anterior face of the vertebral column at each z. [mm]"""
    at, y = np.array(_SPINE).T
    return np.asarray(PchipInterpolator(at * chest.z, y * chest.y)(z))


def paraspinal(chest: Chest) -> Union:
    """The vertebral column, and behind it its joints with the ribs, which lung and liver do not reach."""
    z = np.linspace(-230.0, 110.0, 18) * chest.z
    front = spine_front_mm(chest, np.clip(z, -230 * chest.z, 100 * chest.z))
    c = chest.calibre
    width = np.interp(z, [-200 * chest.z, 80 * chest.z], [23.0 * c, 17.0 * c])
    column = np.stack([z, 0 * z, front + 27 * c, width, np.full_like(z, 30 * c)], axis=1)
    joints = np.stack([z, 0 * z, front + 54 * c, width + 22 * c, np.full_like(z, 34 * c)], axis=1)
    return Union([Loft(column, exponent=3.0), Loft(joints)])


def prevertebral(chest: Chest) -> Loft:
    """Fat around oesophagus, aorta and azygos vein, which separates the two lungs in front of the spine."""
    z = np.linspace(-230.0, 110.0, 18) * chest.z
    front = spine_front_mm(chest, np.clip(z, -230 * chest.z, 100 * chest.z))
    one = np.ones_like(z)
    rows = [z, 8 * chest.x * one, front - 12 * chest.y, 20 * chest.x * one, 24 * chest.y * one]
    return Loft(np.stack(rows, axis=1))
