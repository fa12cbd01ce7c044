"""Sources: tables as transcribed, and no table that the formula cannot use."""

import ast
import json
from dataclasses import replace
from pathlib import Path

import pytest

import planner.sources.source as source_module
from planner.dose.tg43.strength import U_PER_MCI
from planner.errors import RequestError
from planner.records.request.seeds import SeedRequest
from planner.sources import SOURCES, Source, source_named
from planner.sources.amersham_6711 import AMERSHAM_6711
from planner.sources.source import Anisotropy, Anisotropy1D, RadialDose

each_source = pytest.mark.parametrize("source", SOURCES, ids=lambda s: s.name)


def test_every_source_is_found_by_its_name() -> None:
    assert [source_named(s.name) for s in SOURCES] == list(SOURCES)
    assert len({s.name for s in SOURCES}) == len({s.label for s in SOURCES}) == len(SOURCES)


def test_requests_ask_for_a_known_source_by_default() -> None:
    assert source_named(SeedRequest().model) is AMERSHAM_6711


def test_an_unknown_source_is_refused_with_a_suggestion() -> None:
    with pytest.raises(RequestError) as error:
        source_named("amersham6711")
    assert error.value.field == "seeds/model"
    assert "Did you mean 'amersham_6711'" in error.value.remedy
    assert all(s.name in error.value.remedy for s in SOURCES)


@each_source
def test_every_source_has_a_reference(source: Source) -> None:
    assert "10." in source.reference and "transcription" in source.status
    assert source.nuclide in U_PER_MCI


@each_source
def test_tables_agree_with_the_reference_folder(source: Source, reference: Path) -> None:
    data = json.loads((reference / "tg43" / f"{source.name}.json").read_text(encoding="utf-8"))
    g, F = data["radial_dose_function"], data["anisotropy_function"]
    assert g["geometry"] == "line"
    assert source.nuclide == data["radionuclide"]
    assert source.half_life_d == data["half_life_d"]
    assert source.dose_rate_constant_cgy_per_h_u == data["dose_rate_constant_cGy_per_h_U"]
    assert source.active_length_cm == data["active_length_cm"]
    assert source.radial == (tuple(g["r_cm"]), tuple(g["g_L"]))
    assert source.anisotropy.r_cm == tuple(F["r_cm"])
    assert source.anisotropy.theta_deg == tuple(F["theta_deg"])
    assert list(map(list, source.anisotropy.F)) == F["F_by_r_then_theta"]
    phi = data.get("anisotropy_constant_1d")
    assert source.phi_an == (None if phi is None else (tuple(phi["r_cm"]), tuple(phi["phi_an"])))


def test_no_table_of_the_reference_folder_is_left_out(reference: Path) -> None:
    assert {p.stem for p in (reference / "tg43").glob("*.json")} == {s.name for s in SOURCES}


def test_seeds_have_the_default_length_except_two_models() -> None:
    assert AMERSHAM_6711.seed_length_mm == 4.5
    assert {s.seed_diameter_mm for s in SOURCES} == {0.8}
    assert {s.name for s in SOURCES if s.seed_length_mm != 4.5} == {"best_2301", "best_2335"}


def test_the_module_of_sources_imports_only_basic_modules() -> None:
    tree = ast.parse(Path(str(source_module.__file__)).read_text(encoding="utf-8"))
    modules = {n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    assert modules == {"dataclasses", "itertools", "math", "typing"}
    assert not any(isinstance(n, ast.Import) for n in ast.walk(tree))


TABLE = AMERSHAM_6711.anisotropy
TO_180 = Anisotropy(TABLE.r_cm, (*TABLE.theta_deg, 180.0), tuple((*row, 0.4) for row in TABLE.F))
HOLE = Anisotropy(TABLE.r_cm, TABLE.theta_deg, ((*TABLE.F[0][:-2], 1.0), *TABLE.F[1:]))
NOT_A_NUMBER = Anisotropy(TABLE.r_cm, TABLE.theta_deg, ((float("nan"), *TABLE.F[0][1:]), *TABLE.F[1:]))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"half_life_d": 0.0}, "must be positive"),
        ({"dose_rate_constant_cgy_per_h_u": float("inf")}, "must be positive"),
        ({"radial": RadialDose((1.0,), (1.0,))}, "g needs one positive value"),
        ({"radial": RadialDose((1.0, 0.5), (1.0, 1.1))}, "g needs one positive value"),
        ({"radial": RadialDose((0.5, 1.0), (1.1,))}, "g needs one positive value"),
        ({"radial": RadialDose((0.5, 1.0), (-1.1, 1.0))}, "g needs one positive value"),
        ({"radial": RadialDose((-0.5, 1.0), (1.1, 1.0))}, "g needs one positive value"),
        ({"radial": RadialDose((0.5, float("inf")), (1.1, 1.0))}, "g needs one positive value"),
        ({"radial": RadialDose((0.5, 1.0), (1.1, 0.98))}, "g must be tabulated as 1 at 1 cm"),
        ({"radial": RadialDose((0.5, 2.0), (1.1, 0.8))}, "g must be tabulated as 1 at 1 cm"),
        ({"anisotropy": HOLE}, "F needs one positive value"),
        ({"anisotropy": NOT_A_NUMBER}, "F needs one positive value"),
        ({"anisotropy": TABLE._replace(F=TABLE.F[1:])}, "F needs one positive value"),
        ({"anisotropy": TABLE._replace(r_cm=TABLE.r_cm[::-1])}, "F needs one positive value"),
        ({"anisotropy": TO_180}, "fold a table that extends to 180"),
        ({"anisotropy": TABLE._replace(F=tuple((*row[:-1], 0.9) for row in TABLE.F))}, "be 1 at 90"),
        ({"phi_an": Anisotropy1D((0.5, 1.0), (0.97,))}, "phi_an needs one positive value"),
        ({"active_length_cm": 0.45}, "must lie within the capsule"),
        ({"active_length_cm": 0.0}, "must lie within the capsule"),
        ({"seed_diameter_mm": 0.0}, "must lie within the capsule"),
    ],
)
def test_invalid_tables_are_refused(changes: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError, match=f"source amersham_6711: .*{sentence}"):
        replace(AMERSHAM_6711, **changes)
