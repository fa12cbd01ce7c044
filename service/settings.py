"""Settings of the service: where it keeps its files, how many processes plan, and how much it takes in."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from anatomy.errors import AnatomyError

MIB = 1 << 20


@dataclass(frozen=True)
class Settings:
    """What an installation chooses. All limits are settings [U].

    `max_unpacked_bytes` bounds an upload after unpacking, `max_expansion` its growth by unpacking.
    `max_jobs` bounds jobs that wait or run, `max_wait_s` what `Prefer: wait` may ask for.
    """

    data_dir: Path
    workers: int = 1
    max_upload_bytes: int = 1024 * MIB
    max_unpacked_bytes: int = 4096 * MIB
    max_expansion: float = 200.0
    max_zip_entries: int = 1000
    max_targets: int = 50
    max_jobs: int = 32
    max_finished_jobs: int = 1000
    max_wait_s: float = 600.0


def from_environment(environment: Mapping[str, str] = os.environ) -> Settings:
    """Settings from SEEDPATH_DATA_DIR and SEEDPATH_WORKERS; defaults are the user's data folder and 1.

    Raises AnatomyError for a number of workers that is none.
    """
    share = environment.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    folder = environment.get("SEEDPATH_DATA_DIR") or str(Path(share) / "seedpath")
    workers = environment.get("SEEDPATH_WORKERS", "1")
    if not (workers.isascii() and workers.isdigit() and 1 <= int(workers) <= 64):
        raise AnatomyError("SEEDPATH_WORKERS", repr(workers), "Give a whole number from 1 to 64.")
    return Settings(data_dir=Path(folder), workers=int(workers))
