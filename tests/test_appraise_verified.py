"""Appraisals against verification: what the one calls safe, and says of it, the other finds again."""

import numpy as np
import pytest
from small_chests import CHESTS, Chest, random_lines, small_chest

from anatomy.structures import Role
from planner.appraisals import Appraisal, Lack
from planner.appraise import Appraiser
from planner.kernels import line
from planner.kernels.verdicts import SAFE
from planner.measure import Measured
from planner.records import Aim, Check, Path
from planner.verify.claims import Claims
from planner.verify.clearance import check_nearest, check_needs, passings_of
from planner.verify.passage import check_passage
from planner.verify.room import check_room
from planner.verify.track import check_reach, check_track
from planner.verify.trial import trial_of
from planner.world import world

AT_THE_EDGE = "the tip is at the distal edge of the target"


def as_path(one: Appraisal) -> Path:
    """The record that a plan would have of a needle."""
    said = {name: getattr(one, name) for name in Measured.__dataclass_fields__}
    names = {"id": "1", "window": "w", "approach": "intercostal"}
    return Path(**said, **names, rank=1, aim=Aim.TARGET, pareto=True, seeds=())


def failed(made: Chest, needles: list[Appraisal]) -> list[tuple[int, Check]]:
    """What verification finds false of the needles' tracks, passage, room and clearances."""
    found = []
    kept_free = made.scene.of_role(Role.FORBIDDEN, Role.OUTSIDE)
    for n, one in enumerate(needles):
        claims, path = Claims(()), as_path(one)
        trial = trial_of(claims, f"needle {n}", path.entry_mm, path.tip_mm, made.scene, made.request)
        assert trial is not None
        check_track(claims, trial, path)
        check_reach(claims, trial)
        check_passage(claims, trial, path)
        check_room(claims, trial)
        passed = passings_of([trial], kept_free)[0]
        check_needs(claims, trial, passed)
        check_nearest(claims, trial, path, passed)
        checks = claims.verification().checks
        assert {AT_THE_EDGE, "lung length", "the needle keeps its clearance"} <= {c.name for c in checks}
        found += [(n, check) for check in checks if not check.passed]
    return found


def safe_lines(made: Chest, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points, outward unit vectors and places of tips on lines of which some are safe."""
    lines = random_lines(made, 3000, seed)
    verdicts, quantities = line.test_lines(world(made.scene, made.request), lines.point, lines.outward)
    safe = np.flatnonzero(verdicts == SAFE)[:25]
    return lines.point[safe], lines.outward[safe], quantities[safe, line.TIP]


def appraised(made: Chest, tips_B: np.ndarray, outwards_B: np.ndarray) -> list[Appraisal]:
    grid = made.scene.grid
    tips_P = grid.to_patient(tips_B)
    entries_P = tips_P + 40.0 * grid.vectors_to_patient(outwards_B)
    return Appraiser(made.scene, made.request).appraise(entries_P, tips_P)


@pytest.mark.parametrize("name", sorted(CHESTS))
def test_what_is_called_safe_passes_verification(name: str) -> None:
    made = small_chest(name)
    points, outwards, tips = safe_lines(made, 1)
    # A tenth of what is rounding to verification: the tip is in the target, and at its edge.
    found = appraised(made, points + (tips + 1e-7)[:, None] * outwards, outwards)
    safe = [one for one in found if one.safe]
    assert len(safe) >= 5
    assert failed(made, safe) == []


@pytest.mark.parametrize("name", sorted(CHESTS))
def test_a_tip_within_the_target_is_all_that_verification_may_refuse(name: str) -> None:
    """A plan's tip is at the target's edge; a hand may hold it before that."""
    made = small_chest(name)
    points, outwards, tips = safe_lines(made, 2)
    short = appraised(made, points + (tips + 0.5)[:, None] * outwards, outwards)
    safe = [one for one in short if one.safe]
    assert len(safe) >= 5
    assert {check.name for _, check in failed(made, safe)} == {AT_THE_EDGE}


@pytest.mark.parametrize("name", sorted(CHESTS))
def test_a_tip_beyond_the_target_is_refused_by_both(name: str) -> None:
    made = small_chest(name)
    points, outwards, tips = safe_lines(made, 3)
    beyond = appraised(made, points + (tips - 0.5)[:, None] * outwards, outwards)
    reached = [one for one in beyond if one.length_mm is not None]
    assert len(reached) >= 5 and all(Lack.TIP in {r.lack for r in one.reasons} for one in reached)
    names = [{check.name for m, check in failed(made, reached) if m == n} for n in range(len(reached))]
    assert all(AT_THE_EDGE in name for name in names)


@pytest.mark.parametrize("name", sorted(CHESTS))
def test_what_lacks_clearance_or_room_is_refused_by_both(name: str) -> None:
    """So that verification, asked this way, can fail."""
    made = small_chest(name)
    lines = random_lines(made, 400, 4)
    _, quantities = line.test_lines(world(made.scene, made.request), lines.point, lines.outward)
    on = quantities[:, line.CHORD] > 0.0
    tips = lines.point[on] + (quantities[on, line.TIP, None] + 1e-7) * lines.outward[on]
    found = [one for one in appraised(made, tips, lines.outward[on]) if one.length_mm is not None]
    of_room = {Lack.NEEDLE, Lack.HUB, Lack.BORE}
    lacking = [one for one in found if of_room & {r.lack for r in one.reasons}][:15]
    assert lacking
    refused = {n for n, check in failed(made, lacking) if "clearance" in check.name or "bore" in check.name}
    assert refused == set(range(len(lacking)))
