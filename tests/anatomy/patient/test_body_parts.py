"""A body in parts: needles enter the largest, limbs are obstacles, tiny parts are omitted, and notes say
so."""

from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from true_plans import LINES, ORGANS, REQUEST, SPACING, box_patient, honest_plan

from anatomy.geometry.frames import Grid
from anatomy.geometry.masks import MaskLayers
from anatomy.patient.body.body import body_of
from anatomy.patient.body.body_parts import MIN_CUT_PART_MM3, MIN_PART_MM3
from anatomy.scene import Scene, scene
from anatomy.structures import Role, Segmentation, Structure
from planner.measuring.measure import measure
from planner.verify import verify

SHAPE = (30, 30, 30)
CUBE_MM = 5.0
VOXEL_MM3 = CUBE_MM**3
Boxes = Mapping[str, tuple[Role, list[tuple[tuple[int, int, int], tuple[int, int, int]]]]]

TRUNK = ((8, 8, 0), (22, 22, 30))
ARM = ((25, 10, 2), (29, 16, 28))
ARM_BESIDE: Boxes = {
    "body": (Role.SKIN, [TRUNK, ARM]),
    "heart": (Role.FORBIDDEN, [((10, 10, 10), (13, 13, 13))]),
    "node": (Role.TARGET, [((15, 14, 14), (18, 17, 17))]),
}


def mask_of(boxes: list) -> np.ndarray:
    mask = np.zeros(SHAPE, bool)
    for first, last in boxes:
        mask[tuple(slice(a, b) for a, b in zip(first, last, strict=True))] = True
    return mask


def segmentation(parts: Boxes) -> Segmentation:
    layers = MaskLayers(SHAPE)
    structures = tuple(
        Structure(n, layers.add(n, mask_of(boxes)), role) for n, (role, boxes) in parts.items()
    )
    return Segmentation(Grid(SHAPE, np.diag([CUBE_MM] * 3 + [1.0])), structures, ())


def scene_of(parts: Boxes) -> Scene:
    return scene(segmentation(parts))


def with_body(*boxes) -> Boxes:
    return {**ARM_BESIDE, "body": (Role.SKIN, [TRUNK, *boxes])}


def test_an_arm_beside_the_trunk_is_an_obstacle_and_no_part_of_the_body() -> None:
    full_scene = scene_of(ARM_BESIDE)
    arm = full_scene.structure("body_part_2")
    assert arm.role is Role.OUTSIDE
    assert np.array_equal(arm.mask.layer == arm.mask.label, mask_of([ARM]))
    assert np.array_equal(full_scene.body.layer == full_scene.body.label, mask_of([TRUNK]))
    [note] = [note for note in full_scene.notes if "parts" in note]
    assert "in 2 parts" in note and "body_part_2 (78 cc)" in note


def test_a_body_in_one_part_has_no_note_on_parts() -> None:
    full_scene = scene_of(with_body())
    assert not any("part" in note for note in full_scene.notes)
    assert not any("body_part" in name for name in full_scene.names())


def test_a_part_never_takes_the_name_of_a_structure() -> None:
    structures = {**ARM_BESIDE, "body_part_2": (Role.FORBIDDEN, [((9, 9, 20), (11, 11, 22))])}
    full_scene = scene_of(structures)
    assert full_scene.structure("body_part_2").role is Role.FORBIDDEN
    assert full_scene.structure("body_part_3").role is Role.OUTSIDE


@pytest.mark.parametrize(
    ("box", "obstacle"),
    [
        # 79 and 80 voxels of 125 mm3 in the middle of the view: 9.9 and 10 cc
        ([((25, 10, 10), (28, 14, 16)), ((28, 10, 10), (29, 11, 17))], False),
        ([((25, 10, 10), (29, 14, 15))], True),
        # Seven and eight voxels at the edge of the view: 0.9 and 1 cc
        ([((25, 10, 29), (32, 11, 30)), ((25, 11, 29), (27, 12, 30))], False),
        ([((25, 10, 28), (27, 12, 30))], True),
    ],
)
def test_small_parts_are_omitted_and_reported_unless_the_view_cuts_them(box: list, obstacle: bool) -> None:
    volume_mm3 = np.count_nonzero(mask_of(box)) * VOXEL_MM3
    full_scene = scene_of(with_body(*box))
    assert ("body_part_2" in full_scene.names()) == obstacle
    dropped = [
        note for note in full_scene.notes if note.startswith("Left out of the body as separate specks")
    ]
    assert len(dropped) == (not obstacle)
    assert obstacle or f"1 part, {volume_mm3 / 1000:.3g} cc together" in dropped[0]


