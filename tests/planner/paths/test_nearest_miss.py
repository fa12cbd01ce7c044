"""Where nothing fits: the line that comes nearest, what it lacks, and what would open a path."""

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
ASKED = replace(REQUEST, search=COARSE)
CAUTIOUS = replace(ASKED, clearance_mm=MappingProxyType({"default": 2.0, "aorta": WIDE}))


def planned(patient: Patient, request: Request) -> Plan:
    """The plan, every claim of which held."""
    planned = plan(patient.scene, request).plan
    assert planned.verification is not None
    assert [c for c in planned.verification.checks if not c.passed] == []
    return planned


@pytest.mark.long
def test_a_miss_is_found_where_a_needle_runs_far_enough_from_corner_to_corner_only(patient: Patient) -> None:
    """Lines through the middles of such a target's voxels are all too short."""
    box = np.zeros(SHAPE, bool)
    at = np.array(patient.scene.target.lower)
    box[tuple(slice(a, a + 2) for a in at)] = True
    node = replace(patient.scene.structure("node"), mask=mask_from_bool(box))
    structures = tuple(node if s.name == "node" else s for s in patient.scene.structures)
    small = replace(patient, scene=replace(patient.scene, structures=structures, target=node.mask))
    longest = float(np.linalg.norm(2.0 * np.array(SPACING)))
    target = replace(ASKED.target, min_chord_mm=0.97 * longest)
    assert planned(small, replace(ASKED, target=target)).nearest_miss is not None
    beyond = replace(ASKED.target, min_chord_mm=1.01 * longest)
    assert planned(small, replace(ASKED, target=beyond)).nearest_miss is None


def least_distance(box: Box, start: np.ndarray, d: np.ndarray, length: float) -> float:
    """To a box, points outside the field of view being judged at the nearest point of it."""
    points = start + np.multiply.outer(np.arange(0.0, length + SAMPLE_MM, SAMPLE_MM), d)
    points = np.clip(points, -0.5 * SPACING, (np.array(SHAPE) - 0.5) * SPACING)
    return float(box.distance(points).min())


def lacks(patient: Patient, request: Request, tip: np.ndarray, d: np.ndarray, length: float) -> float:
    """The most that a line lacks, by the planes of the boxes at places SAMPLE_MM apart; infinite where it
    runs through one. A bore is not looked at."""
    needle = max(request.needle.max_length_mm, length)
    most = length - request.needle.max_length_mm
    for structure, box in patient.of(Role.FORBIDDEN, Role.OUTSIDE):
        clearance_mm = request.clearance_of(structure)
        free = least_distance(box, tip, d, needle)
        of_hub = least_distance(box, tip + needle * d, d, HUB_LENGTH)
        if min(free, of_hub) == 0.0:
            return np.inf
        most = max(most, clearance_mm + RADIUS - free, clearance_mm + HUB_RADIUS - of_hub)
    return most


def least_at_random(patient: Patient, request: Request, count: int) -> float:
    """The least that any of so many random lines through the node lacks, of those that leave through skin."""
    rng = np.random.default_rng(1)
    node, body = patient.boxes["node"], patient.boxes["body"]
    least = np.inf
    for _ in range(count):
        point, d = rng.uniform(node.low, node.high), rng.normal(size=3)
        d /= np.linalg.norm(d)
        first, last = node.span(point, d)
        tip = point + first * d
        length = body.span(tip, d)[1]
        # Above and below, the body is cut by the field of view.
        through_skin = (
            abs(tip + length * d - 0.5 * (body.low + body.high))[2] < 0.5 * (body.high - body.low)[2] - 3
        )
        if last - first >= 4.5 and through_skin and length < 120.0:
            least = min(least, lacks(patient, request, tip, d, length))
    return least


@pytest.mark.representative(1)
@pytest.mark.parametrize(("needle", "clearance"), [(NEEDLE, WIDE), (20.0, 12.0)])
def test_no_line_at_random_comes_nearer(needle: float, clearance: float, patient: Patient) -> None:
    request = replace(
        CAUTIOUS,
        needle=replace(REQUEST.needle, max_length_mm=needle),
        clearance_mm=MappingProxyType({"default": clearance, "aorta": WIDE}),
    )
    result = planned(patient, request)
    assert result.outcome.status is Status.NO_PATH
    assert result.nearest_miss is not None
    assert result.nearest_miss.missing_mm <= least_at_random(patient, request, 300) + SAMPLE_MM / 2


