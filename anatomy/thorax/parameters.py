"""Parameters: what may be varied about the built-in thorax, and the frame its parts are drawn in.

All parts are drawn in one reference chest, in P: origin in the midline at the carina, z = 0 at the disc
between T4 and T5. `Chest` carries points of that chest into the one asked for.
"""

import hashlib
import json
from dataclasses import asdict, dataclass

import numpy as np
from jaxtyping import Float

from anatomy.errors import AnatomyError
from anatomy.patient.pose import Position

MODEL = 1
"""Enters every digest: raised whenever the same parameters give another anatomy."""

REFERENCE_WIDTH_MM, REFERENCE_DEPTH_MM, REFERENCE_LENGTH_MM = 380.0, 246.0, 274.0
"""The reference chest: skin to skin at its widest and deepest, and top of T1 to bottom of T12. Schematic."""


@dataclass(frozen=True)
class ThoraxParameters:
    """Sizes of the chest and of what is treated in it. [mm]

    Width and depth are skin to skin, length is from the top of T1 to the bottom of T12. Diameters of nodes
    are the long (craniocaudal) ones; the lesion is a ball. `position` says on which side table and cushion
    lie; the organs do not move with it. The constructor raises AnatomyError for a value out of range.
    """

    chest_width_mm: float = REFERENCE_WIDTH_MM
    chest_depth_mm: float = REFERENCE_DEPTH_MM
    chest_length_mm: float = REFERENCE_LENGTH_MM
    node_3A_mm: float = 22.0
    node_4R_mm: float = 22.0
    node_5_mm: float = 15.0
    node_7_mm: float = 20.0
    lesion_mm: float = 22.0
    position: Position = Position.SUPINE

    def __post_init__(self) -> None:
        for name, (low, high) in CHEST_LIMITS_MM.items():
            _refuse_outside(name, getattr(self, name), low, high)
        calibre = chest(self).calibre
        for name, high in NODE_LIMITS_MM.items():
            _refuse_outside(name, getattr(self, name), MIN_TARGET_MM, high * calibre)

    def sha256(self, spacing_mm: tuple[float, float, float], R_PB: Float[np.ndarray, "3 3"]) -> str:
        """Digest in hex of everything the voxels depend on, as canonical JSON."""
        told = {
            "model": MODEL,
            "parameters": asdict(self),
            "spacing_mm": list(spacing_mm),
            "R_PB": R_PB.tolist(),
        }
        text = json.dumps(told, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


CHEST_LIMITS_MM = {
    "chest_width_mm": (310.0, 460.0),
    "chest_depth_mm": (200.0, 300.0),
    "chest_length_mm": (225.0, 330.0),
}
"""About a fifth to either side of the reference chest. [U]"""

NODE_LIMITS_MM = {
    "node_3A_mm": 26.0,
    "node_4R_mm": 26.0,
    "node_5_mm": 18.0,
    "node_7_mm": 24.0,
    "lesion_mm": 40.0,
}
"""The largest that fit between the vessels of the reference chest; they scale with its calibres. [C]"""

MIN_TARGET_MM = 4.0
"""Smaller than this nothing is seen, or treated, as a node. [U]"""


def _refuse_outside(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise AnatomyError(f"thorax/{name}", f"{value} mm", f"Give {low:g} to {high:.1f} mm.")


@dataclass(frozen=True)
class Chest:
    """Carries the reference chest into another size.

    Places stretch along x, y and z. Calibres (radii of vessels, airway, bones) follow the least of the
    three, so that what is apart in the reference chest stays apart.
    """

    x: float
    y: float
    z: float

    @property
    def calibre(self) -> float:
        """Factor on radii."""
        return min(self.x, self.y, self.z)

    def points(self, *reference: tuple[float, float, float]) -> Float[np.ndarray, "m 3"]:
        """Points of the reference chest, in this chest. (m, 3) [mm]"""
        return np.asarray(np.array(reference, dtype=float) * np.array([self.x, self.y, self.z]))

    def sections(self, *reference: tuple[float, float, float, float]) -> Float[np.ndarray, "m 5"]:
        """Rows (z, half width, anterior y, posterior y) as knots (z, cx, cy, a, b) of a Loft about the
        midline. [mm]"""
        z, half, front, back = np.array(reference, dtype=float).T
        rows = np.stack(
            [z * self.z, 0 * z, (front + back) / 2 * self.y, half * self.x, (back - front) / 2 * self.y], 1
        )
        return np.asarray(rows[np.argsort(rows[:, 0])])


def chest(parameters: ThoraxParameters) -> Chest:
    """The chest that the parameters ask for."""
    return Chest(
        parameters.chest_width_mm / REFERENCE_WIDTH_MM,
        parameters.chest_depth_mm / REFERENCE_DEPTH_MM,
        parameters.chest_length_mm / REFERENCE_LENGTH_MM,
    )
