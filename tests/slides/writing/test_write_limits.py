"""Outputs that no disk holds are refused before a pixel is read."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import stainbridge
from stainbridge.errors import InputError
from stainbridge.jobs.phantom import PhantomJob
from stainbridge.jobs.phantom_slices import PhantomSlicesJob
from stainbridge.slides.slide import Slide
from stainbridge.slides.writing.write import check_output_size


class Vast:
    """Says how large it is and can do nothing else."""

    def __init__(self, slide: Slide, factor: int) -> None:
        self.info = slide.info
        self.frame = slide.frame.at_mpp(slide.frame.mpp[0] / factor)


@pytest.mark.parametrize(("factor", "terabytes"), [(4000, 4.8), (20_000, 120), (10**6, 300_000)])
def test_an_output_of_terabytes_is_refused(factor: int, terabytes: float) -> None:
    slide = stainbridge.ArraySlide(np.zeros((3, 200, 500), np.uint8), mpp=0.5)
    vast = Vast(slide, factor)
    with pytest.raises(InputError, match=r"^a\.tif: the output would be .* TB") as caught:
        check_output_size(vast, Path("a.tif"))  # type: ignore[arg-type]
    assert f"{terabytes:.3g} TB" in str(caught.value)
    check_output_size(Vast(slide, 1000), Path("a.tif"))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("job", "terabytes"),
    [
        (PhantomJob(out=Path("set"), size_px=60_000, cases=100_000), "2.16e+03"),
        (PhantomJob(out=Path("set"), size_px=65_536, cases=100), "2.58"),
        (PhantomJob(out=Path("set"), size_px=2048, cases=10**6, difficulty="cores"), "25.2"),
        (PhantomSlicesJob(out=Path("set"), size_px=16_384, slices=100_000), "161"),
    ],
)
def test_a_data_set_of_terabytes_is_refused_before_any_work(
    job: PhantomJob | PhantomSlicesJob,
    terabytes: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=rf"^set: the output would be {re.escape(terabytes)} TB"):
        job.run()
    assert list(tmp_path.iterdir()) == []
