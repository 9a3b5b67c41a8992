"""The viewer's registration from landmarks, in a process of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from stainbridge.jobs.job_process import launch_job
from stainbridge.progress import Progress

if TYPE_CHECKING:
    from stainbridge.viewer.trial import TrialRequest

#: Seconds between two looks at whether the registration is to stop.
LOOK_S = 0.2


def run_trial(request: TrialRequest, progress: Progress, is_stopped: Callable[[], bool]) -> None:
    """Register as asked; the result is in `request.out` then, a failed one too.

    Raises `StoppedError` when stopped, `StainbridgeError` for input that cannot be used, and
    `RuntimeError` when the process ends without an outcome.
    """
    from stainbridge.jobs.register import RegisterJob  # heavy, and rarely needed
    from stainbridge.viewer.trial import StoppedError

    job = RegisterJob(
        fixed=request.fixed,
        moving=request.moving,
        out=request.out,
        preset=request.preset,
        fixed_mpp=request.fixed_mpp,
        moving_mpp=request.moving_mpp,
        fixed_landmarks=request.fixed_landmarks,
        moving_landmarks=request.moving_landmarks,
    )
    process, connection = launch_job(job)
    try:
        while True:
            if is_stopped():
                raise StoppedError
            if not connection.poll(LOOK_S):
                continue
            try:
                kind, value = connection.recv()
            except (EOFError, OSError):
                raise RuntimeError("the registration's process ended without an outcome") from None
            if kind == "progress":
                progress(*value)
            elif kind == "outcome":
                return
            elif kind == "error":
                raise value
            elif kind == "bug":
                raise RuntimeError(value.strip().splitlines()[-1])
    finally:
        process.kill()
        process.join()
        connection.close()
