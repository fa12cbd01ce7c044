"""The field of view may cut the body before the grid's edge; no needle enters through such a cut."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import trimesh
from box_scenes import grid_of, pose_P
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from anatomy.errors import FrameMismatch, StructureError
from anatomy.geometry.frames import Grid
from anatomy.geometry.masks import MaskLayers, bounding_box
from anatomy.patient.body.flat_end import flat_end
from anatomy.readers.read import read
from anatomy.scene import Scene, scene
from anatomy.structures import InputDigest, Segmentation, Structure
from planner.appraise import Appraiser
from planner.records.request.request import Request
from planner.verify.claims import Claims
from planner.verify.needle.examined_axis import examined_axis
from planner.verify.needle.track import check_from_skin

SPACING_MM = 2.0
SLICES = 40
"""Number of slices in the field of view."""


def cylinder(
    pad: tuple[int, int], shape: str = "flat", motion: np.ndarray | None = None, **more_masks: np.ndarray
):
    """A trunk with half axes of 40 x 36 mm on SLICES slices, with empty slices below and above, and
    organs."""
    size = (50, 50, pad[0] + SLICES + pad[1])
    grid = grid_of(size, (SPACING_MM,) * 3, motion)
    i, j, k = np.indices(size)
    k = k - pad[0]
    radius2 = ((i - 25) / 20) ** 2 + ((j - 25) / 18) ** 2
    body = (radius2 <= 1) & (k >= 0) & (k < SLICES)
    if shape == "round":
        body = radius2 + ((k - 19.5) / 20) ** 2 <= 1
    masks = {
        "body": body,
        "node_4R": (abs(i - 25) < 3) & (abs(j - 25) < 3) & (abs(k - 29) < 3),
        "lung_right": (abs(i - 13) < 3) & (abs(j - 25) < 5) & (abs(k - 20) < 10),
        "heart": (abs(i - 33) < 3) & (abs(j - 25) < 5) & (abs(k - 12) < 6),
        **more_masks,
    }
    layers = MaskLayers(size)
    parts = tuple(Structure(n, layers.add(n, m)) for n, m in masks.items())
    ct = np.broadcast_to(k, size).astype(np.int16)
    return Segmentation(grid, parts, (InputDigest("labels.nii.gz", "0" * 64),), ct_hu=ct)


def appraise_needle(scene: Scene, entry_P=(50.0, 10.0, 100.0), tip_P=(50.0, 51.0, 60.0)):
    return Appraiser(scene, Request()).appraise(np.array([entry_P], float), np.array([tip_P], float))[0]


@pytest.mark.parametrize("pad", [(0, 0), (0, 1), (0, 6), (5, 6)])
def test_a_cut_face_is_no_skin_for_any_number_of_empty_slices_beyond(pad: tuple[int, int]) -> None:
    full_scene = scene(cylinder(pad))
    shift = np.array([0.0, 0.0, SPACING_MM * pad[0]])
    track = appraise_needle(
        full_scene, np.array([50.0, 10.0, 100.0]) + shift, np.array([50.0, 51.0, 60.0]) + shift
    )
    assert track.reasons[0].detail == "It leaves the body at the cut edge of the field of view."


def test_the_grid_and_everything_on_it_end_with_the_body() -> None:
    uncropped_input, full_scene = cylinder((5, 6)), scene(cylinder((5, 6)))
    assert full_scene.grid.shape == (50, 50, SLICES)
    assert full_scene.ct_hu is not None and full_scene.ct_hu.shape == full_scene.grid.shape
    assert (full_scene.ct_hu[0, 0] == np.arange(SLICES)).all()
    for s in full_scene.structures:
        uncropped = next(old for old in uncropped_input.structures if old.name == s.name)
        positions = [
            grid.to_patient((np.argwhere(mask.cropped()) + mask.lower) * SPACING_MM)
            for grid, mask in ((full_scene.grid, s.mask), (uncropped_input.grid, uncropped.mask))
        ]
        assert np.array_equal(*positions), s.name
    assert [note for note in full_scene.notes if "flat" in note] == [
        f"The body ends flat at z = {z:.1f} mm: it counts as cut there by the field of view, and no needle "
        "enters through it."
        for z in (9.0, 89.0)
    ]


def test_a_rounded_end_is_skin() -> None:
    full_scene = scene(cylinder((5, 6), "round"))
    assert full_scene.grid.shape == (50, 50, SLICES + 11)
    assert not any("flat" in note for note in full_scene.notes)


@pytest.mark.parametrize("thick_mm", [1.0, 3.0, 5.0, 10.0])
def test_no_ellipsoid_ends_flat_for_any_slice_thickness(thick_mm: float) -> None:
    grid = grid_of((60, 50, round(240 / thick_mm)), (7.0, 7.0, thick_mm))
    for middle in np.linspace(120.0, 120.0 + thick_mm, 5):
        x, y, z = (np.arange(n) * h for n, h in zip(grid.shape, grid.spacing_mm, strict=True))
        d = (
            ((x[:, None, None] - 210) / 190) ** 2
            + ((y[None, :, None] - 170) / 150) ** 2
            + ((z[None, None] - middle) / 95) ** 2
        )
        layers = MaskLayers(grid.shape)
        parts = {"body": d <= 1, "node_4R": d <= 0.01, "heart": (d > 0.1) & (d < 0.2)}
        segmentation = Segmentation(grid, tuple(Structure(n, layers.add(n, m)) for n, m in parts.items()), ())
        assert scene(segmentation).grid is grid


def test_the_axis_along_the_patient_is_found_in_any_pose() -> None:
    full_scene = scene(cylinder((0, 6), motion=pose_P((20.0, -10.0, 40.0), (5.0, 6.0, 7.0))))
    assert full_scene.grid.shape == (50, 50, SLICES)


def test_verification_refuses_an_entry_through_the_cut() -> None:
    full_scene = scene(cylinder((0, 6)))
    claims = Claims()
    examined = examined_axis(claims, "path 1", (50.0, 27.0, 78.9), (50.0, 51.0, 60.0), full_scene, Request())
    assert examined is not None
    check_from_skin(claims, examined)
    assert any("cut edge" in check.name for check in claims.verification().checks if not check.passed)


def test_a_body_drawn_on_some_slices_only_is_refused() -> None:
    """Otherwise, the skin would be the surface of the lung there, inside the chest wall."""
    size = (50, 50, SLICES + 20)
    i, j, k = np.indices(size)
    lung = (((i - 25) / 20) ** 2 + ((j - 25) / 18) ** 2 <= 0.6) & (i < 18) & (k < SLICES + 15)
    with pytest.raises(StructureError, match=r"ends flat at z = 79.0 mm, .* extend beyond it for 30 mm"):
        scene(cylinder((0, 20), lung_right=lung))


def _with_last_slices(pad: tuple[int, int], shares: Sequence[float]) -> Segmentation:
    """A trunk that is flat at the top, with further slices that have these fractions of its area, from the
    inner one outwards."""
    size = (50, 50, pad[0] + SLICES + pad[1])
    i, j, k = np.indices(size)
    radius2 = ((i - 25) / 20) ** 2 + ((j - 25) / 18) ** 2
    body = (radius2 <= 1) & (k >= pad[0]) & (k < pad[0] + SLICES - len(shares))
    for n, share in enumerate(shares):
        body |= (radius2 <= share) & (k == pad[0] + SLICES - len(shares) + n)
    return cylinder(pad, body=body)


@pytest.mark.long
@settings(max_examples=40, deadline=None)
@given(
    shares=st.lists(st.floats(0.02, 1.0), max_size=3).map(lambda some: sorted(some, reverse=True)),
    pad=st.tuples(st.sampled_from([0, 6]), st.sampled_from([0, 1, 6])),
)
@example(shares=[0.33], pad=(0, 6))
@example(shares=[0.33, 0.33], pad=(0, 6))
@example(shares=[0.7, 0.33], pad=(0, 6))
@example(shares=[0.5, 0.2], pad=(0, 6))
@example(shares=[0.59], pad=(0, 0))
@example(shares=[0.5, 0.5, 0.5], pad=(0, 6))
@example(shares=[0.02], pad=(6, 0))
def test_incomplete_last_slices_do_not_hide_the_cut(shares: list[float], pad: tuple[int, int]) -> None:
    """Such slices come from a segmentation network. Neither they nor the uncovered slice below are skin."""
    full_scene = scene(_with_last_slices(pad, shares))
    shift = np.array([0.0, 0.0, SPACING_MM * pad[0]])
    for entry_P in ((50.0, 40.0, 100.0), (50.0, -5.0, 100.0)):
        assert _refused_as_cut(full_scene, np.array(entry_P) + shift, np.array([50.0, 51.0, 56.0]) + shift)


def _refused_as_cut(scene: Scene, entry_P: np.ndarray, tip_P: np.ndarray) -> bool:
    """Whether the cut is the only reason against the needle."""
    details = [reason.detail for reason in appraise_needle(scene, entry_P, tip_P).reasons]
    return details == ["It leaves the body at the cut edge of the field of view."]


PIXEL_MM = 4.0


def discs(areas_mm2: np.ndarray) -> np.ndarray:
    """Slices (n, 60, 60) with discs of these areas around one axis, from the end inwards. [mm2]"""
    i, j = np.indices((60, 60)) - 29.5
    return (i**2 + j**2) * PIXEL_MM**2 * np.pi <= areas_mm2[:, None, None]


@settings(max_examples=60, deadline=None)
@given(half_mm=st.floats(75.0, 110.0), step_mm=st.floats(1.0, 10.0), first=st.floats(0.01, 1.0))
def test_no_ellipsoid_ends_flat_for_any_position_of_its_slices(
    half_mm: float, step_mm: float, first: float
) -> None:
    depth_mm = np.arange(first * step_mm, 2.0 * half_mm, step_mm)
    drawn = discs(np.pi * depth_mm * (2.0 * half_mm - depth_mm))
    assert flat_end(drawn, np.zeros_like(drawn), step_mm, PIXEL_MM**2) is None


@settings(max_examples=60, deadline=None)
@given(step_mm=st.floats(1.0, 16.0), widens_mm2=st.floats(0.0, 600.0), data=st.data())
def test_a_widening_neck_ends_at_its_first_complete_slice(
    step_mm: float, widens_mm2: float, data: st.DataObject
) -> None:
    """The area grows by `widens_mm2` for each mm. Within 10 mm, or in one slice, parts of it are missing:
    more than a tenth of the area and more than three times its growth."""
    complete_mm2 = np.minimum(12_000.0 + widens_mm2 * np.arange(40) * step_mm, 35_000.0)
    max_slices = max(1, int(6.0 / step_mm))
    fractions = data.draw(st.lists(st.floats(0.01, 0.7), max_size=max_slices))
    detectable = 12_000.0 * (1.0 - max(fractions, default=0.0)) > 3.5 * widens_mm2 * step_mm * (
        len(fractions) or 1
    )
    assume(not fractions or detectable)
    areas_mm2 = complete_mm2.copy()
    areas_mm2[: len(fractions)] *= sorted(fractions)
    drawn = discs(areas_mm2)
    assert flat_end(drawn, np.zeros_like(drawn), step_mm, PIXEL_MM**2) == len(fractions)


@pytest.mark.parametrize("width_mm", [14.0, 40.0])
@pytest.mark.parametrize("slices", [1, 3, 5])
def test_a_joined_piece_that_continues_a_little_does_not_hide_the_cut(width_mm: float, slices: int) -> None:
    full_scene = scene(cylinder((0, 20), body=_with_piece(width_mm, slices)))
    assert full_scene.grid.shape == (50, 50, SLICES)
    assert _refused_as_cut(full_scene, np.array([50.0, -5.0, 100.0]), np.array([50.0, 51.0, 56.0]))


def test_a_flat_trunk_with_a_joined_piece_that_continues_is_refused() -> None:
    with pytest.raises(StructureError, match=r"ends flat at z = 79.0 mm, .* extend beyond it for 20 mm"):
        scene(cylinder((0, 20), body=_with_piece(40.0, 10)))


def _with_piece(width_mm: float, slices: int) -> np.ndarray:
    i, j, k = np.indices((50, 50, SLICES + 20))
    trunk = (((i - 25) / 20) ** 2 + ((j - 25) / 18) ** 2 <= 1) & (k < SLICES)
    reach = width_mm / SPACING_MM / 2
    return trunk | (abs(i - 35) <= reach / 2) & (abs(j - 28) <= reach) & (k < SLICES + slices)


def test_a_named_arm_that_continues_beyond_a_flat_end_is_refused() -> None:
    """Otherwise, the arm would lie beyond the grid, and needles could cross it."""
    size = (70, 50, SLICES + 20)
    i, j, k = np.indices(size)
    trunk = (((i - 25) / 20) ** 2 + ((j - 25) / 18) ** 2 <= 1) & (k < SLICES)
    arm = (abs(i - 60) < 5) & (abs(j - 25) < 8) & (k >= SLICES + 2) & (k < SLICES + 15)
    node = (abs(i - 25) < 3) & (abs(j - 25) < 3) & (abs(k - 29) < 3)
    layers = MaskLayers(size)
    masks = {"body": trunk, "arm_left": arm, "node_4R": node, "heart": np.roll(node, 8, 0)}
    parts = tuple(Structure(n, layers.add(n, m)) for n, m in masks.items())
    with pytest.raises(StructureError, match=r"extend beyond it for 30 mm"):
        scene(Segmentation(grid_of(size, (SPACING_MM,) * 3), parts, ()))


@pytest.mark.parametrize("pad", [(0, 0), (0, 6)])
def test_a_target_that_continues_on_omitted_slices_is_refused(pad: tuple[int, int]) -> None:
    segmentation = _with_last_slices(pad, [0.5, 0.5])
    i, j, k = np.indices(segmentation.grid.shape)
    node = (abs(i - 25) < 3) & (abs(j - 25) < 3) & (k >= 34) & (k < SLICES)
    layers = MaskLayers(segmentation.grid.shape)
    parts = tuple(
        Structure(s.name, layers.add(s.name, node if s.name == "node_4R" else s.mask.layer == s.mask.label))
        for s in segmentation.structures
    )
    with pytest.raises(StructureError, match=r"50 of its 150 voxels lie beyond the body, which ends flat"):
        scene(Segmentation(segmentation.grid, parts, ()))


@pytest.mark.parametrize("share", [0.61, 1.0])
def test_limbs_beyond_a_trunk_do_not_count_as_an_end_of_the_view(share: float) -> None:
    """A segmentation network's trunk ends where its limbs begin, and bones continue in them."""
    size = (50, 50, SLICES + 30)
    i, j, k = np.indices(size)
    radius2 = ((i - 25) / 20) ** 2 + ((j - 25) / 18) ** 2
    limbs = (radius2 <= share) & (k >= SLICES) & (k < SLICES + 25)
    femur = (abs(i - 34) < 3) & (abs(j - 30) < 3) & (k > SLICES - 5) & (k < SLICES + 20)
    full_scene = scene(cylinder((0, 30), body_extremities=limbs, femur_left=femur))
    assert full_scene.grid.shape == size
    assert not any("flat" in note for note in full_scene.notes)
    track = appraise_needle(full_scene, np.array([50.0, 10.0, 105.0]), np.array([50.0, 51.0, 56.0]))
    assert [reason.detail for reason in track.reasons] == ["The needle runs into body_extremities."]


