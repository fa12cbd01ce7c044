"""Limbs: arms and legs that were drawn as structures of their own, outside the body."""

from anatomy.roles import words_of
from anatomy.structures import Role, Structure

LIMB_WORDS = frozenset(
    word
    for name in ("arm", "forearm", "hand", "leg", "thigh", "limb", "extremities")
    for word in words_of(name)
)
"""A structure outside the body with one of these words in its name is a limb, but for an arm rest."""


def is_limb(structure: Structure) -> bool:
    """Whether a structure, which has a role, is a limb by its name."""
    words = set(words_of(structure.name))
    return structure.role is Role.OUTSIDE and bool(LIMB_WORDS & words) and not words & {"rest", "support"}
