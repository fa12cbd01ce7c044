"""Settings of the service: where it stores things, who does its work, and how much it accepts.

Each is read from SEEDPATH_<NAME>, or from the TOML file that SEEDPATH_SETTINGS names; the environment wins.
"""

import ipaddress
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails

from anatomy.errors import AnatomyError
from anatomy.names.did_you_mean import did_you_mean
from service.host.loopback import is_loopback
from service.logs.json_lines import Format
from service.logs.rotation import DAY_S, RotationLimits

MIB = 1 << 20

_ORIGIN = re.compile(r"https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?")

PREFIX = "SEEDPATH_"
FILE = "SEEDPATH_SETTINGS"
"""Names the TOML file."""

TOGETHER = "settings"
"""The field of an error about settings that do not fit together."""

_CHANGE = "Change it, or leave it out for the default."
_MAKE_A_KEY = "Make a key by `seedpath keys create`."

THREADS = "SEEDPATH_THREADS"
"""How many threads a plan uses; read by the planner alone (`anatomy.runtime.parallel`)."""

CountSetting = Annotated[int, Field(ge=1, le=100_000)]
Bytes = Annotated[int, Field(ge=1, le=1 << 44)]
Seconds = Annotated[float, Field(gt=0.0, le=1e6)]
Days = Annotated[float, Field(gt=0.0, le=100_000.0)]


def _data_home() -> Path:
    share = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(share) / "seedpath"


class SettingsError(AnatomyError):
    """A setting that is unknown, cannot be read, or does not fit another."""


