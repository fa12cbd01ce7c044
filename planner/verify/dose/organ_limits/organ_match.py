"""Which structures are the organ of a limit's row, by their names, and which part of the organ they lack.

    organ   = its parts, each on its sides       {(upper, left), (upper, right), (middle, right), ...}
    name    = the pieces that it stands for       lung_right  ->  {(upper, right), (middle, right), ...}
    lacking = the pieces that no matched name stands for

The table of names is shared with the planner, `planner.published_limits.organs`; the code that reads it is
not.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from anatomy.names.roles import SIDES, key_of, words_of
from planner.published_limits.organs import ALL_IN_ONE, HOLDING, NAMES, NUMBERED, PARTS, Organ

_Piece = tuple[int, str]
"""A part's index in the organ's list, or its number, and a side."""


@dataclass(frozen=True)
class MatchedOrgan:
    """Structures that stand for an organ, in the scene's order.

    `lacking` names a part of the organ that they lack, "" where they lack none. `holds_more`: they are more
    than the organ. `holds_target`: they are a solid that contains the target.
    """

    structures: tuple[str, ...] = ()
    lacking: str = ""
    holds_more: bool = False
    holds_target: bool = False


def matched(organ: Organ, names: Iterable[str], solids: Collection[str]) -> MatchedOrgan:
    """The structures among `names`, which are those of all structures that are not empty, that stand for the
    organ. `solids` are those that contain the target."""
    names = tuple(names)
    matching = {name for row in NAMES[organ] for name in _matching(organ, *row, names)}
    if matching:
        return MatchedOrgan(tuple(n for n in names if n in matching), _lacking(organ, matching))
    holding = tuple(name for name in names if _listed(name, HOLDING.get(organ, "")))
    hollow = tuple(name for name in holding if name not in solids)
    if organ is Organ.SKIN and hollow:
        return MatchedOrgan(hollow, "", True, False)
    return MatchedOrgan(holding, "", bool(holding), bool(holding) and organ is Organ.SKIN)


def _listed(name: str, listed: str) -> bool:
    return key_of(name) in {key_of(one) for one in listed.split()}


def _sides_of(name: str) -> frozenset[str]:
    """The sides that a name stands for: both where it names none."""
    return frozenset(SIDES).intersection(words_of(name)) or frozenset(SIDES)


def _matching(organ: Organ, whole: str, parts: str, names: tuple[str, ...]) -> list[str]:
    """Names of the whole organ, and names of parts on the sides where there is no whole."""
    wholes = [name for name in names if _listed(name, whole)]
    both = [name for name in wholes if len(_sides_of(name)) == len(SIDES)]
    wholes = both if both and organ in ALL_IN_ONE else wholes
    covered = frozenset[str]().union(*(_sides_of(name) for name in wholes))
    return wholes + [name for name in names if _listed(name, parts) and _sides_of(name) - covered]


def _lacking(organ: Organ, matching: Iterable[str]) -> str:
    """A part of the organ that no matching name stands for, in words; "" where there is none."""
    part_names, pieces = _all_pieces(organ, matching)
    missing = pieces.difference(*(_pieces(organ, name, pieces) for name in matching))
    missing_sides = [side for side in SIDES if {p for p in pieces if p[1] == side} <= missing]
    if len(missing_sides) == 1:
        return f"the {missing_sides[0]} side"
    if not missing:
        return ""
    first = min(piece[0] for piece in missing)
    missing_on = [side for side in SIDES if (first, side) in missing]
    sides = [side for side in SIDES if (first, side) in pieces]
    return part_names[first] if missing_on == sides else f"{part_names[first]} ({missing_on[0]})"


def _all_pieces(organ: Organ, matching: Iterable[str]) -> tuple[dict[int, str], frozenset[_Piece]]:
    """The names of an organ's parts, and all its pieces."""
    if organ in NUMBERED:
        stated = [n for name in matching for n in _numbers(name)]
        between = range(min(stated), max(stated) + 1) if stated else range(0)
        organ_name = NAMES[organ][0][0]
        numbers = sorted({*NUMBERED[organ], *between})
        return {n: f"{organ_name} {n}" for n in numbers}, frozenset((n, s) for n in numbers for s in SIDES)
    if organ not in PARTS:
        return {0: f"the {organ} as a whole"}, frozenset((0, side) for side in SIDES)
    parts = PARTS[organ]
    return {n: part.name for n, part in enumerate(parts)}, frozenset(
        (n, side) for n, part in enumerate(parts) for side in part.sides
    )


def _pieces(organ: Organ, name: str, pieces: frozenset[_Piece]) -> set[_Piece]:
    """The pieces that a name stands for."""
    on_sides = {piece for piece in pieces if piece[1] in _sides_of(name)}
    if organ in NUMBERED:
        numbers = _numbers(name)
        return {piece for piece in on_sides if not numbers or piece[0] in numbers}
    if organ in PARTS:
        return {piece for piece in on_sides if _listed(name, PARTS[organ][piece[0]].stands)}
    return on_sides


def _numbers(name: str) -> list[int]:
    return [int(word) for word in words_of(name) if word.isdigit()]
