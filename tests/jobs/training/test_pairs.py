from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from stainbridge.jobs.training import pairs
from stainbridge.jobs.training.pairs import SAMPLES, report_samples
from stainbridge.registration.training.config import AffineTraining

SETTINGS = AffineTraining.preset("small")


def test_a_run_says_how_many_of_its_samples_are_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pairs, "LOOK_S", -1.0)
    settings = replace(SETTINGS, pairs=replace(SETTINGS.pairs, stored_samples=2))
    texts: list[str] = []
    report = report_samples(settings, tmp_path, lambda text, _fraction: texts.append(text))
    report("step 1", 0.1)
    (tmp_path / SAMPLES).mkdir()
    for number in range(2):
        (tmp_path / SAMPLES / f"{number:06d}.npz").touch()
        report("step 2", 0.2)
    assert texts == ["step 1, making samples: 0 of 2", "step 2, making samples: 1 of 2", "step 2"]


def test_a_run_that_stores_none_says_nothing_of_them(tmp_path: Path) -> None:
    settings = replace(SETTINGS, pairs=replace(SETTINGS.pairs, stored_samples=0))
    texts: list[str] = []
    report_samples(settings, tmp_path, lambda text, _fraction: texts.append(text))("step 1", 0.1)
    assert texts == ["step 1"]
