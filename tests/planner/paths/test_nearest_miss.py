"""Without a path: the nearest line, what it lacks, and which changes would open a path."""

from dataclasses import replace
from types import MappingProxyType

import numpy as np
import pytest
import trimesh
from true_plans import (
    NEEDLE,
    ORGANS,
    RADIUS,
    REQUEST,
    SHAPE,
    SPACING,
    Box,
    Patient,
    Voxels,
    box_patient,
    patient,
)

from anatomy.geometry.masks import mask_from_bool
from anatomy.geometry.surface import Surface
from anatomy.patient.pose import Position
from anatomy.structures import Role, Structure
from planner.errors import RequestError
from planner.paths.no_path.nearest_miss import nearest_miss
from planner.plan import plan
from planner.records.plan import Plan, Status
from planner.records.progress import Phase
from planner.records.request.request import Request
from planner.records.request.search import SearchRequest
from planner.records.search import RESERVED, Constraint
from planner.search.scene_fields import search_fields

__all__ = ["patient"]

HUB_LENGTH, HUB_RADIUS = 30.0, 4.0
WIDE = 30.0
SAMPLE_MM = 0.25
COARSE = SearchRequest(max_paths=3, covering_radius_mm=4.0, min_separation_mm=5.0)
COARSE_REQUEST = replace(REQUEST, search=COARSE)
WIDE_CLEARANCE = replace(COARSE_REQUEST, clearance_mm=MappingProxyType({"default": 2.0, "aorta": WIDE}))


def verified_plan(patient: Patient, request: Request) -> Plan:
    """The plan; asserts that its verification passed."""
    result = plan(patient.scene, request).plan
    assert result.verification is not None
    assert [c for c in result.verification.checks if not c.passed] == []
    return result


@pytest.mark.long
def test_a_miss_is_found_even_if_only_corner_to_corner_lines_have_the_chord(patient: Patient) -> None:
    """Chords of lines through the centres of the target's voxels are all too short."""
    box = np.zeros(SHAPE, bool)
    first = np.array(patient.scene.target.lower)
    box[tuple(slice(a, a + 2) for a in first)] = True
    node = replace(patient.scene.structure("node"), mask=mask_from_bool(box))
    structures = tuple(node if s.name == "node" else s for s in patient.scene.structures)
    small_target = replace(patient, scene=replace(patient.scene, structures=structures, target=node.mask))
    diagonal_mm = float(np.linalg.norm(2.0 * np.array(SPACING)))
    target = replace(COARSE_REQUEST.target, min_chord_mm=0.97 * diagonal_mm)
    assert verified_plan(small_target, replace(COARSE_REQUEST, target=target)).nearest_miss is not None
    too_long = replace(COARSE_REQUEST.target, min_chord_mm=1.01 * diagonal_mm)
    assert verified_plan(small_target, replace(COARSE_REQUEST, target=too_long)).nearest_miss is None


def least_distance(box: Box, start: np.ndarray, d: np.ndarray, length: float) -> float:
    """Least distance to a box; points outside the field of view are clipped to it. [mm]"""
    points = start + np.multiply.outer(np.arange(0.0, length + SAMPLE_MM, SAMPLE_MM), d)
    points = np.clip(points, -0.5 * SPACING, (np.array(SHAPE) - 0.5) * SPACING)
    return float(box.distance(points).min())


def largest_shortfall(
    patient: Patient, request: Request, tip: np.ndarray, d: np.ndarray, length: float
) -> float:
    """The largest shortfall of a line, from the planes of the boxes at points SAMPLE_MM apart; infinite where
    it crosses a box. The bore is ignored. [mm]"""
    length_mm = max(request.needle.max_length_mm, length)
    shortfall = length - request.needle.max_length_mm
    for structure, box in patient.of(Role.FORBIDDEN, Role.OUTSIDE):
        clearance_mm = request.clearance_of(structure)
        distance_mm = least_distance(box, tip, d, length_mm)
        hub_distance_mm = least_distance(box, tip + length_mm * d, d, HUB_LENGTH)
        if min(distance_mm, hub_distance_mm) == 0.0:
            return np.inf
        shortfall = max(
            shortfall, clearance_mm + RADIUS - distance_mm, clearance_mm + HUB_RADIUS - hub_distance_mm
        )
    return shortfall


