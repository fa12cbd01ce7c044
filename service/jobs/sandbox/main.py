"""Main program of a sandboxed process: the other side of `service.jobs.sandbox.sandbox`. Ends with its
parent."""

import fcntl
import os
import pickle
import queue
import select
import signal
import socket
import sys
import threading
import traceback
from types import TracebackType
from typing import Any

from anatomy.errors import AnatomyError
from planner.records.progress import Progress
from service.jobs.liveness.heartbeat_tracker import CHECK_EVERY_S, HeartbeatTracker
from service.jobs.liveness.stall_detector import is_stopped, mark_as_helper_thread
from service.jobs.sandbox.channel import read, write

PARENT_STOPPED_S = 60.0
"""A parent that is stopped for this long has been replaced, and its work is done elsewhere [U]."""


def main(descriptor: int, lifeline: int, nice: int) -> None:
    """Do the tasks that the parent sends, one after the other. An unexpected error is sent to the parent, and
    ends the process.

    The parent has the other ends of two sockets: `descriptor` carries messages, `lifeline` carries nothing.
    """
    _end_with(lifeline)
    # Ctrl-C reaches the whole process group; the parent ends this process itself.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(nice)
    parent = socket.socket(fileno=descriptor)

    def tell(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        write(parent, ("fault", "".join(traceback.format_exception(kind, error, trace))))

    sys.excepthook = tell
    sent: queue.SimpleQueue[bytearray] = queue.SimpleQueue()
    threading.Thread(target=_receive, args=(parent, sent), daemon=True).start()
    write(parent, ("ready", None))
    while True:
        # Here, not in the thread: an unpickling error is reported like any other error.
        function, arguments = pickle.loads(sent.get())
        write(parent, _outcome(parent, function, arguments))


def _outcome(parent: socket.socket, function: Any, arguments: tuple[Any, ...]) -> tuple[str, Any]:
    def report(progress: Progress) -> None:
        write(parent, ("progress", progress))

    try:
        return "made", function(report, *arguments)
    except AnatomyError as error:
        return "refused", error


def _end_with(lifeline: int) -> None:
    """Let the kernel end this process as soon as the parent's end of the lifeline is closed, for example when
    the parent dies.

    A thread cannot do this while native code keeps Python's lock. PR_SET_PDEATHSIG would depend on the thread
    of the parent that started this process.
    """
    signal.signal(signal.SIGIO, signal.SIG_DFL)
    fcntl.fcntl(lifeline, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC)


def _receive(parent: socket.socket, sent: "queue.SimpleQueue[bytearray]") -> None:
    """Queue the messages that arrive. If the parent is gone or stopped for long, this process ends, even in
    the middle of its work. It also ends if this thread ends for any other reason, because nobody would read
    messages."""
    mark_as_helper_thread()
    arrived, tracker, looks = select.poll(), HeartbeatTracker(), 0
    arrived.register(parent, select.POLLIN)
    try:
        while True:
            if arrived.poll(1000.0 * CHECK_EVERY_S):
                sent.put(read(parent))
            looks += not is_stopped(os.getppid())
            if tracker.update({"parent": looks})["parent"].watched_s > PARENT_STOPPED_S:
                return
    finally:
        os._exit(1)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
