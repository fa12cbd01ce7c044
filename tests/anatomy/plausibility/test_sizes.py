"""Sizes: a patient in cm, m or inches is refused with the likely unit; small patients and tiny pieces are
not."""

from pathlib import Path

import nibabel
import numpy as np
import pytest
import trimesh

from anatomy.errors import AnatomyError, StructureError, SurfaceError
from anatomy.geometry.frames import Grid
from anatomy.geometry.masks import mask_from_bool
from anatomy.names.roles import role_of
from anatomy.plausibility.expected_structures import is_expected
from anatomy.plausibility.remnants import remnants_of, too_small_of
from anatomy.plausibility.sizes import refuse_unlikely_voxels
from anatomy.readers.read import read
from anatomy.scene import scene
from anatomy.structures import Role, Structure
from anatomy.thorax import thorax
from service.operations.case import Case
from service.operations.describe_case import describe_case

ADULT_MM = {
    "body": (170, 120, 150),
    "heart": (55, 50, 55),
    "lung_left": (50, 70, 120),
    "aorta": (14, 14, 110),
}
"""Half axes of ellipsoids, similar to an adult's organs in a chest CT. [mm]"""

NEWBORN_MM = {"body": (48, 40, 50), "heart": (20, 18, 20), "lung_left": (17, 24, 40), "aorta": (5, 5, 35)}
"""Half axes of ellipsoids, similar to a newborn's organs. [mm]"""

UNITS = {"cm": 10.0, "inches": 25.4, "m": 1000.0}


def grid_of(spacing_mm: float, size: int = 40) -> Grid:
    X_PV = np.diag([spacing_mm, spacing_mm, spacing_mm, 1.0])
    return Grid((size, size, size), X_PV)


def patient(half_axes: dict[str, tuple[float, float, float]], size: int = 40) -> tuple[Structure, ...]:
    """Organs as ellipsoids in a box that holds the body, in `size` voxels along each axis."""
    step = 2.2 * max(max(axes) for axes in half_axes.values()) / size
    coordinates = (np.indices((size,) * 3) - (size - 1) / 2) * step
    return tuple(
        Structure(
            name, mask_from_bool(sum((a / h) ** 2 for a, h in zip(coordinates, axes, strict=True)) <= 1.0)
        )
        for name, axes in half_axes.items()
    )


def spacing_of(half_axes: dict[str, tuple[float, float, float]], size: int = 40) -> float:
    return 2.2 * max(max(axes) for axes in half_axes.values()) / size


@pytest.mark.parametrize("half_axes", [ADULT_MM, NEWBORN_MM], ids=["adult", "newborn"])
@pytest.mark.parametrize("with_body", [True, False])
def test_patients_in_mm_are_accepted(
    half_axes: dict[str, tuple[float, float, float]], with_body: bool
) -> None:
    structures = [s for s in patient(half_axes) if with_body or s.name != "body"]
    refuse_unlikely_voxels(structures, grid_of(spacing_of(half_axes)))


@pytest.mark.parametrize(("unit", "length_mm"), UNITS.items())
@pytest.mark.parametrize("with_body", [True, False])
def test_an_adult_in_another_unit_is_refused_with_the_unit(
    unit: str, length_mm: float, with_body: bool
) -> None:
    structures = [s for s in patient(ADULT_MM) if with_body or s.name != "body"]
    # Finer grids would already be refused by their spacing.
    grid = grid_of(1.0)
    object.__setattr__(grid, "X_PV", np.diag([spacing_of(ADULT_MM) / length_mm] * 3 + [1.0]))
    with pytest.raises(StructureError, match=f"likely in {unit}: write it in mm"):
        refuse_unlikely_voxels(structures, grid)


def test_a_field_of_view_of_one_slice_is_accepted() -> None:
    structures = patient(ADULT_MM)
    slices = [
        Structure(s.name, mask_from_bool(np.ascontiguousarray(s.mask.layer[:, :, 20:21] == s.mask.label)))
        for s in structures
    ]
    refuse_unlikely_voxels(slices, Grid((40, 40, 1), grid_of(spacing_of(ADULT_MM)).X_PV))


