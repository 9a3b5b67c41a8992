"""What `speed.py` measures, each task in a process of its own.

    python benchmarks/speed_tasks.py TASK [SOURCE] [OUT] [--threads N] ...

Each prints seconds without imports and, where it has them, further figures.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from stainbridge.cli.quick_start import prepare_environment
from stainbridge.geometry.frame import Frame, Space
from stainbridge.geometry.transform import Affine, Chain, DisplacementField
from stainbridge.imaging.image import Image
from stainbridge.slides.closing import ClosedByWith
from stainbridge.slides.slide import Channel, SlideInfo

#: Pixel size of the slides in µm.
MPP = 0.25
#: Pixel size that the network of `translate` was trained at: it is shown all pixels of such slides.
NETWORK_MPP = 1.0
#: Side of the tiles that the bare network is shown, in pixels.
BARE_PX = 512
#: What is imported before the clock starts, by task; `speed.py` measures imports by themselves.
IMPORTS = {
    "translate": ("torch", "stainbridge.translation.inference.apply"),
    "network": ("torch", "stainbridge.translation.inference.apply"),
}
#: Rotation of the warp.
DEGREES = 12.0
#: Largest displacement, as a share of the slide's width.
LARGEST_DISPLACEMENT = 0.01
#: Period of the tissue's texture in pixels.
TEXTURE_PX = 4096


@dataclass(frozen=True)
class TissueSlide(ClosedByWith):
    """A slide with the statistics of an H&E section: stroma, nuclei, blobs of tissue on white."""

    size: int
    stain: str = "HE"
    glass: float | None = None
    """Share of glass; None leaves the shape as it is drawn, about a third."""

    @property
    def info(self) -> SlideInfo:
        return SlideInfo(
            "generated", "benchmark", "generated", None, np.uint8, tuple(Channel(c) for c in "RGB")
        )

    @property
    def frame(self) -> Frame:
        return Space("moving", self.size, self.size, (MPP, MPP)).frame

    @property
    def levels(self) -> tuple[Frame, ...]:
        return (self.frame,)

    @cached_property
    def texture(self) -> np.ndarray:
        """The colours of tissue, (T, T, 3) uint8, periodic."""
        rng = np.random.default_rng(0)
        shape = (TEXTURE_PX, TEXTURE_PX)
        fibres = cv2.normalize(
            _blur_periodic(rng.normal(size=shape), 9), None, 0, 1, cv2.NORM_MINMAX
        )
        fine = cv2.normalize(
            _blur_periodic(rng.normal(size=shape), 0.9), None, -1, 1, cv2.NORM_MINMAX
        )
        nuclei = np.clip((_blur_periodic(rng.normal(size=shape), 5) - 0.07) * 60, 0, 1)[..., None]
        stroma = np.array([225, 160, 195]) + fibres[..., None] * np.array([20, -50, -20])
        picture = stroma * (1 - nuclei) + np.array([95, 60, 140]) * nuclei + fine[..., None] * 50
        return np.clip(picture, 0, 255).astype(np.uint8)

    @cached_property
    def mask(self) -> np.ndarray:
        """Where there is tissue (> 0), (64, 64) float32."""
        noise = _blur_periodic(np.random.default_rng(1).normal(size=(64, 64)), 5)
        y, x = np.mgrid[-1:1:64j, -1:1:64j]
        mask = (noise / noise.std() * 0.3 + 0.8 - np.hypot(x, y)).astype(np.float32)
        return mask if self.glass is None else mask - np.quantile(mask, self.glass)

    def read(self, frame: Frame) -> Image:
        x, y = (round(o / MPP) for o in frame.origin_um)
        rows = np.arange(y, y + frame.height)
        columns = np.arange(x, x + frame.width)
        pixels = self.texture[np.ix_(rows % TEXTURE_PX, columns % TEXTURE_PX)]
        to_mask = np.float32(64 / self.size)
        map_x, map_y = np.meshgrid(
            columns.astype(np.float32) * to_mask, rows.astype(np.float32) * to_mask
        )
        tissue = (
            cv2.remap(self.mask, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
            > 0
        )
        pixels[~tissue] = 243
        return Image(np.moveaxis(pixels, -1, 0), frame, np.ones(tissue.shape, bool), self.stain)

    def close(self) -> None:
        """Nothing is open."""


def _blur_periodic(noise: np.ndarray, sigma: float) -> np.ndarray:
    """Smooth noise as if it were periodic."""
    pad = int(4 * sigma)
    wrapped = np.pad(noise.astype(np.float32), pad, mode="wrap")
    return cv2.GaussianBlur(wrapped, (0, 0), sigma)[pad:-pad, pad:-pad]


def moving_from_fixed(frame: Frame, degrees: float) -> Chain:
    """Return a smooth displacement of up to 1 % of the width, then a rotation about the middle."""
    grid = frame.fit(64)
    noise = np.stack(
        [
            _blur_periodic(np.random.default_rng(s).normal(size=(grid.height, grid.width)), 6)
            for s in (2, 3)
        ]
    )
    largest_um = LARGEST_DISPLACEMENT * frame.size_um[0]
    field_um = (largest_um * noise / np.abs(noise).max()).astype(np.float32)
    displacement = DisplacementField(field_um, grid, frame.space, frame.space)
    angle = np.deg2rad(degrees)
    matrix = np.eye(3)
    matrix[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    matrix[:2, 2] = frame.centre_um - matrix[:2, :2] @ frame.centre_um
    return Chain((displacement, Affine(matrix, frame.space, frame.space)))


def generate(source: Path, size: int, glass: float | None) -> None:
    """Write a slide of tissue, glass of one colour around it."""
    from stainbridge.slides.writing.write import write_slide

    write_slide(TissueSlide(size, glass=glass), source, file_format="tiff", overwrite=True)


def warp(source: Path, out: Path, threads: int) -> None:
    """Warp a slide as `warp slide` does."""
    from stainbridge.slides.open import open_slide
    from stainbridge.slides.warped import WarpedSlide
    from stainbridge.slides.writing.write import write_slide

    with (
        open_slide(source) as slide,
        WarpedSlide(slide, moving_from_fixed(slide.frame, DEGREES)) as warped,
    ):
        write_slide(warped, out, file_format="tiff", quality=85, overwrite=True, threads=threads)


def rewrite_with_pyvips(source: Path, out: Path) -> None:
    """Decode the slide and encode it again, unwarped: the least that any warp does."""
    import pyvips

    _save_with_pyvips(pyvips.Image.new_from_file(str(source), access="random"), out)


def warp_with_pyvips(source: Path, out: Path) -> None:
    """Warp with `mapim` through the same map, drawn at full resolution as VALIS does."""
    import pyvips

    image = pyvips.Image.new_from_file(str(source), access="random")
    frame = Space("moving", image.height, image.width, (MPP, MPP)).frame
    displacement, affine = moving_from_fixed(frame, DEGREES).members
    assert isinstance(displacement, DisplacementField)
    assert isinstance(affine, Affine)
    nodes = np.ascontiguousarray(np.moveaxis(displacement.displacement / MPP, 0, -1))
    small = pyvips.Image.new_from_array(nodes)
    moved = small.resize(
        image.width / small.width, vscale=image.height / small.height, kernel="linear"
    ).crop(0, 0, image.width, image.height)
    moved += pyvips.Image.xyz(image.width, image.height)
    (a, b, c), (d, e, f) = (affine.matrix[:2] / [[1, 1, MPP]]).tolist()
    index = (moved[0] * a + moved[1] * b + c).bandjoin(moved[0] * d + moved[1] * e + f)
    bilinear = pyvips.Interpolate.new("bilinear")
    warped = image.mapim(index, interpolate=bilinear, background=[255, 255, 255])
    _save_with_pyvips(warped, out)


def _save_with_pyvips(image: Any, out: Path) -> None:
    image.tiffsave(
        str(out),
        compression="jpeg",
        Q=85,
        tile=True,
        tile_width=512,
        tile_height=512,
        pyramid=True,
        bigtiff=True,
    )


def read_tiles(source: Path, count: int = 400) -> list[float]:
    """Return the milliseconds of warm reads of 256-pixel tiles of a warped slide."""
    from stainbridge.slides.open import open_slide
    from stainbridge.slides.warped import WarpedSlide

    rng = np.random.default_rng(0)
    milliseconds = []
    with (
        open_slide(source) as slide,
        WarpedSlide(slide, moving_from_fixed(slide.frame, DEGREES)) as warped,
    ):
        # A walk, as a viewer reads: neighbours share tiles of the source.
        place = np.array([slide.frame.width, slide.frame.height]) // 2
        for _ in range(count):
            place = np.clip(place + rng.integers(-2, 3, 2) * 256, 0, slide.frame.width - 256)
            began = time.perf_counter()
            warped.read(slide.frame.crop(*place.tolist(), 256, 256))
            milliseconds.append(1000 * (time.perf_counter() - began))
    return milliseconds[count // 10 :]


def summarise_times(milliseconds: list[float]) -> tuple[float, float]:
    """Return the median, and what 95 of 100 stay below."""
    return float(np.median(milliseconds)), float(np.quantile(milliseconds, 0.95))


def translate(source: Path, out: Path, mpp: float) -> None:
    """Translate a slide of H&E of this pixel size, in µm, to pan-cytokeratin."""
    from stainbridge.jobs.translate import TranslateJob

    model = Path("he-panck")
    TranslateJob(slide=source, model=model, out=out, slide_mpp=mpp, overwrite=True).run()


def run_network(source: Path) -> None:
    """Run the bare network over the slide's pixels."""
    import torch

    from stainbridge.learn.named_weights import find_weights
    from stainbridge.slides.open import open_slide
    from stainbridge.translation.inference.model import read_model

    model = read_model(find_weights("he-panck"))
    with open_slide(source) as slide, torch.inference_mode():
        frame = slide.frame
        for top in range(0, frame.height - BARE_PX + 1, BARE_PX):
            for left in range(0, frame.width - BARE_PX + 1, BARE_PX):
                tile = slide.read(frame.crop(left, top, BARE_PX, BARE_PX)).pixels
                model.generator(torch.from_numpy(tile / np.float32(127.5) - 1)[None])


