"""The prescription: the dose to the PTV, its goals, and what the dose is compared with."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


@dataclass(frozen=True)
class Goals:
    """What the dose in the PTV is to reach: D90 and V100 at least, V150 and V200 at most.

    `d90_gy` None: the prescribed dose. Ranges in use: V100 >= 90 to 95 %, V150 <= 50 to 70 %, V200 < 50 %
    (inferred from Wang 2022, 10.5114/jcb.2022.113548, and others; no guideline).
    """

    d90_gy: float | None = None
    v100_percent: float = 95.0
    v150_percent: float = 70.0
    v200_percent: float = 50.0


@dataclass(frozen=True)
class OrganGoal:
    """The most dose that the hottest part of an organ may get. [Gy] None: no limit."""

    d0_1cc_gy: float | None = None
    d1cc_gy: float | None = None
    d2cc_gy: float | None = None


@dataclass(frozen=True)
class PriorExternal:
    """External beam therapy given before: total dose, number of fractions, and the days since. The interval
    is stated and not counted as recovery."""

    dose_gy: float
    fractions: int
    interval_days: float | None = None


@dataclass(frozen=True)
class BedRequest:
    """What biologically effective dose is reckoned with: alpha/beta 10 Gy acute, 3 Gy late (Dong 2021,
    10.1111/1759-7714.13932); half-time of repair [U]; the protocols whose organ limits are compared."""

    alpha_beta_target_gy: float = 10.0
    alpha_beta_organ_gy: float = 3.0
    repair_half_time_h: float = 1.5
    protocols: tuple[str, ...] = ("RTOG_0813_5fx",)


@dataclass(frozen=True)
class Prescription:
    """The dose prescribed to the PTV's edge, and what the plan is to keep. 110 to 160 Gy, median 130 (Dong
    2021, 10.1111/1759-7714.13932); 120 Gy is a setting in that range [U]."""

    dose_gy: float = 120.0
    goals: Goals = Goals()
    organ_goals: Mapping[str, OrganGoal] = field(default_factory=lambda: MappingProxyType({}))
    prior_external: PriorExternal | None = None
    bed: BedRequest = BedRequest()

    @property
    def d90_goal_gy(self) -> float:
        """What D90 is to reach: the prescribed dose where nothing else is asked for."""
        return self.dose_gy if self.goals.d90_gy is None else self.goals.d90_gy
