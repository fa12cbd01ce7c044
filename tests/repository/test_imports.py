"""What each part may import, beyond the contracts that lint-imports keeps (pyproject.toml)."""

from pathlib import Path

import grimp
import pytest

ALLOWED_TO_VERIFY = {
    "anatomy",
    "anatomy.patient.body.arms",
    "anatomy.patient.role_assignment",
    "anatomy.patient.body.body",
    "anatomy.patient.body.body_parts",
    "anatomy.errors",
    "anatomy.plausibility.expected_structures",
    "anatomy.patient.body.flat_end",
    "anatomy.geometry.frames",
    "anatomy.geometry.masks",
    "anatomy.geometry.surface",
    "anatomy.patient.body.limbs",
    "anatomy.patient.notes",
    "anatomy.plausibility.orientation",
    "anatomy.patient.body.outside_body",
    "anatomy.patient.patient",
    "anatomy.patient.pose",
    "anatomy.remarks",
    "anatomy.plausibility.remnants",
    "anatomy.names.roles",
    "anatomy.scene",
    "anatomy.patient.body.shells",
    "anatomy.plausibility.sizes",
    "anatomy.structures",
    "anatomy.names.did_you_mean",
    "anatomy.patient.table",
    "anatomy.patient.target",
    "anatomy.names.target_names",
    "anatomy.patient.target_parts",
    "anatomy.runtime.jit_cache",
    "anatomy.runtime.parallel",
    "anatomy.patient.body.view_ends",
    "anatomy.patient.lung_voids",
    "planner.errors",
    "planner.published_limits.limit",
    "planner.published_limits.organs",
    "planner.published_limits.tables",
    "planner.records.bounds",
    "planner.records.dose",
    "planner.records.followup",
    "planner.records.needle_set",
    "planner.records.organ_limits",
    "planner.records.paths",
    "planner.records.plan",
    "planner.records.request",
    "planner.records.request.clearances",
    "planner.records.request.gauge",
    "planner.records.request.given",
    "planner.records.request.needle",
    "planner.records.request.needle_set",
    "planner.records.request.point",
    "planner.records.request.pose",
    "planner.records.request.prescription",
    "planner.records.request.ranking",
    "planner.records.request.request",
    "planner.records.request.robustness",
    "planner.records.request.search",
    "planner.records.request.seeds",
    "planner.records.request.target",
    "planner.records.robustness",
    "planner.records.search",
    "planner.records.verification",
    "planner.records.wording.dose_points",
    "planner.records.wording.followup",
    "planner.records.wording.goals",
    "planner.records.wording.implant",
    "planner.records.wording.lung",
    "planner.records.wording.number_text",
    "planner.records.wording.organ_limits",
    "planner.records.wording.outcome_message",
    "planner.records.wording.search_claims",
    "planner.records.wording.set_claims",
    "planner.records.wording.windows",
    "planner.sources",
}
"""Frames, structures, the scene with the modules it stands on, the plan's data types and the sentences
written from them, threads, the folder of compiled loops, the published tables of sources and of organ limits,
and the table of organs' names: nothing that verification checks (design: no distance field, no search, no
measuring, no scoring)."""


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph("anatomy", "planner", "service", include_external_packages=True, cache_dir=None)


def test_verification_shares_no_code_with_what_it_checks(graph: grimp.ImportGraph) -> None:
    own = {"planner.verify", *graph.find_descendants("planner.verify")}
    used = {m for m in graph.find_upstream_modules("planner.verify", as_package=True) if m not in own}
    inside = {m for m in used if m.partition(".")[0] in ("anatomy", "planner", "service")}
    sources = graph.find_descendants("planner.sources")
    assert inside <= ALLOWED_TO_VERIFY | sources


def test_verification_asks_no_scene_for_the_voids_of_its_lungs(repository: Path) -> None:
    texts = [p.read_text(encoding="utf-8") for p in (repository / "planner" / "verify").rglob("*.py")]
    assert texts
    assert not [text for text in texts if "lung_voids" in text]


def test_headers_are_read_as_stored_and_by_no_library_that_mends_them(graph: grimp.ImportGraph) -> None:
    # docs/decisions/0012; that the graph knows what stands outside the packages, numpy shows.
    assert "numpy" in graph.modules
    assert {"nibabel", "nrrd"} & set(graph.modules) == set()


def test_no_module_imports_in_a_circle(graph: grimp.ImportGraph) -> None:
    circles = [
        (module, other)
        for module in graph.modules
        if not graph.is_module_squashed(module)
        for other in graph.find_modules_directly_imported_by(module)
        if not graph.is_module_squashed(other) and graph.chain_exists(other, module)
    ]
    assert circles == []


def test_every_module_is_analysed(graph: grimp.ImportGraph, repository: Path) -> None:
    files = {p for name in ("anatomy", "planner", "service") for p in (repository / name).rglob("*.py")}
    modules = {
        ".".join(p.relative_to(repository).with_suffix("").parts).removesuffix(".__init__") for p in files
    }
    assert modules <= graph.modules
