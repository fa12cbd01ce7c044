"""Random implants: each is planned, written, read back and verified; some are evaluated, and some replanned
around measured needles. None may fail or be refused on reading.

python tests/run.py random_implants FIRST COUNT plans the chests of these numbers and prints every failure,
exceptions included.
"""

import sys
import traceback
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from time import perf_counter
from types import MappingProxyType

import numpy as np
from random_chests import random_chest
from small_chests import Chest

from anatomy.scene import Scene
from planner.errors import RequestError
from planner.evaluate import evaluate_implant
from planner.implant.needles_in_place import measured_needles, refuse_impossible_seeds
from planner.plan import plan
from planner.records.organ_goals import REPORTED_ROLES
from planner.records.paths import Aim
from planner.records.plan import Plan
from planner.records.request.given import GivenNeedle, GivenSeed
from planner.records.request.needle_set import Arrangement, NeedleSetRequest
from planner.records.request.point import Point
from planner.records.request.prescription import Goals, OrganGoal, Prescription, PriorExternal
from planner.records.request.ranking import DEFAULT_RANKING
from planner.records.request.request import Request
from planner.records.request.robustness import Placement, RobustnessRequest
from planner.records.request.seeds import SeedRequest
from planner.records.request.target import TargetRequest
from planner.records.verification import Verification
from planner.replan import MeasuredNeedle, replan
from planner.sources import SOURCES
from planner.verify import verify
from service.schemas.json.strict import NotJson, Refused
from service.schemas.plan.file import plan_sha256, read_plan, write_plan
from service.schemas.plan.followup_file import (
    read_evaluation,
    read_replanned,
    write_evaluation,
    write_replanned,
)

EVALUATED, REPLANNED = 0.5, 0.2
"""Fractions of the implants that are evaluated, and replanned."""
CLOSED = 0.3
"""Fraction of the replannings in which no other path is left."""
PROGRESS_INTERVAL = 10
"""Progress is printed after each this many implants."""
LEAST_SPACING_MM = 4.5
"""No request may have less."""
REACHING_MM = 60.0
"""Needles are this long at the least: shorter ones reach few targets."""


@dataclass(frozen=True)
class Trial:
    """The result for one chest: the status and kinds of results, and their faults."""

    number: int
    made: tuple[str, ...]
    faults: tuple[str, ...]


def random_implant(number: int) -> Chest:
    """The chest of this number, and a request for an implant."""
    chest = random_chest(number)
    rng = np.random.default_rng([13, number])
    return Chest(chest.scene, _implant_request(rng, chest.scene, chest.request))


def trial(number: int) -> Trial:
    """Plan the implant of this number and check everything that must be true of it; sometimes evaluate
    shifted seeds, and replan around shifted needles."""
    chest, rng = random_implant(number), np.random.default_rng([14, number])
    planned = plan(chest.scene, chest.request).plan
    ends, faults = [str(planned.outcome.status)], list(_faults_of_plan(chest.scene, planned))
    if planned.needle_set is not None:
        ends.append("implant")
        if rng.random() < EVALUATED:
            ends.append("evaluation")
            faults += [f"evaluation: {fault}" for fault in _evaluated(chest.scene, planned, rng)]
        if rng.random() < REPLANNED:
            ends.append("replanning")
            faults += [f"replanning: {fault}" for fault in _replanned(chest.scene, planned, rng)]
    return Trial(number, tuple(ends), tuple(faults))


def _faults_of_plan(scene: Scene, planned: Plan) -> Iterator[str]:
    text = write_plan(planned)
    try:
        file = read_plan(text)
    except (NotJson, Refused) as refusal:
        yield f"not read back: {refusal}"
        return
    if file.plan != planned or file.claimed_sha256 != file.content_sha256 or write_plan(file.plan) != text:
        yield "read back as another plan"
        yield from _refuted("as read", verify(file.plan, scene))
    # The plan as read equals the plan as made, so verifying it again would give the same result.
    yield from _refuted("as made", planned.verification)


def _refuted(when: str, verification: Verification | None) -> Iterator[str]:
    if verification is None:
        yield f"{when}: not verified"
        return
    for check in verification.checks:
        if not check.passed:
            text = f"{check.claimed} for {check.recomputed} within {check.tolerance:g}"
            yield f"{when}: {check.name}, {check.subject}: {text}"


