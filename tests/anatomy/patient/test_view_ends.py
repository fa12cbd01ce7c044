"""Where the field of view cuts the body short of the grid's edge, no needle enters through the cut."""

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
"""Slices that the field of view shows."""


def cylinder(pad: tuple[int, int], shape: str = "flat", motion: np.ndarray | None = None, **more: np.ndarray):
    """A trunk of 40 x 36 mm half axes on SLICES slices, with empty ones below and above, and organs in it."""
    size = (50, 50, pad[0] + SLICES + pad[1])
    grid = grid_of(size, (SPACING_MM,) * 3, motion)
    i, j, k = np.indices(size)
    k = k - pad[0]
    across = ((i - 25) / 20) ** 2 + ((j - 25) / 18) ** 2
    body = (across <= 1) & (k >= 0) & (k < SLICES)
    if shape == "round":
        body = across + ((k - 19.5) / 20) ** 2 <= 1
    masks = {
        "body": body,
        "node_4R": (abs(i - 25) < 3) & (abs(j - 25) < 3) & (abs(k - 29) < 3),
        "lung_right": (abs(i - 13) < 3) & (abs(j - 25) < 5) & (abs(k - 20) < 10),
        "heart": (abs(i - 33) < 3) & (abs(j - 25) < 5) & (abs(k - 12) < 6),
        **more,
    }
    layers = MaskLayers(size)
    parts = tuple(Structure(n, layers.add(n, m)) for n, m in masks.items())
    ct = np.broadcast_to(k, size).astype(np.int16)
    return Segmentation(grid, parts, (InputDigest("labels.nii.gz", "0" * 64),), ct_hu=ct)


def through_the_top(made: Scene, entry_P=(50.0, 10.0, 100.0), tip_P=(50.0, 51.0, 60.0)):
    return Appraiser(made, Request()).appraise(np.array([entry_P], float), np.array([tip_P], float))[0]


@pytest.mark.parametrize("pad", [(0, 0), (0, 1), (0, 6), (5, 6)])
def test_a_cut_face_is_no_skin_however_many_empty_slices_lie_beyond(pad: tuple[int, int]) -> None:
    full_scene = scene(cylinder(pad))
    shift = np.array([0.0, 0.0, SPACING_MM * pad[0]])
    track = through_the_top(
        full_scene, np.array([50.0, 10.0, 100.0]) + shift, np.array([50.0, 51.0, 60.0]) + shift
    )
    assert track.reasons[0].detail == "It leaves the body at the cut edge of the field of view."


def test_the_grid_ends_with_the_body_and_all_that_lies_on_it_as_well() -> None:
    whole, made = cylinder((5, 6)), scene(cylinder((5, 6)))
    assert made.grid.shape == (50, 50, SLICES)
    assert made.ct_hu is not None and made.ct_hu.shape == made.grid.shape
    assert (made.ct_hu[0, 0] == np.arange(SLICES)).all()
    for s in made.structures:
        before = next(old for old in whole.structures if old.name == s.name)
        places = [
            on.to_patient((np.argwhere(mask.cropped()) + mask.lower) * SPACING_MM)
            for on, mask in ((made.grid, s.mask), (whole.grid, before.mask))
        ]
        assert np.array_equal(*places), s.name
    assert [note for note in made.notes if "flat" in note] == [
        f"The body ends flat at z = {z:.1f} mm: it counts as cut there by the field of view, and no needle "
        "enters through it."
        for z in (9.0, 89.0)
    ]


def test_a_rounded_end_is_skin() -> None:
    full_scene = scene(cylinder((5, 6), "round"))
    assert full_scene.grid.shape == (50, 50, SLICES + 11)
    assert not any("flat" in note for note in full_scene.notes)


@pytest.mark.parametrize("thick_mm", [1.0, 3.0, 5.0, 10.0])
def test_no_ellipsoid_ends_flat_however_thick_its_slices_are(thick_mm: float) -> None:
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
        made = Segmentation(grid, tuple(Structure(n, layers.add(n, m)) for n, m in parts.items()), ())
        assert scene(made).grid is grid


def test_the_axis_that_runs_along_the_patient_is_found_in_any_pose() -> None:
    full_scene = scene(cylinder((0, 6), motion=pose_P((20.0, -10.0, 40.0), (5.0, 6.0, 7.0))))
    assert full_scene.grid.shape == (50, 50, SLICES)


