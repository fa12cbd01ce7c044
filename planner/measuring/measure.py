"""Measuring: everything that a path record states about a line, from the original voxels and surfaces.

               outward
    tip o=====target=====)........lung........(....wall....| entry
        |<------------------- length ---------------------->|          depth = length - s
        s = 0

    axial angle, seen from the feet        craniocaudal angle, seen from the left

         anterior                               cranial
            | 0 deg                                | /  positive: the tip is cranial of the entry
       R ---+---> L   positive: driven             |/
            v         towards the left             +------ 0 deg: the needle in an axial plane

Both angles are those of the direction from entry to tip: a needle driven from posterior has an axial angle
near 180.
"""

from math import fsum

import numpy as np
from jaxtyping import Float

from anatomy.scene import Scene
from anatomy.structures import Role
from planner.measuring.angles import axial_angle_deg, craniocaudal_angle_deg
from planner.measuring.clearance import Obstacles
from planner.measuring.crossings import (
    SHORTEST_MM,
    NeedleAxis,
    by_layer,
    crossed_voxels,
    crossings,
    first_inside,
    mask_intervals,
)
from planner.measuring.lung_passage import passage
from planner.measuring.measured import MeasuredPath, _point
from planner.measuring.voxel_walk import runs_along
from planner.records.paths import CLEARANCE_CAP_MM
from planner.records.request.needle import NeedleAssembly