def test_a_needle_too_short_by_a_little_is_told_by_how_much(patient: Patient) -> None:
    """From the right it is 32 mm to the node, of which 4.5 mm must be in; from the front it is 40 mm."""
    result = planned(patient, replace(ASKED, needle=replace(REQUEST.needle, max_length_mm=33.0)))
    miss = result.nearest_miss
    assert miss is not None
    assert (miss.constraint, miss.structure) == (Constraint.NEEDLE_LENGTH, "needle length")
    assert miss.missing_mm == pytest.approx(32.0 + 4.5 - 33.0, abs=0.5)
    longer = miss.relaxations[0]
    assert longer.setting == "/needle/max_length_mm"
    assert longer.to_mm >= 33.0 + miss.missing_mm
    assert f"A needle of {longer.to_mm:g} mm instead of 33 mm would open a path" in result.outcome.message


def test_each_relaxation_alone_opens_the_path_it_names(patient: Patient) -> None:
    result = planned(patient, CAUTIOUS)
    miss = result.nearest_miss
    assert miss is not None
    assert [r.setting for r in miss.relaxations] == ["/clearance_mm/aorta"]
    (change,) = miss.relaxations
    # No line keeps more than the nearest, and the coarse search for changes finds one nearly as near.
    assert 0.0 <= WIDE - miss.missing_mm - change.to_mm <= 1.0
    assert (
        f"A clearance of {change.to_mm:g} mm instead of 30 mm from aorta would open" in result.outcome.message
    )


def test_a_bore_too_narrow_for_any_hub_is_what_is_missing() -> None:
    narrow = replace(ASKED, pose=replace(REQUEST.pose, bore_diameter_mm=120.0))
    result = planned(box_patient(request=narrow), narrow)
    assert result.outcome.status is Status.NO_PATH
    assert result.nearest_miss is not None
    assert result.nearest_miss.constraint is Constraint.BORE
    assert result.nearest_miss.relaxations == ()
    assert "mm of room at the bore" in result.outcome.message
    assert "change pose, role or target" in result.outcome.message


def encased(*, cut: bool) -> Patient:
    """The node in a box of bone all round; or the body, cut by the field of view on all sides."""
    organs: dict[str, tuple[Role, Voxels]] = dict(ORGANS)
    if cut:
        organs = {"body": (Role.SKIN, ((0, 0, 0), (60, 60, 40))), "node": ORGANS["node"]}
    else:
        organs["bone"] = (Role.FORBIDDEN, ((22, 28, 15), (34, 39, 27)))
    return box_patient(organs)


@pytest.mark.long
def test_through_bone_all_round_the_needle_lacks_all_that_is_asked() -> None:
    """The bone holds the tip too, so that every line runs through it."""
    patient = encased(cut=False)
    result = planned(patient, ASKED)
    assert result.nearest_miss is not None
    assert (result.nearest_miss.structure, result.nearest_miss.relaxations) == ("bone", ())
    assert result.nearest_miss.missing_mm == pytest.approx(2.0 + RADIUS)
    assert "None of the smaller clearances and longer needles that were tried" in result.outcome.message


def caged() -> dict[str, tuple[Role, Voxels]]:
    """The node in a cage of bone that is open in front, through a gap of 8 by 6 mm."""
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
def test_where_only_the_radius_is_too_wide_no_setting_is_said_to_open_a_path() -> None:
    coarse = replace(COARSE, covering_radius_mm=16.0)
    needle = replace(REQUEST.needle, max_length_mm=65.0)
    result = planned(box_patient(caged()), replace(ASKED, search=coarse, needle=needle))
    assert result.outcome.status is Status.NO_PATH
    assert result.nearest_miss is not None
    assert (result.nearest_miss.constraint, result.nearest_miss.relaxations) == (
        Constraint.COVERING_RADIUS,
        (),
    )
    assert "ask for a smaller covering_radius_mm" in result.outcome.message


