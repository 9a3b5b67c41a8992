"""Slides pickle by what made them."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PILImage
from tests.conftest import Array, Sample

from stainbridge.errors import InputError
from stainbridge.geometry.frame import Frame
from stainbridge.geometry.transform import Affine
from stainbridge.imaging.image import Image
from stainbridge.slides import ArraySlide, Slide, open_slide
from stainbridge.slides.readers.openslide_reader import open_vendor
from stainbridge.slides.warped import WarpedSlide

READ_THEM = """
import pickle, sys
reads = pickle.load(open(sys.argv[1], "rb"))
images = [(slide.info, slide.stain, slide.levels, slide.read(frame)) for slide, frame in reads]
pickle.dump(images, open(sys.argv[2], "wb"))
"""


def read_in_child(reads: list[tuple[Slide, Frame]], folder: Path) -> list[tuple[object, ...]]:
    """Send slides to another process, in another folder; return what it reads of them."""
    sent = folder / "sent.pkl"
    received = folder / "received.pkl"
    sent.write_bytes(pickle.dumps(reads))
    command = [sys.executable, "-c", READ_THEM, str(sent), str(received)]
    subprocess.run(command, check=True, cwd=folder)
    answers: list[tuple[object, ...]] = pickle.loads(received.read_bytes())
    return answers


def test_a_copy_in_another_process_reads_equal_pixels_in_an_equal_space(
    samples: dict[str, Sample], picture: Array, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = samples["png"].path.parent
    monkeypatch.chdir(folder)
    with ExitStack() as opened:
        slides = [
            opened.enter_context(open_slide(os.path.relpath(each.path), mpp=0.4, stain=name))
            for name, each in samples.items()
        ]
        slides.append(opened.enter_context(open_vendor(samples["aperio"].path)))
        slides.append(ArraySlide(np.moveaxis(picture, -1, 0), 0.5, "array", "HE"))
        turn = np.array([[0.8, -0.6, 90], [0.6, 0.8, -40], [0, 0, 1]])
        onto = Affine(turn, slides[-1].frame.space, slides[0].frame.space)
        slides.append(WarpedSlide(slides[0], onto, interpolation="nearest"))
        reads = [(slide, slide.frame.at_mpp(1.3)) for slide in slides]
        answers = read_in_child(reads, tmp_path)
        for (slide, frame), (info, stain, levels, copied) in zip(reads, answers, strict=True):
            image = slide.read(frame)
            assert isinstance(copied, Image)
            assert info == slide.info
            assert stain == slide.stain
            assert levels == slide.levels  # equal frames lie in equal spaces
            assert copied.frame == frame
            np.testing.assert_array_equal(copied.pixels, image.pixels)
            np.testing.assert_array_equal(copied.valid, image.valid)


def test_a_closed_slide_is_not_pickled(sample: Sample) -> None:
    with open_slide(sample.path) as slide:
        pass
    with pytest.raises(InputError, match=f"^{sample.path}: the slide is closed$"):
        pickle.dumps(slide)


def test_a_missing_or_changed_file_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    PILImage.fromarray(np.zeros((40, 50), np.uint8)).save(path)
    with open_slide(path, mpp=0.5) as slide:
        pickled = pickle.dumps(slide)
    path.unlink()
    with pytest.raises(InputError, match=f"^{path}: no such file$"):
        pickle.loads(pickled)
    PILImage.fromarray(np.zeros((40, 60), np.uint8)).save(path)
    changed = "the file has changed since it was opened; expected 50 x 40 .*; got 60 x 40 "
    with pytest.raises(InputError, match=changed):
        pickle.loads(pickled)
