"""Pictures of an implant's dose: positions of isodose lines and of marks, and reproducible bytes."""

from dataclasses import replace
from io import BytesIO
from pathlib import Path as FilePath

import numpy as np
import pytest
import trimesh
from drawn_chest import CENTRE_P, chest, colour_at, is_colour, pixels
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from sample_implants import TIP, a_dose, a_needle_set, implant_plan
from winding import winding_number

from anatomy.geometry.surface import Surface
from planner.dose.plan_dose import plan_dose, seeds_P
from planner.dose.tg43.kernel import dose_kernel, dose_kernel_1d, dose_sum
from planner.records.needle_set import PlacedSeed
from planner.records.paths import Aim
from planner.records.plan import Plan, PlanningResult, SkinAccess
from planner.sources import source_named
from service.exports.stl import write_stl
from service.pictures.dvh import ORGANS_DRAWN, dvh_figure, hottest_curves
from service.pictures.implant_marks import NEAR_MM, near_part
from service.pictures.isodose import LEVELS_PERCENT, isodose_figure, slices
from service.pictures.oblique_slice import Slice
from service.pictures.palette import GREEN, NEEDLE, SEED
from service.pictures.path import path_figure
from service.pictures.plan_files import draw

PLAN = implant_plan()
KERNELS = {make: make(source_named("amersham_6711")) for make in (dose_kernel, dose_kernel_1d)}


def with_seeds(*seeds: PlacedSeed) -> Plan:
    return replace(PLAN, needle_set=replace(a_needle_set(), seeds=seeds))


# The dose that is drawn


def test_the_dose_drawn_is_that_of_all_seeds_at_the_plans_strength() -> None:
    points = CENTRE_P + np.random.default_rng(0).uniform(-30.0, 30.0, (50, 3))
    expected = np.zeros(50)
    for seed in a_needle_set().seeds:
        kernel = KERNELS[dose_kernel if seed.axis else dose_kernel_1d]
        axis = seed.axis or (1.0, 0.0, 0.0)
        expected += 0.762 * dose_sum(kernel, points, np.array([seed.position_mm]), np.array([axis]))
    assert np.allclose(plan_dose(PLAN)(points), expected, rtol=1e-6)


def test_the_dose_drawn_follows_the_strength() -> None:
    points = CENTRE_P[None, :] + np.array([[3.0, 4.0, 5.0]])
    stronger = replace(PLAN, dose=replace(a_dose(), air_kerma_strength_u=2 * 0.762))
    assert plan_dose(stronger)(points) == pytest.approx(2 * plan_dose(PLAN)(points))


def test_without_seeds_there_is_no_dose() -> None:
    points = np.zeros((3, 3))
    for plan in (with_seeds(), replace(PLAN, needle_set=None)):
        assert plan_dose(plan)(points).tolist() == [0.0, 0.0, 0.0]
        assert seeds_P(plan).shape == (0, 3)


# The histogram


def test_the_histogram_names_every_line_and_marks_the_prescription() -> None:
    figure = dvh_figure(PLAN)
    lines = figure.axes[0].get_lines()
    labels = [line.get_label() for line in lines if not str(line.get_label()).startswith("_")]
    assert labels == ["PTV", "GTV", "lung right", "heart", *(f"rib {n}" for n in range(6))]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == labels
    widths = {line.get_label(): line.get_linewidth() for line in lines}
    assert all(widths["PTV"] > width for label, width in widths.items() if label != "PTV")
    line_styles = [(line.get_color(), line.get_linestyle()) for line in lines]
    assert len(set(line_styles)) == len(line_styles), "two lines look alike"
    marks = [line.get_xdata() for line in lines if str(line.get_label()).startswith("_")]
    assert [list(mark) for mark in marks] == [[120.0, 120.0]]
    assert "prescribed 120 Gy" in [text.get_text() for text in figure.axes[0].texts]
    assert "dose to water in water, TG-43" in figure.axes[0].get_xlabel()
    assert "D90 146.2 Gy" in figure.get_suptitle()


def test_the_histogram_draws_the_organs_with_the_most_dose() -> None:
    curves = hottest_curves(a_dose())
    assert len(curves) == ORGANS_DRAWN
    assert [curve.structure for curve in curves[:3]] == ["lung_right", "heart", "rib_0"]


# Isodoses


@pytest.fixture(scope="module")
def isodoses() -> Figure:
    return isodose_figure(PLAN, chest(ct=False))


@pytest.fixture(scope="module")
def picture(isodoses: Figure) -> np.ndarray:
    return pixels(isodoses)


def planes(figure: Figure) -> list[Slice]:
    """The slices drawn, from the coordinates in their titles."""
    coordinates = [axes.get_title().split()[-3:-1] for axes in figure.axes]
    z, y, x = (float(value) if letter in "LPS" else -float(value) for letter, value in coordinates)
    half_mm = figure.axes[0].get_xlim()[1]
    return list(slices(np.array([x, y, z]), half_mm).values())


