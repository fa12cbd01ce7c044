"""Sizes: a body or an organ too small for any patient was written in cm, m or inches and is read as mm.

Volumes tell units apart where lengths do not: cm for mm makes an organ a thousandth of itself, and neither a
child nor a cropped field of view does that. Bounds lie below a newborn's organ and above an adult's in cm.

    voxels    one grid, one unit: refused where the body is too small or, without a body, every organ known
              here; a crumb of one organ at the edge of the field of view is let be
    surfaces  each file may have a unit of its own: body, heart, aorta and lungs are looked at one by one
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from anatomy.errors import StructureError, SurfaceError
from anatomy.frames import Grid
from anatomy.roles import role_of, words_of
from anatomy.structures import Role, Structure, Surface

MM3_PER_CM3 = 1000.0


@dataclass(frozen=True)
class _Size:
    """`least_cm3` is less than any patient has, even in part; `usual_cm3` is an adult's, to guess a unit by.
    `alone` tells whether one such organ decides: others are often cut to crumbs by the field of view."""

    least_cm3: float
    usual_cm3: float
    alone: bool


_BODY = _Size(100.0, 25_000.0, True)
_LOBE = _Size(3.0, 800.0, False)

_SIZES: Mapping[str, _Size] = {
    "heart": _Size(3.0, 600.0, True),
    "aorta": _Size(1.0, 200.0, True),
    "lung": _Size(15.0, 2500.0, True),
    "liver": _Size(15.0, 1500.0, False),
    "vertebrae": _Size(0.3, 40.0, False),
    "rib": _Size(0.1, 15.0, False),
    "sternum": _Size(0.3, 60.0, False),
    "scapula": _Size(0.5, 80.0, False),
    "trachea": _Size(0.15, 30.0, False),
    "esophagus": _Size(0.15, 30.0, False),
}
"""By the one word that is left of a name without its side, number and level. [U] all: from the rule above."""

LEAST_TARGET_MM = 4.0
"""A target's surface that is shorter is in another unit [U]: what is implanted is no smaller than a seed,
4.5 mm."""

_UNITS = (("cm", 15.5), ("cm or inches", 18.0), ("inches", 100.0), ("m", np.inf))
"""Likely units, each up to a ratio of an adult's length to what was read, in order: 10 is cm, 25.4 inches."""


def refuse_unlikely_voxels(structures: Sequence[Structure], grid: Grid) -> None:
    """Raise StructureError where structures of one grid are too small to be a patient's in mm.

    Roles are those given, else those that names imply; structures may be empty.
    """
    filled = [s for s in structures if s.mask.count > 0]
    bodies = [s for s in filled if (s.role or role_of(s.name)) is Role.SKIN]
    measured = [
        (s.name, s.mask.count * grid.voxel_volume_mm3 / MM3_PER_CM3, size)
        for s in bodies or filled
        if (size := _BODY if bodies else _size_of(s.name)) is not None
    ]
    if not measured or any(cm3 >= size.least_cm3 for _, cm3, size in measured):
        return
    name, cm3, size = max(measured, key=lambda one: one[1] / one[2].least_cm3)
    raise StructureError(
        name,
        _found(cm3, size),
        f"The grid's spacing is likely in {_unit(one[1:] for one in measured)}: write it in mm.",
    )


def refuse_unlikely_surface(file: str, name: str, surface: Surface) -> None:
    """Raise SurfaceError where the body, the heart, the aorta or a lung, by its name, is too small to be a
    patient's in mm."""
    size = _BODY if role_of(name) is Role.SKIN else _size_of(name)
    if size is None or not size.alone:
        return
    a, b, c = (surface.vertices_P[surface.faces[:, n]] - surface.vertices_P[0] for n in range(3))
    cm3 = abs(float(np.einsum("ij,ij->", a, np.cross(b, c)))) / 6.0 / MM3_PER_CM3
    if cm3 < size.least_cm3:
        raise SurfaceError(
            file,
            _found(cm3, size),
            f"It is likely in {_unit([(cm3, size)])}: write it in mm. If it is a remnant, remove the file.",
        )


def refuse_unlikely_target(file: str, surface: Surface) -> None:
    """Raise SurfaceError where a target's surface is shorter than any target."""
    longest_mm = float(np.ptp(surface.vertices_P, axis=0).max())
    if longest_mm < LEAST_TARGET_MM:
        raise SurfaceError(
            file,
            f"the target is {longest_mm:.2g} mm long, and none is shorter than {LEAST_TARGET_MM:g} mm",
            "It is likely in cm, inches or m: write it in mm.",
        )


def _found(cm3: float, size: _Size) -> str:
    return f"it holds {cm3:.2g} cm3, and no patient's less than {size.least_cm3:g} cm3"


def _size_of(name: str) -> _Size | None:
    words = words_of(name)
    if words[:1] == ("lung",) and "lobe" in words:
        return _LOBE
    kept = [w for w in words if w not in ("left", "right") and not any(c.isdigit() for c in w)]
    return _SIZES.get(kept[0]) if len(kept) == 1 else None


def _unit(measured: Iterable[tuple[float, _Size]]) -> str:
    """The unit that makes what was measured most like an adult's."""
    ratio = float(np.median([np.cbrt(size.usual_cm3 / max(cm3, 1e-9)) for cm3, size in measured]))
    return next(unit for unit, most in _UNITS if ratio < most)
