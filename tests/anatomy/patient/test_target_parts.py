"""A target in parts, outside the body, or at the edge of the view: refused or reported, never used
silently."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage
from true_plans import ORGANS, REQUEST, Patient, box_patient, honest_plan

from anatomy.errors import StructureError
from anatomy.geometry.frames import Grid
from anatomy.geometry.masks import MaskLayers, mask_from_bool
from anatomy.geometry.surface import Surface
from anatomy.patient.target_parts import (
    FRAGMENT_MM3,
    MAX_PARTS,
    SPECK_AWAY_MM,
    SPECK_MM3,
    SPECK_SHARE,
    without_fragments,
)
from anatomy.scene import Scene, scene
from anatomy.structures import Role, Segmentation, Structure
from planner.dose.ptv import beyond_view_mm
from planner.records.plan import Plan
from planner.records.request.prescription import Prescription
from planner.records.wording.implant import notes_on_ptv
from planner.verify import verify
from planner.verify.needle_set.ptv import beyond_view_mm as verified_beyond_view_mm

GRID = Grid((40, 40, 40), np.diag([2.0, 2.0, 2.0, 1.0]))
VOXEL_MM3 = 8.0


def boxes(*corners: tuple) -> np.ndarray:
    mask = np.zeros(GRID.shape, bool)
    for first, last in corners:
        mask[tuple(slice(a, b) for a, b in zip(first, last, strict=True))] = True
    return mask


MAIN = ((4, 4, 4), (12, 12, 12))
BODY = ((2, 2, 0), (38, 38, 40))


def target(mask: np.ndarray) -> Structure:
    return Structure("node", MaskLayers(GRID.shape).add("node", mask), Role.TARGET)


def chest_with_target(node: np.ndarray, body: np.ndarray | None = None, **targets: np.ndarray) -> Scene:
    """A chest with this node in a body; each mask has its own layer, as in a folder of masks."""
    layers = MaskLayers(GRID.shape)
    parts = {
        "body": (Role.SKIN, boxes(BODY) if body is None else body),
        "node": (Role.TARGET, node),
        "heart": (Role.FORBIDDEN, boxes(((20, 20, 20), (24, 24, 24)))),
        **{name: (Role.TARGET, mask) for name, mask in targets.items()},
    }
    structures = tuple(Structure(name, layers.add(name, mask), role) for name, (role, mask) in parts.items())
    return scene(Segmentation(GRID, structures, ()))


def voxels(full_scene: Scene) -> int:
    return full_scene.target.count


def test_a_stray_voxel_far_away_is_omitted_and_reported() -> None:
    full_scene = chest_with_target(boxes(MAIN, ((30, 30, 30), (31, 31, 31))))
    assert voxels(full_scene) == 8**3
    assert full_scene.structure("node").mask.count == 8**3
    [note] = [note for note in full_scene.notes if note.startswith("node is in 2 parts")]
    # From (11, 11, 11) to (30, 30, 30) in voxels of 2 mm
    assert "4.1 cc, 0.008 cc 66 mm away" in note
    assert "not treated: 1, the largest at LPS (60, 60, 60)" in note
    assert "name both as the target" in note


def test_near_or_large_parts_are_treated_and_reported() -> None:
    near = chest_with_target(boxes(MAIN, ((14, 4, 4), (15, 5, 5))))
    assert voxels(near) == 8**3 + 1
    large = chest_with_target(boxes(MAIN, ((30, 30, 30), (33, 33, 33))))
    assert voxels(large) == 8**3 + 27
    for full_scene in (near, large):
        [note] = [note for note in full_scene.notes if note.startswith("node is in 2 parts")]
        assert note.endswith("All are treated as one target.")


def test_a_small_lesion_in_its_own_mask_is_treated() -> None:
    lesion = boxes(((30, 30, 30), (31, 31, 31)))
    full_scene = chest_with_target(boxes(MAIN), lesion=lesion)
    assert voxels(full_scene) == 8**3 + 1
    assert not any("parts" in note for note in full_scene.notes)


def test_parts_that_touch_at_a_corner_are_one() -> None:
    full_scene = chest_with_target(boxes(MAIN, ((12, 12, 12), (13, 13, 13))))
    assert not any("parts" in note for note in full_scene.notes)
    assert voxels(full_scene) == 8**3 + 1


def test_a_small_distant_part_that_may_be_a_node_is_refused() -> None:
    """The main part has 4.1 cc. Eight voxels (64 mm3) are a fragment; nine (72 mm3) may be a node."""
    assert voxels(chest_with_target(boxes(MAIN, ((30, 30, 30), (32, 32, 32))))) == 8**3
    with pytest.raises(
        StructureError,
        match=r"'node' has a part of 0\.072 cc at LPS \(60, 60, 60\), 66 mm from the main one: ",
    ) as error:
        chest_with_target(boxes(MAIN, ((30, 30, 30), (33, 33, 31))))
    assert "remove it from the mask" in error.value.remedy
    assert "name both as the target" in error.value.remedy
    with pytest.raises(StructureError, match=r"and 1 more such"):
        chest_with_target(boxes(MAIN, ((30, 30, 30), (33, 33, 31)), ((30, 20, 30), (33, 23, 31))))


def test_one_voxel_of_a_coarse_grid_is_a_fragment_and_three_are_not() -> None:
    coarse = Grid(GRID.shape, np.diag([4.0, 4.0, 4.0, 1.0]))
    cleaned, _ = without_fragments(target(boxes(MAIN, ((30, 30, 30), (31, 31, 31)))), coarse)
    assert cleaned.mask.count == 8**3
    with pytest.raises(StructureError, match=r"a part of 0\.19 cc"):
        without_fragments(target(boxes(MAIN, ((30, 30, 30), (33, 31, 31)))), coarse)


def scattered_target(count: int, size: int) -> Structure:
    """A target of `count` voxels that do not touch each other."""
    mask = np.zeros((size, size, size), bool)
    places = np.argwhere(np.ones((size // 2,) * 3))[:: (size // 2) ** 3 // count][:count] * 2
    mask[tuple(places.T)] = True
    return Structure("speckle", mask_from_bool(mask), Role.TARGET)


def test_scattered_voxels_are_refused_by_their_number_and_an_organ_by_its_length(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    grid = Grid((60, 60, 60), np.diag([1.0, 1.0, 1.0, 1.0]))
    assert len(without_fragments(scattered_target(MAX_PARTS, 60), grid)[1]) == MAX_PARTS
    with pytest.raises(StructureError, match=f"'speckle' is in {MAX_PARTS + 1} parts"):
        without_fragments(scattered_target(MAX_PARTS + 1, 60), grid)
    monkeypatch.setattr("anatomy.patient.target_parts.ndimage.label", None)
    lungs = Structure("lungs", mask_from_bool(np.ones((60, 60, 60), bool)), Role.TARGET)
    with pytest.raises(StructureError, match="'lungs' is 180 mm long"):
        without_fragments(lungs, Grid((60, 60, 60), np.diag([3.0, 3.0, 3.0, 1.0])))


def test_parts_are_processed_in_their_own_boxes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Searching the whole target's box for each part would take hours on a large image."""
    scattered = scattered_target(100, 60)
    sizes: list[int] = []
    argwhere = np.argwhere
    monkeypatch.setattr(
        "anatomy.patient.target_parts.np.argwhere", lambda a: sizes.append(a.size) or argwhere(a)
    )
    without_fragments(scattered, Grid((60, 60, 60), np.eye(4)))
    assert sizes == [1] * 101  # the main part twice, once for its tree


