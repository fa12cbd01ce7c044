"""Nearest miss: if no path is found, the line that comes closest to being safe, and what it lacks.

directions from points of the target --those that leave the body once, through skin--> what each lacks,
roughly
    --the best ones, moved in ever smaller steps--> what the best lines lack, exactly

A line that is cut off by the field of view, or enters the body twice, is not considered: no change of a
distance would make it safe. A line through a structure counts only if all lines run through structures.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from anatomy.geometry.distance_field import QUANTUM_MM
from anatomy.geometry.even_points import even_points_B
from anatomy.scene import Scene
from anatomy.structures import Role, Structure
from planner.measuring.clearance import Obstacles
from planner.measuring.measure import measure
from planner.measuring.measured import MeasuredPath
from planner.paths.polish import THOROUGH, displaced_lines
from planner.records.request.clearances import Clearances
from planner.records.request.needle import LONGEST_NEEDLE_MM, NeedleAssembly
from planner.records.search import CONSTRAINT_NAMES, TABLE, Constraint, NearestMiss, Relaxation
from planner.search.kernels import line
from planner.search.kernels.search_fields import SearchFields
from planner.search.kernels.verdicts import SAFE
from planner.search.line_net import even_directions
from planner.search.search import SafeLines, join_lines
from planner.search.table_and_bore import bore_distance, table_distance

DIRECTIONS, POINTS = 2000, 16
"""Number of directions, and of target voxels from which each direction is tried."""
LEADING = 16
STEPS_MM = (4.0, 2.0, 1.0, 0.5, 0.25)
"""Number of lines that are moved and measured, and the steps, down to the resolution of a field."""
MOVES = THOROUGH[:64]
SAMPLE_MM = 1.0
"""Distance between the points of an axis at which the obstacle field is read."""
AT_A_TIME = 5000
FARTHEST_MM = 1000.0
"""Farther than any clearance."""


@dataclass(frozen=True)
class _Missed:
    """A measured line, whether it runs through a structure, and what it lacks most."""

    measured: MeasuredPath
    through: bool
    most: "_Lack"


@dataclass(frozen=True)
class _Lack:
    """How much a line lacks of one constraint, the structure concerned or the constraint's name, and whether
    the axis runs through it."""

    missing_mm: float
    constraint: Constraint
    structure: str
    through: bool = False


def nearest_miss(
    scene: Scene,
    needle: NeedleAssembly,
    clearances: Clearances,
    fields: SearchFields,
    relaxations: tuple[Relaxation, ...],
) -> NearestMiss | None:
    """The line that lacks least, with the changes that would open a path; None if no line leaves through
    skin.

    The lines that `relaxations` open are included: none of them may be closer to safe than the nearest miss.
    """
    leading = _leading(scene, fields)
    grid = scene.grid
    points_P, outwards_P = grid.to_patient(leading.point_B), grid.vectors_to_patient(leading.outward_B)
    lines = [
        *zip(points_P, outwards_P, strict=True),
        *((np.array(r.tip_mm), np.subtract(r.entry_mm, r.tip_mm)) for r in relaxations),
    ]
    attempts = (
        _missed(scene, needle, clearances, fields, point_P, outward_P) for point_P, outward_P in lines
    )
    missed = [m for m in attempts if m is not None]
    if not missed:
        return None
    least = min(missed, key=lambda m: (m.through, m.most.missing_mm, m.measured.entry_mm, m.measured.tip_mm))
    measured, most = least.measured, least.most
    # A line that lacks nothing needs no change except a smaller covering radius.
    opened = () if most.constraint is Constraint.COVERING_RADIUS else relaxations
    return NearestMiss(
        measured.entry_mm, measured.tip_mm, most.constraint, most.structure, most.missing_mm, opened
    )


def _leading(scene: Scene, fields: SearchFields) -> SafeLines:
    """The lines that lack least, by the obstacle field."""
    voxels = np.argwhere(fields.target) + np.array(fields.target_first_V)
    some = voxels[np.unique(np.linspace(0, len(voxels) - 1, POINTS).astype(int))]
    # Slightly off the middle, so that no direction runs along voxel faces.
    lines = _all_around(fields, np.repeat((some + 0.01) * np.array(fields.spacing), DIRECTIONS, axis=0))
    if not len(lines):
        # If the target is hardly longer than the required length in it, only lines from corner to corner fit.
        lines = _all_around(fields, even_points_B(scene.target, scene.grid, POINTS * DIRECTIONS))
    lines = _least_lacking(fields, lines)
    for step in STEPS_MM:
        tips, turned = displaced_lines(lines.point_B, lines.outward_B, lines.quantities, step * MOVES)
        moved = _leaving(fields, tips.reshape(-1, 3), turned.reshape(-1, 3))
        lines = _least_lacking(fields, join_lines([lines, moved]))
    return lines


def _all_around(fields: SearchFields, points_B: Float[np.ndarray, "n 3"]) -> SafeLines:
    """The lines through these points that leave the body; the directions are assigned to the points in turn,
    so that each direction has the same number of points."""
    outward = np.tile(even_directions(DIRECTIONS), (len(points_B) // DIRECTIONS, 1))
    return _leaving(fields, points_B, outward)


def _leaving(fields: SearchFields, points_B: np.ndarray, outward_B: np.ndarray) -> SafeLines:
    """The lines that would be safe if nothing were in the way and the needle were long enough."""
    leaving = []
    for length in (fields.needle_length, max(fields.needle_length, LONGEST_NEEDLE_MM)):
        verdict, quantities = line.test_lines(_empty(fields, length), points_B, outward_B)
        safe = verdict == SAFE
        leaving.append(SafeLines(points_B[safe], outward_B[safe], quantities[safe]))
        points_B, outward_B = points_B[~safe], outward_B[~safe]
    return join_lines(leaving)


def _empty(fields: SearchFields, needle_length: float) -> SearchFields:
    """The same fields without obstacles, table and bore."""
    return fields._replace(
        screen=np.full_like(fields.screen, np.iinfo(fields.screen.dtype).max),
        hub_extra=0.0,
        table_offset=np.inf,
        bore_radius=np.inf,
        needle_length=needle_length,
    )


def _least_lacking(fields: SearchFields, lines: SafeLines) -> SafeLines:
    """The few lines that lack least; lines that run through no structure come first."""
    parts = [
        _lacks(fields, lines.take(slice(first, first + AT_A_TIME)))
        for first in range(0, len(lines), AT_A_TIME)
    ]
    lacks, through = np.concatenate([np.zeros((2, 0)), *parts], axis=1)
    return lines.take(np.lexsort((lacks, through))[:LEADING])


def _lacks(fields: SearchFields, lines: SafeLines) -> Float[np.ndarray, "2 n"]:
    """The most that each line lacks [mm], and whether it seems to run through a structure (0.0 or 1.0).

    Obstacle distances are those of the field's nearest nodes, at samples of the axis. Inside obstacles the
    lack grows with depth, so that the shallowest cut counts as the smallest lack.
    """
    tip = lines.point_B + lines.quantities[:, line.TIP, None] * lines.outward_B
    needle = np.maximum(fields.needle_length, lines.quantities[:, line.LENGTH])
    end = tip + needle[:, None] * lines.outward_B
    hub_end = end + fields.hub_length * lines.outward_B
    hub_need = fields.table_need + fields.hub_extra
    s = np.arange(0.0, needle.max(initial=0.0) + fields.hub_length, SAMPLE_MM)
    along = np.clip(tip[:, None] + s[:, None] * lines.outward_B[:, None], fields.lower, fields.upper)
    on_needle = s <= needle[:, None] + fields.hub_length
    node = (along - np.array(fields.lower)) / np.array(fields.obstacle_step)
    i, j, k = np.moveaxis((node + 0.5).astype(int), -1, 0)
    free = fields.obstacle[i, j, k] * QUANTUM_MM - np.where(s > needle[:, None], fields.hub_extra, 0.0)
    free = np.where(on_needle, free, np.inf)
    last = np.array(fields.need_class.shape) - 1
    i, j, k = np.moveaxis(np.clip((along / np.array(fields.spacing) + 0.5).astype(int), 0, last), -1, 0)
    through = ((fields.need_class[i, j, k] > 0) & on_needle).any(axis=1)
    worst = np.max(
        [
            needle - fields.needle_length,
            -free.min(axis=1),
            fields.table_need - np.minimum(table_distance(fields, tip), table_distance(fields, end)),
            hub_need - np.minimum(table_distance(fields, end), table_distance(fields, hub_end)),
            fields.hub_radius - np.minimum(bore_distance(fields, tip), bore_distance(fields, hub_end)),
        ],
        axis=0,
    )
    return np.stack([worst, through.astype(float)])


def _missed(
    scene: Scene,
    needle: NeedleAssembly,
    clearances: Clearances,
    fields: SearchFields,
    point_P: np.ndarray,
    outward_P: np.ndarray,
) -> _Missed | None:
    """What one line lacks, exactly."""
    grid = scene.grid
    lengths = (needle.length_mm, max(needle.length_mm, LONGEST_NEEDLE_MM))
    measurements = (
        measure(scene, replace(needle, length_mm=length), point_P, outward_P) for length in lengths
    )
    measured = next((m for m in measurements if m is not None), None)
    if measured is None:
        return None
    tip = grid.to_box(measured.tip_P)
    out = -grid.vectors_to_box(measured.direction_P)
    needed_mm = max(needle.length_mm, measured.length_mm)
    end, hub_end = tip + needed_mm * out, tip + (needed_mm + fields.hub_length) * out
    lacks = [
        _lack_of(Constraint.NEEDLE_LENGTH, needed_mm - needle.length_mm),
        *_table_and_bore_lacks(clearances, fields, np.stack([tip, end, hub_end])),
        *_clearance_lacks(scene, clearances, tip, end, needle.radius_mm),
        *_clearance_lacks(scene, clearances, end, hub_end, fields.hub_radius),
    ]
    most = max(lacks, key=lambda lack: (lack.missing_mm, lack.structure))
    if most.missing_mm <= 0.0:
        return _Missed(measured, False, _lack_of(Constraint.COVERING_RADIUS, 0.0))
    return _Missed(measured, any(lack.through for lack in lacks), most)


def _lack_of(constraint: Constraint, missing_mm: float, through: bool = False) -> _Lack:
    return _Lack(missing_mm, constraint, CONSTRAINT_NAMES[constraint], through)


def _table_and_bore_lacks(clearances: Clearances, fields: SearchFields, ends_B: np.ndarray) -> list[_Lack]:
    """Lacks at table and bore, for a needle from the first to the second point and a hub from there to the
    third."""
    from_table, from_bore = table_distance(fields, ends_B), bore_distance(fields, ends_B)
    clearance = clearances.of(TABLE)
    through = bool(from_table.min() <= 0.0)
    return [
        _lack_of(
            Constraint.TABLE, clearance + clearances.needle_radius_mm - float(from_table[:2].min()), through
        ),
        _lack_of(Constraint.TABLE, clearance + fields.hub_radius - float(from_table[1:].min()), through),
        _lack_of(Constraint.BORE, fields.hub_radius - float(from_bore[[0, 2]].min())),
    ]


def _clearance_lacks(
    scene: Scene, clearances: Clearances, one_B: np.ndarray, two_B: np.ndarray, radius_mm: float
) -> list[_Lack]:
    """The largest lack for each different clearance: that of the nearest structure with this clearance."""
    by_clearance: dict[float, list[Structure]] = {}
    for s in scene.of_role(Role.FORBIDDEN, Role.OUTSIDE):
        by_clearance.setdefault(clearances.of(s.name), []).append(s)
    lacks = []
    for clearance, structures in by_clearance.items():
        distance, name = Obstacles(structures, scene.grid).nearest(one_B, two_B, FARTHEST_MM)
        missing = clearance + radius_mm - distance
        lacks.append(_Lack(missing, Constraint.CLEARANCE, name, distance <= 0.0))
    return lacks
