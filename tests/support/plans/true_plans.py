"""Plans that are true by construction, for scenes whose structures are boxes.

Each structure is one box, so that what an axis runs through follows from the box's six planes, and its
distance from the box from a search along the axis. No voxels and none of the planner's code are used.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from math import asin, atan2, degrees, fsum
from types import MappingProxyType

import numpy as np
import pytest
from bare_plans import BARE_PLAN

from anatomy.geometry.frames import Grid
from anatomy.geometry.masks import MaskLayers
from anatomy.names.roles import SIDES
from anatomy.patient.notes import skin_text
from anatomy.scene import PoseInput, Scene, scene
from anatomy.structures import InputDigest, Role, Segmentation, Structure
from planner.paths.search_report import proof_of
from planner.records.paths import Aim, Crossing, Path, SeedDrop, Window, WindowPlace
from planner.records.plan import Outcome, Plan, Status
from planner.records.request.needle import Needle
from planner.records.request.pose import PoseRequest
from planner.records.request.request import Request
from planner.records.request.robustness import RobustnessRequest
from planner.records.request.search import SearchRequest
from planner.records.request.seeds import SeedRequest
from planner.records.request.target import TargetRequest
from planner.records.search import Blocker, Constraint, Proof, SearchReport
from planner.records.wording.outcome_message import message_of
from planner.records.wording.search_claims import claims_of
from planner.records.wording.windows import window_text

SHAPE, SPACING = (60, 60, 40), np.array([2.0, 2.0, 3.0])
RADIUS, NEEDLE, SEED = 0.635, 120.0, 4.5
REACH = 100.0

Voxels = tuple[tuple[int, int, int], tuple[int, int, int]]
"""The first voxel along each axis, and the one after the last."""

BODY: tuple[Role, Voxels] = (Role.SKIN, ((8, 10, 0), (52, 50, 40)))
ORGANS: dict[str, tuple[Role, Voxels]] = {
    "body": BODY,
    "lung_upper_lobe_right": (Role.LUNG, ((11, 14, 20), (26, 46, 38))),
    "lung_lower_lobe_right": (Role.LUNG, ((11, 14, 4), (26, 46, 20))),
    "lung_upper_lobe_left": (Role.LUNG, ((36, 14, 4), (49, 46, 38))),
    "heart": (Role.FORBIDDEN, ((27, 16, 4), (36, 28, 14))),
    "aorta": (Role.FORBIDDEN, ((34, 32, 0), (36, 36, 40))),
    "vertebrae": (Role.FORBIDDEN, ((28, 40, 0), (34, 48, 40))),
    "node": (Role.TARGET, ((24, 30, 17), (32, 37, 25))),
    "table": (Role.OUTSIDE, ((2, 53, 0), (58, 56, 40))),
    "arm": (Role.OUTSIDE, ((54, 20, 0), (58, 30, 40))),
}
"""A chest of boxes, 120 mm wide, deep and high; i to the left, j posterior, k cranial. The field of
view cuts the body above and below; the node reaches into the right lung."""

REQUEST = Request(
    target=TargetRequest(("node",), min_chord_mm=4.5),
    needle=Needle(max_length_mm=NEEDLE),
    clearance_mm=MappingProxyType({"default": 2.0, "aorta": 3.0}),
    pose=PoseRequest(bore_diameter_mm=500.0),
    search=SearchRequest(min_separation_mm=5.0),
    seeds=SeedRequest(spacing_mm=6.0),
    robustness=RobustnessRequest(samples=12),
)

LINES = {
    "right": ((55.0, 66.0, 54.0), (-1.0, -0.08, 0.2)),
    "anterior": ((58.0, 66.0, 62.0), (0.1, -1.0, 0.05)),
    "left": ((55.0, 66.0, 62.0), (0.6, -1.0, 0.1)),
    "right, longer": ((55.0, 66.0, 54.0), (-1.0, -0.4, 0.2)),
}
"""A point of each needle's axis and its outward direction, in B: through both right lobes, through no lung,
and through the left lung; the last is worse than the first in every score."""


@dataclass(frozen=True, eq=False)
class Box:
    """A structure in B: its lower and upper corner. [mm]"""

    role: Role
    low: np.ndarray
    high: np.ndarray

    def span(self, p: np.ndarray, d: np.ndarray) -> tuple[float, float]:
        """First and last s of the line p + s d in the box; the last is smaller for a miss."""
        with np.errstate(divide="ignore", invalid="ignore"):
            ends = np.sort(np.stack([(self.low - p) / d, (self.high - p) / d]), axis=0)
        return float(np.nanmax(ends[0])), float(np.nanmin(ends[1]))

    def distance(self, points: np.ndarray) -> np.ndarray:
        """From points (n, 3) to the box."""
        return np.linalg.norm(np.maximum(0.0, np.maximum(self.low - points, points - self.high)), axis=-1)


@dataclass(frozen=True, eq=False)
class Patient:
    """A scene of boxes, and the boxes. `motion` (4, 4) has moved them all in P."""

    scene: Scene
    boxes: Mapping[str, Box] = field(default_factory=dict)

    def of(self, *roles: Role) -> list[tuple[str, Box]]:
        return [(name, box) for name, box in self.boxes.items() if box.role in roles]


def box_patient(
    organs: Mapping[str, tuple[Role, Voxels]] = ORGANS,
    request: Request = REQUEST,
    motion: np.ndarray | None = None,
) -> Patient:
    """The scene of these boxes, with each structure in the role given here."""
    X = np.diag([*SPACING, 1.0])
    grid = Grid(SHAPE, X if motion is None else motion @ X)
    layers = MaskLayers(SHAPE)
    structures = []
    for name, (role, (first, last)) in organs.items():
        mask = np.zeros(SHAPE, bool)
        mask[tuple(slice(a, b) for a, b in zip(first, last, strict=True))] = True
        structures.append(Structure(name, layers.add(name, mask), role))
    full_scene = scene(
        Segmentation(grid, tuple(structures), (InputDigest("labels.nii.gz", "5e" * 32),)),
        targets=request.target.structures,
        pose=PoseInput(
            request.pose.position,
            request.pose.rotation_deg,
            request.pose.table,
            request.pose.bore_diameter_mm,
        ),
    )
    boxes = {
        name: Box(role, (np.array(first) - 0.5) * SPACING, (np.array(last) - 0.5) * SPACING)
        for name, (role, (first, last)) in organs.items()
    }
    return Patient(full_scene, boxes)


def honest_plan(patient: Patient, request: Request = REQUEST, lines: Mapping[str, tuple] = LINES) -> Plan:
    """A true plan: the paths on `lines`, ranked, with seeds."""
    paths = [honest_path(patient, request, name, *line) for name, line in lines.items()]
    paths = [replace(p, pareto=not any(beats(q, p) for q in paths)) for p in paths]
    paths = sorted(paths, key=quantities)
    paths = [replace(p, rank=n) for n, p in enumerate(paths, start=1)]
    plan = replace(
        BARE_PLAN,
        inputs=patient.scene.inputs,
        request=request,
        roles=tuple((s.name, str(s.role)) for s in patient.scene.structures),
        skin_structures=patient.scene.skin_structures,
        skin_source=skin_text(patient.scene.skin_structures),
        missing_structures=patient.scene.missing,
        notes=patient.scene.notes,
        outcome=Outcome(Status.PLANNED, ""),
        search=SearchReport(1000, 10, 100, 2.0, True, 0.0, 0.0, 0.0, Proof.SAFE_LINE_NEAR_EACH, ()),
        paths=tuple(paths),
        windows=tuple(window_of(p) for p in paths),
        blocked_by=(
            Blocker(Constraint.CLEARANCE, "vertebrae", 0.25),
            Blocker(
                Constraint.CLEARANCE if patient.scene.pose.table is None else Constraint.TABLE, "table", 0.5
            ),
        ),
    )
    return in_words(plan, patient)


@pytest.fixture(scope="module")
def patient() -> Patient:
    return box_patient()


@pytest.fixture(scope="module")
def true_plan(patient: Patient) -> Plan:
    return honest_plan(patient)


def window_of(path: Path) -> Window:
    """The window of one path; its id names the side, if there is one."""
    side = next((side_word for side_word in path.window.replace(",", "").split() if side_word in SIDES), None)
    place = WindowPlace("lateral", side, None, None, None)
    return Window(path.window, window_text(place), place, (path.id,), 100.0, path.lung_length_mm)


def in_words(plan: Plan, patient: Patient) -> Plan:
    """The plan with the sentences that follow from its numbers: a deliberate change is then the only
    fault."""
    search = plan.search
    proves = proof_of(search.complete, search.covering_radius_mm, search.safe_lines)
    search = replace(search, surface_slack_mm=patient.scene.surface_slack_mm, proves=proves)
    search = replace(search, claims=claims_of(search, patient.scene.missing))
    return replace(plan, outcome=replace(plan.outcome, message=message_of(plan)), search=search)


def quantities(p: Path) -> tuple[float, ...]:
    """The values by which paths are ranked; less is better."""
    return p.lung_length_mm, p.pleural_punctures, p.fissures_crossed, -p.clearance_mm, p.length_mm


def beats(path: Path, other: Path) -> bool:
    pairs = list(zip(quantities(path), quantities(other), strict=True))
    return all(a <= b for a, b in pairs) and any(a < b for a, b in pairs)


def honest_path(patient: Patient, request: Request, name: str, point: tuple, outward: tuple) -> Path:
    """The path on one line of B, by the planes of the boxes."""
    d = np.array(outward) / np.linalg.norm(outward)
    node = next(box for _, box in patient.of(Role.TARGET))
    body = next(box for _, box in patient.of(Role.SKIN))
    tip = np.array(point) + node.span(np.array(point), d)[0] * d
    length = body.span(tip, d)[1]
    chord = node.span(tip, d)[1]
    crosses = []
    for structure, box in patient.boxes.items():
        first, last = box.span(tip, d)
        first, last = max(first, 0.0), min(last, length)
        if box.role is not Role.SKIN and last - first > 1e-6:
            crosses.append(Crossing(structure, length - last, length - first))
    crosses.sort(key=lambda c: (c.from_mm, c.to_mm, c.structure))
    # The node lies at the tip, so lung counts only up to where the node begins.
    lung = [(c.from_mm, min(c.to_mm, length - chord)) for c in crosses if c.structure.startswith("lung")]
    lung = sorted(span for span in lung if span[1] > span[0])
    gaps = [b[0] - a[1] for a, b in pairwise(lung)]
    free = {
        n: min(REACH, axis_distance(box, tip, d, NEEDLE) - RADIUS) for n, box in patient.of(Role.FORBIDDEN)
    }
    nearest = min(free, key=lambda n: free[n], default="")
    grid = patient.scene.grid
    direction = grid.vectors_to_patient(-d)
    entry = grid.to_patient(tip + length * d)
    return Path(
        id=name,
        rank=0,
        window=f"window {name}",
        approach="intercostal",
        entry_mm=as_tuple(entry),
        tip_mm=as_tuple(grid.to_patient(tip)),
        direction=as_tuple(direction),
        length_mm=length,
        lung_length_mm=fsum(b - a for a, b in lung),
        pleural_punctures=(1 + sum(g >= 5.0 for g in gaps)) if lung else 0,
        fissures_crossed=sum(g < 5.0 for g in gaps),
        clearance_mm=free.get(nearest, REACH),
        nearest_structure=nearest if free.get(nearest, REACH) < REACH else "",
        crosses=tuple(crosses),
        axial_angle_deg=degrees(atan2(direction[0], direction[1])),
        craniocaudal_angle_deg=degrees(asin(direction[2])),
        target_chord_mm=chord,
        aim=Aim.TARGET,
        pareto=True,
        seeds=honest_seeds(entry, direction, length, chord + request.target.margin_mm, request),
    )


def honest_seeds(
    entry: np.ndarray, direction: np.ndarray, length: float, length_mm: float, request: Request
) -> tuple[SeedDrop, ...]:
    """Seeds within `length_mm` of the tip, at the requested spacing. The axis leaves the node through a face,
    so that the distance to the node grows no faster than the distance along the axis."""
    depths = []
    distal = 0.0
    while distal + SEED <= length_mm:
        depths.append(length - distal - SEED / 2)
        distal += request.seeds.spacing_mm
    return tuple(
        SeedDrop(
            as_tuple(entry + depth * direction),
            as_tuple(direction),
            depth,
            request.seeds.spacing_mm if n else 0.0,
        )
        for n, depth in enumerate(depths)
    )


def axis_distance(box: Box, tip: np.ndarray, d: np.ndarray, length: float) -> float:
    """From the axis between s = 0 and s = length to a box; for points outside the field of view, from its
    nearest point. It is piecewise convex: samples bracket the minimum, a ternary search narrows it."""

    def at(s: np.ndarray) -> np.ndarray:
        points = np.clip(tip + np.multiply.outer(s, d), -0.5 * SPACING, (np.array(SHAPE) - 0.5) * SPACING)
        return box.distance(points)

    s = np.linspace(0.0, length, 6001)
    n = int(np.argmin(at(s)))
    low, high = s[max(0, n - 1)], s[min(len(s) - 1, n + 1)]
    for _ in range(200):
        thirds = np.array([low + (high - low) / 3, high - (high - low) / 3])
        at_lower, at_upper = at(thirds)
        low, high = (low, thirds[1]) if at_lower <= at_upper else (thirds[0], high)
    return float(min(at(np.array([low, high, s[0], s[-1]]))))


def as_tuple(p: np.ndarray) -> tuple[float, float, float]:
    return float(p[0]), float(p[1]), float(p[2])
