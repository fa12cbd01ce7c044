"""Seeds and needles: what JSON asks of the request's sections about them beyond the bounds of the records."""

from math import hypot
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator
from pydantic.dataclasses import dataclass

from planner.records.request.given import GivenAxis, GivenNeedle, GivenPoint, GivenSeed
from planner.records.request.needle_set import MaxNeedles, NeedleSetRequest
from planner.records.request.robustness import RobustnessRequest, Samples
from planner.records.request.seeds import SeedRequest
from planner.sources import SOURCES, source_named
from service.schemas.json.ranges import MAX_NEEDLES, MAX_SEEDS
from service.schemas.json.records import STRICT, ReadAs
from service.schemas.request.fields import WHOLE, IsoDate, known_as

_SOURCES = [source.name for source in SOURCES]
SourceName = Annotated[str, known_as(_SOURCES), Field(json_schema_extra={"enum": _SOURCES})]
"""The seeds whose TG-43 data the planner has."""

MOST_DECAY_DAYS = 600
"""Ten half-lives, after which a thousandth of the activity is left: a date must be wrong [U]."""

NO_NEEDLE_MM = 1.0
"""Entry and tip that are closer than this define no direction [U]."""

UNIT_WITHIN, UNIT_EXACTLY = 1e-3, 1e-12
"""The length of an axis may differ from 1 by the first, and is then normalised. Rounding up to the second is
left alone, so that a written axis reads back unchanged."""


@dataclass(frozen=True, config=STRICT)
class SeedsModel(SeedRequest):
    """Seeds, and how they may stand along a track. The activity is that of `calibration_date`; without dates,
    that of the implant."""

    model: SourceName = SeedRequest.model
    calibration_date: IsoDate | None = SeedRequest.calibration_date
    implant_date: IsoDate | None = SeedRequest.implant_date

    @model_validator(mode="after")
    def _spacings_agree(self) -> "SeedsModel":
        if self.min_spacing_mm > self.spacing_mm:
            raise ValueError(
                f"spacing_mm {self.spacing_mm:g} is below min_spacing_mm {self.min_spacing_mm:g}. "
                "Widen the one or lower the other."
            )
        return self

    @model_validator(mode="after")
    def _seeds_do_not_overlap(self) -> "SeedsModel":
        length_mm = source_named(self.model).seed_length_mm
        if self.min_spacing_mm < length_mm:
            raise ValueError(
                f"min_spacing_mm {self.min_spacing_mm:g} is below the seed's length: {self.model} is "
                f"{length_mm:g} mm long. Give at least that."
            )
        return self

    @model_validator(mode="after")
    def _dates_agree(self) -> "SeedsModel":
        calibrated, implanted = self.calibration_date, self.implant_date
        if calibrated is None and implanted is None:
            return self
        if calibrated is None or implanted is None:
            lacking = "calibration_date" if calibrated is None else "implant_date"
            raise ValueError(
                f"{lacking} is missing: decay runs between two dates. Give it too, or leave both out."
            )
        days = (implanted - calibrated).days
        if days < 0:
            raise ValueError(
                f"calibration_date {calibrated} is after implant_date {implanted}. Give the day for which "
                "the activity is stated, and a later one, or the same, for the implant."
            )
        if days > MOST_DECAY_DAYS:
            raise ValueError(
                f"{days} days lie between calibration_date and implant_date, and by then the seeds are "
                f"spent. Give at most {MOST_DECAY_DAYS}."
            )
        return self


def refuse_no_direction(entry_mm: GivenPoint, tip_mm: GivenPoint) -> None:
    """Raise ValueError where a needle's entry and tip coincide."""
    apart = hypot(*(a - b for a, b in zip(entry_mm, tip_mm, strict=True)))
    if apart < NO_NEEDLE_MM:
        raise ValueError(
            f"entry_mm and tip_mm lie {apart:g} mm apart, which is not a needle. Give where it enters the "
            "skin, and where its tip is."
        )


def _has_a_direction(needle: GivenNeedle) -> GivenNeedle:
    refuse_no_direction(needle.entry_mm, needle.tip_mm)
    return needle


def _of_length_1(axis: GivenAxis) -> GivenAxis:
    length = hypot(*axis)
    if abs(length - 1.0) > UNIT_WITHIN:
        raise ValueError(f"The axis has length {length:g}. Give a vector of length 1, or null.")
    if abs(length - 1.0) <= UNIT_EXACTLY:
        return axis
    x, y, z = (component / length for component in axis)
    return x, y, z


@dataclass(frozen=True, config=STRICT)
class GivenSeedModel(GivenSeed):
    """A seed that is to be kept, or is in already. Axis null: not known."""

    axis: Annotated[GivenAxis, AfterValidator(_of_length_1)] | None = None


GivenSeedInJson = Annotated[GivenSeed, ReadAs(GivenSeedModel)]
GivenNeedleInJson = Annotated[GivenNeedle, AfterValidator(_has_a_direction)]


@dataclass(frozen=True, config=STRICT)
class NeedleSetRequestModel(NeedleSetRequest):
    """The needles together, and what of them is there already."""

    max_needles: Annotated[MaxNeedles, WHOLE] = NeedleSetRequest.max_needles
    given_needles: Annotated[tuple[GivenNeedleInJson, ...], Field(max_length=MAX_NEEDLES)] = ()
    given_seeds: Annotated[tuple[GivenSeedInJson, ...], Field(max_length=MAX_SEEDS)] = ()

    @model_validator(mode="after")
    def _given_needles_fit(self) -> "NeedleSetRequestModel":
        if len(self.given_needles) > self.max_needles:
            raise ValueError(
                f"{len(self.given_needles)} needles are given, and max_needles is {self.max_needles}. "
                "Raise max_needles, or give fewer."
            )
        return self


@dataclass(frozen=True, config=STRICT)
class RobustnessRequestModel(RobustnessRequest):
    """How placement errors are sampled. With 0 samples, robustness is not computed."""

    samples: Annotated[Samples, WHOLE] = RobustnessRequest.samples
