"""A process ends with the one that started it, and so does all that it has started itself."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

#: Prints the id of a child that would live for a minute; the child stops its own threads, too.
PARENT = """
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", sys.argv[1]], stdin=subprocess.PIPE,
                         stdout=subprocess.PIPE, start_new_session=True)
print(child.pid, child.stdout.readline().decode(), flush=True)
time.sleep(60)
"""
ALONE = """
import os, sys, time
from stainbridge.processes import end_with_parent
end_with_parent(os.getppid())
print(os.getpid(), flush=True)
time.sleep(60)
"""
#: As where Linux sends no signal.
WATCHING = "import sys; sys.platform = 'other'\n" + ALONE
#: Its own child knows nothing of its parents.
WITH_CHILD = """
import os, subprocess, sys, time
from stainbridge.processes import end_group_with_input
end_group_with_input()
assert sys.stdin.read() == ""
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print(child.pid, flush=True)
time.sleep(60)
"""


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
@pytest.mark.parametrize("child", [ALONE, WATCHING, WITH_CHILD], ids=["signal", "watch", "group"])
def test_nothing_outlives_a_parent_that_is_killed(child: str) -> None:
    command = [sys.executable, "-c", PARENT, child]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pids = [int(word) for word in parent.stdout.readline().split()]
        assert len(pids) == 2
        assert all(map(is_running, pids))
        os.kill(parent.pid, signal.SIGKILL)
    end = time.monotonic() + 20
    while any(map(is_running, pids)) and time.monotonic() < end:
        time.sleep(0.02)
    assert not any(map(is_running, pids))


def test_a_process_whose_parent_is_gone_already_ends_at_once() -> None:
    script = "from stainbridge.processes import end_with_parent; end_with_parent(1); print('here')"
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert ended.returncode == 1
    assert ended.stdout == b""
