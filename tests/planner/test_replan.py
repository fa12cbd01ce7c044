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


def moved(point: Point, by: np.ndarray) -> Point:
    x, y, z = (np.array(point) + by).tolist()
    return (x, y, z)


def across(path: Path) -> np.ndarray:
    """A unit vector across the needle."""
    sideways = np.cross(path.direction, (0.36, 0.48, 0.8))
    return sideways / np.linalg.norm(sideways)


def shifted(path: Path, mm: float, id: str | None = None) -> MeasuredNeedle:
    by = mm * across(path)
    return MeasuredNeedle(path.id if id is None else id, moved(path.entry_mm, by), moved(path.tip_mm, by))


@pytest.fixture(scope="module")
def again() -> Replanned:
    """All needles of the plan, 3 mm beside where they were to be."""
    measured = tuple(shifted(path, SHIFT_MM) for path in needles_of_plan())
    return replan(ball_scene(), ball_plan(), "cd" * 32, measured)


DROPPED = 2


@pytest.fixture(scope="module")
def missing() -> Replanned:
    """The first needle lies 16 mm aside, where it reaches the PTV no longer; seeds of the second are in."""
    first, second = needles_of_plan()[:2]
    seeds = tuple(GivenSeed(s.position_mm, s.axis) for s in second.seeds[:DROPPED])
    return replan(ball_scene(), ball_plan(), "cd" * 32, (shifted(first, 16.0),), seeds)


def given_paths(replanned: Replanned) -> list[Path]:
    return [p for p in replanned.plan.paths if p.aim is Aim.GIVEN]


@pytest.mark.long
def test_needles_as_measured_are_kept(again):
    assert (again.schema, again.plan_sha256) == (REPLAN_SCHEMA, "cd" * 32)
    tips = np.array(sorted(p.tip_mm for p in given_paths(again)))
    assert tips == pytest.approx(np.array(sorted(shifted(p, SHIFT_MM).tip_mm for p in needles_of_plan())))
    assert again.plan.verification.passed


def test_what_moved_is_told_by_how_much(again):
    before = {p.id: p for p in needles_of_plan()}
    after = {p.id: p for p in again.plan.paths}
    told = [c for c in again.changes.needles if c.before_id is not None and c.after_id is not None]
    kept = [c for c in told if after[c.after_id].aim is Aim.GIVEN]
    assert {c.before_id for c in kept} == set(before)
    for change in told:
        one, two = before[change.before_id], after[change.after_id]
        assert change.tip_moved_mm == pytest.approx(np.linalg.norm(np.subtract(one.tip_mm, two.tip_mm)))
        assert change.entry_moved_mm == pytest.approx(np.linalg.norm(np.subtract(one.entry_mm, two.entry_mm)))
        assert (change.seeds_before, change.seeds_after) == (len(one.seeds), len(two.seeds))
    assert all(c.tip_moved_mm == pytest.approx(SHIFT_MM) for c in kept)


def test_dose_and_seeds_before_and_after_are_those_of_the_plans(again):
    changes, one, two = again.changes, ball_plan(), again.plan
    assert (changes.d90_before_gy, changes.d90_after_gy) == (one.dose.target.d90_gy, two.dose.target.d90_gy)
    assert changes.v100_before_percent == one.dose.target.v100_percent
    assert changes.v100_after_percent == two.dose.target.v100_percent
    assert changes.seeds_before == sum(c.seeds_before for c in changes.needles)
    assert changes.seeds_after == sum(c.seeds_after for c in changes.needles)
    assert (changes.given_seeds_before, changes.given_seeds_after) == (0, 0)
    assert f"{two.dose.target.d90_gy:.1f} Gy after" in " ".join(changes.sentences)


def test_every_needle_before_and_after_is_named_once(again, missing):
    for replanned in (again, missing):
        before = [c.before_id for c in replanned.changes.needles if c.before_id is not None]
        after = [c.after_id for c in replanned.changes.needles if c.after_id is not None]
        assert sorted(before) == sorted(p.id for p in needles_of_plan())
        assert sorted(after) == sorted(replanned.plan.needle_set.path_ids)


def test_a_needle_that_misses_the_ptv_is_said_to_carry_no_seed(missing):
    (given,) = given_paths(missing)
    assert given.seeds == ()
    (sentence,) = [s for s in missing.changes.sentences if "carries no seed" in s]
    assert sentence.startswith(given.id)
    assert (missing.changes.given_seeds_before, missing.changes.given_seeds_after) == (0, DROPPED)
    assert f"on needles and {DROPPED} in already, D90 " in replanned_text(missing)
    assert any(given.id in claim and "no seed" in claim for claim in missing.plan.needle_set.claims)
    assert missing.plan.verification.passed


def test_seeds_that_are_in_already_stay(missing):
    stay = [s.position_mm for s in missing.plan.needle_set.seeds if s.path_id is None]
    assert stay == [s.position_mm for s in needles_of_plan()[1].seeds[:DROPPED]]


def test_what_was_lost_is_planned_anew(again, missing):
    """Needles 3 mm aside and one that is lost still leave room for the dose that was prescribed."""
    for replanned in (again, missing):
        placed = [s for s in replanned.plan.needle_set.seeds if s.path_id is not None]
        assert placed and replanned.changes.d90_after_gy >= 120.0
        assert replanned.plan.outcome.status is Status.PLANNED


