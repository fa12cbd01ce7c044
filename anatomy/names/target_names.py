"""Names of what is treated: a word for a target, and beside it nothing but where it is and which it is.

    "LN_4R", "GTVp1", "lesion_lung_right", "iGTV_T50"      every word is known here: a target
    "tumor_thrombus_SVC", "target_avoidance"               one is not: no target, whatever the first one says

A CTV or PTV is not among them: it is no tissue, and holds its own margin already. GTVp, GTVn and the
series that may follow ("GTVp1_CT1PT1") are named as AAPM TG-263 does.
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
    """Whether folded words (anatomy.names.roles.words_of) name what is treated.

    A gross tumour volume is named first: "Lungs GTV" may be lung without it.
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
