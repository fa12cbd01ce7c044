"""Structures of every chest that an input lacks are named by side, part and number."""

import json
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from totalsegmentator_names import LOBES, V2_FORBIDDEN

from anatomy.names.roles import role_of
from anatomy.plausibility.expected_structures import CHEST_RIBS, LUNG_NAMES, expected_missing, lung_lacking
from anatomy.structures import Role
from anatomy.thorax.build import solids

FULL = [
    *V2_FORBIDDEN,
    *LOBES,
    *("Pulmonary_Artery", "main_bronchus_left", "Bronchus_R", "internal_mammary_vein_left"),
    *("internal_thoracic_artery_right", "Azygous Vein", "intercostal_arteries", "subclavian_veins"),
]


def missing(names: list[str]) -> tuple[str, ...]:
    return expected_missing({name: role_of(name) for name in names})


def without(*words: str) -> list[str]:
    return [name for name in FULL if not any(word in name for word in words)]


def test_an_empty_input_lacks_every_group_and_a_complete_one_none() -> None:
    assert missing([])[:3] == ("lung", "heart", "aorta")
    assert len(missing([])) == 18
    assert missing(FULL) == ()


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        (
            "chest_ct",
            "pulmonary_vein internal_mammary_vessels costal_cartilages azygos_vein intercostal_vessels",
        ),
        (
            "totalsegmentator_abdomen",
            "lung_upper_lobe_right heart_atrium heart_ventricle pulmonary_artery pulmonary_vein "
            "superior_vena_cava airway esophagus spinal_cord vertebrae_T1_to_T10 ribs_1_to_6 sternum "
            "internal_mammary_vessels subclavian_vessels brachiocephalic_vessels costal_cartilages "
            "azygos_vein intercostal_vessels",
        ),
    ],
)
def test_missing_structures_of_the_real_cases_are_named(case: str, expected: str, reference: Path) -> None:
    table = json.loads((reference / "label_names" / f"{case}.json").read_text(encoding="utf-8"))
    assert list(missing([name for label, name in table.items() if label != "0"])) == expected.split()


def test_missing_structures_of_the_built_in_thorax_are_named() -> None:
    names = list(solids())
    assert missing(names) == ("subclavian_artery_right", "subclavian_vein", "intercostal_vessels")


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (without("lung"), ("lung",)),
        (without("lung_upper_lobe_right", "lung_middle", "lung_lower_lobe_right"), ("lung_right",)),
        (without("lung_middle"), ("lung_middle_lobe_right",)),
        (without("lung_upper"), ("lung_upper_lobe",)),
        ([*without("lung"), "Lung_L"], ("lung_right",)),
        ([*without("lung"), "lungs"], ()),
        ([*without("rib"), "rib_left_1"], ("ribs_left_2_to_10", "ribs_right")),
        ([*without("rib"), "ribs_left"], ("ribs_right",)),
        ([*without("rib"), "ribs"], ()),
        (without("rib_left_4", "rib_right_4"), ("rib_4",)),
        # The tenth is the last rib that a chest scan must show; the eleventh is missing because the twelfth
        # is there.
        (without("rib_left_11"), ("rib_left_11",)),
        (without("rib_left_11", "rib_left_12", "rib_right_11", "rib_right_12"), ()),
        (without("subclavian_artery_right"), ("subclavian_artery_right",)),
        (without("subclavian"), ("subclavian_vessels",)),
        (without("vertebrae_T7", "vertebrae_T8"), ("vertebrae_T7_to_T8",)),
        (without("vertebrae_T", "vertebrae_C", "vertebrae_L"), ("vertebrae",)),
        ([*without("vertebrae"), "spine"], ()),
        ([*without("vertebrae"), "vertebrae_T5"], ("vertebrae_T1_to_T4", "vertebrae_T6_to_T10")),
        (without("main_bronchus_left"), ("main_bronchus_left",)),
        (without("trachea", "ronchus"), ("airway",)),
        ([*without("trachea", "ronchus"), "trachea_bronchi"], ()),
        (
            [
                "mediastinal_great_vessels",
                "internal_mammary_vessels",
                *without("vein", "vena", "trunk", "rter"),
            ],
            ("pulmonary_vein", "intercostal_vessels"),
        ),
    ],
)
def test_each_missing_side_part_and_number_is_named(names: list[str], expected: tuple[str, ...]) -> None:
    assert tuple(sorted(missing(names))) == tuple(sorted(expected))


@given(st.sets(st.sampled_from(LOBES)))
def test_lung_is_complete_only_with_every_lobe(lobes: set[str]) -> None:
    expected = lung_lacking(missing([*without("lung"), *lobes]))
    assert (expected == ()) == (lobes == set(LOBES))
    assert set(expected) <= LUNG_NAMES
    # A side is named exactly if it lacks a lobe.
    for side in ("left", "right"):
        other = "left" if side == "right" else "right"
        is_missing = any(other not in name for name in expected)
        assert is_missing == (not {lobe for lobe in LOBES if side in lobe} <= lobes)


@given(st.sets(st.integers(1, 12)), st.sets(st.integers(1, 12)))
def test_every_rib_of_a_chest_scan_is_present_or_named_as_missing(left: set[int], right: set[int]) -> None:
    ribs = [f"rib_left_{n}" for n in left] + [f"rib_right_{n}" for n in right]
    expected = missing([*without("rib"), *ribs])
    for side, present in (("left", left), ("right", right)):
        missing_numbers = {n for name in expected for n in numbers_of(name, side)}
        assert set(CHEST_RIBS) <= present | missing_numbers
        assert not present & missing_numbers


def numbers_of(name: str, side: str) -> set[int]:
    words = name.split("_")
    if words[0] not in ("rib", "ribs") or (set(words) & {"left", "right"}) - {side}:
        return set()
    numbers = [int(word) for word in words if word.isdigit()]
    return set(range(numbers[0], numbers[-1] + 1)) if numbers else set(range(1, 13))


@pytest.mark.parametrize(
    ("name", "other_name"), [*combinations(["lung_left", "lung_right", "rib_left_3"], 2)]
)
def test_adding_a_structure_never_adds_missing_ones(name: str, other_name: str) -> None:
    assert set(missing([name, other_name])) <= {
        *missing([name]),
        *missing([other_name]),
        "ribs_left_1_to_2",
        "lung_left",
    }


def test_lung_counts_as_present_if_its_role_is_lung_or_forbidden() -> None:
    roles = {name: role_of(name) for name in FULL}
    right = {name: Role.PASSABLE for name in LOBES if "right" in name}
    assert expected_missing({**roles, **right}) == ("lung_right",)
    assert expected_missing({**roles, **dict.fromkeys(right, Role.FORBIDDEN)}) == ()
    # A structure that a request calls lung is lung, on the side that its name states.
    without_lung = {name: role for name, role in roles.items() if "lung" not in name}
    assert expected_missing({**without_lung, "pulmo dexter": Role.LUNG}) == ()
    assert expected_missing({**without_lung, "pulmo_R": Role.LUNG}) == ("lung_left",)
    assert expected_missing({**without_lung, "lung_covid_infiltrate": Role.LUNG}) == ("lung",)
