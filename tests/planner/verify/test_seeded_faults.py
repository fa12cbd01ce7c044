"""Planted faults: each makes a true plan false in one way; verification must say so, and where."""

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from itertools import pairwise
from types import MappingProxyType

import numpy as np
import pytest
from true_plans import (
    LINES,
    ORGANS,
    REQUEST,
    SPACING,
    Patient,
    Voxels,
    as_tuple,
    box_patient,
    honest_path,
    honest_plan,
    patient,
    true_plan,
)

from anatomy.geometry.frames import Grid
from anatomy.patient.pose import Position
from anatomy.structures import InputDigest, Role
from planner.records.paths import Crossing, Path, SeedDrop
from planner.records.plan import Plan, Status
from planner.records.search import CONSTRAINT_NAMES, Blocker, Constraint, Proof
from planner.verify import verify

__all__ = ["patient", "true_plan"]

Fault = Callable[[Plan], Plan]


def in_path(name: str, change: Callable[[Path], Path]) -> Fault:
    """A fault in the path with this name."""
    return lambda plan: replace(plan, paths=tuple(change(p) if p.id == name else p for p in plan.paths))


def with_claims(name: str, **claims: object) -> Fault:
    """A path with other claims."""
    return in_path(name, lambda p: replace(p, **claims))


def points(change: Callable[[np.ndarray], np.ndarray]) -> Fault:
    """Every point of every path moved; directions follow the points."""

    def with_points(p: Path) -> Path:
        entry, tip = change(np.array(p.entry_mm)), change(np.array(p.tip_mm))
        inward = (tip - entry) / np.linalg.norm(tip - entry)
        seeds = tuple(
            replace(s, position_mm=as_tuple(change(np.array(s.position_mm))), axis=as_tuple(inward))
            for s in p.seeds
        )
        return replace(
            p, entry_mm=as_tuple(entry), tip_mm=as_tuple(tip), direction=as_tuple(inward), seeds=seeds
        )

    return lambda plan: replace(plan, paths=tuple(with_points(p) for p in plan.paths))


def seeds(name: str, change: Callable[[tuple[SeedDrop, ...]], tuple[SeedDrop, ...]]) -> Fault:
    """Other seeds in a path."""
    return in_path(name, lambda p: replace(p, seeds=change(p.seeds)))


def with_deeper_seeds(p: Path, depth_mm: float, ids: tuple[int, ...]) -> Path:
    """A path whose seeds of these numbers lie deeper, consistently in position, depth and retraction."""
    seeds = []
    for n, s in enumerate(p.seeds):
        shift_mm = depth_mm if n in ids else 0.0
        position = np.array(s.position_mm) + shift_mm * np.array(p.direction)
        seeds.append(replace(s, position_mm=as_tuple(position), depth_mm=s.depth_mm + shift_mm))
    retractions = [0.0, *(a.depth_mm - b.depth_mm for a, b in pairwise(seeds))]
    return replace(
        p, seeds=tuple(replace(s, retraction_mm=b) for s, b in zip(seeds, retractions, strict=True))
    )


def blocked_by_one(constraint: Constraint, structure: str) -> Fault:
    return lambda plan: replace(plan, blocked_by=(Blocker(constraint, structure, 0.1),))


def with_request(**changes: object) -> Fault:
    """A request that was changed after planning."""
    return lambda plan: replace(plan, request=replace(plan.request, **changes))


def with_crossings_swapped(p: Path) -> Path:
    """The path with its first two crossings exchanged."""
    first, second, *others = p.crosses
    return replace(p, crosses=(second, first, *others))


def with_depths_from_tip(p: Path) -> Path:
    """The path with the depths of crossings counted from the tip."""
    crossings = [Crossing(c.structure, p.length_mm - c.to_mm, p.length_mm - c.from_mm) for c in p.crosses]
    return replace(p, crosses=tuple(sorted(crossings, key=lambda c: c.from_mm)))


def with_unknown_structure(p: Path) -> Path:
    """The path crossing a structure that does not exist."""
    return replace(p, crosses=(replace(p.crosses[0], structure="pancreas"), *p.crosses[1:]))


def with_reversed_crossing(p: Path) -> Path:
    """The path with a crossing that ends before it begins."""
    first = p.crosses[0]
    return replace(p, crosses=(Crossing(first.structure, first.to_mm, first.from_mm), *p.crosses[1:]))


