"""How long the search of a real chest takes, how good it is when stopped early, and how time grows.

Kernels are compiled before anything is timed.
"""

from benchmarks import case, ours
from benchmarks.table import Row

NAME = "search c3n00249"
GOALS: tuple[tuple[float, float, float | None], ...] = ((2.0, 3.0, 10.0), (1.0, 15.0, None))
"""Covering radius [mm], time allowed for the search with fields at hand, and with fields to build. [s]"""
STOPS_S = (1.0, 3.0, 10.0, 30.0)
FINEST_MM = 0.5
"""What the stopped searches are asked for: more than they can reach."""
RADII_MM = (4.0, 2.0, 1.0)
RESOLUTIONS_MM = (2.0, 1.0, 0.7)
BALLS_MM = (5.0, 10.0, 15.0)


def run() -> list[Row]:
    """Goals for the three targets, the anytime curve of each, and growth with three quantities."""
    ours.timed_plan(case.real_scene("4R"), case.request(covering_radius_mm=4.0))
    return [*_goals(), *_anytime(), *_growth()]


def _goals() -> list[Row]:
    rows = []
    for target in case.TARGETS:
        scene = case.real_scene(target)
        for radius_mm, search_goal_s, all_goal_s in GOALS:
            timed = ours.timed_plan(scene, case.request(covering_radius_mm=radius_mm))
            reached = timed.plan.search.complete and timed.plan.search.covering_radius_mm <= radius_mm
            what = f"{target}, radius {radius_mm:g} mm"
            rows.append(
                Row(
                    NAME,
                    f"{what}, search",
                    timed.search_s,
                    "s",
                    f"best lung {timed.best_lung_mm:.1f} mm",
                    f"<= {search_goal_s:g} s",
                    reached and timed.search_s <= search_goal_s,
                )
            )
            if all_goal_s is not None:
                whole_s = timed.fields_s + timed.search_s
                met = reached and whole_s <= all_goal_s
                rows.append(Row(NAME, f"{what}, fields too", whole_s, "s", "", f"<= {all_goal_s:g} s", met))
            rows.append(Row(NAME, f"{what}, all of it, verified", timed.total_s, "s"))
    return rows


def _anytime() -> list[Row]:
    rows = []
    for target in case.TARGETS:
        scene = case.real_scene(target)
        for stop_s in STOPS_S:
            timed = ours.timed_plan(scene, case.request(covering_radius_mm=FINEST_MM), stop_s)
            reached = f"radius {timed.plan.search.covering_radius_mm:.2g} mm reached"
            rows.append(
                Row(NAME, f"{target}, best lung after {stop_s:g} s", timed.best_lung_mm, "mm", reached)
            )
    return rows


def _growth() -> list[Row]:
    scene = case.real_scene("4R")
    base_s = ours.timed_plan(scene, case.request()).search_s
    cases = [
        *((f"4R, radius {r:g} mm", scene, case.request(covering_radius_mm=r)) for r in RADII_MM),
        *((f"4R, field {f:g} mm", scene, case.request(field_resolution_mm=f)) for f in RESOLUTIONS_MM),
        *((f"4R, ball of {b:g} mm", case.real_scene("4R", b), case.request()) for b in BALLS_MM),
    ]
    rows = []
    for what, where, request in cases:
        took_s = ours.timed_plan(where, request).search_s
        rows.append(Row(NAME, f"{what}, search", took_s, "s", f"{took_s / base_s:.2f} times 4R by default"))
    return rows
