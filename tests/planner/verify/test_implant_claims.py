"""Planted faults in implants: each makes a true plan false in one way; verification must say so."""

from collections.abc import Callable
from dataclasses import fields, replace
from datetime import date
from itertools import pairwise

import numpy as np
import pytest
from true_implants import (
    PRESCRIPTION,
    REQUEST_WITH_PRESCRIPTION,
    TIPS_B,
    dosed,
    given_needle,
    honest_implant,
    implanted,
    in_words,
    with_given,
)
from true_plans import Patient, as_tuple

from planner.records.dose import DoseReport, DvhCurve, GoalResult, PointKind, TargetDose, VolumeDose
from planner.records.needle_set import NeedleSet, PlacedSeed
from planner.records.organ_limits import Doubt, LimitComparison
from planner.records.paths import Aim, Path, SeedDrop
from planner.records.plan import Plan, Status
from planner.records.request.given import GivenSeed
from planner.records.request.needle_set import Arrangement, NeedleSetRequest
from planner.records.request.prescription import BedRequest, Goals, OrganGoal, PriorExternal
from planner.records.request.request import Request
from planner.records.wording.organ_limits import reason_of
from planner.verify import verify
from planner.verify.plan import NOT_RECOMPUTED

Fault = Callable[[Plan], Plan]


def failed(plan: Plan, patient: Patient) -> dict[str, str]:
    """Names of the claims that fail, each with its first subject."""
    subjects: dict[str, str] = {}
    for check in verify(plan, patient.scene).checks:
        if not check.passed:
            subjects.setdefault(check.name, check.subject)
    return subjects


def in_set(**changes: object) -> Fault:
    """Other claims in the needle set."""
    return lambda plan: replace(plan, needle_set=replace(plan.needle_set, **changes))


def in_dose(change: Callable[[DoseReport], DoseReport]) -> Fault:
    """Another dose report, with the status and message that follow from it."""
    return lambda plan: in_words(replace(plan, dose=change(plan.dose)))


def in_target(**changes: object) -> Fault:
    return in_dose(lambda d: replace(d, target=replace(d.target, **changes)))


def with_goals(change: Callable[[GoalResult], GoalResult]) -> Fault:
    return in_dose(lambda d: replace(d, goals=tuple(change(g) for g in d.goals)))


def in_needle(id_: str, change: Callable[[Path], Path]) -> Fault:
    """Another needle, with its seeds changed in the set too and the dose unchanged."""

    def fault(plan: Plan) -> Plan:
        paths = tuple(change(p) if p.id == id_ else p for p in plan.paths)
        seeds = tuple(
            PlacedSeed(p.id, s.position_mm, s.axis, s.depth_mm, s.retraction_mm)
            for p in paths
            if p.aim is not Aim.TARGET
            for s in p.seeds
        )
        return replace(plan, paths=paths, needle_set=replace(plan.needle_set, seeds=seeds))

    return fault


def seeds_of(id_: str, change: Callable[[Path], tuple[SeedDrop, ...]]) -> Fault:
    return in_needle(id_, lambda p: replace(p, seeds=change(p)))


def with_shallower_seed(p: Path, number: int, shift_mm: float) -> tuple[SeedDrop, ...]:
    """The seeds with one nearer to the skin, with correct position, depth and retraction."""
    seeds = [
        replace(
            s,
            position_mm=as_tuple(np.array(s.position_mm) - shift_mm * np.array(p.direction)),
            depth_mm=s.depth_mm - shift_mm,
        )
        if n == number
        else s
        for n, s in enumerate(p.seeds)
    ]
    retractions = [0.0, *(a.depth_mm - b.depth_mm for a, b in pairwise(seeds))]
    return tuple(replace(s, retraction_mm=b) for s, b in zip(seeds, retractions, strict=True))


def with_seed_beside_axis(p: Path, shift_mm: float) -> tuple[SeedDrop, ...]:
    first, *others = p.seeds
    x, y, z = first.position_mm
    return (replace(first, position_mm=(x + shift_mm, y, z)), *others)


def with_turned_axis(p: Path) -> tuple[SeedDrop, ...]:
    first, *others = p.seeds
    x, y, z = first.axis
    return (replace(first, axis=(y, -x, z)), *others)


def with_depths_swapped(p: Path) -> tuple[SeedDrop, ...]:
    return tuple(replace(s, depth_mm=s.retraction_mm, retraction_mm=s.depth_mm) for s in p.seeds)


def seed_in_cm(seed: PlacedSeed) -> PlacedSeed:
    x, y, z = seed.position_mm
    return replace(seed, position_mm=(x / 10, y / 10, z / 10))