def test_verification_sees_the_cut() -> None:
    full_scene = scene(cylinder((0, 6)))
    claims = Claims()
    examined = examined_axis(claims, "path 1", (50.0, 27.0, 78.9), (50.0, 51.0, 60.0), full_scene, Request())
    assert examined is not None
    check_from_skin(claims, examined)
    assert any("cut edge" in check.name for check in claims.verification().checks if not check.passed)


def test_a_body_that_is_drawn_on_some_slices_only_is_refused() -> None:
    """Skin would be the surface of the lung there, under the chest wall."""
    size = (50, 50, SLICES + 20)
    i, j, k = np.indices(size)
    lung = (((i - 25) / 20) ** 2 + ((j - 25) / 18) ** 2 <= 0.6) & (i < 18) & (k < SLICES + 15)
    with pytest.raises(StructureError, match=r"ends flat at z = 79.0 mm, .* extend beyond it for 30 mm"):
        scene(cylinder((0, 20), lung_right=lung))


def _with_last_slices(pad: tuple[int, int], shares: Sequence[float]) -> Segmentation:
    """A trunk that is flat at the top, with slices beyond of which these shares of its area are left, from
    the inner one outwards."""
    size = (50, 50, pad[0] + SLICES + pad[1])
    i, j, k = np.indices(size)
    across = ((i - 25) / 20) ** 2 + ((j - 25) / 18) ** 2
    body = (across <= 1) & (k >= pad[0]) & (k < pad[0] + SLICES - len(shares))
    for n, share in enumerate(shares):
        body |= (across <= share) & (k == pad[0] + SLICES - len(shares) + n)
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
def test_ragged_last_slices_hide_no_cut(shares: list[float], pad: tuple[int, int]) -> None:
    """A network's edge. Neither what is left of it nor what it leaves bare is skin."""
    full_scene = scene(_with_last_slices(pad, shares))
    shift = np.array([0.0, 0.0, SPACING_MM * pad[0]])
    for entry_P in ((50.0, 40.0, 100.0), (50.0, -5.0, 100.0)):
        assert _refused_as_cut(full_scene, np.array(entry_P) + shift, np.array([50.0, 51.0, 56.0]) + shift)


def _refused_as_cut(made: Scene, entry_P: np.ndarray, tip_P: np.ndarray) -> bool:
    """Whether nothing but the cut speaks against a needle."""
    found = [reason.detail for reason in through_the_top(made, entry_P, tip_P).reasons]
    return found == ["It leaves the body at the cut edge of the field of view."]


PIXEL_MM = 4.0


def discs(areas_mm2: np.ndarray) -> np.ndarray:
    """Slices (n, 60, 60) of round areas about one axis, from the end on inwards. [mm2]"""
    i, j = np.indices((60, 60)) - 29.5
    return (i**2 + j**2) * PIXEL_MM**2 * np.pi <= areas_mm2[:, None, None]


@settings(max_examples=60, deadline=None)
@given(half_mm=st.floats(75.0, 110.0), step_mm=st.floats(1.0, 10.0), first=st.floats(0.01, 1.0))
def test_no_ellipsoid_ends_flat_wherever_its_slices_lie(half_mm: float, step_mm: float, first: float) -> None:
    depth_mm = np.arange(first * step_mm, 2.0 * half_mm, step_mm)
    drawn = discs(np.pi * depth_mm * (2.0 * half_mm - depth_mm))
    assert flat_end(drawn, np.zeros_like(drawn), step_mm, PIXEL_MM**2) is None


@settings(max_examples=60, deadline=None)
@given(step_mm=st.floats(1.0, 16.0), widens_mm2=st.floats(0.0, 600.0), data=st.data())
def test_a_neck_that_widens_ends_where_it_is_whole(
    step_mm: float, widens_mm2: float, data: st.DataObject
) -> None:
    """`widens_mm2` is by how much its area grows with each mm; within 10 mm, or in one slice, parts of it are
    lost: more than a tenth of it and than three times what it widens by."""
    whole_mm2 = np.minimum(12_000.0 + widens_mm2 * np.arange(40) * step_mm, 35_000.0)
    most = max(1, int(6.0 / step_mm))
    left = data.draw(st.lists(st.floats(0.01, 0.7), max_size=most))
    clear = 12_000.0 * (1.0 - max(left, default=0.0)) > 3.5 * widens_mm2 * step_mm * (len(left) or 1)
    assume(not left or clear)
    areas_mm2 = whole_mm2.copy()
    areas_mm2[: len(left)] *= sorted(left)
    drawn = discs(areas_mm2)
    assert flat_end(drawn, np.zeros_like(drawn), step_mm, PIXEL_MM**2) == len(left)


