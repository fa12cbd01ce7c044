"""Organs of limit tables: which row means which, what they go by in segmentations, and what they consist of.

Names are TotalSegmentator's and the usual ones of planning, compared as `anatomy.names.roles` folds them:
without case, side, number, plural or British spelling. Planner and verification read the same table, each by
code of its own.
"""

from dataclasses import dataclass
from enum import StrEnum

from anatomy.names.roles import SIDES
from anatomy.plausibility.expected_structures import CHEST_RIBS


class Organ(StrEnum):
    """An organ that limits are stated for."""

    SPINAL_CORD = "spinal cord"
    BRACHIAL_PLEXUS = "brachial plexus"
    SKIN = "skin"
    ESOPHAGUS = "oesophagus"
    HEART = "heart"
    GREAT_VESSELS = "great vessels"
    TRACHEA = "trachea"
    BRONCHUS = "bronchi"
    AIRWAY = "trachea and bronchi"
    LUNGS = "lungs"
    RIBS = "ribs"
    CHEST_WALL = "chest wall"


ORGAN_OF_ROW = {
    "SpinalCord": Organ.SPINAL_CORD,
    "BrachialPlexus": Organ.BRACHIAL_PLEXUS,
    "BrachialPlexus_Ipsi": Organ.BRACHIAL_PLEXUS,
    "Skin": Organ.SKIN,
    "Esophagus": Organ.ESOPHAGUS,
    "Esophagus (non-adjacent wall)": Organ.ESOPHAGUS,
    "Heart": Organ.HEART,
    "Heart/pericardium": Organ.HEART,
    "GreatVessels": Organ.GREAT_VESSELS,
    "GreatVessels (non-adjacent wall)": Organ.GREAT_VESSELS,
    "Trachea": Organ.TRACHEA,
    "Bronchus": Organ.BRONCHUS,
    "Trachea+bronchus": Organ.AIRWAY,
    "Trachea+ipsi bronchus (non-adjacent wall)": Organ.AIRWAY,
    "Trachea+proximal bronchi": Organ.AIRWAY,
    "Trachea/bronchi": Organ.AIRWAY,
    "Lung": Organ.LUNGS,
    "Lungs": Organ.LUNGS,
    "Rib": Organ.RIBS,
    "Ribs": Organ.RIBS,
    "ChestWall": Organ.CHEST_WALL,
}
"""The organ that a table's row means. "Ipsi" is taken as both sides: which one is not known, and both are the
stricter."""


NAMES: dict[Organ, tuple[tuple[str, str], ...]] = {
    # RTOG protocols contour the cord by its bony canal.
    Organ.SPINAL_CORD: (("spinal_cord cord spinal_canal", ""),),
    Organ.BRACHIAL_PLEXUS: (("brachial_plexus", ""),),
    Organ.SKIN: (("skin_shell skin_rind", ""),),
    Organ.ESOPHAGUS: (("esophagus", ""),),
    Organ.HEART: (
        (
            "heart heart_lower",
            "heart_myocardium heart_atrium heart_ventricle heart_tissue heart_ventricular_wall atrium "
            "atrial_appendage",
        ),
    ),
    Organ.GREAT_VESSELS: (
        (
            "aorta a_aorta",
            "aorta_ascending aorta_arch aorta_descending aorta_thoracic aorta_thoracica aorta_abdominal "
            "aortic_arch aortic_root ascending_aorta descending_aorta",
        ),
        ("great_vessel mediastinal_great_vessel", ""),
        ("pulmonary_artery a_pulmonary pulmonary_trunk pulmonary_vein", ""),
        ("superior_vena_cava superior_venacava inferior_vena_cava inferior_venacava", ""),
        ("venacava v_venacava venacava_s venacava_i", ""),
        ("brachiocephalic_trunk brachiocephalic_artery brachiocephalic_vein", ""),
        ("innominate_artery innominate_vein subclavian_artery subclavian_vein common_carotid_artery", ""),
    ),
    Organ.TRACHEA: (("trachea", ""),),
    Organ.BRONCHUS: (("bronchus main_bronchus bronchus_prox proximal_bronchial_tree", ""),),
    Organ.AIRWAY: (
        (
            "trachea_bronchi airway lung_trachea_bronchia",
            "trachea carina bronchus main_bronchus bronchus_prox proximal_bronchial_tree",
        ),
    ),
    Organ.LUNGS: (("lung", "lung_upper_lobe lung_middle_lobe lung_lower_lobe"),),
    Organ.RIBS: (("rib", ""),),
    Organ.CHEST_WALL: (("chest_wall", ""),),
}
"""Names of an organ, or of its members that overlap in nothing, each with the names of what it is made of."""