class Measurer:
    """Measures lines through one scene. Prepares what all lines share, so that each is fast."""

    def __init__(self, scene: Scene, needle: NeedleAssembly) -> None:
        grid = scene.grid
        self._scene = scene
        self._needle = needle
        self._spacing_mm = grid.spacing_mm
        self._lower_B, self._upper_B = grid.lower_B, grid.upper_B
        self._R_PB, self._origin_P = grid.R_PB, grid.origin_P
        self._place = {s.name: n for n, s in enumerate(scene.structures)}
        self._layers = by_layer(s for s in scene.structures if s.role is not Role.SKIN)
        self._obstacles = Obstacles(scene.of_role(Role.FORBIDDEN), grid)

    def measure(
        self, point_P: Float[np.ndarray, "3"], outward_P: Float[np.ndarray, "3"]
    ) -> MeasuredPath | None:
        """The path on the line through `point_P` that leaves the body along `outward_P`, measured.

        The tip is the line's first point in a target voxel. None if the line misses the target, if the skin
        is farther away than the needle's length, if the line leaves the body through the cut edge of the
        field of view, or if the needle enters the body again outside the skin. Safety is not checked.
        """
        point_B, outward_B = self._to_box(point_P, outward_P)
        tip_B = first_inside(self._scene.target, self._spacing_mm, point_B, outward_B)
        if tip_B is None:
            return None
        length = self._length_to_skin(tip_B, outward_B)
        return None if length is None else self._measured(tip_B, outward_B, length)

    def measure_from(
        self, tip_P: Float[np.ndarray, "3"], outward_P: Float[np.ndarray, "3"]
    ) -> MeasuredPath | None:
        """As `measure`, with a given tip, in the target or not."""
        length = self.length_from(tip_P, outward_P)
        return None if length is None else self.measure_to(tip_P, outward_P, length)

    def length_from(self, tip_P: Float[np.ndarray, "3"], outward_P: Float[np.ndarray, "3"]) -> float | None:
        """Length of the path from that tip; None if there is no path, as in `measure_from`. [mm]"""
        return self._length_to_skin(*self._to_box(tip_P, outward_P))

    def measure_to(
        self, tip_P: Float[np.ndarray, "3"], outward_P: Float[np.ndarray, "3"], length_mm: float
    ) -> MeasuredPath:
        """The path from that tip, measured. `length_mm` is the result of `length_from`."""
        return self._measured(*self._to_box(tip_P, outward_P), length_mm)

    def _to_box(
        self, point_P: Float[np.ndarray, "3"], outward_P: Float[np.ndarray, "3"]
    ) -> tuple[Float[np.ndarray, "3"], Float[np.ndarray, "3"]]:
        """A point and a direction, of any length, in B; the direction as a unit vector."""
        outward_B = (outward_P / np.linalg.norm(outward_P)) @ self._R_PB
        return (point_P - self._origin_P) @ self._R_PB, outward_B

    def _measured(
        self, tip_B: Float[np.ndarray, "3"], outward_B: Float[np.ndarray, "3"], length: float
    ) -> MeasuredPath:
        needle_end_B = tip_B + self._needle.length_mm * outward_B
        entry_B = tip_B + length * outward_B
        axis = NeedleAxis(entry_B, -outward_B, length)
        entry_P, tip_P = self._to_patient(entry_B), self._to_patient(tip_B)
        direction_P = self._R_PB @ axis.direction_B

        crossed = list(crossed_voxels(self._layers, self._spacing_mm, axis))
        target = mask_intervals(self._scene.target, self._spacing_mm, axis)
        # In the scene's order, which decides where lungs overlap.
        lungs = sorted((self._place[s.name], s.name, span) for s, span in crossed if s.role is Role.LUNG)
        voids = self._scene.lung_voids if len(lungs) > 1 or (lungs and target) else None
        within = [] if voids is None else mask_intervals(voids, self._spacing_mm, axis)
        lung = passage([(name, span) for _, name, span in lungs], target, within)
        clearance, nearest = self._clearance(tip_B, needle_end_B)
        return MeasuredPath(
            entry_mm=_point(entry_P),
            tip_mm=_point(tip_P),
            direction=_point(direction_P),
            length_mm=length,
            lung_length_mm=lung.length_mm,
            pleural_punctures=lung.punctures,
            fissures_crossed=lung.fissures,
            clearance_mm=clearance,
            nearest_structure=nearest,
            crosses=crossings(self._scene, crossed, entry_P, tip_P),
            axial_angle_deg=axial_angle_deg(direction_P),
            craniocaudal_angle_deg=craniocaudal_angle_deg(direction_P),
            target_chord_mm=fsum(b - a for a, b in target),
        )

    def _to_patient(self, p_B: Float[np.ndarray, "3"]) -> Float[np.ndarray, "3"]:
        return np.asarray(self._R_PB @ p_B + self._origin_P)

    def _length_to_skin(
        self, tip_B: Float[np.ndarray, "3"], outward_B: Float[np.ndarray, "3"]
    ) -> float | None:
        """Distance from the tip to where the axis leaves the body for the last time, within the needle's
        length."""
        body = self._scene.body
        max_length = self._needle.length_mm
        hub_end = max_length + self._needle.hub_length_mm
        labels, bounds = runs_along(body.layer, self._spacing_mm, tip_B, outward_B, hub_end)
        inside = labels == body.label
        if not inside[0] or inside.all():
            return None
        left_at = int(np.argmin(inside))
        length = float(bounds[left_at])
        if (
            length > max_length
            or inside[left_at:].any()
            or self._at_the_edge(tip_B + (length - SHORTEST_MM) * outward_B)
        ):
            return None
        return length

    def _at_the_edge(self, point_B: Float[np.ndarray, "3"]) -> bool:
        """Whether the point is in an outermost voxel of the field of view, or beyond it."""
        index = np.floor(point_B / self._spacing_mm + 0.5)
        return bool(((index < 1) | (index > np.array(self._scene.grid.shape) - 2)).any())

    def _clearance(self, tip_B: Float[np.ndarray, "3"], end_B: Float[np.ndarray, "3"]) -> tuple[float, str]:
        """Distance from the wall of the whole needle to the nearest forbidden structure, and the structure's
        name."""
        radius = self._needle.radius_mm
        distance, name = self._obstacles.nearest(tip_B, end_B, CLEARANCE_CAP_MM + radius)
        clearance = distance - radius
        return (clearance, name) if clearance < CLEARANCE_CAP_MM else (CLEARANCE_CAP_MM, "")


def measure(
    scene: Scene, needle: NeedleAssembly, point_P: Float[np.ndarray, "3"], outward_P: Float[np.ndarray, "3"]
) -> MeasuredPath | None:
    """One line, measured: see Measurer.measure. For many lines, use one Measurer."""
    return Measurer(scene, needle).measure(point_P, outward_P)
