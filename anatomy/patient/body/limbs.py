"""Limbs: arms and legs that were segmented as separate structures outside the body."""

from anatomy.names.roles import LIMB_FAMILIES, key_of
from anatomy.structures import Role, Structure


def is_limb(structure: Structure) -> bool:
    """Whether a structure with a role is a limb outside the body, by its family: "arm_left" is one, an
    "arm_board" is not."""
    return structure.role is Role.OUTSIDE and key_of(structure.name) in LIMB_FAMILIES
