"""Lists contain summaries of cases and plans, stored with the row and made again if they are missing."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import instant_work
import plan_work
import pytest
from alembic import command
from rest_calls import GENEROUS_S, upload, zipped
from sample_implants import ASKED, implant_plan
from sqlalchemy import select, text, update

from planner.records.organ_limits import Doubt
from planner.records.plan import Plan, Status
from service.client import Client
from service.operations.case import Case
from service.schemas.job_results import plan_result
from service.schemas.json.canonical import to_json
from service.schemas.json.records import adapter
from service.schemas.plan_summary import PlanSummary, read_summary, summary_of, summary_text
from service.schemas.result_kinds import ResultKind
from service.settings import Settings
from service.storage.case_summary import CaseSummary, case_summary_of
from service.storage.database.connection import Database
from service.storage.database.migrate import _config, migrate, revision
from service.storage.database.tables import holdings
from service.storage.file_store import StoredCase
from service.web.app import create_app
from service.web.server import serve_in_background

WAIT = {"Prefer": "wait=60"}


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def client(data_dir: Path) -> Iterator[httpx.Client]:
    with (
        serve_in_background(create_app(Settings(data_dir=data_dir), instant_work.WORK)) as base_url,
        httpx.Client(base_url=base_url, trust_env=False, timeout=GENEROUS_S) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def plan(client: httpx.Client) -> dict[str, Any]:
    """The only plan of the service, of the built-in case, as it was answered."""
    case = client.post("/v1/cases", json={"builtin": "thorax"}).json()
    response = client.post(f"/v1/cases/{case['id']}/plans", json={}, headers=WAIT)
    assert response.status_code == 200, response.text
    document: dict[str, Any] = response.json()
    return document


def listed(client: httpx.Client, collection: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = client.get(f"/v1/{collection}").json()["items"]
    return items


def in_database(data_dir: Path) -> Database:
    return Database(f"sqlite:///{data_dir / 'seedpath.sqlite'}", 5.0)


def stored_summary(data_dir: Path) -> str | None:
    statement = select(holdings.c.summary).where(holdings.c.kind == ResultKind.PLAN)
    return in_database(data_dir).read(lambda c: c.scalars(statement).one())


def store_summary(data_dir: Path, summary: str | None) -> None:
    statement = update(holdings).where(holdings.c.kind == ResultKind.PLAN).values(summary=summary)
    in_database(data_dir).write(lambda c: c.execute(statement))


def expected_summary(content: dict[str, Any]) -> dict[str, Any]:
    """The summary of a plan, derived from its JSON alone."""
    target_paths = [path for path in content["paths"] if path["aim"] == "target"]
    best_path, needle_set, dose, robustness = (
        next(iter(target_paths), None),
        *(content[section] for section in ("needle_set", "dose", "robustness")),
    )
    verification = content["verification"]
    return {
        "status": content["outcome"]["status"],
        "targets": target_names(content["request"]["target"]["structure"]),
        "missing_structures": content["missing_structures"],
        "verified": verification is not None and verification["passed"],
        "paths": len(target_paths),
        "best_path": best_path
        and {key: best_path[key] for key in ("lung_length_mm", "pleural_punctures", "clearance_mm")},
        "needle_set": needle_set
        and {
            "needles": len(needle_set["path_ids"]),
            "seeds": len(needle_set["seeds"]),
            "lung_length_mm": needle_set["lung_length_mm"],
            "pleural_punctures": needle_set["pleural_punctures"],
            "given_too_near": sorted(
                needle_set["given_too_near"],
                key=lambda record: (record["structure"] is None, record["clearance_mm"]),
            ),
            "given_seed_pairs_near": needle_set["given_seed_pairs_near"],
        },
        "dose": dose
        and {
            "prescribed_gy": dose["prescribed_gy"],
            "d90_gy": dose["target"]["d90_gy"],
            "v100_percent": dose["target"]["v100_percent"],
            "goals": len(dose["goals"]),
            "goals_missed": [goal for goal in dose["goals"] if not goal["met"]],
            "limits": len(dose["bed"]["limits"]),
            # None of the limits of these stand-in plans is of a spared structure.
            "limits_exceeded": sorted(
                (limit for limit in dose["bed"]["limits"] if limit["met"] is False),
                key=lambda limit: -limit["achieved_bed_gy"] / limit["limit_bed_gy"],
            ),
            "limits_unknown": sum(limit["met"] is None for limit in dose["bed"]["limits"]),
        },
        "robustness": robustness
        and {key: robustness[key] for key in ("placement", "d90_gy", "v100_percent", "goals_met_share")},
    }


def target_names(structure: str | list[str] | None) -> list[str]:
    if structure is None:
        return []
    return [structure] if isinstance(structure, str) else structure


def parsed(summary: str) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(summary)
    return values


# Content of a summary


@pytest.mark.parametrize(
    "plan",
    [
        implant_plan(ASKED),
        replace(implant_plan(ASKED), robustness=None, verification=None),
        replace(
            implant_plan(ASKED), needle_set=None, dose=None, robustness=None, missing_structures=("lung",)
        ),
        plan_work.planned(ASKED),
    ],
    ids=["whole", "unverified", "paths alone", "no path"],
)
def test_a_summary_equals_the_plan_and_is_read_back(plan: Plan) -> None:
    text = summary_text(plan)
    assert parsed(text) == expected_summary(json.loads(plan_result(plan).text))
    model = read_summary(text)
    assert model is not None and to_json(model) == parsed(text)


def test_a_summary_contains_missed_goals_and_exceeded_limits() -> None:
    dose = summary_of(implant_plan(ASKED)).dose
    assert dose is not None
    assert [goal.name for goal in dose.goals_missed] == ["v200_percent"] and dose.goals == 3
    assert [(limit.organ, limit.doubts) for limit in dose.limits_exceeded] == [
        ("SpinalCord", (Doubt.IN_SEED,)),
        ("Heart", ()),
    ]
    needles = summary_of(implant_plan(ASKED)).needle_set
    assert needles is not None and needles.given_seed_pairs_near == 1
    assert [record.structure for record in needles.given_too_near] == ["aorta", None]


# Lists


def test_a_list_of_plans_has_target_figures_and_worst_news(
    client: httpx.Client, plan: dict[str, Any]
) -> None:
    (item,) = listed(client, "plans")
    assert item["id"] == plan["plan_sha256"] and item["summary"] == expected_summary(plan)
    assert item["summary"]["dose"]["goals_missed"] and item["summary"]["robustness"]
    # The listed path of a case and its bare id select the same plans.
    for case in (item["case"], item["case"].rpartition("/")[2]):
        response = client.get("/v1/plans", params={"case": case})
        assert response.status_code == 200 and [
            listed_plan["id"] for listed_plan in response.json()["items"]
        ] == [item["id"]]
    for unknown_case in ("/v1/cases/" + "0" * 64, "0" * 64):
        assert client.get("/v1/plans", params={"case": unknown_case}).json()["items"] == []
    for bad_case in ("/v1/plans/" + "0" * 64, "/v1/cases/", "0" * 63):
        assert client.get("/v1/plans", params={"case": bad_case}).status_code == 422
    # As documented: the example too.
    schemas = client.get("/v1/openapi.json").json()["components"]["schemas"]
    validate = partial(adapter(PlanSummary).validate_python, strict=False)
    assert validate(item["summary"])
    (example,) = schemas["PlanSummary"]["examples"]
    assert validate(example) and example.keys() == item["summary"].keys()


def test_a_list_of_plans_reads_no_plan(client: httpx.Client, plan: dict[str, Any], data_dir: Path) -> None:
    file = data_dir / "plans" / f"{plan['plan_sha256']}.json"
    text = file.read_bytes()
    file.unlink()
    assert listed(client, "plans")[0]["summary"] == expected_summary(plan)
    file.write_bytes(text)


OLD_NEEDLE_SET = {
    "needles": 2,
    "seeds": 4,
    "lung_length_mm": 12.5,
    "pleural_punctures": 1,
    "given_too_near": 2,
}
SUMMARY_OF_OLD_VERSION = json.dumps(
    parsed(summary_text(implant_plan(ASKED))) | {"needle_set": OLD_NEEDLE_SET}
)


@pytest.mark.parametrize("old_summary", [None, "{}", SUMMARY_OF_OLD_VERSION, "no JSON"])
def test_a_plan_without_a_summary_is_listed_and_gets_one(
    client: httpx.Client, plan: dict[str, Any], data_dir: Path, old_summary: str | None
) -> None:
    summary_before = stored_summary(data_dir)
    store_summary(data_dir, old_summary)
    assert listed(client, "plans")[0]["summary"] == expected_summary(plan)
    assert stored_summary(data_dir) == summary_before


def test_an_unreadable_plan_is_listed_without_summary(
    client: httpx.Client, plan: dict[str, Any], data_dir: Path
) -> None:
    file = data_dir / "plans" / f"{plan['plan_sha256']}.json"
    text = file.read_bytes()
    store_summary(data_dir, None)
    file.write_bytes(b"{")
    (item,) = listed(client, "plans")
    assert item["id"] == plan["plan_sha256"] and item["summary"] is None
    assert stored_summary(data_dir) is None
    file.write_bytes(text)
    assert listed(client, "plans")[0]["summary"] == expected_summary(plan)


def test_a_plan_within_a_replanning_has_its_summary(
    client: httpx.Client, plan: dict[str, Any], data_dir: Path
) -> None:
    needles = {"needles": [{"entry_mm": [0, 0, 9], "tip_mm": [0, 0, 0]}]}
    path = f"/v1/plans/{plan['plan_sha256']}:replan"
    assert client.post(path, json=needles, headers=WAIT).status_code == 200
    assert all(item["summary"] for item in listed(client, "plans"))


def test_cases_are_listed_with_name_structures_and_targets(client: httpx.Client, data_dir: Path) -> None:
    masks = (("seg/heart.nii.gz", b"h"), ("seg/aorta.nii.gz", b"a"))
    for case_form in (
        {"json": {"builtin": "thorax"}},
        upload(("file", "chest.nii.gz", b"c"), ("target", "gtv.nii.gz", b"g")),
        upload(("file", "seg.zip", zipped(*masks))),
    ):
        assert client.post("/v1/cases", **case_form).status_code in (200, 201)  # type: ignore[arg-type]
    # The built-in case may exist already.
    summaries = sorted(
        (item["summary"] for item in listed(client, "cases")), key=lambda summary: summary["name"]
    )
    folder, chest, thorax = summaries
    assert thorax == {"name": "thorax", "builtin": True, "files": 0, "structures": 1, "targets": []}
    assert chest == {
        "name": "chest.nii.gz",
        "builtin": False,
        "files": 1,
        "structures": 1,
        "targets": ["gtv.nii.gz"],
    }
    assert (folder["name"], folder["files"], folder["structures"]) == ("aorta.nii.gz", 2, 2)
    damaged_case = listed(client, "cases")[0]
    record = data_dir / "cases" / damaged_case["id"] / "case.json"
    text = record.read_bytes()
    record.write_bytes(b"{")
    assert listed(client, "cases")[0] == damaged_case | {"summary": None}
    record.write_bytes(text)


def test_the_targets_of_a_case_are_its_target_files_or_structures_by_role() -> None:
    structures = [{"name": name, "role": role} for name, role in (("heart", "forbidden"), ("gtv", "target"))]
    description = {"structures": structures, "targets": []}
    record = {"builtin": "thorax", "files": [], "description": description}
    assert case_summary_of(record) == CaseSummary("thorax", True, 0, 2, ("gtv",))
    record["description"] = description | {"targets": ["node"]}
    assert case_summary_of(record) == CaseSummary("thorax", True, 0, 2, ("node",))
    # The case itself is described in the same way, whichever version wrote its record.
    grid = {"shape": [2, 3, 4], "spacing_mm": [1.0, 1.0, 2.0]}
    for targets, expected in (([], ["gtv"]), (["node"], ["node"])):
        old_description = {
            "structures": structures,
            "targets": targets,
            "grid": grid | {"orientation": "LPS"},
        }
        stored_case = StoredCase(record | {"description": old_description}, Case("thorax"), Path("/nowhere"))
        assert (stored_case.description["targets"], stored_case.description["grid"]) == (expected, grid)
    # A record without a description.
    assert case_summary_of({"builtin": "thorax", "files": []}) is None


def test_the_client_lists_and_reads_plans(client: httpx.Client, plan: dict[str, Any]) -> None:
    with Client(str(client.base_url)) as api:
        case = api.add_builtin("thorax")
        (item,) = api.plans(case)
        assert item["summary"]["status"] == Status.PLANNED
        assert api.kept_plan(item["id"]).claimed_sha256 == plan["plan_sha256"]
        assert list(api.plans({"id": "0" * 64})) == [] and len(list(api.plans())) == 1


# Rows of an earlier version


def test_rows_of_an_earlier_version_stay_without_summary(
    database_url: str, open_database: Callable[[str, float], Database]
) -> None:
    database = open_database(database_url, 30.0)

    def create_version_1(connection: Any) -> None:
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.execute(
            text(
                "INSERT INTO holdings (owner, kind, id, case_id, created_s) "
                "VALUES ('ann', 'plans', 'p', 'c', 1.5)"
            )
        )

    database.write(create_version_1)
    migrate(database)
    rows = database.read(lambda c: c.execute(select(holdings)).mappings().all())
    assert [(row["id"], row["created_s"], row["summary"]) for row in rows] == [("p", 1.5, None)]
    assert revision(database) != "0001"