def test_three_slices_meet_in_the_ptv(isodoses: Figure) -> None:
    assert [axes.get_title().split(",")[0] for axes in isodoses.axes] == ["Axial", "Coronal", "Sagittal"]
    assert all(np.abs(plane.centre_P - CENTRE_P).max() < 5.0 for plane in planes(isodoses))
    axial, coronal, sagittal = (
        {t.get_text(): t.get_position() for t in axes.texts} for axes in isodoses.axes
    )
    assert axial["R"][0] < 0 < axial["L"][0] and axial["P"][1] < 0 < axial["A"][1]
    assert coronal["R"][0] < 0 < coronal["L"][0] and coronal["I"][1] < 0 < coronal["S"][1]
    assert sagittal["A"][0] < 0 < sagittal["P"][0] and sagittal["I"][1] < 0 < sagittal["S"][1]


def test_titles_of_slices_state_their_position() -> None:
    assert list(slices(np.array([-22.04, 7.0, -1.0]), 40.0)) == [
        *("Axial, I 1.0 mm", "Coronal, P 7.0 mm", "Sagittal, R 22.0 mm"),
    ]


def test_isodose_lines_lie_where_the_dose_has_their_value(isodoses: Figure) -> None:
    dose = plan_dose(PLAN)
    points_of_level = {percent: 0 for percent in LEVELS_PERCENT}
    for axes, plane in zip(isodoses.axes, planes(isodoses), strict=True):
        for lines in axes.collections:
            levels = np.asarray(getattr(lines, "levels", [0.5]))
            if len(levels) != 1 or levels[0] < 1.0:
                continue
            percent = round(100 * float(levels[0]) / 120.0)
            for part in lines.get_paths():  # type: ignore[union-attr]
                vertices = part.vertices[np.all(np.abs(part.vertices) < plane.half_mm, axis=1)]
                points_P = plane.centre_P + vertices[:, :1] * plane.u_P + vertices[:, 1:] * plane.v_P
                if len(points_P):
                    points_of_level[percent] += len(points_P)
                    # Dose is not linear between pixels of 0.5 mm: lines are off by less than half a pixel.
                    step = 0.25 * np.stack([plane.u_P, -plane.u_P, plane.v_P, -plane.v_P])
                    doses_nearby = np.stack([dose(points_P + shift) for shift in step] + [dose(points_P)])
                    level = 1.2 * percent
                    assert (
                        (doses_nearby.min(axis=0) <= level) & (level <= doses_nearby.max(axis=0))
                    ).mean() > 0.98
    assert all(count > 50 for count in points_of_level.values()), points_of_level


def test_isodose_lines_are_named(isodoses: Figure) -> None:
    legend = [text.get_text() for text in isodoses.legends[0].get_texts()]
    for percent in LEVELS_PERCENT:
        assert any(label.startswith(f"{percent} %") for label in legend)
    assert any(text.get_text() == "100 %" for axes in isodoses.axes for text in axes.texts)
    assert {"PTV", "needle within 2.5 mm", "seed within 2.5 mm"} <= set(legend)
    assert "dose to water in water, TG-43" in isodoses.get_suptitle()


def test_needles_and_seeds_are_drawn_where_they_cross(isodoses: Figure, picture: np.ndarray) -> None:
    axial = planes(isodoses)[0]
    along_needle = np.array([TIP[0], 30.0, 60.0])
    assert is_colour(colour_at(isodoses, picture, 0, axial.on_page(along_needle)), NEEDLE)
    for seed in a_needle_set().seeds:
        assert is_colour(colour_at(isodoses, picture, 0, axial.on_page(np.array(seed.position_mm))), SEED)
    # The second needle lies 8 mm beside the sagittal slice.
    sagittal = planes(isodoses)[2]
    assert is_colour(
        colour_at(isodoses, picture, 2, sagittal.on_page(np.array([TIP[0], 40.0, 60.0]))), NEEDLE
    )
    assert not is_colour(
        colour_at(isodoses, picture, 2, sagittal.on_page(np.array([88.0, 60.0, 60.0]))), SEED
    )


def test_the_ptv_is_outlined(picture: np.ndarray) -> None:
    assert (np.abs(picture - np.array(to_rgb(GREEN))).max(axis=-1) < 0.02).sum() > 500


def test_a_plan_without_a_needle_set_is_drawn_without_isodose_lines() -> None:
    figure = isodose_figure(replace(PLAN, needle_set=None), chest(ct=False))
    assert not any(text.get_text().endswith("%") for axes in figure.axes for text in axes.texts)


number = st.floats(-40.0, 40.0)
point = st.tuples(number, number, number).map(np.array)
AXIAL = Slice(np.zeros(3), np.array([1.0, 0.0, 0.0]), np.array([0.0, -1.0, 0.0]), 50.0)


