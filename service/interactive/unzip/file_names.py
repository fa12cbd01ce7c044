"""Names of uploaded files: kept, because readers take structure names from them, and so made safe."""

from service.host.errors import UnusableUpload

MAX_FILE_NAME_BYTES = 200
"""Room for a suffix below the 255 bytes that common file systems allow."""


def refuse_bad_name(part: str, name: str) -> None:
    """Raises UnusableUpload for a name that is empty, hidden, too long, a path, or has control characters."""
    bad = (
        not name
        or name.startswith(".")
        or any(c in '/\\:*?"<>|' or not c.isprintable() for c in name)
        or len(name.encode("utf-8", "replace")) > MAX_FILE_NAME_BYTES
    )
    if bad:
        quoted = ascii(name[:60])
        raise UnusableUpload(part, f"{quoted} is not a usable file name. Give a plain, short one.")
