"""Small pictures with masks: blobs on a smooth ground, the blobs being the mask."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from torch.utils.data import default_collate

from stainbridge.joint.sar.config import (
    SarGeneratedConfig,
    SarLossConfig,
    SarOptimiserConfig,
    SarPairsConfig,
    SarTraining,
)
from stainbridge.joint.sar.pictures import MaskedPicture
from stainbridge.joint.sar.stream import SarSample, SarStream
from stainbridge.learn.config import TrainConfig
from stainbridge.nn.perceptual import ALL_LAYERS, PerceptualConfig
from stainbridge.nn.sar_discriminator import SarDiscriminatorConfig
from stainbridge.nn.sar_generator import SarGeneratorConfig

SIZE_PX = 48


def draw_blobs(seed: int, height: int = SIZE_PX, width: int = SIZE_PX) -> npt.NDArray[np.uint8]:
    """Return a picture (H, W) of two bright ellipses on a dark, uneven ground."""
    rng = np.random.default_rng(seed)
    ground = cv2.resize(rng.uniform(30, 90, (4, 4)).astype(np.float32), (width, height))
    grain = cv2.GaussianBlur(rng.standard_normal((height, width)), (0, 0), 2.0)
    picture = ground + 100 * grain.astype(np.float32)
    return np.clip(picture + 120 * soften(draw_mask(seed, height, width)), 0, 255).astype(np.uint8)


def soften(mask: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Return a mask with edges two pixels wide."""
    return np.asarray(cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 1.0))


def draw_mask(seed: int, height: int = SIZE_PX, width: int = SIZE_PX) -> npt.NDArray[np.uint8]:
    """Return 1 in the ellipses of `draw_blobs`."""
    rng = np.random.default_rng([seed, 1])
    mask = np.zeros((height, width), np.uint8)
    for share in (0.33, 0.67):
        centre = (int(width * share), int(height * rng.uniform(0.4, 0.6)))
        axes = (int(width * 0.1), int(height * rng.uniform(0.15, 0.25)))
        cv2.ellipse(mask, centre, axes, 0, 0, 360, 1, -1)
    return mask


class Blobs:
    """Blobs by number, with or without masks."""

    def __init__(self, count: int = 4, has_masks: bool = True) -> None:
        self.count = count
        self.has_masks = has_masks

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, number: int) -> MaskedPicture:
        picture = draw_blobs(number).astype(np.float32) / 255
        return MaskedPicture(
            picture, draw_mask(number).astype(np.float32) if self.has_masks else None
        )


def write_data(folder: Path, count: int = 6, masks: str = "masks") -> Path:
    """Write `images` and masks of one name each, and return the folder."""
    for name in ("images", masks):
        (folder / name).mkdir(parents=True)
    for number in range(count):
        name = f"{number}.png"
        cv2.imwrite(str(folder / "images" / name), draw_blobs(number, 60, 70))
        cv2.imwrite(str(folder / masks / name), 255 * draw_mask(number, 60, 70))
    return folder


def make_training(**loss: float) -> SarTraining:
    """Return tiny settings; `loss` replaces weights."""
    return SarTraining(
        TrainConfig(
            steps=4, batch=2, workers=0, device="cpu", validation_samples=2, save_every=1,
            validate_every=2, log_every=1, picture_every=4,
        ),
        SarGeneratorConfig(
            width=4, blocks=1, halvings=1, correlation=2, squarings=3, picture="warped"
        ),
        SarDiscriminatorConfig(widths=(4, 8), features_px=2, hidden=4),
        SarPairsConfig(size_px=SIZE_PX, others=0.5, turn=True, contrast=0.1),
        SarLossConfig(
            perceptual=PerceptualConfig(layers=ALL_LAYERS, width=2),
            smoothness_weight=0.1,
            **loss,  # type: ignore[arg-type]
        ),
        SarOptimiserConfig(),
        SarGeneratedConfig(slides=2, slide_px=128, mpp=16.0),
    )  # fmt: skip


def make_batch(count: int = 3, others: float = 0.0, has_masks: bool = True) -> SarSample:
    """Return a batch of pairs of blobs."""
    config = SarPairsConfig(size_px=SIZE_PX, others=others)
    stream = SarStream(Blobs(has_masks=has_masks), config, 3)
    batch: SarSample = default_collate([stream[number] for number in range(count)])
    return batch
