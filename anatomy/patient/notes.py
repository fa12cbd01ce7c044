"""Notes: what was assumed or left out to make a scene, one sentence each."""

from collections.abc import Mapping, Sequence

from anatomy.names.roles import is_known, role_of
from anatomy.plausibility.expected_structures import LUNG, lung_lacking, whole_lungs
from anatomy.structures import Role, Segmentation


def notes_on_names(segmentation: Segmentation, overrides: Mapping[str, Role]) -> tuple[str, ...]:
    """What was assumed about structures by their names."""
    empty = sorted(s.name for s in segmentation.structures if s.mask.count == 0)
    guessed = sorted(
        s.name
        for s in segmentation.structures
        if s.mask.count > 0 and s.role is None and s.name not in overrides and not is_known(s.name)
    )
    passable = sorted(
        s.name
        for s in segmentation.structures
        if s.mask.count > 0
        and s.role is None
        and s.name not in overrides
        and role_of(s.name) is Role.PASSABLE
    )
    left_out = f"Empty and left out: {', '.join(empty)}."
    through = f"Taken as passable by their names: {', '.join(passable)}."
    return (
        *((left_out,) if empty else ()),
        *((through,) if passable else ()),
        *(f"{name} is not a known name: taken as forbidden." for name in guessed),
    )


def skin_text(skin_structures: Sequence[str]) -> str:
    """The origin of the skin: the structures whose surface it is; none if it is guessed."""
    if not skin_structures:
        return "No body structure: skin is the surface of the union of all structures, closed and filled."
    return f"Skin is the surface of {', '.join(skin_structures)} joined with every structure inside the body."


def note_on_skin(skin_structures: Sequence[str]) -> tuple[str, ...]:
    """A note if no structure shows where the skin is."""
    if skin_structures:
        return ()
    return (
        "Without a body structure, skin and entries may lie centimetres inside the patient: segment the body "
        "(TotalSegmentator: --task body) and give it with the organs.",
    )


def note_on_targets(roles: Mapping[str, Role]) -> tuple[str, ...]:
    """A note if several structures are the target."""
    names = [name for name, role in roles.items() if role is Role.TARGET]
    if len(names) == 1:
        return ()
    return (
        f"{', '.join(names)} are treated as one target, their union. To treat one of them, name it alone.",
    )


def note_on_other_lesions(before: Mapping[str, Role], after: Mapping[str, Role]) -> tuple[str, ...]:
    """A note on targets by name or file that become passable because another target was requested."""
    others = sorted(
        name for name, role in after.items() if role is Role.PASSABLE and before[name] is Role.TARGET
    )
    return (f"Not the target, so taken as passable: {', '.join(others)}.",) if others else ()


def notes_on_place(share_outside: float, cut: tuple[str, ...]) -> tuple[str, ...]:
    """Notes on a target that extends outside the body, or outside the field of view at the sides `cut`."""
    notes = []
    if share_outside > 0.0:
        notes.append(
            f"{100 * share_outside:.2g} % of the target lies outside the body structure: the skin is drawn "
            "around it."
        )
    if cut:
        notes.append(
            f"The target is cut by the edge of the field of view ({', '.join(cut)}): the part beyond it is "
            "not treated."
        )
    return tuple(notes)


def notes_on_lung(roles: Mapping[str, Role], missing: tuple[str, ...]) -> tuple[str, ...]:
    """Notes on missing lung, and on fissures that cannot be counted without lobes."""
    lacks, whole_lung_names = lung_lacking(missing), whole_lungs(roles)
    notes = []
    if lacks == (LUNG,) and Role.LUNG not in roles.values():
        notes.append(
            "No structure is taken as lung: the lung that a path crosses, pleural punctures and fissures are "
            "not known, and are given as 0."
        )
    elif lacks:
        notes.append(
            f"Not in the input as lung: {', '.join(lacks)}. Lung crossed, pleural punctures and fissures are "
            "counted without it."
        )
    if whole_lung_names:
        notes.append(f"Without lobes no fissure is counted in {', '.join(whole_lung_names)}.")
    return tuple(notes)