@given(point, point)
def test_the_part_of_a_needle_near_the_slice_is_drawn(a: np.ndarray, b: np.ndarray) -> None:
    part = near_part(AXIAL, a, b)
    needle_points = a + np.linspace(0.0, 1.0, 2001)[:, None] * (b - a)
    close = needle_points[np.abs(needle_points[:, 2]) <= NEAR_MM]
    if part is None:
        assert len(close) == 0
    elif len(close):
        step = float(np.linalg.norm(b - a)) / 2000
        assert np.allclose(part, AXIAL.on_page(close[[0, -1]]), atol=step + 1e-9)


@given(point, st.floats(-10.0, 10.0))
def test_a_needle_parallel_to_the_slice_is_drawn_whole_or_not_at_all(a: np.ndarray, height: float) -> None:
    a = np.array([a[0], a[1], height])
    b = a + np.array([5.0, 1.0, 0.0])
    part = near_part(AXIAL, a, b)
    assert (part is not None) == (abs(height) <= NEAR_MM)
    assert part is None or np.allclose(part, AXIAL.on_page(np.stack([a, b])))


# Files


@pytest.mark.long
def test_drawing_a_dose_twice_gives_equal_files(tmp_path: FilePath) -> None:
    access = SkinAccess(entry_mm=np.empty((0, 3)), lung_length_mm=np.empty(0))
    planning, patient = PlanningResult(plan=PLAN, access=access), chest(ct=False)
    first, second = (draw(planning, patient, tmp_path / name) for name in ("first", "again"))
    surfaces = [f"isodose_{percent}.stl" for percent in LEVELS_PERCENT]
    assert [file.name for file in first] == [
        *("path_01.png", "needle_N2.png", "skin_access.png", "dvh.png", "isodose.png"),
        *surfaces,
    ]
    assert sorted(f.name for f in (tmp_path / "first").iterdir()) == sorted(f.name for f in first)
    for file, second_file in zip(first, second, strict=True):
        assert file.read_bytes() == second_file.read_bytes()
    meshes = [trimesh.load_mesh(tmp_path / "first" / name) for name in surfaces]
    volumes = [mesh.volume for mesh in meshes]
    assert all(mesh.is_watertight for mesh in meshes)
    assert volumes == sorted(volumes, reverse=True) and volumes[-1] > 0.0
    peak = meshes[1]
    assert all(winding_number(peak.vertices, peak.faces, seed_P) > 0.99 for seed_P in seeds_P(PLAN))


def test_titles_distinguish_paths_planned_needles_and_given_needles() -> None:
    patient, (path, needle) = chest(ct=False), PLAN.paths
    given_needle = replace(needle, id="N3", aim=Aim.GIVEN)
    titles = [
        path_figure(PLAN, drawn_path, patient).get_suptitle().split(": ")[0]
        for drawn_path in (path, needle, given_needle)
    ]
    assert titles == ["Path 1 to node", "Needle N2 for node", "Given needle N3"]


def test_without_a_dose_no_dose_is_drawn(tmp_path: FilePath) -> None:
    access = SkinAccess(entry_mm=np.empty((0, 3)), lung_length_mm=np.empty(0))
    without_dose = replace(PLAN, dose=None, paths=())
    files = draw(PlanningResult(plan=without_dose, access=access), chest(ct=False), tmp_path)
    assert [file.name for file in files] == ["skin_access.png"]


def test_levels_that_are_not_reached_have_no_surface(tmp_path: FilePath) -> None:
    access = SkinAccess(entry_mm=np.empty((0, 3)), lung_length_mm=np.empty(0))
    without_seeds = replace(with_seeds(), paths=())
    files = draw(PlanningResult(plan=without_seeds, access=access), chest(ct=False), tmp_path)
    assert [file.name for file in files] == ["skin_access.png", "dvh.png", "isodose.png"]


def test_a_written_surface_is_read_back_by_trimesh() -> None:
    corners = np.array([[0.0, 0.0, 0.0], [9.0, 0.0, 0.0], [0.0, 9.0, 0.0], [0.0, 0.0, 9.0]])
    faces = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])
    data = write_stl(Surface(corners, faces), "100 % of 120 Gy, LPS mm")
    assert len(data) == 84 + 50 * 4 and not data.startswith(b"solid")
    mesh = trimesh.load_mesh(BytesIO(data), file_type="stl")
    assert mesh.is_watertight and mesh.volume == pytest.approx(9.0**3 / 6)
    assert np.allclose(np.linalg.norm(mesh.face_normals, axis=1), 1.0)


def test_the_legend_shows_isodose_levels_as_lines(isodoses: Figure) -> None:
    handles = isodoses.legends[0].legend_handles
    assert sum(isinstance(handle, Line2D) for handle in handles) >= len(LEVELS_PERCENT) + 1
