"""Appraisals compared with verification: verdicts and numbers agree."""

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


def as_path(appraisal: Appraisal) -> Path:
    """The path record of an appraised needle, as a plan would have it."""
    quantities = {name: getattr(appraisal, name) for name in MeasuredPath.__dataclass_fields__}
    names = {"id": "1", "window": "w", "approach": "intercostal"}
    return Path(**quantities, **names, rank=1, aim=appraisal.aim, pareto=True, seeds=())


def with_a_seed(chest_case: Chest, path: Path) -> Path:
    """The path with one seed as near to its tip as possible inside the PTV; without a seed if none fits."""
    grid, length_mm = chest_case.scene.grid, path.length_mm
    seed_mm = chest_case.request.seeds.source.seed_length_mm
    direction_P = np.array(path.direction)
    tip_B, outward_B = grid.to_box(np.array(path.tip_mm)), grid.vectors_to_box(-direction_P)
    spans = seed_spans(
        ptv_of(chest_case.scene, chest_case.request.target), grid, tip_B, outward_B, length_mm, seed_mm
    )
    if not spans:
        return path
    depth_mm = length_mm - spans[0][0]
    x, y, z = (np.array(path.entry_mm) + depth_mm * direction_P).tolist()
    return replace(path, seeds=(SeedDrop((x, y, z), path.direction, depth_mm, 0.0),))


def failed(chest_case: Chest, needles: list[Appraisal]) -> list[tuple[int, Check]]:
    """The failed checks of the needles' tracks, passages, bore and clearances."""
    failures = []
    ptv = ptv_by_verification(Claims(()), chest_case.scene, chest_case.request.target)
    obstacles = chest_case.scene.of_role(Role.FORBIDDEN, Role.OUTSIDE)
    for n, appraisal in enumerate(needles):
        claims, path = Claims(()), as_path(appraisal)
        examined = examined_axis(
            claims, f"needle {n}", path.entry_mm, path.tip_mm, chest_case.scene, chest_case.request
        )
        assert examined is not None
        check_track(claims, examined, path)
        if appraisal.aim is Aim.TARGET:
            check_reach(claims, examined)
        else:
            check_needle(claims, examined, with_a_seed(chest_case, path), ptv)
        check_passage(claims, examined, path)
        check_bore(claims, examined)
        passing = passings_of([examined], obstacles)[0]
        check_needs(claims, examined, passing)
        check_nearest(claims, examined, path, passing)
        checks = claims.verification().checks
        tip_check = AT_THE_EDGE if appraisal.aim is Aim.TARGET else IN_PTV
        assert {tip_check, "lung length", "the needle keeps its clearance"} <= {c.name for c in checks}
        failures += [(n, check) for check in checks if not check.passed]
    return failures