def _evaluated(scene: Scene, planned: Plan, rng: np.random.Generator) -> Iterator[str]:
    """The plan's seeds, shifted together and each a little more, as far as they stay possible."""
    assert planned.needle_set is not None
    way = rng.normal(size=3)
    way *= rng.choice([0.0, 3.0, 10.0, 35.0, 60.0]) / np.linalg.norm(way)
    seeds_found: list[GivenSeed] = []
    for seed in planned.needle_set.seeds:
        place = _point(np.array(seed.position_mm) + way + rng.normal(0.0, 1.5, 3))
        seeds_given = [*seeds_found, GivenSeed(place, seed.axis if rng.random() < 0.8 else None)]
        if _possible(scene, planned.request, seeds_given):
            seeds_found = seeds_given
    if not seeds_found:
        return
    evaluation = evaluate_implant(scene, planned, plan_sha256(planned), tuple(seeds_found))
    yield from _refuted("as made", evaluation.verification)
    if evaluation.supplement is not None:
        yield from (f"supplement: {fault}" for fault in _faults_of_plan(scene, evaluation.supplement))
    try:
        if read_evaluation(write_evaluation(evaluation)) != evaluation:
            yield "read back as another evaluation"
    except (NotJson, Refused) as refusal:
        yield f"not read back: {refusal}"


def _replanned(scene: Scene, planned: Plan, rng: np.random.Generator) -> Iterator[str]:
    """Some needles of the plan as measured, a few mm and degrees off, and some of their seeds in place."""
    needles: list[MeasuredNeedle] = []
    for path in planned.paths:
        if path.aim is not Aim.TARGET and (path.aim is Aim.GIVEN or rng.random() < 0.5):
            entry, tip = (
                _point(np.array(end) + rng.normal(0.0, 2.0, 3)) for end in (path.entry_mm, path.tip_mm)
            )
            if _leads_in(scene, planned.request, GivenNeedle(entry, tip)):
                needles.append(MeasuredNeedle(path.id, entry, tip))
    seeds: list[GivenSeed] = []
    for seed in () if planned.needle_set is None else planned.needle_set.seeds:
        seeds_given = [
            *seeds,
            GivenSeed(_point(np.array(seed.position_mm) + rng.normal(0.0, 1.5, 3)), seed.axis),
        ]
        if rng.random() < 0.3 and _possible(
            scene, planned.request, [*planned.request.needle_set.given_seeds, *seeds_given]
        ):
            seeds = seeds_given
    if rng.random() < CLOSED:
        far = MappingProxyType({"default": 50.0})
        planned = replace(planned, request=replace(planned.request, clearance_mm=far))
    replanned = replan(scene, planned, plan_sha256(planned), tuple(needles), tuple(seeds))
    yield from _refuted("as made", replanned.verification)
    yield from (f"plan: {fault}" for fault in _faults_of_plan(scene, replanned.plan))
    try:
        if read_replanned(write_replanned(replanned)) != replanned:
            yield "read back as another replanning"
    except (NotJson, Refused) as refusal:
        yield f"not read back: {refusal}"


def _implant_request(rng: np.random.Generator, scene: Scene, paths: Request) -> Request:
    source = SOURCES[rng.integers(len(SOURCES))]
    least = max(LEAST_SPACING_MM, source.seed_length_mm)
    spacing = round(float(rng.uniform(least + 0.1, 12.0)), 1)
    calibrated = date(2026, 1, 5)
    dated = rng.random() < 0.2
    request = replace(
        paths,
        # Read from JSON, a request has either weights or a ranking.
        ranking=DEFAULT_RANKING if paths.weights else paths.ranking,
        target=TargetRequest(
            structures=paths.target.structures,
            margin_mm=float(rng.choice([0.0, 0.1, 1.3, 2.0, 3.0, 5.0, 8.0, 15.0])),
            min_chord_mm=None,
            cut_back=tuple(s.name for s in scene.structures if s.name == "aorta" and rng.random() < 0.5),
        ),
        needle=replace(paths.needle, max_length_mm=max(REACHING_MM, paths.needle.max_length_mm)),
        clearance_mm=MappingProxyType({"default": float(rng.choice([0.0, 1.0, 2.0]))}),
        search=replace(paths.search, covering_radius_mm=4.0),
        seeds=SeedRequest(
            model=source.name,
            activity_mci=_value_in_range(rng, float(rng.uniform(0.2, 1.5)), 0.05, 5.0),
            spacing_mm=spacing,
            min_spacing_mm=min(max(5.0, least), spacing),
            calibration_date=calibrated if dated else None,
            implant_date=calibrated + timedelta(days=int(rng.integers(0, 60))) if dated else None,
        ),
        prescription=_prescribed(rng, _with_doses(scene)),
        needle_set=NeedleSetRequest(
            arrangement=list(Arrangement)[rng.integers(len(Arrangement))],
            grid_pitch_mm=float(rng.choice([3.0, 5.0, 10.0])),
            clearance_mm=float(rng.choice([0.0, 1.0])),
            puncture_cost_mm=float(rng.choice([0.0, 10.0])),
            max_needles=int(rng.choice([3, 10, 60])),
        ),
        robustness=RobustnessRequest(
            list(Placement)[rng.integers(len(Placement))], int(rng.choice([0, 1, 20]))
        ),
        random_seed=int(rng.integers(5)),
    )
    return _with_given(rng, scene, request) if rng.random() < 0.3 else request


