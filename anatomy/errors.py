"""Errors that anatomy raises about its input.

AnatomyError            bad input: which field, what was found there, what to do
|-- ReadError           bytes that are not what their name says, or are damaged
|-- FrameMismatch       two things that must share a frame or a grid do not
|-- GridError           a voxel-to-patient matrix that is not a rigid, scaled frame
|-- StructureError      a structure that is empty, unknown, or of an unusable role
`-- SurfaceError        a mesh that bounds no volume
"""

from collections.abc import Callable
from enum import StrEnum

MAX_FIELD_LENGTH, MAX_VALUE_LENGTH, MAX_REMEDY_LENGTH = 200, 500, 1200
"""Characters of each part of an error. A damaged file can hold a number of a million digits: repeating all of
it would hide what is wrong."""


def shortened(text: str, most: int) -> str:
    """`text`, with its middle left out if it has more than `most` characters."""
    if len(text) <= most:
        return text
    gap = " ... "
    end = (most - len(gap)) // 2
    return text[: most - len(gap) - end] + gap + text[-end:]


class Companion(StrEnum):
    """What may be given beside the input itself, as `anatomy.readers.read.read` calls it. How a user gives it
    is for the user's interface to say."""

    NAMES = "names"
    TARGET = "target"
    CT = "ct"
    MESH_AXES = "mesh_axes"


Remedy = str | tuple[str | Companion, ...]
"""What to do about bad input: a text, or its pieces with the companions that it names among them."""


RequestPath = tuple[str | int, ...]
"""Where in a request a field stands: names of fields, and numbers of entries in lists."""


class AnatomyError(ValueError):
    """Bad input, described so that the sender can correct it.

    `field` names the input (a file, a structure), or says where in the request it stands: then it is a path,
    which `request_path` keeps. `value` says what was found there, and `remedy` what to do about it. Each is
    shortened to a readable length.
    """

    def __init__(self, field: str | RequestPath, value: str, remedy: Remedy) -> None:
        self.request_path = None if isinstance(field, str) else field
        self.field = shortened(
            field if isinstance(field, str) else "/".join(map(str, field)), MAX_FIELD_LENGTH
        )
        self.value = shortened(value, MAX_VALUE_LENGTH)
        self._remedy = remedy
        super().__init__(self.text_by(str))

    def __reduce__(self) -> tuple[type["AnatomyError"], tuple[str | RequestPath, str, Remedy]]:
        """Pickle by the constructor's arguments, so that the error keeps its fields in another process."""
        return (type(self), (self.request_path or self.field, self.value, self._remedy))

    @property
    def remedy(self) -> str:
        """The remedy, with companions by their names in `anatomy.readers.read.read`."""
        return self.remedy_by(str)

    def text_by(self, name_of: Callable[[Companion], str]) -> str:
        """Field, value and remedy in one text, in which `name_of` says how each companion is given."""
        return f"{self.field}: {self.value}. {self.remedy_by(name_of)}"

    def remedy_by(self, name_of: Callable[[Companion], str]) -> str:
        """The remedy, in which `name_of` says how each companion is given."""
        pieces = (self._remedy,) if isinstance(self._remedy, str) else self._remedy
        text = "".join(name_of(piece) if isinstance(piece, Companion) else piece for piece in pieces)
        return shortened(text, MAX_REMEDY_LENGTH)


class ReadError(AnatomyError):
    """A file cannot be read: wrong magic, truncated, too large, or of an unknown kind."""


class FrameMismatch(AnatomyError):
    """Two inputs that must lie in one frame, or on one grid, do not."""


class GridError(AnatomyError):
    """A voxel-to-patient matrix is not finite, is sheared, or has a spacing out of range."""


class StructureError(AnatomyError):
    """A structure is missing, empty, unknown, or has a role it cannot have."""


class SurfaceError(AnatomyError):
    """A surface is open, self-inverted or otherwise bounds no volume."""