@pytest.mark.parametrize("across_mm", [14.0, 40.0])
@pytest.mark.parametrize("slices", [1, 3, 5])
def test_a_piece_that_is_joined_to_the_trunk_and_goes_on_a_little_does_not_hide_the_cut(
    across_mm: float, slices: int
) -> None:
    full_scene = scene(cylinder((0, 20), body=_with_piece(across_mm, slices)))
    assert full_scene.grid.shape == (50, 50, SLICES)
    assert _refused_as_cut(full_scene, np.array([50.0, -5.0, 100.0]), np.array([50.0, 51.0, 56.0]))


def test_a_trunk_that_ends_flat_where_a_joined_piece_goes_on_is_refused() -> None:
    with pytest.raises(StructureError, match=r"ends flat at z = 79.0 mm, .* extend beyond it for 20 mm"):
        scene(cylinder((0, 20), body=_with_piece(40.0, 10)))


def _with_piece(across_mm: float, slices: int) -> np.ndarray:
    i, j, k = np.indices((50, 50, SLICES + 20))
    trunk = (((i - 25) / 20) ** 2 + ((j - 25) / 18) ** 2 <= 1) & (k < SLICES)
    reach = across_mm / SPACING_MM / 2
    return trunk | (abs(i - 35) <= reach / 2) & (abs(j - 28) <= reach) & (k < SLICES + slices)


def test_a_named_arm_that_goes_on_beyond_a_flat_end_is_refused() -> None:
    """It would lie beyond the grid, and needles would run through it."""
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
def test_a_target_that_goes_on_where_slices_are_left_out_is_refused(pad: tuple[int, int]) -> None:
    made = _with_last_slices(pad, [0.5, 0.5])
    i, j, k = np.indices(made.grid.shape)
    node = (abs(i - 25) < 3) & (abs(j - 25) < 3) & (k >= 34) & (k < SLICES)
    layers = MaskLayers(made.grid.shape)
    parts = tuple(
        Structure(s.name, layers.add(s.name, node if s.name == "node_4R" else s.mask.layer == s.mask.label))
        for s in made.structures
    )
    with pytest.raises(StructureError, match=r"50 of its 150 voxels lie beyond the body, which ends flat"):
        scene(Segmentation(made.grid, parts, ()))


@pytest.mark.parametrize("share", [0.61, 1.0])
def test_limbs_beyond_a_trunk_are_no_end_of_the_view(share: float) -> None:
    """A network's trunk ends where its limbs begin, and bones go on in them."""
    size = (50, 50, SLICES + 30)
    i, j, k = np.indices(size)
    across = ((i - 25) / 20) ** 2 + ((j - 25) / 18) ** 2
    limbs = (across <= share) & (k >= SLICES) & (k < SLICES + 25)
    femur = (abs(i - 34) < 3) & (abs(j - 30) < 3) & (k > SLICES - 5) & (k < SLICES + 20)
    full_scene = scene(cylinder((0, 30), body_extremities=limbs, femur_left=femur))
    assert full_scene.grid.shape == size
    assert not any("flat" in note for note in full_scene.notes)
    track = through_the_top(full_scene, np.array([50.0, 10.0, 105.0]), np.array([50.0, 51.0, 56.0]))
    assert [reason.detail for reason in track.reasons] == ["The needle runs into body_extremities."]


def test_a_crumb_beyond_a_ragged_slice_is_no_limb() -> None:
    size = (50, 50, SLICES + 6)
    i, j, k = np.indices(size)
    across = ((i - 25) / 20) ** 2 + ((j - 25) / 18) ** 2
    body = (across <= 1) & (k < SLICES) | (across <= 0.1) & (k == SLICES)
    crumb = (across <= 0.1) & (k == SLICES + 1)
    full_scene = scene(cylinder((0, 6), body=body, body_extremities=crumb))
    assert full_scene.grid.shape == (50, 50, SLICES)
    assert _refused_as_cut(full_scene, np.array([50.0, -5.0, 100.0]), np.array([50.0, 51.0, 56.0]))


