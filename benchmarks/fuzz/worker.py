"""One process that runs commands, one after the other, and says how each ended."""

from __future__ import annotations

import json
import os
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from stainbridge.cli.main import run
from stainbridge.cli.streams import silence_libraries

#: Peak memory of a process is kept here, and reset by writing 5.
CLEAR = Path("/proc/self/clear_refs")
STATUS = Path("/proc/self/status")


def main() -> None:
    """Read a command, as a JSON list, from each line of standard input."""
    answers = os.fdopen(os.dup(1), "w")
    silence_libraries()
    limit = int(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    for line in sys.stdin:
        print(json.dumps(run_quietly(json.loads(line))), file=answers, flush=True)


def run_quietly(arguments: list[str]) -> dict[str, Any]:
    """Run a command and return its exit code, its words, its CPU seconds and its memory."""
    CLEAR.write_text("5")
    before = read_kilobytes("VmRSS")
    started = time.process_time()
    with tempfile.TemporaryFile() as words:
        kept = os.dup(1), os.dup(2)
        sys.stdout.flush()
        os.dup2(words.fileno(), 1)
        os.dup2(words.fileno(), 2)
        try:
            code = run(arguments)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os.dup2(kept[0], 1)
            os.dup2(kept[1], 2)
            os.close(kept[0])
            os.close(kept[1])
        words.seek(0)
        said = words.read(20_000).decode("utf-8", "replace")
    return {
        "code": code,
        "said": said,
        "cpu_s": round(time.process_time() - started, 3),
        "megabytes": max(0, read_kilobytes("VmHWM") - before) // 1024,
    }


def read_kilobytes(name: str) -> int:
    """Return a line of the process's status."""
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith(name))
    return int(line.split()[1])


if __name__ == "__main__":
    main()
