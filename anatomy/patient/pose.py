"""Pose: how the patient lies, and what around them a needle, its hub and its guide must avoid.

    supine, seen from the feet        gravity points from the patient to the table

              anterior                    position        gravity in P
            .---------.                   supine          +y (posterior)
      R    |   chest   |   L              prone           -y (anterior)
            '---------'                   left_lateral    +x (left side down)
       ===== table =====                  right_lateral   -x (right side down)
              gravity
                v             rotation_deg rolls the patient further, left side down

The cushion fixes the patient, so the pose is an input of the plan, not a result.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from jaxtyping import Float


class Position(StrEnum):
    """Which side of the patient is down."""

    SUPINE = "supine"
    PRONE = "prone"
    LEFT_LATERAL = "left_lateral"
    RIGHT_LATERAL = "right_lateral"


_GRAVITY_P = {
    Position.SUPINE: (0.0, 1.0, 0.0),
    Position.PRONE: (0.0, -1.0, 0.0),
    Position.LEFT_LATERAL: (1.0, 0.0, 0.0),
    Position.RIGHT_LATERAL: (-1.0, 0.0, 0.0),
}


def gravity_P(position: Position, rotation_deg: float) -> Float[np.ndarray, "3"]:
    """Unit vector of gravity in P for a patient in this position.

    `rotation_deg` rolls the patient about the long axis, positive with the left side going down:
    supine with 90 degrees is left lateral.
    """
    x, y, z = _GRAVITY_P[position]
    turn = np.deg2rad(rotation_deg)
    c, s = np.cos(turn), np.sin(turn)
    return np.array([c * x + s * y, -s * x + c * y, z])


@dataclass(frozen=True, eq=False)
class TableHalfSpace:
    """Points p with normal_P . p <= offset_mm are free; beyond lies the table."""

    normal_P: Float[np.ndarray, "3"]
    offset_mm: float

    def distance_mm(self, p_P: Float[np.ndarray, "*batch 3"]) -> np.ndarray:
        """Signed distance to the table's plane, positive on the free side. [mm]"""
        return np.asarray(self.offset_mm - p_P @ self.normal_P)


@dataclass(frozen=True, eq=False)
class Bore:
    """The gantry's opening: a circular cylinder about `axis_P` through `centre_P`."""

    centre_P: Float[np.ndarray, "3"]
    axis_P: Float[np.ndarray, "3"]
    radius_mm: float

    def distance_mm(self, p_P: Float[np.ndarray, "*batch 3"]) -> np.ndarray:
        """Signed distance to the bore's wall, positive inside the opening. [mm]"""
        from_centre = p_P - self.centre_P
        along = from_centre @ self.axis_P
        across = from_centre - np.multiply.outer(along, self.axis_P)
        return np.asarray(self.radius_mm - np.linalg.norm(across, axis=-1))


@dataclass(frozen=True, eq=False)
class Pose:
    """How the patient lies, with the table and the bore. `table` is None if the table is a segmented
    structure."""

    position: Position
    rotation_deg: float
    table: TableHalfSpace | None
    bore: Bore


def derived_table(body_points_P: Float[np.ndarray, "n 3"], gravity: Float[np.ndarray, "3"]) -> TableHalfSpace:
    """The plane that supports the body: perpendicular to gravity, through the lowest of `body_points_P` (n,
    3)."""
    return TableHalfSpace(gravity, float((body_points_P @ gravity).max()))
