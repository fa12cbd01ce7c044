"""Bench process: what runs on the other side of `service.jobs.bench`, until its parent is gone."""

import os
import queue
import signal
import sys
import threading
import traceback
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any

from anatomy.errors import AnatomyError
from planner.progress import Progress


def main(descriptor: int, nice: int) -> None:
    """Do what the parent sends, piece by piece. A fault is told to the parent, and ends the process."""
    # Ctrl-C reaches the whole process group; the parent ends this process itself.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(nice)
    connection = Connection(descriptor)

    def tell(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        connection.send(("fault", "".join(traceback.format_exception(kind, error, trace))))

    sys.excepthook = tell
    sent: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=_receive, args=(connection, sent), daemon=True).start()
    connection.send(("ready", None))
    while True:
        function, arguments = sent.get()
        connection.send(_outcome(connection, function, arguments))


def _outcome(connection: Connection, function: Any, arguments: tuple[Any, ...]) -> tuple[str, Any]:
    def report(progress: Progress) -> None:
        connection.send(("progress", progress))

    try:
        return "made", function(report, *arguments)
    except AnatomyError as error:
        return "refused", error


def _receive(connection: Connection, sent: "queue.SimpleQueue[Any]") -> None:
    """Hand on what is sent. A parent that is gone ends this process, in the middle of its work too."""
    try:
        while True:
            sent.put(connection.recv())
    except (EOFError, OSError):
        os._exit(1)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
