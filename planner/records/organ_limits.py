"""Organ limits: how each row of the published tables ends for this implant, and what of that is in doubt."""

from dataclasses import dataclass
from enum import StrEnum

from planner.records.bounds import NonNegative


class LimitKind(StrEnum):
    """What a limit says of an organ."""

    MAX = "max"
    """No point gets more than the dose."""
    VOLUME = "volume"
    """Less than the volume gets the dose or more."""
    SPARED = "spared"
    """More than the volume gets less than the dose."""
    VOLUME_OR_SPARED = "volume or spared"
    """Sources give the same numbers for both."""
    RELATIVE = "relative"
    """A part of a prescription, or of an organ: nothing to hold an implant against."""
    UNSTATED = "unstated"
    """The table has the row, and no limit in it."""


class Doubt(StrEnum):
    """What a comparison with an organ limit leaves open. `planner.records.wording.organ_limits` has the
    sentences."""

    NO_DOSE = "no_dose"
    """The row states no dose: nothing to compare."""
    NOT_IN_INPUT = "not_in_input"
    """The input has no voxel of the organ."""
    TINY = "tiny"
    """The organ is smaller than what stands for a point: its hottest sample does."""
    PART_GETS_MORE = "part_gets_more"
    """What stands for a point meets a maximum, and less than that gets more."""
    SMALL = "small"
    """The organ as segmented is no larger than what must be spared."""
    OTHER_READING = "other_reading"
    """Of the two readings of a row one is met, the other not."""
    UNVERIFIED = "unverified"
    """The row stands in one score card and is not known to be the protocol's."""
    WALL = "wall"
    """The row is said, without a source, to mean the wall away from the target only."""
    LACKING = "lacking"
    """The input lacks a part of the organ."""
    HOLDS_MORE = "holds_more"
    """The structure compared is more than the organ."""
    HOLDS_TARGET = "holds_target"
    """The structure compared is a solid that holds the target as well."""
    IN_SEED = "in_seed"
    """The BED stated is the highest known outside seeds: it is at least that."""
    BEAMS_IN_FULL = "beams_in_full"
    """External beams before count in full everywhere."""


@dataclass(frozen=True)
class LimitComparison:
    """A protocol's organ limit beside what the plan gives, both as BED.

    `met` False: exceeded, by what was segmented and as the row reads, whatever `doubts` leave open. True: met
    whatever they leave open. None: neither can be said. `achieved_bed_gy` is what the hottest `volume_cc` get
    at least (0.1 cc for a maximum), and `achieved_cc` the volume that gets `limit_bed_gy` or more; for a
    limit on what is spared, the volume that gets less. `organ_cc` is the volume of the structures compared.
    `lacking` names a part of the organ that the input lacks. `reason` says all of this in words.
    """

    protocol: str
    organ: str
    structure: str
    limit: str
    kind: LimitKind
    volume_cc: NonNegative | None
    limit_bed_gy: NonNegative | None
    achieved_bed_gy: NonNegative | None
    achieved_cc: NonNegative | None
    organ_cc: NonNegative | None
    met: bool | None
    doubts: tuple[Doubt, ...]
    lacking: str
    reason: str
