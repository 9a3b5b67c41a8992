"""Compare deformable networks with elastix on patches: NCC, SSIM, NMI and the distance to truth.

    export STAINBRIDGE_DATA=../shared/data
    python benchmarks/patches.py unet=unet-run fcn=fcn-run --out patches.jsonl
    python benchmarks/patches.py unet=unet-run --out patches.jsonl --count 20 --no-elastix

Patches are squares of tissue density as networks see them, from generated pairs of seeds that no
training draws and from the real pairs, aligned by a registration. They are deformed as published
(rotation and shear of -40 to 30 degrees, elastic), as little as an affine registration leaves
(`close`), or not at all (`as they lie`). NCC, SSIM (7 x 7, uniform) and NMI (1 to 2) are over fixed
tissue that both patches show; `error` is the mean distance to the applied deformation in pixels.
Times are processor times of one thread. Rows are appended to OUT; the same command resumes where it
was stopped.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from torch import Tensor

from real_pairs import SECTIONS, read_sets
from stainbridge.datasets.generated import GeneratedPairs
from stainbridge.geometry.flow import warp
from stainbridge.learn.named_weights import find_weights
from stainbridge.metrics.images import score_images
from stainbridge.registration.stages.learned_field import LearnedField
from stainbridge.registration.training.align import align_by_registration
from stainbridge.registration.training.config import AugmentConfig, GeneratedConfig, PairsConfig
from stainbridge.registration.training.objective import error_px
from stainbridge.registration.training.pairs import CasePairs, Pairs
from stainbridge.registration.training.stream import PairStream, Sample

#: A seed that no training draws: theirs are smaller.
SEED = 2**31
#: Tissue density of the densest tissue, the span of the scores.
MAX_DENSITY = 1.2
#: Deformations of patches, by name.
DEFORMATIONS = {
    "close": AugmentConfig(rotation_deg=(-3, 3), scale=(0.97, 1.03), shift=0.01, elastic=0.02),
    "as published": AugmentConfig(rotation_deg=(-40, 30), shear_deg=(-40, 30), elastic=0.02),
    "as they lie": AugmentConfig(),
}
#: Scores of a row.
COLUMNS = ("ncc", "ssim", "nmi", "error", "ms")

#: The fixed and the moving patch, (1, 1, H, W) each, to a displacement (1, 2, H, W) in pixels.
Method = Callable[[Tensor, Tensor], Tensor]


def pair_sets() -> Iterator[tuple[str, Pairs]]:
    yield "generated", GeneratedPairs(GeneratedConfig(448, mpp=(2.4, 12.0)), SEED)
    if "STAINBRIDGE_DATA" in os.environ:
        cases = [case for data_set in read_sets(SECTIONS) for case in data_set.cases]
        yield "real", CasePairs(cases, align_by_registration)


def draw_samples(
    pairs: Pairs, augment: AugmentConfig, patch_px: int, count: int
) -> Iterator[Sample]:
    config = PairsConfig(
        section_px=(256, 384),
        patch_px=patch_px,
        min_tissue=0.5,
        reuse=4,
        cached_pairs=1,
        augment=augment,
    )
    stream = PairStream(pairs, config, SEED)
    return (stream[number] for number in range(count))


def load_network(weights: str) -> Method:
    network = LearnedField.load(find_weights(weights)).network

    def deform(fixed: Tensor, moving: Tensor) -> Tensor:
        with torch.inference_mode():
            return network(fixed, moving).final.clone()

    return deform


def load_elastix() -> Method:
    """Return elastix: affine, then B-splines every 16 pixels, its own defaults otherwise."""
    import itk

    parameters = itk.ParameterObject.New()
    for name in ("affine", "bspline"):
        chosen = parameters.GetDefaultParameterMap(name, 3, 16.0)
        chosen["RandomSeed"] = ["1"]
        parameters.AddParameterMap(chosen)

    def deform(fixed: Tensor, moving: Tensor) -> Tensor:
        images = [itk.image_from_array(picture[0, 0].numpy()) for picture in (fixed, moving)]
        _, result = itk.elastix_registration_method(
            *images, parameter_object=parameters, log_to_console=False
        )
        with TemporaryDirectory() as folder:  # it also leaves a file
            field = itk.array_from_image(
                itk.transformix_deformation_field(images[1], result, output_directory=folder)
            )
        return torch.from_numpy(np.moveaxis(field, -1, 0)[None].astype(np.float32))

    return deform


def score_method(sample: Sample, method: Method) -> dict[str, float]:
    """Return the scores and the time of a method; NaN where it raised."""
    start = time.process_time()
    try:
        field = method(sample.fixed[None], sample.moving[None])
    except RuntimeError:  # elastix, where too few of its samples fall on the moving patch
        return dict.fromkeys(COLUMNS, float("nan"))
    seconds = time.process_time() - start
    warped = warp(sample.moving_density[None], field, "zeros")[0]
    inside = sample.tissue[0].numpy() > 0
    images = score_images(sample.fixed_density.numpy(), warped.numpy(), inside, MAX_DENSITY)
    error = float(error_px(field, sample.truth[None], sample.tissue[None]))
    return {
        "ncc": images.ncc,
        "ssim": images.ssim_uniform7,
        "nmi": images.nmi,
        "error": error,
        "ms": 1000 * seconds,
    }


def table(rows: list[dict[str, object]]) -> str:
    lines = [
        "| patches | method | NCC | SSIM | NMI | error px | ms |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for group in dict.fromkeys(row["set"] for row in rows):
        for name in dict.fromkeys(row["method"] for row in rows):
            some = [row for row in rows if row["set"] == group and row["method"] == name]
            if some:
                figures = {
                    key: float(np.nanmean([float(str(row[key])) for row in some]))
                    for key in COLUMNS
                }
                error = "" if "as they lie" in str(group) else f"{figures['error']:.2f}"
                words = " | ".join(f"{figures[key]:.3f}" for key in COLUMNS[:3])
                lines.append(
                    f"| {group} ({len(some)}) | {name} | {words} | {error} | {figures['ms']:.0f} |"
                )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("networks", nargs="*", metavar="NAME=WEIGHTS")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, default=40, help="patches of each set")
    parser.add_argument("--patch", type=int, default=128)
    parser.add_argument("--no-elastix", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    chosen: dict[str, Method] = {"none": lambda fixed, _: torch.zeros(1, 2, *fixed.shape[-2:])}
    chosen |= {
        name: load_network(weights)
        for name, _, weights in (word.partition("=") for word in options.networks)
    }
    if not options.no_elastix:
        chosen["elastix"] = load_elastix()
    rows = (
        [json.loads(line) for line in options.out.read_text().splitlines()]
        if options.out.exists()
        else []
    )
    done = {(row["set"], row["number"], row["method"]) for row in rows}
    for kind, pairs in pair_sets():
        for how, augment in DEFORMATIONS.items():
            group = f"{kind}, {how}"
            wanted = [(number, name) for number in range(options.count) for name in chosen]
            if all((group, *item) in done for item in wanted):
                continue
            for number, sample in enumerate(
                draw_samples(pairs, augment, options.patch, options.count)
            ):
                for name in (name for name in chosen if (group, number, name) not in done):
                    rows.append(
                        {
                            "set": group,
                            "number": number,
                            "method": name,
                            **score_method(sample, chosen[name]),
                        }
                    )
                    with options.out.open("a") as file:
                        file.write(json.dumps(rows[-1]) + "\n")
    print(table(rows))


if __name__ == "__main__":
    main()