def test_a_small_piece_beyond_an_incomplete_slice_is_no_limb() -> None:
    size = (50, 50, SLICES + 6)
    i, j, k = np.indices(size)
    radius2 = ((i - 25) / 20) ** 2 + ((j - 25) / 18) ** 2
    body = (radius2 <= 1) & (k < SLICES) | (radius2 <= 0.1) & (k == SLICES)
    piece = (radius2 <= 0.1) & (k == SLICES + 1)
    full_scene = scene(cylinder((0, 6), body=body, body_extremities=piece))
    assert full_scene.grid.shape == (50, 50, SLICES)
    assert _refused_as_cut(full_scene, np.array([50.0, -5.0, 100.0]), np.array([50.0, 51.0, 56.0]))


def _with_arm(extra_slices: int) -> Segmentation:
    size = (70, 50, SLICES + 20)
    i, j, k = np.indices(size)
    trunk = (((i - 25) / 20) ** 2 + ((j - 25) / 18) ** 2 <= 1) & (k < SLICES)
    arm = ((i - 58) ** 2 + (j - 25) ** 2 <= 50) & (k < SLICES + extra_slices)
    node = (abs(i - 25) < 3) & (abs(j - 25) < 3) & (abs(k - 29) < 3)
    heart = (abs(i - 33) < 3) & (abs(j - 25) < 5) & (abs(k - 12) < 6)
    layers = MaskLayers(size)
    masks = {"body": trunk | arm, "node_4R": node, "heart": heart}
    parts = tuple(Structure(n, layers.add(n, m)) for n, m in masks.items())
    return Segmentation(grid_of(size, (SPACING_MM,) * 3), parts, ())


