"""Folders of pictures with masks: masks belong by name, and what is missing is one line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
import pytest
from tests.joint.sar.pictures import make_training, write_data

from stainbridge.errors import InputError
from stainbridge.jobs.training.masked_pictures import open_masked_pictures


def ignore(_text: str) -> None:
    return None


def test_masks_belong_to_pictures_whatever_their_endings_and_palettes(tmp_path: Path) -> None:
    settings = make_training()
    expected = open_masked_pictures(str(write_data(tmp_path)), settings, ignore).training[0]
    for path in (tmp_path / "masks").iterdir():
        mask = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        assert mask is not None
        picture = PIL.Image.fromarray((mask > 0).astype(np.uint8))
        picture.putpalette([255, 255, 255, 255, 0, 0])
        picture.save(path.with_suffix(".bmp"))
        path.unlink()
    again = open_masked_pictures(str(tmp_path), settings, ignore).training[0]
    assert expected.reference_mask.any()
    assert (again.reference_mask == expected.reference_mask).all()


def test_a_missing_mask_is_named_unless_none_are_read(tmp_path: Path) -> None:
    settings = make_training()
    write_data(tmp_path)
    (tmp_path / "masks" / "4.png").unlink()
    with pytest.raises(InputError, match=r"4\.png: a picture without its mask.*--no-segmentation"):
        open_masked_pictures(str(tmp_path), settings, ignore)
    (tmp_path / "masks").rename(tmp_path / "other")
    with pytest.raises(InputError, match=r"no masks to train on.*--no-segmentation"):
        open_masked_pictures(str(tmp_path), settings, ignore)
    plain = replace(settings, loss=replace(settings.loss, dice_weight=0.0))
    assert open_masked_pictures(str(tmp_path), plain, ignore).training[0].reference.any()