def least_shortfall_of_random_lines(patient: Patient, request: Request, count: int) -> float:
    """The least shortfall of `count` random lines through the node, of those that leave through skin. [mm]"""
    rng = np.random.default_rng(1)
    node, body = patient.boxes["node"], patient.boxes["body"]
    least_mm = np.inf
    for _ in range(count):
        point, d = rng.uniform(node.low, node.high), rng.normal(size=3)
        d /= np.linalg.norm(d)
        first, last = node.span(point, d)
        tip = point + first * d
        length = body.span(tip, d)[1]
        # The field of view cuts the body above and below.
        through_skin = (
            abs(tip + length * d - 0.5 * (body.low + body.high))[2] < 0.5 * (body.high - body.low)[2] - 3
        )
        if last - first >= 4.5 and through_skin and length < 120.0:
            least_mm = min(least_mm, largest_shortfall(patient, request, tip, d, length))
    return least_mm


@pytest.mark.representative(1)
@pytest.mark.parametrize(("needle", "clearance"), [(NEEDLE, WIDE), (20.0, 12.0)])
def test_no_random_line_has_a_smaller_shortfall(needle: float, clearance: float, patient: Patient) -> None:
    request = replace(
        WIDE_CLEARANCE,
        needle=replace(REQUEST.needle, max_length_mm=needle),
        clearance_mm=MappingProxyType({"default": clearance, "aorta": WIDE}),
    )
    result = verified_plan(patient, request)
    assert result.outcome.status is Status.NO_PATH
    assert result.nearest_miss is not None
    assert (
        result.nearest_miss.missing_mm
        <= least_shortfall_of_random_lines(patient, request, 300) + SAMPLE_MM / 2
    )


@pytest.mark.long
def test_a_slightly_short_needle_is_reported_with_the_missing_length(patient: Patient) -> None:
    """From the right, the node is 32 mm away and needs a chord of 4.5 mm; from the front it is 40 mm away."""
    result = verified_plan(
        patient, replace(COARSE_REQUEST, needle=replace(REQUEST.needle, max_length_mm=33.0))
    )
    miss = result.nearest_miss
    assert miss is not None
    assert (miss.constraint, miss.structure) == (Constraint.NEEDLE_LENGTH, "needle length")
    assert miss.missing_mm == pytest.approx(32.0 + 4.5 - 33.0, abs=0.5)
    relaxation = miss.relaxations[0]
    assert relaxation.setting == "/needle/max_length_mm"
    assert relaxation.to_mm >= 33.0 + miss.missing_mm
    assert f"A needle of {relaxation.to_mm:g} mm instead of 33 mm would open a path" in result.outcome.message


@pytest.mark.long
def test_each_relaxation_alone_opens_the_path_it_names(patient: Patient) -> None:
    result = verified_plan(patient, WIDE_CLEARANCE)
    miss = result.nearest_miss
    assert miss is not None
    assert [r.setting for r in miss.relaxations] == ["/clearance_mm/aorta"]
    (change,) = miss.relaxations
    # No line has more clearance than the nearest one, and the coarse search for changes finds a similar one.
    assert 0.0 <= WIDE - miss.missing_mm - change.to_mm <= 1.0
    assert (
        f"A clearance of {change.to_mm:g} mm instead of 30 mm from aorta would open" in result.outcome.message
    )


@pytest.mark.long
def test_a_bore_too_narrow_for_every_hub_is_reported() -> None:
    request = replace(COARSE_REQUEST, pose=replace(REQUEST.pose, bore_diameter_mm=120.0))
    result = verified_plan(box_patient(request=request), request)
    assert result.outcome.status is Status.NO_PATH
    assert result.nearest_miss is not None
    assert result.nearest_miss.constraint is Constraint.BORE
    assert result.nearest_miss.relaxations == ()
    assert "mm of room at the bore" in result.outcome.message
    assert "change pose, role or target" in result.outcome.message


