"""Outside the body: organs that lie in the air, as those of another frame, unit or scan do."""

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
"""If more than this share of an organ lies outside the drawn body, a note says so [U]: the skin is then drawn
around the organ, whose edge is not skin."""

MAX_SHARE_OF_ALL = 0.5
"""If more than this share of all organs, by volume and by number, lies outside, the body or the organs are in
another frame [U]. One large misplaced organ alone is not such a case."""

MIN_ORGANS = 3
"""A majority of at least this many organs shows a wrong frame [U]; fewer are noted one by one."""

Air = Callable[[int], Bool[np.ndarray, "nx ny"]]
"""A function from a slice's index to the open air in the slice."""

_REMEDY = "Check its frame (LPS or RAS), its unit (mm, not cm) and that it is from the same scan."


@dataclass(frozen=True, eq=False)
class OrganPlacement:
    """A forbidden or lung structure, the share of it that lies outside the drawn body (0 to 1), and whether
    it lies `wholly` outside the body."""

    name: str
    mask: VoxelMask
    outside: float
    wholly: bool


def organ_placements(
    structures: Sequence[Structure], parts: BodyParts, *, guessed: bool
) -> tuple[OrganPlacement, ...]:
    """How each forbidden or lung structure lies relative to the body.

    `structures` have roles and are not empty. A guessed skin is made from the organs, so it shows nothing
    about their frame. Raises FrameMismatch if all of them lie outside, or more than MAX_SHARE_OF_ALL of them.
    """
    organs = [s for s in structures if s.role in (Role.FORBIDDEN, Role.LUNG)]
    body = (parts.body,) if guessed else (parts.body, *parts.apart)
    wholly = [s.name for s in organs if not any(_meets(s.mask, part) for part in body)]
    if wholly and len(wholly) == len(organs):
        raise _mismatch(f"all forbidden and lung structures lie completely outside the body: {_some(wholly)}")
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
    """One sentence for each organ that lies completely outside the body, or with more than MAX_SHARE_OUTSIDE
    of it outside the drawn body.

    `organs` are those of `parts` on `grid`, before the grid is cut at `ends`. A body may be drawn too short:
    within MAX_BEYOND_MM (or one slice) beyond a flat end, an organ counts neither as inside nor as outside.
    It is cut there with the body, and another sentence says so if it loses more than MAX_SHARE_OUTSIDE.
    """
    air = _air_around(parts)
    notes = [f"{organ.name} lies completely outside the body. {_REMEDY}" for organ in organs if organ.wholly]
    for organ in organs:
        if organ.wholly:
            continue
        shares = _Shares(organ.outside, 0.0, 0.0)
        if ends is not None and _reaches_beyond(organ.mask, ends):
            shares = _shares(organ.mask, parts.drawn, air, ends, grid)
        notes += _notes(organ.name, shares)
    return tuple(notes)


@dataclass(frozen=True)
class _Shares:
    """Shares of an organ, each from 0 to 1: `in_view` and outside the drawn body, and `far` beyond its flat
    end, both relative to what is not cut; and `cut`, what lies within MAX_BEYOND_MM beyond the end, relative
    to the whole organ. An organ with no voxel in view is left out, not cut."""

    in_view: float
    far: float
    cut: float


def _notes(name: str, shares: _Shares) -> Iterator[str]:
    outside = shares.in_view + shares.far
    if outside > MAX_SHARE_OUTSIDE:
        where = "beyond its flat end, where it is left out"
        if shares.in_view > 0.0:
            where = "the skin is drawn around it"
            if shares.far > 0.0:
                where += ", except beyond the flat end, where it is left out"
        yield f"{100 * outside:.0f} % of {name} lies outside the body as it was drawn: {where}. {_REMEDY}"
    if shares.cut > MAX_SHARE_OUTSIDE:
        yield f"{100 * shares.cut:.0f} % of {name} lies just beyond the body's flat end, and is cut with it."


def _reaches_beyond(mask: VoxelMask, ends: ViewEnds) -> bool:
    return mask.lower[ends.axis] < ends.first or mask.upper[ends.axis] > ends.stop


def _shares(mask: VoxelMask, drawn: VoxelMask, air: Air, ends: ViewEnds, grid: Grid) -> _Shares:
    axis = ends.axis
    others = tuple(a for a in range(3) if a != axis)
    counts = np.count_nonzero(mask.cropped(), axis=others)
    outside = np.count_nonzero(_in_air(mask, drawn, air), axis=others)
    index = mask.lower[axis] + np.arange(len(counts))
    in_view = (index >= ends.first) & (index < ends.stop)
    reach = slices_within(MAX_BEYOND_MM, float(grid.spacing_mm[axis]))
    just_beyond = ~in_view & (index >= ends.first - reach) & (index < ends.stop + reach)
    far = ~in_view & ~just_beyond
    judged = int(counts[~just_beyond].sum())
    any_in_view = bool(counts[in_view].any())
    return _Shares(
        in_view=outside[in_view].sum() / judged if judged else 0.0,
        far=outside[far].sum() / judged if judged else 0.0,
        cut=counts[just_beyond].sum() / mask.count if any_in_view else 0.0,
    )


def _share(mask: VoxelMask, drawn: VoxelMask, air: Air) -> float:
    """The share of a mask outside the drawn body. If it is small, enclosed voxels count as outside, to save
    time."""
    bare = int(np.count_nonzero(_bare(mask, drawn)))
    if bare > MAX_SHARE_OUTSIDE * mask.count:
        bare = int(np.count_nonzero(_in_air(mask, drawn, air)))
    return bare / mask.count


def _bare(mask: VoxelMask, drawn: VoxelMask) -> Bool[np.ndarray, "mx my mz"]:
    return np.asarray(mask.cropped() & (drawn.layer[mask.slices] != drawn.label))


def _in_air(mask: VoxelMask, drawn: VoxelMask, air: Air) -> Bool[np.ndarray, "mx my mz"]:
    """The voxels of a mask, over its box, outside the drawn body. Voxels that the body encloses in a slice
    are inside: in a label map, an organ's voxels are not the body's."""
    bare = _bare(mask, drawn)
    for k in np.flatnonzero(bare.any(axis=(0, 1))):
        bare[:, :, k] &= air(mask.lower[2] + int(k))[mask.slices[:2]]
    return bare


def _air_around(parts: BodyParts) -> Air:
    """The voxels outside the drawn body that are connected, within a slice, to open air at the slice's
    border. An organ that the border cuts is not air."""

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
        "input", value, "Check that all are in one frame (LPS or RAS), in mm (not cm), and from one scan."
    )


def _meets(mask: VoxelMask, body: VoxelMask) -> bool:
    return bool(np.any((body.layer[mask.slices] == body.label) & mask.cropped()))


def _some(names: list[str], most: int = 10) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
