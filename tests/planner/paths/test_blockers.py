"""Blockers: shares of directions by what blocks them first."""

from dataclasses import replace
from math import fsum

import numpy as np
from true_plans import ORGANS, RADIUS, REQUEST, Patient, Voxels, box_patient

from anatomy.geometry.masks import MaskLayers
from anatomy.structures import Role, Structure
from planner.paths.no_path.blockers import DIRECTIONS, STEP_MM, blocked_by
from planner.records.search import CONSTRAINT_NAMES, TABLE, Constraint
from planner.search.kernels import line, verdicts
from planner.search.line_net import even_directions
from planner.search.scene_fields import search_fields

BLOCKER_REQUEST = replace(REQUEST, clearance_mm={"default": 2.0})


def patient_with_bone(bone: Voxels) -> Patient:
    """The node behind a plate of bone, without other obstacles and without a table."""
    patient = box_patient({"body": ORGANS["body"], "node": ORGANS["node"], "bone": (Role.FORBIDDEN, bone)})
    return replace(patient, scene=replace(patient.scene, pose=replace(patient.scene.pose, table=None)))


def test_a_bone_around_the_node_blocks_every_direction() -> None:
    patient = patient_with_bone(((22, 28, 15), (34, 39, 27)))
    blockers = blocked_by(
        patient.scene, BLOCKER_REQUEST.clearances, search_fields(patient.scene, BLOCKER_REQUEST)
    )
    assert [(b.structure, b.share) for b in blockers] == [("bone", 1.0)]


def test_a_wide_plate_in_front_blocks_about_half_of_all_directions() -> None:
    patient = patient_with_bone(((9, 26, 1), (51, 28, 39)))
    shares = {
        b.structure: b.share
        for b in blocked_by(
            patient.scene, BLOCKER_REQUEST.clearances, search_fields(patient.scene, BLOCKER_REQUEST)
        )
    }
    assert 0.35 < shares["bone"] < 0.55


def test_directions_of_a_target_in_two_parts_start_in_one_of_its_voxels() -> None:
    """The middle of the parts lies in neither. No number may overflow or be undefined."""
    patient = box_patient()
    mask = np.zeros(patient.scene.grid.shape, bool)
    mask[24:27, 30:37, 17:25] = mask[14:17, 30:37, 17:25] = True
    node = Structure("node", MaskLayers(mask.shape).add("node", mask), Role.TARGET)
    others = tuple(s for s in patient.scene.structures if s.name != "node")
    scene = replace(patient.scene, structures=(*others, node), target=node.mask)
    with np.errstate(all="raise"):
        blockers = blocked_by(scene, BLOCKER_REQUEST.clearances, search_fields(scene, BLOCKER_REQUEST))
    assert blockers
    assert fsum(b.share for b in blockers) <= 1.0 + 1e-12
    names = {s.name for s in scene.structures}
    for b in blockers:
        of_structure = b.constraint is Constraint.CLEARANCE
        assert b.structure in (names if of_structure else {CONSTRAINT_NAMES[b.constraint]})
    assert [b.share for b in blockers] == sorted((b.share for b in blockers), reverse=True)


