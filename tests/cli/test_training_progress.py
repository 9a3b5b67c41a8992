from __future__ import annotations

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