def without_second_seed(drops: tuple[SeedDrop, ...]) -> tuple[SeedDrop, ...]:
    """The seeds without the second; the third is retracted from the first."""
    first, second, third, *others = drops
    return (first, replace(third, retraction_mm=second.retraction_mm + third.retraction_mm), *others)


def seed_beside_axis(p: Path) -> SeedDrop:
    """The first seed, 0.01 mm beside the axis."""
    x, y, z = p.seeds[0].position_mm
    return replace(p.seeds[0], position_mm=(x + 0.01, y, z))


CLAIM_FAULTS: dict[str, tuple[Fault, str]] = {
    # frames and units
    "x and y swapped": (points(lambda p: p[[1, 0, 2]]), "the tip is at the distal edge"),
    "z and x swapped": (points(lambda p: p[[2, 1, 0]]), "the tip is at the distal edge"),
    "RAS instead of LPS": (points(lambda p: p * (-1, -1, 1)), "the tip is at the distal edge"),
    "left and right flipped": (
        points(lambda p: np.array([118 - p[0], p[1], p[2]])),
        "the tip is at the distal edge",
    ),
    "cm instead of mm": (points(lambda p: p / 10), "length"),
    "voxel indices instead of mm": (points(lambda p: p / SPACING), "the tip is at the distal edge"),
    "half a voxel off": (points(lambda p: p + SPACING / 2), "the tip is at the distal edge"),
    "half a voxel off in k": (points(lambda p: p + np.array([0.0, 0.0, 1.5])), "crosses lung"),
    "frame named RAS": (lambda plan: replace(plan, frame="RAS"), "frame"),
    # the track
    "entry above the skin": (
        in_path("right", lambda p: replace(p, entry_mm=moved_along(p.entry_mm, p.direction, -1.0))),
        "the entry is on the skin",
    ),
    "entry inside the body": (
        in_path("right", lambda p: replace(p, entry_mm=moved_along(p.entry_mm, p.direction, 1.0))),
        "the entry is on the skin",
    ),
    "tip short of the distal edge": (
        in_path("right", lambda p: replace(p, tip_mm=moved_along(p.tip_mm, p.direction, -0.5))),
        "the tip is at the distal edge",
    ),
    "tip beyond the target": (
        in_path("right", lambda p: replace(p, tip_mm=moved_along(p.tip_mm, p.direction, 0.5))),
        "the tip is at the distal edge",
    ),
    "entry and tip exchanged": (
        in_path("left", lambda p: replace(p, entry_mm=p.tip_mm, tip_mm=p.entry_mm)),
        "the entry is on the skin",
    ),
    "entry and tip the same": (
        in_path("left", lambda p: replace(p, tip_mm=p.entry_mm)),
        "entry and tip differ",
    ),
    "direction from tip to entry": (
        in_path("left", lambda p: replace(p, direction=tuple(-x for x in p.direction))),
        "direction is the unit vector",
    ),
    "direction not of unit length": (
        in_path("left", lambda p: replace(p, direction=tuple(2 * x for x in p.direction))),
        "direction is the unit vector",
    ),
    "length wrong": (in_path("left", lambda p: replace(p, length_mm=p.length_mm + 0.01)), "length"),
    "axial angle of the other sign": (
        in_path("left", lambda p: replace(p, axial_angle_deg=-p.axial_angle_deg)),
        "the angles give the direction",
    ),
    "angles in radians": (
        in_path(
            "left",
            lambda p: replace(
                p,
                axial_angle_deg=float(np.deg2rad(p.axial_angle_deg)),
                craniocaudal_angle_deg=float(np.deg2rad(p.craniocaudal_angle_deg)),
            ),
        ),
        "the angles give the direction",
    ),
    "craniocaudal angle of the other sign": (
        in_path("left", lambda p: replace(p, craniocaudal_angle_deg=-p.craniocaudal_angle_deg)),
        "the angles give the direction",
    ),
    "angle a whole turn off": (
        in_path("left", lambda p: replace(p, axial_angle_deg=p.axial_angle_deg + 360)),
        "the angles lie in",
    ),
    "target chord wrong": (with_claims("left", target_chord_mm=12.0), "target chord"),
    # what is crossed
    "lung length of another path": (with_claims("right", lung_length_mm=14.0), "lung length"),
    "lung claimed as none": (with_claims("right", lung_length_mm=0.0), "lung length"),
    "one puncture too few": (with_claims("right", pleural_punctures=0), "pleural punctures"),
    "one puncture too many": (with_claims("right", pleural_punctures=2), "pleural punctures"),
    "fissure not counted": (with_claims("right", fissures_crossed=0), "fissures crossed"),
    "crossings out of order": (
        in_path("right", with_crossings_swapped),
        "structures are crossed in the order",
    ),
    "crossings counted from the tip": (
        in_path("right", with_depths_from_tip),
        "crosses lung_upper_lobe_right",
    ),
    "a structure not listed": (
        in_path("right", lambda p: replace(p, crosses=p.crosses[:1] + p.crosses[2:])),
        "crosses lung_lower_lobe_right",
    ),
    "a structure that does not exist": (in_path("right", with_unknown_structure), "crosses pancreas"),
    "a crossing that ends before it begins": (
        in_path("right", with_reversed_crossing),
        "crosses lung_upper_lobe_right",
    ),
    "the skin listed": (
        in_path("right", lambda p: replace(p, crosses=(Crossing("body", 0.0, p.length_mm), *p.crosses))),
        "crosses body",
    ),
    # clearance
    "clearance overstated": (with_claims("right", clearance_mm=4.0), "clearance is not overstated"),
    "clearance to the axis": (
        in_path("right", lambda p: replace(p, clearance_mm=p.clearance_mm + 0.635)),
        "clearance is not overstated",
    ),
    "clearance understated": (with_claims("right", clearance_mm=3.0), "clearance is not understated"),
    "nearest structure wrong": (with_claims("right", nearest_structure="heart"), "nearest structure"),
    "nearest structure left out": (with_claims("right", nearest_structure=""), "nearest structure"),
    # seeds
    "seed beside the axis": (
        in_path("left", lambda p: replace(p, seeds=(seed_beside_axis(p), *p.seeds[1:]))),
        "the seed lies on the axis",
    ),
    "seed depth from the tip": (
        in_path(
            "left",
            lambda p: replace(p, seeds=tuple(replace(s, depth_mm=p.length_mm - s.depth_mm) for s in p.seeds)),
        ),
        "the seed lies on the axis",
    ),
    "seed outside the target and its margin": (
        in_path("left", lambda p: with_deeper_seeds(p, -12.0, (len(p.seeds) - 1,))),
        "the seed is in the target",
    ),
    "seeds too near each other": (
        in_path("left", lambda p: with_deeper_seeds(p, 1.6, (1,))),
        "seeds are distal first",
    ),
    "seed beyond the tip": (
        in_path("left", lambda p: with_deeper_seeds(p, 0.5, (0,))),
        "the seed lies within",
    ),
    "first seed far from the tip": (seeds("left", lambda s: without_first_seeds(s)), "no seed is left out"),
    "no seeds at all": (seeds("left", lambda s: ()), "no seed is left out"),
    "seeds proximal first": (seeds("left", lambda s: s[::-1]), "seeds are distal first"),
    "seed's axis turned around": (
        seeds("left", lambda s: (replace(s[0], axis=tuple(-x for x in s[0].axis)), *s[1:])),
        "the seed's axis is the needle's",
    ),
    "seed's axis along z": (
        seeds("left", lambda s: (replace(s[0], axis=(0.0, 0.0, 1.0)), *s[1:])),
        "the seed's axis is the needle's",
    ),
    "retraction from the tip": (
        seeds("left", lambda s: tuple(replace(d, retraction_mm=6.0 * n) for n, d in enumerate(s))),
        "retraction",
    ),
    "retraction before the first seed": (
        seeds("left", lambda s: (replace(s[0], retraction_mm=6.0), *s[1:])),
        "retraction",
    ),
    "seeds above the skin": (
        in_path("left", lambda p: with_deeper_seeds(p, -p.length_mm, tuple(range(len(p.seeds))))),
        "the seed lies beneath",
    ),
    # paths together
    "ranks in another order": (
        lambda plan: replace(
            plan,
            paths=tuple(replace(p, rank=n) for n, p in enumerate(reversed(plan.paths), start=1)),
        ),
        "rank order",
    ),
    "ranks from zero": (
        lambda plan: replace(plan, paths=tuple(replace(p, rank=p.rank - 1) for p in plan.paths)),
        "ranks count from 1",
    ),
    "an id used twice": (with_claims("left", id="right"), "path ids differ"),
    "called on the front but beaten": (with_claims("right, longer", pareto=True), "on the Pareto front"),
    "called beaten but on the front": (with_claims("right", pareto=False), "on the Pareto front"),
    "the same path twice": (
        lambda plan: replace(
            plan,
            paths=(*plan.paths, replace(plan.paths[-1], id="again", rank=len(plan.paths) + 1)),
        ),
        "paths of a window are distinct",
    ),
    "more paths than asked for": (
        with_request(search=replace(REQUEST.search, max_paths=3)),
        "no more paths than asked",
    ),
    # the plan as a whole
    "planned without a path": (lambda plan: replace(plan, paths=(), windows=()), "the outcome fits"),
    "no path, with paths": (
        lambda plan: replace(plan, outcome=replace(plan.outcome, status=Status.NO_PATH)),
        "the outcome fits",
    ),
    "a window with an unknown path": (
        lambda plan: replace(
            plan, windows=(replace(plan.windows[0], path_ids=("nobody",)), *plan.windows[1:])
        ),
        "paths of the window",
    ),
    "a window that lost its path": (
        lambda plan: replace(plan, windows=(replace(plan.windows[0], path_ids=()), *plan.windows[1:])),
        "paths of the window",
    ),
    "a path in an unknown window": (with_claims("left", window="nowhere"), "the path's window"),
    "two windows of one id": (
        lambda plan: replace(plan, windows=(*plan.windows, plan.windows[0])),
        "window ids differ",
    ),
    "a window without area": (
        lambda plan: replace(plan, windows=(replace(plan.windows[0], area_mm2=-1.0), *plan.windows[1:])),
        "the window has an area",
    ),
    "a window's best worse than its path": (
        lambda plan: replace(plan, windows=tuple(replace(w, best_lung_length_mm=60.0) for w in plan.windows)),
        "least lung of the window's paths",
    ),
    "a negative lung bound": (
        lambda plan: replace(plan, search=replace(plan.search, lung_bound_mm=-5.0)),
        "lung bound is not negative",
    ),
    "the last seed dropped": (seeds("right", lambda drops: drops[:-1]), "no seed is left out"),
    "a seed dropped between": (seeds("right", without_second_seed), "no seed is left out"),
    "a lung bound above a path's lung": (
        lambda plan: replace(plan, search=replace(plan.search, lung_bound_mm=1.0)),
        "lung bound",
    ),
    "more than all directions blocked": (
        lambda plan: replace(
            plan, blocked_by=(*plan.blocked_by, Blocker(Constraint.CLEARANCE, "heart", 0.3))
        ),
        "shares of blocked directions add up",
    ),
    "a structure that is none blocks": (
        blocked_by_one(Constraint.CLEARANCE, "pancreas"),
        "what blocks is a structure or a limit",
    ),
    "a limit in a structure's name": (
        blocked_by_one(Constraint.BORE, "heart"),
        "what blocks is a structure or a limit",
    ),
    "a structure in a limit's name": (
        blocked_by_one(Constraint.CLEARANCE, "bore"),
        "what blocks is a structure or a limit",
    ),
    "narrowness blocks a direction": (
        blocked_by_one(Constraint.COVERING_RADIUS, "covering radius"),
        "what blocks is a structure or a limit",
    ),
    "a negative share of directions": (
        lambda plan: replace(plan, blocked_by=(Blocker(Constraint.CLEARANCE, "heart", -0.1),)),
        "shares of blocked directions are not negative",
    ),
    "runs that are too short where none is asked for": (
        lambda plan: replace(
            plan,
            request=replace(plan.request, target=replace(plan.request.target, min_chord_mm=0.0)),
            blocked_by=(Blocker(Constraint.MIN_CHORD, CONSTRAINT_NAMES[Constraint.MIN_CHORD], 0.1),),
        ),
        "no run in the target is too short where none is required",
    ),
    "another schema": (lambda plan: replace(plan, schema="seedpath.plan/0"), "schema"),
    # inputs
    "a stale mask": (
        lambda plan: replace(plan, inputs=(InputDigest("labels.nii.gz", "00" * 32),)),
        "input has the sha256",
    ),
    "an input too many": (
        lambda plan: replace(plan, inputs=(*plan.inputs, InputDigest("extra.nii.gz", "11" * 32))),
        "input has the sha256",
    ),
    "an input twice": (lambda plan: replace(plan, inputs=plan.inputs * 2), "input has the sha256"),
    "a forbidden organ missing": (
        lambda plan: replace(plan, roles=tuple(r for r in plan.roles if r[0] != "heart")),
        "role",
    ),
    "an organ that is not there": (
        lambda plan: replace(plan, roles=(*plan.roles, ("spleen", "forbidden"))),
        "role",
    ),
    "a role changed": (
        lambda plan: replace(
            plan, roles=tuple((n, "passable" if n == "heart" else r) for n, r in plan.roles)
        ),
        "role",
    ),
    "a structure with two roles": (
        lambda plan: replace(plan, roles=(*plan.roles, plan.roles[0])),
        "every structure has one role",
    ),
    "missing organs not named": (lambda plan: replace(plan, missing_structures=()), "organs missing"),
    "another skin": (lambda plan: replace(plan, skin_source="Guessed."), "where the skin comes from"),
    "voxels that reach farther beyond surfaces": (
        lambda plan: replace(plan, search=replace(plan.search, surface_slack_mm=0.5)),
        "voxels beyond surfaces",
    ),
    "more proved than the search has": (
        lambda plan: replace(plan, search=replace(plan.search, proves=Proof.NONE_IS_SAFE)),
        "what the search proves follows from its extent",
    ),
    "a claim that no record calls for": (
        lambda plan: replace(plan, search=replace(plan.search, claims=("No path is safe.",))),
        "what the search may claim",
    ),
    "another body structure": (
        lambda plan: replace(plan, skin_structures=("torso",)),
        "structures whose surface the skin is",
    ),
    "a skin said to be guessed": (
        lambda plan: replace(plan, skin_structures=()),
        "structures whose surface the skin is",
    ),
    # the request, changed after planning
    "a role asked for later": (with_request(roles=MappingProxyType({"heart": "passable"})), "role asked for"),
    "another target asked for": (
        with_request(target=replace(REQUEST.target, structures=("lesion",))),
        "target asked for",
    ),
    "a smaller margin": (
        with_request(target=replace(REQUEST.target, margin_mm=0.0)),
        "the seed is in the target",
    ),
    "a larger clearance": (
        with_request(clearance_mm=MappingProxyType({"default": 6.0})),
        "the needle keeps its clearance",
    ),
    "a larger clearance of one organ": (
        with_request(clearance_mm=MappingProxyType({"default": 2.0, "vertebrae": 5.5})),
        "the needle keeps its clearance",
    ),
    "a thicker needle": (
        with_request(needle=replace(REQUEST.needle, outer_diameter_mm=5.0)),
        "clearance is not overstated",
    ),
    "a needle too short": (
        with_request(needle=replace(REQUEST.needle, max_length_mm=50.0)),
        "the needle is long enough",
    ),
    "seeds to be farther apart": (
        with_request(seeds=replace(REQUEST.seeds, min_spacing_mm=8.0)),
        "seeds are distal first",
    ),
    "the patient prone": (with_request(pose=replace(REQUEST.pose, position=Position.PRONE)), "position"),
    "the patient rolled": (with_request(pose=replace(REQUEST.pose, rotation_deg=10.0)), "rotation"),
    "a wider bore": (with_request(pose=replace(REQUEST.pose, bore_diameter_mm=800.0)), "bore diameter"),
    "another table": (with_request(pose=replace(REQUEST.pose, table="couch")), "the table is the structure"),
    "a ranking nobody knows": (with_request(ranking=("beauty",)), "every score can be recomputed"),
    "another ranking": (with_request(ranking=("length_mm",)), "rank order"),
    "weights": (with_request(weights=MappingProxyType({"length_mm": 1.0})), "rank order"),
    "a needle without length": (
        with_request(needle=replace(REQUEST.needle, max_length_mm=0.0)),
        "the request makes sense",
    ),
    "a negative clearance": (
        with_request(clearance_mm=MappingProxyType({"default": -5.0})),
        "the request makes sense",
    ),
    # not finite
    "not a number": (with_claims("left", lung_length_mm=float("nan")), "every number is finite"),
    "infinite": (with_claims("left", clearance_mm=float("inf")), "every number is finite"),
    "not a number in a point": (
        with_claims("left", entry_mm=(0.0, float("nan"), 0.0)),
        "every number is finite",
    ),
    "not a number in the request": (
        with_request(clearance_mm=MappingProxyType({"default": float("nan")})),
        "every number is finite",
    ),
    "absurdly far": (with_claims("left", tip_mm=(1e200, 0.0, 0.0)), "every number is finite"),
}


