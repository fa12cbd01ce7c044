"""The seeds: their model, strength and spacing."""

from dataclasses import dataclass
from datetime import date
from typing import Annotated

from planner.records.bounds import Limit
from planner.sources import source_named
from planner.sources.source import Source

SpacingMm = Annotated[float, Limit(4.5, 50.0, "mm", "seeds are 4.5 mm long or more and must not overlap")]


@dataclass(frozen=True)
class SeedRequest:
    """Seeds, and how they may stand along a track: 0.6 mCi (Dong 2021, 10.1111/1759-7714.13932); spacing 0.5
    to 1.0 cm centre to centre (10.21037/jtd JTD 2020;12:5996).

    `activity_mci` is apparent activity on `calibration_date`; it decays until `implant_date`. Without the two
    dates it is that of the implant.
    """

    model: str = "amersham_6711"
    activity_mci: Annotated[
        float, Limit(0.05, 5.0, "mCi", "the source series used 0.6 mCi; 1 mCi is 37 MBq of apparent activity")
    ] = 0.6
    spacing_mm: SpacingMm = 10.0
    min_spacing_mm: SpacingMm = 5.0
    calibration_date: date | None = None
    implant_date: date | None = None

    @property
    def source(self) -> Source:
        """The source of this model. Raises RequestError for a model that is not known."""
        return source_named(self.model)

    @property
    def decay_days(self) -> float:
        """Days from calibration to implant, 0.0 where the dates are not given."""
        if self.calibration_date is None or self.implant_date is None:
            return 0.0
        return float((self.implant_date - self.calibration_date).days)
