"""A library that crashes takes another process with it, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from stainbridge.errors import InputError
from stainbridge.geometry.probe import probe

CRASH = "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"
COMPLAIN = "import sys; sys.exit('pages of words')"
GO_ROUND = "while True: pass"


@pytest.mark.parametrize("script", [CRASH, COMPLAIN, GO_ROUND])
def test_a_crash_an_error_or_a_read_without_end_is_a_refusal(
    script: str,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("stainbridge.geometry.probe.LONGEST_READ_S", 1)
    with pytest.raises(InputError, match=r"a\.h5: the file is damaged; .* make it again"):
        probe(tmp_path / "a.h5", script)
    assert capfd.readouterr() == ("", "")


def test_what_can_be_read_passes(tmp_path: Path) -> None:
    probe(tmp_path, "import sys; print(sys.argv[1])")
