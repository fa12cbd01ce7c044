"""Organs of limit tables, and the scene's structures that are one.

    "Trachea+ipsi bronchus"  --row-->  Organ.AIRWAY  --words-->  trachea, bronchus_right

Each organ lists the names it goes by in segmentations (TotalSegmentator's and the usual ones of planning),
compared as `anatomy.roles` folds them: without case, side, number, plural or British spelling.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from anatomy.roles import words_of


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


_NAMES: dict[Organ, tuple[tuple[str, str], ...]] = {
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

_HOLDING: dict[Organ, str] = {
    # A body's mask is solid, and so is a skin's that a needle enters through: it holds the target as well.
    Organ.SKIN: "skin body body_trunk body_contour external",
    Organ.HEART: "pericardium pericardial_sac",
    Organ.TRACHEA: "trachea_bronchi airway lung_trachea_bronchia",
    Organ.BRONCHUS: "trachea_bronchi airway lung_trachea_bronchia",
}
"""Names of what holds an organ and more."""

_ALL_AIRWAY = "trachea_bronchi airway lung_trachea_bronchia"
_ALL_VESSELS = "great_vessel mediastinal_great_vessel"
_NEEDED: dict[Organ, dict[str, str]] = {
    Organ.HEART: {"the heart as a whole": "heart heart_lower"},
    Organ.GREAT_VESSELS: {
        "the aorta": f"aorta a_aorta aorta_arch aortic_arch aorta_thoracic aorta_thoracica {_ALL_VESSELS}",
        "the pulmonary artery": f"pulmonary_artery a_pulmonary pulmonary_trunk {_ALL_VESSELS}",
        "the superior vena cava": "superior_vena_cava superior_venacava venacava v_venacava venacava_s "
        + _ALL_VESSELS,
    },
    Organ.AIRWAY: {
        "the trachea": f"trachea {_ALL_AIRWAY}",
        "the main bronchi": f"bronchus main_bronchus bronchus_prox proximal_bronchial_tree {_ALL_AIRWAY}",
    },
    Organ.LUNGS: {"the upper lobes": "lung lung_upper_lobe", "the lower lobes": "lung lung_lower_lobe"},
}
"""Parts without which an organ is not whole, and the names that hold each."""

_PAIRED = (Organ.LUNGS, Organ.BRONCHUS, Organ.BRACHIAL_PLEXUS)
"""Organs of two sides."""

_SIDES = frozenset(("left", "right"))


@dataclass(frozen=True)
class Match:
    """Structures that together are an organ, as far as it was segmented, in the order of the scene.

    `holds_more`: they are more than the organ, so what fails for them need not fail for it; `holds_target`:
    they are a solid that holds the target too, so that its dose says nothing of the organ. `lacking` names a
    part of the organ that is not among them: what they meet it need not meet.
    """

    structures: tuple[str, ...]
    holds_more: bool = False
    lacking: str = ""
    holds_target: bool = False


def match(organ: Organ, names: Iterable[str]) -> Match:
    """The structures among `names` that make up the organ; none where none does.

    A part is left out where its whole, or its side's, is there: it would count twice. What holds the organ
    and more is taken only where nothing else is.
    """
    scene = {name: words_of(name) for name in names}
    found: set[str] = set()
    for whole, parts in _NAMES[organ]:
        wholes = _of(whole, scene)
        sides = [_SIDES.intersection(scene[name]) for name in wholes]
        found.update(wholes)
        found.update(name for name in _of(parts, scene) if not any(s.issubset(scene[name]) for s in sides))
    if found:
        return Match(tuple(name for name in scene if name in found), lacking=_lacking(organ, found, scene))
    holding = _of(_HOLDING.get(organ, ""), scene)
    return Match(tuple(holding), holds_more=bool(holding), holds_target=bool(holding) and organ is Organ.SKIN)


def _lacking(organ: Organ, found: Iterable[str], scene: Mapping[str, tuple[str, ...]]) -> str:
    """The first part of an organ that none of the structures found is, or is a part of; "" where all are."""
    keys = {_key(scene[name]) for name in found}
    for part, names in _NEEDED.get(organ, {}).items():
        if not keys & {_key(words_of(name)) for name in names.split()}:
            return part
    sides = _SIDES & {word for name in found for word in scene[name]}
    return f"the {next(iter(_SIDES - sides))} side" if len(sides) == 1 and organ in _PAIRED else ""


def _of(listed: str, scene: Mapping[str, tuple[str, ...]]) -> list[str]:
    keys = {_key(words_of(name)) for name in listed.split()}
    return [name for name, words in scene.items() if _key(words) in keys]


def _key(words: tuple[str, ...]) -> tuple[str, ...]:
    """What is left of folded words without side and number, in a fixed order."""
    return tuple(sorted(w for w in words if w not in _SIDES and not w.isdigit()))
