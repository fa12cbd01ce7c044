"""Replan: needles in place stay where they were measured, and the rest is planned again around them."""

from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from anatomy.scene import Scene
from planner.errors import RequestError
from planner.implant.needles_in_place import all_seeds, measured_needles, refuse_impossible_seeds
from planner.plan import plan as make_plan
from planner.records.followup import REPLAN_SCHEMA, Changes, NeedleChange, Replanned
from planner.records.paths import Aim, Path
from planner.records.plan import Plan
from planner.records.progress import GoOn, Phase, Progress, always, part_of
from planner.records.request.given import GivenNeedle, GivenSeed
from planner.records.request.point import Point
from planner.records.wording.followup import change_sentences
from planner.verify import verify_changes

PLANNING_SHARE = 0.98
"""Share of the time that planning takes, about [U]."""
SAME_MM = 5.0
"""A new needle within this distance of one planned before, at entry and tip, is the same needle, moved
[U]."""


TIP_DECIMALS = 3
"""Tips that agree to a micrometre are the same."""


@dataclass(frozen=True)
class MeasuredNeedle:
    """A measured needle: entry and tip [mm, P], and the path that it was planned as, if it was planned."""

    path_id: str | None
    entry_mm: Point
    tip_mm: Point


def replan(
    scene: Scene,
    plan: Plan,
    plan_sha256: str,
    needles: tuple[MeasuredNeedle, ...],
    seeds: tuple[GivenSeed, ...] = (),
    go_on: GoOn = always,
) -> Replanned:
    """A plan that keeps the measured needles and the seeds in place, and the changes from `plan`.

    `needles` are all needles in place now, including those that were given for `plan`. `seeds` are added to
    the given seeds of `plan`; a seed at the position of one of these is the same seed.

    Raises RequestError for a plan without prescription or dose, for a path that it does not have, or for a
    needle that does not lead from skin into the body.
    """
    if plan.request.prescription is None or plan.dose is None or plan.needle_set is None:
        raise RequestError("plan", "it has no needle set and dose", "Replan one that has.")
    planned_ids = {path.id for path in plan.paths}
    for n, needle in enumerate(needles):
        if needle.path_id is not None and needle.path_id not in planned_ids:
            raise RequestError(
                ("needles", n, "path_id"), f"the plan has no {needle.path_id!r}", "Name one of its."
            )
    refuse_impossible_seeds(scene, seeds, plan.request.seeds.source.seed_diameter_mm, ("seeds",))
    given_needles = tuple(GivenNeedle(n.entry_mm, n.tip_mm) for n in needles)
    measured_needles(scene, plan.request, given_needles, ("needles",))
    needle_set = replace(
        plan.request.needle_set,
        given_needles=given_needles,
        given_seeds=all_seeds(
            plan.request.needle_set.given_seeds, seeds, plan.request.seeds.source.seed_diameter_mm
        ),
    )
    replanned = make_plan(
        scene, replace(plan.request, needle_set=needle_set), part_of(go_on, 0.0, PLANNING_SHARE)
    ).plan
    changed = Replanned(REPLAN_SCHEMA, plan_sha256, _changes(plan, replanned, needles), replanned, None)
    verified = replace(changed, verification=verify_changes(changed, plan))
    go_on(Progress(Phase.VERIFY, 1.0, "every claim"))
    return verified


def _changes(before: Plan, after: Plan, measured: tuple[MeasuredNeedle, ...]) -> Changes:
    assert before.dose is not None and before.needle_set is not None
    pairs = _pairs(before, after, measured)
    old, new = before.dose.target, None if after.dose is None else after.dose.target
    changes = tuple(_change(a, b) for a, b in pairs)
    seeds = [s.path_id is None for s in before.needle_set.seeds]
    seeds_again = [] if after.needle_set is None else [s.path_id is None for s in after.needle_set.seeds]
    d90, v100 = (0.0, 0.0) if new is None else (new.d90_gy, new.v100_percent)
    return Changes(
        needles=changes,
        seeds_before=seeds.count(False),
        seeds_after=seeds_again.count(False),
        given_seeds_before=seeds.count(True),
        given_seeds_after=seeds_again.count(True),
        d90_before_gy=old.d90_gy,
        d90_after_gy=d90,
        v100_before_percent=old.v100_percent,
        v100_after_percent=v100,
        sentences=change_sentences(changes, after, old.d90_gy, d90),
    )


def _pairs(
    before: Plan, after: Plan, measured: tuple[MeasuredNeedle, ...]
) -> list[tuple[Path | None, Path | None]]:
    """Pairs of the same needle before and after: as measured, or by their distance. None: there is none."""
    before_by_id = {p.id: p for p in before.paths if p.aim is not Aim.TARGET}
    after_paths = [p for p in after.paths if p.aim is not Aim.TARGET]
    planned = {path.id: path for path in before.paths}
    pairs: list[tuple[Path | None, Path | None]] = []
    remaining = list(measured)
    for path in (p for p in after_paths if p.aim is Aim.GIVEN):
        needle = min(remaining, key=partial(_off, path))
        remaining.remove(needle)
        # A ranked path may have been driven, and not only a needle of the set.
        planned_path = None if needle.path_id is None else planned[needle.path_id]
        pairs.append((planned_path, path))
        before_by_id.pop("" if planned_path is None else planned_path.id, None)
    for path in (p for p in after_paths if p.aim is not Aim.GIVEN):
        same = [o for o in before_by_id.values() if _moved(o, path) <= SAME_MM]
        nearest_old = min(same, key=lambda o: (_moved(o, path), o.id), default=None)
        pairs.append((nearest_old, path))
        if nearest_old is not None:
            del before_by_id[nearest_old.id]
    return [*pairs, *((o, None) for o in before_by_id.values())]


def _off(path: Path, needle: MeasuredNeedle) -> tuple[float, float]:
    """How far a path is from a needle: the distance of their tips, and then that of their directions. The
    measured entry may be anywhere along the line, so it is not compared."""
    line = np.subtract(needle.tip_mm, needle.entry_mm)
    turned = float(np.linalg.norm(line / np.linalg.norm(line) - np.array(path.direction)))
    return round(_apart(path.tip_mm, needle.tip_mm), TIP_DECIMALS), turned


def _apart(one: Point, two: Point) -> float:
    return float(np.linalg.norm(np.subtract(one, two)))


def _moved(one: Path, two: Path) -> float:
    return max(_apart(one.entry_mm, two.entry_mm), _apart(one.tip_mm, two.tip_mm))


def _change(before: Path | None, after: Path | None) -> NeedleChange:
    both = before is not None and after is not None
    return NeedleChange(
        before_id=None if before is None else before.id,
        after_id=None if after is None else after.id,
        entry_moved_mm=_apart(before.entry_mm, after.entry_mm) if both else None,  # type: ignore[union-attr]
        tip_moved_mm=_apart(before.tip_mm, after.tip_mm) if both else None,  # type: ignore[union-attr]
        seeds_before=0 if before is None else len(before.seeds),
        seeds_after=0 if after is None else len(after.seeds),
    )
