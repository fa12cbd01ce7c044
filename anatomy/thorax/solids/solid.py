"""Solid: a closed set of points in P given by a formula, and the set operations on solids.

    Solid
    |-- primitives          primitives.py, loft.py
    |-- Union               in any of the parts
    |-- Intersection        in all of the parts
    `-- Difference          in the first, in none of the others

A solid can be evaluated at points (`contains`) and at the voxel centres of a grid (`mask`). Both use one
formula; `mask` only skips what the bounds exclude. Tests use `contains` as the reference.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float

from anatomy.thorax.solids.voxel_centres import Box, VoxelCentres, box_shape

Bounds = Float[np.ndarray, "2 3"]

UNBOUNDED = np.array([[-np.inf] * 3, [np.inf] * 3])


class Solid(ABC):
    """A closed set of points in P."""

    @property
    @abstractmethod
    def bounds_P(self) -> Bounds:
        """Lower and upper corner (2, 3) of an axis-aligned box that contains the solid; infinite where it is
        unbounded. [mm]"""

    @abstractmethod
    def inside(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Whether points lie in the solid. x, y, z broadcast against one another. [mm]"""

    @abstractmethod
    def grown(self, by_mm: float) -> "Solid":
        """The solid with a layer of about `by_mm` added: exactly `by_mm` for capsules, tubes, plates and half
        spaces; for ellipsoids and lofts, semi-axes longer by `by_mm`."""

    def contains(self, p_P: Float[np.ndarray, "n 3"]) -> Bool[np.ndarray, "n"]:
        """Whether points (n, 3) in P lie in the solid."""
        return np.broadcast_to(self.inside(p_P[:, 0], p_P[:, 1], p_P[:, 2]), p_P.shape[:1]).astype(bool)

    def mask(self, centres: VoxelCentres, box: Box) -> Bool[np.ndarray, "mx my mz"]:
        """Which voxel centres of `box` lie in the solid."""
        inside = np.zeros(box_shape(box), dtype=bool)
        reach = centres.box_of(self.bounds_P, box)
        if reach is None:
            return inside
        for slab in centres.slabs(reach):
            inside[_relative(slab, box)] = self.inside(*centres.coordinates(slab))
        return inside


def _relative(inner: Box, outer: Box) -> Box:
    i, j, k = (slice(a.start - b.start, a.stop - b.start) for a, b in zip(inner, outer, strict=True))
    return i, j, k


@dataclass(frozen=True, eq=False)
class Union(Solid):
    """Points in any of `parts`."""

    parts: Sequence[Solid]

    @cached_property
    def _bounds_of_parts_P(self) -> np.ndarray:
        return np.array([part.bounds_P for part in self.parts])

    @cached_property
    def bounds_P(self) -> Bounds:
        """Bounds of all parts together. [mm]"""
        low, high = self._bounds_of_parts_P[:, 0], self._bounds_of_parts_P[:, 1]
        return np.stack([low.min(axis=0), high.max(axis=0)])

    def inside(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        """See Solid."""
        inside = np.zeros(np.broadcast_shapes(x.shape, y.shape, z.shape), dtype=bool)
        for part in self.parts:
            inside |= part.inside(x, y, z)
        return inside

    def grown(self, by_mm: float) -> "Union":
        """See Solid."""
        return Union([part.grown(by_mm) for part in self.parts])

    def mask(self, centres: VoxelCentres, box: Box) -> Bool[np.ndarray, "mx my mz"]:
        """See Solid. Each part is evaluated only in its own bounds."""
        inside = np.zeros(box_shape(box), dtype=bool)
        for part, reach in zip(self.parts, centres.boxes_of(self._bounds_of_parts_P, box), strict=True):
            if reach is not None:
                inside[_relative(reach, box)] |= part.mask(centres, reach)
        return inside


@dataclass(frozen=True, eq=False)
class Intersection(Solid):
    """Points in all of `parts`."""

    parts: Sequence[Solid]

    @cached_property
    def bounds_P(self) -> Bounds:
        """Where the bounds of all parts overlap. [mm]"""
        corners = np.array([part.bounds_P for part in self.parts])
        return np.stack([corners[:, 0].max(axis=0), corners[:, 1].min(axis=0)])

    def inside(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        """See Solid."""
        inside = np.ones(np.broadcast_shapes(x.shape, y.shape, z.shape), dtype=bool)
        for part in self.parts:
            inside &= part.inside(x, y, z)
        return inside

    def grown(self, by_mm: float) -> "Intersection":
        """See Solid."""
        return Intersection([part.grown(by_mm) for part in self.parts])

    def mask(self, centres: VoxelCentres, box: Box) -> Bool[np.ndarray, "mx my mz"]:
        """See Solid. Evaluated only where all bounds overlap."""
        inside = np.zeros(box_shape(box), dtype=bool)
        reach = centres.box_of(self.bounds_P, box)
        if reach is not None:
            here = np.ones(box_shape(reach), dtype=bool)
            for part in self.parts:
                here &= part.mask(centres, reach)
            inside[_relative(reach, box)] = here
        return inside


@dataclass(frozen=True, eq=False)
class Difference(Solid):
    """Points of `base` that are in none of `holes`."""

    base: Solid
    holes: Sequence[Solid]

    @property
    def bounds_P(self) -> Bounds:
        """Bounds of `base`. [mm]"""
        return self.base.bounds_P

    @cached_property
    def _all_holes(self) -> Union:
        return Union(self.holes)

    def inside(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        """See Solid."""
        return np.asarray(self.base.inside(x, y, z) & ~self._all_holes.inside(x, y, z))

    def grown(self, by_mm: float) -> "Difference":
        """See Solid. The holes shrink by the same length."""
        return Difference(self.base.grown(by_mm), [hole.grown(-by_mm) for hole in self.holes])

    def mask(self, centres: VoxelCentres, box: Box) -> Bool[np.ndarray, "mx my mz"]:
        """See Solid."""
        inside = np.zeros(box_shape(box), dtype=bool)
        reach = centres.box_of(self.base.bounds_P, box)
        if reach is not None:
            holes = self._all_holes.mask(centres, reach)
            inside[_relative(reach, box)] = self.base.mask(centres, reach) & ~holes
        return inside
