from __future__ import annotations

import io
import re

import pytest

from stainbridge.cli.training_progress import LINE_EVERY_S, training_progress


def test_a_training_off_a_terminal_prints_lines_also_while_nothing_is_new(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def wait_for(lines: int) -> None:
        while len(seen) < lines:
            seen.extend(capsys.readouterr().err.splitlines())

    seen: list[str] = []
    with training_progress(every_s=0.01) as progress:
        wait_for(1)
        progress("step 1 of 4, loss 2", 0.25)
        wait_for(len(seen) + 3)
    assert seen[0] == "preparing"
    assert seen[-1] == "25% step 1 of 4, loss 2"
    assert LINE_EVERY_S == 30


def test_on_a_terminal_all_numbers_are_shown_however_narrow_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("TERM", "xterm")
    words = "step 11 of 12, generator 0.25, critic 1.5, spread 0.125, 1.5 steps/s, 9 min left"
    with training_progress() as progress:
        progress(words, 0.9)
    shown = " ".join(re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", " ", terminal.getvalue()).split())
    for part in words.split():
        assert part in shown
    assert "…" not in shown
