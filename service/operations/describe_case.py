"""Describe a case: its grid, structures with roles and volumes, targets, and notes of the readers."""

from typing import Any

from anatomy.names.roles import is_known, role_of
from anatomy.patient.notes import notes_on_names
from anatomy.plausibility.remnants import note_on_remnants, remnants_of
from anatomy.plausibility.sizes import refuse_unlikely_voxels
from anatomy.structures import Role
from service.operations.case import Case
from service.operations.open_case import open_case
from service.schemas.plan.file import inputs_to_json


def describe_case(case: Case) -> dict[str, Any]:
    """What a case contains, as JSON values: grid, structures with the roles that their names imply, targets
    (those given as such, else those by role), inputs, and notes on structures that are empty or unknown.

    Raises AnatomyError for anything that cannot be read.
    """
    segmentation, targets = open_case(case)
    grid = segmentation.grid
    refuse_unlikely_voxels(segmentation.structures, grid)
    roled = [s.with_role(s.role or role_of(s.name)) for s in segmentation.structures]
    by_role = [s.name for s in roled if s.role is Role.TARGET]
    return {
        "grid": {
            "shape": list(grid.shape),
            "spacing_mm": [round(float(s), 6) for s in grid.spacing_mm],
        },
        "structures": [
            {
                "name": s.name,
                "role": str(s.role or role_of(s.name)),
                "known_name": is_known(s.name),
                "volume_mm3": round(s.mask.count * grid.voxel_volume_mm3, 3),
            }
            for s in segmentation.structures
        ],
        "targets": list(targets) or by_role,
        "notes": [
            *segmentation.notes,
            *notes_on_names(segmentation, {}),
            *note_on_remnants(remnants_of(roled, grid)),
        ],
        "inputs": inputs_to_json(segmentation.inputs),
    }