@pytest.mark.parametrize("extra_slices", [-3, 0, 1, 4])
def test_an_arm_a_few_slices_longer_than_the_trunk_does_not_hide_the_cut(extra_slices: int) -> None:
    full_scene = scene(_with_arm(extra_slices))
    assert full_scene.grid.shape == (70, 50, SLICES)
    assert _refused_as_cut(full_scene, np.array([50.0, 10.0, 100.0]), np.array([50.0, 51.0, 56.0]))


def test_a_flat_trunk_beside_an_arm_that_continues_is_refused() -> None:
    with pytest.raises(StructureError, match=r"ends flat at z = 79.0 mm, .* extend beyond it for 20 mm"):
        scene(_with_arm(10))


def test_an_organ_one_slice_longer_than_the_body_does_not_hide_the_cut() -> None:
    i, j, k = np.indices((50, 50, SLICES + 20))
    aorta = (abs(i - 34) < 3) & (abs(j - 36) < 3) & (k < SLICES + 2)
    full_scene = scene(cylinder((0, 20), aorta=aorta))
    assert full_scene.grid.shape == (50, 50, SLICES)
    assert _refused_as_cut(full_scene, np.array([50.0, 10.0, 100.0]), np.array([50.0, 51.0, 56.0]))


def test_the_flat_ends_of_a_surface_are_no_skin(tmp_path: Path) -> None:
    def write_mesh(full_scene: trimesh.Trimesh, name: str, at: tuple[float, float, float]) -> None:
        full_scene.apply_translation(at)
        full_scene.export(tmp_path / f"{name}.stl")

    write_mesh(trimesh.creation.cylinder(45, 80, sections=48), "body", (0, 0, 40))
    write_mesh(trimesh.creation.icosphere(2, 7), "node_4R", (0, 0, 58))
    write_mesh(trimesh.creation.icosphere(2, 16), "lung_right", (-25, 0, 30))
    write_mesh(trimesh.creation.icosphere(2, 10), "heart", (20, 0, 25))
    full_scene = scene(read(tmp_path)[0])
    track = appraise_needle(full_scene, (0.0, -40.0, 100.0), (0.0, 1.0, 58.0))
    assert not track.safe
    assert isinstance(full_scene.grid, Grid) and sum("ends flat" in note for note in full_scene.notes) == 2
    lateral_track = appraise_needle(full_scene, (0.0, -60.0, 60.0), (0.0, 1.0, 58.0))
    assert lateral_track.safe