def with_request(change: Callable[[Request], Request]) -> Fault:
    """A request that was changed after planning."""
    return lambda plan: in_words(replace(plan, request=change(plan.request)))


def with_target(**changes: object) -> Fault:
    return with_request(lambda r: replace(r, target=replace(r.target, **changes)))


def with_curve(name: str, change: Callable[[DvhCurve], DvhCurve]) -> Fault:
    return in_dose(lambda d: replace(d, dvh=tuple(change(c) if c.structure == name else c for c in d.dvh)))


def with_lower_share(percent: int) -> Fault:
    """The PTV's histogram with a slightly smaller share at this percentage of the prescription."""

    def change(c: DvhCurve) -> DvhCurve:
        shares = list(c.volume_percent)
        shares[c.dose_gy.index(c.dose_gy[20] * percent / 100.0)] -= 0.001
        return replace(c, volume_percent=tuple(shares))

    return with_curve("PTV", change)


def without_warm_histogram(plan: Plan) -> Plan:
    prescribed_gy = plan.dose.prescribed_gy
    warm_heart = with_organ("heart", d0_1cc_gy=0.3 * prescribed_gy)(plan)
    curves = tuple(c for c in plan.dose.dvh if c.structure != "heart")
    return in_dose(lambda d: replace(d, dvh=curves))(warm_heart)


def with_limit(matches: Callable[[LimitComparison], object], **changes: object) -> Fault:
    """The first limit that matches, changed."""

    def fault(plan: Plan) -> Plan:
        limits = plan.dose.bed.limits
        n = next(n for n, limit in enumerate(limits) if matches(limit))
        return with_bed(limits=(*limits[:n], replace(limits[n], **changes), *limits[n + 1 :]))(plan)

    return fault


def with_limits_not_in_input(plan: Plan) -> Plan:
    """Every limit as for an organ that the input lacks, with its reason and the message."""
    limits = tuple(
        replace(
            n,
            structure="",
            lacking="",
            achieved_bed_gy=None,
            achieved_cc=None,
            organ_cc=None,
            met=None,
            doubts=(Doubt.NOT_IN_INPUT,) if n.limit_bed_gy is not None else n.doubts,
        )
        for n in plan.dose.bed.limits
    )
    with_reasons = tuple(replace(n, reason=reason_of(replace(n, reason=""))) for n in limits)
    return in_words(with_bed(limits=with_reasons)(plan))


def with_bed(**changes: float) -> Fault:
    return in_dose(lambda d: replace(d, bed=replace(d.bed, **changes)))


def with_organ(name: str, **changes: object) -> Fault:
    return in_dose(
        lambda d: replace(
            d, organs=tuple(replace(o, **changes) if o.structure == name else o for o in d.organs)
        )
    )


def with_point(number: int, **changes: object) -> Fault:
    def change(d: DoseReport) -> DoseReport:
        points = [replace(p, **changes) if n == number else p for n, p in enumerate(d.points)]
        return replace(d, points=tuple(points))

    return in_dose(change)


def with_hottest_point_of_coolest_organ(plan: Plan) -> Plan:
    """The last point of an organ, stated as that of the coolest organ."""
    coolest = min(plan.dose.organs, key=lambda o: o.d0_1cc_gy or 0.0)
    name = f"hottest sample of {coolest.structure}"
    last = replace(plan.dose.points[-1], structure=coolest.structure, name=name, dose_gy=0.01)
    return replace(
        plan, dose=replace(plan.dose, points=(*plan.dose.points[:2], *plan.dose.points[2:-1], last))
    )


def without_last_seed(plan: Plan) -> Plan:
    """The plan without a seed in needle and set; the dose is still that of all seeds."""
    return seeds_of("N1", lambda p: p.seeds[:-1])(plan)


def with_higher_d90(plan: Plan) -> Plan:
    """The plan with D90 2 Gy higher wherever it is stated."""
    d90 = plan.dose.target.d90_gy + 2.0
    goals = tuple(replace(g, reached=d90) if g.name == "d90_gy" else g for g in plan.dose.goals)
    return in_dose(lambda d: replace(d, target=replace(d.target, d90_gy=d90), goals=goals))(plan)


