"""Primitive solids: ellipsoid, capsule, tube, plate, block, half space. All in P, mm.

Capsule, Tube, Plate, Block and HalfSpace compute their exact signed distance, negative inside, so that the
clearance of a needle can be computed without voxels.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float

from anatomy.thorax.solids.solid import UNBOUNDED, Bounds, Solid, Union
from anatomy.thorax.solids.voxel_centres import Box, VoxelCentres

Point3 = Float[np.ndarray, "3"]


@dataclass(frozen=True, eq=False)
class Ellipsoid(Solid):
    """An ellipsoid. `semi_axes_mm` lie along the columns of `R_PE` (a rotation); the identity by default."""

    centre_P: Point3
    semi_axes_mm: Float[np.ndarray, "3"]
    R_PE: Float[np.ndarray, "3 3"] | None = None

    @cached_property
    def bounds_P(self) -> Bounds:
        """The tightest box. [mm]"""
        rotation = np.eye(3) if self.R_PE is None else self.R_PE
        reach = np.sqrt(((rotation * self.semi_axes_mm) ** 2).sum(axis=1))
        return np.stack([self.centre_P - reach, self.centre_P + reach])

    @property
    def volume_mm3(self) -> float:
        """4/3 pi a b c. [mm3]"""
        return float(4.0 / 3.0 * np.pi * np.prod(self.semi_axes_mm))

    def inside(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        """See Solid."""
        from_centre = (x - self.centre_P[0], y - self.centre_P[1], z - self.centre_P[2])
        if self.R_PE is None:
            along = from_centre
        else:
            u, v, w = (
                sum(c * q for c, q in zip(self.R_PE[:, n], from_centre, strict=True)) for n in range(3)
            )
            along = (u, v, w)
        a, b, c = self.semi_axes_mm
        return np.asarray((along[0] / a) ** 2 + (along[1] / b) ** 2 + (along[2] / c) ** 2 <= 1.0)

    def grown(self, by_mm: float) -> "Ellipsoid":
        """See Solid."""
        return Ellipsoid(self.centre_P, self.semi_axes_mm + by_mm, self.R_PE)


@dataclass(frozen=True, eq=False)
class Capsule(Solid):
    """All points within `radius_mm` of the segment from `start_P` to `end_P`."""

    start_P: Point3
    end_P: Point3
    radius_mm: float

    @cached_property
    def bounds_P(self) -> Bounds:
        """The tightest box. [mm]"""
        low, high = np.minimum(self.start_P, self.end_P), np.maximum(self.start_P, self.end_P)
        return np.stack([low - self.radius_mm, high + self.radius_mm])

    def _squared_mm2(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        axis = self.end_P - self.start_P
        px, py, pz = x - self.start_P[0], y - self.start_P[1], z - self.start_P[2]
        length2 = float(axis @ axis)
        if length2 == 0.0:
            return np.asarray(px**2 + py**2 + pz**2)
        t = np.clip((px * axis[0] + py * axis[1] + pz * axis[2]) / length2, 0.0, 1.0)
        return np.asarray((px - t * axis[0]) ** 2 + (py - t * axis[1]) ** 2 + (pz - t * axis[2]) ** 2)

    def inside(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        """See Solid."""
        return np.asarray(self._squared_mm2(x, y, z) <= self.radius_mm**2)

    def grown(self, by_mm: float) -> "Capsule":
        """See Solid."""
        return Capsule(self.start_P, self.end_P, self.radius_mm + by_mm)

    def distance_mm(self, p_P: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n"]:
        """Signed distance of points (n, 3) to the wall, negative inside. [mm]"""
        squared = self._squared_mm2(p_P[:, 0], p_P[:, 1], p_P[:, 2])
        return np.asarray(np.sqrt(squared) - self.radius_mm)


@dataclass(frozen=True, eq=False)
class Tube(Solid):
    """All points within `radius_mm` of the polyline through `points_P` (m, 3), rounded at both ends."""

    points_P: Float[np.ndarray, "m 3"]
    radius_mm: float

    @cached_property
    def capsules(self) -> tuple[Capsule, ...]:
        """The tube's straight pieces."""
        segments = zip(self.points_P[:-1], self.points_P[1:], strict=True)
        return tuple(Capsule(start, end, self.radius_mm) for start, end in segments)

    @cached_property
    def _union(self) -> Union:
        return Union(self.capsules)

    @cached_property
    def bounds_P(self) -> Bounds:
        """The tightest box. [mm]"""
        low, high = self.points_P.min(axis=0), self.points_P.max(axis=0)
        return np.stack([low - self.radius_mm, high + self.radius_mm])

    def inside(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        """See Solid."""
        return self._union.inside(x, y, z)

    def mask(self, centres: VoxelCentres, box: Box) -> Bool[np.ndarray, "mx my mz"]:
        """See Solid. Each piece is evaluated only in its own bounds."""
        return self._union.mask(centres, box)

    def grown(self, by_mm: float) -> "Tube":
        """See Solid."""
        return Tube(self.points_P, self.radius_mm + by_mm)

    def distance_mm(self, p_P: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n"]:
        """Distance of points (n, 3) to the polyline less the radius. [mm]

        Outside it is the exact distance to the wall; inside, where two pieces meet at a bend, the wall may be
        farther.
        """
        return np.asarray(np.min([part.distance_mm(p_P) for part in self.capsules], axis=0))


@dataclass(frozen=True, eq=False)
class Plate(Solid):
    """All points within `radius_mm` of the triangle with `corners_P` (3, 3): a flat bone."""

    corners_P: Float[np.ndarray, "3 3"]
    radius_mm: float

    @cached_property
    def bounds_P(self) -> Bounds:
        """The tightest box. [mm]"""
        low, high = self.corners_P.min(axis=0), self.corners_P.max(axis=0)
        return np.stack([low - self.radius_mm, high + self.radius_mm])

    def inside(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        """See Solid."""
        x, y, z = np.broadcast_arrays(x, y, z)
        p_P = np.stack([x.ravel(), y.ravel(), z.ravel()], axis=1)
        return (self.distance_mm(p_P) <= 0.0).reshape(x.shape)

    def grown(self, by_mm: float) -> "Plate":
        """See Solid."""
        return Plate(self.corners_P, self.radius_mm + by_mm)

    def distance_mm(self, p_P: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n"]:
        """Signed distance of points (n, 3) to the plate's surface, negative inside. [mm]

        Over the triangle it is the distance to the plane; elsewhere to the nearest edge.
        """
        a, b, c = self.corners_P
        edges = np.min([Capsule(s, e, 0.0).distance_mm(p_P) for s, e in ((a, b), (b, c), (c, a))], axis=0)
        normal = np.cross(b - a, c - a)
        normal = normal / np.linalg.norm(normal)
        over = np.ones(len(p_P), dtype=bool)
        for start, end in ((a, b), (b, c), (c, a)):
            over &= (p_P - start) @ np.cross(normal, end - start) >= 0.0
        return np.asarray(np.where(over, np.abs((p_P - a) @ normal), edges) - self.radius_mm)


@dataclass(frozen=True, eq=False)
class Block(Solid):
    """A box along the axes of P; bounds may be infinite."""

    lower_P: Point3
    upper_P: Point3

    @property
    def bounds_P(self) -> Bounds:
        """The block itself. [mm]"""
        return np.stack([self.lower_P, self.upper_P])

    def inside(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        """See Solid."""
        (a, b, c), (d, e, f) = self.lower_P, self.upper_P
        return np.asarray((x >= a) & (x <= d) & (y >= b) & (y <= e) & (z >= c) & (z <= f))

    def grown(self, by_mm: float) -> "Block":
        """See Solid. Corners stay sharp."""
        return Block(self.lower_P - by_mm, self.upper_P + by_mm)

    def distance_mm(self, p_P: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n"]:
        """Signed distance of points (n, 3) to the faces, negative inside. [mm]"""
        beyond = np.maximum(self.lower_P - p_P, p_P - self.upper_P)
        outside = np.linalg.norm(np.maximum(beyond, 0.0), axis=1)
        return np.asarray(outside + np.minimum(beyond.max(axis=1), 0.0))


@dataclass(frozen=True, eq=False)
class HalfSpace(Solid):
    """Points with normal_P . p <= offset_mm; `normal_P` is a unit vector pointing out.

    `open_face` leaves the plane itself out, so that the two sides of a fissure share no point.
    """

    normal_P: Point3
    offset_mm: float
    open_face: bool = False

    @property
    def bounds_P(self) -> Bounds:
        """Unbounded, except if the plane is perpendicular to an axis of P. [mm]"""
        bounds = UNBOUNDED.copy()
        for axis in range(3):
            if abs(self.normal_P[axis]) == 1.0:
                side = 1 if self.normal_P[axis] > 0 else 0
                bounds[side, axis] = self.normal_P[axis] * self.offset_mm
        return bounds

    def inside(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        """See Solid."""
        along = np.asarray(
            sum(n * q for n, q in zip(self.normal_P, (x, y, z), strict=True) if n != 0.0) - self.offset_mm
        )
        return np.asarray(along < 0.0) if self.open_face else np.asarray(along <= 0.0)

    def other_side(self) -> "HalfSpace":
        """The rest of space."""
        return HalfSpace(-self.normal_P, -self.offset_mm, not self.open_face)

    def grown(self, by_mm: float) -> "HalfSpace":
        """See Solid."""
        return HalfSpace(self.normal_P, self.offset_mm + by_mm, self.open_face)

    def distance_mm(self, p_P: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n"]:
        """Signed distance of points (n, 3) to the plane, negative inside. [mm]"""
        return np.asarray(p_P @ self.normal_P - self.offset_mm)