def enclosed_patient(*, cut: bool) -> Patient:
    """The node in a closed box of bone; or, with `cut`, a body that the field of view cuts on all sides."""
    organs: dict[str, tuple[Role, Voxels]] = dict(ORGANS)
    if cut:
        organs = {"body": (Role.SKIN, ((0, 0, 0), (60, 60, 40))), "node": ORGANS["node"]}
    else:
        organs["bone"] = (Role.FORBIDDEN, ((22, 28, 15), (34, 39, 27)))
    return box_patient(organs)


@pytest.mark.long
def test_through_surrounding_bone_the_shortfall_is_the_whole_clearance() -> None:
    """The bone contains the tip too, so every line crosses it."""
    patient = enclosed_patient(cut=False)
    result = verified_plan(patient, COARSE_REQUEST)
    assert result.nearest_miss is not None
    assert (result.nearest_miss.structure, result.nearest_miss.relaxations) == ("bone", ())
    assert result.nearest_miss.missing_mm == pytest.approx(2.0 + RADIUS)
    assert "None of the smaller clearances and longer needles that were tried" in result.outcome.message


def node_in_bone_cage() -> dict[str, tuple[Role, Voxels]]:
    """The node in a cage of bone with an opening of 8 by 6 mm in front."""
    walls: dict[str, Voxels] = {
        "left": ((34, 26, 13), (36, 41, 29)),
        "right": ((20, 26, 13), (22, 41, 29)),
        "back": ((20, 39, 13), (36, 41, 29)),
        "below": ((20, 26, 13), (36, 41, 15)),
        "above": ((20, 26, 27), (36, 41, 29)),
        "front_right": ((20, 26, 13), (26, 28, 29)),
        "front_left": ((30, 26, 13), (36, 28, 29)),
        "front_below": ((20, 26, 13), (36, 28, 20)),
        "front_above": ((20, 26, 22), (36, 28, 29)),
    }
    bones = {f"bone_{name}": (Role.FORBIDDEN, wall) for name, wall in walls.items()}
    return {"body": ORGANS["body"], "node": ORGANS["node"], **bones}


@pytest.mark.long
def test_if_only_the_covering_radius_is_too_large_no_relaxation_is_stated() -> None:
    coarse = replace(COARSE, covering_radius_mm=16.0)
    needle = replace(REQUEST.needle, max_length_mm=65.0)
    result = verified_plan(
        box_patient(node_in_bone_cage()), replace(COARSE_REQUEST, search=coarse, needle=needle)
    )
    assert result.outcome.status is Status.NO_PATH
    assert result.nearest_miss is not None
    assert (result.nearest_miss.constraint, result.nearest_miss.relaxations) == (
        Constraint.COVERING_RADIUS,
        (),
    )
    assert "ask for a smaller covering_radius_mm" in result.outcome.message


@pytest.mark.long
def test_a_segmented_and_a_derived_table_are_relaxed_together() -> None:
    """The patient was scanned supine and lies prone: the segmented table is above, the derived one below."""
    pose = replace(REQUEST.pose, position=Position.PRONE, bore_diameter_mm=1200.0)
    organs = {name: ORGANS[name] for name in ("body", "node", "table")}
    needle = replace(REQUEST.needle, max_length_mm=60.0)
    request = replace(
        COARSE_REQUEST,
        pose=pose,
        needle=needle,
        clearance_mm=MappingProxyType({"default": 2.0, "table": 40.0}),
    )
    patient = box_patient(organs, request)
    assert patient.scene.pose.table is not None
    result = verified_plan(patient, request)
    assert result.nearest_miss is not None or result.outcome.status is Status.PLANNED


