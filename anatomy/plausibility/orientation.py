"""Orientation: whether structures lie where their names say, so that the patient is neither mirrored nor
rotated.

    across      each structure of the left side lies to the left of its twin: x of the left one is larger
    depth       spine and cord lie behind sternum, heart and trachea: y of the spine is larger
    height      T1 lies above T2, rib 1 above rib 2, upper lobes above lower ones, the heart above the liver

Each comparison is a vote. No header field shows that RAS was read as LPS, that slices were stored in reverse
order, or that the names of the sides were swapped: anatomy does. Left and right are the patient's own; organs
that lie on the other side in situs inversus do not vote on sides.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, product

import numpy as np
from jaxtyping import Float

from anatomy.errors import Companion, FrameMismatch, Remedy
from anatomy.geometry.frames import Grid
from anatomy.geometry.masks import centroid_P
from anatomy.names.roles import SIDES, key_of, level_of, words_of
from anatomy.plausibility.expected_structures import LEVELS
from anatomy.structures import Role, Structure

APART_MM = 20.0
"""Two organs vote only if their centroids are at least this far apart along the axis compared [U]."""

NEIGHBOURS_APART_MM = 5.0
"""The same for consecutive vertebrae and ribs [U]: a third of the lowest vertebra's height."""

NEIGHBOURS_ALIKE_MM = 20.0
"""Consecutive ones vote only if their centroids are at most this far apart from front to back [U]: the front
end of a rib lies below the back end of the next one, and a small field of view may show only these ends."""

MIN_SHARE = 2 / 3
"""An input is contradicted if at least this share of the votes of one kind contradict it [U]."""

_MIN_VOTES = {"across": 1, "depth": 2, "height": 2}
"""Contradicting votes needed to refuse an input [U]. One swapped pair of sides is enough."""

_INVERTED = frozenset(
    ["heart", "atrium", "ventricle", "artery", "vein", "aorta", "bronchus", "appendage", "lobe", "atrial"]
)
"""Words of heart, vessels, airway and lobes: in situs inversus these may be named by their shape, and lie on
the other side."""

_IN_FRONT = (("sternum",), ("heart",), ("trachea",))
_BEHIND = (("vertebrae",), ("cord", "spinal"))
_ABOVE = (("heart",), ("lung",))
_BELOW = (("liver",), ("spleen",), ("kidney",))
"""The stomach is left out: where it replaces an oesophagus, it lies in the chest."""
_RIBS = range(1, 10)
"""The last ribs are short and lie behind: their centroids lie above those of the longer ribs before them."""

_TURNED, _MIRRORED = frozenset(("across", "depth")), frozenset(("across",))
_BACK_TO_FRONT, _UPSIDE_DOWN = frozenset(("depth",)), frozenset(("height",))
_CAUSES: dict[frozenset[str], Remedy] = {
    _TURNED: (
        "The patient is rotated by 180 degrees, as when RAS is read as LPS: give meshes with ",
        Companion.MESH_AXES,
        " ras, or correct the affine.",
    ),
    _MIRRORED: "The patient is mirrored, or names of left and right are swapped: correct the affine or the "
    "names. Left and right are the patient's own.",
    _BACK_TO_FRONT: "The patient is mirrored from front to back: correct the affine or the axes of meshes.",
    _UPSIDE_DOWN: "The patient is upside down, or numbers are in reverse: correct the affine or the names.",
}
_OTHERWISE = (
    "The patient is mirrored or rotated: correct the affine, the axes of meshes (LPS or RAS) or the names."
)


@dataclass(frozen=True)
class Vote:
    """One comparison: what was expected, and by how much it is true, negative if it is false. [mm]"""

    kind: str
    expected: str
    by_mm: float