def _with_organs_at(shifted_names: set[str], shape: str) -> Segmentation:
    """A trunk with four organs, some of them in the air, 40 slices above their positions."""
    i, j, k = np.indices((50, 50, SLICES + 60))

    def box(name: str, x: int, y: int, z: int, half: int) -> np.ndarray:
        shift = 40 if name in shifted_names else 0
        return (abs(i - x) < 3) & (abs(j - y) < 3) & (abs(k - z - shift) < half)

    boxes = {"aorta": (30, 30, 20, 8), "trachea": (25, 20, 18, 7), "oesophagus": (20, 33, 18, 7)}
    organs = {name: box(name, *at) for name, at in boxes.items()} | {"heart": box("heart", 33, 25, 14, 5)}
    return cylinder((0, 60), shape, lung_right=np.zeros(i.shape, bool), **organs)


@pytest.mark.parametrize("shape", ["flat", "round"])
def test_organs_in_the_air_beyond_a_flat_end_are_refused_like_beyond_a_rounded_one(shape: str) -> None:
    organs = {"aorta", "trachea", "oesophagus", "heart"}
    with pytest.raises(
        FrameMismatch, match="all forbidden and lung structures lie completely outside the body"
    ):
        scene(_with_organs_at(organs, shape))
    with pytest.raises(FrameMismatch, match=r"82 % of the volume"):
        scene(_with_organs_at(organs - {"heart"}, shape))


