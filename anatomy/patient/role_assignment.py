"""Assignment: which role each structure has.

    request (roles, target, table)  -->  file given as the target  -->  what the name implies

What contradicts itself is refused: silence would choose for the asker.
"""

from collections.abc import Mapping

from anatomy.errors import StructureError
from anatomy.names.did_you_mean import did_you_mean
from anatomy.names.roles import role_of
from anatomy.structures import Role, Segmentation, Structure

DERIVE = "derive"
"""The table that is asked for where none is named: a half space under the body."""


def assign_roles(segmentation: Segmentation, asked: Mapping[str, Role]) -> tuple[Structure, ...]:
    """Every structure with its role: as `asked`, as its file says, or as its name implies."""
    return tuple(s.with_role(asked.get(s.name) or s.role or role_of(s.name)) for s in segmentation.structures)


def with_only_targets(structures: tuple[Structure, ...], names: tuple[str, ...]) -> tuple[Structure, ...]:
    """The structures, with those in `names` as the only targets: other lesions are tissue like any other."""
    return tuple(
        s.with_role(Role.PASSABLE) if s.role is Role.TARGET and s.name not in names else s for s in structures
    )


def requested_roles(
    segmentation: Segmentation, targets: tuple[str, ...], roles: Mapping[str, str], table: str
) -> dict[str, Role]:
    """The roles that a request gives: by name, as a target, and as the table.

    Raises StructureError for a name or role that is not known, and for what contradicts itself.
    """
    known = segmentation.names()
    asked = {name: _role(name, role, known) for name, role in roles.items()}
    for name in targets:
        if name not in known:
            raise StructureError(
                "target/structure", f"{name!r} is not in the input", did_you_mean(name, known)
            )
        if asked.get(name, Role.TARGET) is not Role.TARGET:
            raise StructureError(
                f"roles/{name}",
                f"{str(asked[name])!r}, but {name!r} is asked for as the target",
                "Leave the role out, or name another target.",
            )
        asked[name] = Role.TARGET
    if table != DERIVE:
        if table not in known:
            raise StructureError(
                "pose/table", f"{table!r} is not in the input", did_you_mean(table, [DERIVE, *known])
            )
        if asked.get(table, Role.OUTSIDE) is not Role.OUTSIDE:
            raise StructureError(
                "pose/table",
                f"{table!r} is asked for as {str(asked[table])!r} too, and a table is outside the body",
                f"Name another structure, or use {DERIVE!r}.",
            )
        asked[table] = Role.OUTSIDE
    return asked


_OF_A_BODY = (Role.SKIN, Role.PASSABLE, Role.TARGET)
"""What the whole body can be asked to be. As a target it is refused for its size."""


def _role(name: str, role: str, known: tuple[str, ...]) -> Role:
    field = f"roles/{name}"
    if name not in known:
        raise StructureError(field, f"{name!r} is not in the input", did_you_mean(name, known))
    if role not in list(Role):
        raise StructureError(field, f"{str(role)!r} is no role", did_you_mean(role, [str(r) for r in Role]))
    if role_of(name) is Role.SKIN and Role(role) not in _OF_A_BODY:
        raise StructureError(
            field,
            f"{str(role)!r}, but {name!r} is the whole body, which every needle enters",
            "Leave the role out, or give 'skin' or 'passable'.",
        )
    return Role(role)