def _with_arm(longer: int) -> Segmentation:
    size = (70, 50, SLICES + 20)
    i, j, k = np.indices(size)
    trunk = (((i - 25) / 20) ** 2 + ((j - 25) / 18) ** 2 <= 1) & (k < SLICES)
    arm = ((i - 58) ** 2 + (j - 25) ** 2 <= 50) & (k < SLICES + longer)
    node = (abs(i - 25) < 3) & (abs(j - 25) < 3) & (abs(k - 29) < 3)
    heart = (abs(i - 33) < 3) & (abs(j - 25) < 5) & (abs(k - 12) < 6)
    layers = MaskLayers(size)
    masks = {"body": trunk | arm, "node_4R": node, "heart": heart}
    parts = tuple(Structure(n, layers.add(n, m)) for n, m in masks.items())
    return Segmentation(grid_of(size, (SPACING_MM,) * 3), parts, ())


@pytest.mark.parametrize("longer", [-3, 0, 1, 4])
def test_an_arm_that_is_some_slices_longer_than_the_trunk_does_not_hide_the_cut(longer: int) -> None:
    full_scene = scene(_with_arm(longer))
    assert full_scene.grid.shape == (70, 50, SLICES)
    assert _refused_as_cut(full_scene, np.array([50.0, 10.0, 100.0]), np.array([50.0, 51.0, 56.0]))


def test_a_trunk_that_ends_flat_beside_an_arm_that_goes_on_is_refused() -> None:
    with pytest.raises(StructureError, match=r"ends flat at z = 79.0 mm, .* extend beyond it for 20 mm"):
        scene(_with_arm(10))


def test_an_organ_that_is_a_slice_longer_than_the_body_does_not_hide_the_cut() -> None:
    i, j, k = np.indices((50, 50, SLICES + 20))
    aorta = (abs(i - 34) < 3) & (abs(j - 36) < 3) & (k < SLICES + 2)
    full_scene = scene(cylinder((0, 20), aorta=aorta))
    assert full_scene.grid.shape == (50, 50, SLICES)
    assert _refused_as_cut(full_scene, np.array([50.0, 10.0, 100.0]), np.array([50.0, 51.0, 56.0]))


def test_the_flat_caps_of_a_surface_are_no_skin(tmp_path: Path) -> None:
    def placed(full_scene: trimesh.Trimesh, name: str, at: tuple[float, float, float]) -> None:
        full_scene.apply_translation(at)
        full_scene.export(tmp_path / f"{name}.stl")

    placed(trimesh.creation.cylinder(45, 80, sections=48), "body", (0, 0, 40))
    placed(trimesh.creation.icosphere(2, 7), "node_4R", (0, 0, 58))
    placed(trimesh.creation.icosphere(2, 16), "lung_right", (-25, 0, 30))
    placed(trimesh.creation.icosphere(2, 10), "heart", (20, 0, 25))
    full_scene = scene(read(tmp_path)[0])
    track = through_the_top(full_scene, (0.0, -40.0, 100.0), (0.0, 1.0, 58.0))
    assert not track.safe
    assert isinstance(full_scene.grid, Grid) and sum("ends flat" in note for note in full_scene.notes) == 2
    beside = through_the_top(full_scene, (0.0, -60.0, 60.0), (0.0, 1.0, 58.0))
    assert beside.safe


def _with_organs_at(beyond: set[str], shape: str) -> Segmentation:
    """A trunk with four organs, of which some lie in the air, 40 slices above their places."""
    i, j, k = np.indices((50, 50, SLICES + 60))

    def box(name: str, x: int, y: int, z: int, half: int) -> np.ndarray:
        up = 40 if name in beyond else 0
        return (abs(i - x) < 3) & (abs(j - y) < 3) & (abs(k - z - up) < half)

    places = {"aorta": (30, 30, 20, 8), "trachea": (25, 20, 18, 7), "oesophagus": (20, 33, 18, 7)}
    organs = {name: box(name, *at) for name, at in places.items()} | {"heart": box("heart", 33, 25, 14, 5)}
    return cylinder((0, 60), shape, lung_right=np.zeros(i.shape, bool), **organs)