def with_lower_v150(plan: Plan) -> Plan:
    """The plan with V150 3 % lower wherever it is stated, and the HI that follows."""
    target = plan.dose.target
    v150 = target.v150_percent - 3.0
    target = replace(target, v150_percent=v150, hi=1.0 - v150 / target.v100_percent)
    goals = tuple(replace(g, reached=v150) if g.name == "v150_percent" else g for g in plan.dose.goals)
    level_gy = 1.5 * PRESCRIPTION.dose_gy

    def with_lower_shares(c: DvhCurve) -> DvhCurve:
        shares = tuple(
            min(v, v150) if d >= level_gy else v for d, v in zip(c.dose_gy, c.volume_percent, strict=True)
        )
        return replace(c, volume_percent=shares)

    dvh = (with_lower_shares(plan.dose.dvh[0]), *plan.dose.dvh[1:])
    return in_dose(lambda d: replace(d, target=target, goals=goals, dvh=dvh))(plan)


def with_lower_ei(plan: Plan) -> Plan:
    """The plan with a lower EI, and the CI that follows."""
    share = plan.dose.target.v100_percent / 100
    return in_target(ei=0.05, ci=share * share / (share + 0.05))(plan)


def with_unmet_goal(plan: Plan) -> Plan:
    """The plan with a D90 goal above the D90, stated as met."""
    goals = replace(plan.request.prescription.goals, d90_gy=60.0)
    prescription = replace(plan.request.prescription, goals=goals)
    plan = replace(plan, request=replace(plan.request, prescription=prescription))
    return with_goals(lambda g: replace(g, wanted=60.0) if g.name == "d90_gy" else g)(plan)


def in_needles(change: Callable[[Path], Path]) -> Fault:
    return lambda plan: replace(
        plan, paths=tuple(p if p.aim is Aim.TARGET else change(p) for p in plan.paths)
    )


