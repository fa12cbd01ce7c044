"""Organs of limit tables, and the structures of a scene that stand for them.

    "Trachea+ipsi bronchus"  --row-->  Organ.AIRWAY  --words-->  trachea, bronchus_right

`planner.published_limits.organs` lists the names and the parts of the organs.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from anatomy.names.roles import SIDES, words_of
from planner.published_limits.organs import ALL_IN_ONE, HOLDING, NAMES, NUMBERED, PARTS, Organ, OrganPart

_Scene = Mapping[str, tuple[str, ...]]
"""Names of structures, with their folded words."""


@dataclass(frozen=True)
class Match:
    """Structures that together are an organ, as far as it was segmented, in the order of the scene.

    `holds_more`: they are more than the organ, so that a limit they exceed may be met by the organ.
    `holds_target`: they are a solid that contains the target, so that their dose is not that of the organ.
    `lacking` names a part of the organ that they lack, so that a limit they meet may be exceeded by the
    organ.
    """

    structures: tuple[str, ...]
    holds_more: bool = False
    lacking: str = ""
    holds_target: bool = False


def match(organ: Organ, names: Iterable[str], solids: Collection[str] = ()) -> Match:
    """The structures among `names` that make up the organ; none where none does.

    A part is left out if the whole organ, or the whole of its side, is there: it would count twice. A
    structure that contains more than the organ is used only if there is no other. `solids` are the structures
    that contain the target: a skin that is a solid is used only if there is no shell.
    """
    scene = {name: words_of(name) for name in names}
    matched: set[str] = set()
    for whole, parts in NAMES[organ]:
        wholes = _of(whole, scene)
        sided = [name for name in wholes if _sides(scene[name]) != set(SIDES)]
        if organ in ALL_IN_ONE and len(sided) < len(wholes):
            wholes = [name for name in wholes if name not in sided]
        covered = {side for name in wholes for side in _sides(scene[name])}
        matched.update(wholes)
        matched.update(name for name in _of(parts, scene) if not _sides(scene[name]) <= covered)
    if matched:
        return Match(
            tuple(name for name in scene if name in matched), lacking=_lacking(organ, matched, scene)
        )
    holding = _of(HOLDING.get(organ, ""), scene)
    if organ is not Organ.SKIN:
        return Match(tuple(holding), holds_more=bool(holding))
    shells = [name for name in holding if name not in solids]
    used = shells or holding
    return Match(tuple(used), holds_more=bool(used), holds_target=bool(used) and not shells)


def _lacking(organ: Organ, names: Iterable[str], scene: _Scene) -> str:
    """A part of the organ that no matched structure stands for: a side, or the first part; "" where there is
    none.

    "the left side", "the aorta as a whole", "the lower lobes (left)", "rib 4"
    """
    names = tuple(names)
    missing = [
        (part, [s for s in part.sides if not any(_stands(scene[name], part, s) for name in names)])
        for part in _parts(organ, names, scene)
    ]
    bare = [side for side in SIDES if all(side in sides for part, sides in missing if side in part.sides)]
    if len(bare) == 1:
        return f"the {bare[0]} side"
    part, sides = next(((part, sides) for part, sides in missing if sides), (None, []))
    if part is None:
        return ""
    return part.name if len(sides) == len(part.sides) else f"{part.name} ({sides[0]})"


def _parts(organ: Organ, structures: Iterable[str], scene: _Scene) -> tuple[OrganPart, ...]:
    every = " ".join(name for names in NAMES[organ] for name in names if name)
    if organ not in NUMBERED:
        return PARTS.get(organ, (OrganPart(f"the {organ} as a whole", every),))
    numbers = [int(word) for name in structures for word in scene[name] if word.isdigit()]
    expected = {*NUMBERED[organ], *range(min(numbers, default=1), max(numbers, default=0) + 1)}
    # The number is a word of its own: "rib 4" stands for itself, "ribs" for all.
    return tuple(OrganPart(f"{every} {n}", every) for n in sorted(expected))


def _stands(words: tuple[str, ...], part: OrganPart, side: str) -> bool:
    """Whether a name of these words stands for a part on a side."""
    numbers = {word for word in words if word.isdigit()}
    part_numbers = {word for word in part.name.split() if word.isdigit()}
    numbered = not part_numbers or not numbers or part_numbers <= numbers
    keys = {_key(words_of(name)) for name in part.stands.split()}
    return _key(words) in keys and side in _sides(words) and numbered


def _sides(words: tuple[str, ...]) -> set[str]:
    """The sides that a name stands for: both where it says none."""
    return set(SIDES).intersection(words) or set(SIDES)


def _of(listed: str, scene: _Scene) -> list[str]:
    keys = {_key(words_of(name)) for name in listed.split()}
    return [name for name, words in scene.items() if _key(words) in keys]


def _key(words: tuple[str, ...]) -> tuple[str, ...]:
    """What is left of folded words without side and number, in a fixed order."""
    return tuple(sorted(w for w in words if w not in SIDES and not w.isdigit()))
