"""The pose: how the patient lies, and what is around the patient."""

from dataclasses import dataclass

from anatomy.patient.pose import Position
from planner.records.request.needle import Needle


@dataclass(frozen=True)
class PoseRequest:
    """How the patient lies. `table` names a structure, or "derive": a half space under the body.

    Hub and guide are a cylinder of `hub_length_mm` by `hub_diameter_mm` beyond the needle's length, at least
    as thick as the needle. Of length 0.0, there is none.
    """

    position: Position = Position.SUPINE
    rotation_deg: float = 0.0
    table: str = "derive"
    bore_diameter_mm: float = 700.0
    hub_length_mm: float = 30.0
    hub_diameter_mm: float = 8.0

    def hub_radius_mm(self, needle: Needle) -> float:
        """Half the hub's diameter; the needle's radius where there is no hub, or a thinner one."""
        hub = self.hub_diameter_mm / 2 if self.hub_length_mm > 0.0 else 0.0
        return max(hub, needle.radius_mm)