def moved_along(
    point: tuple[float, ...], direction: tuple[float, ...], distance_mm: float
) -> tuple[float, ...]:
    """The point, moved along the direction."""
    return tuple(p + distance_mm * d for p, d in zip(point, direction, strict=True))


def without_first_seeds(drops: tuple[SeedDrop, ...]) -> tuple[SeedDrop, ...]:
    """The seeds without the first two: the next lies more than the spacing from the tip."""
    return (replace(drops[2], retraction_mm=0.0), *drops[3:])


def failed(plan: Plan, patient: Patient) -> list[str]:
    """Names of the checks that failed."""
    verification = verify(plan, patient.scene)
    assert verification.passed == all(c.passed for c in verification.checks)
    return [c.name for c in verification.checks if not c.passed]


@pytest.mark.interpreted
def test_the_true_plan_passes(true_plan: Plan, patient: Patient) -> None:
    assert failed(true_plan, patient) == []


@pytest.mark.parametrize("fault", CLAIM_FAULTS)
def test_a_wrong_claim_is_caught(fault: str, true_plan: Plan, patient: Patient) -> None:
    change, expected = CLAIM_FAULTS[fault]
    names = failed(change(true_plan), patient)
    assert any(name.startswith(expected) for name in names), names


def test_faults_are_of_many_kinds() -> None:
    assert len(CLAIM_FAULTS) + len(UNSAFE_PATIENTS) + len(UNSAFE_LINES) >= 30