@given(st.lists(st.tuples(*[st.integers(0, 36)] * 3, *[st.integers(1, 4)] * 3), min_size=1, max_size=6))
def test_only_voxels_of_fragments_are_omitted_and_all_parts_are_reported(corners: list) -> None:
    mask = boxes(*((c[:3], tuple(np.add(c[:3], c[3:]))) for c in corners))
    try:
        cleaned, parts = without_fragments(target(mask), GRID)
    except StructureError as error:
        # Some part is small, far away and larger than a fragment.
        numbers, _ = ndimage.label(mask, np.ones((3, 3, 3)))
        sizes = np.bincount(numbers.ravel())[1:] * VOXEL_MM3
        assert "a separate node, or noise" in error.value
        assert ((sizes >= FRAGMENT_MM3) & (sizes < min(SPECK_MM3, SPECK_SHARE * sizes.max()))).any()
        return
    omitted = mask & ~(cleaned.mask.layer == cleaned.mask.label)
    fragments = [part for part in parts if part.is_fragment]
    assert np.count_nonzero(omitted) * VOXEL_MM3 == pytest.approx(sum(p.volume_mm3 for p in fragments))
    assert all(p.is_fragment for p in parts if p.is_speck)
    if parts:
        assert sum(p.volume_mm3 for p in parts) == pytest.approx(np.count_nonzero(mask) * VOXEL_MM3)
        assert parts[0].away_mm == 0.0 and not parts[0].is_speck
        assert all(p.volume_mm3 < min(FRAGMENT_MM3, SPECK_SHARE * parts[0].volume_mm3) for p in fragments)
        assert all(p.away_mm > SPECK_AWAY_MM for p in fragments)
    else:
        assert not omitted.any()