FAULTS: dict[str, tuple[Fault, str]] = {
    # seeds
    "a seed 1 mm beside its needle": (
        seeds_of("N1", lambda p: with_seed_beside_axis(p, 1.0)),
        "the seed lies on the axis",
    ),
    "a seed slid by 1 mm, the dose as it was": (
        seeds_of("N2", lambda p: with_shallower_seed(p, 0, 1.0)),
        "dose at a point",
    ),
    "a seed slid out of the PTV": (
        seeds_of("N1", lambda p: with_shallower_seed(p, 1, 9.0)),
        "the whole seed lies in the PTV",
    ),
    "seeds too near on a needle": (
        seeds_of("N1", lambda p: with_shallower_seed(p, 1, -5.0)),
        "seeds are distal first and spaced",
    ),
    "a seed at another's position": (
        seeds_of("N1", lambda p: with_shallower_seed(p, 1, -8.0)),
        "no two seeds share a place",
    ),
    "a seed's axis sideways": (seeds_of("N1", with_turned_axis), "the seed's axis is the needle's"),
    "depth and retraction swapped": (seeds_of("N1", with_depths_swapped), "retraction"),
    "a seed left out of the set": (
        lambda plan: in_set(seeds=plan.needle_set.seeds[1:])(plan),
        "the set's seeds are those of its needles",
    ),
    "a seed left out, the dose as it was": (without_last_seed, "D90"),
    "a needle without seeds": (seeds_of("N1", lambda p: ()), "the needle carries a seed"),
    "seeds in cm": (
        lambda plan: in_set(seeds=tuple(map(seed_in_cm, plan.needle_set.seeds)))(plan),
        "the seed is that of its needle",
    ),
    "seeds of needles in another order": (
        lambda plan: in_set(seeds=plan.needle_set.seeds[::-1])(plan),
        "the seed's needle",
    ),
    "a seed without an axis in the set": (
        lambda plan: in_set(seeds=(replace(plan.needle_set.seeds[0], axis=None), *plan.needle_set.seeds[1:]))(
            plan
        ),
        "the seed is that of its needle",
    ),
    "a seed without a depth in the set": (
        lambda plan: in_set(
            seeds=(replace(plan.needle_set.seeds[0], depth_mm=None), *plan.needle_set.seeds[1:])
        )(plan),
        "the seed is that of its needle",
    ),
    # needles
    "needles in another rank order": (
        lambda plan: in_set(path_ids=plan.needle_set.path_ids[::-1])(plan),
        "the set's needles, by rank",
    ),
    "a needle that is a ranked path": (
        in_needle("N1", lambda p: replace(p, aim=Aim.TARGET, window="window anterior")),
        "the tip is at the distal edge",
    ),
    "a needle before the ranked paths": (
        lambda plan: replace(plan, paths=(*plan.paths[1:], plan.paths[0])),
        "paths to the target come first",
    ),
    "needles ranked by another order": (
        lambda plan: replace(plan, paths=(plan.paths[0], *plan.paths[:0:-1])),
        "rank order",
    ),
    "a needle with a window": (
        in_needles(lambda p: replace(p, window="window anterior")),
        "a needle names no",
    ),
    "a needle on the front": (in_needles(lambda p: replace(p, pareto=True)), "needles are on no front"),
    "a needle that ends behind the PTV": (
        in_needle(
            "N1", lambda p: replace(p, tip_mm=as_tuple(np.array(p.tip_mm) + 8.0 * np.array(p.direction)))
        ),
        "the tip is in the PTV",
    ),
    "a needle said to be given": (
        in_needle("N1", lambda p: replace(p, aim=Aim.GIVEN)),
        "the needle was given",
    ),
    "needles without a set": (
        lambda plan: replace(plan, needle_set=None),
        "needles without a set",
    ),
    # the set
    "lung of one needle": (in_set(lung_length_mm=1.0), "lung length of all needles"),
    "a puncture too few": (in_set(pleural_punctures=-1), "pleural punctures of all needles"),
    "another objective": (in_set(objective=7.0), "objective"),
    "a bound above the objective": (in_set(bound=1e3), "the bound is no more than the objective"),
    "a negative bound": (in_set(bound=-1.0), "the bound is not negative"),
    "a smaller gap": (in_set(gap=0.1), "gap"),
    "a smaller gap in seeds": (in_set(seeds_gap=0.1), "gap in seeds"),
    "no number of seeds, and a gap": (in_set(seeds_bound=None), "fewest seeds and their gap"),
    "out of reach, and reached": (
        in_set(seeds_bound=None, seeds_gap=None, v100_reachable=False),
        "V100 is out of reach only where",
    ),
    "out of reach, and a number": (in_set(v100_reachable=False), "V100 is out of reach only where"),
    "more seeds needed than there are": (in_set(seeds_bound=13), "no more seeds are needed than there are"),
    "an arrangement not requested": (in_set(arrangement="parallel"), "arrangement"),
    "a needle not in the order": (
        in_set(order=("N1", "N2", "N3", "N4", "N5")),
        "the order names every needle",
    ),
    "no order": (in_set(order=()), "the order names every needle once"),
    "fewer tracks than needles": (in_set(tracks_considered=3), "tracks considered"),
    "pairs of more tracks": (in_set(conflicts_checked=191), "pairs of tracks"),
    "more needles than allowed": (
        with_request(lambda r: replace(r, needle_set=NeedleSetRequest(max_needles=5))),
        "no more needles than allowed",
    ),
    "a bundle asked for": (
        with_request(lambda r: replace(r, needle_set=NeedleSetRequest(arrangement=Arrangement.PARALLEL))),
        "the needles of a bundle are parallel",
    ),
    "more clearance asked for": (
        with_request(lambda r: replace(r, needle_set=NeedleSetRequest(clearance_mm=6.0))),
        "shafts keep their clearance",
    ),
    "another puncture cost requested": (
        with_request(lambda r: replace(r, needle_set=NeedleSetRequest(puncture_cost_mm=40.0))),
        "objective",
    ),
    # the PTV
    "a smaller margin": (with_target(margin_mm=4.0), "volume"),
    "a larger margin": (with_target(margin_mm=6.0), "volume"),
    "no margin": (with_target(margin_mm=0.0), "the whole seed lies in the PTV"),
    "cut back from the aorta": (with_target(cut_back=("aorta",)), "volume"),
    "cut back from an unknown structure": (
        with_target(cut_back=("pancreas",)),
        "the PTV is cut back from structures",
    ),
    # strength
    "mCi for U": (in_dose(lambda d: replace(d, air_kerma_strength_u=0.6)), "air-kerma strength"),
    "another source": (in_dose(lambda d: replace(d, source="best_2301")), "source"),
    "an unknown source": (in_dose(lambda d: replace(d, source="bone")), "source"),
    "another strength asked for": (
        with_request(lambda r: replace(r, seeds=replace(r.seeds, activity_mci=0.63))),
        "D90",
    ),
    "a month of decay": (
        with_request(
            lambda r: replace(
                r,
                seeds=replace(r.seeds, calibration_date=date(2026, 1, 1), implant_date=date(2026, 2, 1)),
            )
        ),
        "air-kerma strength",
    ),
    "another prescription": (in_dose(lambda d: replace(d, prescribed_gy=61.0)), "prescribed dose"),
    "dose to medium": (in_dose(lambda d: replace(d, medium="dose to medium")), "medium"),
    # doses
    "D90 2 Gy more": (with_higher_d90, "D90"),
    "V150 3 % less": (with_lower_v150, "V150"),
    "less outside the PTV": (with_lower_ei, "EI"),
    "a PTV without volume": (in_target(volume_cc=0.0), "volume"),
    "no HI": (in_target(hi=None), "HI where anything gets the prescribed dose"),
    "GTV for PTV": (
        lambda plan: in_target(**{f.name: getattr(plan.dose.gtv, f.name) for f in fields(VolumeDose)})(plan),
        "volume",
    ),
    "an organ with half its dose": (with_organ("heart", d2cc_gy=3.7), "D2cc"),
    "an organ with twice its dose": (with_organ("vertebrae", d0_1cc_gy=150.0), "D0.1cc"),
    "an organ without a dose": (with_organ("heart", d1cc_gy=None), "D1cc where the organ is large enough"),
    "an organ left out": (in_dose(lambda d: replace(d, organs=d.organs[1:])), "organs with a dose"),
    "an organ of another name": (with_organ("heart", structure="pancreas"), "organs with a dose"),
    "an organ of another size": (with_organ("heart", volume_cc=5.0), "volume"),
    # points
    "a point with another dose": (with_point(2, dose_gy=123.0), "dose at a point"),
    "a point elsewhere": (
        with_point(3, position_mm=(10.0, 50.0, 60.0)),
        "the point lies in what it is named for",
    ),
    "a point of another organ": (with_point(3, structure="pancreas"), "the point lies in what"),
    "a point of another name": (
        with_point(3, name="hottest sample of pancreas"),
        "the point is named for what it is",
    ),
    "a hottest point that is called coldest": (
        with_point(3, kind=PointKind.COLDEST),
        "the point lies in what",
    ),
    "no coldest point": (
        in_dose(lambda d: replace(d, points=d.points[1:])),
        "coldest points that are not named",
    ),
    "a hottest point where it is cool": (
        in_dose(
            lambda d: replace(d, points=(*d.points[:2], replace(d.points[2], dose_gy=1.0), *d.points[3:]))
        ),
        "it gets at least D0.1cc",
    ),
    "the hottest points left out": (
        in_dose(lambda d: replace(d, points=d.points[:2])),
        "organs whose hottest point is named",
    ),
    "the points of the coolest organs named": (
        with_hottest_point_of_coolest_organ,
        "points of hotter organs are named",
    ),
    # histograms
    "a histogram cut to one level": (
        with_curve("GTV", lambda c: replace(c, dose_gy=c.dose_gy[:1], volume_percent=c.volume_percent[:1])),
        "its levels",
    ),
    "no histogram of hot organs": (
        in_dose(lambda d: replace(d, dvh=d.dvh[:2])),
        "volumes to treat, and hot organs, without",
    ),
    "a histogram shifted": (
        with_curve("PTV", lambda c: replace(c, volume_percent=(100.0, *c.volume_percent[:-1]))),
        "share at",
    ),
    "an organ's histogram shifted": (
        with_curve("vertebrae", lambda c: replace(c, volume_percent=(100.0, *c.volume_percent[:-1]))),
        "share at",
    ),
    **{
        f"a histogram of another V{percent}": (with_lower_share(percent), f"the histogram gives V{percent}")
        for percent in (100, 150, 200)
    },
    "no histogram of an organ that gets 0.3 of the prescription": (
        without_warm_histogram,
        "volumes to treat, and hot organs, without",
    ),
    "a histogram in another unit": (
        with_curve("PTV", lambda c: replace(c, dose_gy=tuple(100 * d for d in c.dose_gy))),
        "share at",
    ),
    "a histogram backwards": (
        with_curve("GTV", lambda c: replace(c, volume_percent=c.volume_percent[::-1])),
        "levels rise and shares fall",
    ),
    "a histogram of nothing": (
        with_curve("GTV", lambda c: replace(c, dose_gy=(), volume_percent=())),
        "the first level is no dose",
    ),
    "a histogram with a share missing": (
        with_curve("GTV", lambda c: replace(c, volume_percent=c.volume_percent[:-1])),
        "each level has its share",
    ),
    "a histogram of an unknown structure": (
        with_curve("vertebrae", lambda c: replace(c, structure="pancreas")),
        "histograms of unknown structures",
    ),
    "no histogram of the PTV": (
        in_dose(lambda d: replace(d, dvh=d.dvh[1:])),
        "volumes to treat, and hot organs, without",
    ),
    "two histograms of one structure": (
        in_dose(lambda d: replace(d, dvh=(*d.dvh, d.dvh[-1]))),
        "a structure has one histogram",
    ),
    # goals
    "a goal said to be met that is not": (with_unmet_goal, "whether the goal is met"),
    "a goal said not to be met": (with_goals(lambda g: replace(g, met=False)), "whether the goal is met"),
    "a goal in the other direction": (
        with_goals(lambda g: replace(g, at_least=not g.at_least)),
        "direction of the goal",
    ),
    "a goal that was not requested": (
        with_goals(lambda g: replace(g, structure="node") if g.structure == "aorta" else g),
        "the goals are those of the prescription",
    ),
    "a goal left out": (
        in_dose(lambda d: replace(d, goals=d.goals[:-1])),
        "the goals are those of the prescription",
    ),
    "a goal with another number": (
        with_goals(lambda g: replace(g, wanted=g.wanted - 5.0)),
        "value of the goal",
    ),
    "a goal that reached more": (
        with_goals(lambda g: replace(g, reached=g.reached + 0.5)),
        "value reached",
    ),
    "a goal with an unknown name": (
        lambda plan: replace(
            plan,
            dose=replace(
                plan.dose, goals=tuple(replace(g, name="d95_gy", met=False) for g in plan.dose.goals)
            ),
        ),
        "goals with an unknown name",
    ),
    "a goal for an organ that is not there": (
        with_request(
            lambda r: replace(
                r, prescription=replace(r.prescription, organ_goals={"hart": OrganGoal(d2cc_gy=1.0)})
            )
        ),
        "organs with a goal that have no dose",
    ),
    "planned, though a goal is not met": (
        lambda plan: replace(
            with_goals(lambda g: replace(g, met=False))(plan),
            outcome=replace(plan.outcome, status=Status.PLANNED),
        ),
        "the outcome says whether the goals are met",
    ),
    "goals not met, though all are": (
        lambda plan: replace(plan, outcome=replace(plan.outcome, status=Status.GOALS_NOT_MET)),
        "the outcome says whether the goals are met",
    ),
    "a dose without a set": (
        lambda plan: replace(plan, needle_set=None, paths=plan.paths[:1]),
        "an implant is complete, and prescribed",
    ),
    "a set without a dose": (lambda plan: replace(plan, dose=None), "an implant is complete, and prescribed"),
    "an implant without a prescription": (
        with_request(lambda r: replace(r, prescription=None)),
        "an implant is complete, and prescribed",
    ),
    # BED
    "a limit said to be met": (
        with_limit(lambda n: n.limit_bed_gy is not None, met=True, achieved_bed_gy=1.0, limit_bed_gy=50.0),
        "the limit as BED",
    ),
    "an exceeded limit said not to be comparable": (
        with_limit(lambda n: n.met, met=None),
        "result of the limit",
    ),
    "a limit met said to be exceeded": (with_limit(lambda n: n.met, met=False), "result of the limit"),
    "an organ with less of the limit's dose": (
        with_limit(lambda n: n.met, achieved_cc=1e5),
        "volume that gets the limit's BED",
    ),
    "an organ with a colder hottest part": (
        with_limit(lambda n: n.met, achieved_bed_gy=1.0),
        "BED of the hottest part",
    ),
    "a larger organ": (with_limit(lambda n: n.met, organ_cc=1e4), "volume compared"),
    "a doubt without a reason": (
        with_limit(lambda n: n.met, doubts=(Doubt.UNVERIFIED,)),
        "what is in doubt",
    ),
    "an excess that is undone": (
        with_limit(lambda n: n.met, doubts=(Doubt.HOLDS_TARGET,)),
        "what is in doubt",
    ),
    "an organ said to hold the target": (
        with_limit(lambda n: n.organ == "Heart", doubts=(Doubt.HOLDS_TARGET, Doubt.BEAMS_IN_FULL)),
        "what is in doubt",
    ),
    "an organ said to be no part of more": (
        with_limit(lambda n: n.lacking, doubts=(Doubt.BEAMS_IN_FULL,), lacking=""),
        "what is in doubt",
    ),
    "another part said to be lacking": (
        with_limit(lambda n: n.lacking, lacking="the carina"),
        "what the organ lacks",
    ),
    "limits said to be of organs that are not there": (with_limits_not_in_input, "the structures compared"),
    "another reason": (with_limit(lambda n: n.met, reason="0.00 cc get it."), "sentence on the limit"),
    "a limit of a structure that is not there": (
        with_limit(lambda n: n.met, structure="nothing"),
        "the structures compared",
    ),
    "a limit of another volume": (with_limit(lambda n: n.met, volume_cc=99.0), "what the row says"),
    "a limit of another protocol": (
        with_limit(lambda n: n.met, protocol="RTOG_0236_3fx"),
        "the limits are those of the protocols asked for",
    ),
    "a limit left out": (
        lambda plan: with_bed(limits=plan.dose.bed.limits[1:])(plan),
        "the limits are those of the protocols asked for",
    ),
    "BED without the beams": (with_bed(external_target_gy=0.0), "BED of external beams"),
    "BED of organs as of the target": (
        lambda plan: with_bed(external_organ_gy=plan.dose.bed.external_target_gy)(plan),
        "BED of external beams",
    ),
    "BED of D90 alone": (with_bed(target_d90_gy=50.0), "D90 as BED"),
    "EQD2 as BED": (
        lambda plan: with_bed(target_d90_eqd2_gy=plan.dose.bed.target_d90_gy)(plan),
        "D90 as EQD2",
    ),
}


