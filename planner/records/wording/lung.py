"""Wording on lung: how much lung is crossed, stated only as far as the input has lung.

`missing` are the names that a plan or scene lists as missing in the input.
"""

from anatomy.plausibility.expected_structures import LUNG, lung_lacking
from planner.records.wording.number_text import mm_text


def through(length_mm: float, missing: tuple[str, ...]) -> str:
    """The lung that an axis crosses: words to follow a comma."""
    lacks = lung_lacking(missing)
    if lacks == (LUNG,):
        return "and what lung it crosses is not known: none is in the input"
    if lacks:
        tissue = f"lung in the input, which lacks {', '.join(lacks)}"
        return f"crossing no {tissue}" if length_mm == 0.0 else f"through {mm_text(length_mm)} of {tissue}"
    return "without crossing lung" if length_mm == 0.0 else f"through {mm_text(length_mm)} of lung"


def a_path(length_mm: float, missing: tuple[str, ...]) -> str:
    """A path, and the lung that it crosses."""
    comma = "," if lung_lacking(missing) == (LUNG,) else ""
    return f"a path{comma} {through(length_mm, missing)}"


def least_claim(displaced: str, missing: tuple[str, ...]) -> str:
    """What is proved about the least lung length found."""
    lacks = lung_lacking(missing)
    if lacks == (LUNG,):
        return "Nothing is claimed of lung, as none is in the input: least_lung_mm says nothing."
    proved = (
        f"The least lung length found, least_lung_mm, is at most the worst lung length, over {displaced}, of "
        "any such path"
    )
    if lacks:
        return f"{proved}, counted in the lung of the input alone, which lacks {', '.join(lacks)}."
    return f"{proved}."


def at_least(number: str, missing: tuple[str, ...]) -> str:
    """A number on lung as text: a lower bound if a part of the lung is missing, unknown if all of it is."""
    lacks = lung_lacking(missing)
    if lacks == (LUNG,):
        return "unknown"
    return f"at least {number}" if lacks else number


def totals(length: str, punctures: str, missing: tuple[str, ...]) -> str:
    """The lung that several axes cross, and their pleural punctures, both with units."""
    if lung_lacking(missing) == (LUNG,):
        return "lung and pleural punctures unknown"
    return f"lung {at_least(length, missing)}, {at_least(punctures, missing)}"


def of_lung(missing: tuple[str, ...]) -> str:
    """The name of the lung that is counted."""
    return "lung in the input" if lung_lacking(missing) else "lung"
