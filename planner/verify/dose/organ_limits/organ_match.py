"""Which structures are the organ of a limit's row, and what of it they are not, by their names.

    organ   = its parts, each on its sides       {(upper, left), (upper, right), (middle, right), ...}
    name    = those of them that it stands for    lung_right  ->  {(upper, right), (middle, right), ...}
    lacking = what no name taken stands for

The table of names is the planner's, `planner.published_limits.organs`; how it is read is not.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from anatomy.names.roles import SIDES, key_of, words_of
from planner.published_limits.organs import ALL_IN_ONE, HOLDING, NAMES, NUMBERED, PARTS, Organ

_Piece = tuple[int, str]
"""A part's place in the organ's list, or its number, and a side."""


@dataclass(frozen=True)
class Matched:
    """The structures in the scene's order, the part that they lack as it is said, whether they are more than
    the organ, and whether they are a solid that holds the target."""

    structures: tuple[str, ...] = ()
    lacking: str = ""
    holds_more: bool = False
    holds_target: bool = False


def matched(organ: Organ, names: Iterable[str], solids: Collection[str]) -> Matched:
    """Of the names of all structures that are not empty; `solids` hold the target."""
    names = tuple(names)
    taken = {name for row in NAMES[organ] for name in _taken(organ, *row, names)}
    if taken:
        return Matched(tuple(n for n in names if n in taken), _lacking(organ, taken))
    more = tuple(name for name in names if _listed(name, HOLDING.get(organ, "")))
    hollow = tuple(name for name in more if name not in solids)
    if organ is Organ.SKIN and hollow:
        return Matched(hollow, "", True, False)
    return Matched(more, "", bool(more), bool(more) and organ is Organ.SKIN)


def _listed(name: str, listed: str) -> bool:
    return key_of(name) in {key_of(one) for one in listed.split()}


def _on(name: str) -> frozenset[str]:
    return frozenset(SIDES).intersection(words_of(name)) or frozenset(SIDES)


def _taken(organ: Organ, whole: str, parts: str, names: tuple[str, ...]) -> list[str]:
    """Wholes, and parts of the sides that have none."""
    wholes = [name for name in names if _listed(name, whole)]
    both = [name for name in wholes if len(_on(name)) == len(SIDES)]
    wholes = both if both and organ in ALL_IN_ONE else wholes
    have = frozenset[str]().union(*(_on(name) for name in wholes))
    return wholes + [name for name in names if _listed(name, parts) and _on(name) - have]


def _lacking(organ: Organ, taken: Iterable[str]) -> str:
    said, pieces = _whole(organ, taken)
    rest = pieces.difference(*(_pieces(organ, name, pieces) for name in taken))
    gone = [side for side in SIDES if {p for p in pieces if p[1] == side} <= rest]
    if len(gone) == 1:
        return f"the {gone[0]} side"
    if not rest:
        return ""
    first = min(piece[0] for piece in rest)
    on = [side for side in SIDES if (first, side) in rest]
    of = [side for side in SIDES if (first, side) in pieces]
    return said[first] if on == of else f"{said[first]} ({on[0]})"


def _whole(organ: Organ, taken: Iterable[str]) -> tuple[dict[int, str], frozenset[_Piece]]:
    """What an organ's parts are called, and all its pieces."""
    if organ in NUMBERED:
        given = [n for name in taken for n in _numbers(name)]
        reach = range(min(given), max(given) + 1) if given else range(0)
        called = NAMES[organ][0][0]
        numbers = sorted({*NUMBERED[organ], *reach})
        return {n: f"{called} {n}" for n in numbers}, frozenset((n, s) for n in numbers for s in SIDES)
    if organ not in PARTS:
        return {0: f"the {organ} as a whole"}, frozenset((0, side) for side in SIDES)
    parts = PARTS[organ]
    return {n: part.name for n, part in enumerate(parts)}, frozenset(
        (n, side) for n, part in enumerate(parts) for side in part.sides
    )


def _pieces(organ: Organ, name: str, pieces: frozenset[_Piece]) -> set[_Piece]:
    """Those of all pieces that a name stands for."""
    there = {piece for piece in pieces if piece[1] in _on(name)}
    if organ in NUMBERED:
        numbers = _numbers(name)
        return {piece for piece in there if not numbers or piece[0] in numbers}
    if organ in PARTS:
        return {piece for piece in there if _listed(name, PARTS[organ][piece[0]].stands)}
    return there


def _numbers(name: str) -> list[int]:
    return [int(word) for word in words_of(name) if word.isdigit()]