@pytest.fixture(scope="module")
def true_implant() -> tuple[Plan, Patient]:
    return honest_implant()


def test_a_correct_implant_passes(true_implant: tuple[Plan, Patient]) -> None:
    plan, patient = true_implant
    assert plan.outcome.status is Status.PLANNED
    assert failed(plan, patient) == {}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_caught(fault: str, true_implant: tuple[Plan, Patient]) -> None:
    plan, patient = true_implant
    change, name = FAULTS[fault]
    failed_checks = failed(change(plan), patient)
    assert any(failing.startswith(name) for failing in failed_checks), failed_checks


def numbers_of(record: type) -> list[str]:
    return [f.name for f in fields(record) if f.type in (float, int) or "float" in str(f.type)]


@pytest.mark.parametrize("name", numbers_of(TargetDose))
@pytest.mark.parametrize("factor", [0.8, 1.2])
def test_every_number_of_the_targets_dose_is_checked(
    name: str, factor: float, true_implant: tuple[Plan, Patient]
) -> None:
    plan, patient = true_implant
    assert failed(in_target(**{name: factor * getattr(plan.dose.target, name)})(plan), patient)


@pytest.mark.parametrize("name", numbers_of(NeedleSet))
@pytest.mark.parametrize("value", [-1, 10**20])
def test_every_number_of_a_set_is_checked(name: str, value: int, true_implant: tuple[Plan, Patient]) -> None:
    plan, patient = true_implant
    assert failed(in_set(**{name: value})(plan), patient)