@pytest.mark.parametrize("shape", ["flat", "round"])
def test_organs_in_the_air_beyond_a_flat_end_are_refused_as_those_beyond_a_rounded_one(shape: str) -> None:
    organs = {"aorta", "trachea", "oesophagus", "heart"}
    with pytest.raises(
        FrameMismatch, match="all forbidden and lung structures lie completely outside the body"
    ):
        scene(_with_organs_at(organs, shape))
    with pytest.raises(FrameMismatch, match=r"82 % of the volume"):
        scene(_with_organs_at(organs - {"heart"}, shape))


def test_an_organ_in_the_air_beyond_a_flat_end_is_told_of_and_not_called_empty() -> None:
    rounded, flat = (scene(_with_organs_at({"heart"}, shape)) for shape in ("round", "flat"))
    told = "heart lies completely outside the body. Check its frame"
    assert [note.startswith(told) for note in rounded.notes].count(True) == 1
    assert [note.startswith(told) for note in flat.notes].count(True) == 1
    assert "heart" in rounded.names() and "heart" not in flat.names() and "heart" in flat.missing
    assert "Completely beyond the body's flat end, and left out: heart." in flat.notes
    assert "Empty and left out: lung_right." in flat.notes
    assert not any("specks" in note for note in (*rounded.notes, *flat.notes))


def test_organs_upside_down_beyond_a_flat_end_are_refused() -> None:
    """Two of three votes are cast by what the crop leaves out."""
    i, j, k = np.indices((50, 50, SLICES + 60))
    ribs = {
        f"rib_left_{n}": (abs(i - 25) < 3) & (abs(j - 35) < 3) & (abs(k - 50 - 8 * n) < 2) for n in (1, 2, 3)
    }
    with pytest.raises(FrameMismatch, match="upside down"):
        scene(cylinder((0, 60), **ribs))


def test_crumbs_of_a_target_beyond_a_flat_end_are_told_and_cut_nothing() -> None:
    size = (50, 50, SLICES + 30)
    i, j, k = np.indices(size)
    node = (abs(i - 25) < 3) & (abs(j - 25) < 3) & (abs(k - 20) < 3)
    crumb = (abs(i - 25) < 1) & (abs(j - 25) < 2) & (k == SLICES + 20)
    flat, rounded = (scene(cylinder((0, 30), shape, node_4R=node | crumb)) for shape in ("flat", "round"))
    for made in (flat, rounded):
        assert any("Fragments far from the main part are left out" in note for note in made.notes)
        assert not any("cut by the edge" in note for note in made.notes)


def test_boxes_on_the_slices_in_view_are_tight() -> None:
    """A bead of the heart, that the crop leaves out, lies aside and beyond."""
    size = (50, 50, SLICES + 30)
    i, j, k = np.indices(size)
    heart = (abs(i - 33) < 3) & (abs(j - 25) < 5) & (abs(k - 12) < 6)
    bead = (abs(i - 4) < 2) & (abs(j - 4) < 2) & (abs(k - SLICES - 20) < 2)
    full_scene = scene(cylinder((0, 30), heart=heart | bead))
    assert full_scene.grid.shape == (50, 50, SLICES)
    for s in full_scene.structures:
        assert (s.mask.lower, s.mask.upper) == bounding_box(s.mask.layer == s.mask.label), s.name


def test_specks_of_body_beyond_a_flat_end_are_told() -> None:
    size = (50, 50, SLICES + 30)
    i, j, k = np.indices(size)
    across = ((i - 25) / 20) ** 2 + ((j - 25) / 18) ** 2
    speck = (abs(i - 25) < 3) & (abs(j - 25) < 3) & (abs(k - SLICES - 10) < 2)
    full_scene = scene(cylinder((0, 30), body=(across <= 1) & (k < SLICES) | speck))
    assert "Left out of the body as separate specks: 1 part, 0.6 cc together." in full_scene.notes


def _shown(whole: Segmentation) -> Segmentation:
    """The same on the lower SLICES slices only."""
    layers = MaskLayers((*whole.grid.shape[:2], SLICES))
    parts = []
    for s in whole.structures:
        mask = np.zeros(whole.grid.shape, bool)
        s.mask.paint(mask, True)
        parts.append(replace(s, mask=layers.add(s.name, mask[:, :, :SLICES])))
    grid = grid_of((*whole.grid.shape[:2], SLICES), (SPACING_MM,) * 3)
    return replace(whole, grid=grid, structures=tuple(parts), ct_hu=None)


