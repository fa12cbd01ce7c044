"""Sides of windows: checked only where a path enters beside both spine and breastbone."""

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

PATIENT = box_patient()
PATHS = honest_plan(PATIENT).paths
MIDDLE_MM = (56.0, 66.0)
"""The first and the last voxel centre of the vertebrae along x."""


def side_verdicts(side: str | None, x_mm: float | None, patient=PATIENT) -> list[bool]:
    """The verdicts on a window of this side whose first path enters at x; for x None it has no path."""
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
def test_beside_the_spine_the_side_is_that_of_the_entry(x_mm: float, side: str) -> None:
    other_side = {"left": "right", "right": "left"}[side]
    assert side_verdicts(side, x_mm) == [True]
    assert side_verdicts(other_side, x_mm) == [False]


@pytest.mark.parametrize("x_mm", MIDDLE_MM)
def test_in_front_of_and_behind_the_spine_no_side_is_checked(x_mm: float) -> None:
    assert side_verdicts("left", x_mm) == side_verdicts("right", x_mm) == []


def test_a_window_without_a_side_is_not_checked() -> None:
    assert side_verdicts(None, 10.0) == []


def test_without_midline_bones_no_side_is_checked() -> None:
    organs = {name: box for name, box in ORGANS.items() if name != "vertebrae"}
    assert side_verdicts("left", 10.0, box_patient(organs)) == []


def test_the_breastbone_counts_as_a_midline_bone() -> None:
    organs = {**ORGANS, "sternum": (Role.FORBIDDEN, ((40, 11, 10), (45, 13, 30)))}
    patient = box_patient(organs, REQUEST)
    assert side_verdicts("right", 80.0, patient) == []
    assert side_verdicts("right", 88.1, patient) == [False]


def test_a_window_without_a_path_is_not_checked() -> None:
    assert side_verdicts("left", None) == []


def test_a_plan_whose_windows_are_named_for_the_other_side_fails() -> None:
    plan, other_side = honest_plan(PATIENT), {"left": "right", "right": "left", None: None}
    places = [replace(w.place, side=other_side[w.place.side]) for w in plan.windows]
    edited = replace(
        plan,
        windows=tuple(
            replace(w, place=place, name=window_text(place))
            for w, place in zip(plan.windows, places, strict=True)
        ),
    )
    assert verify(plan, PATIENT.scene).passed
    failed_checks = {check.name for check in verify(edited, PATIENT.scene).checks if not check.passed}
    assert failed_checks == {"the side of the window"}


def test_a_window_named_for_another_place_than_its_records_fails() -> None:
    plan = honest_plan(PATIENT)
    edited = replace(plan, windows=(replace(plan.windows[0], name="suprasternal"), *plan.windows[1:]))
    failed_checks = {check.name for check in verify(edited, PATIENT.scene).checks if not check.passed}
    assert failed_checks == {"the window's name"}
