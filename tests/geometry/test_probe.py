"""A library that crashes takes a child process with it, and nothing else."""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from stainbridge.errors import InputError
from stainbridge.geometry.probe import probe


def crash(_name: str) -> None:
    faulthandler.disable()  # which would fill the output of the tests
    os.kill(os.getpid(), signal.SIGSEGV)


def complain(name: str) -> None:
    os.write(2, b"pages of words")
    raise ValueError(name)


def go_round(_name: str) -> None:
    while True:
        time.sleep(1)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="copies of processes")
@pytest.mark.parametrize("read", [crash, complain, go_round])
def test_a_crash_an_error_or_a_read_without_end_is_a_refusal(
    read: object,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("stainbridge.geometry.probe.LONGEST_READ_S", 1)
    with pytest.raises(InputError, match=r"a\.h5: the file is damaged; .* make it again"):
        probe(read, tmp_path / "a.h5")  # type: ignore[arg-type]
    assert capfd.readouterr().err == ""


def test_what_can_be_read_passes(tmp_path: Path) -> None:
    probe(len, tmp_path)