def safe_lines(chest_case: Chest, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points, outward unit vectors and tip positions of safe lines."""
    lines = random_lines(chest_case, 3000, seed)
    verdicts, quantities = line.test_lines(
        search_fields(chest_case.scene, chest_case.request), lines.point, lines.outward
    )
    safe = np.flatnonzero(verdicts == SAFE)[:25]
    return lines.point[safe], lines.outward[safe], quantities[safe, line.TIP]


def appraised(
    chest_case: Chest, tips_B: np.ndarray, outwards_B: np.ndarray, aim: Aim = Aim.TARGET
) -> list[Appraisal]:
    grid = chest_case.scene.grid
    tips_P = grid.to_patient(tips_B)
    entries_P = tips_P + 40.0 * grid.vectors_to_patient(outwards_B)
    return Appraiser(chest_case.scene, chest_case.request).appraise(entries_P, tips_P, [aim] * len(tips_P))


@pytest.mark.parametrize("name", sorted(CHESTS))
def test_needles_appraised_as_safe_pass_verification(name: str) -> None:
    chest_case = small_chest(name)
    points, outwards, tips = safe_lines(chest_case, 1)
    # A tenth of the verification's tolerance: the tip is in the target, and at its edge.
    appraisals = appraised(chest_case, points + (tips + 1e-7)[:, None] * outwards, outwards)
    safe = [appraisal for appraisal in appraisals if appraisal.safe]
    assert len(safe) >= 5
    assert failed(chest_case, safe) == []


@pytest.mark.parametrize("name", sorted(CHESTS))
def test_verification_refuses_only_the_tip_of_a_needle_ending_inside_the_target(name: str) -> None:
    """A plan's tip is at the target's edge; an appraised needle may end before it."""
    chest_case = small_chest(name)
    points, outwards, tips = safe_lines(chest_case, 2)
    short = appraised(chest_case, points + (tips + 0.5)[:, None] * outwards, outwards)
    safe = [appraisal for appraisal in short if appraisal.safe]
    assert len(safe) >= 5
    assert {check.name for _, check in failed(chest_case, safe)} == {AT_THE_EDGE}


@pytest.mark.representative(1)
@pytest.mark.parametrize("name", sorted(CHESTS))
def test_appraisal_and_verification_refuse_a_tip_beyond_the_target(name: str) -> None:
    chest_case = small_chest(name)
    points, outwards, tips = safe_lines(chest_case, 3)
    beyond = appraised(chest_case, points + (tips - 0.5)[:, None] * outwards, outwards)
    reached = [appraisal for appraisal in beyond if appraisal.length_mm is not None]
    assert len(reached) >= 5 and all(Lack.TIP in {r.lack for r in appraisal.reasons} for appraisal in reached)
    names = [{check.name for m, check in failed(chest_case, reached) if m == n} for n in range(len(reached))]
    assert all(AT_THE_EDGE in name for name in names)


@pytest.mark.parametrize("name", sorted(CHESTS))
def test_appraisal_and_verification_refuse_missing_clearance(name: str) -> None:
    """A check that verification in this form can fail."""
    chest_case = small_chest(name)
    lines = random_lines(chest_case, 400, 4)
    _, quantities = line.test_lines(
        search_fields(chest_case.scene, chest_case.request), lines.point, lines.outward
    )
    hits = quantities[:, line.CHORD] > 0.0
    tips = lines.point[hits] + (quantities[hits, line.TIP, None] + 1e-7) * lines.outward[hits]
    appraisals = [
        appraisal
        for appraisal in appraised(chest_case, tips, lines.outward[hits])
        if appraisal.length_mm is not None
    ]
    clearance_lacks = {Lack.NEEDLE, Lack.HUB, Lack.BORE}
    lacking = [
        appraisal for appraisal in appraisals if clearance_lacks & {r.lack for r in appraisal.reasons}
    ][:15]
    assert lacking
    refused = {
        n for n, check in failed(chest_case, lacking) if "clearance" in check.name or "bore" in check.name
    }
    assert refused == set(range(len(lacking)))


# Needles to the PTV


def appraisals_around_ptv(name: str, seed: int) -> tuple[Chest, list[Appraisal]]:
    """Needles through a chest's target, with tips in, around and beyond its PTV."""
    chest_case = small_chest(name)
    points, outwards, tips = safe_lines(chest_case, seed)
    beyond_mm = np.random.default_rng(seed).uniform(-8.0, 8.0, len(points))
    return chest_case, appraised(
        chest_case, points + (tips + beyond_mm)[:, None] * outwards, outwards, Aim.PTV
    )


@pytest.mark.parametrize("name", sorted(CHESTS))
@pytest.mark.parametrize("seed", [5, 6])
def test_needles_appraised_as_safe_for_the_ptv_pass_as_needles_of_a_set(name: str, seed: int) -> None:
    chest_case, appraisals = appraisals_around_ptv(name, seed)
    reached = [appraisal for appraisal in appraisals if appraisal.length_mm is not None]
    refused = {n for n, _ in failed(chest_case, reached)}
    assert {n for n, appraisal in enumerate(reached) if not appraisal.safe} == refused
    assert refused and len(refused) < len(reached)


@pytest.mark.parametrize("name", sorted(CHESTS))
def test_appraisal_and_verification_refuse_a_tip_beyond_the_ptv_or_without_room_for_a_seed(name: str) -> None:
    chest_case, appraisals = appraisals_around_ptv(name, 7)
    for n, appraisal in enumerate(appraisals):
        if appraisal.length_mm is None:
            continue
        names = {check.name for _, check in failed(chest_case, [appraisal])}
        lacks = {r.lack for r in appraisal.reasons}
        assert (Lack.TIP in lacks or (Lack.TARGET in lacks and IN_PTV in names)) == (IN_PTV in names), n
        assert (Lack.TARGET in lacks) == (SEEDED in names), n


# Paths of plans


def plan_of(arrangement: Arrangement) -> Plan:
    if arrangement is Arrangement.FREE:
        return ball_plan()
    request = ball_plan().request
    return plan(
        ball_scene(), replace(request, needle_set=replace(request.needle_set, arrangement=arrangement))
    ).plan


def path_appraisals(plan: Plan) -> list[tuple[Path, Appraisal]]:
    entries, tips = (np.array([getattr(p, name) for p in plan.paths]) for name in ("entry_mm", "tip_mm"))
    appraisal = Appraiser(ball_scene(), plan.request).appraise(entries, tips, [p.aim for p in plan.paths])
    return list(zip(plan.paths, appraisal, strict=True))


@pytest.mark.representative(1)
@pytest.mark.parametrize("arrangement", list(Arrangement))
def test_every_path_of_a_plan_is_appraised_as_safe_for_its_aim(arrangement: Arrangement) -> None:
    appraisals = path_appraisals(plan_of(arrangement))
    assert {path.aim for path, _ in appraisals} == {Aim.TARGET, Aim.PTV}
    assert [(path.id, appraisal.reasons) for path, appraisal in appraisals if not appraisal.safe] == []
    assert all(appraisal.aim is path.aim for path, appraisal in appraisals)


def test_a_given_needle_is_appraised_with_what_it_is_too_near_to() -> None:
    """One needle ends in the vessel, one is clear of it; both end before the PTV."""
    needle, request = next(p for p in ball_plan().paths if p.aim is Aim.PTV), ball_plan().request
    tips = [np.array(needle.tip_mm) - 15.0 * np.array(needle.direction)]
    scene = ball_scene()
    aorta = scene.structure("aorta").mask
    middle_B = 0.5 * (np.array(aorta.lower) + np.array(aorta.upper) - 1) * scene.grid.spacing_mm
    tips.append(scene.grid.to_patient(middle_B) - 5.0 * np.array(needle.direction))
    entries = [tip - 90.0 * np.array(needle.direction) for tip in tips]
    clear, near = Appraiser(scene, request).appraise(np.array(entries), np.array(tips), [Aim.GIVEN] * 2)
    assert clear.safe and clear.reasons == ()
    assert not near.safe and {r.structure for r in near.reasons} == {"aorta"}
    assert {r.lack for r in near.reasons} == {Lack.NEEDLE}