def test_an_organ_in_the_air_beyond_a_flat_end_is_reported_and_not_called_empty() -> None:
    rounded, flat = (scene(_with_organs_at({"heart"}, shape)) for shape in ("round", "flat"))
    start = "heart lies completely outside the body. Check its frame"
    assert [note.startswith(start) for note in rounded.notes].count(True) == 1
    assert [note.startswith(start) for note in flat.notes].count(True) == 1
    assert "heart" in rounded.names() and "heart" not in flat.names() and "heart" in flat.missing
    assert "Completely beyond the body's flat end, and left out: heart." in flat.notes
    assert "Empty and left out: lung_right." in flat.notes
    assert not any("specks" in note for note in (*rounded.notes, *flat.notes))


def test_organs_upside_down_beyond_a_flat_end_are_refused() -> None:
    """Two of three comparisons use structures that the crop omits."""
    i, j, k = np.indices((50, 50, SLICES + 60))
    ribs = {
        f"rib_left_{n}": (abs(i - 25) < 3) & (abs(j - 35) < 3) & (abs(k - 50 - 8 * n) < 2) for n in (1, 2, 3)
    }
    with pytest.raises(FrameMismatch, match="upside down"):
        scene(cylinder((0, 60), **ribs))


def test_tiny_pieces_of_a_target_beyond_a_flat_end_are_reported_without_a_cut() -> None:
    size = (50, 50, SLICES + 30)
    i, j, k = np.indices(size)
    node = (abs(i - 25) < 3) & (abs(j - 25) < 3) & (abs(k - 20) < 3)
    piece = (abs(i - 25) < 1) & (abs(j - 25) < 2) & (k == SLICES + 20)
    flat, rounded = (scene(cylinder((0, 30), shape, node_4R=node | piece)) for shape in ("flat", "round"))
    for full_scene in (flat, rounded):
        assert any("Fragments far from the main part are left out" in note for note in full_scene.notes)
        assert not any("cut by the edge" in note for note in full_scene.notes)


def test_boxes_on_the_slices_in_view_are_tight() -> None:
    """A small piece of the heart, which the crop omits, lies to the side and beyond the end."""
    size = (50, 50, SLICES + 30)
    i, j, k = np.indices(size)
    heart = (abs(i - 33) < 3) & (abs(j - 25) < 5) & (abs(k - 12) < 6)
    piece = (abs(i - 4) < 2) & (abs(j - 4) < 2) & (abs(k - SLICES - 20) < 2)
    full_scene = scene(cylinder((0, 30), heart=heart | piece))
    assert full_scene.grid.shape == (50, 50, SLICES)
    for s in full_scene.structures:
        assert (s.mask.lower, s.mask.upper) == bounding_box(s.mask.layer == s.mask.label), s.name


