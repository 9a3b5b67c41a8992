"""Throughput and memory of warping a slide, against pyvips re-writing the same file unwarped.

    python benchmarks/warp_throughput.py            a generated 20 000 x 20 000 slide
    python benchmarks/warp_throughput.py --large    40 000 x 40 000 as well

Each job runs in a process of its own, one after the other; seconds are those of the work without
imports, memory is the process's peak resident size. MB are those of the uncompressed output. The
slides are generated once and kept in --out.
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

MPP = 0.25
TEXTURE_PX = 4096


@dataclass(frozen=True)
class TissueSlide:
    """Something with the statistics of an H&E section: stroma, nuclei, blobs of tissue on a white
    slide.
    """

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
        """(T, T, 3) uint8, periodic."""
        rng = np.random.default_rng(0)
        shape = (TEXTURE_PX, TEXTURE_PX)
        fibres = cv2.normalize(_blurred(rng.normal(size=shape), 9), None, 0, 1, cv2.NORM_MINMAX)
        fine = cv2.normalize(_blurred(rng.normal(size=shape), 0.9), None, -1, 1, cv2.NORM_MINMAX)
        nuclei = np.clip((_blurred(rng.normal(size=shape), 5) - 0.07) * 60, 0, 1)[..., None]
        stroma = np.array([225, 160, 195]) + fibres[..., None] * np.array([20, -50, -20])
        picture = stroma * (1 - nuclei) + np.array([95, 60, 140]) * nuclei + fine[..., None] * 50
        return np.clip(picture, 0, 255).astype(np.uint8)

    @cached_property
    def mask(self) -> np.ndarray:
        """(64, 64) float32: where there is tissue (> 0)."""
        noise = _blurred(np.random.default_rng(1).normal(size=(64, 64)), 5)
        y, x = np.mgrid[-1:1:64j, -1:1:64j]
        return (noise / noise.std() * 0.3 + 0.8 - np.hypot(x, y)).astype(np.float32)

    def read(self, frame: Frame) -> Image:
        x, y = (round(o / MPP) for o in frame.origin_um)
        rows, columns = np.arange(y, y + frame.height), np.arange(x, x + frame.width)
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


def _blurred(noise: np.ndarray, sigma: float) -> np.ndarray:
    """Smoothed as if periodic."""
    pad = int(4 * sigma)
    wrapped = np.pad(noise.astype(np.float32), pad, mode="wrap")
    return cv2.GaussianBlur(wrapped, (0, 0), sigma)[pad:-pad, pad:-pad]


def moving_from_fixed(frame: Frame, degrees: float) -> Chain:
    """A smooth displacement of up to 50 µm, then a rotation about the middle."""
    grid = frame.fit(64)
    noise = np.stack(
        [
            _blurred(np.random.default_rng(s).normal(size=(grid.height, grid.width)), 6)
            for s in (2, 3)
        ]
    )
    bend = DisplacementField(
        (50 * noise / np.abs(noise).max()).astype(np.float32), grid, frame.space, frame.space
    )
    a = np.deg2rad(degrees)
    matrix = np.eye(3)
    matrix[:2, :2] = [[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]]
    matrix[:2, 2] = frame.centre_um - matrix[:2, :2] @ frame.centre_um
    return Chain((bend, Affine(matrix, frame.space, frame.space)))


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


def run_job(job: str, source: Path, out: Path, degrees: float) -> None:
    """One job in this process; prints its seconds."""
    for module in ("stainbridge.slides.writing.write", "stainbridge.slides.open", "pyvips"):
        __import__(module)
    begin, cpu = time.perf_counter(), time.process_time()
    if job == "generate":
        generate(source, round(degrees))
    elif job == "warp":
        warp(source, out, degrees)
    else:
        rewrite_with_pyvips(source, out, job)
    print(time.perf_counter() - begin, time.process_time() - cpu, _peak_kb())


def _peak_kb() -> int:
    """The peak resident size since this program began (the rusage of a child also counts what its
    parent held).
    """
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0])


@dataclass(frozen=True)
class Measured:
    seconds: float
    cpu_s: float
    peak_mb: float


def measure(job: str, source: Path, out: Path, degrees: float) -> Measured:
    """Run a job in a process of its own."""
    command = [
        sys.executable,
        __file__,
        "--job",
        job,
        str(source),
        str(out),
        "--degrees",
        str(degrees),
    ]
    text = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    seconds, cpu_s, peak_kb = (float(word) for word in text.split())
    return Measured(seconds, cpu_s, peak_kb / 1024)


def report(size: int, folder: Path, degrees: float) -> None:
    """Generate the slide if need be, run both jobs, print the table."""
    source = folder / f"tissue_{size}.tiff"
    if not source.exists():
        measure("generate", source, source, size)
    megabytes = size * size * 3 / 1e6
    print(
        f"\n{size} x {size} RGB, {megabytes:.0f} MB as pixels, {source.stat().st_size / 1e6:.0f} MB as JPEG"
    )
    print(f"{'job':34} {'seconds':>8} {'CPU s':>7} {'MB/s':>6} {'ratio':>6} {'peak MB':>8}")
    jobs = {
        "pyvips, unwarped": "random",
        "pyvips, unwarped, sequential": "sequential",
        f"stainbridge, warped {degrees:g}°": "warp",
    }
    results = {
        name: measure(job, source, folder / f"{job}.tiff", degrees) for name, job in jobs.items()
    }
    fastest = min(m.seconds for name, m in results.items() if name.startswith("pyvips"))
    for name, m in results.items():
        rate = megabytes / m.seconds
        print(
            f"{name:34} {m.seconds:8.1f} {m.cpu_s:7.1f} {rate:6.0f} {fastest / m.seconds:6.2f} {m.peak_mb:8.0f}"
        )
    print(f"(ratio: throughput against the faster pyvips; load average {os.getloadavg()[0]:.1f})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--large", action="store_true", help="also 40 000 x 40 000")
    parser.add_argument("--size", type=int, default=20_000, help="pixels a side")
    parser.add_argument("--degrees", type=float, default=12.0, help="rotation of the warp")
    parser.add_argument(
        "--out", type=Path, default=Path(tempfile.gettempdir()) / "stainbridge_warp_throughput"
    )
    parser.add_argument("--job", nargs=3, metavar=("NAME", "SOURCE", "OUT"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.job:
        job, source, out = arguments.job
        run_job(job, Path(source), Path(out), arguments.degrees)
        return
    arguments.out.mkdir(parents=True, exist_ok=True)
    for size in (arguments.size, 40_000) if arguments.large else (arguments.size,):
        report(size, arguments.out, arguments.degrees)


if __name__ == "__main__":
    main()
