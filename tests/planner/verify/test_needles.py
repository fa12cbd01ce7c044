"""The verification of a needle set: it passes what holds, names what does not, and never raises."""

from dataclasses import replace
from itertools import combinations, permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_needles import (
    BARE,
    CROSSED,
    HARDWARE,
    NO_ORDER,
    crowd,
    needles_at,
    points_of,
    random_needles,
    request_of,
    rigidly_moved,
    spare_mm,
)
from true_implants import honest_implant

from planner.implant.needles.conflicts import Hardware, conflict_pairs
from planner.implant.needles.insertion_order import insertion_order, must_precede
from planner.records.request.point import Point
from planner.records.verification import Check
from planner.verify.claims import Claims
from planner.verify.needle_set.conflicts import check_needles, gaps_in_place, needle_sizes_of

seeds = st.integers(0, 2**32 - 1)

STANDING = [
    "needle ids differ",
    "no two needles touch",
    "shafts keep their clearance",
    "the order names every needle once",
    "the order allows every needle",
]
"""Claims made of every set."""


def checked(
    points: list[tuple[str, Point, Point]], order: list[str], hardware: Hardware = HARDWARE
) -> tuple[Check, ...]:
    claims = Claims()
    sizes = replace(needle_sizes_of(request_of(hardware)), clearance_mm=hardware.needle_clearance_mm)
    check_needles(claims, points, order, sizes)
    return claims.verification().checks


def failures(*checks: Check) -> list[tuple[str, str]]:
    return [(c.name, c.subject) for c in checks if not c.passed]


def named(order: object) -> list[str]:
    return [f"n{i}" for i in order]


def by_name(checks: tuple[Check, ...], name: str) -> Check:
    (check,) = (c for c in checks if c.name == name)
    return check


PAIR = needles_at([(0, 0, 0), (6, 0, -50)], [(0, 0, 1)] * 2, [80.0, 60.0])
"""6 mm apart, the second's hub the deeper one: it must be driven first."""


# --- what holds passes


@given(seeds, st.integers(0, 9), st.sampled_from([HARDWARE, BARE]))
def test_every_order_found_is_accepted(seed, count, hardware) -> None:
    needles = crowd(seed, count, hardware) if count else random_needles(seed, 0)
    order = insertion_order(needles, hardware).order
    assert order is not None
    checks = checked(points_of(needles), named(order), hardware)
    assert failures(*checks) == []
    assert [c.name for c in checks] == STANDING


@given(seeds, st.integers(2, 8))
def test_an_order_with_a_needle_left_out_is_accepted(seed, count) -> None:
    needles = crowd(seed, count)
    order = named(insertion_order(needles, HARDWARE).order)
    points = points_of(needles)
    for out in order:
        rest = [p for p in points if p[0] != out]
        assert failures(*checked(rest, [i for i in order if i != out])) == []


@pytest.mark.parametrize("count", [0, 1])
def test_fewer_than_two_needles_cannot_touch(count) -> None:
    checks = checked(points_of(random_needles(5, count)), named(range(count)))
    assert failures(*checks) == []
    assert by_name(checks, "no two needles touch").recomputed == "inf"


@given(seeds)
def test_needles_spaced_just_as_they_need_are_accepted_in_every_frame(seed) -> None:
    bundle = needles_at(np.arange(3.0)[:, None] * [8.0, 0.0, 0.0], [(0, 0, 1)] * 3, [80.0, 90.0, 70.0])
    there = rigidly_moved(bundle, seed)
    assert failures(*checked(points_of(there), named(insertion_order(there, HARDWARE).order))) == []


# --- what does not hold is named


@given(seeds, st.integers(2, 6), st.sampled_from([HARDWARE, BARE]))
def test_a_pair_fails_exactly_where_it_conflicts(seed, count, hardware) -> None:
    needles = random_needles(seed, count)
    checks = checked(points_of(needles), [], hardware)
    pairs = {c.subject for c in checks if c.name.endswith(" are apart") and not c.passed}
    conflicts = conflict_pairs(needles, hardware).tolist()
    assert pairs == {f"needle n{i}, needle n{j}" for i, j in conflicts}


@given(seeds, st.integers(2, 4))
def test_an_order_fails_exactly_where_a_needle_is_stopped(seed, count) -> None:
    needles = crowd(seed, count)
    stops = {(i, j) for i, j in must_precede(needles, HARDWARE).tolist()}
    for order in permutations(range(len(needles))):
        checks = checked(points_of(needles), named(order))
        wrong = {c.subject for c in checks if c.name.endswith("while it is driven")}
        stopped = {(b, a) for a, b in combinations(order, 2) if (b, a) in stops}
        assert wrong == {f"needle n{b}, past needle n{a}" for b, a in stopped}
        free = by_name(checks, "the order allows every needle")
        assert free.recomputed == len(needles) - len({b for b, _ in stopped})
        assert free.passed == (not stopped)


@given(seeds, st.integers(2, 6))
def test_the_least_distance_is_told(seed, count) -> None:
    needles = crowd(seed, count)
    checks = checked(points_of(needles), named(range(len(needles))))
    touching = replace(HARDWARE, needle_clearance_mm=0.0)
    least = min(
        (spare_mm(needles, touching, i, j) for i, j in combinations(range(len(needles)), 2)),
        default=np.inf,
    )
    told = by_name(checks, "no two needles touch").recomputed
    assert float(told) == pytest.approx(least, abs=1e-6)