# Paths that are described correctly but are unsafe: the plan is consistent and is still refused.

HIGHER_BODY: dict[str, tuple[Role, Voxels]] = {
    **ORGANS,
    "body": (Role.SKIN, ((8, 10, 0), (52, 60, 40))),
}

UNSAFE_PATIENTS: dict[str, tuple[Mapping[str, tuple[Role, Voxels]], str]] = {
    "a bone in the way": (
        {**ORGANS, "rib_right_5": (Role.FORBIDDEN, ((9, 28, 10), (10, 34, 30)))},
        "the needle keeps its clearance",
    ),
    "a bone within the clearance": (
        {**ORGANS, "rib_right_5": (Role.FORBIDDEN, ((9, 33, 10), (10, 36, 30)))},
        "the needle keeps its clearance",
    ),
    "an arm in the needle's way outside": (
        {**ORGANS, "arm": (Role.OUTSIDE, ((4, 20, 10), (6, 40, 40)))},
        "the needle keeps its clearance",
    ),
    "an arm beside the hub, cut by the field of view": (
        {**ORGANS, "arm": (Role.OUTSIDE, ((0, 20, 27), (1, 32, 36)))},
        "the hub keeps its clearance",
    ),
    "a cushion along the side": (
        {**ORGANS, "cushion": (Role.OUTSIDE, ((4, 28, 0), (7, 56, 40)))},
        "the needle keeps its clearance",
    ),
}


