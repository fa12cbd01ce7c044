"""Upload: a multipart form to the files of a case, within limits.

file    the input: a NIfTI label map, .seg.nrrd, a surface, or a zip of masks or surfaces
names   labels.json, where the label map has no names of its own
target  a target mask or surface; may be repeated
ct      the CT on the same grid
"""

import os
from collections.abc import AsyncGenerator
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from anatomy.suggest import nearest
from service.names import refuse_bad_name
from service.problems import of_part, problem
from service.routes.body import chunks
from service.settings import MIB, Settings
from service.store import PARTS, StoredFile, sha256_of
from service.strict_json import FieldError
from service.unpack import is_zip, unpack

REPEATABLE = ("target",)


async def receive(request: Request, folder: Path, settings: Settings) -> tuple[list[StoredFile], bool]:
    """Write the form's files into `folder`. Returns them, and whether the input is a folder of files.

    Raises Problem for a form that is damaged, too large, or has unknown, missing or repeated parts.
    """
    stated = request.headers.get("content-length", "0")
    if stated.isdigit() and int(stated) > settings.max_upload_bytes:
        raise _too_large(settings)
    parser = MultiPartParser(
        request.headers, _counted(request, settings), max_files=settings.max_targets + 3, max_fields=0
    )
    try:
        form = await parser.parse()
    except MultiPartException as error:
        detail = f"{error.message.rstrip('.')}. Parts, all files: {', '.join(PARTS)}."
        raise problem("malformed-upload", detail, (FieldError("", detail),)) from None
    except ClientDisconnect:
        raise problem("malformed-upload", "The upload broke off. Send it again.") from None
    try:
        parts = [(name, part) for name, part in form.multi_items() if isinstance(part, UploadFile)]
        _refuse_wrong_parts([name for name, _ in parts])
        return await run_in_threadpool(_keep, parts, folder, settings)
    finally:
        await form.close()


async def _counted(request: Request, settings: Settings) -> AsyncGenerator[bytes, None]:
    received = 0
    async for chunk in chunks(request):
        received += len(chunk)
        if received > settings.max_upload_bytes:
            raise _too_large(settings)
        yield chunk


def _too_large(settings: Settings) -> Exception:
    return problem("too-large", f"The upload is larger than {settings.max_upload_bytes // MIB} MiB.")


def _refuse_wrong_parts(names: list[str]) -> None:
    for name in names:
        if name not in PARTS:
            raise of_part("malformed-upload", name, f"Unknown part {name!r}. {nearest(name, PARTS)}")
        if name not in REPEATABLE and names.count(name) > 1:
            raise of_part("malformed-upload", name, f"The part {name!r} may occur once. Send one.")
    if "file" not in names:
        raise of_part(
            "malformed-upload",
            "file",
            "The part 'file' is missing. Send the label map, masks or surfaces in it.",
        )


def _keep(
    parts: list[tuple[str, UploadFile]], folder: Path, settings: Settings
) -> tuple[list[StoredFile], bool]:
    kept: list[Path] = []
    for number, (part, upload) in enumerate(parts):
        name = upload.filename or ""
        refuse_bad_name(part, name)
        # A folder for each: two targets may have one file name.
        place = folder / (part if part != "target" else f"target/{number}")
        place.mkdir(parents=True)
        with (place / name).open("xb") as file:
            while chunk := upload.file.read(MIB):
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
        kept.append(place / name)
    source = next(path for path, (part, _) in zip(kept, parts, strict=True) if part == "file")
    zipped = is_zip(source)
    if zipped:
        (folder / "input").mkdir()
        unpack(source, folder / "input", settings)
        source.unlink()
    placed = [
        (part, path) for path, (part, _) in zip(kept, parts, strict=True) if not (zipped and part == "file")
    ]
    unpacked = [("file", path) for path in sorted((folder / "input").iterdir())] if zipped else []
    return [
        StoredFile(part, str(path.relative_to(folder)), sha256_of(path)) for part, path in unpacked + placed
    ], zipped