def test_the_wrong_way_round_is_told() -> None:
    assert failures(*checked(points_of(PAIR), ["n1", "n0"])) == []
    assert failures(*checked(points_of(PAIR), ["n0", "n1"])) == [
        ("hubs are apart while it is driven", "needle n1, past needle n0"),
        ("the order allows every needle", "insertion order"),
    ]


@pytest.mark.parametrize("hardware", [HARDWARE, BARE])
def test_a_needle_across_the_way_in_is_told(hardware) -> None:
    assert failures(*checked(points_of(CROSSED), ["n0", "n1"], hardware)) == []
    late = failures(*checked(points_of(CROSSED), ["n1", "n0"], hardware))
    assert [subject for _, subject in late] == ["needle n0, past needle n1", "insertion order"]


def test_no_order_of_a_circle_is_accepted() -> None:
    for order in permutations(range(3)):
        assert ("the order allows every needle", "insertion order") in failures(
            *checked(points_of(NO_ORDER), named(order))
        )


@pytest.mark.parametrize(
    ("tip", "outward", "name"),
    [
        ((2.0, -50.0, 150.0), (0, 1, 0), "shafts are apart"),
        ((3.0, 0.0, 0.0), (0, 0, 1), "hubs are apart"),
        ((2.635, -50.0, 215.0), (0, 1, 0), "hub and shaft are apart"),
        ((-215.0, 2.635, 50.0), (1, 0, 0), "shaft and hub are apart"),
    ],
)
def test_the_part_that_lacks_most_is_named(tip, outward, name) -> None:
    both = needles_at([(0.0, 0.0, 0.0), tip], [(0, 0, 1), outward], [80.0, 80.0])
    assert (name, "needle n0, needle n1") in failures(*checked(points_of(both), ["n0", "n1"]))


def shifted(points: list, row: int, by: tuple[float, float, float]) -> list:
    """The points with one needle moved."""
    moved_by = [tuple(float(x) for x in np.add(point, by)) for point in points[row][1:]]
    return [*points[:row], (points[row][0], *moved_by), *points[row + 1 :]]


def test_a_shaft_closer_than_the_clearance_is_told_though_nothing_touches() -> None:
    pair = points_of(needles_at([(0, 0, 0), (2.5, 0, 0)], [(0, 0, 1)] * 2, [80.0, 80.0]))
    assert failures(*checked(pair, ["n0", "n1"], BARE)) == []
    nearer = checked(shifted(pair, 1, (-0.5, 0.0, 0.0)), ["n0", "n1"], BARE)
    assert by_name(nearer, "no two needles touch").passed
    assert [name for name, _ in failures(*nearer)] == [
        "shafts are apart",
        "shafts keep their clearance",
        "shafts are apart while it is driven",
        "the order allows every needle",
    ]


@pytest.mark.parametrize(
    "order",
    [["n1"], ["n1", "n0", "n0"], ["n1", "n0", "n7"], ["n1", "n7"], []],
    ids=["one missing", "one twice", "one unknown", "one for another", "none"],
)
def test_an_order_that_does_not_name_every_needle_once_is_told(order) -> None:
    assert ("the order names every needle once", "insertion order") in failures(
        *checked(points_of(PAIR), order)
    )


def test_two_needles_of_one_name_are_told() -> None:
    points = [("n0", *p[1:]) for p in points_of(PAIR)]
    assert ("needle ids differ", "needles") in failures(*checked(points, ["n0", "n0"]))


@pytest.mark.parametrize("bad", [(0.0, 0.0, 0.0), (np.nan, 0.0, 0.0), (np.inf, 0.0, 0.0)])
def test_a_needle_without_a_direction_is_told(bad) -> None:
    points = [*points_of(PAIR), ("n2", bad, (0.0, 0.0, 0.0))]
    assert failures(*checked(points, ["n1", "n0", "n2"])) == [("entry and tip differ", "needle n2")]


def test_between_a_needle_without_length_and_another_there_are_no_gaps() -> None:
    plan, _ = honest_implant()
    one, other = plan.paths[-2:]
    point = replace(one, tip_mm=one.entry_mm)
    sizes = replace(needle_sizes_of(plan.request), clearance_mm=0.0)
    assert gaps_in_place(one, other, sizes) != []
    assert gaps_in_place(point, other, sizes) == gaps_in_place(other, point, sizes) == []


@pytest.mark.parametrize("by", [0.01, 1.0, 8.0])
def test_a_needle_moved_against_another_is_told(by) -> None:
    """Two that just keep apart no longer do."""
    needle_pair = needles_at([(0, 0, 0), (8.0, 0, 0)], [(0, 0, 1)] * 2, [80.0, 80.0])
    points = points_of(needle_pair)
    assert failures(*checked(points, ["n0", "n1"])) == []
    wrong = failures(*checked(shifted(points, 0, (by, 0.0, 0.0)), ["n0", "n1"]))
    assert any(name.endswith(" are apart") and subject == "needle n0, needle n1" for name, subject in wrong)
