"""The pose: how the patient lies, and what is around the patient."""

from dataclasses import dataclass
from typing import Annotated

from anatomy.patient.pose import Position
from planner.records.bounds import Limit, Name
from planner.records.request.needle import Needle


@dataclass(frozen=True)
class PoseRequest:
    """How the patient lies. `table` names a structure, or "derive": a half space under the body.

    Hub and guide are a cylinder of `hub_length_mm` by `hub_diameter_mm` beyond the needle's length, at least
    as thick as the needle. A length of 0.0 means no hub.
    """

    position: Position = Position.SUPINE
    rotation_deg: Annotated[float, Limit(-180.0, 180.0, "deg", "one turn")] = 0.0
    table: Name = "derive"
    bore_diameter_mm: Annotated[
        float, Limit(300.0, 2000.0, "mm", "a patient must fit; 2000 mm stands for no bore at all")
    ] = 700.0
    hub_length_mm: Annotated[
        float, Limit(0.0, 300.0, "mm", "hub and guide are shorter than the bore is wide")
    ] = 30.0
    hub_diameter_mm: Annotated[float, Limit(0.0, 100.0, "mm", "hub and guide are held in a hand")] = 8.0

    def hub_radius_mm(self, needle: Needle) -> float:
        """Half the hub's diameter; the needle's radius where there is no hub, or a thinner one."""
        hub = self.hub_diameter_mm / 2 if self.hub_length_mm > 0.0 else 0.0
        return max(hub, needle.radius_mm)
