from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
from tests.evaluate.slices.slices import HEIGHT, WIDTH, draw_labels, make_case, make_scene

from stainbridge.errors import InputError
from stainbridge.evaluate.slices.scene import open_scene
from stainbridge.slides.case import Case
from stainbridge.slides.memory import ArraySlide


def test_a_scene_has_what_the_case_knows() -> None:
    scene = make_scene(make_case(mpp=2.0))
    assert scene.labels is not None
    assert scene.landmarks is not None
    assert scene.masks[1] is not None
    assert set(np.unique(scene.masks[1].pixels)) == {0, 1}
    assert scene.labels[1].frame.space == scene.moving.frame.space
    assert scene.landmarks[0].points_um[0].tolist() == [60, 60]
    assert scene.placement(np.array([[1.0, 2.0]])).tolist() == [[1, 2]]


def test_labels_of_another_resolution_cover_the_slide() -> None:
    coarse = draw_labels()[::2, ::2]
    case = replace(make_case(), open_fixed_labels=partial(ArraySlide, coarse[None]))
    labels = make_scene(case).labels
    assert labels is not None
    assert labels[0].frame.mpp == (2, 2)
    assert labels[0].frame.size_um == (WIDTH, HEIGHT)


def test_the_digest_tells_pictures_labels_and_landmarks_apart() -> None:
    case = make_case()
    assert case.landmarks is not None
    others = [
        make_case(seed=1),
        make_case(mpp=2.0),
        make_case(landmarks=False),
        replace(case, landmarks=(case.landmarks[0] + 0.01, case.landmarks[1])),
        replace(case, open_fixed_labels=case.open_moving_labels),
        replace(case, open_fixed_mask=case.open_moving_mask),
        replace(case, open_moving=case.open_fixed),
    ]
    digests = {make_scene(item).digest() for item in (case, *others)}
    assert len(digests) == 8
    assert make_scene(make_case()).digest() in digests


COLOURS = np.stack([np.full((HEIGHT, WIDTH), value, np.uint8) for value in (1, 2, 3)])
NOTHING: dict[str, Any] = {
    "landmarks": None,
    "open_fixed_mask": None,
    "open_moving_mask": None,
    "open_fixed_labels": None,
    "open_moving_labels": None,
}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (NOTHING, "one: nothing to score"),
        ({"open_fixed_labels": None}, "one: labels of one slide only"),
        ({"open_moving_mask": None}, "one: mask of one slide only"),
        ({"open_fixed_labels": np.ones((1, 40, 40), np.uint8)}, "expected 96 x 72"),
        ({"open_fixed_mask": np.zeros((1, HEIGHT, WIDTH), np.uint8)}, "the mask is empty"),
        ({"open_moving_labels": np.full((1, HEIGHT, WIDTH), 0.5)}, "one channel of whole numbers"),
        ({"open_moving_labels": np.arange(HEIGHT * WIDTH).reshape(1, HEIGHT, WIDTH)}, "values"),
        (
            {
                "open_moving_labels": np.arange(3, dtype=np.uint8)[:, None, None]
                .repeat(72, 1)
                .repeat(96, 2)
            },
            "not a label picture",
        ),
    ],
)
def test_what_cannot_be_scored_is_refused(changes: dict[str, Any], said: str) -> None:
    made = {
        name: partial(ArraySlide, value, None, "there") if isinstance(value, np.ndarray) else value
        for name, value in changes.items()
    }
    case: Case = replace(make_case(), **made)
    with pytest.raises(InputError, match=said):
        open_scene(case, ExitStack())
