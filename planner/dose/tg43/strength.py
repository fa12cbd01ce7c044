"""Strength of a seed: ordered in mCi, used in U, with decay until the day of the implant.

TG-43 uses air-kerma strength only (1 U = 1 cGy cm2/h). The apparent activity is that of a bare point source
with the same strength. The factor between the two is a convention for each nuclide, the air-kerma rate
constant of AAPM TG-43 (Nath 1995, 10.1118/1.597458):

    I-125    1.45 R cm2/(mCi h) x 0.876 cGy/R = 1.270 U/mCi
    Pd-103   1.476              x 0.876       = 1.293
"""

from collections.abc import Mapping
from math import exp, isfinite, log
from types import MappingProxyType

from anatomy.errors import RequestPath
from anatomy.names.did_you_mean import did_you_mean
from planner.errors import RequestError

U_PER_MCI: Mapping[str, float] = MappingProxyType({"I-125": 1.270, "Pd-103": 1.293})
"""Air-kerma strength of 1 mCi apparent activity, by nuclide."""

ACTIVITY_FIELD = ("seeds", "activity_mci")
CALIBRATION_FIELD = ("seeds", "calibration_date")


def strength_u(nuclide: str, activity_mci: float) -> float:
    """Air-kerma strength of an apparent activity, in U.

    Raises RequestError for an activity that is not positive, or a nuclide without a factor.
    """
    return _factor(nuclide) * _checked(activity_mci, ACTIVITY_FIELD, "mCi")


def activity_mci(nuclide: str, strength_u: float) -> float:
    """Apparent activity of an air-kerma strength. [mCi] Raises RequestError as `strength_u` does."""
    return _checked(strength_u, ACTIVITY_FIELD, "U") / _factor(nuclide)


def decayed_strength_u(strength_u: float, half_life_d: float, days: float) -> float:
    """The strength `days` after its calibration: S exp(-ln 2 days / half-life). [U]

    Raises RequestError for a strength that is not positive, or for a calibration after the implant (`days`
    below 0).
    """
    if not (isfinite(days) and days >= 0.0):
        raise RequestError(
            CALIBRATION_FIELD,
            f"the calibration lies {-days:g} {'day' if days == -1.0 else 'days'} after the implant",
            "Give the date on the seeds' certificate, and the day of the implant: not before it.",
        )
    return _checked(strength_u, ACTIVITY_FIELD, "U") * exp(-log(2.0) * days / half_life_d)


def _checked(value: float, field: RequestPath, unit: str) -> float:
    if not (isfinite(value) and value > 0.0):
        raise RequestError(
            field,
            f"a seed of {value:g} {unit} gives no dose",
            "Give a number above 0, as on the certificate.",
        )
    return value


def _factor(nuclide: str) -> float:
    factor = U_PER_MCI.get(nuclide)
    if factor is None:
        raise RequestError(
            ("seeds", "model"), f"no U for each mCi of {nuclide}", did_you_mean(nuclide, list(U_PER_MCI))
        )
    return factor
