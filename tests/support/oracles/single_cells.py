"""Single cells of lines through a small patient of boxes, and what the search finds for them.

    plane A                               plane C
      | node ####     bone ####  | skin |              lines leave along x; the request, the table and the
      |- - - #### - - - - #### - | - - -|- - ->        bore can be changed without another distance field
      |      ####          ####  |      |

Nothing is turned: the frames P and B are one.
"""

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from box_scenes import Box, box_mask, grid_of
from small_chests import Chest, Lines, posed, without_table

from anatomy.patient.pose import Bore, TableHalfSpace
from anatomy.structures import Role
from planner.records.request.needle import Needle
from planner.records.request.pose import PoseRequest
from planner.records.request.request import Request
from planner.records.request.search import SearchRequest
from planner.records.request.target import TargetRequest
from planner.search import level
from planner.search.kernels.search_fields import SearchFields, vector3
from planner.search.line_net import SIXTEENTHS, Blocks, Cells, lines_of
from planner.search.scene_fields import search_fields, target_corners_B

SHAPE = (12, 9, 9)
SPACING_MM = 4.0
BODY: Box = ((2, 1, 1), (9, 8, 8))
"""6..34 along x, 2..30 along y and z. [mm]"""
CUT_BODY: Box = ((2, 1, 1), (12, 8, 8))
"""As far as the edge of the field of view, at x = 46. [mm]"""
NODE: Box = ((3, 3, 3), (5, 6, 6))
"""10..18 along x, 10..22 along y and z. [mm]"""
MIDDLE = 16.0
"""Of body and node along y and z. [mm]"""


@dataclass(frozen=True, eq=False)
class Patient:
    """A chest and the search fields built from it."""

    chest: Chest
    fields: SearchFields


@cache
def cell_patient(
    body: Box = BODY,
    nodes: tuple[Box, ...] = (NODE,),
    bones: tuple[Box, ...] = (),
    vessels: tuple[Box, ...] = (),
    lungs: tuple[Box, ...] = (),
    spacing: float = SPACING_MM,
    shape: tuple[int, int, int] = SHAPE,
    clearance: float = 1.0,
    limbs: tuple[Box, ...] = (),
    hub: float = 4.0,
) -> Patient:
    """A body with a node, and optionally with limbs, bones, vessels and a lung; a needle of
    28 mm with a hub of this length. Bones and arms need the clearance, vessels 2.5 mm. Fields are as coarse
    as the voxels."""
    grid = grid_of(shape, (spacing,) * 3)
    masks = {
        "body": (Role.SKIN, box_mask(shape, body, *limbs)),
        "node": (Role.TARGET, box_mask(shape, *nodes)),
    }
    if bones:
        masks["sternum"] = (Role.FORBIDDEN, box_mask(shape, *bones))
    if vessels:
        masks["aorta"] = (Role.FORBIDDEN, box_mask(shape, *vessels))
    if lungs:
        masks["lung_upper_lobe_left"] = (Role.LUNG, box_mask(shape, *lungs))
    request = Request(
        target=TargetRequest(min_chord_mm=1.0),
        needle=Needle(max_length_mm=28.0),
        clearance_mm={"default": clearance, "aorta": 2.5},
        pose=PoseRequest(hub_length_mm=hub, hub_diameter_mm=6.0),
        search=SearchRequest(field_resolution_mm=spacing),
    )
    chest = without_table(posed(grid, masks, request))
    return Patient(chest, search_fields(chest.scene, chest.request))


def scattered_voxels(count: int, seed: int) -> tuple[Box, ...]:
    """Random single voxels of the default grid, none in or beside the node."""
    rng = np.random.default_rng(seed)
    free = np.argwhere(~box_mask(SHAPE, ((2, 2, 2), (6, 7, 7))))
    chosen = free[rng.choice(len(free), count, replace=False)].tolist()
    return tuple(((i, j, k), (i + 1, j + 1, k + 1)) for i, j, k in chosen)


def sampled_margins(patient: Patient, lines: Lines, s: np.ndarray, extra: float = 0.0) -> np.ndarray:
    """(distance - need - extra) to the nearest box at s (n, k) of n lines, by computing every distance.
    Points outside the field of view are clipped to it. [mm]"""
    spacing, shape = np.array(patient.fields.spacing), np.array(patient.fields.tissue.shape)
    points = lines.point[:, None] + s[..., None] * lines.outward[:, None]
    points = np.clip(points, -0.5 * spacing, (shape - 0.5) * spacing)
    margin_mm = np.full(s.shape, np.inf)
    for structure in patient.chest.scene.of_role(Role.FORBIDDEN):
        mask = structure.mask.layer == structure.mask.label
        need = patient.chest.request.need_mm(structure.name) + extra
        for voxel in np.argwhere(mask) * spacing:
            distance_mm = np.linalg.norm(np.maximum(0.0, np.abs(points - voxel) - 0.5 * spacing), axis=-1)
            np.minimum(margin_mm, distance_mm - need, out=margin_mm)
    return margin_mm


