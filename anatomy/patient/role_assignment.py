"""Role assignment: the role of each structure, by the first of these that gives one.

    request (roles, target, table)  -->  file given as the target  -->  what the name implies

Contradictions are refused: choosing one side silently would decide for the user.
"""

from collections.abc import Mapping

from anatomy.errors import StructureError
from anatomy.names.did_you_mean import did_you_mean
from anatomy.names.roles import role_of
from anatomy.patient.target import TARGET_FIELD
from anatomy.structures import Role, Segmentation, Structure

DERIVE = "derive"
"""The value of `table` that means a half space under the body."""


def assign_roles(segmentation: Segmentation, requested: Mapping[str, Role]) -> tuple[Structure, ...]:
    """Every structure with its role: as `requested`, as its file says, or as its name implies."""
    return tuple(
        s.with_role(requested.get(s.name) or s.role or role_of(s.name)) for s in segmentation.structures
    )


def with_only_targets(structures: tuple[Structure, ...], names: tuple[str, ...]) -> tuple[Structure, ...]:
    """The structures, with those in `names` as the only targets: other lesions become passable."""
    return tuple(
        s.with_role(Role.PASSABLE) if s.role is Role.TARGET and s.name not in names else s for s in structures
    )


def requested_roles(
    segmentation: Segmentation, targets: tuple[str, ...], roles: Mapping[str, str], table: str
) -> dict[str, Role]:
    """The roles that a request gives: by name, as a target, and as the table.

    Raises StructureError for an unknown name or role, and for contradictions.
    """
    known = segmentation.names()
    requested = {name: _role(name, role, known) for name, role in roles.items()}
    for name in targets:
        if name not in known:
            raise StructureError(TARGET_FIELD, f"{name!r} is not in the input", did_you_mean(name, known))
        if requested.get(name, Role.TARGET) is not Role.TARGET:
            raise StructureError(
                ("roles", name),
                f"{str(requested[name])!r}, but {name!r} is requested as the target",
                "Leave the role out, or name another target.",
            )
        requested[name] = Role.TARGET
    if table != DERIVE:
        if table not in known:
            raise StructureError(
                _TABLE_FIELD, f"{table!r} is not in the input", did_you_mean(table, [DERIVE, *known])
            )
        if requested.get(table, Role.OUTSIDE) is not Role.OUTSIDE:
            raise StructureError(
                _TABLE_FIELD,
                f"{table!r} is also requested as {str(requested[table])!r}, and a table is outside the body",
                f"Name another structure, or use {DERIVE!r}.",
            )
        requested[table] = Role.OUTSIDE
    return requested


_TABLE_FIELD = ("pose", "table")

_OF_A_BODY = (Role.SKIN, Role.PASSABLE, Role.TARGET)
"""The roles that the whole body may have. As a target it is refused later, for its size."""


def _role(name: str, role: str, known: tuple[str, ...]) -> Role:
    field = ("roles", name)
    if name not in known:
        raise StructureError(field, f"{name!r} is not in the input", did_you_mean(name, known))
    if role not in list(Role):
        raise StructureError(
            field, f"{str(role)!r} is not a role", did_you_mean(role, [str(r) for r in Role])
        )
    if role_of(name) is Role.SKIN and Role(role) not in _OF_A_BODY:
        raise StructureError(
            field,
            f"{str(role)!r}, but {name!r} is the whole body, which every needle enters",
            "Leave the role out, or give 'skin' or 'passable'.",
        )
    return Role(role)
