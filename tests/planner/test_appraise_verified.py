"""Appraisals against verification: what the one calls safe, and says of it, the other finds again."""

from dataclasses import replace

import numpy as np
import pytest
from ball_plans import ball_plan, ball_scene
from small_chests import CHESTS, Chest, random_lines, small_chest

from anatomy.structures import Role
from planner.appraise import Appraiser
from planner.dose.ptv import ptv_of
from planner.implant.needles.tracks import seed_spans
from planner.measuring.measured import MeasuredPath
from planner.plan import plan
from planner.records.appraisal import Appraisal, Lack
from planner.records.paths import Aim, Path, SeedDrop
from planner.records.plan import Plan
from planner.records.request.needle_set import Arrangement
from planner.records.verification import Check
from planner.search.kernels import line
from planner.search.kernels.verdicts import SAFE
from planner.search.scene_fields import search_fields
from planner.verify.claims import Claims
from planner.verify.implant import check_needle
from planner.verify.needle.bore import check_bore
from planner.verify.needle.clearance import check_nearest, check_needs, passings_of
from planner.verify.needle.examined_axis import examined_axis
from planner.verify.needle.passage import check_passage
from planner.verify.needle.track import check_reach, check_track
from planner.verify.needle_set.ptv import ptv_of as ptv_by_verification

AT_THE_EDGE = "the tip is at the distal edge of the target"
IN_PTV = "the tip is in the PTV"
SEEDED = "the needle carries a seed"


def as_path(one: Appraisal) -> Path:
    """The record that a plan would have of a needle."""
    said = {name: getattr(one, name) for name in MeasuredPath.__dataclass_fields__}
    names = {"id": "1", "window": "w", "approach": "intercostal"}
    return Path(**said, **names, rank=1, aim=one.aim, pareto=True, seeds=())


def with_a_seed(made: Chest, path: Path) -> Path:
    """The path with one seed, as near to its tip as one fits wholly into the PTV; none where none does."""
    grid, length_mm = made.scene.grid, path.length_mm
    seed_mm = made.request.seeds.source.seed_length_mm
    along_P = np.array(path.direction)
    tip_B, outward_B = grid.to_box(np.array(path.tip_mm)), grid.vectors_to_box(-along_P)
    spans = seed_spans(ptv_of(made.scene, made.request.target), grid, tip_B, outward_B, length_mm, seed_mm)
    if not spans:
        return path
    depth_mm = length_mm - spans[0][0]
    x, y, z = (np.array(path.entry_mm) + depth_mm * along_P).tolist()
    return replace(path, seeds=(SeedDrop((x, y, z), path.direction, depth_mm, 0.0),))


def failed(made: Chest, needles: list[Appraisal]) -> list[tuple[int, Check]]:
    """What verification finds false of the needles' tracks, passage, room and clearances."""
    found = []
    ptv = ptv_by_verification(Claims(()), made.scene, made.request.target)
    kept_free = made.scene.of_role(Role.FORBIDDEN, Role.OUTSIDE)
    for n, one in enumerate(needles):
        claims, path = Claims(()), as_path(one)
        examined = examined_axis(claims, f"needle {n}", path.entry_mm, path.tip_mm, made.scene, made.request)
        assert examined is not None
        check_track(claims, examined, path)
        if one.aim is Aim.TARGET:
            check_reach(claims, examined)
        else:
            check_needle(claims, examined, with_a_seed(made, path), ptv)
        check_passage(claims, examined, path)
        check_bore(claims, examined)
        passed = passings_of([examined], kept_free)[0]
        check_needs(claims, examined, passed)
        check_nearest(claims, examined, path, passed)
        checks = claims.verification().checks
        of_tip = AT_THE_EDGE if one.aim is Aim.TARGET else IN_PTV
        assert {of_tip, "lung length", "the needle keeps its clearance"} <= {c.name for c in checks}
        found += [(n, check) for check in checks if not check.passed]
    return found


