"""Exact families decide a role: an unknown word never makes a structure passable, and other tools' lung names
are known."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from anatomy.names.landmarks import is_clavicle, is_sternum, is_vertebra, lobe_of, lung_side
from anatomy.names.roles import is_known, role_of
from anatomy.plausibility.expected_structures import expected_missing, lung_lacking
from anatomy.structures import Role
from planner.paths.chest_wall import is_rib

TARGETS = [
    *("LN_4R", "LN4R", "ln_11Rs", "node_4R", "node_10L", "station_4R", "Station 7", "lymph node 2R"),
    *("GTVn", "GTVp", "GTVp1", "GTV_nodal", "GTV_5000", "GTVp1_CT1PT1", "IGTV", "iGTV_T50", "GTV_MIP"),
    *("nodule", "pulmonary_nodule", "lesion_left_upper_lobe", "lung_tumour_2", "node_subcarinal"),
]
NO_TARGETS = [
    *("tumor_thrombus_SVC", "target_avoidance", "target_biopsy_clip", "tumor_bed", "node_vein", "AV_node"),
    *("lesion_stent", "station_4R_clip", "nodule_thyroid", "gtvv", "GTV_minus_heart", "not_target"),
    *("lymph_node_dissection_clip", "tumor_free_margin", "metastasis_rib_4", "target_organ"),
]
LOBES = {
    ("left", "upper"): [
        *("LUL", "lung_lul", "Lung_LUL", "left_upper_lobe", "upper_lobe_left", "LeftSuperiorLobe"),
        *("lung_lobe_upper_left", "Left Upper Lobe", "lobe_upper_L"),
    ],
    ("left", "lower"): ["LLL", "Lung_LLL", "left lower lobe", "LeftInferiorLobe", "lung_lower_lobe_left"],
    ("right", "upper"): ["RUL", "Lung_RUL", "RightSuperiorLobe", "upper_lobe_right", "lung_lobe_upper_right"],
    ("right", "middle"): ["RML", "Lung_RML", "RightMiddleLobe", "middle_lobe_right", "right_mid_lobe"],
    ("right", "lower"): ["RLL", "Lung_RLL", "RightLowerLobe", "lower_lobe_R", "lung_inferior_lobe_right"],
}
LUNGS = {
    "left": ["Lung_L", "LungL", "left_lung", "Lung Left", "LLung", "Lung_L-GTV", "LeftLung", "Lung_Lt"],
    "right": ["Lung_R", "lung_right", "RLung", "Lung_R - IGTV", "Right Lung", "Lung_R-PTV5000"],
    None: ["Lungs", "lung", "WholeLung", "Lungs-GTV", "lungs_total", "both_lungs", "lung_parenchyma"],
}
COUCHES = [
    *("CouchSurface", "CouchInterior", "Couch_Surface", "couchinterior", "Couch_Rail_L", "CouchOuter"),
    *("Table", "CT_Table", "table_top", "TableTop", "tabletop", "treatment_table", "ct_bed", "vac_bag"),
]


@pytest.mark.parametrize("name", TARGETS)
def test_names_of_nodes_and_gross_volumes_are_targets(name: str) -> None:
    assert (role_of(name), is_known(name)) == (Role.TARGET, True)


@pytest.mark.parametrize("name", NO_TARGETS)
def test_a_name_that_only_starts_like_a_target_is_forbidden(name: str) -> None:
    assert role_of(name) is Role.FORBIDDEN


WORDS = st.text("abcdefghijklmnopqrstuvwxyz", min_size=4, max_size=9)
PASSABLE = ["muscle", "pleural_effusion", "torso_fat", "mediastinum", "autochthon_left", "ptv"]


@given(st.sampled_from([*TARGETS, "gtv", "lesion", "tumor", "target", "node"]), WORDS, st.booleans())
def test_one_unknown_word_makes_any_target_name_forbidden(name: str, word: str, first: bool) -> None:
    # A word that is known alone or with a node may be part of a target's name.
    assume(not is_known(word) and not is_known(f"node_{word}"))
    extended_name = f"{word}_{name}" if first else f"{name}_{word}"
    assert role_of(extended_name) is Role.FORBIDDEN


@given(st.sampled_from([*PASSABLE, "Lung_L", "lung", "LUL", "upper_lobe_left"]), WORDS)
def test_one_unknown_word_makes_any_passable_name_forbidden(name: str, word: str) -> None:
    assume(not is_known(word) and not is_known(f"node_{word}") and not is_known(f"lung_{word}"))
    assert role_of(f"{name}_{word}") is Role.FORBIDDEN


@pytest.mark.parametrize(("side", "part", "name"), [(*k, n) for k, names in LOBES.items() for n in names])
def test_lobe_names_of_other_tools_are_known(side: str, part: str, name: str) -> None:
    assert role_of(name) is Role.LUNG
    assert lobe_of(name) == f"{side} {part} lobe"
    assert lung_side(name) == side


@pytest.mark.parametrize(("side", "name"), [(k, n) for k, names in LUNGS.items() for n in names])
def test_lung_names_of_other_tools_are_known(side: str | None, name: str) -> None:
    assert role_of(name) is Role.LUNG
    assert lung_side(name) == side
    lacks = lung_lacking(expected_missing({name: role_of(name)}))
    assert lacks == ({"left": ("lung_right",), "right": ("lung_left",)}[side] if side else ())


@given(st.tuples(*(st.sampled_from(names) for names in LOBES.values())))
def test_five_lobes_with_any_known_names_are_the_whole_lung(names: tuple[str, ...]) -> None:
    assert lung_lacking(expected_missing({name: role_of(name) for name in names})) == ()


@pytest.mark.parametrize("name", COUCHES)
def test_couches_and_tables_are_outside(name: str) -> None:
    assert (role_of(name), is_known(name)) == (Role.OUTSIDE, True)


def test_a_lung_without_an_unknown_part_has_no_guessed_role() -> None:
    assert role_of("Lungs_GTV") is Role.FORBIDDEN
    assert role_of("Heart-PTV") is Role.FORBIDDEN
    assert role_of("Body-PTV") is Role.FORBIDDEN


@pytest.mark.parametrize(
    "name",
    [
        *("lung_lesion-GTV", "lung_tumor-PTV", "GTV_lung-PTV", "lung_nodule-GTV_2", "lung_GTV-GTV"),
        *("lung_vessels-GTV", "PTV-GTV", "lesion-GTV", "node_4R-PTV", "Lungs-GTV-PTV", "lung_effusion-CTV"),
    ],
)
def test_a_structure_without_its_target_is_no_target(name: str) -> None:
    assert (role_of(name), is_known(name)) == (Role.FORBIDDEN, False)


@pytest.mark.parametrize("name", ["LUL-GTV", "lung_upper_lobe_left-ITV", "Left Upper Lobe - PTV_5000"])
def test_a_lobe_without_the_target_is_that_lobe(name: str) -> None:
    assert (role_of(name), lobe_of(name)) == (Role.LUNG, "left upper lobe")


def test_landmarks_are_exact_families_too() -> None:
    assert not any(is_vertebra(n) for n in ("vertebral_vein_left", "vertebral_plexus", "spine_implant"))
    assert not any(is_sternum(n) for n in ("sternum_wire", "manubrium_joint"))
    assert not any(is_rib(n) for n in ("rib_fracture", "rib_cartilage_left_4"))
    assert all(is_rib(n) for n in ("rib_left_4", "ribs_right", "Ribs"))
    assert not is_clavicle("clavicula_plate") and is_clavicle("Clavicle_L")