def test_small_pieces_of_body_beyond_a_flat_end_are_reported() -> None:
    size = (50, 50, SLICES + 30)
    i, j, k = np.indices(size)
    radius2 = ((i - 25) / 20) ** 2 + ((j - 25) / 18) ** 2
    piece = (abs(i - 25) < 3) & (abs(j - 25) < 3) & (abs(k - SLICES - 10) < 2)
    full_scene = scene(cylinder((0, 30), body=(radius2 <= 1) & (k < SLICES) | piece))
    assert "Left out of the body as separate specks: 1 part, 0.6 cc together." in full_scene.notes


def _cropped(segmentation: Segmentation) -> Segmentation:
    """The same input on the lower SLICES slices only."""
    layers = MaskLayers((*segmentation.grid.shape[:2], SLICES))
    parts = []
    for s in segmentation.structures:
        mask = np.zeros(segmentation.grid.shape, bool)
        s.mask.paint(mask, True)
        parts.append(replace(s, mask=layers.add(s.name, mask[:, :, :SLICES])))
    grid = grid_of((*segmentation.grid.shape[:2], SLICES), (SPACING_MM,) * 3)
    return replace(segmentation, grid=grid, structures=tuple(parts), ct_hu=None)


def _with_part_beside(half_width: int, lower: int, upper: int) -> Segmentation:
    """A trunk with a part of its body beside it, 2 x `half_width` pixels wide, on the slices `lower` to
    `upper` relative to the flat end. The side of the grid cuts the widest."""
    i, j, k = np.indices((50, 50, SLICES + 30))
    trunk = (((i - 25) / 20) ** 2 + ((j - 25) / 18) ** 2 <= 1) & (k < SLICES)
    part = (i >= 47) & (i < 49) & (j > 0) & (j <= half_width) & (k >= SLICES + lower) & (k < SLICES + upper)
    return cylinder((0, 30), body=trunk | part)


def _notes_on_parts(scene: Scene) -> list[str]:
    return [
        note
        for note in scene.notes
        if "separate specks" in note or "separate parts" in note or "The body is in" in note
    ]


OBSTACLE = (
    "The body is in 2 parts. Needles enter the largest, and avoid the others like other structures "
    "outside the body: body_part_2 (4.03 cc)."
)


@pytest.mark.parametrize(
    ("part", "note"),
    [
        # Small parts of the whole input, and obstacles if the flat end cuts them
        ((21, -12, 0), OBSTACLE),
        ((21, -12, 2), OBSTACLE),
        # Cut by the sides too, with less than 1 cc in view
        ((49, -1, 4), "Left out of the body as separate specks: 1 part, 0.784 cc together."),
        # No small parts, and nothing of them in view
        ((49, 0, 2), "Left out, as separate parts beyond the flat end: 1 part, 1.57 cc together."),
        ((49, 1, 5), "Left out, as separate parts beyond the flat end: 1 part, 3.14 cc together."),
        ((21, 1, 5), "Left out of the body as separate specks: 1 part, 1.34 cc together."),
    ],
)
def test_a_part_at_a_flat_end_is_an_obstacle_or_omitted_by_its_volume_in_view(
    part: tuple[int, int, int], note: str
) -> None:
    full_scene = scene(_with_part_beside(*part))
    assert full_scene.grid.shape == (50, 50, SLICES)
    assert _notes_on_parts(full_scene) == [note]
    assert ("body_part_2" in full_scene.names()) == (note == OBSTACLE)


@settings(max_examples=25, deadline=None)
@given(half_width=st.integers(1, 49), lower=st.integers(-30, -1), upper=st.integers(0, 5))
def test_notes_on_parts_that_reach_into_view_are_those_of_the_cropped_input(
    half_width: int, lower: int, upper: int
) -> None:
    segmentation = _with_part_beside(half_width, lower, upper)
    assert _notes_on_parts(scene(segmentation)) == _notes_on_parts(scene(_cropped(segmentation)))


def _organ_at_the_end(i_from: int, lower: int, upper: int, *, down: bool = False) -> Segmentation:
    """A trunk with a thyroid at one of its flat ends, from inside it to ten pixels farther to the side."""
    pad = (12, 0) if down else (0, 12)
    i, j, k = np.indices((50, 50, SLICES + 12))
    k = SLICES - 1 - (k - 12) if down else k
    box = (i >= i_from) & (i < i_from + 10) & (abs(j - 25) < 4)
    return cylinder(pad, thyroid=box & (k >= SLICES + lower) & (k < SLICES + upper))


def _notes_on_thyroid(scene: Scene) -> list[str]:
    return [note for note in scene.notes if "thyroid" in note]


