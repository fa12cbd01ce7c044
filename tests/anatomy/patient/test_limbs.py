"""Limbs by name: arms and legs are outside the body and obstacles; their supports are no limbs."""

import numpy as np
import pytest
from box_scenes import at_voxel, box_mask, grid_of
from numpy.typing import NDArray

from anatomy.geometry.masks import MaskLayers, mask_from_bool
from anatomy.names.roles import is_known, role_of
from anatomy.patient.body.limbs import is_limb
from anatomy.scene import Scene, scene
from anatomy.structures import Role, Segmentation, Structure
from planner.appraise import Appraiser
from planner.records.request.request import Request

LIMBS = [
    *("arm_left", "Arms", "upper_arm", "lower arm R", "forearm", "Forearms", "hand_L", "elbow"),
    *("leg_left", "legs", "Leg_2", "thigh_right", "Thighs", "lower_leg", "calves", "knee", "foot_L", "feet"),
    *("limb", "limbs", "upper_limb", "lower_limb", "lower_limbs", "extremity", "extremities"),
    *(
        "upper_extremity",
        "upper_extremity_left",
        "lower_extremity",
        "lower_extremities",
        "body_extremities",
        "BodyExtremity",
    ),
]
DEVICES = [
    *("arm_board", "ArmBoard", "arm_holder", "arm_rest", "armrest", "arm_support", "hand_grip"),
    *(
        "leg_cushion",
        "leg_rest",
        "knee_support",
        "wing_board",
        "foot_rest",
        "arm_immobilization",
        "arm_immobilisation",
    ),
]
BONES = ["femur_left", "humerus_right", "tibia", "fibula", "radius", "phalanges_feet", "phalanges_hand"]


def of_role(name: str, role: Role) -> Structure:
    return Structure(name, mask_from_bool(np.ones((1, 1, 1), bool)), role)


@pytest.mark.parametrize("name", LIMBS)
def test_arms_and_legs_are_outside_the_body_and_limbs(name: str) -> None:
    assert (role_of(name), is_known(name)) == (Role.OUTSIDE, True)
    assert is_limb(of_role(name, Role.OUTSIDE))
    assert not is_limb(of_role(name, Role.FORBIDDEN))


@pytest.mark.parametrize("name", DEVICES)
def test_supports_of_limbs_are_outside_and_no_limbs(name: str) -> None:
    assert (role_of(name), is_known(name)) == (Role.OUTSIDE, True)
    assert not is_limb(of_role(name, Role.OUTSIDE))


@pytest.mark.parametrize("name", BONES)
def test_bones_of_limbs_stay_forbidden_and_are_no_limbs(name: str) -> None:
    assert (role_of(name), is_known(name)) == (Role.FORBIDDEN, True)
    assert not is_limb(of_role(name, Role.OUTSIDE))


@pytest.mark.parametrize("name", ["arm_tumour_bed", "leg_vein", "handle", "army", "thigh_fat", "footprint"])
def test_limb_names_with_an_additional_word_are_no_limbs(name: str) -> None:
    assert role_of(name) is Role.FORBIDDEN
    assert not is_limb(of_role(name, Role.OUTSIDE))


SHAPE, GRID = (50, 40, 80), grid_of((50, 40, 80), (4.0, 4.0, 4.0))
LEGS = (((6, 6, 4), (24, 34, 40)), ((26, 6, 4), (44, 34, 40)))
TRUNK = box_mask(SHAPE, ((5, 5, 40), (45, 35, 76)))
NODE = (25, 20, 50)


def scene_with_body(body: NDArray[np.bool_], **more_masks: NDArray[np.bool_]) -> Scene:
    layers = MaskLayers(SHAPE)
    masks = {
        "body": body,
        "heart": box_mask(SHAPE, ((28, 12, 58), (36, 20, 66))),
        "node_4R": box_mask(SHAPE, ((22, 17, 47), (28, 23, 53))),
        **more_masks,
    }
    parts = tuple(Structure(name, layers.add(name, mask)) for name, mask in masks.items())
    return scene(Segmentation(GRID, parts, ()))


@pytest.mark.parametrize("name", ["legs", "lower_extremity", "lower_extremities", "body_extremities"])
def test_a_trunk_that_ends_where_legs_continue_is_not_cut_there(name: str) -> None:
    full_scene = scene_with_body(TRUNK, **{name: box_mask(SHAPE, *LEGS)})
    # The trunk's upper end with air beyond is cut; its lower end is not.
    assert full_scene.grid.shape == (50, 40, 76)
    assert full_scene.structure(name).role is Role.OUTSIDE


@pytest.mark.parametrize("name", ["arm_board", "leg_cushion", "wing_board"])
def test_a_trunk_that_ends_where_a_board_continues_is_cut_there(name: str) -> None:
    full_scene = scene_with_body(TRUNK, **{name: box_mask(SHAPE, *LEGS)})
    assert full_scene.grid.shape == (50, 40, 36)


@pytest.mark.parametrize("body_content", ["trunk", "trunk and legs"])
@pytest.mark.parametrize("overlap", [0, 8])
def test_no_needle_may_cross_a_leg(body_content: str, overlap: int) -> None:
    """Legs separate from the trunk's structure or part of it, with or without overlap with the trunk."""
    a, b = (box_mask(SHAPE, (low, (*high[:2], high[2] + overlap))) for low, high in LEGS)
    femur = box_mask(SHAPE, ((14, 18, 20), (17, 22, 44)))
    body = TRUNK | a | b if body_content == "trunk and legs" else TRUNK
    full_scene = scene_with_body(body, leg_left=b & ~femur, leg_right=a & ~femur, femur_right=femur)
    legs = full_scene.structure("leg_left"), full_scene.structure("leg_right")
    assert all(leg.role is Role.OUTSIDE and leg.mask.count > 0 for leg in legs)
    leg_voxels = [(i, j, 20) for i in (8, 12, 20, 30, 42) for j in (8, 14, 26, 32)]
    tip_P = at_voxel(GRID, *NODE)
    entries_P = [tip_P + 1.9 * (at_voxel(GRID, *place) - tip_P) for place in leg_voxels]
    tracks = Appraiser(full_scene, Request()).appraise(
        np.array(entries_P), np.array([tip_P] * len(leg_voxels))
    )
    assert all(
        any("runs into" in reason.detail and "leg" in reason.detail for reason in track.reasons)
        for track in tracks
    )
