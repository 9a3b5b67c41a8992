"""The slices of a training: what is missing is named before long work begins."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from stainbridge.errors import InputError
from stainbridge.jobs.phantom_slices import PhantomSlicesJob
from stainbridge.jobs.training.slices import open_slices
from stainbridge.joint.sbr.config import SbrTraining


def ignore(_text: str) -> None:
    return None


def test_a_slice_without_labels_is_named_where_labels_are_trained_on(tmp_path: Path) -> None:
    PhantomSlicesJob(out=tmp_path / "stack", slices=3, size_px=64, mpp=8.0).run()
    (tmp_path / "stack" / "moving_labels" / "slice_001.png").unlink()
    source = str(tmp_path / "stack")
    weak, plain = (SbrTraining.preset("small", variant) for variant in ("nmi-w", "nmi"))
    with pytest.raises(InputError, match=r"slice_001: nmi-w is trained on labels.*variant nmi"):
        open_slices(source, weak, ignore)
    settings = replace(plain, slices=replace(plain.slices, longest_px=64))
    assert open_slices(source, settings, ignore).training[0].fixed.any()
