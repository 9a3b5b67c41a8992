"""Patches of a small made-up set, and its pictures, to write and read back in tests."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import PIL.Image

from stainbridge.geometry.frame import Space
from stainbridge.imaging.image import Image
from stainbridge.pairing.config import PairingConfig
from stainbridge.pairing.patch import Patch, PatchScores
from stainbridge.pairing.write.assemble import name_thumb
from stainbridge.pairing.write.thumbs import write_thumb

#: Side of the patches in pixels.
SIDE_PX = 64
CONFIG = PairingConfig(patch_px=SIDE_PX)
#: Slide pairs: id, patient, split, label, verdict.
PAIRS = (
    ("a", "p1", "train", "2+", "ok"),
    ("b", "p1", "train", "0", "fallback"),
    ("c", "p2", "val", "", "ok"),
    ("d", "p3", "test", "3+", "ok"),
)


def make_patches(per_pair: int = 8, seed: int = 0) -> list[Patch]:
    """Return patches of four slide pairs, some of them dropped, each threshold at least once."""
    rng = np.random.default_rng(seed)
    patches = [make_patch(rng, pair, place) for pair in PAIRS for place in range(per_pair)]
    spoilt = (
        {"tissue_moving": 0.25},
        {"pen": 0.05},
        {"fold": 0.5},
        {"blur_fixed": 6.5},
        {"residual_px": 7.25},
        {"residual_px": math.nan},
    )
    for place, values in enumerate(spoilt):
        scores = replace(patches[3 * place].scores, **values)
        patches[3 * place] = replace(patches[3 * place], scores=scores)
    thresholds = CONFIG.thresholds
    return [replace(patch, dropped_for=thresholds.find_unmet(patch.scores)) for patch in patches]


def make_patch(rng: np.random.Generator, pair: tuple[str, ...], place: int) -> Patch:
    """Return a patch that meets all thresholds."""
    name, patient, split, label, status = pair
    x_px = 128 * (place % 4)
    y_px = 128 * (place // 4)
    scores = PatchScores(
        tissue_fixed=float(rng.uniform(0.6, 1)),
        tissue_moving=float(rng.uniform(0.6, 1)),
        residual_px=float(rng.gamma(2, 0.4)),
        residual_uncertainty_px=float(rng.uniform(0.1, 0.6)),
        blur_fixed=float(rng.uniform(0.4, 1.5)),
        blur_moving=math.nan if place == 1 else float(rng.uniform(0.4, 1.5)),
        pen=0.0,
        fold=float(rng.uniform(0, 0.05)),
        positive=float(rng.uniform(0, 0.4)),
    )
    return Patch(
        name="_".join(part for part in (name, str(x_px), str(y_px), label) if part),
        pair=name,
        patient=patient,
        split=split,
        label=label,
        fixed=f"slides/{name}, he.svs",
        moving=f"slides/{name}, ihc.svs",
        x_px=x_px,
        y_px=y_px,
        side_px=2.0 * SIDE_PX,
        moving_x_px=x_px + 70.125,
        moving_y_px=y_px + 60.5,
        mpp=0.5,
        calibrated=name != "d",
        status=status,
        scores=scores,
    )


def write_pictures(out: Path, patches: list[Patch]) -> None:
    """Write the pictures of the kept patches and the thumbnails of all, as the cut does."""
    for patch in patches:
        fixed, moving = draw_patch(patch)
        write_thumb(fixed, moving, name_thumb(out, patch))
        for folder, image in (("HE", fixed), ("IHC", moving)):
            path = out / folder / patch.split / f"{patch.name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            if patch.is_kept:
                PIL.Image.fromarray(np.moveaxis(image.pixels, 0, -1)).save(path)


def draw_patch(patch: Patch) -> tuple[Image, Image]:
    """Return two pictures of a patch, noise that its name decides."""
    rng = np.random.default_rng(list(patch.name.encode()))
    frame = Space(patch.name, SIDE_PX, SIDE_PX).frame
    valid = np.ones((SIDE_PX, SIDE_PX), bool)
    pictures = rng.integers(0, 256, (2, 3, SIDE_PX, SIDE_PX), np.uint8)
    return Image(pictures[0], frame, valid), Image(pictures[1], frame, valid)
