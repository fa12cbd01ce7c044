"""Relaxations: if no path is found, the single changes of the request that open one.

One setting at a time is relaxed as far as possible, and a coarse search is run again. Of the lines that this
opens, the one that needs the smallest change determines the relaxation.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from anatomy.scene import Scene
from anatomy.structures import Role
from planner.measuring.clearance import Obstacles
from planner.measuring.measure import measure
from planner.measuring.measured import MeasuredPath
from planner.paths.polish import polish
from planner.paths.preference import best_first
from planner.records.paths import CLEARANCE_CAP_MM
from planner.records.progress import GoOn, Progress
from planner.records.request.clearances import clearance_pointer
from planner.records.request.needle import LONGEST_NEEDLE_MM, NEEDLE_LENGTH_POINTER
from planner.records.request.ranking import PathOrder
from planner.records.request.request import Request
from planner.records.search import CONSTRAINT_NAMES, DEFAULT, TABLE, Blocker, Constraint, Relaxation
from planner.search.kernels import line, verdicts
from planner.search.kernels.search_fields import SearchFields
from planner.search.scene_fields import search_fields
from planner.search.search import SafeLines, join_lines, search
from planner.search.table_and_bore import table_distance

RADIUS_MM = 4.0
FIELD_MM = 2.0
"""Covering radius and field resolution of the search with a relaxed request. The named change is known to
open a path."""
BLOCKERS_RELAXED = 6
"""Number of structures tried, those that block most first."""
LIKELIEST = 500
"""Number of lines whose distance to the structure with relaxed clearance is measured, those with most margin
first."""
POLISHED = 100
"""Number of these lines that are polished for more clearance."""
NEEDLE_PARTS = (1.0, 0.5, 0.25, 0.125)
"""Needle lengths tried, the longest first: fractions of the way from the requested length to
LONGEST_NEEDLE_MM."""
STEP_MM = 0.1
"""Relaxations are stated in tenths of a millimetre, rounded to the safe side."""


def relaxations(
    scene: Scene, request: Request, fields: SearchFields, blockers: tuple[Blocker, ...], go_on: GoOn
) -> tuple[Relaxation, ...]:
    """The single changes that open a path, the smallest first. `fields` are those of the request: no opened
    path is safe in them.

    A time limit does not apply, so that the same work gives the same plan: the result of `go_on` is ignored,
    and only its exceptions count.
    """

    def on(progress: Progress) -> bool:
        go_on(progress)
        return True

    relaxing = _Relaxing(scene, request, fields, on)
    return tuple(sorted(relaxing.candidates(blockers), key=lambda r: (abs(r.to_mm - r.from_mm), r.structure)))


@dataclass(frozen=True, eq=False)
class _Relaxing:
    """One scene and request, of which one setting at a time is relaxed."""

    scene: Scene
    request: Request
    fields: SearchFields
    go_on: GoOn

    @property
    def _radius_mm(self) -> float:
        return self.request.needle.radius_mm

    def candidates(self, blockers: tuple[Blocker, ...]) -> Iterator[Relaxation]:
        """Relaxations for the structures that block most, then for the default clearance, then for the
        needle."""
        names = {s.name for s in self.scene.of_role(Role.FORBIDDEN, Role.OUTSIDE)}
        kept_free = names | ({TABLE} if self.scene.pose.table is not None else set())
        # A structure called as a derived table shares its clearance.
        most = list(dict.fromkeys(b.structure for b in blockers if b.structure in kept_free))
        by_default = kept_free - self.request.clearance_mm.keys()
        for name, whose in [*((n, {n}) for n in most[:BLOCKERS_RELAXED]), (DEFAULT, by_default)]:
            yield from self._less_clearance(name, tuple(sorted(whose & names)), TABLE in whose)
        yield from self._longer_needle()

    def _opened(self, relaxed: Request) -> tuple[SearchFields, SafeLines]:
        """Search fields of a relaxed request, and the lines that are safe in them."""
        coarse = replace(relaxed.search, field_resolution_mm=FIELD_MM)
        fields = search_fields(self.scene, replace(relaxed, search=coarse))
        return fields, search(fields, RADIUS_MM, self.go_on).lines

    def _unsafe_as_requested(self, lines: SafeLines) -> SafeLines:
        """The lines that are not safe under the request. The others need no change, only a smaller covering
        radius."""
        return lines.take(line.test_lines(self.fields, lines.point_B, lines.outward_B)[0] != verdicts.SAFE)

    def _less_clearance(self, name: str, structures: tuple[str, ...], table: bool) -> Iterator[Relaxation]:
        """The line that, without one clearance, keeps the largest distance of needle and hub from its
        structures. Nothing if no line opens, or if there is nothing to relax."""
        from_mm = self.request.clearance_of(name)
        if from_mm == 0.0 or not (structures or table):
            return
        clearances = MappingProxyType({**self.request.clearance_mm, name: 0.0})
        relaxed = replace(self.request, clearance_mm=clearances)
        fields, lines = self._opened(relaxed)
        lines = lines.take(np.argsort(-lines.quantities[:, line.MARGIN], kind="stable")[:LIKELIEST])
        by_clearance = PathOrder(("clearance_mm",))
        moved = polish(fields, lines.take(slice(0, POLISHED)), RADIUS_MM, by_clearance)
        lines = self._unsafe_as_requested(join_lines([moved, lines]))
        if not len(lines):
            return
        away = _kept_from(self.scene, self._radius_mm, fields, structures, lines)
        if table:
            away = np.minimum(away, _kept_from_table(self._radius_mm, fields, lines))
        best = int(np.argmax(away))
        clearance_mm = min(float(away[best]), from_mm - STEP_MM)
        clearance_mm = max(0.0, float(np.floor(clearance_mm / STEP_MM + 1e-9)) * STEP_MM)
        path = _measured(self.scene, relaxed, lines.take(slice(best, best + 1)))
        if path is not None:
            yield Relaxation(
                Constraint.CLEARANCE,
                clearance_pointer(name),
                name,
                from_mm,
                round(clearance_mm, 3),
                path.entry_mm,
                path.tip_mm,
                path.lung_length_mm,
            )

    def _longer_needle(self) -> Iterator[Relaxation]:
        """Of the lines that a longer needle opens, the one that needs the shortest needle. Several lengths
        are tried, because a very long needle may not fit into the bore."""
        from_mm = self.request.needle.max_length_mm
        for part in NEEDLE_PARTS:
            longer = from_mm + part * (LONGEST_NEEDLE_MM - from_mm)
            if longer <= from_mm:
                return
            relaxed = replace(self.request, needle=replace(self.request.needle, max_length_mm=longer))
            fields, lines = self._opened(relaxed)
            lines = self._unsafe_as_requested(lines)
            if len(lines):
                break
        else:
            return
        shortest = best_first(lines.quantities[:, [line.LENGTH, line.LUNG]])[:POLISHED]
        by_length = PathOrder(("length_mm",))
        few = lines.take(shortest)
        moved = self._unsafe_as_requested(polish(fields, few, RADIUS_MM, by_length))
        opened = join_lines([moved, few])
        opened = opened.take(best_first(opened.quantities[:, [line.LENGTH, line.LUNG]])[:1])
        length = max(float(np.ceil(opened.quantities[0, line.LENGTH] / STEP_MM) * STEP_MM), from_mm + STEP_MM)
        # With a needle just long enough, the hub is nearer to the patient than with a longer needle.
        just = fields._replace(needle_length=length)
        if line.test_lines(just, opened.point_B, opened.outward_B)[0][0] != verdicts.SAFE:
            length = longer
        path = _measured(self.scene, relaxed, opened)
        if path is not None:
            yield Relaxation(
                Constraint.NEEDLE_LENGTH,
                NEEDLE_LENGTH_POINTER,
                CONSTRAINT_NAMES[Constraint.NEEDLE_LENGTH],
                from_mm,
                round(length, 3),
                path.entry_mm,
                path.tip_mm,
                path.lung_length_mm,
            )


def _ends(fields: SearchFields, lines: SafeLines) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Tips, needles' ends and hubs' ends in B, (n, 3) each."""
    tip = lines.point_B + lines.quantities[:, line.TIP, None] * lines.outward_B
    needle_end = tip + fields.needle_length * lines.outward_B
    return tip, needle_end, needle_end + fields.hub_length * lines.outward_B