def test_a_surface_with_fragments_is_refused() -> None:
    node = target(boxes(MAIN, ((30, 30, 30), (31, 31, 31))))
    with_surface = replace(node, surface=Surface(np.zeros((0, 3)), np.zeros((0, 3), int)))
    with pytest.raises(StructureError, match=r"'node' is in 2 parts, and 1 of them .* LPS \(60, 60, 60\)"):
        without_fragments(with_surface, GRID)


def test_a_target_in_the_air_is_refused_though_it_touches_the_skin() -> None:
    body = boxes(((14, 2, 0), (38, 38, 40)))
    with pytest.raises(StructureError, match="100 % of the target lies outside the body"):
        chest_with_target(boxes(((2, 10, 10), (10, 18, 18))), body)
    with pytest.raises(StructureError, match="100 % of the target lies outside the body"):
        chest_with_target(boxes(((6, 10, 10), (14, 18, 18))), body)


def scene_with_parts(node: np.ndarray, parts: dict[str, np.ndarray], roles: dict[str, str]) -> Scene:
    """These parts and a node, with the roles of their names except for the requested ones."""
    layers = MaskLayers(GRID.shape)
    structures = [Structure(name, layers.add(name, mask)) for name, mask in {**parts, "node": node}.items()]
    return scene(Segmentation(GRID, tuple(structures), ()), (), roles)


HEART = boxes(((14, 20, 20), (18, 24, 24)))


def test_a_target_in_a_structure_with_role_outside_is_refused_with_a_remedy() -> None:
    """An axillary node inside a structure of arms; with the role that the error names, it is accepted."""
    node, arms = boxes(((32, 18, 18), (36, 22, 22))), boxes(((28, 14, 10), (38, 28, 30)))
    parts = {"body": boxes(BODY), "body_extremities": arms, "heart": HEART}
    with pytest.raises(
        StructureError, match="100 % of the target lies outside the body, in 'body_extremities', whose role"
    ) as error:
        scene_with_parts(node, parts, {})
    assert '"body_extremities": "passable"' in error.value.remedy
    assert voxels(scene_with_parts(node, parts, {"body_extremities": "passable"})) == 4**3


def test_a_target_in_a_separate_part_of_the_body_is_refused_with_a_remedy() -> None:
    """An arm beside the trunk; with the trunk as an outside structure, needles enter the arm."""
    trunk, arm = boxes(((2, 2, 0), (26, 38, 40))), boxes(((29, 8, 0), (39, 30, 40)))
    node = boxes(((32, 18, 18), (36, 22, 22)))
    with pytest.raises(
        StructureError, match="in body_part_2, a part of the body structure separate"
    ) as error:
        scene_with_parts(node, {"body": trunk | arm, "heart": HEART}, {})
    assert "with the role outside in roles" in error.value.remedy
    shoulder = boxes(((30, 10, 4), (32, 12, 8)))
    full_scene = scene_with_parts(
        node, {"body": arm, "trunk_rest": trunk, "humerus": shoulder}, {"trunk_rest": "outside"}
    )
    assert np.array_equal(full_scene.body.layer == full_scene.body.label, arm)


def test_a_target_far_from_organs_without_a_body_is_refused_with_a_remedy() -> None:
    node = boxes(((36, 36, 36), (39, 39, 39)))
    with pytest.raises(
        StructureError, match="guessed from the organs, because no body structure was given"
    ) as error:
        scene_with_parts(node, {"heart": boxes(((2, 2, 2), (12, 12, 12)))}, {})
    assert "Give one" in error.value.remedy


