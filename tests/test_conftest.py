from __future__ import annotations

import signal
import subprocess
import sys


def test_interrupts_reach_the_tests_and_what_they_start() -> None:
    """Also where the tests were started in the background of a shell, which ignores them."""
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    script = "import signal; print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)"
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert ended.stdout.strip() == b"True"
