from dataclasses import replace

import numpy as np
import pytest
from ball_plans import ball_plan, ball_scene
from sample_implants import a_path

from planner.dose.dosimetry import Dosimetry
from planner.dose.ptv import ptv_of
from planner.dose.tg43.seed_dose import seed_dose
from planner.errors import RequestError
from planner.records.followup import REPLAN_SCHEMA, Replanned
from planner.records.paths import Aim, Path
from planner.records.plan import Status
from planner.records.request.given import GivenSeed
from planner.records.request.point import Point
from planner.replan import MeasuredNeedle, _pairs, replan
from service.cli.text.followup import replanned_text

SHIFT_MM = 3.0


def needles_of_plan() -> list[Path]:
    paths = {path.id: path for path in ball_plan().paths}
    return [paths[id] for id in ball_plan().needle_set.path_ids]


def shifted_point(point: Point, shift: np.ndarray) -> Point:
    x, y, z = (np.array(point) + shift).tolist()
    return (x, y, z)


def lateral_direction(path: Path) -> np.ndarray:
    """A unit vector perpendicular to the needle."""
    lateral = np.cross(path.direction, (0.36, 0.48, 0.8))
    return lateral / np.linalg.norm(lateral)


def shifted_needle(path: Path, shift_mm: float, id: str | None = None) -> MeasuredNeedle:
    shift = shift_mm * lateral_direction(path)
    return MeasuredNeedle(
        path.id if id is None else id, shifted_point(path.entry_mm, shift), shifted_point(path.tip_mm, shift)
    )


@pytest.fixture(scope="module")
def shifted_replanning() -> Replanned:
    """All needles of the plan, 3 mm from their planned positions."""
    measured = tuple(shifted_needle(path, SHIFT_MM) for path in needles_of_plan())
    return replan(ball_scene(), ball_plan(), "cd" * 32, measured)


DROPPED = 2


@pytest.fixture(scope="module")
def replanned_with_loss() -> Replanned:
    """The first needle lies 16 mm to the side, outside the PTV; some seeds of the second are in place."""
    first, second = needles_of_plan()[:2]
    seeds = tuple(GivenSeed(s.position_mm, s.axis) for s in second.seeds[:DROPPED])
    return replan(ball_scene(), ball_plan(), "cd" * 32, (shifted_needle(first, 16.0),), seeds)


def given_paths(shifted_replanning: Replanned) -> list[Path]:
    return [p for p in shifted_replanning.plan.paths if p.aim is Aim.GIVEN]


@pytest.mark.long
def test_needles_as_measured_are_kept(shifted_replanning):
    assert (shifted_replanning.schema, shifted_replanning.plan_sha256) == (REPLAN_SCHEMA, "cd" * 32)
    tips = np.array(sorted(p.tip_mm for p in given_paths(shifted_replanning)))
    assert tips == pytest.approx(
        np.array(sorted(shifted_needle(p, SHIFT_MM).tip_mm for p in needles_of_plan()))
    )
    assert shifted_replanning.plan.verification.passed


def test_the_changes_state_how_far_needles_moved(shifted_replanning):
    before = {p.id: p for p in needles_of_plan()}
    after = {p.id: p for p in shifted_replanning.plan.paths}
    matched = [
        c for c in shifted_replanning.changes.needles if c.before_id is not None and c.after_id is not None
    ]
    given_changes = [c for c in matched if after[c.after_id].aim is Aim.GIVEN]
    assert {c.before_id for c in given_changes} == set(before)
    for change in matched:
        old, new = before[change.before_id], after[change.after_id]
        assert change.tip_moved_mm == pytest.approx(np.linalg.norm(np.subtract(old.tip_mm, new.tip_mm)))
        assert change.entry_moved_mm == pytest.approx(np.linalg.norm(np.subtract(old.entry_mm, new.entry_mm)))
        assert (change.seeds_before, change.seeds_after) == (len(old.seeds), len(new.seeds))
    assert all(c.tip_moved_mm == pytest.approx(SHIFT_MM) for c in given_changes)