@pytest.mark.parametrize(
    "changes",
    [
        {"prescription": replace(PRESCRIPTION, dose_gy=0.0)},
        {"prescription": replace(PRESCRIPTION, bed=BedRequest(alpha_beta_organ_gy=0.0))},
        {"prescription": replace(PRESCRIPTION, prior_external=PriorExternal(60.0, 0))},
        {"needle_set": NeedleSetRequest(clearance_mm=-1.0)},
        {"needle_set": NeedleSetRequest(grid_pitch_mm=0.0)},
        {"seeds": replace(REQUEST_WITH_PRESCRIPTION.seeds, activity_mci=0.0)},
        {
            "seeds": replace(
                REQUEST_WITH_PRESCRIPTION.seeds,
                calibration_date=date(2026, 2, 1),
                implant_date=date(2026, 1, 1),
            )
        },
    ],
)
def test_an_impossible_request_is_the_only_failure(changes: dict, true_implant: tuple[Plan, Patient]) -> None:
    plan, patient = true_implant
    failed_checks = failed(replace(plan, request=replace(plan.request, **changes)), patient)
    assert failed_checks == {"the request makes sense": "request"}


def test_numbers_that_are_not_recomputed_are_listed(true_implant: tuple[Plan, Patient]) -> None:
    plan, patient = true_implant
    assert verify(plan, patient.scene).not_recomputed == NOT_RECOMPUTED
    assert "/needle_set/bound" in NOT_RECOMPUTED


