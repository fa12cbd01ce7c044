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

CHECKS_OF_EVERY_SET = [
    "needle ids differ",
    "no two needles touch",
    "shafts keep their clearance",
    "the order names every needle once",
    "the order allows every needle",
]
"""The checks of every needle set."""


def checks_of(
    points: list[tuple[str, Point, Point]], order: list[str], hardware: Hardware = HARDWARE
) -> tuple[Check, ...]:
    claims = Claims()
    sizes = replace(needle_sizes_of(request_of(hardware)), clearance_mm=hardware.needle_clearance_mm)
    check_needles(claims, points, order, sizes)
    return claims.verification().checks


def failures(*checks: Check) -> list[tuple[str, str]]:
    return [(c.name, c.subject) for c in checks if not c.passed]


def ids_of(order: object) -> list[str]:
    return [f"n{i}" for i in order]


def check_named(checks: tuple[Check, ...], name: str) -> Check:
    (check,) = (c for c in checks if c.name == name)
    return check


PAIR = needles_at([(0, 0, 0), (6, 0, -50)], [(0, 0, 1)] * 2, [80.0, 60.0])
"""Two needles 6 mm apart; the second has the deeper hub and must be inserted first."""


# --- correct claims pass


@given(seeds, st.integers(0, 9), st.sampled_from([HARDWARE, BARE]))
def test_every_order_that_the_planner_finds_is_accepted(seed, count, hardware) -> None:
    needles = crowd(seed, count, hardware) if count else random_needles(seed, 0)
    order = insertion_order(needles, hardware).order
    assert order is not None
    checks = checks_of(points_of(needles), ids_of(order), hardware)
    assert failures(*checks) == []
    assert [c.name for c in checks] == CHECKS_OF_EVERY_SET


@given(seeds, st.integers(2, 8))
def test_an_order_with_a_needle_left_out_is_accepted(seed, count) -> None:
    needles = crowd(seed, count)
    order = ids_of(insertion_order(needles, HARDWARE).order)
    points = points_of(needles)
    for left_out in order:
        others = [p for p in points if p[0] != left_out]
        assert failures(*checks_of(others, [i for i in order if i != left_out])) == []


@pytest.mark.parametrize("count", [0, 1])
def test_fewer_than_two_needles_cannot_touch(count) -> None:
    checks = checks_of(points_of(random_needles(5, count)), ids_of(range(count)))
    assert failures(*checks) == []
    assert check_named(checks, "no two needles touch").recomputed == "inf"


@given(seeds)
def test_needles_at_the_least_spacing_are_accepted_in_every_frame(seed) -> None:
    bundle = needles_at(np.arange(3.0)[:, None] * [8.0, 0.0, 0.0], [(0, 0, 1)] * 3, [80.0, 90.0, 70.0])
    moved = rigidly_moved(bundle, seed)
    assert failures(*checks_of(points_of(moved), ids_of(insertion_order(moved, HARDWARE).order))) == []


# --- wrong claims are named


@given(seeds, st.integers(2, 6), st.sampled_from([HARDWARE, BARE]))
def test_a_pair_fails_exactly_where_it_conflicts(seed, count, hardware) -> None:
    needles = random_needles(seed, count)
    checks = checks_of(points_of(needles), [], hardware)
    pairs = {c.subject for c in checks if c.name.endswith(" are apart") and not c.passed}
    conflicts = conflict_pairs(needles, hardware).tolist()
    assert pairs == {f"needle n{i}, needle n{j}" for i, j in conflicts}


@given(seeds, st.integers(2, 4))
def test_an_order_fails_exactly_where_a_needle_is_blocked(seed, count) -> None:
    needles = crowd(seed, count)
    precedence = {(i, j) for i, j in must_precede(needles, HARDWARE).tolist()}
    for order in permutations(range(len(needles))):
        checks = checks_of(points_of(needles), ids_of(order))
        reported = {c.subject for c in checks if c.name.endswith("while it is driven")}
        blocked = {(b, a) for a, b in combinations(order, 2) if (b, a) in precedence}
        assert reported == {f"needle n{b}, past needle n{a}" for b, a in blocked}
        order_check = check_named(checks, "the order allows every needle")
        assert order_check.recomputed == len(needles) - len({b for b, _ in blocked})
        assert order_check.passed == (not blocked)


@given(seeds, st.integers(2, 6))
def test_the_least_distance_is_reported(seed, count) -> None:
    needles = crowd(seed, count)
    checks = checks_of(points_of(needles), ids_of(range(len(needles))))
    no_clearance = replace(HARDWARE, needle_clearance_mm=0.0)
    least_mm = min(
        (spare_mm(needles, no_clearance, i, j) for i, j in combinations(range(len(needles)), 2)),
        default=np.inf,
    )
    reported_mm = check_named(checks, "no two needles touch").recomputed
    assert float(reported_mm) == pytest.approx(least_mm, abs=1e-6)