@pytest.mark.interpreted
@pytest.mark.parametrize("danger", UNSAFE_PATIENTS)
def test_a_path_in_an_unsafe_patient_is_refused(danger: str) -> None:
    organs, expected = UNSAFE_PATIENTS[danger]
    patient = box_patient(organs)
    names = failed(honest_plan(patient, lines={"right": LINES["right"]}), patient)
    assert set(names) == {expected}


CUT_EDGE = "the entry is a voxel or more from the cut edge of the field of view"

UNSAFE_LINES: dict[str, tuple[tuple, tuple, str]] = {
    "through the heart": ((55.0, 66.0, 55.0), (0.1, -1.0, -0.7), "the needle keeps its clearance"),
    "through the table": ((49.0, 66.0, 62.0), (-0.1, 1.0, 0.0), "the needle keeps its clearance"),
    "out through the cut edge": ((55.0, 66.0, 62.0), (-0.3, -0.3, 1.0), CUT_EDGE),
}


@pytest.mark.parametrize("danger", UNSAFE_LINES)
def test_an_unsafe_line_is_refused(danger: str, patient: Patient) -> None:
    point, outward, expected = UNSAFE_LINES[danger]
    assert expected in failed(honest_plan(patient, lines={"line": (point, outward)}), patient)


def test_entering_the_body_again_is_refused() -> None:
    """The needle leaves one side of an armpit and enters the other; no box of ORGANS has this shape."""
    chin = {**ORGANS, "chin": (Role.PASSABLE, ((20, 0, 20), (40, 6, 40)))}
    bridge = {**chin, "neck": (Role.PASSABLE, ((20, 0, 37), (40, 12, 40)))}
    patient = box_patient(bridge)
    names = failed(honest_plan(patient, lines={"anterior": LINES["anterior"]}), patient)
    assert "needle and hub stay outside the body beyond the entry" in names