def test_an_implant_with_unmet_goals_passes() -> None:
    prescription = replace(PRESCRIPTION, goals=Goals(v100_percent=99.0), organ_goals={}, prior_external=None)
    plan, patient = implanted(replace(REQUEST_WITH_PRESCRIPTION, prescription=prescription))
    assert plan.outcome.status is Status.GOALS_NOT_MET
    assert failed(plan, patient) == {}


# --- given needles and seeds

CENTRE_B = (60.0, 70.0, 66.0)


def test_given_needles_may_touch_each_other_and_cross_organs() -> None:
    """Two given needles cross, one of them through the left lung and beside the aorta; no order is stated."""
    patient = honest_implant()[1]
    needle = given_needle(patient.scene, CENTRE_B, (0.9, -1.0, 0.05))
    crossing_needle = given_needle(patient.scene, (60.0, 70.0, 66.4), (0.9, -1.0, 0.045))
    plan, patient = implanted(with_given(needle, crossing_needle), tips_B=TIPS_B[:3])
    assert [p.aim for p in plan.paths].count(Aim.GIVEN) == 2
    failed_checks = failed(plan, patient)
    assert failed_checks == {}
    assert failed(in_set(order=())(plan), patient) == {}
    assert "the needle was given" in failed(with_request(lambda r: with_given(needle))(plan), patient)
    other_needle = given_needle(patient.scene, CENTRE_B, (0.8, -1.0, 0.05))
    assert "the given needle is kept" in failed(
        with_request(lambda r: with_given(needle, other_needle))(plan), patient
    )
    without_length = replace(needle, entry_mm=needle.tip_mm)
    assert "the given needle is kept" in failed(
        with_request(lambda r: with_given(without_length, crossing_needle))(plan), patient
    )


