"""The prescription: the dose to the PTV, its goals, and what the dose is compared with."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Annotated

from planner.records.bounds import Limit

GoalPercent = Annotated[float, Limit(0.0, 100.0, "%", "a share of a volume")]
OrganGoalGy = Annotated[
    float, Limit(0.1, 2000.0, "Gy", "less is not measured, and 2000 Gy touches a seed; null is no limit")
]
Fractions = Annotated[int, Limit(1.0, 200.0, "", "twice a day for twenty weeks")]


@dataclass(frozen=True)
class Goals:
    """What the dose in the PTV is to reach: D90 and V100 at least, V150 and V200 at most.

    Without `d90_gy` it is the prescribed dose. Ranges in use: V100 >= 90 to 95 %, V150 <= 50 to 70 %, V200
    < 50 % (inferred from Wang 2022, 10.5114/jcb.2022.113548, and others; no guideline).
    """

    d90_gy: Annotated[float, Limit(10.0, 1000.0, "Gy", "null takes the prescribed dose")] | None = None
    v100_percent: GoalPercent = 95.0
    v150_percent: GoalPercent = 70.0
    v200_percent: GoalPercent = 50.0


@dataclass(frozen=True)
class OrganGoal:
    """The most dose that the hottest part of an organ may get. [Gy] Without one there is no limit."""

    d0_1cc_gy: OrganGoalGy | None = None
    d1cc_gy: OrganGoalGy | None = None
    d2cc_gy: OrganGoalGy | None = None


@dataclass(frozen=True)
class PriorExternal:
    """External beam therapy given before: total dose, number of fractions, and the days since. The interval
    is stated and not counted as recovery."""

    dose_gy: Annotated[float, Limit(0.0, 200.0, "Gy", "the whole dose of all fractions, not their BED")]
    fractions: Fractions
    interval_days: Annotated[float, Limit(0.0, 36_500.0, "days", "a hundred years")] | None = None


@dataclass(frozen=True)
class BedRequest:
    """Parameters of the biologically effective dose: alpha/beta 10 Gy for acute and 3 Gy for late effects
    (Dong 2021, 10.1111/1759-7714.13932); half-time of repair [U]; the protocols whose organ limits are
    compared."""

    alpha_beta_target_gy: Annotated[float, Limit(0.5, 50.0, "Gy", "10 Gy is usual for acute effects")] = 10.0
    alpha_beta_organ_gy: Annotated[float, Limit(0.5, 50.0, "Gy", "3 Gy is usual for late effects")] = 3.0
    repair_half_time_h: Annotated[float, Limit(0.05, 48.0, "h", "tissues repair within minutes to a day")] = (
        1.5
    )
    protocols: tuple[str, ...] = ("RTOG_0813_5fx",)


@dataclass(frozen=True)
class Prescription:
    """The dose prescribed to the PTV's edge, and what the plan is to keep. 110 to 160 Gy, median 130 (Dong
    2021, 10.1111/1759-7714.13932); 120 Gy is a setting in that range [U]."""

    dose_gy: Annotated[
        float, Limit(10.0, 500.0, "Gy", "the source series prescribed 110 to 160 Gy, given over months")
    ] = 120.0
    goals: Goals = Goals()
    organ_goals: Mapping[str, OrganGoal] = field(default_factory=lambda: MappingProxyType({}))
    prior_external: PriorExternal | None = None
    bed: BedRequest = BedRequest()

    @property
    def d90_goal_gy(self) -> float:
        """What D90 is to reach: the prescribed dose where nothing else is asked for."""
        return self.dose_gy if self.goals.d90_gy is None else self.goals.d90_gy
