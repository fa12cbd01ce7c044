"""Target names: a word for a target, and otherwise only words that say where it is and which one.

    "LN_4R", "GTVp1", "lesion_lung_right", "iGTV_T50"      every word is known here: a target
    "tumor_thrombus_SVC", "target_avoidance"               one word is unknown: no target

A CTV or PTV is not a target here: it is not tissue, and already contains a margin. GTVp, GTVn and the series
that may follow ("GTVp1_CT1PT1") are named as in AAPM TG-263.
"""

import re

_VOLUMES = frozenset(("gtv", "gtvp", "gtvn", "gtvt", "igtv", "igtvp", "igtvn"))
_KINDS = _VOLUMES | {
    *("lesion", "lymphnode", "ln", "metastasi", "nodule", "node", "station", "target", "tumor"),
}
_WHERE = frozenset(
    (
        *("left", "right", "upper", "middle", "lower", "lobe", "lung", "pulmonary", "lymph", "nodal"),
        *("hilar", "hilum", "mediastinal", "paratracheal", "subcarinal", "prevascular", "paraaortic"),
        *("subaortic", "paraesophageal", "interlobar", "lobar", "segmental", "primary", "recurrent"),
        *("i", "p", "n", "t", "a", "b", "c", "mip", "avg"),
    )
)
_NUMBERED = re.compile(rf"({'|'.join(sorted(_KINDS, key=len, reverse=True))})(\d.*)")
_WHICH = re.compile(r"\d+|(1[0-4]|[1-9])([rl][si]?|[aps])|t\d{1,2}|((ct|pt|pet|mr|mri|sp)\d*)+")
"""A number, a station of the IASLC map, a phase of breathing, or an imaging series."""


def names_a_target(words: tuple[str, ...]) -> bool:
    """Whether normalised words (anatomy.names.roles.words_of) name a target.

    A gross tumour volume must come first: "Lungs GTV" may be lung without the GTV.
    """
    split: list[str] = []
    for word in words:
        numbered = _NUMBERED.fullmatch(word)
        split += numbered.groups() if numbered else [word]
    kinds = [word for word in split if word in _KINDS]
    if not kinds or not all(word in _KINDS | _WHERE or _WHICH.fullmatch(word) for word in split):
        return False
    return (
        not _VOLUMES.intersection(kinds) or split[0] in _VOLUMES or split[:2] in (["i", k] for k in _VOLUMES)
    )
