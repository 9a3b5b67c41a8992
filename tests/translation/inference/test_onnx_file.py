"""Generators as ONNX files."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from tests.translation.inference.test_apply import INSTANCE, UNET, model

from stainbridge.errors import InputError, MissingExtraError
from stainbridge.nn.coarse_to_fine_generator import CoarseToFineConfig
from stainbridge.nn.generators import GeneratorConfig
from stainbridge.nn.resnet_generator import ResNetConfig
from stainbridge.translation.inference import onnx_file
from stainbridge.translation.inference.onnx_file import write_onnx
from stainbridge.translation.inference.slide_statistics import freeze_statistics

COARSE = CoarseToFineConfig(coarse=ResNetConfig(width=4, halvings=1, blocks=1), blocks=1)


@pytest.mark.parametrize(
    "config",
    [
        INSTANCE,
        pytest.param(UNET, marks=pytest.mark.slow),
        pytest.param(COARSE, marks=pytest.mark.slow),
    ],
    ids=["resnet", "unet", "coarse-to-fine"],
)
def test_onnxruntime_makes_the_same_picture(config: GeneratorConfig, tmp_path: Path) -> None:
    """Frozen statistics, another size and two pictures at once."""
    plain = model(config, 0.5)
    frozen = replace(
        plain, generator=freeze_statistics(plain.generator, torch.rand(2, 3, 64, 64) * 2 - 1)
    )
    path = tmp_path / "m.onnx"
    assert write_onnx(frozen, path) < 1e-4
    assert [file.name for file in tmp_path.iterdir()] == ["m.onnx"]
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    pictures = torch.rand(2, 3, 7 * plain.period, 4 * plain.period) * 2 - 1
    (made,) = session.run(None, {"source": pictures.numpy()})
    with torch.no_grad():
        real = frozen.generator(pictures).numpy()
    assert real.std() > 0.05
    assert np.abs(made - real).max() < 1e-4
    (entry,) = onnx.load(path).metadata_props
    facts = json.loads(entry.value)
    assert (facts["source"], facts["target"], facts["mpp"]) == ("HE", "Ki67", 0.5)
    assert (facts["period_px"], facts["reach_px"]) == (plain.period, plain.generator.reach)
    assert str(Path(onnx_file.__file__).parents[2]).encode() not in path.read_bytes()


def test_a_file_that_differs_is_not_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        onnx_file, "_export", lambda network, channels, facts, path: path.write_bytes(b"other")
    )
    monkeypatch.setattr(onnx_file, "_difference", lambda network, channels, path: 0.2)
    with pytest.raises(InputError, match="the exported network differs"):
        write_onnx(model(), tmp_path / "m.onnx")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_package_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_file, "PACKAGES", ("no_such_package",))
    with pytest.raises(MissingExtraError, match=r"stainbridge\[onnx\]"):
        write_onnx(model(), tmp_path / "m.onnx")
    assert list(tmp_path.iterdir()) == []