def safe_lines(made: Chest, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points, outward unit vectors and places of tips on lines of which some are safe."""
    lines = random_lines(made, 3000, seed)
    verdicts, quantities = line.test_lines(
        search_fields(made.scene, made.request), lines.point, lines.outward
    )
    safe = np.flatnonzero(verdicts == SAFE)[:25]
    return lines.point[safe], lines.outward[safe], quantities[safe, line.TIP]


def appraised(
    made: Chest, tips_B: np.ndarray, outwards_B: np.ndarray, aim: Aim = Aim.TARGET
) -> list[Appraisal]:
    grid = made.scene.grid
    tips_P = grid.to_patient(tips_B)
    entries_P = tips_P + 40.0 * grid.vectors_to_patient(outwards_B)
    return Appraiser(made.scene, made.request).appraise(entries_P, tips_P, [aim] * len(tips_P))


@pytest.mark.parametrize("name", sorted(CHESTS))
def test_what_is_called_safe_passes_verification(name: str) -> None:
    chest_case = small_chest(name)
    points, outwards, tips = safe_lines(chest_case, 1)
    # A tenth of what is rounding to verification: the tip is in the target, and at its edge.
    appraisal = appraised(chest_case, points + (tips + 1e-7)[:, None] * outwards, outwards)
    safe = [one for one in appraisal if one.safe]
    assert len(safe) >= 5
    assert failed(chest_case, safe) == []


@pytest.mark.parametrize("name", sorted(CHESTS))
def test_a_tip_within_the_target_is_all_that_verification_may_refuse(name: str) -> None:
    """A plan's tip is at the target's edge; a hand may hold it before that."""
    chest_case = small_chest(name)
    points, outwards, tips = safe_lines(chest_case, 2)
    short = appraised(chest_case, points + (tips + 0.5)[:, None] * outwards, outwards)
    safe = [one for one in short if one.safe]
    assert len(safe) >= 5
    assert {check.name for _, check in failed(chest_case, safe)} == {AT_THE_EDGE}


@pytest.mark.representative(1)
@pytest.mark.parametrize("name", sorted(CHESTS))
def test_a_tip_beyond_the_target_is_refused_by_both(name: str) -> None:
    chest_case = small_chest(name)
    points, outwards, tips = safe_lines(chest_case, 3)
    beyond = appraised(chest_case, points + (tips - 0.5)[:, None] * outwards, outwards)
    reached = [one for one in beyond if one.length_mm is not None]
    assert len(reached) >= 5 and all(Lack.TIP in {r.lack for r in one.reasons} for one in reached)
    names = [{check.name for m, check in failed(chest_case, reached) if m == n} for n in range(len(reached))]
    assert all(AT_THE_EDGE in name for name in names)


@pytest.mark.parametrize("name", sorted(CHESTS))
def test_what_lacks_clearance_or_room_is_refused_by_both(name: str) -> None:
    """So that verification, asked this way, can fail."""
    chest_case = small_chest(name)
    lines = random_lines(chest_case, 400, 4)
    _, quantities = line.test_lines(
        search_fields(chest_case.scene, chest_case.request), lines.point, lines.outward
    )
    on = quantities[:, line.CHORD] > 0.0
    tips = lines.point[on] + (quantities[on, line.TIP, None] + 1e-7) * lines.outward[on]
    found = [one for one in appraised(chest_case, tips, lines.outward[on]) if one.length_mm is not None]
    of_room = {Lack.NEEDLE, Lack.HUB, Lack.BORE}
    lacking = [one for one in found if of_room & {r.lack for r in one.reasons}][:15]
    assert lacking
    refused = {
        n for n, check in failed(chest_case, lacking) if "clearance" in check.name or "bore" in check.name
    }
    assert refused == set(range(len(lacking)))


# By the PTV


def about_the_ptv(name: str, seed: int) -> tuple[Chest, list[Appraisal]]:
    """Needles through a chest's target, with their tips in its PTV, around it and beyond it."""
    chest_case = small_chest(name)
    points, outwards, tips = safe_lines(chest_case, seed)
    beyond_mm = np.random.default_rng(seed).uniform(-8.0, 8.0, len(points))
    return chest_case, appraised(
        chest_case, points + (tips + beyond_mm)[:, None] * outwards, outwards, Aim.PTV
    )


@pytest.mark.parametrize("name", sorted(CHESTS))
@pytest.mark.parametrize("seed", [5, 6])
def test_what_is_called_safe_by_the_ptv_is_a_needle_of_a_set_to_verification(name: str, seed: int) -> None:
    made, found = about_the_ptv(name, seed)
    reached = [one for one in found if one.length_mm is not None]
    refused = {n for n, _ in failed(made, reached)}
    assert {n for n, one in enumerate(reached) if not one.safe} == refused
    assert refused and len(refused) < len(reached)


@pytest.mark.parametrize("name", sorted(CHESTS))
def test_a_tip_beyond_the_ptv_or_without_room_for_a_seed_is_refused_by_both(name: str) -> None:
    made, found = about_the_ptv(name, 7)
    for n, one in enumerate(found):
        if one.length_mm is None:
            continue
        names = {check.name for _, check in failed(made, [one])}
        lacks = {r.lack for r in one.reasons}
        assert (Lack.TIP in lacks or (Lack.TARGET in lacks and IN_PTV in names)) == (IN_PTV in names), n
        assert (Lack.TARGET in lacks) == (SEEDED in names), n


# Of plans


def plan_of(arrangement: Arrangement) -> Plan:
    if arrangement is Arrangement.FREE:
        return ball_plan()
    asked = ball_plan().request
    return plan(
        ball_scene(), replace(asked, needle_set=replace(asked.needle_set, arrangement=arrangement))
    ).plan


def verdicts(made: Plan) -> list[tuple[Path, Appraisal]]:
    entries, tips = (np.array([getattr(p, name) for p in made.paths]) for name in ("entry_mm", "tip_mm"))
    appraisal = Appraiser(ball_scene(), made.request).appraise(entries, tips, [p.aim for p in made.paths])
    return list(zip(made.paths, appraisal, strict=True))


@pytest.mark.representative(1)
@pytest.mark.parametrize("arrangement", list(Arrangement))
def test_every_path_of_a_plan_is_safe_by_its_own_aim(arrangement: Arrangement) -> None:
    found = verdicts(plan_of(arrangement))
    assert {path.aim for path, _ in found} == {Aim.TARGET, Aim.PTV}
    assert [(path.id, one.reasons) for path, one in found if not one.safe] == []
    assert all(one.aim is path.aim for path, one in found)


def test_a_needle_that_is_in_is_told_what_it_comes_too_near_to() -> None:
    """One with its tip in the vessel, one clear of it, both with their tips short of the PTV."""
    needle, request = next(p for p in ball_plan().paths if p.aim is Aim.PTV), ball_plan().request
    tips = [np.array(needle.tip_mm) - 15.0 * np.array(needle.direction)]
    made = ball_scene()
    aorta = made.structure("aorta").mask
    middle_B = 0.5 * (np.array(aorta.lower) + np.array(aorta.upper) - 1) * made.grid.spacing_mm
    tips.append(made.grid.to_patient(middle_B) - 5.0 * np.array(needle.direction))
    entries = [tip - 90.0 * np.array(needle.direction) for tip in tips]
    clear, near = Appraiser(made, request).appraise(np.array(entries), np.array(tips), [Aim.GIVEN] * 2)
    assert clear.safe and clear.reasons == ()
    assert not near.safe and {r.structure for r in near.reasons} == {"aorta"}
    assert {r.lack for r in near.reasons} == {Lack.NEEDLE}
