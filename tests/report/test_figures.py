from __future__ import annotations

import base64
import io
from typing import Literal

import numpy as np
import PIL.Image
import pytest

from stainbridge.report.figures import data_uri, figure, svg_path


@pytest.mark.parametrize("kind", ["jpeg", "png"])
def test_a_data_address_holds_the_picture(kind: Literal["jpeg", "png"]) -> None:
    rng = np.random.default_rng(0)
    pixels = rng.normal(240, 2, (60, 80, 3))
    pixels[15:45, 20:60] = np.array((180, 60, 140)) + rng.normal(0, 8, (30, 40, 3))
    picture = np.clip(pixels, 0, 255).astype(np.uint8)
    head, _, body = data_uri(picture, kind).partition(",")
    assert head == f"data:image/{kind};base64"
    decoded = np.asarray(PIL.Image.open(io.BytesIO(base64.b64decode(body))))
    assert np.abs(decoded.astype(int) - picture).mean() < (6 if kind == "jpeg" else 1e-9)


def test_a_figure_has_the_size_of_its_picture() -> None:
    shown = figure(np.zeros((3, 5, 3), np.uint8))
    assert (shown.width, shown.height) == (5, 3)
    assert shown.uri.startswith("data:image/jpeg;base64,")


def test_svg_paths() -> None:
    assert svg_path(np.array([[1.0, 2.0], [3.25, -4.0]])) == "M1.0 2.0L3.2 -4.0"
    assert svg_path(np.empty((0, 2))) == ""