def start_registration(fixed: Path, moving: Path, out: Path, began: float) -> float:
    """Return the seconds from `began`, in Unix time, to the first stage of a registration."""
    from stainbridge.cli.quick_start import settle_at_progress, start_quickly

    prepare_environment()  # as the command does
    start_quickly()
    from stainbridge.jobs.register import RegisterJob

    reached: list[float] = []

    class FirstStageError(Exception):
        """The first stage begins: nothing more is wanted."""

    def watch(stage: str, _: float) -> None:
        if stage not in ("prepare", "checking"):
            reached.append(time.time() - began)
            raise FirstStageError

    with suppress(FirstStageError):
        RegisterJob(fixed=fixed, moving=moving, out=out, overwrite=True).run(
            settle_at_progress(watch)
        )
    return reached[0]


def main() -> None:
    """Run one task and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("task")
    parser.add_argument("paths", type=Path, nargs="+")
    parser.add_argument("--size", type=int, default=20_000)
    parser.add_argument("--glass", type=float)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--mpp", type=float, default=NETWORK_MPP, help="of what is translated")
    parser.add_argument("--began", type=float, help="when the process was started, in Unix time")
    arguments = parser.parse_args()
    paths = arguments.paths
    if arguments.task == "first-stage":
        print(start_registration(*paths, began=arguments.began))
        return
    if arguments.task == "translate":
        prepare_environment()  # as the command does
    usual = ("stainbridge.slides.writing.write", "stainbridge.slides.open", "pyvips")
    for module in (*usual, *IMPORTS.get(arguments.task, ())):
        __import__(module)
    tasks: dict[str, Callable[[], Sequence[float] | None]] = {
        "generate": lambda: generate(paths[0], arguments.size, arguments.glass),
        "tiles": lambda: summarise_times(read_tiles(paths[0])),
        "translate": lambda: translate(paths[0], paths[1], arguments.mpp),
        "network": lambda: run_network(paths[0]),
        "warp": lambda: warp(paths[0], paths[1], arguments.threads),
        "rewrite": lambda: rewrite_with_pyvips(paths[0], paths[1]),
        "mapim": lambda: warp_with_pyvips(paths[0], paths[1]),
    }
    if arguments.task not in tasks:
        parser.error(f"no such task: {arguments.task}")
    began = time.perf_counter()
    figures = tasks[arguments.task]() or ()
    print(time.perf_counter() - began, *figures)


if __name__ == "__main__":
    main()
