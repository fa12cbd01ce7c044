"""Organ limits: the result of each row of the published tables for this implant, and its doubts."""

from dataclasses import dataclass
from enum import StrEnum

from planner.records.bounds import NonNegative


class LimitKind(StrEnum):
    """What a limit restricts."""

    MAX = "max"
    """No point of the organ gets more than the dose."""
    VOLUME = "volume"
    """Less than the volume gets the dose or more."""
    SPARED = "spared"
    """More than the volume gets less than the dose."""
    VOLUME_OR_SPARED = "volume or spared"
    """Sources give the same numbers for both."""
    RELATIVE = "relative"
    """A part of a prescription, or of an organ: an implant cannot be compared with it."""
    UNSTATED = "unstated"
    """The table has the row, but no limit in it."""


class Doubt(StrEnum):
    """What a comparison with an organ limit leaves open. `planner.records.wording.organ_limits` has the
    sentences."""

    NO_DOSE = "no_dose"
    """The row states no dose: nothing to compare."""
    NOT_IN_INPUT = "not_in_input"
    """The input has no voxel of the organ."""
    TINY = "tiny"
    """The organ is smaller than the volume used as a point: its hottest sample is compared."""
    PART_GETS_MORE = "part_gets_more"
    """The volume used as a point meets a maximum, but a smaller part of the organ gets more."""
    SMALL = "small"
    """The segmented organ is not larger than the volume that must be spared."""
    OTHER_READING = "other_reading"
    """One of the two readings of a row is met, the other is not."""
    UNVERIFIED = "unverified"
    """The row is in one score card only, and may not belong to the protocol."""
    WALL = "wall"
    """According to statements without a source, the row means only the wall away from the target."""
    LACKING = "lacking"
    """The input lacks a part of the organ."""
    HOLDS_MORE = "holds_more"
    """The structure compared contains more than the organ."""
    HOLDS_TARGET = "holds_target"
    """The structure compared is a solid that also contains the target."""
    IN_SEED = "in_seed"
    """The stated BED is the highest known outside seeds: the true value is at least that."""
    BEAMS_IN_FULL = "beams_in_full"
    """Earlier external beams are counted in full everywhere."""


@dataclass(frozen=True)
class LimitComparison:
    """A protocol's organ limit compared with the plan, both as BED.

    `met` is False if the segmented structures exceed the row as it reads, whatever the `doubts`; True if the
    limit is met whatever the `doubts`; None if neither is certain. `achieved_bed_gy` is the least BED of the
    hottest `volume_cc` (0.1 cc for a maximum). `achieved_cc` is the volume that gets `limit_bed_gy` or more;
    for a limit on a spared volume, the volume that gets less. `organ_cc` is the volume of the structures
    compared. `lacking` names a part of the organ that the input lacks. `reason` is all of this in words.
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