def test_an_order_in_the_wrong_direction_is_reported() -> None:
    assert failures(*checks_of(points_of(PAIR), ["n1", "n0"])) == []
    assert failures(*checks_of(points_of(PAIR), ["n0", "n1"])) == [
        ("hubs are apart while it is driven", "needle n1, past needle n0"),
        ("the order allows every needle", "insertion order"),
    ]


@pytest.mark.parametrize("hardware", [HARDWARE, BARE])
def test_a_needle_that_blocks_an_insertion_is_reported(hardware) -> None:
    assert failures(*checks_of(points_of(CROSSED), ["n0", "n1"], hardware)) == []
    reversed_order = failures(*checks_of(points_of(CROSSED), ["n1", "n0"], hardware))
    assert [subject for _, subject in reversed_order] == ["needle n0, past needle n1", "insertion order"]


def test_no_order_of_a_cycle_is_accepted() -> None:
    for order in permutations(range(3)):
        assert ("the order allows every needle", "insertion order") in failures(
            *checks_of(points_of(NO_ORDER), ids_of(order))
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
def test_the_parts_with_the_largest_overlap_are_named(tip, outward, name) -> None:
    needles = needles_at([(0.0, 0.0, 0.0), tip], [(0, 0, 1), outward], [80.0, 80.0])
    assert (name, "needle n0, needle n1") in failures(*checks_of(points_of(needles), ["n0", "n1"]))


def shifted(points: list, row: int, shift_mm: tuple[float, float, float]) -> list:
    """The points with one needle moved."""
    shifted_points = [tuple(float(x) for x in np.add(point, shift_mm)) for point in points[row][1:]]
    return [*points[:row], (points[row][0], *shifted_points), *points[row + 1 :]]


def test_a_shaft_closer_than_the_clearance_is_reported_even_without_contact() -> None:
    pair = points_of(needles_at([(0, 0, 0), (2.5, 0, 0)], [(0, 0, 1)] * 2, [80.0, 80.0]))
    assert failures(*checks_of(pair, ["n0", "n1"], BARE)) == []
    too_close = checks_of(shifted(pair, 1, (-0.5, 0.0, 0.0)), ["n0", "n1"], BARE)
    assert check_named(too_close, "no two needles touch").passed
    assert [name for name, _ in failures(*too_close)] == [
        "shafts are apart",
        "shafts keep their clearance",
        "shafts are apart while it is driven",
        "the order allows every needle",
    ]


@pytest.mark.parametrize(
    "order",
    [["n1"], ["n1", "n0", "n0"], ["n1", "n0", "n7"], ["n1", "n7"], []],
    ids=["missing id", "repeated id", "unknown id", "replaced id", "empty"],
)
def test_an_order_that_does_not_name_every_needle_once_is_reported(order) -> None:
    assert ("the order names every needle once", "insertion order") in failures(
        *checks_of(points_of(PAIR), order)
    )


def test_two_needles_with_one_name_are_reported() -> None:
    points = [("n0", *p[1:]) for p in points_of(PAIR)]
    assert ("needle ids differ", "needles") in failures(*checks_of(points, ["n0", "n0"]))


@pytest.mark.parametrize("entry", [(0.0, 0.0, 0.0), (np.nan, 0.0, 0.0), (np.inf, 0.0, 0.0)])
def test_a_needle_without_a_direction_is_reported(entry) -> None:
    points = [*points_of(PAIR), ("n2", entry, (0.0, 0.0, 0.0))]
    assert failures(*checks_of(points, ["n1", "n0", "n2"])) == [("entry and tip differ", "needle n2")]


def test_a_needle_without_length_has_no_gaps_to_others() -> None:
    plan, _ = honest_implant()
    needle, other = plan.paths[-2:]
    without_length = replace(needle, tip_mm=needle.entry_mm)
    sizes = replace(needle_sizes_of(plan.request), clearance_mm=0.0)
    assert gaps_in_place(needle, other, sizes) != []
    assert gaps_in_place(without_length, other, sizes) == gaps_in_place(other, without_length, sizes) == []


@pytest.mark.parametrize("shift_mm", [0.01, 1.0, 8.0])
def test_a_needle_moved_too_close_to_another_is_reported(shift_mm) -> None:
    """The two needles barely keep their distance before the move."""
    needle_pair = needles_at([(0, 0, 0), (8.0, 0, 0)], [(0, 0, 1)] * 2, [80.0, 80.0])
    points = points_of(needle_pair)
    assert failures(*checks_of(points, ["n0", "n1"])) == []
    failed_checks = failures(*checks_of(shifted(points, 0, (shift_mm, 0.0, 0.0)), ["n0", "n1"]))
    assert any(
        name.endswith(" are apart") and subject == "needle n0, needle n1" for name, subject in failed_checks
    )
