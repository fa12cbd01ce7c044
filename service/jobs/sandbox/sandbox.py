"""Sandboxed process: does one task at a time, stays warm between tasks, and can be killed at once.

A task is a function with arguments, all picklable. It runs in its own process because numba's loops cannot be
interrupted: only ending the process ends them, and only a process has a memory limit.

The process stays in our session on purpose. Where Linux groups processes by session (autogroup, sched(7)), a
nice value counts only against processes of the same session: in a session of its own, a sandbox would get as
much processor time as the whole server, however nice it is. In a container or a systemd service, whose
control groups are weighted instead, the session does not matter, and nice values count within the group.

Errors of this module:

SandboxError
|-- Stopped         the caller no longer wants the result
|-- LimitExceeded   the task took more time or memory than allowed
|-- ProcessLost     the process died, or is stalled
`-- TaskFailed      the task raised an error that does not mean bad input; the text is its traceback
"""

import logging
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psutil

from anatomy.errors import AnatomyError
from planner.records.progress import Progress
from service.jobs.liveness.heartbeat_tracker import CHECK_EVERY_S
from service.jobs.liveness.stall_detector import StallDetector, is_stopped
from service.jobs.sandbox.channel import Channel

_log = logging.getLogger("seedpath.sandbox")

WATCH_S = 0.1
"""How often a task is checked: whether it is still wanted, and what it uses [U]."""

END_S = 30.0
"""How long the end of a killed process is waited for: a disk or network share that does not answer may keep
it forever [U]."""


class SandboxError(Exception):
    """A task that did not finish."""


class Stopped(SandboxError):
    """The caller no longer wants the result."""


class LimitExceeded(SandboxError):
    """The task took more time or memory than allowed."""


class ProcessLost(SandboxError):
    """The process died, or is stalled: it is stopped, or waits for something that never happens."""


class TaskFailed(SandboxError):
    """The task raised an error that does not mean bad input. The message is the traceback."""


@dataclass(frozen=True)
class ResourceLimits:
    """What one task may use, and how far it yields to other processes (`nice`, 0 to 19)."""

    time_s: float
    memory_bytes: int
    nice: int


Watcher = Callable[[Progress | None], bool]
"""Called every WATCH_S, and with each progress report: whether to continue."""


def always(progress: Progress | None) -> bool:
    """A watcher that never stops a task."""
    del progress
    return True


class SandboxedProcess:
    """One process, started when it is first needed, and again after it was ended. For one thread at a
    time."""

    def __init__(self, limits: ResourceLimits) -> None:
        self.limits = limits
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: Channel | None = None
        self._lifeline: socket.socket | None = None

    def run(
        self, function: Callable[..., Any], *arguments: Any, watch: Watcher = always, used_s: float = 0.0
    ) -> Any:
        """What `function(report, *arguments)` returns, computed in the process; `used_s` of its time limit
        are used already.

        Raises the AnatomyErrors of the function, and SandboxError. Anything that `watch` raises ends the task
        as well.
        """
        until = time.monotonic() + self.limits.time_s - used_s
        channel, is_new = self._opened()
        try:
            if is_new:
                self._outcome(channel, watch, until)
            channel.send((function, arguments))
            kind, content = self._outcome(channel, watch, until)
        except BaseException:
            self.end()
            raise
        if kind == "refused":
            assert isinstance(content, AnatomyError)
            raise content
        if kind == "fault":
            # The state of the process is unknown: the next task gets a new one.
            self.end()
            raise TaskFailed(content)
        return content

    @property
    def pid(self) -> int | None:
        """The process id, while there is a process."""
        return None if self._process is None else self._process.pid

    def end(self) -> None:
        """Kill the process, whatever it does."""
        if self._process is not None:
            self._process.kill()
            try:
                self._process.wait(END_S)
            except subprocess.TimeoutExpired:
                _log.error("the process %d was killed, but still waits for a disk", self._process.pid)
        for end in (self._channel, self._lifeline):
            if end is not None:
                end.close()
        self._process = self._channel = self._lifeline = None

    def _outcome(self, channel: Channel, watch: Watcher, until: float) -> tuple[str, Any]:
        assert self._process is not None
        stall_detector, messages, due_s = StallDetector(self._process.pid), 0, 0.0
        while True:
            progress = None
            message = _received(channel)
            if message is not None:
                messages += 1
                kind, content = message
                if kind != "progress":
                    return kind, content
                progress = content
            if not watch(progress):
                raise Stopped
            self._refuse_excess(until)
            if time.monotonic() >= due_s:
                due_s = time.monotonic() + CHECK_EVERY_S
                _refuse_stall(stall_detector, messages)

    def _refuse_excess(self, until: float) -> None:
        if time.monotonic() > until:
            raise LimitExceeded(f"It took longer than {self.limits.time_s:g} s.")
        assert self._process is not None
        try:
            used = psutil.Process(self._process.pid).memory_info().rss
        except psutil.NoSuchProcess:
            return
        if used > self.limits.memory_bytes:
            raise LimitExceeded(f"It took more than {self.limits.memory_bytes >> 20} MiB of memory.")

    def _opened(self) -> tuple[Channel, bool]:
        """The channel, and whether its process is new. Raises ProcessLost where none can be started."""
        if self._channel is not None and not self._is_lost(self._channel):
            return self._channel, False
        self.end()
        try:
            return self._start(), True
        except OSError as error:
            self.end()
            raise ProcessLost(f"No process can be started ({error.strerror}).") from error

    def _is_lost(self, channel: Channel) -> bool:
        """Whether the process, which waits and has nothing to send, is gone or stopped."""
        return self._process is None or channel.is_gone() or is_stopped(self._process.pid)

    def _start(self) -> Channel:
        """Start a process. Raises OSError."""
        ours, theirs = socket.socketpair()
        self._channel = Channel(ours)
        with theirs:
            self._lifeline, end = socket.socketpair()
            with end:
                self._process = self._started(theirs.fileno(), end.fileno())
        return self._channel

    def _started(self, *descriptors: int) -> "subprocess.Popen[bytes]":
        numbers = map(str, (*descriptors, self.limits.nice))
        return subprocess.Popen(
            [sys.executable, "-m", "service.jobs.sandbox.main", *numbers],
            pass_fds=descriptors,
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr.fileno() if _has_descriptor(sys.stderr) else subprocess.DEVNULL,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        )


def _received(channel: Channel) -> tuple[str, Any] | None:
    """The next message; None if none arrives for a moment."""
    try:
        return channel.turn(WATCH_S)
    except (EOFError, OSError):
        raise ProcessLost(_DIED) from None


def _refuse_stall(stall_detector: StallDetector, messages: int) -> None:
    try:
        seconds = stall_detector.seconds(messages)
    except psutil.NoSuchProcess:
        return
    if seconds is not None:
        raise ProcessLost(f"The process that worked on it was stalled for {seconds:.0f} s.")


_DIED = "The process that worked on it died."


def _has_descriptor(stream: Any) -> bool:
    try:
        stream.fileno()
    except (AttributeError, OSError, ValueError):
        return False
    return True