def test_doses_and_seeds_before_and_after_agree_with_the_plans(shifted_replanning):
    changes, old, new = shifted_replanning.changes, ball_plan(), shifted_replanning.plan
    assert (changes.d90_before_gy, changes.d90_after_gy) == (old.dose.target.d90_gy, new.dose.target.d90_gy)
    assert changes.v100_before_percent == old.dose.target.v100_percent
    assert changes.v100_after_percent == new.dose.target.v100_percent
    assert changes.seeds_before == sum(c.seeds_before for c in changes.needles)
    assert changes.seeds_after == sum(c.seeds_after for c in changes.needles)
    assert (changes.given_seeds_before, changes.given_seeds_after) == (0, 0)
    assert f"{new.dose.target.d90_gy:.1f} Gy after" in " ".join(changes.sentences)


def test_every_needle_before_and_after_is_named_once(shifted_replanning, replanned_with_loss):
    for replanned in (shifted_replanning, replanned_with_loss):
        old_ids = [c.before_id for c in replanned.changes.needles if c.before_id is not None]
        new_ids = [c.after_id for c in replanned.changes.needles if c.after_id is not None]
        assert sorted(old_ids) == sorted(p.id for p in needles_of_plan())
        assert sorted(new_ids) == sorted(replanned.plan.needle_set.path_ids)


def test_a_needle_that_misses_the_ptv_is_reported_without_seeds(replanned_with_loss):
    (given_path,) = given_paths(replanned_with_loss)
    assert given_path.seeds == ()
    (sentence,) = [s for s in replanned_with_loss.changes.sentences if "carries no seed" in s]
    assert sentence.startswith(given_path.id)
    assert (
        replanned_with_loss.changes.given_seeds_before,
        replanned_with_loss.changes.given_seeds_after,
    ) == (0, DROPPED)
    assert f"on needles and {DROPPED} in already, D90 " in replanned_text(replanned_with_loss)
    assert any(
        given_path.id in claim and "no seed" in claim for claim in replanned_with_loss.plan.needle_set.claims
    )
    assert replanned_with_loss.plan.verification.passed


def test_seeds_in_place_are_kept(replanned_with_loss):
    kept_positions = [s.position_mm for s in replanned_with_loss.plan.needle_set.seeds if s.path_id is None]
    assert kept_positions == [s.position_mm for s in needles_of_plan()[1].seeds[:DROPPED]]


def test_lost_coverage_is_planned_again(shifted_replanning, replanned_with_loss):
    """Needles shifted by 3 mm and one lost needle still allow the prescribed dose."""
    for replanned in (shifted_replanning, replanned_with_loss):
        placed = [s for s in replanned.plan.needle_set.seeds if s.path_id is not None]
        assert placed and replanned.changes.d90_after_gy >= 120.0
        assert replanned.plan.outcome.status is Status.PLANNED


@pytest.mark.long
def test_seeds_listed_again_in_a_second_replanning_count_once(replanned_with_loss):
    first, second = needles_of_plan()[:2]
    seeds_in_place = tuple(GivenSeed(s.position_mm, s.axis) for s in second.seeds)
    shifted_replanning = replan(
        ball_scene(),
        replanned_with_loss.plan,
        "ef" * 32,
        (shifted_needle(first, 16.0, id="N1"),),
        seeds_in_place,
    )
    given_seeds = shifted_replanning.plan.request.needle_set.given_seeds
    assert [s.position_mm for s in given_seeds] == [s.position_mm for s in second.seeds]
    all_seeds = [GivenSeed(s.position_mm, s.axis) for s in shifted_replanning.plan.needle_set.seeds]
    _, direct_dose = Dosimetry(
        ball_scene(), seed_dose(shifted_replanning.plan.request.seeds), all_seeds
    ).target(ptv_of(ball_scene(), shifted_replanning.plan.request.target), 120.0)
    assert shifted_replanning.plan.dose.target.d90_gy == pytest.approx(direct_dose.d90_gy)
    assert shifted_replanning.plan.verification.passed


def test_impossible_seeds_are_refused_before_planning():
    first = needles_of_plan()[0]
    seed = GivenSeed(first.seeds[0].position_mm)
    with pytest.raises(RequestError, match=r"seeds/1/position_mm: it lies 0\.00 mm from seed 0"):
        replan(ball_scene(), ball_plan(), "cd" * 32, (shifted_needle(first, 0.0),), (seed, seed))


