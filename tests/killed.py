"""Work in a process that may be killed.

It is not a fork of the test's own process: locks and threads of other tests would be in there, and
the work might wait for them for ever.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from multiprocessing import get_context
from typing import Any

LONGEST_WAIT_S = 300.0
#: What a training imports; done once for all processes.
IMPORTED = ["tests.learn.test_loop", "lightning_fabric", "torch.utils.tensorboard"]


def run_killed(work: Callable[..., object], *arguments: Any) -> bool:
    """Call a function of a module in a process of its own; return whether it was killed.

    It and its arguments are pickled.
    """
    context = get_context("forkserver")
    context.set_forkserver_preload(IMPORTED)
    process = context.Process(target=work, args=arguments)
    process.start()
    process.join(LONGEST_WAIT_S)
    code = process.exitcode
    if code is None:
        process.kill()
        process.join()
        raise AssertionError(f"{work.__name__} neither ended nor was killed")
    process.close()
    assert code in (0, -signal.SIGKILL), f"{work.__name__} ended with {code}"
    return code != 0


def die(*_arguments: Any, **_options: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)
