"""Roles by name: what a structure of this name means to a needle, unless a request overrides it.

    "Lung_Upper_Lobe_Left"  --fold-->  (lobe, lung, upper) + left  --table-->  Role.LUNG

Names are compared without case, separators, word order, side, plural or British spelling. All class names of
TotalSegmentator versions 1 and 2 and of its subtasks are known (Wasserthal et al. 2023,
10.1148/ryai.230024; lists in the project's own `map_to_binary.py`), and the usual names of planning contours.
An unknown name is forbidden: the only assumption that cannot hurt the patient.
"""

import re
from functools import lru_cache

from anatomy.names.target_names import names_a_target
from anatomy.structures import Role

_SPELLING = {
    "oesophagus": "esophagus",
    "tumour": "tumor",
    "tumours": "tumor",
    "haemorrhage": "hemorrhage",
    "arteries": "artery",
    "vertebra": "vertebrae",
    "vertebral": "vertebrae",
    "bronchi": "bronchus",
    "bronchia": "bronchus",
    "bodies": "body",
    "cavities": "cavity",
    "bullae": "bulla",
    "vena": "vein",
    "venae": "vein",
    "cavae": "cava",
    "clavicle": "clavicula",
    "clavicles": "clavicula",
    "extremities": "extremity",
    "calves": "calf",
    "feet": "foot",
    "scapulae": "scapula",
    "trunc": "trunk",
    "spinalcord": "spinal_cord",
    "chestwall": "chest_wall",
    "azygous": "azygos",
    "tabletop": "table_top",
    "couchsurface": "couch_surface",
    "couchinterior": "couch_interior",
    "armrest": "arm_rest",
    "headrest": "head_rest",
    "kneerest": "knee_rest",
    "legrest": "leg_rest",
    "footrest": "foot_rest",
    "armboard": "arm_board",
    "wingboard": "wing_board",
    "handgrip": "hand_grip",
    "immobilisation": "immobilization",
    "vaclok": "vac_lok",
    "vacbag": "vac_bag",
    "lul": "lung_upper_lobe_left",
    "lll": "lung_lower_lobe_left",
    "rul": "lung_upper_lobe_right",
    "rml": "lung_middle_lobe_right",
    "rll": "lung_lower_lobe_right",
    "llung": "lung_left",
    "rlung": "lung_right",
    "svc": "superior_vein_cava",
    "ivc": "inferior_vein_cava",
    "l": "left",
    "lt": "left",
    "r": "right",
    "rt": "right",
}

SIDES = ("left", "right")

_SKIN = """
    body  body_trunk  body_contour  external  skin
"""

# Arms and legs that were segmented as separate structures. Their bones are in _BONE.
_LIMBS = """
    body_extremities  extremity  upper_extremity  lower_extremity  limb  upper_limb  lower_limb
    arm  upper_arm  lower_arm  elbow  forearm  wrist  hand  finger  thumb
    leg  upper_leg  lower_leg  thigh  knee  calf  shank  ankle  foot  toe
"""

# Couches as planning systems and AAPM TG-263 name them: surface and interior.
_TABLES = """
    table  ct_table  table_top  scanner_table  treatment_table  bed  ct_bed  patient_bed
    couch  ct_couch  couch_surface  couch_interior  couch_outer  couch_inner  couch_external  couch_internal
    couch_shell  couch_core  couch_top  couch_rail  couch_support
"""

# What fixes or pads the patient.
_DEVICES = """
    cushion  vacuum_cushion  vacuum_bag  vac_bag  vac_lok  mattress  pillow
    arm_rest  head_rest  knee_rest  leg_rest  foot_rest
    arm_support  head_support  knee_support  leg_support  foot_support
    arm_cushion  head_cushion  knee_cushion  leg_cushion  foot_cushion
    arm_board  wing_board  breast_board  arm_holder  head_holder  leg_holder  hand_grip
    immobilization_device  arm_immobilization  immobilization
"""

_LUNG = """
    lung  lung_pleural  lung_covid_infiltrate
    lung_upper_lobe  lung_middle_lobe  lung_lower_lobe
"""

# Containers (mediastinum, thoracic cavity, chest wall) and planning volumes hold tissue of every kind: what
# is forbidden in them is forbidden by its own name.
_PASSABLE = """
    breast  fat  mammary_gland  mediastinal_fat  muscle  soft_tissue  subcutaneous_fat  torso_fat
    intermuscular_fat  skeletal_muscle  pleural_effusion  pleural_fluid
    chest_wall  mediastinum  thoracic_cavity  ctv  itv  ptv
    autochthon  erector_spinae  gluteus_maximus  gluteus_medius  gluteus_minimus  iliopsoas  psoas
    quadratus_lumborum  rectus_abdominis  external_oblique  internal_oblique  transversus_abdominis
    latissimus_dorsi  serratus_anterior  pectoralis_major  pectoralis_minor  trapezius  rhomboid
    intercostal_muscle  deltoid  supraspinatus  infraspinatus  subscapularis  coracobrachial  teres_major
    teres_minor  triceps_brachii  biceps_brachii  brachialis  quadriceps_femoris  sartorius
    thigh_medial_compartment  thigh_posterior_compartment
    sternocleidomastoid  platysma  levator_scapulae  anterior_scalene  middle_scalene  posterior_scalene
    sterno_thyroid  thyrohyoid  prevertebral
"""