@pytest.mark.parametrize("depth", [1, 2, 3, 4, 6, 8])
def test_a_target_partly_outside_the_body_is_reported_or_refused(depth: int) -> None:
    """`depth` of the target's eight layers lie in the body."""
    body, node = boxes(((8, 2, 0), (38, 38, 40))), boxes(((depth, 10, 10), (depth + 8, 18, 18)))
    if depth < 4:
        with pytest.raises(StructureError, match=f"{100 - 12.5 * depth:.0f} % of the target lies outside"):
            chest_with_target(node, body)
        return
    full_scene = chest_with_target(node, body)
    notes = [note for note in full_scene.notes if "outside the body structure" in note]
    assert len(notes) == (depth < 8)
    assert depth == 8 or notes[0].startswith(f"{100 - 12.5 * depth:.2g} %")
    assert np.array_equal(full_scene.body.layer == full_scene.body.label, body | node)


def test_a_target_at_the_skin_of_a_label_map_lies_in_its_body() -> None:
    """In a label map, the body has a hole at the target, and a hole at the skin is open to the air."""
    node = boxes(((2, 10, 10), (8, 16, 16)))
    full_scene = chest_with_target(node, boxes(BODY) & ~node)
    assert voxels(full_scene) == node.sum()
    assert not any("outside the body structure" in note for note in full_scene.notes)
    assert np.array_equal(full_scene.body.layer == full_scene.body.label, boxes(BODY))


@pytest.mark.parametrize(
    ("axis", "end", "side"),
    [
        (0, 0, "right"),
        (0, 1, "left"),
        (1, 0, "anterior"),
        (1, 1, "posterior"),
        (2, 0, "caudal"),
        (2, 1, "cranial"),
    ],
)
def test_a_target_cut_by_the_view_is_reported_with_the_side(axis: int, end: int, side: str) -> None:
    first, last = [10, 10, 10], [16, 16, 16]
    first[axis], last[axis] = (0, 6) if end == 0 else (34, 40)
    full_body = np.ones(GRID.shape, bool)
    full_scene = chest_with_target(boxes((tuple(first), tuple(last))), full_body)
    assert f"The target is cut by the edge of the field of view ({side})" in " ".join(full_scene.notes)
    first[axis], last[axis] = (1, 7) if end == 0 else (33, 39)
    inside = chest_with_target(boxes((tuple(first), tuple(last))), full_body)
    assert not any("cut by the edge" in note for note in inside.notes)


def patient_with_node_near_top() -> Patient:
    """The chest of boxes with its node two voxels, 6 mm, below the cranial edge of the view."""
    return box_patient({**ORGANS, "node": (Role.TARGET, ((24, 30, 30), (32, 37, 38)))})


@pytest.mark.parametrize(("margin", "beyond_mm"), [(5.0, 0.0), (6.0, 0.0), (7.5, 1.5), (15.0, 9.0)])
def test_a_ptv_beyond_the_view_is_reported_with_its_distance(margin: float, beyond_mm: float) -> None:
    patient = patient_with_node_near_top()
    request = replace(REQUEST, target=replace(REQUEST.target, margin_mm=margin))
    assert beyond_view_mm(patient.scene, request.target.margin_mm) == pytest.approx(beyond_mm)
    assert verified_beyond_view_mm(patient.scene, request.target.margin_mm) == pytest.approx(beyond_mm)
    notes = notes_on_ptv(beyond_mm)
    assert notes == () if beyond_mm == 0.0 else f"{beyond_mm:.1f} mm beyond the edge" in notes[0]


def test_verification_requires_the_note_on_a_ptv_beyond_the_view() -> None:
    patient = patient_with_node_near_top()
    target = replace(REQUEST.target, margin_mm=10.0)
    request = replace(REQUEST, target=target, prescription=Prescription())
    line = {"anterior": ((58.0, 66.0, 100.0), (0.1, -1.0, 0.05))}
    without_note = honest_plan(patient, request, line)
    with_note = replace(without_note, notes=(*without_note.notes, *notes_on_ptv(4.0)))
    assert "notes on the input" in failed(without_note, patient)
    assert "notes on the input" not in failed(with_note, patient)


def failed(plan: Plan, patient: Patient) -> set[str]:
    return {check.name for check in verify(plan, patient.scene).checks if not check.passed}
