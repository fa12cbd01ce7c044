"""Outside: organs that lie in the air beside the body, as those of another frame, unit or scan do."""

from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
from jaxtyping import Bool
from scipy import ndimage

from anatomy.body_parts import BodyParts
from anatomy.errors import FrameMismatch
from anatomy.structures import Role, Structure, VoxelMask

MOST_OUTSIDE = 0.2
"""An organ of which more than this part lies outside the body as drawn is told of [U]: skin is drawn around
it, and its edge is no skin."""

MOST_OF_ALL = 0.5
"""Where more than this part of all organs' volume, and of their number, lies there, the body or they are of
another frame [U]. One large stray organ is no such case."""

FEWEST_ORGANS = 3
"""A majority says something of a frame from this many organs on [U]: of fewer, each is told of."""

_REMEDY = "Check its frame (LPS or RAS), its unit (mm, not cm) and that it is of the same scan."


def notes_on_outside(structures: Sequence[Structure], parts: BodyParts, *, guessed: bool) -> tuple[str, ...]:
    """One sentence for each forbidden or lung structure that lies wholly outside the body, or for more than
    MOST_OUTSIDE outside what was drawn as body.

    `structures` have roles and are not empty. A guessed skin is made of organs: that they lie in it says
    nothing of their frame. Raises FrameMismatch where all of them lie outside, or more than MOST_OF_ALL of
    them.
    """
    organs = [s for s in structures if s.role in (Role.FORBIDDEN, Role.LUNG)]
    body = (parts.body,) if guessed else (parts.body, *parts.apart)
    wholly = [s.name for s in organs if not any(_meets(s.mask, part) for part in body)]
    if wholly and len(wholly) == len(organs):
        raise _mismatch(f"all forbidden and lung structures lie wholly outside the body: {_some(wholly)}")
    said = [f"{name} lies wholly outside the body. {_REMEDY}" for name in wholly]
    if guessed:
        return tuple(said)
    air = _air_around(parts)
    shares = {s.name: _share(s.mask, parts.drawn, air) for s in organs}
    total = sum(s.mask.count for s in organs)
    outside = sum(shares[s.name] * s.mask.count for s in organs)
    partly = [name for name, share in shares.items() if share > MOST_OUTSIDE and name not in wholly]
    mostly = sum(share > MOST_OF_ALL for share in shares.values())
    judged = len(organs) >= FEWEST_ORGANS
    if judged and outside > MOST_OF_ALL * total and mostly > MOST_OF_ALL * len(organs):
        raise _mismatch(
            f"{100 * outside / total:.0f} % of the volume of forbidden and lung structures lies outside the "
            f"body as it was drawn: {_some([*wholly, *partly])}"
        )
    said += [
        f"{100 * shares[name]:.0f} % of {name} lies outside the body as it was drawn: the skin is drawn "
        f"around it. {_REMEDY}"
        for name in partly
    ]
    return tuple(said)


def _share(mask: VoxelMask, drawn: VoxelMask, air: Callable[[int], Bool[np.ndarray, "nx ny"]]) -> float:
    """The part of a mask that lies outside what was drawn. What this encloses in a slice lies inside: in a
    label map, no voxel of an organ is one of the body."""
    bare = mask.cropped() & (drawn.layer[mask.slices] != drawn.label)
    if np.count_nonzero(bare) <= MOST_OUTSIDE * mask.count:
        return np.count_nonzero(bare) / mask.count
    count = 0
    for k in np.flatnonzero(bare.any(axis=(0, 1))):
        count += int(np.count_nonzero(bare[:, :, k] & air(mask.lower[2] + int(k))[mask.slices[:2]]))
    return count / mask.count


def _air_around(parts: BodyParts) -> Callable[[int], Bool[np.ndarray, "nx ny"]]:
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