def with_needle(patient: Patient, length: float) -> Patient:
    """The same with a needle of this length. [mm]"""
    request = replace(patient.chest.request, needle=Needle(max_length_mm=length))
    return Patient(Chest(patient.chest.scene, request), patient.fields._replace(needle_length=length))


def with_table(patient: Patient, normal: np.ndarray, offset: float) -> Patient:
    """The same with the table's plane at `offset` along `normal`. [mm]"""
    pose = replace(patient.chest.scene.pose, table=TableHalfSpace(normal, offset))
    need = patient.chest.request.need_mm("table")
    fields = patient.fields._replace(table_normal=vector3(normal), table_offset=offset, table_need=need)
    return Patient(Chest(replace(patient.chest.scene, pose=pose), patient.chest.request), fields)


def with_bore(patient: Patient, centre: np.ndarray, radius: float) -> Patient:
    """The same in a bore along z about `centre`. [mm]"""
    pose = replace(patient.chest.scene.pose, bore=Bore(centre, np.array([0.0, 0.0, 1.0]), radius))
    fields = patient.fields._replace(bore_centre=vector3(centre), bore_radius=radius)
    return Patient(Chest(replace(patient.chest.scene, pose=pose), patient.chest.request), fields)


def along_x(patient: Patient, gap_ac: float = 32.0, gap_a: float = 0.0) -> Blocks:
    """A block of lines that leave along x. Plane A lies `gap_a` before the target's far side, C
    `gap_ac` after A. [mm]"""
    corners = target_corners_B(patient.fields)
    centre = 0.5 * (corners.min(axis=0) + corners.max(axis=0))
    far_mm, near_mm = corners[:, 0].min() - centre[0], corners[:, 0].max() - centre[0]
    w, e1, e2 = np.eye(3)[:, None]
    depth_a = np.array([far_mm - gap_a])
    return Blocks(w, e1, e2, centre, depth_a, np.array([near_mm]), depth_a + gap_ac, -w[:, None])


def cell_about(at_a: tuple[float, float], at_c: tuple[float, float], half_a: float, half_c: float) -> Cells:
    """The cell about a line from `at_a` on plane A to `at_c` on C: (y, z), from the target's middle. [mm]"""
    return Cells(
        np.array([0]), np.array([[*at_a, *at_c]], float), np.array([[half_a, half_c]]), np.zeros((1, 3))
    )


def lines_in(b: Blocks, cell: Cells, count: int = 60) -> Lines:
    """The cell's lines: its centre line first, those at its corners, and others at random."""
    signs = np.stack(np.meshgrid(*[(-1.0, 1.0)] * 4), axis=-1).reshape(-1, 4)
    at_random = np.random.default_rng(1).uniform(-1.0, 1.0, (count, 4))
    off = np.concatenate([np.zeros((1, 4)), signs, at_random])
    places = cell.centre + off * cell.half[:, [0, 0, 1, 1]]
    n = len(places)
    return Lines(*lines_of(b, Cells(np.repeat(cell.block, n), places, np.zeros((n, 2)), np.zeros((n, 3)))))


@dataclass(frozen=True)
class CellResult:
    """The search's result for a cell: its state, covering radius and depths. See kernels.cell."""

    state: int
    radius: float
    first: float
    skin: float
    tightest: float


def cell_result(
    patient: Patient, b: Blocks, cell: Cells, per_parent: int = SIXTEENTHS, tightest: float = 0.0
) -> CellResult:
    """Test the cell as the first child of a parent that knows where obstacles come nearest (0.0: unknown)."""
    wider = np.array([[2.0 if per_parent == SIXTEENTHS else 1.0, 2.0]])
    half = cell.half * wider
    centre = cell.centre + (half - cell.half)[:, [0, 0, 1, 1]]
    parent = Cells(cell.block, centre, half, np.array([[0.0, 0.0, tightest]]))
    results = level.test_children(patient.fields, b, parent, per_parent, 0.0)
    return CellResult(int(results.state[0]), float(results.radius_mm[0]), *results.depths_mm[0].tolist())