def test_each_direction_has_one_blocker_by_the_stated_order() -> None:
    """A node of 16 x 14 x 24 mm with a requested chord of 20 mm, above a table, behind a bone. The reference
    counts the chord from the box's planes, the table from its plane, the bone from samples of the axis."""
    bone: Voxels = ((20, 20, 10), (36, 22, 32))
    organs = {name: ORGANS[name] for name in ("body", "node")} | {"bone": (Role.FORBIDDEN, bone)}
    request = replace(BLOCKER_REQUEST, target=replace(BLOCKER_REQUEST.target, min_chord_mm=20.0))
    patient = box_patient(organs, replace(request, pose=replace(request.pose, table="derive")))
    table = patient.scene.pose.table
    assert table is not None
    shares = {
        b.structure: b.share
        for b in blocked_by(patient.scene, request.clearances, search_fields(patient.scene, request))
    }
    # From a voxel in the node's middle, like the planner
    middle = (np.array([27, 33, 20]) + 0.01) * np.array([2.0, 2.0, 3.0])
    chord_name = CONSTRAINT_NAMES[Constraint.MIN_CHORD]
    counts = {chord_name: 0, TABLE: 0, "bone": 0}
    need = RADIUS + 2.0
    for d in even_directions(DIRECTIONS):
        first, last = patient.boxes["node"].span(middle, d)
        tip, end = middle + first * d, middle + (first + request.needle.max_length_mm) * d
        hub = end + request.pose.hub_length_mm * d
        at_tip, at_end, at_hub = (table.offset_mm - float(table.normal_P @ p) for p in (tip, end, hub))
        points = tip + np.linspace(0.0, request.needle.max_length_mm, 400)[:, None] * d
        if last - first < 20.0:
            counts[chord_name] += 1
        elif min(at_tip, at_end) < need or min(at_end, at_hub) < need + request.hub_radius_mm - RADIUS:
            counts[TABLE] += 1
        elif patient.boxes["bone"].distance(points).min() < need:
            counts["bone"] += 1
    for name, count in counts.items():
        assert count > 20, name
        assert abs(shares[name] - count / DIRECTIONS) <= 0.004, name


def test_the_largest_shortfall_is_the_blocker_and_not_the_nearest_structure() -> None:
    """An aorta that needs 7 mm, and a rib 6 mm beside it that needs 0.5 mm. The reference uses the boxes."""
    organs = {
        **{name: ORGANS[name] for name in ("body", "node")},
        "aorta": (Role.FORBIDDEN, ((24, 16, 14), (26, 28, 28))),
        "rib": (Role.FORBIDDEN, ((29, 16, 14), (46, 28, 28))),
    }
    request = replace(BLOCKER_REQUEST, clearance_mm={"default": 0.5, "aorta": 7.0})
    patient = box_patient(organs, request)
    patient = replace(patient, scene=replace(patient.scene, pose=replace(patient.scene.pose, table=None)))
    fields = search_fields(patient.scene, request)
    shares = {b.structure: b.share for b in blocked_by(patient.scene, request.clearances, fields)}
    middle = (np.array([27, 33, 20]) + 0.01) * np.array([2.0, 2.0, 3.0])
    outward = even_directions(DIRECTIONS)
    verdict = line.first_verdicts(fields, np.tile(middle, (DIRECTIONS, 1)), outward)
    blocks = line.first_blocks(fields, np.tile(middle, (DIRECTIONS, 1)), outward)
    counts = {"aorta": 0, "rib": 0}
    for d, result, s in zip(outward, verdict, blocks, strict=True):
        if result in (verdicts.BLOCKED, verdicts.HUB_BLOCKED):
            points = middle + (s + np.linspace(0.0, STEP_MM, 11)[:, None]) * d
            spare_mm = {n: patient.boxes[n].distance(points).min() - request.clearance_of(n) for n in counts}
            counts[min(spare_mm, key=lambda name: spare_mm[name])] += 1
    for name, count in counts.items():
        assert count > 0, name
        assert abs(shares[name] - count / DIRECTIONS) <= 0.01, name


def test_without_a_least_chord_no_direction_is_too_short() -> None:
    patient = box_patient()
    request = replace(BLOCKER_REQUEST, target=replace(BLOCKER_REQUEST.target, min_chord_mm=0.0))
    assert Constraint.MIN_CHORD not in {
        b.constraint
        for b in blocked_by(patient.scene, request.clearances, search_fields(patient.scene, request))
    }


def test_a_chord_that_no_direction_has_blocks_all_directions() -> None:
    patient = box_patient()
    request = replace(BLOCKER_REQUEST, target=replace(BLOCKER_REQUEST.target, min_chord_mm=100.0))
    assert [
        (b.constraint, b.share)
        for b in blocked_by(patient.scene, request.clearances, search_fields(patient.scene, request))
    ] == [(Constraint.MIN_CHORD, 1.0)]
