from __future__ import annotations

from pathlib import Path

import pytest
import torch

from stainbridge.jobs.files.training_steps import FEW_STEPS, note_few_steps
from stainbridge.learn.named_weights import list_shipped_weights
from stainbridge.learn.weights import write_weights


def notes(*weights: object) -> list[str]:
    lines: list[str] = []
    note_few_steps(weights, lines.append)  # type: ignore[arg-type]
    return lines


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        (0, "untrained"),
        (12, "trained for 12 steps only"),
        (FEW_STEPS - 1, "steps only"),
        (FEW_STEPS, ""),
    ],
)
@pytest.mark.parametrize("is_run", [False, True])
def test_networks_of_few_steps_are_named(
    tmp_path: Path, steps: int, words: str, is_run: bool
) -> None:
    header = {"task": "toy", "settings": {}}
    header |= {"checkpoint": {"step": steps}} if is_run else {"step": steps}
    path = tmp_path / ("last.safetensors" if is_run else "best.safetensors")
    write_weights(path, {"networks.a": torch.zeros(2)}, header)
    lines = notes(tmp_path, tmp_path, None)
    assert len(lines) == bool(words)
    for line in lines:
        assert line.startswith(f"warning: {path}: ")
        assert words in line


def test_shipped_weights_and_what_is_no_network_are_not_named(tmp_path: Path) -> None:
    (tmp_path / "x.safetensors").write_bytes(b"no weights")
    assert (
        notes(*list_shipped_weights(), tmp_path / "x.safetensors", tmp_path, "no-such-name") == []
    )
