"""Result text: what a job makes, as the text that is kept and answered, named by its sha256."""

import hashlib
from dataclasses import dataclass

from service.schemas.plan.file import is_plan_of
from service.schemas.result_kinds import ResultKind


def is_text_of(kind: ResultKind, id: str, text: bytes) -> bool:
    """Whether a text is what has that id, byte for byte."""
    return is_plan_of(id, text) if kind is ResultKind.PLAN else sha256_of(text) == id


@dataclass(frozen=True)
class JobResult:
    """A text and its id, a sha256: a plan's own, or that of the whole text.

    `plan` is a plan within, which is kept as one too; a plan holds none. `access` is the skin access map that
    a plan was chosen from, where it was made by planning alone. `summary` is by what lists know a plan.
    """

    kind: ResultKind
    id: str
    text: bytes
    plan: "JobResult | None" = None
    access: bytes | None = None
    summary: str | None = None

    @property
    def size_bytes(self) -> int:
        """What it takes in the store, without the plan within it."""
        return len(self.text) + len(self.access or b"")

    @property
    def plan_id(self) -> str | None:
        """The plan that was made, if one was."""
        if self.kind is ResultKind.PLAN:
            return self.id
        return None if self.plan is None else self.plan.id


def sha256_of(text: bytes) -> str:
    """The id of a text that is no plan."""
    return hashlib.sha256(text).hexdigest()