def notes_on_orientation(structures: Sequence[Structure], grid: Grid) -> tuple[str, ...]:
    """One sentence for each vote against the names, if most votes of its kind agree with them.

    `structures` have roles, are not empty, and are not remnants. Raises FrameMismatch if MIN_SHARE of the
    votes of one kind contradict the names.
    """
    votes = tuple(_votes([s for s in structures if s.role in _VOTING], grid))
    against = {kind: [v for v in votes if v.kind == kind and v.by_mm < 0] for kind in _MIN_VOTES}
    wrong = frozenset(
        kind
        for kind, least in _MIN_VOTES.items()
        if len(against[kind]) >= max(least, MIN_SHARE * sum(v.kind == kind for v in votes))
    )
    if wrong:
        contradicting = [vote for kind in _MIN_VOTES if kind in wrong for vote in against[kind]]
        examples = [against[kind][0].expected for kind in _MIN_VOTES if kind in wrong]
        raise FrameMismatch(
            "input",
            f"structures do not lie as their names say, in {len(contradicting)} of {len(votes)} comparisons. "
            f"It is not true that {', nor that '.join(examples)}",
            _CAUSES.get(wrong, _OTHERWISE),
        )
    return tuple(
        f"It is not true that {vote.expected}: check their names."
        for votes in against.values()
        for vote in votes
    )


_VOTING = (Role.FORBIDDEN, Role.LUNG, Role.PASSABLE)


def _votes(structures: Sequence[Structure], grid: Grid) -> Iterator[Vote]:
    middles = {s.name: centroid_P(s.mask, grid) for s in structures}
    by_words = {words_of(s.name): s.name for s in structures}
    for words, name in sorted(by_words.items()):
        twin = tuple("right" if word == "left" else word for word in words)
        if "left" in words and twin in by_words and not _INVERTED & set(words):
            yield from _vote("across", name, "lies to the left of", by_words[twin], middles, 0, APART_MM)
    families: dict[tuple[str, ...], list[str]] = {}
    for name in sorted(middles):
        level = level_of(name)
        if level is None or level.startswith("T"):
            families.setdefault(key_of(name), []).append(name)
    middles |= {
        _family_name(key): np.mean([middles[n] for n in names], axis=0) for key, names in families.items()
    }
    for back, front in product(_BEHIND, _IN_FRONT):
        yield from _vote(
            "depth", _family_name(back), "lies behind", _family_name(front), middles, 1, APART_MM
        )
    for above, below in product(_ABOVE, _BELOW):
        yield from _vote(
            "height", _family_name(above), "lies above", _family_name(below), middles, 2, APART_MM
        )
    for side in SIDES:
        upper, lower = (by_words.get(("lung", part, "lobe", side), "") for part in ("upper", "lower"))
        yield from _vote("height", upper, "lies above", lower, middles, 2, APART_MM)
    for column in _columns(middles):
        for upper, lower in pairwise(column):
            if abs(middles[upper][1] - middles[lower][1]) <= NEIGHBOURS_ALIKE_MM:
                yield from _vote("height", upper, "lies above", lower, middles, 2, NEIGHBOURS_APART_MM)


def _family_name(key: tuple[str, ...]) -> str:
    """The name for all structures of a family together."""
    return "the spine" if key == ("vertebrae",) else f"the {' '.join(reversed(key))}"


def _columns(names: dict[str, Float[np.ndarray, "3"]]) -> Iterator[list[str]]:
    """Vertebrae, and the ribs of each side, from the top."""
    levels = {level: name for name in names if (level := level_of(name)) is not None}
    yield [levels[level] for level in LEVELS if level in levels]
    ribs = {(side, number): name for name in names for side, number in _rib(name)}
    for side in SIDES:
        yield [ribs[side, number] for number in _RIBS if (side, number) in ribs]


def _rib(name: str) -> Iterator[tuple[str, int]]:
    if key_of(name) == ("rib",):
        words = words_of(name)
        sides, numbers = [w for w in words if w in SIDES], [int(w) for w in words if w.isdigit()]
        if len(sides) == len(numbers) == 1:
            yield sides[0], numbers[0]


def _vote(
    kind: str,
    one: str,
    relation: str,
    other: str,
    middles: dict[str, Float[np.ndarray, "3"]],
    axis: int,
    apart_mm: float,
) -> Iterator[Vote]:
    """The vote of two structures, if both are present and far enough apart along an axis of P: whether `one`
    has the larger coordinate."""
    if one in middles and other in middles:
        by_mm = float(middles[one][axis] - middles[other][axis])
        if abs(by_mm) >= apart_mm:
            yield Vote(kind, f"{one} {relation} {other}", by_mm)
