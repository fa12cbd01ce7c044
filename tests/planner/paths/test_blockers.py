"""What blocks the way: shares of directions by what comes first."""

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

ASKED = replace(REQUEST, clearance_mm={"default": 2.0})


def wrapped(bone: Voxels) -> Patient:
    """The node behind a plate of bone, and nothing else in the way, not even a table."""
    patient = box_patient({"body": ORGANS["body"], "node": ORGANS["node"], "bone": (Role.FORBIDDEN, bone)})
    return replace(patient, scene=replace(patient.scene, pose=replace(patient.scene.pose, table=None)))


def test_a_bone_all_round_blocks_every_direction() -> None:
    patient = wrapped(((22, 28, 15), (34, 39, 27)))
    blockers = blocked_by(patient.scene, ASKED.clearances, search_fields(patient.scene, ASKED))
    assert [(b.structure, b.share) for b in blockers] == [("bone", 1.0)]


def test_a_wide_plate_in_front_blocks_about_half_of_what_is_free_without_it() -> None:
    patient = wrapped(((9, 26, 1), (51, 28, 39)))
    shares = {
        b.structure: b.share
        for b in blocked_by(patient.scene, ASKED.clearances, search_fields(patient.scene, ASKED))
    }
    assert 0.35 < shares["bone"] < 0.55


def test_a_target_in_two_parts_is_asked_about_from_a_voxel_of_its_own() -> None:
    """Their middle lies in neither. No number may overflow or be undefined on the way."""
    one = box_patient()
    mask = np.zeros(one.scene.grid.shape, bool)
    mask[24:27, 30:37, 17:25] = mask[14:17, 30:37, 17:25] = True
    node = Structure("node", MaskLayers(mask.shape).add("node", mask), Role.TARGET)
    others = tuple(s for s in one.scene.structures if s.name != "node")
    scene = replace(one.scene, structures=(*others, node), target=node.mask)
    with np.errstate(all="raise"):
        blockers = blocked_by(scene, ASKED.clearances, search_fields(scene, ASKED))
    assert blockers
    assert fsum(b.share for b in blockers) <= 1.0 + 1e-12
    names = {s.name for s in scene.structures}
    for b in blockers:
        of_structure = b.constraint is Constraint.CLEARANCE
        assert b.structure in (names if of_structure else {CONSTRAINT_NAMES[b.constraint]})
    assert [b.share for b in blockers] == sorted((b.share for b in blockers), reverse=True)


def test_each_direction_is_blamed_on_one_thing_by_the_stated_order() -> None:
    """A node of 16 x 14 x 24 mm in which 20 mm are asked for, above a table, behind a bone. Counted anew: the
    run in the node from its box's planes, the table from its plane, the bone from samples of the axis."""
    bone: Voxels = ((20, 20, 10), (36, 22, 32))
    organs = {name: ORGANS[name] for name in ("body", "node")} | {"bone": (Role.FORBIDDEN, bone)}
    asked = replace(ASKED, target=replace(ASKED.target, min_chord_mm=20.0))
    patient = box_patient(organs, replace(asked, pose=replace(asked.pose, table="derive")))
    table = patient.scene.pose.table
    assert table is not None
    shares = {
        b.structure: b.share
        for b in blocked_by(patient.scene, asked.clearances, search_fields(patient.scene, asked))
    }
    # As the planner does, from a voxel in the node's middle.
    middle = (np.array([27, 33, 20]) + 0.01) * np.array([2.0, 2.0, 3.0])
    short = CONSTRAINT_NAMES[Constraint.MIN_CHORD]
    counts = {short: 0, TABLE: 0, "bone": 0}
    need = RADIUS + 2.0
    for d in even_directions(DIRECTIONS):
        first, last = patient.boxes["node"].span(middle, d)
        tip, end = middle + first * d, middle + (first + asked.needle.max_length_mm) * d
        hub = end + asked.pose.hub_length_mm * d
        at_tip, at_end, at_hub = (table.offset_mm - float(table.normal_P @ p) for p in (tip, end, hub))
        along = tip + np.linspace(0.0, asked.needle.max_length_mm, 400)[:, None] * d
        if last - first < 20.0:
            counts[short] += 1
        elif min(at_tip, at_end) < need or min(at_end, at_hub) < need + asked.hub_radius_mm - RADIUS:
            counts[TABLE] += 1
        elif patient.boxes["bone"].distance(along).min() < need:
            counts["bone"] += 1
    for name, count in counts.items():
        assert count > 20, name
        assert abs(shares[name] - count / DIRECTIONS) <= 0.004, name


def test_what_lacks_most_is_blamed_and_not_what_is_nearest() -> None:
    """An aorta that needs 7 mm, and a rib 6 mm beside it that needs 0.5 mm. Counted anew from the boxes."""
    organs = {
        **{name: ORGANS[name] for name in ("body", "node")},
        "aorta": (Role.FORBIDDEN, ((24, 16, 14), (26, 28, 28))),
        "rib": (Role.FORBIDDEN, ((29, 16, 14), (46, 28, 28))),
    }
    asked = replace(ASKED, clearance_mm={"default": 0.5, "aorta": 7.0})
    patient = box_patient(organs, asked)
    patient = replace(patient, scene=replace(patient.scene, pose=replace(patient.scene.pose, table=None)))
    fields = search_fields(patient.scene, asked)
    shares = {b.structure: b.share for b in blocked_by(patient.scene, asked.clearances, fields)}
    middle = (np.array([27, 33, 20]) + 0.01) * np.array([2.0, 2.0, 3.0])
    outward = even_directions(DIRECTIONS)
    verdict = line.first_verdicts(fields, np.tile(middle, (DIRECTIONS, 1)), outward)
    blocks = line.first_blocks(fields, np.tile(middle, (DIRECTIONS, 1)), outward)
    counts = {"aorta": 0, "rib": 0}
    for d, ends, s in zip(outward, verdict, blocks, strict=True):
        if ends in (verdicts.BLOCKED, verdicts.HUB_BLOCKED):
            at = middle + (s + np.linspace(0.0, STEP_MM, 11)[:, None]) * d
            lacks = {n: patient.boxes[n].distance(at).min() - asked.clearance_of(n) for n in counts}
            counts[min(lacks, key=lambda name: lacks[name])] += 1
    for name, count in counts.items():
        assert count > 0, name
        assert abs(shares[name] - count / DIRECTIONS) <= 0.01, name


def test_without_a_least_run_in_the_target_none_is_too_short() -> None:
    one = box_patient()
    asked = replace(ASKED, target=replace(ASKED.target, min_chord_mm=0.0))
    assert Constraint.MIN_CHORD not in {
        b.constraint for b in blocked_by(one.scene, asked.clearances, search_fields(one.scene, asked))
    }


def test_a_run_that_no_direction_has_blocks_all_of_them() -> None:
    one = box_patient()
    asked = replace(ASKED, target=replace(ASKED.target, min_chord_mm=100.0))
    assert [
        (b.constraint, b.share)
        for b in blocked_by(one.scene, asked.clearances, search_fields(one.scene, asked))
    ] == [(Constraint.MIN_CHORD, 1.0)]
