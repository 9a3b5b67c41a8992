"""Processes that run commands; one that crashes or hangs is replaced."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.fuzz.verdicts import HANG_S

#: Largest file that a command may write, in bytes: a claim of terabytes fails fast.
MOST_BYTES = 4 * 1024**3
#: Longest wait for a command in seconds, when the machine is busy.
LONGEST_WAIT_S = 180.0
#: CPU seconds of a process's first command go to loading libraries.
LOADING_S = 40.0


class Worker:
    """A process that is started when it is needed."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def run(self, command: list[str]) -> dict[str, Any]:
        """Run a command and return how it ended; a crash has no code."""
        if self._process is None:
            self._process = self._start()
            self._ask(self._process, ["--version"], LOADING_S)
        answer = self._ask(self._process, command, HANG_S)
        if answer["code"] is None:
            self.end()
        return answer

    def end(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    @staticmethod
    def _start() -> subprocess.Popen[str]:
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        return subprocess.Popen(
            [sys.executable, "-m", "benchmarks.fuzz.worker", str(MOST_BYTES)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )

    @staticmethod
    def _ask(
        process: subprocess.Popen[str], command: list[str], most_cpu_s: float
    ) -> dict[str, Any]:
        assert process.stdin is not None
        assert process.stdout is not None
        before = _read_cpu_s(process.pid)
        waited_since = time.monotonic()
        ended = {"code": None, "said": "", "cpu_s": 0.0, "megabytes": 0, "hung": False}
        try:
            process.stdin.write(json.dumps(command) + "\n")
            process.stdin.flush()
        except BrokenPipeError:
            return {**ended, "said": f"the process had ended: {process.poll()}"}
        while not select.select([process.stdout], [], [], 0.5)[0]:
            used = _read_cpu_s(process.pid) - before
            if used > most_cpu_s or time.monotonic() - waited_since > LONGEST_WAIT_S:
                return {**ended, "hung": True, "cpu_s": used}
        line = process.stdout.readline()
        if not line:
            return {**ended, "said": f"ended by signal {-(process.wait())}"}
        return {**ended, **json.loads(line)}


def _read_cpu_s(pid: int) -> float:
    """Return the CPU seconds of a process; 0 for one that has ended."""
    try:
        parts = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except FileNotFoundError:
        return 0.0
    return (int(parts[11]) + int(parts[12])) / os.sysconf("SC_CLK_TCK")
