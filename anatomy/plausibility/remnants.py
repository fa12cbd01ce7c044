"""Remnants: small parts of an organ, left by a cropped field of view, an operation or a segmentation network.

A remnant is avoided where it lies, with its role of lung or forbidden, but does not count as the organ: the
scene lists the organ among the missing structures.
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
    """A structure too small to be the organ of its name, and its volume."""

    name: str
    volume_cm3: float


def remnants_of(structures: Sequence[Structure], grid: Grid) -> tuple[Remnant, ...]:
    """Structures that would count for what every chest has, but are too small for it, in order.

    `structures` have roles; empty ones are left out.
    """
    return tuple(
        remnant
        for s, remnant in _too_small(structures, grid)
        if s.role is not None and is_expected(s.name, s.role)
    )


def too_small_of(structures: Sequence[Structure], grid: Grid) -> frozenset[str]:
    """Names of structures that are smaller than any patient's organ of that name, expected or not: whether
    such an organ meets a dose limit is not known."""
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
    """A note that lists the remnants."""
    if not remnants:
        return ()
    some = listed([f"{r.volume_cm3:.2g} cm3 of {r.name}" for r in remnants], MAX_REMNANTS_LISTED)
    if len(remnants) == 1:
        return (f"Only {some}: taken as a remnant, which is avoided but is not an organ.",)
    return (f"Only {some}: taken as remnants, which are avoided but are not organs.",)
