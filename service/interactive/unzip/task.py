"""Unpack task: what a sandbox does with an uploaded zip. What is wrong with it comes back as a value."""

from collections.abc import Callable
from pathlib import Path

from service.host.errors import UnusableUpload
from service.interactive.unzip.unzip import ZipLimits, stated_bytes, unpack
from service.operations.job_tasks import ReportProgress

Take = Callable[[int], None]
"""Counts bytes of an owner as they come in, or go again (below 0). Raises QuotaExceeded."""

UnzipResult = int | UnusableUpload | OSError
"""Bytes; or what is wrong with the zip; or with the disk."""


def state_zip(report: ReportProgress, archive: Path, limits: ZipLimits) -> UnzipResult:
    """The bytes that the zip is said to unpack to."""
    del report
    try:
        return stated_bytes(archive, limits)
    except UnusableUpload as refused:
        return refused


def unpack_zip(report: ReportProgress, archive: Path, folder: Path, limits: ZipLimits) -> UnzipResult:
    """Unpack the zip into a folder that is empty, or holds what a process left that was lost at it."""
    del report
    try:
        for path in folder.iterdir():
            path.unlink()
        return unpack(archive, folder, limits)
    except UnusableUpload as refused:
        return refused
    except OSError as error:
        return error


def bytes_of(outcome: UnzipResult) -> int:
    """The bytes. Raises UnusableUpload and OSError where there are none."""
    if isinstance(outcome, int):
        return outcome
    raise outcome