def _beside(wide: int, lower: int, upper: int) -> Segmentation:
    """A trunk with a part of its body beside it, 2 x `wide` pixels across, on the slices `lower` to `upper`
    about the flat end. The widest is cut by the side of the grid."""
    i, j, k = np.indices((50, 50, SLICES + 30))
    trunk = (((i - 25) / 20) ** 2 + ((j - 25) / 18) ** 2 <= 1) & (k < SLICES)
    part = (i >= 47) & (i < 49) & (j > 0) & (j <= wide) & (k >= SLICES + lower) & (k < SLICES + upper)
    return cylinder((0, 30), body=trunk | part)


def _of_parts(made: Scene) -> list[str]:
    return [
        note
        for note in made.notes
        if "separate specks" in note or "separate parts" in note or "The body is in" in note
    ]


OBSTACLE = (
    "The body is in 2 parts. Needles enter the largest, and avoid the others like other structures "
    "outside the body: body_part_2 (4.03 cc)."
)


@pytest.mark.parametrize(
    ("part", "told"),
    [
        # Specks of the whole, and obstacles where the flat end cuts them.
        ((21, -12, 0), OBSTACLE),
        ((21, -12, 2), OBSTACLE),
        # Cut by the sides, too, and of less than 1 cc in view.
        ((49, -1, 4), "Left out of the body as separate specks: 1 part, 0.784 cc together."),
        # No specks, and nothing of them in view.
        ((49, 0, 2), "Left out, as separate parts beyond the flat end: 1 part, 1.57 cc together."),
        ((49, 1, 5), "Left out, as separate parts beyond the flat end: 1 part, 3.14 cc together."),
        ((21, 1, 5), "Left out of the body as separate specks: 1 part, 1.34 cc together."),
    ],
)
def test_a_part_at_a_flat_end_is_an_obstacle_or_left_out_as_what_is_in_view_of_it(
    part: tuple[int, int, int], told: str
) -> None:
    full_scene = scene(_beside(*part))
    assert full_scene.grid.shape == (50, 50, SLICES)
    assert _of_parts(full_scene) == [told]
    assert ("body_part_2" in full_scene.names()) == (told == OBSTACLE)


@settings(max_examples=25, deadline=None)
@given(wide=st.integers(1, 49), lower=st.integers(-30, -1), upper=st.integers(0, 5))
def test_of_parts_that_reach_into_view_the_same_is_told_as_if_there_were_nothing_beyond(
    wide: int, lower: int, upper: int
) -> None:
    whole = _beside(wide, lower, upper)
    assert _of_parts(scene(whole)) == _of_parts(scene(_shown(whole)))


def _organ_at_the_end(i_from: int, lower: int, upper: int, *, down: bool = False) -> Segmentation:
    """A trunk with a thyroid at one of its flat ends, from within it to ten pixels farther to its side."""
    pad = (12, 0) if down else (0, 12)
    i, j, k = np.indices((50, 50, SLICES + 12))
    k = SLICES - 1 - (k - 12) if down else k
    box = (i >= i_from) & (i < i_from + 10) & (abs(j - 25) < 4)
    return cylinder(pad, thyroid=box & (k >= SLICES + lower) & (k < SLICES + upper))


def _of_thyroid(made: Scene) -> list[str]:
    return [note for note in made.notes if "thyroid" in note]


@pytest.mark.parametrize("down", [False, True])
@pytest.mark.parametrize(
    ("lower", "upper", "told"),
    [
        (-2, 5, ["71 % of thyroid lies just beyond the body's flat end, and is cut with it."]),
        (-2, 3, ["60 % of thyroid lies just beyond the body's flat end, and is cut with it."]),
        (-8, 2, []),
        (0, 4, ["Completely beyond the body's flat end, and left out: thyroid."]),
    ],
)
def test_an_organ_that_goes_on_a_little_beyond_a_flat_end_is_cut_and_not_outside(
    lower: int, upper: int, told: list[str], down: bool
) -> None:
    assert _of_thyroid(scene(_organ_at_the_end(20, lower, upper, down=down))) == told