_HEART = """
    heart  heart_lower  heart_myocardium  heart_atrium  heart_ventricle  heart_tissue  heart_ventricular_wall
    atrial_appendage  atrium  pericardium  pericardial_effusion  pericardial_sac
    coronary_artery  coronary_sinus  left_anterior_descending_artery
"""

_VESSELS = """
    aorta  aorta_ascending  aorta_arch  aorta_descending  aorta_thoracic  aorta_thoracica  aorta_abdominal
    a_aorta  a_pulmonary  v_venacava  left_ventricular_outflow_tract  coronary_cusp  non_coronary_cusp
    aortic_arch  aortic_root  aortic_annulus  aortic_sinus  ascending_aorta  descending_aorta
    aortic_dissection  great_vessel  mediastinal_great_vessel
    pulmonary_trunk  pulmonary_artery  pulmonary_vein  pulmonary_venous_system  lung_vessel  hilar_vessel
    superior_vena_cava  inferior_vena_cava  superior_venacava  inferior_venacava
    venacava  venacava_s  venacava_i
    azygos  azygos_vein  hemiazygos_vein  brachiocephalic_trunk  brachiocephalic_vein  brachiocephalic_artery
    innominate_vein  innominate_artery  subclavian_artery  subclavian_vein  axillary_artery  axillary_vein
    common_carotid_artery  carotid_artery  internal_carotid_artery  external_carotid_artery
    internal_jugular_vein  external_jugular_vein  jugular_vein  vertebral_artery
    internal_mammary_artery  internal_mammary_vein  internal_mammary_vessel
    internal_thoracic_artery  internal_thoracic_vein  internal_thoracic_vessel
    intercostal_artery  intercostal_vein  intercostal_vessel  thoracic_duct
    portal_vein_and_splenic_vein  portal_vein  splenic_vein  hepatic_vein  hepatic_vessel  liver_vessel
    celiac_trunk  superior_mesenteric_artery  renal_artery  renal_vein  iliac_artery  iliac_vena  vessel
"""

_AIRWAY_GULLET_NERVE = """
    airway  trachea  trachea_bronchi  lung_trachea_bronchia  main_bronchus  bronchus  bronchus_prox  carina
    proximal_bronchial_tree  larynx  larynx_air  esophagus
    spinal_cord  spinal_canal  cord  brachial_plexus  phrenic_nerve  vagus_nerve  recurrent_laryngeal_nerve
    bulla  diaphragm  thymus
"""

_BONE = """
    bone  bone_other  rib  costal_cartilage  cartilage  sternum  manubrium  xiphoid  clavicula  scapula
    vertebrae  vertebrae_body  intervertebral_disc  spine  sacrum  coccyx  hip  pelvis  femur  humerus  radius
    ulna  carpal  metacarpal  phalanges_hand  patella  tibia  fibula  tarsal  metatarsal  phalanges_feet
    skull  mandible  hyoid  thyroid_cartilage  cricoid_cartilage  zygomatic_arch  styloid_process  hard_palate
    teeth  hip_implant  pacemaker  implant
"""

_ABDOMEN_PELVIS = """
    abdominal_cavity  spleen  kidney  kidney_cyst  gallbladder  liver  liver_tumor  liver_lesion
    liver_segment  stomach  pancreas  adrenal_gland  small_bowel  duodenum  colon  bowel  bowel_bag  rectum
    urinary_bladder  bladder  prostate  uterus  ovary  seminal_vesicle
"""

_HEAD_NECK = """
    brain  brainstem  cerebellum  subarachnoid_space  venous_sinuses  septum_pellucidum  caudate_nucleus
    lentiform_nucleus  insular_cortex  internal_capsule  ventricle  central_sulcus  frontal_lobe
    parietal_lobe  occipital_lobe  temporal_lobe  thalamus  intracerebral_hemorrhage  intracranial_vessels
    ventricle_frontal_horn  ventricle_occipital_horn  ventricle_body  ventricle_temporal_horn
    ventricle_trigone  third_ventricle  fourth_ventricle
    face  eye  eyeball  eye_lens  optic_nerve  parotid_gland  submandibular_gland  nasopharynx  oropharynx
    hypopharynx  nasal_cavity  auditory_canal  soft_palate  tongue  thyroid  thyroid_gland  parathyroid_gland
    superior_pharyngeal_constrictor  middle_pharyngeal_constrictor  inferior_pharyngeal_constrictor
    masseter  temporalis  lateral_pterygoid  medial_pterygoid  digastric
    lateral_rectus_muscle  medial_rectus_muscle  superior_rectus_muscle  inferior_rectus_muscle
    superior_oblique_muscle  inferior_oblique_muscle  levator_palpebrae_superioris
"""


CACHED_NAMES = 4096
"""Size of the caches of names: a case has a few hundred, and each is looked up for every group."""


