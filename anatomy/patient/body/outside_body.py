"""Outside: organs that lie in the air beside the body, as those of another frame, unit or scan do."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Bool
from scipy import ndimage

from anatomy.errors import FrameMismatch
from anatomy.geometry.frames import Grid
from anatomy.geometry.masks import VoxelMask
from anatomy.patient.body.body_parts import BodyParts
from anatomy.patient.body.flat_end import MAX_BEYOND_MM, slices_within
from anatomy.patient.body.view_ends import ViewEnds
from anatomy.structures import Role, Structure

MAX_SHARE_OUTSIDE = 0.2
"""An organ of which more than this part lies outside the body as drawn is told of [U]: skin is drawn around
it, and its edge is no skin."""

MAX_SHARE_OF_ALL = 0.5
"""Where more than this part of all organs' volume, and of their number, lies there, the body or they are of
another frame [U]. One large stray organ is no such case."""

MIN_ORGANS = 3
"""A majority says something of a frame from this many organs on [U]: of fewer, each is told of."""

Air = Callable[[int], Bool[np.ndarray, "nx ny"]]
"""The open air of a slice, by its index."""

_REMEDY = "Check its frame (LPS or RAS), its unit (mm, not cm) and that it is of the same scan."


@dataclass(frozen=True, eq=False)
class OrganPlacement:
    """A forbidden or lung structure, the part of it that lies outside what was drawn as body (0 to 1), and
    whether it lies `wholly` outside the body."""

    name: str
    mask: VoxelMask
    outside: float
    wholly: bool


def organ_placements(
    structures: Sequence[Structure], parts: BodyParts, *, guessed: bool
) -> tuple[OrganPlacement, ...]:
    """How each forbidden or lung structure lies to the body.

    `structures` have roles and are not empty. A guessed skin is made of organs: that they lie in it says
    nothing of their frame. Raises FrameMismatch where all of them lie outside, or more than
    MAX_SHARE_OF_ALL of them.
    """
    organs = [s for s in structures if s.role in (Role.FORBIDDEN, Role.LUNG)]
    body = (parts.body,) if guessed else (parts.body, *parts.apart)
    wholly = [s.name for s in organs if not any(_meets(s.mask, part) for part in body)]
    if wholly and len(wholly) == len(organs):
        raise _mismatch(f"all forbidden and lung structures lie wholly outside the body: {_some(wholly)}")
    air = _air_around(parts)
    shares = {s.name: 0.0 if guessed else _share(s.mask, parts.drawn, air) for s in organs}
    total = sum(s.mask.count for s in organs)
    outside = sum(shares[s.name] * s.mask.count for s in organs)
    partly = [name for name, share in shares.items() if share > MAX_SHARE_OUTSIDE and name not in wholly]
    mostly = sum(share > MAX_SHARE_OF_ALL for share in shares.values())
    judged = len(organs) >= MIN_ORGANS
    if judged and outside > MAX_SHARE_OF_ALL * total and mostly > MAX_SHARE_OF_ALL * len(organs):
        raise _mismatch(
            f"{100 * outside / total:.0f} % of the volume of forbidden and lung structures lies outside the "
            f"body as it was drawn: {_some([*wholly, *partly])}"
        )
    return tuple(OrganPlacement(s.name, s.mask, shares[s.name], s.name in wholly) for s in organs)


def notes_on_outside(
    organs: Sequence[OrganPlacement], parts: BodyParts, grid: Grid, ends: ViewEnds | None
) -> tuple[str, ...]:
    """One sentence for each organ that lies wholly outside the body, or more than MAX_SHARE_OUTSIDE of it
    outside what was drawn as body.

    `organs` were placed in `parts`, on `grid`, before this was made to end at `ends`. A body may be drawn
    short: by MAX_BEYOND_MM or one slice beyond a flat end, an organ lies neither inside nor outside. It is
    cut there with the body, and another sentence tells so where it loses more than MAX_SHARE_OUTSIDE.
    """
    air = _air_around(parts)
    said = [f"{organ.name} lies wholly outside the body. {_REMEDY}" for organ in organs if organ.wholly]
    for organ in organs:
        if organ.wholly:
            continue
        lies = _Shares(organ.outside, 0.0, 0.0)
        if ends is not None and _reaches_beyond(organ.mask, ends):
            lies = _shares(organ.mask, parts.drawn, air, ends, grid)
        said += _told(organ.name, lies)
    return tuple(said)


@dataclass(frozen=True)
class _Shares:
    """The parts of an organ, each from 0 to 1, that lie outside what was drawn as body, `beside` it or `far`
    beyond its flat end, of all but what is `cut`; and the part, of all, that is cut within MAX_BEYOND_MM of
    the end. An organ of which nothing is in view is not cut but left out."""

    beside: float
    far: float
    cut: float


def _told(name: str, lies: _Shares) -> Iterator[str]:
    outside = lies.beside + lies.far
    if outside > MAX_SHARE_OUTSIDE:
        where = "beyond its flat end, where it is left out"
        if lies.beside > 0.0:
            where = "the skin is drawn around it"
            if lies.far > 0.0:
                where += ", but for what lies beyond the flat end and is left out"
        yield f"{100 * outside:.0f} % of {name} lies outside the body as it was drawn: {where}. {_REMEDY}"
    if lies.cut > MAX_SHARE_OUTSIDE:
        yield f"{100 * lies.cut:.0f} % of {name} lies just beyond the body's flat end, and is cut with it."


def _reaches_beyond(mask: VoxelMask, ends: ViewEnds) -> bool:
    return mask.lower[ends.axis] < ends.first or mask.upper[ends.axis] > ends.stop


def _shares(mask: VoxelMask, drawn: VoxelMask, air: Air, ends: ViewEnds, grid: Grid) -> _Shares:
    axis = ends.axis
    others = tuple(a for a in range(3) if a != axis)
    held = np.count_nonzero(mask.cropped(), axis=others)
    outside = np.count_nonzero(_in_air(mask, drawn, air), axis=others)
    at = mask.lower[axis] + np.arange(len(held))
    in_view = (at >= ends.first) & (at < ends.stop)
    reach = slices_within(MAX_BEYOND_MM, float(grid.spacing_mm[axis]))
    near = ~in_view & (at >= ends.first - reach) & (at < ends.stop + reach)
    far = ~in_view & ~near
    judged = int(held[~near].sum())
    seen = bool(held[in_view].any())
    return _Shares(
        beside=outside[in_view].sum() / judged if judged else 0.0,
        far=outside[far].sum() / judged if judged else 0.0,
        cut=held[near].sum() / mask.count if seen else 0.0,
    )


def _share(mask: VoxelMask, drawn: VoxelMask, air: Air) -> float:
    """The part of a mask that lies outside what was drawn; of little, as if none of it were enclosed."""
    bare = int(np.count_nonzero(_bare(mask, drawn)))
    if bare > MAX_SHARE_OUTSIDE * mask.count:
        bare = int(np.count_nonzero(_in_air(mask, drawn, air)))
    return bare / mask.count


def _bare(mask: VoxelMask, drawn: VoxelMask) -> Bool[np.ndarray, "mx my mz"]:
    return np.asarray(mask.cropped() & (drawn.layer[mask.slices] != drawn.label))


def _in_air(mask: VoxelMask, drawn: VoxelMask, air: Air) -> Bool[np.ndarray, "mx my mz"]:
    """What of a mask, over its box, lies outside what was drawn. What this encloses in a slice lies inside:
    in a label map, no voxel of an organ is one of the body."""
    bare = _bare(mask, drawn)
    for k in np.flatnonzero(bare.any(axis=(0, 1))):
        bare[:, :, k] &= air(mask.lower[2] + int(k))[mask.slices[:2]]
    return bare


def _air_around(parts: BodyParts) -> Air:
    """What is connected, within a slice and outside what was drawn, to open air at the slice's border. An
    organ that the border cuts is no air."""

    @cache
    def air(k: int) -> Bool[np.ndarray, "nx ny"]:
        free = parts.drawn.layer[:, :, k] != parts.drawn.label
        regions, count = ndimage.label(free)
        open_air = free & (parts.body.layer[:, :, k] == 0)
        open_air[1:-1, 1:-1] = False
        reached = np.zeros(count + 1, bool)
        reached[regions[open_air]] = True
        return np.asarray(reached[regions])

    return air


def _mismatch(value: str) -> FrameMismatch:
    return FrameMismatch(
        "input", value, "Check that all are in one frame (LPS or RAS), in mm (not cm), and of one scan."
    )


def _meets(mask: VoxelMask, body: VoxelMask) -> bool:
    return bool(np.any((body.layer[mask.slices] == body.label) & mask.cropped()))


def _some(names: list[str], most: int = 10) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
