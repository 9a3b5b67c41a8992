"""Compare throughput and memory of warping a slide with pyvips re-writing the same file.

    python benchmarks/warp_throughput.py            # a generated 20 000 x 20 000 slide
    python benchmarks/warp_throughput.py --large    # 40 000 x 40 000 as well

Each task runs in a process of its own, one after the other. Seconds do not include imports; memory
is the process's peak resident size; MB are those of the uncompressed output. The slides are
generated once and kept in --out.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Self

import cv2
import numpy as np

from stainbridge.geometry.frame import Frame, Space
from stainbridge.geometry.transform import Affine, Chain, DisplacementField
from stainbridge.imaging.image import Image
from stainbridge.slides.slide import Channel, SlideInfo

#: Pixel size of the slides in µm.
MPP = 0.25
#: Period of the tissue's texture in pixels.
TEXTURE_PX = 4096


@dataclass(frozen=True)
class TissueSlide:
    """A slide with the statistics of an H&E section: stroma, nuclei, blobs of tissue on white."""

    size: int
    stain: str = "HE"

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
        return (noise / noise.std() * 0.3 + 0.8 - np.hypot(x, y)).astype(np.float32)

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

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _blur_periodic(noise: np.ndarray, sigma: float) -> np.ndarray:
    """Smooth noise as if it were periodic."""
    pad = int(4 * sigma)
    wrapped = np.pad(noise.astype(np.float32), pad, mode="wrap")
    return cv2.GaussianBlur(wrapped, (0, 0), sigma)[pad:-pad, pad:-pad]


def moving_from_fixed(frame: Frame, degrees: float) -> Chain:
    """Return a smooth displacement of up to 50 µm, then a rotation about the middle."""
    grid = frame.fit(64)
    noise = np.stack(
        [
            _blur_periodic(np.random.default_rng(s).normal(size=(grid.height, grid.width)), 6)
            for s in (2, 3)
        ]
    )
    displacement = DisplacementField(
        (50 * noise / np.abs(noise).max()).astype(np.float32), grid, frame.space, frame.space
    )
    angle = np.deg2rad(degrees)
    matrix = np.eye(3)
    matrix[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    matrix[:2, 2] = frame.centre_um - matrix[:2, :2] @ frame.centre_um
    return Chain((displacement, Affine(matrix, frame.space, frame.space)))


def generate(source: Path, size: int) -> None:
    from stainbridge.slides.writing.write import write_slide

    write_slide(TissueSlide(size), source, file_format="tiff")


def warp(source: Path, out: Path, degrees: float) -> None:
    from stainbridge.slides.open import open_slide
    from stainbridge.slides.warped import WarpedSlide
    from stainbridge.slides.writing.write import write_slide

    with (
        open_slide(source) as slide,
        WarpedSlide(slide, moving_from_fixed(slide.frame, degrees)) as warped,
    ):
        write_slide(warped, out, file_format="tiff", quality=85, tile=512, overwrite=True)


def rewrite_with_pyvips(source: Path, out: Path, access: str) -> None:
    import pyvips

    pyvips.Image.new_from_file(str(source), access=access).tiffsave(
        str(out),
        compression="jpeg",
        Q=85,
        tile=True,
        tile_width=512,
        tile_height=512,
        pyramid=True,
        bigtiff=True,
    )


def run_task(task: str, source: Path, out: Path, degrees: float) -> None:
    """Run one task in this process; print wall seconds, CPU seconds and peak KiB."""
    for module in ("stainbridge.slides.writing.write", "stainbridge.slides.open", "pyvips"):
        __import__(module)
    wall_start = time.perf_counter()
    cpu_start = time.process_time()
    if task == "generate":
        generate(source, round(degrees))
    elif task == "warp":
        warp(source, out, degrees)
    else:
        rewrite_with_pyvips(source, out, task)
    wall_s = time.perf_counter() - wall_start
    cpu_s = time.process_time() - cpu_start
    print(wall_s, cpu_s, _peak_kb())


def _peak_kb() -> int:
    """Return the peak resident size of this program in KiB.

    The rusage of a child also counts what its parent held.
    """
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0])


@dataclass(frozen=True)
class TaskCost:
    seconds: float
    cpu_s: float
    peak_mb: float


def measure(task: str, source: Path, out: Path, degrees: float) -> TaskCost:
    """Run a task in a process of its own."""
    command = [
        sys.executable,
        __file__,
        "--task",
        task,
        str(source),
        str(out),
        "--degrees",
        str(degrees),
    ]
    text = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    seconds, cpu_s, peak_kb = (float(word) for word in text.split())
    return TaskCost(seconds, cpu_s, peak_kb / 1024)


def report(size: int, folder: Path, degrees: float) -> None:
    """Generate the slide if it does not exist, run all tasks, print the table."""
    source = folder / f"tissue_{size}.tiff"
    if not source.exists():
        measure("generate", source, source, size)
    megabytes = size * size * 3 / 1e6
    jpeg_mb = source.stat().st_size / 1e6
    print(f"\n{size} x {size} RGB, {megabytes:.0f} MB as pixels, {jpeg_mb:.0f} MB as JPEG")
    print(f"{'task':34} {'seconds':>8} {'CPU s':>7} {'MB/s':>6} {'ratio':>6} {'peak MB':>8}")
    tasks = {
        "pyvips, unwarped": "random",
        "pyvips, unwarped, sequential": "sequential",
        f"stainbridge, warped {degrees:g}°": "warp",
    }
    results = {
        name: measure(task, source, folder / f"{task}.tiff", degrees)
        for name, task in tasks.items()
    }
    fastest_s = min(cost.seconds for name, cost in results.items() if name.startswith("pyvips"))
    for name, cost in results.items():
        rate = megabytes / cost.seconds
        ratio = fastest_s / cost.seconds
        print(
            f"{name:34} {cost.seconds:8.1f} {cost.cpu_s:7.1f} {rate:6.0f} {ratio:6.2f} "
            f"{cost.peak_mb:8.0f}"
        )
    print(f"(ratio: throughput ÷ that of the faster pyvips; load average {os.getloadavg()[0]:.1f})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--large", action="store_true", help="also 40 000 x 40 000")
    parser.add_argument("--size", type=int, default=20_000, help="pixels a side")
    parser.add_argument("--degrees", type=float, default=12.0, help="rotation of the warp")
    parser.add_argument(
        "--out", type=Path, default=Path(tempfile.gettempdir()) / "stainbridge_warp_throughput"
    )
    parser.add_argument(
        "--task", nargs=3, metavar=("NAME", "SOURCE", "OUT"), help=argparse.SUPPRESS
    )
    arguments = parser.parse_args()
    if arguments.task:
        task, source, out = arguments.task
        run_task(task, Path(source), Path(out), arguments.degrees)
        return
    arguments.out.mkdir(parents=True, exist_ok=True)
    for size in (arguments.size, 40_000) if arguments.large else (arguments.size,):
        report(size, arguments.out, arguments.degrees)


if __name__ == "__main__":
    main()
