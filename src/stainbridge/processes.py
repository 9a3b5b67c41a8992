"""Processes that end with the one that started them, and the signals that end a run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

#: Signals that end a run in order: Ctrl-C, a scheduler's, and that of a closed terminal.
ENDING_SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)
#: Linux's number of the request to be sent a signal when the parent ends.
PR_SET_PDEATHSIG = 1
#: Seconds between two looks at whether the parent is still there, where no signal tells.
WATCH_S = 0.5
#: Reads until the other end of its input is closed, and ends its process group then.
GUARD = ("sh", "-c", "cat > /dev/null; kill -9 0")


def end_with_parent(parent: int) -> None:
    """Have this process end as soon as `parent`, the id of its parent, has ended.

    Linux sends a signal that nothing can delay; elsewhere a thread looks twice a second.
    """
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it has ended before
        os._exit(1)
    threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def end_group_with_input() -> None:
    """Have this process and all that it starts end when its standard input is closed.

    The process leads a group, and its parent holds the other end of its input. A peer's own
    processes end too, which a signal to this process alone would leave. Nothing else may read the
    input: it is empty from here on.
    """
    subprocess.Popen(GUARD, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    empty = os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, 0)
    os.close(empty)


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(WATCH_S)
    os._exit(1)
