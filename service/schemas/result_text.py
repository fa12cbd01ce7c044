"""Result text: the result of a job, as the text that is stored and answered, named by its sha256."""

import hashlib
from dataclasses import dataclass

from service.schemas.plan.file import is_plan_of
from service.schemas.result_kinds import ResultKind


def is_text_of(kind: ResultKind, id: str, text: bytes) -> bool:
    """Whether a text is, byte for byte, the one with that id."""
    return is_plan_of(id, text) if kind is ResultKind.PLAN else sha256_of(text) == id


@dataclass(frozen=True)
class JobResult:
    """A text and its id, a sha256: a plan's own, or that of the whole text.

    `plan` is a plan within it, which is also stored as a plan; a plan has none. `access` is the skin access
    map of a plan that was made by planning alone. `summary` is what lists show of a plan.
    """

    kind: ResultKind
    id: str
    text: bytes
    plan: "JobResult | None" = None
    access: bytes | None = None
    summary: str | None = None

    @property
    def size_bytes(self) -> int:
        """Its size in the store, without the plan within it. [bytes]"""
        return len(self.text) + len(self.access or b"")

    @property
    def plan_id(self) -> str | None:
        """The plan that was made, if there is one."""
        if self.kind is ResultKind.PLAN:
            return self.id
        return None if self.plan is None else self.plan.id


def sha256_of(text: bytes) -> str:
    """The id of a text that is not a plan."""
    return hashlib.sha256(text).hexdigest()