def _value_in_range(rng: np.random.Generator, usual: float, least: float, most: float) -> float:
    """The usual value, or sometimes one from the whole allowed range."""
    if rng.random() < 0.7:
        return round(usual, 2)
    return round(float(np.exp(rng.uniform(np.log(least), np.log(most)))), 2)


def _with_doses(scene: Scene) -> list[str]:
    """Organs that are large enough for goals."""
    organs = [s for s in scene.of_role(*REPORTED_ROLES) if s.name not in scene.too_small]
    return [s.name for s in organs if s.mask.count * scene.grid.voxel_volume_mm3 > 101.0]


def _prescribed(rng: np.random.Generator, organs: list[str]) -> Prescription:
    limited = {name: OrganGoal(d0_1cc_gy=150.0, d1cc_gy=60.0) for name in organs if rng.random() < 0.15}
    return Prescription(
        dose_gy=_value_in_range(rng, float(rng.choice([80.0, 110.0, 120.0, 160.0])), 10.0, 500.0),
        goals=Goals(
            v100_percent=float(rng.choice([80.0, 95.0, 99.9])),
            v150_percent=float(rng.choice([60.0, 100.0])),
            v200_percent=float(rng.choice([40.0, 60.0])),
        ),
        organ_goals=MappingProxyType(limited),
        prior_external=PriorExternal(50.0, 25) if rng.random() < 0.3 else None,
    )


def _with_given(rng: np.random.Generator, scene: Scene, request: Request) -> Request:
    """With a few seeds and needles that are in already, as far as they can be true."""
    target, spacing = scene.target, scene.grid.spacing_mm
    voxels = np.argwhere(target.cropped()) + np.array(target.lower)
    needles: list[GivenNeedle] = []
    seeds: list[GivenSeed] = []
    for _ in range(int(rng.integers(1, 4))):
        tip = scene.grid.to_patient(voxels[rng.integers(len(voxels))] * spacing)
        way = rng.normal(size=3)
        way /= np.linalg.norm(way)
        needle = GivenNeedle(_point(tip + 40.0 * way), _point(tip))
        if rng.random() < 0.5 and _leads_in(scene, request, needle):
            needles.append(needle)
        place = _point(tip + rng.normal(0.0, 4.0, 3))
        given_seeds = [*seeds, GivenSeed(place, _point(way) if rng.random() < 0.7 else None)]
        if _possible(scene, request, given_seeds):
            seeds = given_seeds
    needle_set = replace(request.needle_set, given_needles=tuple(needles), given_seeds=tuple(seeds))
    return replace(request, needle_set=needle_set)


def _possible(scene: Scene, request: Request, seeds: list[GivenSeed]) -> bool:
    try:
        refuse_impossible_seeds(scene, seeds, request.seeds.source.seed_diameter_mm, ("seeds",))
    except RequestError:
        return False
    return True


def _leads_in(scene: Scene, request: Request, needle: GivenNeedle) -> bool:
    try:
        measured_needles(scene, request, (needle,), ("needles",))
    except RequestError:
        return False
    return True


def _point(p: np.ndarray) -> Point:
    x, y, z = p.tolist()
    return x, y, z


def _trial_with_exceptions(number: int) -> Trial:
    """The trial of that number; an exception is a fault of it, so that the numbers after it are tried too."""
    try:
        return trial(number)
    except Exception as fault:
        last = traceback.extract_tb(fault.__traceback__)[-1]
        text = f"{type(fault).__name__} in {last.name}, {last.filename}, line {last.lineno}: {fault}"
        return Trial(number, ("exception",), (text,))


def main(first: int, count: int) -> int:
    """Try that many implants from number `first` on; the exit status is 1 where one failed."""
    begun, ends = perf_counter(), Counter[str]()
    failed = 0
    for number in range(first, first + count):
        outcome = _trial_with_exceptions(number)
        ends.update(outcome.made)
        failed += bool(outcome.faults)
        for fault in outcome.faults:
            print(f"{number}: {fault}", flush=True)
        if (number + 1 - first) % PROGRESS_INTERVAL == 0:
            print(f"{number + 1 - first} done, {failed} failed", file=sys.stderr, flush=True)
    counts_text = ", ".join(f"{n} {end}" for end, n in sorted(ends.items()))
    print(f"{count} chests from {first} on: {counts_text}; {failed} failed; {perf_counter() - begun:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2])))