_WITHOUT_TARGET = re.compile(r"(?i)^(.+?)\s*-\s*(?:i?gtv|ctv|itv|ptv)\w*$")
"""A structure minus a target. Only lung is known in this form, as AAPM TG-263 names it: "Lungs-GTV"."""

_LUNG_ALONE = frozenset(("lung", "upper", "middle", "lower", "lobe", "left", "right"))


@lru_cache(CACHED_NAMES)
def words_of(name: str) -> tuple[str, ...]:
    """A name's words, normalised and in their order: lower case, American spelling, singular, sides in full.

    "Lungs_L" becomes ("lung", "left"); "vertebrae_T4" becomes ("vertebrae", "t4"); "LUL" and
    "LeftSuperiorLobe" both give lung, upper, lobe and left. "Lungs-GTV" gives ("lung",), because only lung or
    a lobe stands before the target; "lung_lesion-GTV" keeps all its words and is unknown.
    """
    without = _WITHOUT_TARGET.match(name.strip())
    if without is not None:
        words = _folded(without[1])
        if "lung" in words and _LUNG_ALONE.issuperset(words):
            return words
    return _folded(name.strip())


def _folded(name: str) -> tuple[str, ...]:
    split = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name)
    split = re.sub(r"[^a-z0-9]+", "_", split.lower())
    split = re.sub(r"\b(ribs?|vertebrae?)(?=\d)", r"\1_", split.replace("_", " "))
    words: list[str] = []
    for word in split.split():
        if word in _SMALL_WORDS:
            continue
        for part in _SPELLING.get(word, word).split("_"):
            words.append(part[:-1] if len(part) > 3 and part.endswith("s") else part)
    return _as_lung(tuple(words))


_LOBES = {"superior": "upper", "inferior": "lower", "mid": "middle"}
_BOTH = frozenset(("whole", "both", "total", "parenchyma"))
_SMALL_WORDS = frozenset(("of", "the"))


def _as_lung(words: tuple[str, ...]) -> tuple[str, ...]:
    """Lobes and lungs in one notation; other words unchanged."""
    own = set(words) - {"lung", *SIDES}
    lobe = {_LOBES.get(word, word) for word in own}
    if "lobe" in own and len(own) == 2 and lobe & {"upper", "middle", "lower"}:
        lobe_words = ("lung", *(_LOBES.get(word, word) for word in words if word != "lung"))
        return tuple(dict.fromkeys(lobe_words))
    if "lung" in words and own and own <= _BOTH:
        return tuple(word for word in words if word not in _BOTH)
    return words


_LEVEL = re.compile(r"[ctls]\d{1,2}")

NameKey = tuple[str, ...]
"""The family of a name: its words without side, number and vertebral level, in a fixed order."""


@lru_cache(CACHED_NAMES)
def key_of(name: str) -> NameKey:
    """The family of a name: "rib_left_4" and "Ribs" both give ("rib",)."""
    words = [w for w in words_of(name) if w not in SIDES and not w.isdigit()]
    if "vertebrae" in words:
        words = [w for w in words if not _LEVEL.fullmatch(w)]
    return tuple(sorted(words))


def level_of(name: str) -> str | None:
    """The level of a single vertebra, "T4" of "vertebrae_T4", else None."""
    words = words_of(name)
    levels = [word for word in words if _LEVEL.fullmatch(word)]
    return levels[0].upper() if "vertebrae" in words and len(levels) == 1 else None


def _table() -> dict[NameKey, Role]:
    forbidden = (_HEART, _VESSELS, _AIRWAY_GULLET_NERVE, _BONE, _ABDOMEN_PELVIS, _HEAD_NECK)
    families = [(Role.FORBIDDEN, names) for names in forbidden]
    families += [
        (Role.SKIN, _SKIN),
        (Role.OUTSIDE, _LIMBS + _TABLES + _DEVICES),
        (Role.LUNG, _LUNG),
        (Role.PASSABLE, _PASSABLE),
    ]
    return {key_of(name): role for role, names in families for name in names.split()}


_ROLES = _table()

LIMB_FAMILIES = frozenset(key_of(name) for name in _LIMBS.split())
"""The families of arms and legs."""

TABLE_FAMILIES = frozenset(key_of(name) for name in _TABLES.split())
"""The families of tables and their parts."""


def _known_role(name: str) -> Role | None:
    if names_a_target(words_of(name)):
        return Role.TARGET
    return _ROLES.get(key_of(name))


def is_known(name: str) -> bool:
    """Whether the name's role is known, not only assumed to be forbidden."""
    return _known_role(name) is not None


def role_of(name: str) -> Role:
    """The role of a structure of this name, unless the request overrides it.

    Heart, vessels, airway, oesophagus, cord, bone, cartilage and the organs of abdomen and neck are
    forbidden, and so is every unknown name. Lung and lobes are lung; muscle, fat and effusion are passable;
    nodes, lesions and GTVs are targets; table, cushion, arms and legs are outside.
    """
    return _known_role(name) or Role.FORBIDDEN
