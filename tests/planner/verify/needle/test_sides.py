"""Sides of windows: held where a path enters beside all of spine and breastbone, and nowhere else."""

from dataclasses import replace

import pytest
from true_plans import ORGANS, REQUEST, honest_plan, patient

from anatomy.structures import Role
from planner.records.paths import Window
from planner.records.plan import Plan
from planner.verify import verify
from planner.verify.claims import Claims
from planner.verify.needle.sides import check_sides

WHO = patient()
PATHS = honest_plan(WHO).paths
MIDDLE_MM = (56.0, 66.0)
"""The first and the last voxel centre of the vertebrae along x."""


def held(name: str, x_mm: float | None, who=WHO) -> list[bool]:
    """What is said of a window of that name whose first path enters at x; without a path for None."""
    first = PATHS[0]
    plan: Plan = replace(
        honest_plan(who),
        paths=() if x_mm is None else (replace(first, entry_mm=(x_mm, *first.entry_mm[1:])),),
        windows=(Window("W1", name, (first.id,), 100.0, 0.0),),
    )
    claims = Claims()
    check_sides(claims, plan, who.scene)
    return [check.passed for check in claims.verification().checks]


@pytest.mark.parametrize(("x_mm", "side"), [(MIDDLE_MM[0] - 0.1, "right"), (MIDDLE_MM[1] + 0.1, "left")])
def test_beside_the_spine_the_side_is_the_entrys(x_mm: float, side: str) -> None:
    other = {"left": "right", "right": "left"}[side]
    assert held(f"intercostal {side}, between ribs 4 and 5, lateral", x_mm) == [True]
    assert held(f"intercostal {other}, between ribs 4 and 5, lateral", x_mm) == [False]


@pytest.mark.parametrize("x_mm", MIDDLE_MM)
def test_before_and_behind_the_spine_ribs_tell(x_mm: float) -> None:
    assert held("paravertebral left", x_mm) == held("paravertebral right", x_mm) == []


def test_a_name_without_a_side_claims_none() -> None:
    assert held("suprasternal", 10.0) == []


def test_without_bones_in_the_middle_no_side_is_held() -> None:
    bare = {name: box for name, box in ORGANS.items() if name != "vertebrae"}
    assert held("anterior left", 10.0, patient(bare)) == []


def test_a_breastbone_is_in_the_middle_as_well() -> None:
    organs = {**ORGANS, "sternum": (Role.FORBIDDEN, ((40, 11, 10), (45, 13, 30)))}
    who = patient(organs, REQUEST)
    assert held("anterior right", 80.0, who) == []
    assert held("anterior right", 88.1, who) == [False]


def test_a_window_without_a_path_is_not_looked_at() -> None:
    assert held("anterior left", None) == []


def test_a_plan_whose_windows_are_named_for_the_other_side_fails() -> None:
    true, other = honest_plan(WHO), {"left": "right", "right": "left"}
    swapped = replace(
        true,
        windows=tuple(
            replace(w, name=" ".join(other.get(word, word) for word in w.name.split())) for w in true.windows
        ),
    )
    assert verify(true, WHO.scene).passed
    found = {check.name for check in verify(swapped, WHO.scene).checks if not check.passed}
    assert found == {"the side of the window"}
