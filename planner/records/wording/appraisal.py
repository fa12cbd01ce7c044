"""Wording of appraisals: what a needle lacks, in a sentence, from values alone."""

from planner.records.appraisal import Lack, Reason, SkinLack
from planner.records.paths import Aim
from planner.records.wording.number_text import apart, mm_text

_SKIN = {
    SkinLack.NEEDLE_LENGTH: "The skin lies deeper than the needle is long.",
    SkinLack.FIELD_OF_VIEW: "It leaves the body at the cut edge of the field of view.",
    SkinLack.SECOND_ENTRY: "It enters the body a second time.",
    SkinLack.TIP_OUTSIDE: "The tip lies outside the body.",
}
_AIMED_AT = {Aim.TARGET: "target", Aim.PTV: "PTV"}


def no_way_to_skin(skin: SkinLack) -> Reason:
    """The line from the tip does not reach the skin."""
    return Reason(Lack.SKIN, None, None, None, skin, _SKIN[skin])


def too_short_in(aim: Aim, found_mm: float, needed_mm: float) -> Reason:
    """The chord in what the needle aims at is too short: of a target the total, of a PTV the longest
    piece."""
    found, needed = apart(found_mm, needed_mm, 1)
    if aim is Aim.PTV:
        detail = f"It runs in the PTV for {found} mm at a stretch; a seed is {needed} mm long."
    else:
        detail = f"It runs in the target for {found} mm; {needed} mm are needed."
    return Reason(Lack.TARGET, None, found_mm, needed_mm, None, detail)


def too_deep(aim: Aim, past_mm: float) -> Reason:
    """The tip lies beyond the far edge of what the needle aims at."""
    detail = f"The tip lies {mm_text(past_mm)} beyond the {_AIMED_AT[aim]}'s far edge."
    return Reason(Lack.TIP, None, past_mm, None, None, detail)


def too_near(lack: Lack, structure: str, clearance_mm: float, needed_mm: float) -> Reason:
    """Needle or hub keep too little free space from a structure."""
    passes, needs = apart(clearance_mm, needed_mm, 1)
    detail = (
        f"The {lack} passes {passes} mm from {structure}, which needs {needs} mm."
        if clearance_mm > 0.0
        else f"The {lack} runs into {structure}."
    )
    return Reason(lack, structure, clearance_mm, needed_mm, None, detail)


def no_room_in_bore(within_mm: float, needed_mm: float) -> Reason:
    """The hub's axis is too near the bore's wall."""
    within, needed = apart(within_mm, needed_mm, 1)
    detail = f"The hub's axis comes within {within} mm of the bore's wall; it needs {needed} mm."
    return Reason(Lack.BORE, None, within_mm, needed_mm, None, detail)