@given(
    st.lists(
        st.tuples(*(st.integers(0, n - 3) for n in SHAPE), *(st.integers(1, 9) for _ in SHAPE)), max_size=5
    )
)
def test_every_voxel_of_a_body_is_in_a_part_or_reported_as_omitted(corners: list) -> None:
    boxes = [(c[:3], tuple(np.minimum(np.add(c[:3], c[3:]), SHAPE))) for c in corners]
    input_data = segmentation(with_body(*boxes))
    parts, _ = body_of(input_data.structures, input_data.grid)
    masks = [parts.body, *parts.apart]
    union = np.zeros(SHAPE, int)
    for mask in masks:
        union += mask.layer == mask.label
    assert union.max() == 1
    body = mask_of([TRUNK, *boxes])
    # Holes in slices are filled, so the parts contain at least the given voxels.
    missing_mm3 = np.count_nonzero(body & (union == 0)) * VOXEL_MM3
    dropped_mm3 = [speck.volume_mm3 for speck in parts.specks]
    assert missing_mm3 <= sum(dropped_mm3) + 1e-6
    for speck in parts.specks:
        box = tuple(slice(a, b) for a, b in zip(speck.lower, speck.upper, strict=True))
        assert np.any(body[box] & (union[box] == 0))
        union[box] = 1
    assert not np.any(body & (union == 0)), "the boxes of omitted parts contain all missing voxels"
    volumes = [mask.count * VOXEL_MM3 for mask in masks]
    assert volumes == sorted(volumes, reverse=True)
    assert all(v >= MIN_CUT_PART_MM3 for v in volumes[1:])
    assert all(0.0 < v < MIN_PART_MM3 for v in dropped_mm3)


def test_an_organ_in_an_arm_is_not_reported_as_outside_and_one_in_the_air_is() -> None:
    bone = {"humerus_left": (Role.FORBIDDEN, [((26, 12, 5), (28, 14, 25))])}
    assert not any("completely outside" in note for note in scene_of({**ARM_BESIDE, **bone}).notes)
    air = {"liver": (Role.FORBIDDEN, [((0, 0, 5), (5, 5, 25))])}
    full_scene = scene_of({**ARM_BESIDE, **air})
    assert any(note.startswith("liver lies completely outside the body.") for note in full_scene.notes)
    assert "body_part_3" not in full_scene.names()


def test_separate_organs_without_a_body_structure_are_obstacles_outside() -> None:
    parts = {name: part for name, part in ARM_BESIDE.items() if name != "body"}
    muscle = {"gluteus_maximus_left": (Role.PASSABLE, [((24, 24, 20), (29, 29, 29))])}
    liver = {"liver": (Role.FORBIDDEN, [((8, 8, 14), (14, 22, 26))])}
    full_scene = scene_of({**parts, **muscle, **liver})
    assert full_scene.structure("body_part_2").role is Role.OUTSIDE


def test_a_needle_through_a_separate_arm_fails_verification() -> None:
    """The chest of boxes with a body that has an arm at the needle's hub."""
    point, outward = LINES["anterior"]
    patient = box_patient()
    assert measure(patient.scene, REQUEST.needle_assembly, np.array(point), np.array(outward)) is not None
    arm = arm_in_front()
    organs = {name: organ for name, organ in ORGANS.items() if name != "body"}
    plan = honest_plan(patient, lines={"anterior": LINES["anterior"]})
    layers = MaskLayers(patient.scene.grid.shape)
    body = next(s for s in patient.scene.structures if s.name == "body")
    mask = (body.mask.layer == body.mask.label) | arm
    organs_kept = tuple(s for s in patient.scene.structures if s.name in organs)
    structures = (*organs_kept, Structure("body", layers.add("body", mask), Role.SKIN))
    scene_with_arm = scene(
        Segmentation(patient.scene.grid, structures, patient.scene.inputs), targets=("node",)
    )
    assert "body_part_2" in scene_with_arm.names()
    failed = {c.name for c in verify(plan, scene_with_arm).checks if not c.passed}
    assert "needle and hub stay outside the body beyond the entry" not in failed
    assert any("clearance" in name for name in failed), failed


def arm_in_front() -> np.ndarray:
    mask = np.zeros((60, 60, 40), bool)
    # In front of the chest, separated by 8 mm of air
    mask[20:44, 0:6, 10:34] = True
    assert mask.sum() * np.prod(SPACING) > MIN_PART_MM3
    return mask
