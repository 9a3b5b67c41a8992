"""The configuration checks itself and survives YAML."""

from __future__ import annotations

from pathlib import Path

import pytest

from stainbridge.errors import InputError
from stainbridge.registration.config import PRESETS, AffineConfig, DeformableConfig, RegisterConfig


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_survives_yaml(name: str, tmp_path: Path) -> None:
    path = tmp_path / "pipeline.yaml"
    path.write_text(RegisterConfig.preset(name).to_yaml())
    assert RegisterConfig.from_yaml(path) == RegisterConfig.preset(name)


def test_the_deformable_stage_can_be_left_out(tmp_path: Path) -> None:
    path = tmp_path / "pipeline.yaml"
    path.write_text("deformable: null\n")
    assert RegisterConfig.from_yaml(path).deformable is None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("presset: fast", "unknown key"),
        ("affine:\n  stepz: [1]", "unknown key"),
        ("seed: yes", "wrong type"),
        ("affine:\n  radius: wide", "wrong type"),
        ("- 1\n- 2", "not a configuration"),
        ("a: [", "cannot be read"),
        ("max_rotation_deg: 200", "out of range"),
        ("device: tpu", "no such device"),
    ],
)
def test_a_bad_file_is_one_clear_line(text: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "pipeline.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=says) as caught:
        RegisterConfig.from_yaml(path)
    assert "\n" not in str(caught.value)


def test_unknown_presets_and_uneven_rounds_are_refused() -> None:
    with pytest.raises(InputError, match="no such preset"):
        RegisterConfig.preset("best")
    with pytest.raises(InputError, match="one number of steps"):
        RegisterConfig(affine=AffineConfig(sizes_px=(128,), steps=(1, 2), keep=(1,)))
    with pytest.raises(InputError, match="one number of steps"):
        DeformableConfig(steps=(32, 64))
