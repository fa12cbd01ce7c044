"""The request: what is asked of a plan, in the field's terms, with every default and its source.

Defaults that name no source are settings ([U] in the clinical notes): each can be changed
in the request and is written into the plan.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Annotated

from planner.records.bounds import Limit
from planner.records.request.clearances import ClearanceMm, Clearances
from planner.records.request.needle import Needle, NeedleAssembly
from planner.records.request.needle_set import NeedleSetRequest
from planner.records.request.pose import PoseRequest
from planner.records.request.prescription import Prescription
from planner.records.request.ranking import DEFAULT_RANKING, PathOrder, Weight
from planner.records.request.robustness import RobustnessRequest
from planner.records.request.search import SearchRequest
from planner.records.request.seeds import SeedRequest
from planner.records.request.target import TargetRequest

RandomSeed = Annotated[int, Limit(0.0, 2.0**32 - 1, "", "32 bits")]


@dataclass(frozen=True)
class Request:
    """Everything a plan depends on besides the scene.

    `clearance_mm` maps structure names to the free distance from the needle's wall; "default" holds for
    all others. `roles` overrides the roles that names imply. `ranking` names scores in falling order of
    weight; where `weights` is not empty, their weighted sum orders instead. Without a `prescription` paths
    alone are planned: no needle set, no dose.
    """

    target: TargetRequest = field(default_factory=TargetRequest)
    needle: Needle = field(default_factory=Needle)
    clearance_mm: Mapping[str, ClearanceMm] = field(
        default_factory=lambda: MappingProxyType({"default": 2.0})
    )
    roles: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    pose: PoseRequest = field(default_factory=PoseRequest)
    search: SearchRequest = field(default_factory=SearchRequest)
    ranking: tuple[str, ...] = DEFAULT_RANKING
    weights: Mapping[str, Weight] = field(default_factory=lambda: MappingProxyType({}))
    seeds: SeedRequest = field(default_factory=SeedRequest)
    needle_set: NeedleSetRequest = field(default_factory=NeedleSetRequest)
    prescription: Prescription | None = None
    robustness: RobustnessRequest = field(default_factory=RobustnessRequest)
    random_seed: RandomSeed = 0

    def clearance_of(self, structure: str) -> float:
        """Free distance from the needle's wall that this structure needs. [mm]"""
        return self.clearances.of(structure)

    @property
    def clearances(self) -> Clearances:
        """The free distance that each structure needs."""
        return Clearances(self.clearance_mm, self.needle.radius_mm)

    @property
    def needle_assembly(self) -> NeedleAssembly:
        """The needle with its hub."""
        return NeedleAssembly(
            self.needle.max_length_mm, self.needle.radius_mm, self.pose.hub_length_mm, self.hub_radius_mm
        )

    @property
    def path_order(self) -> PathOrder:
        """How paths are ordered."""
        return PathOrder(self.ranking, self.weights)

    @property
    def hub_radius_mm(self) -> float:
        """Radius of the hub, at least that of the needle."""
        return self.pose.hub_radius_mm(self.needle)

    def need_mm(self, structure: str) -> float:
        """Free distance from the needle's axis: its radius and the clearance. [mm]"""
        return self.clearances.need_mm(structure)
