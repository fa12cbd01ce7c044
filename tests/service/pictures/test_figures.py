from dataclasses import replace
from pathlib import Path as FilePath

import numpy as np
import pytest
from bare_plans import BARE_PATH, BARE_PLAN
from drawn_chest import CENTRE_P, DIRECTION, chest, colour_at, is_colour, pixels
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.image import imread

from anatomy.structures import Role
from planner.records.paths import Crossing, SeedDrop, Window, WindowPlace
from planner.records.plan import Outcome, Plan, Status
from planner.records.search import Proof, SearchReport
from service.pictures.oblique_slice import along_needle, direction_letters
from service.pictures.palette import NEEDLE, NO_LUNG, OF_ROLE, SEED
from service.pictures.path import path_figure
from service.pictures.skin_access import CELL_MM, VIEWS, access_figure, best_in_cells

ENTRY_P, TIP_P = CENTRE_P - 40.0 * DIRECTION, CENTRE_P + 9.0 * DIRECTION


def a_plan() -> Plan:
    def point(p: np.ndarray) -> tuple[float, float, float]:
        return float(p[0]), float(p[1]), float(p[2])

    seeds = tuple(
        SeedDrop(point(TIP_P - s * DIRECTION), point(DIRECTION), 49.0 - s, r)
        for s, r in ((2.25, 0.0), (12.25, 10.0))
    )
    path = replace(
        BARE_PATH,
        entry_mm=point(ENTRY_P),
        tip_mm=point(TIP_P),
        direction=point(DIRECTION),
        length_mm=49.0,
        lung_length_mm=12.5,
        pleural_punctures=1,
        clearance_mm=7.25,
        crosses=(Crossing("node", 31.0, 49.0),),
        axial_angle_deg=36.9,
        seeds=seeds,
    )
    return replace(
        BARE_PLAN,
        software="test",
        skin_source="",
        outcome=Outcome(Status.PLANNED, ""),
        search=SearchReport(1, 0, 1, 2.0, True, 0.0, 0.0, 0.0, Proof.SAFE_LINE_NEAR_EACH, ()),
        paths=(path,),
        windows=(
            Window(
                "w1",
                "parasternal right",
                WindowPlace("parasternal", "right", None, None, None),
                ("p1",),
                100.0,
                12.5,
            ),
        ),
    )


@pytest.fixture(scope="module", params=[True, False], ids=["with CT", "masks only"])
def figure_and_pixels(request: pytest.FixtureRequest) -> tuple[Figure, np.ndarray]:
    plan = a_plan()
    figure = path_figure(plan, plan.paths[0], chest(ct=request.param))
    return figure, pixels(figure)


def pages_of(p_P: np.ndarray) -> list[np.ndarray]:
    return [plane.on_page(p_P) for plane in along_needle((ENTRY_P + TIP_P) / 2, DIRECTION, 70.0)]


def test_needle_and_seeds_are_drawn_at_their_positions(figure_and_pixels: tuple[Figure, np.ndarray]) -> None:
    figure, picture = figure_and_pixels
    for axes in (0, 1):
        for distance_mm in (-10.0, 5.0, 25.0):
            point_mm = pages_of(ENTRY_P + distance_mm * DIRECTION)[axes]
            assert is_colour(colour_at(figure, picture, axes, point_mm), NEEDLE), (
                f"no needle {distance_mm} mm from the entry"
            )
        assert is_colour(colour_at(figure, picture, axes, pages_of(TIP_P - 2.25 * DIRECTION)[axes]), SEED)
        assert not is_colour(
            colour_at(figure, picture, axes, pages_of(TIP_P + 3.0 * DIRECTION)[axes]), NEEDLE
        )


def test_the_needle_is_drawn_at_its_true_width(figure_and_pixels: tuple[Figure, np.ndarray]) -> None:
    figure, picture = figure_and_pixels
    point_mm = pages_of(ENTRY_P + 15.0 * DIRECTION)[0]
    across = np.array([DIRECTION[1], DIRECTION[0]])
    is_needle = [
        is_colour(colour_at(figure, picture, 0, point_mm + offset_mm * across), NEEDLE)
        for offset_mm in np.arange(-2, 2, 0.02)
    ]
    # 1.27 mm, less what the black edge and the pixels' smoothing take.
    assert 0.6 < 0.02 * sum(is_needle) <= 1.3


def test_outlines_have_the_colour_of_their_role(figure_and_pixels: tuple[Figure, np.ndarray]) -> None:
    _, picture = figure_and_pixels
    for role in (Role.TARGET, Role.FORBIDDEN, Role.LUNG):
        assert (np.abs(picture - np.array(to_rgb(OF_ROLE[role]))).max(axis=-1) < 0.02).sum() > 200