class Settings(BaseModel):
    """What an installation chooses. All limits are settings [U].

    `database_url` is a SQLAlchemy URL; without one, a SQLite file in `data_dir` stores the records.
    `scheduler` is the address of a Dask scheduler whose workers see `data_dir`; without one, `workers`
    processes are started here. `job_memory_bytes` and `job_time_s` limit one job, `job_attempts` how often it
    is started if its worker dies. `appraisers` processes answer needles that a user moves, many of them
    together, each within `appraisal_time_s`; most of that time is for making a scene when it is first used.
    `readers` processes read uploads, each within `reading_time_s`; one owner has all but one of them at most.
    `nice` is how far jobs yield to answers, `reading_nice` how far reading does, for which somebody waits.
    Without `job_memory_bytes`, `reading_memory_bytes` and `appraisal_memory_bytes`, each process may use a
    share of this machine's memory (`service.jobs.memory_limits`), which `seedpath serve` prints.
    `max_unpacked_bytes` limits an upload after unpacking, `max_expansion` its growth by unpacking.
    `max_bytes_of_owner` is what one owner may keep: 100 GiB are about five hundred chests with their CT.
    `max_jobs` limits jobs that wait or run, `max_wait_s` the wait of `Prefer: wait`, in whole seconds.
    `scheduler_is_private` declares the network of a scheduler safe that is neither local nor reached by TLS.
    `database_patience_s` is how long an answer waits for an unreachable database before it reports that; at
    most 10 s: the dispatcher waits for it as well, and is taken to be stuck after 15 s. `keys_file` contains
    API keys; without it, only this machine is served. Beyond loopback, keys need TLS: our own
    (`tls_certificate`, `tls_key`), or that of a proxy in front, which `behind_tls_proxy` declares.
    `cors_origins` are the pages of other origins that are allowed, by comma in the environment, like
    `trusted_proxies`. `requests_per_s`, `requests_burst` and `requests_at_once` limit the requests of one
    owner to one server, `max_jobs_of_owner` the owner's share of `max_jobs`, `max_bytes_under_way` what the
    owner has sent that is in memory and not yet answered: bodies of JSON, and for each WebSocket what its
    buffers may hold. `body_idle_s` is how long a body may pause, and `body_bytes_per_s` the rate that it must
    keep after its first `body_idle_s`: Apache's mod_reqtimeout requires 500 bytes/s, which every connection
    has. `head_s` is how long the head of a request may take: Apache's mod_reqtimeout allows 20 s. There are
    at most `max_connections` at once, including WebSockets and streams of events, or as many as the system's
    limit on open files allows, and `max_connections_of_address` from one address, if callers have addresses
    of their own: not without keys, and not `behind_tls_proxy`, unless `trusted_proxies` names the proxy's
    addresses. Proxies named there are believed in for whom they forward (X-Forwarded-For); nobody else is.
    `audit_file` is the audit log; without it, a file in `data_dir`. It is rotated, to a name with the time,
    at `audit_rotate_bytes`, or when its first line is `audit_rotate_days` old. `reserve_bytes` are reserved
    in `data_dir`, for a SQLite file and the audit log if these are on the same disk, so that on a full disk
    jobs can be cancelled and things removed: eight times SQLite's write-ahead log. 0 is none.
    `keep_cases_days`, `keep_plans_days` (results of all kinds), `keep_jobs_days` (ended jobs) and
    `keep_audit_days` (rotated logs) are how long things stay after their last use; `max_bytes_of_cases`,
    `max_bytes_of_plans` and `max_bytes_of_audit` are the total size of each kind, beyond which the longest
    unused are removed. Without them nothing is ever removed unless requested (service.maintenance.retention).
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, hide_input_in_errors=True)

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8000
    data_dir: Path = Field(default_factory=_data_home)
    database_url: SecretStr | None = None
    database_patience_s: Annotated[float, Field(gt=0, le=10)] = 3.0
    scheduler: str | None = None
    scheduler_is_private: bool = False
    workers: Annotated[int, Field(ge=1, le=64)] = 1
    nice: Annotated[int, Field(ge=0, le=19)] = 19
    job_memory_bytes: Bytes | None = None
    job_time_s: Seconds = 3600.0
    appraisers: Annotated[int, Field(ge=1, le=16)] = 2
    appraisal_time_s: Seconds = 120.0
    appraisal_memory_bytes: Bytes | None = None
    readers: Annotated[int, Field(ge=1, le=16)] = 2
    reading_time_s: Seconds = 120.0
    reading_memory_bytes: Bytes | None = None
    reading_nice: Annotated[int, Field(ge=0, le=19)] = 5
    job_attempts: Annotated[int, Field(ge=1, le=10)] = 3
    max_upload_bytes: Bytes = 1024 * MIB
    max_unpacked_bytes: Bytes = 4096 * MIB
    max_expansion: Annotated[float, Field(ge=1.0, le=1e6)] = 200.0
    max_bytes_of_owner: Bytes = 102_400 * MIB
    max_zip_entries: CountSetting = 1000
    max_targets: CountSetting = 50
    max_jobs: CountSetting = 32
    max_finished_jobs: CountSetting = 1000
    max_wait_s: Seconds = 600.0
    max_jobs_of_owner: CountSetting = 16
    requests_per_s: Annotated[float, Field(gt=0.0, le=1e6)] = 500.0
    requests_burst: CountSetting = 1000
    requests_at_once: CountSetting = 256
    max_bytes_under_way: Annotated[int, Field(ge=8 * MIB, le=1 << 44)] = 256 * MIB
    body_idle_s: Seconds = 30.0
    body_bytes_per_s: Annotated[float, Field(gt=0.0, le=1e9)] = 500.0
    head_s: Seconds = 20.0
    max_connections: Annotated[int, Field(ge=16, le=100_000)] = 4096
    max_connections_of_address: CountSetting = 512
    trusted_proxies: tuple[str, ...] = ()
    keys_file: Path | None = None
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    behind_tls_proxy: bool = False
    cors_origins: tuple[str, ...] = ()
    log_format: Format = "json"
    audit_file: Path | None = None
    audit_rotate_bytes: Bytes = 64 * MIB
    audit_rotate_days: Days = 31.0
    reserve_bytes: Annotated[int, Field(ge=0, le=1 << 44)] = 32 * MIB
    keep_cases_days: Days | None = None
    keep_plans_days: Days | None = None
    keep_jobs_days: Days | None = None
    keep_audit_days: Days | None = None
    max_bytes_of_cases: Bytes | None = None
    max_bytes_of_plans: Bytes | None = None
    max_bytes_of_audit: Bytes | None = None

    @field_validator("cors_origins", "trusted_proxies", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return (
            tuple(part.strip() for part in value.split(",") if part.strip())
            if isinstance(value, str)
            else value
        )

    @field_validator("cors_origins")
    @classmethod
    def _are_origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for origin in value:
            if not _ORIGIN.fullmatch(origin):
                wrong = f"{origin!r} is not an origin: give scheme, host and port alone, as in https://pacs.example:8443"
                raise SettingsError(_variable("cors_origins"), wrong, _CHANGE)
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _are_addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for proxy in value:
            try:
                ipaddress.ip_address(proxy)
            except ValueError:
                wrong = f"{proxy!r} is not an address: give those of the proxies, as in 127.0.0.1, 10.0.0.7"
                raise SettingsError(_variable("trusted_proxies"), wrong, _CHANGE) from None
        return value

    @model_validator(mode="after")
    def _parts_that_are_shared_are_shared(self) -> "Settings":
        if self.scheduler is None:
            return self
        if "data_dir" not in self.model_fields_set:
            raise SettingsError(
                TOGETHER,
                "with a scheduler, its workers must see data_dir",
                "Name one that has the same path for all.",
            )
        where = self.scheduler.partition("://")[2].rpartition(":")[0]
        if not (self.scheduler_is_private or self.scheduler.startswith("tls://") or is_loopback(where)):
            raise SettingsError(
                TOGETHER,
                f"anyone who reaches the scheduler at {where!r} may run anything on its workers",
                "Use tls://, or say scheduler_is_private=true where nobody else is on its network.",
            )
        if self.database.startswith("sqlite"):
            raise SettingsError(
                TOGETHER,
                "with a scheduler, SQLite's one file is not safe to share",
                "Name a PostgreSQL as database_url.",
            )
        return self

    @model_validator(mode="after")
    def _nobody_else_is_let_in_unasked(self) -> "Settings":
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise SettingsError(TOGETHER, "tls_certificate and tls_key go together", "Give both, or neither.")
        if self.behind_tls_proxy and self.keys_file is None:
            raise SettingsError(
                TOGETHER,
                "behind a proxy everybody it serves comes from this machine, and without keys_file there is "
                "no telling who may ask",
                _MAKE_A_KEY,
            )
        if self.trusted_proxies and self.keys_file is None:
            raise SettingsError(
                TOGETHER,
                "what a proxy passes on is refused without keys_file, so that trusted_proxies means nothing",
                _MAKE_A_KEY,
            )
        if is_loopback(self.host):
            return self
        if self.keys_file is None:
            raise SettingsError(
                TOGETHER,
                f"host {self.host!r} can be reached by others, and without keys_file the service cannot know "
                "who may ask",
                "Make a key by `seedpath keys create`, or listen on 127.0.0.1.",
            )
        if self.tls_certificate is None and not self.behind_tls_proxy:
            raise SettingsError(
                TOGETHER,
                f"host {self.host!r} can be reached by others, and keys would go there in the clear",
                "Give tls_certificate and tls_key, or say behind_tls_proxy=true where a proxy has TLS.",
            )
        return self

    @property
    def audit(self) -> Path:
        """The file of the audit log."""
        return self.audit_file or self.data_dir / "audit.jsonl"

    @property
    def audit_rotation(self) -> RotationLimits:
        """When the audit log is rotated."""
        return RotationLimits(self.audit_rotate_bytes, self.audit_rotate_days * DAY_S)

    @property
    def database(self) -> str:
        """The SQLAlchemy URL of the records, with its password."""
        if self.database_url is None:
            return f"sqlite:///{self.data_dir / 'seedpath.sqlite'}"
        return self.database_url.get_secret_value()


def from_environment(environment: Mapping[str, str] = os.environ) -> Settings:
    """Settings from a file and the environment, defaults for the rest.

    Raises SettingsError for a name that is not a setting, a value out of range, or values that do not fit
    together, and OSError for a file that cannot be read.
    """
    values = _from_file(environment[FILE]) if FILE in environment else {}
    names = [_variable(name) for name in Settings.model_fields]
    for name, value in environment.items():
        if name.startswith(PREFIX) and name not in (FILE, THREADS):
            if name not in names:
                raise SettingsError(name, "there is no such setting", did_you_mean(name, names))
            values[name.removeprefix(PREFIX).lower()] = value
    try:
        return Settings(**values)
    except ValidationError as error:
        raise _refusal(error.errors(include_url=False)[0]) from None


def _variable(name: str) -> str:
    """The environment variable of a setting."""
    return f"{PREFIX}{name.upper()}"


def _from_file(path: str) -> dict[str, Any]:
    try:
        content = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(path, f"it is no TOML ({error})", "Write it as name = value.") from None
    for name in content:
        if name not in Settings.model_fields:
            raise SettingsError(
                path, f"{name!r} is not a setting", did_you_mean(name, list(Settings.model_fields))
            )
    return content


def _refusal(error: ErrorDetails) -> SettingsError:
    cause = error.get("ctx", {}).get("error")
    if isinstance(cause, SettingsError):
        return cause
    message = error["msg"]
    return SettingsError(_variable(f"{error['loc'][0]}"), f"{message[:1].lower()}{message[1:]}", _CHANGE)
