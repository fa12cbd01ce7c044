"""Names of the classes of TotalSegmentator, by the role that each has."""

SIDES = ("left", "right")


def sided(*names: str) -> list[str]:
    return [f"{name}_{side}" for name in names for side in SIDES]


LOBES = [
    "lung_upper_lobe_left",
    "lung_lower_lobe_left",
    "lung_upper_lobe_right",
    "lung_middle_lobe_right",
    "lung_lower_lobe_right",
]


MUSCLES = sided("gluteus_maximus", "gluteus_medius", "gluteus_minimus", "autochthon", "iliopsoas")


SPINE = [
    f"vertebrae_{level}{n}" for level, last in (("C", 7), ("T", 12), ("L", 5)) for n in range(1, last + 1)
]


RIBS = [f"rib_{side}_{n}" for side in SIDES for n in range(1, 13)]


SHARED_BY_BOTH = [
    "spleen",
    *sided("kidney", "adrenal_gland", "iliac_artery", "iliac_vena", "humerus", "scapula", "clavicula"),
    *sided("femur", "hip"),
    *["gallbladder", "liver", "stomach", "pancreas", "aorta", "inferior_vena_cava"],
    *["portal_vein_and_splenic_vein"],
    *["esophagus", "trachea", "small_bowel", "duodenum", "colon", "urinary_bladder", "sacrum", "brain"],
    *SPINE,
    *RIBS,
]


V1_FORBIDDEN = [
    *SHARED_BY_BOTH,
    *["heart_myocardium", "heart_atrium_left", "heart_ventricle_left", "heart_atrium_right"],
    *["heart_ventricle_right", "pulmonary_artery", "face"],
]


V2_FORBIDDEN = [
    *SHARED_BY_BOTH,
    *["thyroid_gland", "prostate", "kidney_cyst_left", "kidney_cyst_right", "vertebrae_S1", "heart"],
    *["pulmonary_vein"],
    *["brachiocephalic_trunk", "atrial_appendage_left", "superior_vena_cava", "spinal_cord", "skull"],
    *["sternum"],
    *sided("subclavian_artery", "common_carotid_artery", "brachiocephalic_vein"),
    "costal_cartilages",
]


SUBTASKS_FORBIDDEN = [
    *["lung_vessels", "lung_trachea_bronchia", "pericardial_effusion", "coronary_arteries"],
    *["vertebrae_body", "intervertebral_discs", "liver_vessels", "liver_tumor", "liver_segment_4"],
    *["hip_implant", "brainstem", "larynx_air", "thyroid_cartilage", "hyoid", "internal_carotid_artery_left"],
    *["internal_jugular_vein_right", "hypopharynx", "parotid_gland_left", "submandibular_gland_right"],
    *[
        "superior_pharyngeal_constrictor",
        "patella",
        "tibia",
        "fibula",
        "ulna",
        "radius",
        "carpal",
        "metacarpal",
    ],
    *["phalanges_hand", "ventricle_frontal_horn_left", "third_ventricle", "optic_nerve_left"],
    *["left_ventricular_outflow_tract", "right_coronary_cusp", "pericardium", "abdominal_cavity"],
]


PASSABLE = [
    *["pleural_effusion", "subcutaneous_fat", "torso_fat", "skeletal_muscle", "intermuscular_fat", "breast"],
    *["breasts", "deltoid", "trapezius", "pectoralis_minor", "pectoralis_major", "serratus_anterior"],
    *["subscapularis", "teres_major", "sternocleidomastoid_left", "anterior_scalene_right"],
    *["platysma_left", "mediastinum", "thoracic_cavity"],
]