def test_a_hub_without_length_is_no_hub() -> None:
    """An arm lies across the whole front, just beyond the needle's end."""
    organs = {**node_in_bone_cage(), "arm": (Role.OUTSIDE, ((0, 0, 0), (60, 1, 40)))}
    pose = replace(REQUEST.pose, hub_length_mm=0.0)
    request = replace(
        COARSE_REQUEST,
        ranking=("length_mm",),
        pose=pose,
        needle=replace(REQUEST.needle, max_length_mm=68.0),
        search=replace(COARSE, covering_radius_mm=2.0),
    )
    verified_plan(box_patient(organs, request), request)


@pytest.mark.long
def test_bones_read_as_surfaces_are_judged_like_in_the_search() -> None:
    """The gaps between ribs are wide enough between the surfaces, but not between their voxels."""
    organs = {name: organ for name, organ in node_in_bone_cage().items() if "front" not in name}
    ribs = {f"rib_{i}": (Role.FORBIDDEN, ((i, 24, 0), (i + 2, 26, 40))) for i in range(10, 50, 4)}
    patient = box_patient({**organs, **ribs})
    inset = 0.95 * SPACING * (1.0, 1.0, 0.1)

    def with_surface(s: Structure) -> Structure:
        if s.name not in ribs:
            return s
        mesh = trimesh.creation.box(
            bounds=[patient.boxes[s.name].low + inset, patient.boxes[s.name].high - inset]
        )
        return replace(s, surface=Surface(np.array(mesh.vertices), np.array(mesh.faces)))

    slack = float(np.linalg.norm(SPACING))
    scene = replace(
        patient.scene, structures=tuple(map(with_surface, patient.scene.structures)), surface_slack_mm=slack
    )
    request = replace(COARSE_REQUEST, search=replace(COARSE, covering_radius_mm=0.5))
    result = verified_plan(replace(patient, scene=scene), request)
    assert result.outcome.status is Status.NO_PATH


@pytest.mark.long
def test_a_time_limit_after_the_search_changes_nothing(patient: Patient) -> None:
    stopped_late = plan(
        patient.scene, WIDE_CLEARANCE, lambda progress: progress.phase is not Phase.EXPLAIN
    ).plan
    assert stopped_late == verified_plan(patient, WIDE_CLEARANCE)


@pytest.mark.parametrize("name", RESERVED)
def test_a_structure_named_as_a_setting_is_refused(name: str) -> None:
    organs = {(name if n == "aorta" else n): organ for n, organ in ORGANS.items()}
    with pytest.raises(RequestError, match="has the name of a setting"):
        plan(box_patient(organs).scene, COARSE_REQUEST)


def test_without_skin_in_view_there_is_no_miss_and_the_plan_says_why() -> None:
    patient = enclosed_patient(cut=True)
    result = verified_plan(patient, COARSE_REQUEST)
    assert result.outcome.status is Status.NO_PATH
    assert result.nearest_miss is None
    assert result.search.claims == ("No path through the target is safe.",)
    assert "Shown: no path to node is safe." in result.outcome.message
    assert "check the field of view" in result.outcome.message


def test_a_line_without_shortfall_is_reported_as_short_of_covering_radius(patient: Patient) -> None:
    miss = nearest_miss(
        patient.scene,
        COARSE_REQUEST.needle_assembly,
        COARSE_REQUEST.clearances,
        search_fields(patient.scene, COARSE_REQUEST),
        (),
    )
    assert miss is not None
    assert (miss.constraint, miss.missing_mm) == (Constraint.COVERING_RADIUS, 0.0)


def test_after_a_timeout_no_miss_is_stated(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("planner.search.search.PARENTS_AT_A_TIME", 500)
    result = plan(patient.scene, WIDE_CLEARANCE, lambda progress: progress.phase is not Phase.SEARCH).plan
    assert result.verification is not None and result.verification.passed
    assert result.outcome.status is Status.TIMED_OUT
    assert result.nearest_miss is None
    assert "allow more time" in result.outcome.message
