"""Sizes: a body or an organ too small for any patient was written in cm, m or inches, and would be read as
mm.

Volumes show a wrong unit better than lengths: with cm for mm an organ has a thousandth of its volume, and no
child is that small. A cropped field of view or an operation may leave a remnant just as small, so the volume
of one organ alone decides nothing. The bounds lie below a newborn's organ and above an adult's organ in cm.

    voxels    one grid, one unit: refused where the body is too small or, without one, every organ known here
    surfaces  each file may have its own unit: refused where the body is too small, or more than half of the
              known organs; or where one organ is, and in another unit it would lie among the others
    else      a remnant (anatomy.plausibility.remnants)
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from anatomy.errors import StructureError, SurfaceError
from anatomy.geometry.frames import Grid
from anatomy.geometry.surface import Surface, volume_mm3
from anatomy.names.roles import NameKey, is_known, key_of, role_of
from anatomy.structures import Role, Structure

MM3_PER_CM3 = 1000.0


@dataclass(frozen=True)
class _Size:
    """`least_cm3` is less than any patient has; `usual_cm3` is an adult's, to guess the unit."""

    least_cm3: float
    usual_cm3: float


_BODY = _Size(100.0, 25_000.0)
_LUNG = _Size(15.0, 2500.0)
_LOBE = _Size(3.0, 800.0)

_SIZES: Mapping[NameKey, _Size] = {
    key_of(name): size
    for names, size in (
        ("heart", _Size(3.0, 600.0)),
        ("aorta", _Size(1.0, 200.0)),
        ("lung lung_pleural", _LUNG),
        ("lung_upper_lobe lung_middle_lobe lung_lower_lobe", _LOBE),
        ("liver", _Size(15.0, 1500.0)),
        ("vertebrae", _Size(0.3, 40.0)),
        ("rib", _Size(0.1, 15.0)),
        ("sternum", _Size(0.3, 60.0)),
        ("scapula", _Size(0.5, 80.0)),
        ("pulmonary_artery", _Size(0.3, 60.0)),
        ("pulmonary_vein pulmonary_venous_system", _Size(0.3, 60.0)),
        ("superior_vena_cava inferior_vena_cava", _Size(0.1, 20.0)),
        ("costal_cartilage", _Size(0.3, 80.0)),
        ("spinal_cord", _Size(0.2, 30.0)),
        ("trachea", _Size(0.15, 30.0)),
        ("esophagus", _Size(0.15, 30.0)),
    )
    for name in names.split()
}
"""By family of names. All [U], from the rule above."""

MIN_OTHER_CM3 = 0.05
"""An organ that is not in the table is a remnant below this volume [U]: a cube of less than 4 mm. A vessel of
2 mm diameter has more over the height of a vertebra."""

MIN_TARGET_MM = 4.0
"""A target surface shorter than this is in another unit [U]: an implanted target is not smaller than a seed,
4.5 mm."""

_FACTORS = (10.0, 25.4, 1000.0)
"""1 cm, 1 inch and 1 m in mm."""

MAX_OF_USUAL = 4.0
"""In the correct unit an organ is at most this many times an adult's usual volume [U]."""

_UNITS = (("cm", 15.5), ("cm or inches", 18.0), ("inches", 100.0), ("m", np.inf))
"""Likely units, each with the largest ratio of an adult's length to the length read, in order: 10 means cm,
25.4 inches."""


def refuse_unlikely_voxels(structures: Sequence[Structure], grid: Grid) -> None:
    """Raise StructureError if the structures of one grid are too small for a patient in mm.

    A structure without a role has the one that its name implies; structures may be empty.
    """
    filled = [s for s in structures if s.mask.count > 0]
    bodies = [s for s in filled if (s.role or role_of(s.name)) is Role.SKIN]
    measured = [
        (s.name, volume_cm3(s, grid), size)
        for s in bodies or filled
        if (size := _BODY if bodies else _SIZES.get(key_of(s.name))) is not None
    ]
    if not measured or any(cm3 >= size.least_cm3 for _, cm3, size in measured):
        return
    name, cm3, size = max(measured, key=lambda one: one[1] / one[2].least_cm3)
    raise StructureError(
        name,
        _too_small_text(cm3, size),
        f"The grid's spacing is likely in {_unit(one[1:] for one in measured)}: write it in mm.",
    )