@pytest.mark.parametrize("down", [False, True])
@pytest.mark.parametrize(
    ("lower", "upper", "notes"),
    [
        (-2, 5, ["71 % of thyroid lies just beyond the body's flat end, and is cut with it."]),
        (-2, 3, ["60 % of thyroid lies just beyond the body's flat end, and is cut with it."]),
        (-8, 2, []),
        (0, 4, ["Completely beyond the body's flat end, and left out: thyroid."]),
    ],
)
def test_an_organ_that_continues_a_little_beyond_a_flat_end_is_cut_and_not_outside(
    lower: int, upper: int, notes: list[str], down: bool
) -> None:
    assert _notes_on_thyroid(scene(_organ_at_the_end(20, lower, upper, down=down))) == notes


@settings(max_examples=25, deadline=None)
@given(i_from=st.integers(30, 40), lower=st.integers(-8, -1), upper=st.integers(0, 5))
def test_the_share_of_an_organ_beside_the_body_is_that_of_the_cropped_input(
    i_from: int, lower: int, upper: int
) -> None:
    segmentation = _organ_at_the_end(i_from, lower, upper)
    notes, expected = (
        [n for n in _notes_on_thyroid(scene(input_data)) if "drawn" in n]
        for input_data in (segmentation, _cropped(segmentation))
    )
    assert notes == expected


@pytest.mark.parametrize(
    ("is_lateral", "share", "place"),
    [
        (False, 50, "beyond its flat end, where it is left out"),
        (True, 80, "the skin is drawn around it, except beyond the flat end, where it is left out"),
    ],
)
def test_no_skin_is_drawn_around_an_organ_far_beyond_the_flat_end(
    is_lateral: bool, share: int, place: str
) -> None:
    i, j, k = np.indices((50, 50, SLICES + 40))
    first = 44 if is_lateral else 30
    piece = (i >= first) & (i < first + 5) & (abs(j - 25) < 1)
    full_scene = scene(cylinder((0, 40), thyroid=piece & ((abs(k - 20) < 4) | (abs(k - SLICES - 20) < 4))))
    assert full_scene.grid.shape == (50, 50, SLICES)
    assert _notes_on_thyroid(full_scene) == [
        f"{share} % of thyroid lies outside the body as it was drawn: {place}. Check its frame (LPS or RAS), "
        "its unit (mm, not cm) and that it is from the same scan."
    ]


def test_an_incomplete_thick_last_slice_does_not_hide_the_cut() -> None:
    segmentation = _with_last_slices((0, 2), [0.75])
    thick = replace(segmentation, grid=grid_of(segmentation.grid.shape, (4.0, 4.0, 12.0)))
    assert scene(thick).grid.shape == (50, 50, SLICES - 1)


def _without_body(pad: int, **more: np.ndarray) -> Segmentation:
    """Organs without a body: a wide one, and a node and a vessel that continue above it to the top."""
    i, j, k = np.indices((50, 50, SLICES + pad))
    half_width = (((i - 25) / 20) ** 2 + ((j - 25) / 18) ** 2 <= 1) & (k < SLICES - 4)
    node = (abs(i - 25) < 3) & (abs(j - 25) < 3) & (k >= SLICES - 8) & (k < SLICES)
    vessel = (abs(i - 25) < 10) & (abs(j - 36) < 3) & (k < SLICES)
    layers = MaskLayers((50, 50, SLICES + pad))
    masks = {"liver": half_width & ~node & ~vessel, "node_4R": node, "aorta": vessel, **more}
    parts = tuple(Structure(n, layers.add(n, m)) for n, m in masks.items())
    return Segmentation(grid_of((50, 50, SLICES + pad), (SPACING_MM,) * 3), parts, ())


@pytest.mark.parametrize("pad", [0, 6])
def test_a_guessed_skin_loses_no_slice_to_the_steps_of_its_organs(pad: int) -> None:
    full_scene = scene(_without_body(pad))
    assert full_scene.grid.shape == (50, 50, SLICES + pad)
    assert not any("flat" in note for note in full_scene.notes)


@pytest.mark.parametrize("extra_slices", [0, 2])
def test_a_guessed_skin_ends_where_its_outermost_slice_is_flat(extra_slices: int) -> None:
    i, j, k = np.indices((50, 50, SLICES + 6))
    lung = (((i - 25) / 20) ** 2 + ((j - 25) / 18) ** 2 <= 1) & (k < SLICES)
    arm = (abs(i - 48) < 2) & (abs(j - 25) < 4) & (k < SLICES + extra_slices)
    full_scene = scene(_without_body(6, lung_right=lung, arm_left=arm))
    assert full_scene.grid.shape == (50, 50, SLICES)


