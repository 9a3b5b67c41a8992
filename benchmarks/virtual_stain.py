"""Compare a translation with the real stain, by organ, on generated tissue it was not trained on.

    python benchmarks/virtual_stain.py                      # he-panck, which comes with stainbridge
    python benchmarks/virtual_stain.py --model RUN

Both stains are of the same section, so that pixels can be compared. Laboratories differ from tile
to tile, as in training, and their effect on the target cannot be known from the source.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch

from stainbridge.datasets.generated_tiles import GeneratedTiles
from stainbridge.learn.named_weights import find_weights
from stainbridge.metrics.stains import score_dab
from stainbridge.phantom.tissue.organs import ORGANS
from stainbridge.similarity.ssim import ssim
from stainbridge.translation.inference.model import read_model
from stainbridge.translation.objectives.pixels import pixels_to_tensor, tensor_to_pixels
from stainbridge.translation.training.config import GeneratedTissueConfig

#: A seed that no training uses.
SEED = 4711
Picture = npt.NDArray[np.uint8]


def draw_tiles(
    organ: str, target: str, count: int, tile_px: int, mpp: float
) -> Iterator[tuple[Picture, Picture]]:
    """Yield pairs of H&E and the target stain, each (3, H, W)."""
    tissue = GeneratedTissueConfig(
        (organ,), distance_um=0.0, shift_share=0.0, elastic_share=0.0, laboratory_variation=1.0
    )
    stream = GeneratedTiles(tissue, "HE", target, tile_px, mpp, SEED, paired=True)
    return (
        (tensor_to_pixels(source), tensor_to_pixels(truth))
        for source, truth, _ in map(stream.__getitem__, range(count))
    )


def score(made: Picture, truth: Picture) -> tuple[float, float, float, float]:
    """Return PSNR in dB, SSIM (11 x 11 Gaussian), DAB's Dice and its density correlation."""
    error = np.square(made.astype(float) / 255 - truth / 255.0).mean()
    dab = score_dab(made, truth)
    pair = (pixels_to_tensor(picture)[None] / 2 + 0.5 for picture in (made, truth))
    return (
        -10 * float(np.log10(max(error, 1e-9))),
        float(ssim(*pair, window="gaussian11")),
        dab.positive_dice,
        dab.density_correlation,
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="he-panck")
    parser.add_argument("--tiles", type=int, default=48, help="of each organ")
    options = parser.parse_args()
    model = read_model(find_weights(options.model))
    print("| organ | PSNR, dB (H&E itself) | SSIM | Dice of DAB | correlation of DAB |")
    print("| --- | --- | --- | --- | --- |")
    for organ in ORGANS:
        rows = []
        source_psnr_db = []
        for source, truth in draw_tiles(
            organ, model.target, options.tiles, model.tile_px, model.mpp or 1.0
        ):
            with torch.no_grad():
                made = model.generator(pixels_to_tensor(source)[None])[0]
            rows.append(score(tensor_to_pixels(made), truth))
            source_psnr_db.append(score(source, truth)[0])
        psnr_db, ssim_mean, dice, correlation = np.nanmean(rows, axis=0)
        print(
            f"| {organ} | {psnr_db:.1f} ({np.mean(source_psnr_db):.1f}) | {ssim_mean:.3f} "
            f"| {dice:.2f} | {correlation:.2f} |"
        )


if __name__ == "__main__":
    main()