def test_a_tiny_piece_at_the_edge_is_accepted_except_as_skin() -> None:
    heart, lung = (s for s in patient(ADULT_MM) if s.name in ("heart", "lung_left"))
    piece = np.zeros((40, 40, 40), bool)
    piece[0, 20, 20] = True
    grid = grid_of(spacing_of(ADULT_MM))
    refuse_unlikely_voxels((heart, lung, Structure("aorta", mask_from_bool(piece))), grid)
    with pytest.raises(StructureError):
        refuse_unlikely_voxels((Structure("outline", mask_from_bool(piece), Role.SKIN), heart), grid)


def test_the_built_in_thorax_has_plausible_sizes() -> None:
    segmentation = thorax()
    refuse_unlikely_voxels(segmentation.structures, segmentation.grid)


def folder_of(tmp_path: Path, length_mm: float, only: str | None = None) -> Path:
    for name, axes in ADULT_MM.items():
        ball = trimesh.creation.icosphere(subdivisions=2)
        ball.apply_scale(np.array(axes) / (length_mm if only in (None, name) else 1.0))
        ball.export(tmp_path / f"{name}.stl")
    return tmp_path


@pytest.mark.parametrize(("unit", "length_mm"), [("cm", 10.0), ("inches", 25.4)])
@pytest.mark.parametrize("only", [None, *ADULT_MM])
def test_a_surface_in_another_unit_is_refused_with_the_unit(
    tmp_path: Path, unit: str, length_mm: float, only: str | None
) -> None:
    with pytest.raises(SurfaceError, match=f"likely in .*{unit}") as error:
        read(folder_of(tmp_path, length_mm, only))
    assert error.value.field == f"{only or 'body'}.stl"


PLACES_MM = {
    "body": (0, 0, -600),
    "heart": (-15, -20, -620),
    "lung_left": (80, 0, -600),
    "aorta": (20, 45, -600),
}
"""Approximate positions of an adult's organs in a scan with a distant origin. [mm]"""


def placed_folder(
    tmp_path: Path, organs: dict[str, tuple[float, float, float]], in_cm: tuple[str, ...] = ()
) -> Path:
    """Ellipsoids with these half axes at their positions, some of them written in cm."""
    for name, axes in organs.items():
        ball = trimesh.creation.icosphere(subdivisions=2)
        ball.apply_scale(axes)
        ball.apply_translation(PLACES_MM[name])
        ball.apply_scale(0.1 if name in in_cm else 1.0)
        ball.export(tmp_path / f"{name}.stl")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "axes", "expected"),
    [
        ("aorta", (5, 5, 5), "0.51 cm3 of aorta"),
        ("lung_left", (14, 14, 14), "11 cm3 of lung_left"),
    ],
)
def test_a_cropped_organ_is_a_remnant(
    tmp_path: Path, name: str, axes: tuple[float, float, float], expected: str
) -> None:
    """A remnant is an obstacle, is noted, and counts as missing."""
    organs = {**ADULT_MM, name: axes}
    folder = placed_folder(tmp_path, organs)
    trimesh.creation.icosphere(radius=9).apply_translation((0, 0, -550)).export(folder / "node.stl")
    full_scene = scene(read(folder)[0])
    [note] = [note for note in full_scene.notes if "remnant" in note]
    assert note.startswith(f"Only {expected}: taken as a remnant")
    assert name.removesuffix("_left") in full_scene.missing
    assert (
        full_scene.structure(name).role in (Role.FORBIDDEN, Role.LUNG)
        and full_scene.structure(name).mask.count > 0
    )
    assert note in describe_case(Case(folder))["notes"]