def _label_map(pad: int, last: float = 1.0) -> Segmentation:
    """A trunk in a label map: organs cover half of the body, the left half on the last slices and the right
    half on the others. The last slice has the fraction `last` of the area."""
    i, j, k = np.indices((50, 50, SLICES + pad))
    radius2 = ((i - 25) / 20) ** 2 + ((j - 25) / 18) ** 2
    trunk = (radius2 <= np.where(k == SLICES - 1, last, 1.0)) & (k < SLICES)
    interior = (radius2 <= 0.7) & (k < SLICES) & (abs(i - 25) > 3)
    lung, liver = interior & (i < 25) & (k < SLICES - 3), interior & (i > 25) & (k >= SLICES - 3)
    node = (abs(i - 25) < 3) & (abs(j - 25) < 3) & (k >= SLICES - 6) & (k < SLICES)
    masks = {"lung_right": lung & trunk, "liver": liver & trunk, "node_4R": node}
    rind = trunk & ~np.any([*masks.values()], axis=0)
    return cylinder((0, pad), body=rind, heart=np.zeros(i.shape, bool), **masks)


@pytest.mark.parametrize("pad", [0, 6])
def test_organs_that_change_between_slices_of_a_label_map_are_no_flat_face(pad: int) -> None:
    full_scene = _label_map(pad)
    full_scene = scene(replace(full_scene, grid=grid_of(full_scene.grid.shape, (4.0, 4.0, 3.0))))
    assert full_scene.grid.shape == (50, 50, SLICES)


def test_slices_of_a_label_map_with_body_only_as_a_wall_are_in_view() -> None:
    """Less than half of the area of the upper slices is labelled as body."""
    i, j, k = np.indices((50, 50, SLICES))
    radius2 = ((i - 25) / 20) ** 2 + ((j - 25) / 18) ** 2
    interior = (radius2 <= 0.6) & (k >= SLICES - 12)
    node = interior & (abs(i - 25) <= 3) & (abs(k - SLICES + 6) < 3)
    organs = {"lung_right": interior & (i < 22), "heart": interior & (i >= 22) & ~node, "node_4R": node}
    full_scene = scene(cylinder((0, 0), body=(radius2 <= 1) & ~(interior | node), **organs))
    assert full_scene.grid.shape == (50, 50, SLICES)
    assert not any("flat" in note for note in full_scene.notes)


@pytest.mark.parametrize("pad", [0, 6])
@pytest.mark.parametrize("share", [0.01, 0.75])
def test_an_incomplete_slice_of_a_label_map_does_not_hide_the_cut(pad: int, share: float) -> None:
    segmentation = _label_map(pad, share)
    with pytest.raises(StructureError, match="25 of its 150 voxels lie beyond the body, which ends flat"):
        scene(replace(segmentation, grid=grid_of(segmentation.grid.shape, (4.0, 4.0, 9.0))))


def test_a_closed_shell_ends_at_its_own_caps() -> None:
    size = (50, 50, SLICES + 12)
    i, j, k = np.indices(size)
    radius2 = ((i - 25) / 20) ** 2 + ((j - 25) / 18) ** 2
    trunk = (radius2 <= 1) & (k >= 6) & (k < SLICES + 6)
    full_scene = scene(cylinder((6, 6), body=trunk & ~((radius2 <= 0.5) & (k >= 9) & (k < SLICES + 3))))
    assert full_scene.grid.shape == (50, 50, SLICES)


def test_limbs_that_cover_all_uncovered_trunk_are_no_end_of_the_view() -> None:
    """Raised arms above a plane through the shoulders, beside neck and chest that continue."""
    i, j, k = np.indices((50, 50, SLICES))
    trunk = ((i - 25) / 20) ** 2 + ((j - 25) / 18) ** 2 <= 1
    arms = trunk & (abs(i - 25) > 9) & (k >= SLICES - 12)
    lung = np.zeros(trunk.shape, bool)
    full_scene = scene(cylinder((0, 0), body=trunk & ~arms, body_extremities=arms, lung_right=lung))
    assert full_scene.grid.shape == (50, 50, SLICES)
    assert not any("flat" in note for note in full_scene.notes)


def test_organs_on_slices_with_hardly_any_body_are_no_body() -> None:
    i, j, k = np.indices((50, 50, SLICES + 20))
    radius2 = ((i - 25) / 20) ** 2 + ((j - 25) / 18) ** 2
    piece = (abs(i - 25) < 1) & (abs(j - 8) < 1)
    body = (radius2 <= 1) & (k < SLICES) | piece & (k < SLICES + 15)
    lung = (radius2 <= 0.9) & (k >= 10) & (k < SLICES + 15) & (abs(i - 25) > 3)
    with pytest.raises(StructureError, match=r"ends flat at z = 79.0 mm, .* extend beyond it for 30 mm"):
        scene(cylinder((0, 20), body=body, lung_right=lung))