def test_the_title_says_what_the_path_costs(figure_and_pixels: tuple[Figure, np.ndarray]) -> None:
    title = figure_and_pixels[0].get_suptitle()
    for words in ("Path 1 to node", "parasternal right", "lung 12.5 mm", "clearance 7.2 mm to heart"):
        assert words in title


def test_directions_are_those_of_a_radiologist(figure_and_pixels: tuple[Figure, np.ndarray]) -> None:
    texts = {t.get_text(): t.get_position() for t in figure_and_pixels[0].axes[0].texts}
    assert texts["R"][0] < 0 < texts["L"][0]
    assert texts["P"][1] < 0 < texts["A"][1]
    second = {t.get_text(): t.get_position() for t in figure_and_pixels[0].axes[1].texts}
    assert second["I"][1] < 0 < second["S"][1]


unit = st.tuples(*[st.floats(-1, 1)] * 3).map(np.array).filter(lambda v: np.linalg.norm(v) > 0.1)


@given(unit)
def test_both_slices_hold_the_needle_on_true_to_scale_pages(v: np.ndarray) -> None:
    d = v / np.linalg.norm(v)
    first, second = along_needle(CENTRE_P, d, 50.0)
    for plane in (first, second):
        axes = np.stack([plane.u_P, plane.v_P])
        assert np.allclose(axes @ axes.T, np.eye(2), atol=1e-9)
        assert np.linalg.norm(plane.on_page(CENTRE_P + 30.0 * d)) == pytest.approx(30.0)
    normals = [np.cross(p.u_P, p.v_P) for p in (first, second)]
    assert abs(normals[0] @ normals[1]) < 1e-9


@pytest.mark.parametrize(
    ("direction", "letters"),
    [((1, 0, 0), "L"), ((-1, 0, 0), "R"), ((0, -1, 0), "A"), ((0, 0, -1), "I"), ((0.6, 0.8, 0), "PL")],
)
def test_direction_letters(direction: tuple[float, ...], letters: str) -> None:
    assert direction_letters(np.array(direction, dtype=float)) == letters


def test_the_access_map_shows_each_entry_only_from_its_side() -> None:
    # One entry in front without lung, one behind with some.
    entries_P = CENTRE_P + np.array([[0.0, -48.0, 0.0], [0.0, 48.0, 0.0]])
    figure = access_figure(a_plan(), chest(ct=False), entries_P, np.array([0.0, 20.0]))
    picture = pixels(figure)
    front, back = (
        next(i for i, v in enumerate(VIEWS) if v.name.endswith(side)) for side in ("front", "back")
    )
    point_mm = np.array([CENTRE_P[0], CENTRE_P[2]])
    assert is_colour(colour_at(figure, picture, front, point_mm), NO_LUNG)
    back_colour = colour_at(figure, picture, back, point_mm)
    assert not is_colour(back_colour, NO_LUNG) and np.ptp(back_colour) > 0.1


def test_an_access_map_without_entries_says_so() -> None:
    figure = access_figure(a_plan(), chest(ct=False), np.empty((0, 3)), np.empty(0))
    assert "no safe entry" in figure.get_suptitle()


def test_drawing_a_plan_twice_gives_equal_files(tmp_path: FilePath) -> None:
    from planner.records.plan import PlanningResult, SkinAccess
    from service.pictures.plan_files import draw

    planning = PlanningResult(
        plan=a_plan(), access=SkinAccess(entry_mm=ENTRY_P[None, :], lung_length_mm=np.array([12.5]))
    )
    patient = chest(ct=True)
    first, second = (draw(planning, patient, tmp_path / name) for name in ("first", "again"))
    assert [file.name for file in first] == ["path_01.png", "skin_access.png"]
    for file, second_file in zip(first, second, strict=True):
        assert imread(file).shape[0] > 1000
        assert file.read_bytes() == second_file.read_bytes()


def test_left_and_right_of_each_view() -> None:
    letters = {view.name: view.letters() for view in VIEWS}
    assert letters["from the front"] == ("R", "L")
    assert letters["from the back"] == ("L", "R")
    assert letters["from the right"] == ("P", "A")
    assert letters["from the left"] == ("A", "P")


def test_a_cell_keeps_its_best_entry() -> None:
    entries = np.array([[0.1, 0.1, 0.1], [0.2, 0.2, 0.2], [CELL_MM + 0.1, 0.1, 0.1]])
    best_entries, lung = best_in_cells(entries, np.array([5.0, 1.0, 9.0]))
    assert lung.tolist() == [9.0, 1.0]
    assert np.array_equal(best_entries, entries[[2, 1]])
