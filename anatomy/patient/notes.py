"""Notes: what a scene had to assume or leave out, one sentence each."""

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
    """Where the skin comes from: the structures whose surface it is, or none where it is guessed."""
    if not skin_structures:
        return "No body structure: skin is the surface of the union of all structures, closed and filled."
    return f"Skin is the surface of {', '.join(skin_structures)} joined with every structure inside the body."


def note_on_skin(skin_structures: Sequence[str]) -> tuple[str, ...]:
    """Where no structure tells where the skin is."""
    if skin_structures:
        return ()
    return (
        "Without a body structure, skin and entries may lie centimetres inside the patient: segment the body "
        "(TotalSegmentator: --task body) and give it with the organs.",
    )


def note_on_targets(roles: Mapping[str, Role]) -> tuple[str, ...]:
    """Where several structures are the target."""
    names = [name for name, role in roles.items() if role is Role.TARGET]
    if len(names) == 1:
        return ()
    return (
        f"{', '.join(names)} are treated as one target, their union. To treat one of them, name it alone.",
    )


def note_on_other_lesions(before: Mapping[str, Role], after: Mapping[str, Role]) -> tuple[str, ...]:
    """What is a target by its name or file, and is passable as another was asked for."""
    others = sorted(
        name for name, role in after.items() if role is Role.PASSABLE and before[name] is Role.TARGET
    )
    return (f"Not the target, so taken as passable: {', '.join(others)}.",) if others else ()


def notes_on_place(share_outside: float, cut: tuple[str, ...]) -> tuple[str, ...]:
    """A target that reaches out of the body, or out of the field of view at these sides."""
    said = []
    if share_outside > 0.0:
        said.append(
            f"{100 * share_outside:.2g} % of the target lies outside the body structure: the skin is drawn "
            "around it."
        )
    if cut:
        said.append(
            f"The target is cut by the edge of the field of view ({', '.join(cut)}): what of it lies beyond "
            "is not treated."
        )
    return tuple(said)


def notes_on_lung(roles: Mapping[str, Role], missing: tuple[str, ...]) -> tuple[str, ...]:
    """What no number on lung says: lung that is not there, and fissures that no lobes show."""
    lacks, whole = lung_lacking(missing), whole_lungs(roles)
    said = []
    if lacks == (LUNG,) and Role.LUNG not in roles.values():
        said.append(
            "No structure is taken as lung: what a path crosses of it, pleural punctures and fissures are "
            "not known, and stand as 0."
        )
    elif lacks:
        said.append(
            f"Not in the input as lung: {', '.join(lacks)}. Lung crossed, pleural punctures and fissures are "
            "counted without it."
        )
    if whole:
        said.append(f"Without lobes no fissure is counted in {', '.join(whole)}.")
    return tuple(said)
