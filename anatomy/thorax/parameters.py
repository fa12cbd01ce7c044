"""Parameters: what can be varied in the built-in thorax, and the frame in which its parts are defined.

All parts are defined in one reference chest, in P: origin in the midline at the carina, z = 0 at the disc
between T4 and T5. `Chest` maps points of that chest to the requested one.
"""

import hashlib
import json
from dataclasses import asdict, dataclass

import numpy as np
from jaxtyping import Float

from anatomy.errors import AnatomyError
from anatomy.patient.pose import Position

MODEL = 1
"""Part of every digest: increased whenever the same parameters give another anatomy."""

REFERENCE_WIDTH_MM, REFERENCE_DEPTH_MM, REFERENCE_LENGTH_MM = 380.0, 246.0, 274.0
"""The reference chest: skin to skin at its widest and deepest, and top of T1 to bottom of T12. Schematic."""


@dataclass(frozen=True)
class ThoraxParameters:
    """Sizes of the chest and of its targets. [mm]

    Width and depth are skin to skin, length is from the top of T1 to the bottom of T12. Diameters of nodes
    are the long (craniocaudal) ones; the lesion is a ball. `position` determines the side of table and
    cushion; the organs do not move with it. The constructor raises AnatomyError for a value out of range.
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
        """Digest, in hex, of everything that the voxels depend on, as canonical JSON."""
        content = {
            "model": MODEL,
            "parameters": asdict(self),
            "spacing_mm": list(spacing_mm),
            "R_PB": R_PB.tolist(),
        }
        text = json.dumps(content, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


CHEST_LIMITS_MM = {
    "chest_width_mm": (310.0, 460.0),
    "chest_depth_mm": (200.0, 300.0),
    "chest_length_mm": (225.0, 330.0),
}
"""About a fifth smaller and larger than the reference chest. [U]"""

NODE_LIMITS_MM = {
    "node_3A_mm": 26.0,
    "node_4R_mm": 26.0,
    "node_5_mm": 18.0,
    "node_7_mm": 24.0,
    "lesion_mm": 40.0,
}
"""The largest that fit between the vessels of the reference chest; they scale with its calibres. [C]"""

MIN_TARGET_MM = 4.0
"""Nothing smaller is seen or treated as a node. [U]"""


def _refuse_outside(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise AnatomyError(f"thorax/{name}", f"{value} mm", f"Give {low:g} to {high:.1f} mm.")


@dataclass(frozen=True)
class Chest:
    """Maps the reference chest to another size.

    Positions scale along x, y and z. Calibres (radii of vessels, airway, bones) scale by the smallest of the
    three factors, so that structures that are separate in the reference chest stay separate.
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
    """The chest with these parameters."""
    return Chest(
        parameters.chest_width_mm / REFERENCE_WIDTH_MM,
        parameters.chest_depth_mm / REFERENCE_DEPTH_MM,
        parameters.chest_length_mm / REFERENCE_LENGTH_MM,
    )
