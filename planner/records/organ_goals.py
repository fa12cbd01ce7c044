"""Organ goals: the doses that a request may limit in an organ, and the dose compared if the organ is
small."""

from anatomy.geometry.frames import MM3_PER_CC
from anatomy.names.did_you_mean import did_you_mean
from anatomy.scene import Scene
from anatomy.structures import Role
from planner.errors import RequestError
from planner.records.dose import OrganDose
from planner.records.request.prescription import Prescription

REPORTED_ROLES = (Role.FORBIDDEN, Role.LUNG, Role.PASSABLE)
"""Roles of structures whose dose is reported: organs, not the target, skin or table."""
GOAL_VOLUMES_CC = {"d0_1cc_gy": 0.1, "d1cc_gy": 1.0, "d2cc_gy": 2.0}
"""The volume of each goal, smallest first. [cc]"""
MIN_GOAL_CC = GOAL_VOLUMES_CC["d0_1cc_gy"]
_ROUNDING = 1e-6


def refuse_impossible_goals(scene: Scene, prescription: Prescription | None) -> None:
    """Raise RequestError for the first goal without a dose to compare: of an unknown structure, of a
    structure that is not an organ, or of one too small to be the organ of its name or to have a D0.1cc."""
    goals = () if prescription is None else prescription.organ_goals
    organs = [s.name for s in scene.of_role(*REPORTED_ROLES)]
    for name in sorted(goals):
        field = ("prescription", "organ_goals", name)
        if name not in scene.names():
            raise RequestError(field, "there is no such structure", did_you_mean(name, scene.names()))
        structure = scene.structure(name)
        if name not in organs:
            raise RequestError(
                field,
                f"its role is {structure.role}, and dose is reported of organs at risk only",
                f"Give it another role, or name one of: {', '.join(organs)}.",
            )
        cc = structure.mask.count * scene.grid.voxel_volume_mm3 / MM3_PER_CC
        if name in scene.too_small or cc < MIN_GOAL_CC * (1.0 + _ROUNDING):
            raise RequestError(
                field,
                f"only {cc:.2g} cm3 of it is in the input, too little to hold a goal against",
                "Give the whole organ, or leave the goal out.",
            )


def goal_dose_gy(organ: OrganDose, field: str) -> float:
    """The dose that the goal `field` is compared with. If the organ is smaller than the goal's volume, it is
    the dose to the largest smaller volume, which is not lower. [Gy]"""
    doses = (getattr(organ, name) for name, cc in GOAL_VOLUMES_CC.items() if cc <= GOAL_VOLUMES_CC[field])
    return [float(dose) for dose in doses if dose is not None][-1]


def goal_volume_cc(field: str, organ_cc: float) -> float:
    """The volume that `goal_dose_gy` uses for an organ of that volume. [cc]"""
    return max(
        cc for cc in GOAL_VOLUMES_CC.values() if cc <= min(GOAL_VOLUMES_CC[field], max(organ_cc, MIN_GOAL_CC))
    )
