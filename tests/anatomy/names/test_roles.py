"""Roles and landmarks by name: every published class, and the safe role for all other names."""

import json
from pathlib import Path

import pytest
from totalsegmentator_names import LOBES, MUSCLES, PASSABLE, SUBTASKS_FORBIDDEN, V1_FORBIDDEN, V2_FORBIDDEN

from anatomy.names.landmarks import is_sternum, is_vertebra, lobe_of, lung_side, rib_of, side_of
from anatomy.names.roles import is_known, role_of
from anatomy.structures import Role


def test_version_1_has_104_classes_and_version_2_117() -> None:
    assert len(set(V1_FORBIDDEN + LOBES + MUSCLES)) == 104
    assert len(set(V2_FORBIDDEN + LOBES + MUSCLES)) == 117


@pytest.mark.parametrize("name", sorted({*V1_FORBIDDEN, *V2_FORBIDDEN, *SUBTASKS_FORBIDDEN}))
def test_organs_vessels_and_bones_are_known_and_forbidden(name: str) -> None:
    assert is_known(name)
    assert role_of(name) is Role.FORBIDDEN


@pytest.mark.parametrize(
    ("role", "names"),
    [
        (Role.LUNG, [*LOBES, "lung", "lung_left", "Lungs", "lung_covid_infiltrate"]),
        (Role.PASSABLE, [*PASSABLE, *MUSCLES]),
        (Role.SKIN, ["body", "body_trunc", "body_trunk", "skin", "External"]),
        (Role.OUTSIDE, ["table", "CT_Table", "couch", "vacuum cushion", "body_extremities", "arm_left"]),
        (
            Role.TARGET,
            [
                *["lung_nodules", "node_3A", "node_4R", "node4R", "node_5", "lesion_lung_right", "lesion2"],
                *["tumour", "tumor_2"],
                *["GTV", "GTVp", "gtv_node", "target", "target_2", "lymph_nodes", "station_4R", "Tumor"],
                *["metastasis"],
            ],
        ),
    ],
)
def test_names_have_their_role(role: Role, names: list[str]) -> None:
    for name in names:
        assert (name, role_of(name), is_known(name)) == (name, role, True)


@pytest.mark.parametrize(
    "name", ["", "structure 7", "nodeless", "targeted_biopsy_clip", "lung_right_upper", "aneurysm", "9"]
)
def test_an_unknown_name_is_forbidden_and_reported_as_unknown(name: str) -> None:
    assert role_of(name) is Role.FORBIDDEN
    assert not is_known(name)


@pytest.mark.parametrize(
    "variants",
    [
        ("esophagus", "Oesophagus", "ESOPHAGUS", "oesophagus "),
        ("lung_upper_lobe_left", "Left Upper Lobe Lung", "lung-upper-lobe-left", "Lung.Upper.Lobe.L"),
        ("lung_upper_lobe_left", "superior lobe of left lung", "Superior lobe of the left lung"),
        ("lung_lower_lobe_right", "inferior lobe of right lung"),
        ("pulmonary_vein", "pulmonary venous system"),
        ("spinal_cord", "SpinalCord", "Spinal Cord", "spinalcord"),
        ("superior_vena_cava", "SVC", "Superior Vena Cava"),
        ("trachea_bronchi", "trachea_bronchus"),
        ("costal_cartilages", "costal cartilage left", "costal_cartilage_right"),
        ("table", "Table", "ct_table"),
    ],
)
def test_case_separators_order_and_spelling_do_not_matter(variants: tuple[str, ...]) -> None:
    assert {role_of(v) for v in variants} == {role_of(variants[0])}
    assert all(is_known(v) for v in variants)


@pytest.mark.parametrize("case", ["chest_ct", "totalsegmentator_abdomen"])
def test_every_name_of_the_real_cases_is_known(reference: Path, case: str) -> None:
    names = json.loads((reference / "label_names" / f"{case}.json").read_text(encoding="utf-8"))
    assert [name for label, name in names.items() if label != "0" and not is_known(name)] == []


def test_ribs_sides_and_lobes_are_read_from_names() -> None:
    assert rib_of("rib_left_4") == ("left", 4)
    assert rib_of("Right Rib 12") == ("right", 12)
    assert [rib_of(n) for n in ("ribs_left", "rib_left_13", "rib_4", "costal_cartilage_left_4")] == [None] * 4
    assert lobe_of("lung_middle_lobe_right") == "right middle lobe"
    assert lobe_of("lung_middle_lobe_left") is None
    assert lobe_of("lung_left") is None
    assert lobe_of("lung_upper_lobe") is None
    assert side_of("clavicula_L") == "left"
    assert side_of("left_right") is None
    assert [lung_side(n) for n in ("lung_left", "lung_lower_lobe_right", "lung", "lung_vessels_left")] == [
        "left",
        "right",
        None,
        None,
    ]


def test_vertebrae_and_sternum_are_distinguished_from_similar_names() -> None:
    assert all(
        is_vertebra(n) for n in ("vertebrae_T4", "vertebrae", "vertebra T5", "spine", "vertebrae_body")
    )
    assert not any(is_vertebra(n) for n in ("spinal_cord", "vertebral_artery_left", "intervertebral_discs"))
    assert is_sternum("Sternum")
    assert not is_sternum("sternocleidomastoid_left")