def refuse_unlikely_surfaces(surfaces: Mapping[str, tuple[str, Surface]]) -> None:
    """Raise SurfaceError if surfaces are too small for a patient in mm, and are not remnants.

    `surfaces` are structure names and surfaces by file name. Refused are: a body that is too small; the
    input, if more than half of body and organs are too small; and one organ that is too small, if in cm,
    inches or m it would have a normal size and lie among the others.
    """
    measured = {
        file: (enclosed_cm3(surface), size)
        for file, (name, surface) in surfaces.items()
        if (size := _BODY if role_of(name) is Role.SKIN else _SIZES.get(key_of(name))) is not None
    }
    small = [file for file, (cm3, size) in measured.items() if cm3 < size.least_cm3]
    bodies = [file for file in small if measured[file][1] is _BODY]
    others = [surface for file, (_, surface) in surfaces.items() if file not in small]
    if 2 * len(small) > len(measured):
        refused, of = [*bodies, *small], small
    else:
        refused = of = [
            f for f in small if f in bodies or _fits_enlarged(surfaces[f][1], *measured[f], others)
        ]
    for file in refused[:1]:
        name = surfaces[file][0]
        way_out = f" If it is a remnant, call it {name}_remnant: needles still keep clear of it."
        raise SurfaceError(
            file,
            _too_small_text(*measured[file]),
            f"It is likely in {_unit(measured[one] for one in of)}: write it in mm."
            + ("" if file in bodies else way_out),
        )


def _fits_enlarged(surface: Surface, cm3: float, size: _Size, others: Sequence[Surface]) -> bool:
    """Whether in another unit the surface would have an organ's volume, and meet the box around the others.

    Files in another unit shrink towards the origin. A remnant far from the origin moves away from the others
    when it is enlarged.
    """
    if not others:
        return False
    low = np.min([other.vertices_P.min(axis=0) for other in others], axis=0)
    high = np.max([other.vertices_P.max(axis=0) for other in others], axis=0)
    own_low, own_high = surface.vertices_P.min(axis=0), surface.vertices_P.max(axis=0)
    return any(
        size.least_cm3 <= factor**3 * cm3 <= MAX_OF_USUAL * size.usual_cm3
        and bool(np.all((factor * own_low <= high) & (factor * own_high >= low)))
        for factor in _FACTORS
    )


def least_cm3_of(name: str, role: Role) -> float:
    """The volume below which a structure of this name and role is a remnant. [cm3]

    A structure with the role lung is lung, whatever its name.
    """
    size = _SIZES.get(key_of(name))
    if size is None and role is Role.LUNG and not is_known(name):
        size = _LUNG
    return MIN_OTHER_CM3 if size is None else size.least_cm3


def volume_cm3(structure: Structure, grid: Grid) -> float:
    """A structure's volume: inside its surface if it has one, else of its voxels. [cm3]"""
    if structure.surface is not None:
        return enclosed_cm3(structure.surface)
    return structure.mask.count * grid.voxel_volume_mm3 / MM3_PER_CM3


def enclosed_cm3(surface: Surface) -> float:
    """The volume inside a closed surface, by the divergence theorem. [cm3]"""
    return abs(volume_mm3(surface.vertices_P, surface.faces)) / MM3_PER_CM3


def refuse_unlikely_target(file: str, surface: Surface) -> None:
    """Raise SurfaceError if a target's surface is shorter than any target."""
    longest_mm = float(np.ptp(surface.vertices_P, axis=0).max())
    if longest_mm < MIN_TARGET_MM:
        raise SurfaceError(
            file,
            f"the target is {longest_mm:.2g} mm long, and no target is shorter than {MIN_TARGET_MM:g} mm",
            "It is likely in cm, inches or m: write it in mm.",
        )


def _too_small_text(cm3: float, size: _Size) -> str:
    return f"its volume is {cm3:.2g} cm3, and no patient has less than {size.least_cm3:g} cm3"


def _unit(measured: Iterable[tuple[float, _Size]]) -> str:
    """The unit in which the measured volumes are closest to an adult's."""
    ratio = float(np.median([np.cbrt(size.usual_cm3 / max(cm3, 1e-9)) for cm3, size in measured]))
    return next(unit for unit, most in _UNITS if ratio < most)
