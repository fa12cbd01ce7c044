"""Sides of windows: held where a path enters beside all of spine and breastbone, and nowhere else."""

from dataclasses import replace

import pytest
from true_plans import ORGANS, REQUEST, box_patient, honest_plan

from anatomy.structures import Role
from planner.records.paths import Window, WindowPlace
from planner.records.plan import Plan
from planner.records.wording.windows import window_text
from planner.verify import verify
from planner.verify.claims import Claims
from planner.verify.needle.sides import check_sides

WHO = box_patient()
PATHS = honest_plan(WHO).paths
MIDDLE_MM = (56.0, 66.0)
"""The first and the last voxel centre of the vertebrae along x."""


def held(side: str | None, x_mm: float | None, patient=WHO) -> list[bool]:
    """What is said of a window of that side whose first path enters at x; without a path for None."""
    first = PATHS[0]
    plan: Plan = replace(
        honest_plan(patient),
        paths=() if x_mm is None else (replace(first, entry_mm=(x_mm, *first.entry_mm[1:])),),
        windows=(Window("W1", "", WindowPlace("anterior", side, None, None, None), (first.id,), 100.0, 0.0),),
    )
    claims = Claims()
    check_sides(claims, plan, patient.scene)
    return [check.passed for check in claims.verification().checks]


@pytest.mark.parametrize(("x_mm", "side"), [(MIDDLE_MM[0] - 0.1, "right"), (MIDDLE_MM[1] + 0.1, "left")])
def test_beside_the_spine_the_side_is_the_entrys(x_mm: float, side: str) -> None:
    other = {"left": "right", "right": "left"}[side]
    assert held(side, x_mm) == [True]
    assert held(other, x_mm) == [False]


@pytest.mark.parametrize("x_mm", MIDDLE_MM)
def test_before_and_behind_the_spine_ribs_tell(x_mm: float) -> None:
    assert held("left", x_mm) == held("right", x_mm) == []


def test_a_window_without_a_side_claims_none() -> None:
    assert held(None, 10.0) == []


def test_without_bones_in_the_middle_no_side_is_held() -> None:
    bare = {name: box for name, box in ORGANS.items() if name != "vertebrae"}
    assert held("left", 10.0, box_patient(bare)) == []


def test_a_breastbone_is_in_the_middle_as_well() -> None:
    organs = {**ORGANS, "sternum": (Role.FORBIDDEN, ((40, 11, 10), (45, 13, 30)))}
    patient = box_patient(organs, REQUEST)
    assert held("right", 80.0, patient) == []
    assert held("right", 88.1, patient) == [False]


def test_a_window_without_a_path_is_not_looked_at() -> None:
    assert held("left", None) == []


def test_a_plan_whose_windows_are_named_for_the_other_side_fails() -> None:
    true, other = honest_plan(WHO), {"left": "right", "right": "left", None: None}
    places = [replace(w.place, side=other[w.place.side]) for w in true.windows]
    swapped = replace(
        true,
        windows=tuple(
            replace(w, place=place, name=window_text(place))
            for w, place in zip(true.windows, places, strict=True)
        ),
    )
    assert verify(true, WHO.scene).passed
    found = {check.name for check in verify(swapped, WHO.scene).checks if not check.passed}
    assert found == {"the side of the window"}


def test_a_window_named_for_another_place_than_its_records_fails() -> None:
    true = honest_plan(WHO)
    named = replace(true, windows=(replace(true.windows[0], name="suprasternal"), *true.windows[1:]))
    found = {check.name for check in verify(named, WHO.scene).checks if not check.passed}
    assert found == {"the window's name"}
