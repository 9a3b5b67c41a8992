"""The process that computes: it takes tasks from its parent until the parent is gone."""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import sys
import threading
import time
import traceback
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from stainbridge.errors import StainbridgeError

#: Seconds between two looks at whether the parent is still there.
WATCH_S = 0.5
#: Where the traceback of an unexpected error goes, in the folder of its task.
TRACEBACK = "traceback.txt"


def serve(connection: Connection) -> None:
    """Run the tasks that come through a connection, and send what comes of each."""
    while True:
        try:
            packed, folder = connection.recv()
        except EOFError:
            return
        with contextlib.suppress(BrokenPipeError):  # the parent is gone, and so is this process
            connection.send(answer(packed, folder))


def answer(packed: bytes, folder: Path) -> tuple[str, Any]:
    """Return "result" with the result of a pickled task, or the kind of its failure and why."""
    try:
        return "result", pickle.loads(packed).run(folder)
    except StainbridgeError as error:
        return "input", _shorten(str(error), folder)
    except Exception as error:
        (folder / TRACEBACK).write_text(traceback.format_exc(), encoding="utf-8")
        return "error", _shorten(f"{type(error).__name__}: {error}", folder)


def _shorten(message: str, folder: Path) -> str:
    """Return one line that does not name the hidden folder, whose name is another every time."""
    return " ".join(message.replace(f"{folder}{os.sep}", "").split())


def _watch(parent: int) -> None:
    """End this process when its parent is gone, so that a killed run leaves nothing running."""
    while os.getppid() == parent:
        time.sleep(WATCH_S)
    os._exit(1)


def main() -> None:
    """Serve the connection whose file descriptor is the first argument."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends this process
    threading.Thread(target=_watch, args=(os.getppid(),), daemon=True).start()
    serve(Connection(int(sys.argv[1])))


if __name__ == "__main__":
    main()