@settings(max_examples=25, deadline=None)
@given(i_from=st.integers(30, 40), lower=st.integers(-8, -1), upper=st.integers(0, 5))
def test_of_an_organ_beside_the_body_the_same_share_is_told_as_if_there_were_nothing_beyond(
    i_from: int, lower: int, upper: int
) -> None:
    whole = _organ_at_the_end(i_from, lower, upper)
    told, right = ([n for n in _of_thyroid(scene(of)) if "drawn" in n] for of in (whole, _shown(whole)))
    assert told == right


@pytest.mark.parametrize(
    ("beside", "share", "where"),
    [
        (False, 50, "beyond its flat end, where it is left out"),
        (True, 80, "the skin is drawn around it, except beyond the flat end, where it is left out"),
    ],
)
def test_of_an_organ_in_the_air_far_beyond_a_flat_end_no_skin_is_said_to_be_drawn(
    beside: bool, share: int, where: str
) -> None:
    i, j, k = np.indices((50, 50, SLICES + 40))
    first = 44 if beside else 30
    piece = (i >= first) & (i < first + 5) & (abs(j - 25) < 1)
    full_scene = scene(cylinder((0, 40), thyroid=piece & ((abs(k - 20) < 4) | (abs(k - SLICES - 20) < 4))))
    assert full_scene.grid.shape == (50, 50, SLICES)
    assert _of_thyroid(full_scene) == [
        f"{share} % of thyroid lies outside the body as it was drawn: {where}. Check its frame (LPS or RAS), "
        "its unit (mm, not cm) and that it is from the same scan."
    ]


def test_what_is_left_of_a_thick_last_slice_hides_no_cut() -> None:
    made = _with_last_slices((0, 2), [0.75])
    thick = replace(made, grid=grid_of(made.grid.shape, (4.0, 4.0, 12.0)))
    assert scene(thick).grid.shape == (50, 50, SLICES - 1)


def _guessed(pad: int, **more: np.ndarray) -> Segmentation:
    """Organs without a body: a wide one, and a node and a vessel that go on above it up to the top."""
    i, j, k = np.indices((50, 50, SLICES + pad))
    wide = (((i - 25) / 20) ** 2 + ((j - 25) / 18) ** 2 <= 1) & (k < SLICES - 4)
    node = (abs(i - 25) < 3) & (abs(j - 25) < 3) & (k >= SLICES - 8) & (k < SLICES)
    vessel = (abs(i - 25) < 10) & (abs(j - 36) < 3) & (k < SLICES)
    layers = MaskLayers((50, 50, SLICES + pad))
    masks = {"liver": wide & ~node & ~vessel, "node_4R": node, "aorta": vessel, **more}
    parts = tuple(Structure(n, layers.add(n, m)) for n, m in masks.items())
    return Segmentation(grid_of((50, 50, SLICES + pad), (SPACING_MM,) * 3), parts, ())


@pytest.mark.parametrize("pad", [0, 6])
def test_a_skin_that_is_guessed_loses_no_slice_to_the_steps_of_its_organs(pad: int) -> None:
    full_scene = scene(_guessed(pad))
    assert full_scene.grid.shape == (50, 50, SLICES + pad)
    assert not any("flat" in note for note in full_scene.notes)


@pytest.mark.parametrize("longer", [0, 2])
def test_a_skin_that_is_guessed_ends_where_its_outermost_slice_is_flat(longer: int) -> None:
    i, j, k = np.indices((50, 50, SLICES + 6))
    lung = (((i - 25) / 20) ** 2 + ((j - 25) / 18) ** 2 <= 1) & (k < SLICES)
    arm = (abs(i - 48) < 2) & (abs(j - 25) < 4) & (k < SLICES + longer)
    full_scene = scene(_guessed(6, lung_right=lung, arm_left=arm))
    assert full_scene.grid.shape == (50, 50, SLICES)