def test_a_needle_into_the_derived_table_is_refused() -> None:
    organs = {name: organ for name, organ in ORGANS.items() if name != "table"}
    patient = box_patient(organs)
    assert patient.scene.pose.table is not None
    assert failed(honest_plan(patient), patient) == []
    posterior = ((49.0, 66.0, 62.0), (-1.0, 0.45, 0.0))
    names = failed(honest_plan(patient, lines={"posterior": posterior}), patient)
    assert {"the needle keeps its clearance", "the hub keeps its clearance"} == set(names)


@pytest.mark.interpreted
def test_a_hub_that_meets_the_bore_is_refused() -> None:
    request = replace(REQUEST, pose=replace(REQUEST.pose, bore_diameter_mm=280.0))
    patient = box_patient(request=request)
    assert set(failed(honest_plan(patient, request), patient)) == {"the hub stays inside the bore"}


def test_a_changed_scene_is_caught(true_plan: Plan) -> None:
    """The plan is checked against another scene, in which an organ lies one voxel away."""
    organs = {**ORGANS, "aorta": (Role.FORBIDDEN, ((33, 32, 0), (35, 36, 40)))}
    assert "clearance is not overstated" in failed(true_plan, box_patient(organs))


def test_a_plan_for_another_frame_is_caught(true_plan: Plan) -> None:
    motion = np.eye(4)
    motion[:3, 3] = (0.01, 0.0, 0.0)
    assert "the entry is on the skin" in failed(true_plan, box_patient(motion=motion))


