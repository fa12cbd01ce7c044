"""Outside: organs that lie in the air beside the body, as those of another frame, unit or scan do."""

import numpy as np

from anatomy.errors import FrameMismatch
from anatomy.structures import Role, Structure, VoxelMask

_REMEDY = "Check its frame (LPS or RAS), its unit (mm, not cm) and that it is of the same scan."


def notes_on_outside(structures: tuple[Structure, ...], body: tuple[VoxelMask, ...]) -> tuple[str, ...]:
    """One sentence for each forbidden or lung structure that lies wholly outside the body.

    `structures` have roles and are not empty; `body` is the body and the parts of it that lie apart. Raises
    FrameMismatch where all of them lie there.
    """
    organs = [s for s in structures if s.role in (Role.FORBIDDEN, Role.LUNG)]
    outside = [s.name for s in organs if not any(_meets(s.mask, part) for part in body)]
    if outside and len(outside) == len(organs):
        raise FrameMismatch(
            "input",
            f"all forbidden and lung structures lie wholly outside the body: {_some(outside)}",
            "Check that all are in one frame (LPS or RAS), in mm (not cm), and of one scan.",
        )
    return tuple(f"{name} lies wholly outside the body. {_REMEDY}" for name in outside)


def _meets(mask: VoxelMask, body: VoxelMask) -> bool:
    return bool(np.any((body.layer[mask.slices] == body.label) & mask.cropped()))


def _some(names: list[str], most: int = 10) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