@pytest.mark.parametrize("name", [name for name in ADULT_MM if name != "body"])
def test_one_organ_in_cm_far_from_the_origin_is_no_remnant(tmp_path: Path, name: str) -> None:
    with pytest.raises(SurfaceError, match="likely in cm: write it in mm") as error:
        read(placed_folder(tmp_path, ADULT_MM, (name,)))
    assert error.value.field == f"{name}.stl"
    assert f"call it {name}_remnant" in error.value.remedy and "remove" not in error.value.remedy
    assert role_of(f"{name}_remnant") is Role.FORBIDDEN and not is_expected(f"{name}_remnant", Role.FORBIDDEN)


def test_most_organs_in_cm_are_refused_beside_a_body_in_mm(tmp_path: Path) -> None:
    with pytest.raises(SurfaceError, match="likely in cm"):
        read(placed_folder(tmp_path, ADULT_MM, ("heart", "lung_left", "aorta")))


def tiny_pieces(*names: str) -> tuple[Structure, ...]:
    """Structures of one voxel of 8 mm3 each, with the roles that their names imply."""
    structures = []
    for n, name in enumerate(names):
        mask = np.zeros((40, 40, 40), bool)
        mask[n, n, n] = True
        structures.append(Structure(name, mask_from_bool(mask), role_of(name)))
    return tuple(structures)


def test_a_tiny_piece_does_not_count_as_an_organ() -> None:
    names = ("lung_left", "lung_upper_lobe_right", "aorta", "pulmonary_vein", "rib_left_4", "vertebrae_T5")
    remnants = remnants_of(tiny_pieces(*names), grid_of(2.0))
    assert tuple(remnant.name for remnant in remnants) == names
    assert all(remnant.volume_cm3 == pytest.approx(0.008) for remnant in remnants)
    # Structures that not every chest has are no remnants, and a structure that a request calls lung counts as
    # lung.
    assert remnants_of(tiny_pieces("kidney_left", "node", "lung_covid_infiltrate"), grid_of(2.0)) == ()
    mask = np.zeros((40, 40, 40), bool)
    mask[:10, :10, :10] = True
    # A tiny piece of any organ is too small to show that a limit for the organ is met.
    assert too_small_of(tiny_pieces("brachial_plexus_left", "stomach"), grid_of(2.0)) == {
        "brachial_plexus_left",
        "stomach",
    }
    named_lung = Structure("pulmo", mask_from_bool(mask), Role.LUNG)
    assert [remnant.name for remnant in remnants_of([named_lung], grid_of(2.0))] == ["pulmo"]
    assert remnants_of([named_lung], grid_of(3.0)) == ()


def test_surfaces_in_metres_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SurfaceError, match="in mm"):
        read(folder_of(tmp_path, 1000.0))


def test_a_target_with_a_part_without_voxels_is_refused(tmp_path: Path) -> None:
    """The part would not be treated. Voxels have 5 mm; the small ball lies between their centres."""
    masks = tmp_path / "masks"
    masks.mkdir()
    body = np.zeros((40, 40, 40), np.uint8)
    body[5:35, 5:35] = 1
    nibabel.save(nibabel.Nifti1Image(body, np.diag([-5.0, -5.0, 5.0, 1.0])), masks / "body.nii.gz")
    main, small = trimesh.creation.icosphere(3, 10.0), trimesh.creation.icosphere(3, 2.0)
    main.apply_translation((100, 100, 100))
    small.apply_translation((122.5, 122.5, 122.5))
    file = tmp_path / "node.stl"
    trimesh.util.concatenate([main, small]).export(file)
    with pytest.raises(SurfaceError, match=r"one of its parts holds no voxel centre"):
        read(masks, targets=[file])
    main.export(file)
    read(masks, targets=[file])


def test_a_target_in_cm_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "organs"
    folder.mkdir()
    node = trimesh.creation.icosphere(subdivisions=2, radius=1.2)
    node.export(tmp_path / "gtv.stl")
    with pytest.raises(AnatomyError, match=r"2\.4 mm long.*cm"):
        read(folder_of(folder, 1.0), targets=[tmp_path / "gtv.stl"])