def test_a_planned_needle_keeps_clearance_from_a_given_one() -> None:
    patient = honest_implant()[1]
    given = given_needle(patient.scene, (50.5, 74.0, 62.0), (-0.035, -1.0, 0.0))
    plan, patient = implanted(with_given(given), tips_B=TIPS_B[:3])
    assert "shafts keep their clearance" in failed(plan, patient)


def test_an_order_may_be_missing_only_if_the_given_needles_have_none() -> None:
    patient = honest_implant()[1]
    given_needles = [
        given_needle(patient.scene, (60.0, 70.0, z), (0.3, -1.0, slope))
        for z, slope in ((62.0, 0.0), (70.0, 0.2))
    ]
    plan, patient = implanted(with_given(*given_needles), tips_B=TIPS_B[:3])
    assert failed(plan, patient) == {}
    assert "the order names every needle once" in failed(in_set(order=())(plan), patient)


def test_given_seeds_count_with_and_without_an_axis() -> None:
    axis = (0.0, 1.0, 0.0)
    seeds = [GivenSeed((57.0, 66.0, 58.5)), GivenSeed((54.0, 66.0, 65.5), axis)]
    plan, patient = implanted(with_given(seeds=seeds))
    assert failed(plan, patient) == {}
    turned_seeds = (*plan.needle_set.seeds[:-1], replace(plan.needle_set.seeds[-1], axis=(1.0, 0.0, 0.0)))
    assert "the seed is that of its needle, or the given one" in failed(
        in_set(seeds=turned_seeds)(plan), patient
    )
    without_given = dosed(replace(plan, request=REQUEST_WITH_PRESCRIPTION), patient)
    assert "the set's seeds are those of its needles and those given" in failed(without_given, patient)


# --- pairs of needles


def test_needles_that_touch_are_caught() -> None:
    plan, patient = implanted(tips_B=[(50.0, 75.0, 55.0), (51.5, 75.0, 55.0)])
    failed_checks = failed(plan, patient)
    assert {"no two needles touch", "shafts keep their clearance", "hubs are apart"} <= failed_checks.keys()


def test_a_reversed_order_is_caught_where_it_matters() -> None:
    """Short hubs: the hub of the deeper needle lies below the other's, so it must be inserted first."""
    request = replace(
        REQUEST_WITH_PRESCRIPTION, pose=replace(REQUEST_WITH_PRESCRIPTION.pose, hub_length_mm=1.0)
    )
    plan, patient = implanted(request, tips_B=[(50.0, 75.0, 55.0), (56.0, 68.0, 55.0)], fan=0.0)
    deep, shallow = sorted((p for p in plan.paths if p.aim is Aim.PTV), key=lambda p: -p.length_mm)
    assert failed(in_set(order=(deep.id, shallow.id))(plan), patient) == {}
    failed_checks = failed(in_set(order=(shallow.id, deep.id))(plan), patient)
    assert "the order allows every needle" in failed_checks


def test_parallel_needles_must_lie_in_the_template_holes() -> None:
    set_request = NeedleSetRequest(arrangement=Arrangement.PARALLEL, grid_pitch_mm=5.0)
    request = replace(
        REQUEST_WITH_PRESCRIPTION,
        needle_set=set_request,
        pose=replace(REQUEST_WITH_PRESCRIPTION.pose, hub_diameter_mm=1.0),
    )
    holes = [(0.0, 0.0), (5.0, 0.0), (10.0, 5.0)]
    turned = [(50.0 + 0.6 * a - 0.8 * b, 74.0, 57.0 + 0.8 * a + 0.6 * b) for a, b in holes]
    plan, patient = implanted(request, tips_B=turned, fan=0.0)
    assert failed(plan, patient) == {}
    alone, _ = implanted(request, tips_B=turned[:1], fan=0.0)
    assert failed(alone, patient) == {}
    beside = [*turned[:2], (turned[2][0] + 0.5, *turned[2][1:])]
    plan, patient = implanted(request, tips_B=beside, fan=0.0)
    assert set(failed(plan, patient)) == {"needles stand in the template's holes"}