HOLDING: dict[Organ, str] = {
    # A body's mask is solid, and so is a skin's that a needle enters through: it holds the target as well.
    Organ.SKIN: "skin body body_trunk body_contour external",
    Organ.HEART: "pericardium pericardial_sac",
    Organ.TRACHEA: "trachea_bronchi airway lung_trachea_bronchia",
    Organ.BRONCHUS: "trachea_bronchi airway lung_trachea_bronchia",
}
"""Names of what holds an organ and more."""


@dataclass(frozen=True)
class OrganPart:
    """What an organ is not whole without: how it is called, the names that stand for it, and its sides.

    A name without a side stands for both.
    """

    name: str
    stands: str
    sides: tuple[str, ...] = SIDES


_ALL_AIRWAY = "trachea_bronchi airway lung_trachea_bronchia"
_ALL_AORTA = "aorta a_aorta aorta_thoracic aorta_thoracica"
_ALL_VESSELS = "great_vessel mediastinal_great_vessel"
_TRACHEA = OrganPart("the trachea", f"trachea {_ALL_AIRWAY}")
_BRONCHI = OrganPart(
    "the main bronchi", f"bronchus main_bronchus bronchus_prox proximal_bronchial_tree {_ALL_AIRWAY}"
)

PARTS: dict[Organ, tuple[OrganPart, ...]] = {
    Organ.HEART: (OrganPart("the heart as a whole", "heart heart_lower"),),
    Organ.GREAT_VESSELS: (
        # An arch alone is not the aorta, nor its descending part.
        OrganPart("the aorta as a whole", f"aorta_ascending ascending_aorta {_ALL_AORTA} {_ALL_VESSELS}"),
        OrganPart("the aorta as a whole", f"aorta_arch aortic_arch {_ALL_AORTA} {_ALL_VESSELS}"),
        OrganPart("the aorta as a whole", f"aorta_descending descending_aorta {_ALL_AORTA} {_ALL_VESSELS}"),
        OrganPart("the pulmonary arteries", f"pulmonary_artery a_pulmonary {_ALL_VESSELS}"),
        OrganPart(
            "the superior vena cava",
            f"superior_vena_cava superior_venacava venacava v_venacava venacava_s {_ALL_VESSELS}",
        ),
    ),
    Organ.AIRWAY: (_TRACHEA, _BRONCHI),
    Organ.LUNGS: (
        OrganPart("the upper lobes", "lung lung_upper_lobe"),
        OrganPart("the middle lobe", "lung lung_middle_lobe", ("right",)),
        OrganPart("the lower lobes", "lung lung_lower_lobe"),
    ),
}
"""What organs consist of. Of one that is not listed, each of its names stands for all."""

NUMBERED = {Organ.RIBS: CHEST_RIBS}
"""Organs of numbered members, and the numbers that a scan of a chest shows. So do those between two of the
input. A name without a number stands for all."""

ALL_IN_ONE = frozenset({Organ.LUNGS})
"""Organs whose structure without a side is all of them, so that one of a side lies in it: it would count
twice in what is spared."""
