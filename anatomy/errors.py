"""Errors that anatomy raises about its input.

AnatomyError            bad input: which field, what was found there, what to do
|-- ReadError           bytes that are not what their name says, or are damaged
|-- FrameMismatch       two things that must share a frame or a grid do not
|-- GridError           a voxel-to-patient matrix that is no rigid, scaled frame
|-- StructureError      a structure that is empty, unknown, or of an unusable role
`-- SurfaceError        a mesh that bounds no volume
"""

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


class AnatomyError(ValueError):
    """Bad input, described so that the sender can correct it.

    `field` names the input (a file, a structure, a request field), `value` says what was found there, and
    `remedy` what to do about it. Each is shortened to a readable length.
    """

    def __init__(self, field: str, value: str, remedy: str) -> None:
        self.field = shortened(field, MAX_FIELD_LENGTH)
        self.value = shortened(value, MAX_VALUE_LENGTH)
        self.remedy = shortened(remedy, MAX_REMEDY_LENGTH)
        super().__init__(f"{self.field}: {self.value}. {self.remedy}")

    def __reduce__(self) -> tuple[type["AnatomyError"], tuple[str, str, str]]:
        """Pickle by the constructor's arguments, so that the error keeps its fields in another process."""
        return (type(self), (self.field, self.value, self.remedy))


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