def _kept_from(
    scene: Scene, radius_mm: float, fields: SearchFields, structures: tuple[str, ...], lines: SafeLines
) -> np.ndarray:
    """The clearance that needle and hub of each line keep from these structures. [mm]"""
    only = Obstacles((scene.structure(s) for s in structures), scene.grid)
    return np.array(
        [
            min(
                only.nearest(tip, end, CLEARANCE_CAP_MM)[0] - radius_mm,
                only.nearest(end, hub_end, CLEARANCE_CAP_MM)[0] - fields.hub_radius,
            )
            for tip, end, hub_end in zip(*_ends(fields, lines), strict=True)
        ]
    )


def _kept_from_table(radius_mm: float, fields: SearchFields, lines: SafeLines) -> np.ndarray:
    """The clearance kept from a table that is a half space: one end of a straight piece is nearest. [mm]"""
    tip, end, hub_end = (table_distance(fields, at) for at in _ends(fields, lines))
    needle = np.minimum(tip, end) - radius_mm
    return np.asarray(np.minimum(needle, np.minimum(end, hub_end) - fields.hub_radius))


def _measured(scene: Scene, relaxed: Request, opened: SafeLines) -> MeasuredPath | None:
    """The single line that a change opens, measured under the relaxed request."""
    point_P = scene.grid.to_patient(opened.point_B)[0]
    outward_P = scene.grid.vectors_to_patient(opened.outward_B)[0]
    return measure(scene, relaxed.needle_assembly, point_P, outward_P)
