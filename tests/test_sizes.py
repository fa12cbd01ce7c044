"""Sizes: a patient in cm, m or inches is refused by the likely unit; small patients and crumbs are not."""

from pathlib import Path

import numpy as np
import pytest
import trimesh

from anatomy.errors import AnatomyError, StructureError, SurfaceError
from anatomy.frames import Grid
from anatomy.read import read
from anatomy.sizes import refuse_unlikely_voxels
from anatomy.structures import Role, Structure, mask_from_bool
from anatomy.thorax import thorax

ADULT_MM = {
    "body": (170, 120, 150),
    "heart": (55, 50, 55),
    "lung_left": (50, 70, 120),
    "aorta": (14, 14, 110),
}
"""Half axes of ellipsoids, about those of an adult's organs in a chest CT."""

NEWBORN_MM = {"body": (48, 40, 50), "heart": (20, 18, 20), "lung_left": (17, 24, 40), "aorta": (5, 5, 35)}
"""About those of a newborn's."""

UNITS = {"cm": 10.0, "inches": 25.4, "m": 1000.0}


def grid_of(spacing_mm: float, size: int = 40) -> Grid:
    X_PV = np.diag([spacing_mm, spacing_mm, spacing_mm, 1.0])
    return Grid((size, size, size), X_PV)


def patient(half_axes: dict[str, tuple[float, float, float]], size: int = 40) -> tuple[Structure, ...]:
    """Organs as ellipsoids in a box that holds the body, in `size` voxels along each axis."""
    step = 2.2 * max(max(axes) for axes in half_axes.values()) / size
    at = (np.indices((size,) * 3) - (size - 1) / 2) * step
    return tuple(
        Structure(name, mask_from_bool(sum((a / h) ** 2 for a, h in zip(at, axes, strict=True)) <= 1.0))
        for name, axes in half_axes.items()
    )


def spacing_of(half_axes: dict[str, tuple[float, float, float]], size: int = 40) -> float:
    return 2.2 * max(max(axes) for axes in half_axes.values()) / size


@pytest.mark.parametrize("who", [ADULT_MM, NEWBORN_MM], ids=["adult", "newborn"])
@pytest.mark.parametrize("with_body", [True, False])
def test_patients_in_mm_are_let_be(who: dict[str, tuple[float, float, float]], with_body: bool) -> None:
    structures = [s for s in patient(who) if with_body or s.name != "body"]
    refuse_unlikely_voxels(structures, grid_of(spacing_of(who)))


@pytest.mark.parametrize(("unit", "length_mm"), UNITS.items())
@pytest.mark.parametrize("with_body", [True, False])
def test_an_adult_in_another_unit_is_refused_by_it(unit: str, length_mm: float, with_body: bool) -> None:
    structures = [s for s in patient(ADULT_MM) if with_body or s.name != "body"]
    # Grids finer than is read as one are refused by their spacing.
    grid = grid_of(1.0)
    object.__setattr__(grid, "X_PV", np.diag([spacing_of(ADULT_MM) / length_mm] * 3 + [1.0]))
    with pytest.raises(StructureError, match=f"likely in {unit}: write it in mm"):
        refuse_unlikely_voxels(structures, grid)


def test_a_field_of_view_of_one_slice_is_let_be() -> None:
    structures = patient(ADULT_MM)
    cut = [
        Structure(s.name, mask_from_bool(np.ascontiguousarray(s.mask.layer[:, :, 20:21] == s.mask.label)))
        for s in structures
    ]
    refuse_unlikely_voxels(cut, Grid((40, 40, 1), grid_of(spacing_of(ADULT_MM)).X_PV))


def test_a_crumb_at_the_edge_and_a_role_that_is_asked_for() -> None:
    heart, lung = (s for s in patient(ADULT_MM) if s.name in ("heart", "lung_left"))
    crumb = np.zeros((40, 40, 40), bool)
    crumb[0, 20, 20] = True
    grid = grid_of(spacing_of(ADULT_MM))
    refuse_unlikely_voxels((heart, lung, Structure("aorta", mask_from_bool(crumb))), grid)
    with pytest.raises(StructureError):
        refuse_unlikely_voxels((Structure("outline", mask_from_bool(crumb), Role.SKIN), heart), grid)


def test_the_built_in_thorax_is_let_be() -> None:
    made = thorax()
    refuse_unlikely_voxels(made.structures, made.grid)


def folder_of(tmp_path: Path, length_mm: float, only: str | None = None) -> Path:
    for name, axes in ADULT_MM.items():
        ball = trimesh.creation.icosphere(subdivisions=2)
        ball.apply_scale(np.array(axes) / (length_mm if only in (None, name) else 1.0))
        ball.export(tmp_path / f"{name}.stl")
    return tmp_path


@pytest.mark.parametrize(("unit", "length_mm"), [("cm", 10.0), ("inches", 25.4)])
@pytest.mark.parametrize("only", [None, *ADULT_MM])
def test_a_surface_in_another_unit_is_refused_by_it(
    tmp_path: Path, unit: str, length_mm: float, only: str | None
) -> None:
    with pytest.raises(SurfaceError, match=f"likely in .*{unit}") as refused:
        read(folder_of(tmp_path, length_mm, only))
    assert refused.value.field == f"{only or 'aorta'}.stl"


def test_surfaces_in_m_bound_no_volume_or_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SurfaceError, match="in mm"):
        read(folder_of(tmp_path, 1000.0))


def test_a_target_in_cm_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "organs"
    folder.mkdir()
    node = trimesh.creation.icosphere(subdivisions=2, radius=1.2)
    node.export(tmp_path / "gtv.stl")
    with pytest.raises(AnatomyError, match=r"2\.4 mm long.*cm"):
        read(folder_of(folder, 1.0), targets=[tmp_path / "gtv.stl"])
