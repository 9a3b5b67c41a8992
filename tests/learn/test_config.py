"""Settings of a run."""

from __future__ import annotations

from stainbridge.learn.config import TrainConfig
from stainbridge.settings import build


def test_settings_of_version_0_1_0_still_load() -> None:
    assert build(TrainConfig, {"held": 3}, "config.yaml").validation_samples == 3
