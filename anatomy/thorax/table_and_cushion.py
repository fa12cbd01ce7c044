"""Table and cushion: under the patient, on the side to which gravity points.

supine, from the feet      .---------.
                        | (  patient  ) |
                        |. '---------' .|       cushion: encloses back and flanks
                         '-------------'
                    =========================   table
"""

import numpy as np
from jaxtyping import Float

from anatomy.patient.pose import Position, gravity_P
from anatomy.thorax.solids.loft import Loft
from anatomy.thorax.solids.primitives import Block, HalfSpace
from anatomy.thorax.solids.solid import Difference, Intersection, Solid

TABLE_WIDTH_MM, TABLE_THICKNESS_MM = 530.0, 65.0
CUSHION_GAP_MM, CUSHION_MM = 2.0, 16.0
"""Cloth between skin and cushion, and the cushion's thickness. Schematic."""

CUSHION_HUG_MM = 95.0
"""Height of the cushion at the sides, from the lowest point of the skin."""


def lowest_mm(body: Loft, gravity: Float[np.ndarray, "3"]) -> float:
    """How far the skin extends along gravity, which is along an axis of P. [mm]"""
    axis = int(np.argmax(np.abs(gravity)))
    bounds = body.bounds_P
    return float(bounds[1, axis] if gravity[axis] > 0 else -bounds[0, axis])


def support(body: Loft, position: Position) -> dict[str, Solid]:
    """Table and cushion; both continue beyond the field of view along z."""
    gravity = gravity_P(position, 0.0).round()
    lowest = lowest_mm(body, gravity)
    top = lowest + CUSHION_GAP_MM + CUSHION_MM
    along = int(np.argmax(np.abs(gravity)))
    across = 1 - along
    lower, upper = np.full(3, -np.inf), np.full(3, np.inf)
    lower[across], upper[across] = -TABLE_WIDTH_MM / 2, TABLE_WIDTH_MM / 2
    faces = sorted((float(gravity[along] * top), float(gravity[along] * (top + TABLE_THICKNESS_MM))))
    lower[along], upper[along] = faces
    cushion = Difference(
        Intersection(
            [
                body.grown(CUSHION_GAP_MM + CUSHION_MM),
                HalfSpace(-gravity, -(lowest - CUSHION_HUG_MM)),
                HalfSpace(gravity, top, open_face=True),
            ]
        ),
        [body.grown(CUSHION_GAP_MM)],
    )
    return {"table": Block(lower, upper), "cushion": cushion}