def test_a_mirrored_scene_is_caught(true_plan: Plan, patient: Patient) -> None:
    grid = patient.scene.grid
    mirrored = np.diag([-1.0, 1.0, 1.0, 1.0]) @ grid.X_PV
    mirrored[0, 3] = 118.0
    mirrored_patient = Patient(replace(patient.scene, grid=Grid(grid.shape, mirrored)))
    assert "the tip is at the distal edge of the target" in failed(true_plan, mirrored_patient)


NUMERIC_CLAIMS = sorted(
    f.name for f in fields(Path) if isinstance(f.type, type) and issubclass(f.type, float | int)
)


@pytest.mark.parametrize("claim", [name for name in NUMERIC_CLAIMS if name != "pareto"])
@pytest.mark.parametrize("change", [-1.0, -1e-3, 1e-3, 1.0, 1e5])
def test_every_number_of_a_path_is_checked(
    claim: str, change: float, true_plan: Plan, patient: Patient
) -> None:
    for path in true_plan.paths:
        value = getattr(path, claim)
        wrong_value = value + (change if isinstance(value, float) else int(np.sign(change)))
        assert failed(with_claims(path.id, **{claim: wrong_value})(true_plan), patient), (
            f"{claim} of {path.id}"
        )


def test_honest_paths_agree_with_numbers_worked_out_by_hand(patient: Patient) -> None:
    """A check of the oracle itself."""
    straight = honest_path(patient, REQUEST, "straight", (55.0, 66.0, 60.0), (0.0, -1.0, 0.0))
    assert straight.length_mm == pytest.approx(73.0 - 19.0)
    assert straight.lung_length_mm == 0.0
    side = honest_path(patient, REQUEST, "side", (55.0, 66.0, 63.0), (-1.0, 0.0, 0.0))
    assert side.lung_length_mm == pytest.approx(47.0 - 21.0)
    assert side.clearance_mm == pytest.approx(67.0 - 63.0 - 0.635)