def _label_map(pad: int, last: float = 1.0) -> Segmentation:
    """A trunk of which organs take half from the body's label, the left half on the last slices and the right
    one on the others; of the last slice, so much of the area is left."""
    i, j, k = np.indices((50, 50, SLICES + pad))
    across = ((i - 25) / 20) ** 2 + ((j - 25) / 18) ** 2
    trunk = (across <= np.where(k == SLICES - 1, last, 1.0)) & (k < SLICES)
    within = (across <= 0.7) & (k < SLICES) & (abs(i - 25) > 3)
    lung, liver = within & (i < 25) & (k < SLICES - 3), within & (i > 25) & (k >= SLICES - 3)
    node = (abs(i - 25) < 3) & (abs(j - 25) < 3) & (k >= SLICES - 6) & (k < SLICES)
    masks = {"lung_right": lung & trunk, "liver": liver & trunk, "node_4R": node}
    rind = trunk & ~np.any([*masks.values()], axis=0)
    return cylinder((0, pad), body=rind, heart=np.zeros(i.shape, bool), **masks)


@pytest.mark.parametrize("pad", [0, 6])
def test_organs_that_change_from_slice_to_slice_in_a_label_map_are_no_flat_face(pad: int) -> None:
    made = _label_map(pad)
    made = scene(replace(made, grid=grid_of(made.grid.shape, (4.0, 4.0, 3.0))))
    assert made.grid.shape == (50, 50, SLICES)


def test_slices_of_a_label_map_on_which_the_body_is_a_wall_about_organs_are_in_view() -> None:
    """Less than half of the upper slices was drawn as body."""
    i, j, k = np.indices((50, 50, SLICES))
    across = ((i - 25) / 20) ** 2 + ((j - 25) / 18) ** 2
    within = (across <= 0.6) & (k >= SLICES - 12)
    node = within & (abs(i - 25) <= 3) & (abs(k - SLICES + 6) < 3)
    organs = {"lung_right": within & (i < 22), "heart": within & (i >= 22) & ~node, "node_4R": node}
    full_scene = scene(cylinder((0, 0), body=(across <= 1) & ~(within | node), **organs))
    assert full_scene.grid.shape == (50, 50, SLICES)
    assert not any("flat" in note for note in full_scene.notes)


@pytest.mark.parametrize("pad", [0, 6])
@pytest.mark.parametrize("share", [0.01, 0.75])
def test_a_ragged_slice_of_a_label_map_hides_no_cut(pad: int, share: float) -> None:
    made = _label_map(pad, share)
    with pytest.raises(StructureError, match="25 of its 150 voxels lie beyond the body, which ends flat"):
        scene(replace(made, grid=grid_of(made.grid.shape, (4.0, 4.0, 9.0))))


def test_a_closed_shell_ends_at_its_caps_and_not_at_those_of_the_other_end() -> None:
    size = (50, 50, SLICES + 12)
    i, j, k = np.indices(size)
    across = ((i - 25) / 20) ** 2 + ((j - 25) / 18) ** 2
    trunk = (across <= 1) & (k >= 6) & (k < SLICES + 6)
    full_scene = scene(cylinder((6, 6), body=trunk & ~((across <= 0.5) & (k >= 9) & (k < SLICES + 3))))
    assert full_scene.grid.shape == (50, 50, SLICES)


def test_limbs_that_cover_all_that_a_trunk_leaves_bare_are_no_end_of_the_view() -> None:
    """Raised arms above a plane through the shoulders, beside neck and chest that go on."""
    i, j, k = np.indices((50, 50, SLICES))
    whole = ((i - 25) / 20) ** 2 + ((j - 25) / 18) ** 2 <= 1
    arms = whole & (abs(i - 25) > 9) & (k >= SLICES - 12)
    lung = np.zeros(whole.shape, bool)
    full_scene = scene(cylinder((0, 0), body=whole & ~arms, body_extremities=arms, lung_right=lung))
    assert full_scene.grid.shape == (50, 50, SLICES)
    assert not any("flat" in note for note in full_scene.notes)


def test_organs_that_fill_slices_on_which_hardly_any_body_was_drawn_are_no_body() -> None:
    i, j, k = np.indices((50, 50, SLICES + 20))
    across = ((i - 25) / 20) ** 2 + ((j - 25) / 18) ** 2
    speck = (abs(i - 25) < 1) & (abs(j - 8) < 1)
    body = (across <= 1) & (k < SLICES) | speck & (k < SLICES + 15)
    lung = (across <= 0.9) & (k >= 10) & (k < SLICES + 15) & (abs(i - 25) > 3)
    with pytest.raises(StructureError, match=r"ends flat at z = 79.0 mm, .* extend beyond it for 30 mm"):
        scene(cylinder((0, 20), body=body, lung_right=lung))
