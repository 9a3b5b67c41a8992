"""A slide in one line, and as HTML for a notebook."""

from __future__ import annotations

import base64
import io
import re

import numpy as np
import PIL.Image
import pytest
from tests.conftest import Sample

from stainbridge.geometry.transform import Affine
from stainbridge.slides import ArraySlide, open_slide
from stainbridge.slides.slide import Channel
from stainbridge.slides.warped import WarpedSlide


def test_a_slide_is_one_line(samples: dict[str, Sample]) -> None:
    with open_slide(samples["aperio"].path, stain="HE") as slide:
        name = samples["aperio"].path.name
        assert repr(slide) == f"<TiffSlide '{name}': 803 x 601 px, 0.25 µm/px, HE, RGB, tifffile>"
        warped = WarpedSlide(slide, Affine(np.eye(3), slide.frame.space, slide.frame.space))
        assert repr(warped).startswith(f"<WarpedSlide '{name}': 803 x 601 px, 0.25 µm/px, HE")
    grey = ArraySlide(np.zeros((1, 20, 30), np.uint16))
    expected = "<ArraySlide 'array': 30 x 20 px, no pixel size, 1 channel, array>"
    assert repr(grey) == expected


def read_thumbnail(html: str) -> PIL.Image.Image:
    (data,) = re.findall(r'src="data:image/png;base64,([^"]+)"', html)
    return PIL.Image.open(io.BytesIO(base64.b64decode(data)))


@pytest.mark.parametrize("name", ["png", "ome fluorescence"])
def test_a_notebook_shows_facts_and_a_thumbnail(samples: dict[str, Sample], name: str) -> None:
    with open_slide(samples[name].path) as slide:
        html = slide._repr_html_()
    assert samples[name].path.name in html
    assert "803 x 601 px" in html
    assert read_thumbnail(html).size == (320, 240)


def test_html_is_escaped_and_a_closed_slide_says_so() -> None:
    slide = ArraySlide(np.zeros((1, 20, 30), np.uint8), name="<b>.png", channels=(Channel("a"),))
    assert read_thumbnail(slide._repr_html_()).size == (30, 20)
    slide.close()
    html = slide._repr_html_()
    assert "&lt;b&gt;.png: the slide is closed" in html
    assert "<b>.png" not in html
