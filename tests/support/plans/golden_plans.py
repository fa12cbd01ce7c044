"""Golden plans, with which plans of the real chest are compared. Run as a script, this rewrites them.

python tests/run.py golden_plans 4R.json 3A.json lung.json        plans made by `seedpath plan`, in this order
"""

import json
import sys
from pathlib import Path
from typing import Any

from checkout import TESTS

from planner.records.paths import Aim
from planner.records.plan import Plan
from service.schemas.plan.file import read_plan

GOLDEN = TESTS / "golden"
TARGETS = ("station_4R", "station_3A", "lung_right_upper")
TOLERANCES = {
    "needles": 2,
    "seeds": 3,
    "lung_length_mm": 120.0,
    "pleural_punctures": 3,
    "d90_gy": 4.0,
    "v100_percent": 1.0,
    "v150_percent": 6.0,
    "v200_percent": 9.0,
}
"""How much needle sets from different random seeds differ, on 4R."""


def summary(plan: Plan) -> dict[str, Any]:
    """The content of a golden file for a plan. mm, LPS."""
    assert plan.needle_set is not None and plan.dose is not None
    keys = ("d90_gy", "v100_percent", "v150_percent", "v200_percent")
    return {
        "paths": [
            {
                "id": p.id,
                "entry_mm": [round(x, 4) for x in p.entry_mm],
                "tip_mm": [round(x, 4) for x in p.tip_mm],
                "lung_length_mm": round(p.lung_length_mm, 4),
            }
            for p in plan.paths
            if p.aim is Aim.TARGET
        ],
        "implant": {
            "needles": len(plan.needle_set.path_ids),
            "seeds": len(plan.needle_set.seeds),
            "lung_length_mm": round(plan.needle_set.lung_length_mm, 1),
            "pleural_punctures": plan.needle_set.pleural_punctures,
            **{key: round(getattr(plan.dose.target, key), 2) for key in keys},
        },
    }


if __name__ == "__main__":
    for target, file in zip(TARGETS, sys.argv[1:], strict=True):
        golden = summary(read_plan(Path(file).read_bytes()).plan)
        (GOLDEN / f"{target}.json").write_text(json.dumps(golden, indent=1) + "\n")
