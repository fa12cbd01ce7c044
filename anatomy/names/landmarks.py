"""Landmarks by name: the ribs, lobes and sides by which radiologists name a path."""

from anatomy.names.roles import key_of, words_of

_LOBES = ("upper", "middle", "lower")


def side_of(name: str) -> str | None:
    """The side in the name, "left" or "right", else None."""
    sides = {word for word in words_of(name) if word in ("left", "right")}
    return sides.pop() if len(sides) == 1 else None


def rib_of(name: str) -> tuple[str, int] | None:
    """Side and number (1 to 12) of a single numbered rib, else None. "rib_left_4" is ("left", 4)."""
    words = words_of(name)
    side = side_of(name)
    numbers = [int(word) for word in words if word.isdigit()]
    if side is None or "rib" not in words or len(words) != 3 or len(numbers) != 1:
        return None
    return (side, numbers[0]) if 1 <= numbers[0] <= 12 else None


def lobe_of(name: str) -> str | None:
    """A lobe in a radiologist's words ("right middle lobe"), else None. The left lung has no middle lobe."""
    words = set(words_of(name))
    side = side_of(name)
    which = [lobe for lobe in _LOBES if lobe in words]
    if side is None or len(which) != 1 or words != {"lung", "lobe", side, which[0]}:
        return None
    return None if (side, which[0]) == ("left", "middle") else f"{side} {which[0]} lobe"


def lung_side(name: str) -> str | None:
    """The side of a lung or of one of its lobes, else None: vessels and nodules in the lung are not lung."""
    if lobe_of(name) is None and set(words_of(name)) - {"left", "right"} != {"lung"}:
        return None
    return side_of(name)


_VERTEBRAE = frozenset(key_of(name) for name in ("vertebrae", "vertebrae_body", "spine"))
_STERNUM = frozenset(
    key_of(name)
    for name in ("sternum", "manubrium", "xiphoid", "xiphoid_process", "sternum_body", "sternum_manubrium")
)


def is_vertebra(name: str) -> bool:
    """Whether the name is of a vertebra, its body, or the spine; its vessels and canal do not count."""
    return key_of(name) in _VERTEBRAE


def is_sternum(name: str) -> bool:
    """Whether the name is of the breastbone or a part of it."""
    return key_of(name) in _STERNUM


def is_clavicle(name: str) -> bool:
    """Whether the name is of a collarbone, or of both."""
    return key_of(name) == key_of("clavicula")
