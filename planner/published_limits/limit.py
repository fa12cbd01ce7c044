"""An organ limit, as one row of a published table states it, and the table.

organ      kind     dose, volume           fractions
"Heart"    volume   32 Gy, 15 cc           5           less than 15 cc get 32 Gy or more
"""

from dataclasses import dataclass
from enum import StrEnum

from planner.records.organ_limits import LimitKind
from planner.records.wording.number_text import counted


class Scope(StrEnum):
    """How far a row's words can be trusted."""

    WHOLE = "whole"
    NOT_ADJACENT = "non-adjacent wall"
    """Said to hold for the wall away from the target only; the words are from memory, not from a source."""
    UNVERIFIED = "unverified"
    """In the score card, and not known to be in the protocol."""


@dataclass(frozen=True)
class OrganLimit:
    """One row of a protocol, its organ as printed. Dose and volume are None where it has none. [Gy, cc]"""

    protocol: str
    organ: str
    kind: LimitKind
    dose_gy: float | None
    volume_cc: float | None
    fractions: int
    scope: Scope = Scope.WHOLE
    note: str = ""

    @property
    def words(self) -> str:
        """The limit in words, without organ and protocol."""
        fractions = f"in {counted(self.fractions, 'fraction')}"
        match self.kind:
            case LimitKind.MAX:
                return f"at most {self.dose_gy:g} Gy anywhere, {fractions}"
            case LimitKind.VOLUME:
                return f"less than {self.volume_cc:g} cc with {self.dose_gy:g} Gy or more, {fractions}"
            case LimitKind.SPARED:
                return f"more than {self.volume_cc:g} cc with less than {self.dose_gy:g} Gy, {fractions}"
            case LimitKind.VOLUME_OR_SPARED:
                cc, gy = f"{self.volume_cc:g} cc", f"{self.dose_gy:g} Gy"
                return f"less than {cc} with {gy} or more, or more than {cc} with less, {fractions}"
            case LimitKind.RELATIVE:
                return self.note
            case _:
                return "none stated"


@dataclass(frozen=True)
class Protocol:
    """A table of limits, and where it was read."""

    name: str
    fractions: int
    source: str
    limits: tuple[OrganLimit, ...]