def test_needles_with_a_common_tip_are_matched_by_their_directions():
    plan = replace(ball_plan(), paths=tuple(replace(a_path(id, Aim.PTV), id=id) for id in ("N1", "N2")))
    tip = (80.0, 68.0, 60.0)
    measured = tuple(MeasuredNeedle(id, (x, 12.0, 60.0), tip) for id, x in (("N1", 70.0), ("N2", 90.0)))
    given_paths = []
    for id, x in (("N3", 90.0), ("N4", 70.0)):
        line = np.subtract(tip, (x, 12.2, 60.0))
        direction = tuple((line / np.linalg.norm(line)).tolist())
        given_paths.append(
            replace(a_path(id, Aim.GIVEN), entry_mm=(x, 12.2, 60.0), tip_mm=tip, direction=direction)
        )
    pairs = _pairs(plan, replace(plan, paths=tuple(given_paths)), measured)
    assert [(a.id, b.id) for a, b in pairs] == [("N2", "N3"), ("N1", "N4")]


def test_a_needle_near_a_planned_one_is_matched_and_others_are_new():
    old = tuple(replace(a_path(id, Aim.PTV, shift_mm=mm), id=id) for id, mm in (("N1", 0.0), ("N2", 20.0)))
    new = tuple(replace(a_path(id, Aim.PTV, shift_mm=mm), id=id) for id, mm in (("N1", 22.0), ("N2", 40.0)))
    plan = replace(ball_plan(), paths=old)
    pairs = _pairs(plan, replace(plan, paths=new), ())
    id_pairs = [(a and a.id, b and b.id) for a, b in pairs]
    assert id_pairs == [("N2", "N1"), (None, "N2"), ("N1", None)]


def test_an_unplanned_needle_is_kept_as_new():
    plan = replace(ball_plan(), paths=(a_path("N1", Aim.PTV),))
    new_plan = replace(plan, paths=(replace(a_path("N1", Aim.GIVEN), id="N1"),))
    measured = (MeasuredNeedle(None, (80.0, 12.0, 60.0), (80.0, 68.0, 60.0)),)
    pairs = _pairs(plan, new_plan, measured)
    assert [(a and a.id, b and b.id) for a, b in pairs] == [(None, "N1"), ("N1", None)]


def test_impossible_replannings_are_refused_with_their_field():
    first = needles_of_plan()[0]
    with pytest.raises(RequestError, match="no needle set and dose"):
        replan(ball_scene(), replace(ball_plan(), dose=None), "cd" * 32, ())
    with pytest.raises(RequestError, match="needles/1/path_id"):
        replan(
            ball_scene(),
            ball_plan(),
            "cd" * 32,
            (shifted_needle(first, 0.0), shifted_needle(first, 1.0, "N99")),
        )


def test_a_needle_measured_outside_the_body_or_without_length_is_refused():
    first = needles_of_plan()[0]
    outside = shifted_needle(first, 500.0)
    without_length = MeasuredNeedle(first.id, first.tip_mm, first.tip_mm)
    for needle, pattern in ((outside, "needles/0: .*skin"), (without_length, "needles/0: .*coincide")):
        with pytest.raises(RequestError, match=pattern):
            replan(ball_scene(), ball_plan(), "cd" * 32, (needle,))


def test_the_position_of_the_measured_entry_along_the_line_does_not_matter():
    """N1 was measured at its hub, 60 mm outside the skin; N2, 7 mm beside it, at the skin."""
    plan = replace(ball_plan(), paths=tuple(replace(a_path(id, Aim.PTV), id=id) for id in ("N1", "N2")))
    tips = {"N1": (80.0, 68.0, 60.0), "N2": (87.0, 68.0, 60.0)}
    entries = {"N1": (80.0, -48.0, 60.0), "N2": (87.0, 12.0, 60.0)}
    measured = tuple(MeasuredNeedle(id, entries[id], tips[id]) for id in tips)
    given_paths = [
        replace(a_path(id, Aim.GIVEN), entry_mm=(tip[0], 12.0, 60.0), tip_mm=tip, direction=(0.0, 1.0, 0.0))
        for id, tip in (("N3", tips["N2"]), ("N4", tips["N1"]))
    ]
    pairs = _pairs(plan, replace(plan, paths=tuple(given_paths)), measured)
    assert [(a.id, b.id) for a, b in pairs] == [("N2", "N3"), ("N1", "N4")]
