"""Crossings: the structures that a needle's axis passes through, and the depths from the entry of each
crossing.

    entry |--wall--|------- lung -------|== target ==| tip
    depth 0                                          length

One walk per layer of labels, however many structures share the layer. For a structure that was given as a
surface, crossings are computed on its triangles, not on its voxels.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from anatomy.geometry.masks import VoxelMask
from anatomy.geometry.surfaces import crossings as surface_crossings
from anatomy.scene import Scene
from anatomy.structures import Role, Structure
from planner.measuring.voxel_walk import runs_along, span_in_box
from planner.records.paths import LUNG_ROUNDING_MM, Crossing

SHORTEST_MM = LUNG_ROUNDING_MM
"""A shorter interval is left out: the axis grazes an edge, and rounding decides on which side it passes."""


@dataclass(frozen=True, eq=False)
class LabelLayer:
    """One layer (nx, ny, nz) and the structures whose masks it holds, by label."""

    voxels: np.ndarray
    structures: Mapping[int, tuple[Structure, ...]]


def by_layer(structures: Iterable[Structure]) -> tuple[LabelLayer, ...]:
    """The structures, grouped by the layer their voxels are in."""
    voxels: dict[int, np.ndarray] = {}
    structures_by_layer: dict[int, dict[int, tuple[Structure, ...]]] = {}
    for s in structures:
        key = id(s.mask.layer)
        voxels[key] = s.mask.layer
        labels = structures_by_layer.setdefault(key, {})
        labels[s.mask.label] = (*labels.get(s.mask.label, ()), s)
    return tuple(LabelLayer(voxels[key], structures_by_layer[key]) for key in voxels)


@dataclass(frozen=True, eq=False)
class NeedleAxis:
    """A part of a needle's axis in B: from the entry, along the unit vector towards the tip. [mm]"""

    entry_B: Float[np.ndarray, "3"]
    direction_B: Float[np.ndarray, "3"]
    length_mm: float


DepthInterval = tuple[float, float]


def mask_intervals(
    mask: VoxelMask, spacing_mm: Float[np.ndarray, "3"], axis: NeedleAxis
) -> list[DepthInterval]:
    """Depth intervals in which the axis is in a mask's voxels; adjacent ones are joined. [mm]"""
    runs = runs_along(mask.layer, spacing_mm, axis.entry_B, axis.direction_B, axis.length_mm)
    return [(a, b) for label, a, b in _long_runs(*runs) if label == mask.label]


def first_inside(
    mask: VoxelMask,
    spacing_mm: Float[np.ndarray, "3"],
    point_B: Float[np.ndarray, "3"],
    outward_B: Float[np.ndarray, "3"],
) -> Float[np.ndarray, "3"] | None:
    """The first point in a mask's voxels on the infinite line through `point_B`, in outward direction: the
    tip of a needle that aims at the mask. None if the line misses it. [mm, B]"""
    lower_B, upper_B = ((np.array(side) - 0.5) * spacing_mm for side in (mask.lower, mask.upper))
    first, last = span_in_box(lower_B, upper_B, point_B, outward_B)
    if first >= last:
        return None
    start_B = point_B + first * outward_B
    labels, bounds = runs_along(mask.layer, spacing_mm, start_B, outward_B, last - first)
    inside = np.flatnonzero(labels == mask.label)
    return None if inside.size == 0 else np.asarray(start_B + bounds[inside[0]] * outward_B)


def crossed_voxels(
    layers: Iterable[LabelLayer], spacing_mm: Float[np.ndarray, "3"], axis: NeedleAxis
) -> Iterator[tuple[Structure, DepthInterval]]:
    """Structures and the depth intervals in which the axis is in their voxels, layer by layer."""
    for layer in layers:
        runs = runs_along(layer.voxels, spacing_mm, axis.entry_B, axis.direction_B, axis.length_mm)
        for label, a, b in _long_runs(*runs):
            for structure in layer.structures.get(label, ()):
                yield structure, (a, b)


def _long_runs(labels: np.ndarray, bounds: np.ndarray) -> Iterator[tuple[int, float, float]]:
    places = bounds.tolist()
    for label, a, b in zip(labels.tolist(), places, places[1:], strict=False):
        if b - a >= SHORTEST_MM:
            yield label, a, b


def crossings(
    scene: Scene,
    voxel_intervals: Iterable[tuple[Structure, DepthInterval]],
    entry_P: Float[np.ndarray, "3"],
    tip_P: Float[np.ndarray, "3"],
) -> tuple[Crossing, ...]:
    """All structures that the axis crosses between entry and tip, without the skin, in order of depth.

    `voxel_intervals` are the result of `crossed_voxels` for the scene's layers; for structures with a
    surface, the surface is used instead. Sorted by start, end, and the structure's name.
    """
    in_voxels = [
        Crossing(structure.name, a, b)
        for structure, (a, b) in voxel_intervals
        if structure.role is not Role.SKIN and structure.surface is None
    ]
    surfaces = (s for s in scene.structures if s.role is not Role.SKIN)
    return in_order([*in_voxels, *crossed_surfaces(surfaces, entry_P, tip_P)])


def crossed_surfaces(
    structures: Iterable[Structure], entry_P: Float[np.ndarray, "3"], tip_P: Float[np.ndarray, "3"]
) -> Iterator[Crossing]:
    """Crossings of the axis with those structures that were given as surfaces."""
    for structure in structures:
        if structure.surface is not None:
            for a, b in surface_crossings(structure.surface, entry_P, tip_P).tolist():
                if b - a >= SHORTEST_MM:
                    yield Crossing(structure.name, a, b)


def in_order(crossed: Iterable[Crossing]) -> tuple[Crossing, ...]:
    """Crossings sorted by start, end, and the structure's name."""
    return tuple(sorted(crossed, key=lambda c: (c.from_mm, c.to_mm, c.structure)))