@pytest.mark.long
def test_a_table_that_was_segmented_and_one_that_is_derived_are_relaxed_together() -> None:
    """He was scanned on his back and lies prone: the segmented table is above him, another below."""
    pose = replace(REQUEST.pose, position=Position.PRONE, bore_diameter_mm=1200.0)
    organs = {name: ORGANS[name] for name in ("body", "node", "table")}
    needle = replace(REQUEST.needle, max_length_mm=60.0)
    request = replace(
        ASKED,
        pose=pose,
        needle=needle,
        clearance_mm=MappingProxyType({"default": 2.0, "table": 40.0}),
    )
    patient = box_patient(organs, request)
    assert patient.scene.pose.table is not None
    result = planned(patient, request)
    assert result.nearest_miss is not None or result.outcome.status is Status.PLANNED


def test_a_hub_without_length_is_no_hub() -> None:
    """An arm all across the front, just beyond the needle's end."""
    organs = {**caged(), "arm": (Role.OUTSIDE, ((0, 0, 0), (60, 1, 40)))}
    pose = replace(REQUEST.pose, hub_length_mm=0.0)
    request = replace(
        ASKED,
        ranking=("length_mm",),
        pose=pose,
        needle=replace(REQUEST.needle, max_length_mm=68.0),
        search=replace(COARSE, covering_radius_mm=2.0),
    )
    planned(box_patient(organs, request), request)


@pytest.mark.long
def test_bones_that_came_as_surfaces_are_judged_as_the_search_judged_them() -> None:
    """The gaps between ribs are wide enough between surfaces, and not between the voxels that hold them."""
    organs = {name: organ for name, organ in caged().items() if "front" not in name}
    ribs = {f"rib_{i}": (Role.FORBIDDEN, ((i, 24, 0), (i + 2, 26, 40))) for i in range(10, 50, 4)}
    patient = box_patient({**organs, **ribs})
    inset = 0.95 * SPACING * (1.0, 1.0, 0.1)

    def drawn(s: Structure) -> Structure:
        if s.name not in ribs:
            return s
        mesh = trimesh.creation.box(
            bounds=[patient.boxes[s.name].low + inset, patient.boxes[s.name].high - inset]
        )
        return replace(s, surface=Surface(np.array(mesh.vertices), np.array(mesh.faces)))

    slack = float(np.linalg.norm(SPACING))
    scene = replace(
        patient.scene, structures=tuple(map(drawn, patient.scene.structures)), surface_slack_mm=slack
    )
    request = replace(ASKED, search=replace(COARSE, covering_radius_mm=0.5))
    result = planned(replace(patient, scene=scene), request)
    assert result.outcome.status is Status.NO_PATH


@pytest.mark.long
def test_a_clock_that_ends_after_the_search_changes_nothing(patient: Patient) -> None:
    late = plan(patient.scene, CAUTIOUS, lambda progress: progress.phase is not Phase.EXPLAIN).plan
    assert late == planned(patient, CAUTIOUS)


@pytest.mark.parametrize("name", RESERVED)
def test_a_structure_named_as_a_setting_is_refused(name: str) -> None:
    organs = {(name if n == "aorta" else n): organ for n, organ in ORGANS.items()}
    with pytest.raises(RequestError, match="has the name of a setting"):
        plan(box_patient(organs).scene, ASKED)


def test_where_no_skin_is_in_view_there_is_no_miss_and_the_plan_says_why() -> None:
    patient = encased(cut=True)
    result = planned(patient, ASKED)
    assert result.outcome.status is Status.NO_PATH
    assert result.nearest_miss is None
    assert result.search.claims == ("No path through the target is safe.",)
    assert "Shown: no path to node is safe." in result.outcome.message
    assert "check the field of view" in result.outcome.message


def test_a_line_that_lacks_nothing_is_told_to_be_too_narrow_for_the_radius(patient: Patient) -> None:
    miss = nearest_miss(
        patient.scene, ASKED.needle_assembly, ASKED.clearances, search_fields(patient.scene, ASKED), ()
    )
    assert miss is not None
    assert (miss.constraint, miss.missing_mm) == (Constraint.COVERING_RADIUS, 0.0)


def test_out_of_time_nothing_is_said_of_misses(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("planner.search.search.PARENTS_AT_A_TIME", 500)
    planned = plan(patient.scene, CAUTIOUS, lambda progress: progress.phase is not Phase.SEARCH).plan
    assert planned.verification is not None and planned.verification.passed
    assert planned.outcome.status is Status.TIMED_OUT
    assert planned.nearest_miss is None
    assert "allow more time" in planned.outcome.message
