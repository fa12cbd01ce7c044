"""What blocks the way: shares of directions by what comes first."""

from dataclasses import replace
from math import fsum

import numpy as np
from honest_plans import ORGANS, REQUEST, Patient, Voxels, patient

from anatomy.structures import Layers, Role, Structure
from planner.blockers import blocked_by
from planner.records import LIMITS
from planner.world import world

ASKED = replace(REQUEST, clearance_mm={"default": 2.0})


def wrapped(bone: Voxels) -> Patient:
    """The node behind a plate of bone, and nothing else in the way, not even a table."""
    who = patient({"body": ORGANS["body"], "node": ORGANS["node"], "bone": (Role.FORBIDDEN, bone)})
    return replace(who, scene=replace(who.scene, pose=replace(who.scene.pose, table=None)))


def test_a_bone_all_round_blocks_every_direction() -> None:
    who = wrapped(((22, 28, 15), (34, 39, 27)))
    assert [(b.structure, b.share) for b in blocked_by(who.scene, world(who.scene, ASKED))] == [("bone", 1.0)]


def test_a_wide_plate_in_front_blocks_about_half_of_what_is_free_without_it() -> None:
    who = wrapped(((9, 26, 1), (51, 28, 39)))
    shares = {b.structure: b.share for b in blocked_by(who.scene, world(who.scene, ASKED))}
    assert 0.35 < shares["bone"] < 0.55


def test_a_target_in_two_parts_is_asked_about_from_a_voxel_of_its_own() -> None:
    """Their middle lies in neither. No number may overflow or be undefined on the way."""
    one = patient()
    mask = np.zeros(one.scene.grid.shape, bool)
    mask[24:27, 30:37, 17:25] = mask[14:17, 30:37, 17:25] = True
    node = Structure("node", Layers(mask.shape).add("node", mask), Role.TARGET)
    others = tuple(s for s in one.scene.structures if s.name != "node")
    scene = replace(one.scene, structures=(*others, node), target=node.mask)
    with np.errstate(all="raise"):
        blockers = blocked_by(scene, world(scene, ASKED))
    assert blockers
    assert fsum(b.share for b in blockers) <= 1.0 + 1e-12
    assert {b.structure for b in blockers} <= {s.name for s in scene.structures} | set(LIMITS)
    assert [b.share for b in blockers] == sorted((b.share for b in blockers), reverse=True)
