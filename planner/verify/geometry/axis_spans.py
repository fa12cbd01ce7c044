"""What an axis runs through: its spans in target, body, lungs and every other structure."""

from functools import cached_property

import numpy as np

from anatomy.geometry.surface import Surface
from anatomy.scene import Scene
from anatomy.structures import Role, Structure
from planner.records.request.point import Point
from planner.verify.geometry.axis import BoxedAxis
from planner.verify.geometry.meshes import spans_in_surface
from planner.verify.geometry.spans import Spans, between, minus, union
from planner.verify.geometry.voids import Lungs
from planner.verify.geometry.voxels import spans_in_mask
from planner.verify.tolerances import LENGTH_MM


def point_of(v: np.ndarray) -> Point:
    """A vector (3,) as three floats, as compiled loops take it."""
    return float(v[0]), float(v[1]), float(v[2])


class AxisSpans:
    """The spans of one axis in one scene. Each is computed when first used."""

    def __init__(self, scene: Scene, axis: BoxedAxis) -> None:
        self.axis = axis
        self._scene = scene
        self._spacing_mm = point_of(scene.grid.spacing_mm)
        self._in_view = axis.in_view()
        self._in_masks: dict[str, Spans] = {}
        self._in_voids: dict[tuple[float, float], bool] = {}

    @cached_property
    def target_line(self) -> Spans:
        """The target along the infinite line, also before the tip and beyond the entry."""
        return spans_in_mask(self._scene.target, self._spacing_mm, self._in_view)

    @cached_property
    def target(self) -> Spans:
        """The target between tip and entry."""
        return self._between_ends(self.target_line)

    def body(self, end_mm: float) -> Spans:
        """The body from the tip to s = end. The body continues beyond the field of view."""
        return spans_in_mask(self._scene.body, self._spacing_mm, self.axis.clamped(0.0, end_mm))

    @cached_property
    def lungs(self) -> tuple[tuple[str, Spans], ...]:
        """Each lung structure between tip and entry, without target. Where lungs overlap, the last counts."""
        lungs: list[tuple[str, Spans]] = []
        for s in self._scene.of_role(Role.LUNG):
            spans = minus(self._in_mask(s), self.target)
            lungs = [(name, minus(earlier, spans)) for name, earlier in lungs]
            lungs.append((s.name, spans))
        return tuple(lungs)

    @cached_property
    def lung(self) -> Spans:
        """All lung between tip and entry, without target."""
        return union(spans for _, spans in self.lungs)

    @cached_property
    def _lung_voxels(self) -> Lungs:
        masks = (s.mask for s in self._scene.of_role(Role.LUNG))
        return Lungs(masks, self._scene.target, self._spacing_mm)

    def in_void(self, first_mm: float, last_mm: float) -> bool:
        """Whether all gaps between two places lie in voids that are enclosed by lung. [mm]

        Consecutive voxels on a line share a face, so that a gap lies in one void entirely or not at all.
        """
        way = (float(first_mm), float(last_mm))
        if way not in self._in_voids:
            gaps = minus(np.array([way]), self.lung)
            middles = gaps[gaps[:, 1] - gaps[:, 0] > LENGTH_MM].mean(axis=1)
            enclosed = all(self._lung_voxels.enclose(self.axis.at(float(s))) for s in middles)
            self._in_voids[way] = enclosed
        return self._in_voids[way]

    @cached_property
    def lung_in_surfaces(self) -> Spans | None:
        """Lung that was given as surfaces, between tip and entry, without target. None where the crossings of
        a surface are not known."""
        crossings = [self.crossing(s) for s in self._scene.of_role(Role.LUNG) if s.surface is not None]
        closed = [spans for spans in crossings if spans is not None]
        return minus(union(closed), self.target) if len(closed) == len(crossings) else None

    def crossing(self, structure: Structure) -> Spans | None:
        """A structure between tip and entry: in its surface, if it was given as one, or in its voxels.

        None where the axis runs along an edge of the surface, within rounding: then its crossings are not
        known.
        """
        if structure.surface is None:
            return self._in_mask(structure)
        spans = self.in_surface(structure.surface)
        return None if spans is None else self._between_ends(spans)

    def in_surface(self, surface: Surface) -> Spans | None:
        """The inside of the surface along the infinite line; None as for `crossing`."""
        grid, axis = self._scene.grid, self.axis
        return spans_in_surface(surface, grid.to_patient(axis.tip_B), grid.vectors_to_patient(axis.outward_B))

    def _in_mask(self, structure: Structure) -> Spans:
        if structure.name not in self._in_masks:
            spans = spans_in_mask(structure.mask, self._spacing_mm, self._in_view)
            self._in_masks[structure.name] = self._between_ends(spans)
        return self._in_masks[structure.name]

    def _between_ends(self, spans: Spans) -> Spans:
        return between(spans, 0.0, self.axis.length_mm)