@pytest.mark.long
def test_seeds_listed_again_when_replanned_in_turn_count_once(missing):
    first, second = needles_of_plan()[:2]
    all_that_are_in = tuple(GivenSeed(s.position_mm, s.axis) for s in second.seeds)
    again = replan(ball_scene(), missing.plan, "ef" * 32, (shifted(first, 16.0, id="N1"),), all_that_are_in)
    given = again.plan.request.needle_set.given_seeds
    assert [s.position_mm for s in given] == [s.position_mm for s in second.seeds]
    every = [GivenSeed(s.position_mm, s.axis) for s in again.plan.needle_set.seeds]
    _, alone = Dosimetry(ball_scene(), seed_dose(again.plan.request.seeds), every).target(
        ptv_of(ball_scene(), again.plan.request.target), 120.0
    )
    assert again.plan.dose.target.d90_gy == pytest.approx(alone.d90_gy)
    assert again.plan.verification.passed


def test_seeds_that_cannot_be_are_refused_before_planning():
    first = needles_of_plan()[0]
    seed = GivenSeed(first.seeds[0].position_mm)
    with pytest.raises(RequestError, match=r"seeds/1/position_mm: it lies 0\.00 mm from seed 0"):
        replan(ball_scene(), ball_plan(), "cd" * 32, (shifted(first, 0.0),), (seed, seed))


def test_needles_measured_with_one_tip_are_told_apart_by_their_directions():
    before = replace(ball_plan(), paths=tuple(replace(a_path(id, Aim.PTV), id=id) for id in ("N1", "N2")))
    tip = (80.0, 68.0, 60.0)
    measured = tuple(MeasuredNeedle(id, (x, 12.0, 60.0), tip) for id, x in (("N1", 70.0), ("N2", 90.0)))
    kept = []
    for id, x in (("N3", 90.0), ("N4", 70.0)):
        line = np.subtract(tip, (x, 12.2, 60.0))
        direction = tuple((line / np.linalg.norm(line)).tolist())
        kept.append(replace(a_path(id, Aim.GIVEN), entry_mm=(x, 12.2, 60.0), tip_mm=tip, direction=direction))
    pairs = _pairs(before, replace(before, paths=tuple(kept)), measured)
    assert [(a.id, b.id) for a, b in pairs] == [("N2", "N3"), ("N1", "N4")]


def test_a_needle_near_one_that_was_planned_is_that_one_moved_and_others_are_new():
    old = tuple(replace(a_path(id, Aim.PTV, shift_mm=mm), id=id) for id, mm in (("N1", 0.0), ("N2", 20.0)))
    new = tuple(replace(a_path(id, Aim.PTV, shift_mm=mm), id=id) for id, mm in (("N1", 22.0), ("N2", 40.0)))
    before = replace(ball_plan(), paths=old)
    pairs = _pairs(before, replace(before, paths=new), ())
    named = [(a and a.id, b and b.id) for a, b in pairs]
    assert named == [("N2", "N1"), (None, "N2"), ("N1", None)]


def test_a_needle_that_was_not_planned_is_kept_as_new():
    before = replace(ball_plan(), paths=(a_path("N1", Aim.PTV),))
    after = replace(before, paths=(replace(a_path("N1", Aim.GIVEN), id="N1"),))
    measured = (MeasuredNeedle(None, (80.0, 12.0, 60.0), (80.0, 68.0, 60.0)),)
    pairs = _pairs(before, after, measured)
    assert [(a and a.id, b and b.id) for a, b in pairs] == [(None, "N1"), ("N1", None)]


def test_what_cannot_be_replanned_is_refused_by_field():
    first = needles_of_plan()[0]
    with pytest.raises(RequestError, match="no needle set and dose"):
        replan(ball_scene(), replace(ball_plan(), dose=None), "cd" * 32, ())
    with pytest.raises(RequestError, match="needles/1/path_id"):
        replan(ball_scene(), ball_plan(), "cd" * 32, (shifted(first, 0.0), shifted(first, 1.0, "N99")))


def test_a_needle_measured_outside_the_body_or_without_length_is_refused():
    first = needles_of_plan()[0]
    outside = shifted(first, 500.0)
    point = MeasuredNeedle(first.id, first.tip_mm, first.tip_mm)
    for needle, words in ((outside, "needles/0: .*skin"), (point, "needles/0: .*coincide")):
        with pytest.raises(RequestError, match=words):
            replan(ball_scene(), ball_plan(), "cd" * 32, (needle,))


def test_where_along_its_line_an_entry_was_measured_decides_nothing():
    """N1 was read off at its hub, 60 mm outside the skin; N2, 7 mm beside it, at the skin."""
    before = replace(ball_plan(), paths=tuple(replace(a_path(id, Aim.PTV), id=id) for id in ("N1", "N2")))
    tips = {"N1": (80.0, 68.0, 60.0), "N2": (87.0, 68.0, 60.0)}
    entries = {"N1": (80.0, -48.0, 60.0), "N2": (87.0, 12.0, 60.0)}
    measured = tuple(MeasuredNeedle(id, entries[id], tips[id]) for id in tips)
    kept = [
        replace(a_path(id, Aim.GIVEN), entry_mm=(tip[0], 12.0, 60.0), tip_mm=tip, direction=(0.0, 1.0, 0.0))
        for id, tip in (("N3", tips["N2"]), ("N4", tips["N1"]))
    ]
    pairs = _pairs(before, replace(before, paths=tuple(kept)), measured)
    assert [(a.id, b.id) for a, b in pairs] == [("N2", "N3"), ("N1", "N4")]
