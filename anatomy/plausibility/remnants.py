"""Remnants: crumbs of an organ, left by a cropped field of view, an operation or a network.

A remnant is avoided where it lies, as lung or as what is forbidden, and stands for no organ: the scene names
the organ among what the input lacks.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from anatomy.geometry.frames import Grid
from anatomy.plausibility.expected_structures import is_expected
from anatomy.plausibility.sizes import least_cm3_of, volume_cm3
from anatomy.remarks import listed
from anatomy.structures import Structure

MAX_REMNANTS_LISTED = 10
"""Remnants that the note lists."""


@dataclass(frozen=True)
class Remnant:
    """A structure too small to be the organ that its name says, and how much of it there is."""

    name: str
    volume_cm3: float


def remnants_of(structures: Sequence[Structure], grid: Grid) -> tuple[Remnant, ...]:
    """Structures that would stand for what every chest has, and are too small to, in order.

    `structures` have roles; empty ones are left out.
    """
    return tuple(
        remnant
        for s, remnant in _too_small(structures, grid)
        if s.role is not None and is_expected(s.name, s.role)
    )


def too_small_of(structures: Sequence[Structure], grid: Grid) -> frozenset[str]:
    """Names of structures of which there is less than any patient has of an organ so named, expected or not:
    of such an organ no dose limit is known to be met."""
    return frozenset(remnant.name for _, remnant in _too_small(structures, grid))


def _too_small(structures: Sequence[Structure], grid: Grid) -> Iterator[tuple[Structure, Remnant]]:
    for s in structures:
        if (
            s.role is not None
            and s.mask.count > 0
            and (cm3 := volume_cm3(s, grid)) < least_cm3_of(s.name, s.role)
        ):
            yield s, Remnant(s.name, cm3)


def note_on_remnants(remnants: Sequence[Remnant]) -> tuple[str, ...]:
    """What is there only in part."""
    if not remnants:
        return ()
    some = listed([f"{r.volume_cm3:.2g} cm3 of {r.name}" for r in remnants], MAX_REMNANTS_LISTED)
    if len(remnants) == 1:
        return (f"Only {some}: taken as a remnant, which is avoided where it lies and stands for no organ.",)
    return (f"Only {some}: taken as remnants, which are avoided where they lie and stand for no organ.",)
