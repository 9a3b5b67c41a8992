"""The slides, training sets and test tiles of `pairing_proof.py`."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image

import stainbridge
from stainbridge.geometry.frame import Frame
from stainbridge.jobs.pair_set import PairSetJob
from stainbridge.pairing.config import PairingConfig, Thresholds
from stainbridge.pairing.patch import Patch
from stainbridge.pairing.write.manifest import read_patches
from stainbridge.phantom.pairs.pair import PhantomPair, generate_pair
from stainbridge.slides.warped import WarpedSlide
from stainbridge.types import Pixels

#: Side of the slides in pixels, and their pixel size in µm.
SIZE_PX = 1536
MPP = 1.0
#: Side of a training pair, and pixels from one to the next.
PATCH_PX = 256
STRIDE_PX = 128
#: Side of a test tile in pixels.
TEST_PX = 128
#: Seeds of the tissue: to train on, to validate on, to test on.
SPLITS = {"train": range(500, 505), "val": range(505, 506)}
TEST_SEEDS = range(600, 604)
#: Least share of tissue in both pictures of a training pair.
MIN_TISSUE = 0.5
#: Least share of a test tile where the truth holds.
MIN_VALID = 0.9
#: Points along a side at which a tile is asked whether the truth holds.
TRUTH_POINTS = 16


def generate_training_pair(seed: int) -> PhantomPair:
    """Generate two slides that are torn, folded, bent and dirty."""
    return generate_pair(
        seed=seed,
        size_px=SIZE_PX,
        mpp=MPP,
        moving_stain="PanCK",
        distance_um=2.0,
        difficulty="real",
        tear=True,
        damage=True,
        artefacts=True,
        faint=False,
        landmarks=0,
    )


def write_slides(work: Path) -> None:
    """Write the slides to train and validate on; existing ones stay."""
    for seeds in SPLITS.values():
        for seed in seeds:
            pair = generate_training_pair(seed)
            for name, slide in (("he", pair.fixed), ("ihc", pair.moving)):
                path = work / "slides" / f"{seed}_{name}.png"
                if not path.exists():
                    write_picture(path, slide.read(slide.frame).pixels)


def write_test_tiles(work: Path) -> None:
    """Write tiles of undamaged slides, the moving one seen through the truth."""
    for seed in TEST_SEEDS:
        done = work / "test" / f"{seed}.done"
        if done.exists():
            continue
        pair = generate_pair(
            seed=seed,
            size_px=SIZE_PX,
            mpp=MPP,
            moving_stain="PanCK",
            distance_um=2.0,
            difficulty="easy",
            faint=False,
            landmarks=0,
        )
        moving = WarpedSlide(pair.moving, pair.truth)
        for x in range(0, SIZE_PX - TEST_PX + 1, TEST_PX):
            for y in range(0, SIZE_PX - TEST_PX + 1, TEST_PX):
                frame = place_frame(pair.fixed.frame, x, y, TEST_PX)
                if pair.valid_mask(frame.fit(TRUTH_POINTS)).mean() < MIN_VALID:
                    continue
                name = f"test/{seed}_{x}_{y}.png"
                write_picture(work / "test" / "HE" / name, pair.fixed.read(frame).pixels)
                write_picture(work / "test" / "IHC" / name, moving.read(frame).pixels)
        done.write_text("done\n", encoding="utf-8")


def build_set(work: Path, name: str) -> dict[str, Any]:
    """Cut the set `name` with `PairSetJob`, and return a row of how well its pairs are aligned.

    "affine" is aligned by the search and the affine stage of `register` alone, "built" by the
    engine of `stainbridge pairs`. Both are cut at the same places, and nothing is left out for its
    misalignment, blur, pen or folds.
    """
    manifest = _write_manifest(work, name)
    thresholds = Thresholds(
        min_tissue=MIN_TISSUE, max_residual_px=1e4, max_blur_px=1e4, max_pen=1.0, max_fold=1.0
    )
    config = PairingConfig(patch_px=PATCH_PX, stride_px=STRIDE_PX, mpp=MPP, thresholds=thresholds)
    folder = work / "sets" / name
    job = PairSetJob(out=folder, manifest=manifest, config=config, workers=1)
    job.run(note=print)
    patches = [patch for patch in read_patches(folder / "manifest.csv") if patch.is_kept]
    trained = [patch for patch in patches if patch.split == "train"]
    return {"set": name, "pairs": len(trained), **measure_set(trained)}


def measure_set(patches: Sequence[Patch]) -> dict[str, float]:
    """Return medians and ninetieth percentiles of the true and the estimated residual, in px.

    The true one is the distance at the middle of a patch, where the truth holds.
    """
    true = []
    for seed in sorted({patch.pair for patch in patches}):
        own = [patch for patch in patches if patch.pair == seed]
        pair = generate_training_pair(int(seed))
        middles = np.array([[p.x_px + p.side_px / 2, p.y_px + p.side_px / 2] for p in own]) * MPP
        matched = np.array([[p.moving_x_px, p.moving_y_px] for p in own]) * MPP
        valid = pair.find_valid(middles)
        true += list(np.linalg.norm(matched - pair.truth(middles), axis=1)[valid] / MPP)
    estimated = [patch.scores.residual_px for patch in patches]
    return {
        "true_median_px": float(np.median(true)),
        "true_p90_px": float(np.percentile(true, 90)),
        "estimated_median_px": float(np.nanmedian(estimated)),
        "estimated_p90_px": float(np.nanpercentile(estimated, 90)),
    }


def _write_manifest(work: Path, name: str) -> Path:
    """Write the manifest of the slides, with their affine transforms for the set "affine"."""
    rows = []
    for split, seeds in SPLITS.items():
        for seed in seeds:
            fixed, moving = (f"slides/{seed}_{side}.png" for side in ("he", "ihc"))
            row = {"id": seed, "patient": seed, "split": split, "fixed": fixed, "moving": moving}
            row |= {"fixed_mpp": MPP, "moving_mpp": MPP}
            if name == "affine":
                row["transform"] = _align_affinely(work, seed)
            rows.append(row)
    path = work / f"{name}.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def _align_affinely(work: Path, seed: int) -> str:
    """Register two slides without a deformable stage; return the folder, as the manifest has it."""
    name = f"affine/{seed}"
    if not (work / name / "transform.h5").exists():
        config = stainbridge.RegisterConfig.preset("default")
        config = config.without_stage(stainbridge.DeformableConfig)
        paths = [work / "slides" / f"{seed}_{side}.png" for side in ("he", "ihc")]
        registration = stainbridge.register(*paths, fixed_mpp=MPP, moving_mpp=MPP, config=config)
        registration.save(work / name)
    return name


def place_frame(slide: Frame, x: int, y: int, side_px: int) -> Frame:
    """Return the square of a slide with its corner at pixel (x, y)."""
    return Frame(slide.space, side_px, side_px, (MPP, MPP), (x * MPP, y * MPP))


def write_picture(path: Path, pixels: Pixels) -> None:
    """Write (3, H, W) pixels as a PNG that appears whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial.png")
    PIL.Image.fromarray(np.moveaxis(pixels, 0, -1)).save(partial)
    partial.rename(path)
