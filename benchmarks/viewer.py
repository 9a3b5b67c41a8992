"""Measure the viewer: tiles of a warped large slide, plain tiles beside DeepZoom, start, memory.

    python -m benchmarks.viewer --out benchmarks/out/viewer

A slide of 40,000 pixels a side is generated, and removed after. Tiles are asked for as a browser
does: over HTTP, six at a time, in walks across the slide at every level.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
from benchmarks.viewer_slide import make_transform, write_large_slide
from playwright.sync_api import sync_playwright

from stainbridge.geometry.transform import DisplacementField
from stainbridge.registration.result import Registration
from stainbridge.slides.open import open_slide

#: Requests that a browser has open to one server.
BROWSER_REQUESTS = 6
#: Tiles of a view of a laptop, across and down.
VIEW = (6, 4)
#: Levels that are looked at, from full resolution up.
LEVELS = 6
WARM_TILES = 60
LAPTOP = {"width": 1366, "height": 900}
#: True when both slides are on the page, and when every tile is there that its view needs.
IS_SHOWN = (
    "() => window.stainbridge && stainbridge.case && [stainbridge.a, stainbridge.b].every("
    "view => view.viewer.world.getItemAt(0)?.lastDrawn.length)"
)
IS_SHARP = "() => !stainbridge.a.isBusy && !stainbridge.b.isBusy"
#: Starts in one browser: it draws faster once it has drawn something.
STARTS = 5
TILE_PX = 256


def walk(last_level: int, side_px: int, count: int, seed: int) -> list[tuple[int, int, int]]:
    """Return tiles (level, column, row) of views at random places and levels."""
    generator = np.random.default_rng(seed)
    tiles: list[tuple[int, int, int]] = []
    while len(tiles) < count:
        down = int(generator.integers(LEVELS))
        across = -(-(side_px >> down) // TILE_PX)
        left, top = (int(generator.integers(max(1, across - size))) for size in VIEW)
        for row in range(top, min(top + VIEW[1], across - 1)):
            for column in range(left, min(left + VIEW[0], across - 1)):
                tiles.append((last_level - down, column, row))
    return tiles[:count]


@contextmanager
def run_server(*words: str) -> Iterator[tuple[str, dict[str, str], psutil.Process, float]]:
    """Start a module; yield its address, the headers, its process and when it was started."""
    began = time.perf_counter()
    command = [sys.executable, "-m", *words]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            link = re.search(r"(http://\S+)/\?token=(\S+)", process.stderr.readline())
            assert link is not None
            headers = {"Authorization": f"Bearer {link[2]}"}
            yield link[1], headers, psutil.Process(process.pid), began
        finally:
            process.terminate()


@dataclass(frozen=True)
class FirstPicture:
    """Seconds from the command to what a browser shows that was open before."""

    shown_s: float
    """Until both slides are there."""
    sharp_s: float
    """Until no tile is missing."""


def time_first_pictures(words: tuple[str, ...], count: int) -> list[FirstPicture]:
    """Return what each of several starts took in one browser; none without a browser."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        return []
    options = ["--no-sandbox"] if os.geteuid() == 0 else []
    found = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=options)
        page = browser.new_page(viewport=LAPTOP)
        for _ in range(count):
            with run_server(*words) as (origin, headers, _, began):
                token = headers["Authorization"].removeprefix("Bearer ")
                page.goto(f"{origin}/?token={token}", wait_until="commit")
                page.wait_for_function(IS_SHOWN, polling="raf")
                shown_s = time.perf_counter() - began
                page.wait_for_function(IS_SHARP, polling="raf")
                found.append(FirstPicture(shown_s, time.perf_counter() - began))
                page.goto("about:blank")
        browser.close()
    return found


def ask_all(
    url: str, headers: dict[str, str], tiles: list[tuple[int, int, int]], at_once: int
) -> tuple[np.ndarray, float]:
    """Return the milliseconds of each tile, and tiles a second."""
    with httpx.Client(base_url=url, headers=headers, timeout=60) as client:

        def ask(tile: tuple[int, int, int]) -> float:
            began = time.perf_counter()
            reply = client.get("/".join(map(str, tile)))
            assert reply.status_code == 200, reply.text
            return 1e3 * (time.perf_counter() - began)

        began = time.perf_counter()
        with ThreadPoolExecutor(at_once) as threads:
            times = list(threads.map(ask, tiles))
        return np.array(times), len(tiles) / (time.perf_counter() - began)


def tiles_last_level(path: Path) -> int:
    with open_slide(path) as slide:
        return (max(slide.frame.width, slide.frame.height) - 1).bit_length()


def measure(out: Path, side_px: int, count: int, memory_tiles: int) -> dict[str, Any]:
    slide_path = out / "large.tif"
    write_large_slide(slide_path, side_px)
    with open_slide(slide_path) as slide:
        frame = slide.frame
        transform = make_transform(frame.space, frame.space)
        assert isinstance(transform.members[0], DisplacementField)  # type: ignore[attr-defined]
        Registration(
            fixed=frame, moving=frame, status="ok", reason="", stages=(), seconds=0.0,
            predicted_rtre=0.001, seed=0, config={}, solution=transform,
        ).save(out / "result", slide_path, slide_path)  # fmt: skip
    last = tiles_last_level(slide_path)
    figures: dict[str, Any] = {"side_px": side_px, "cpus": os.cpu_count()}
    viewer = ("stainbridge", "view", str(out / "result"), "--no-browser")
    peer = ("benchmarks.viewer_peer", str(slide_path))
    pictures = time_first_pictures(viewer, STARTS)
    figures["shown_s"] = [round(each.shown_s, 2) for each in pictures]
    figures["sharp_s"] = [round(each.sharp_s, 2) for each in pictures]
    with ExitStack() as servers:
        origin, headers, process, began = servers.enter_context(run_server(*viewer))
        base = f"{origin}/api/cases/case-1/layers"
        first = f"{base}/moving/tiles/{last - 6}/0/0"
        urllib.request.urlopen(urllib.request.Request(first, headers=headers), timeout=60).read()
        figures["first_tile_s"] = round(time.perf_counter() - began, 2)
        figures["first_tile_cpu_s"] = round(sum(process.cpu_times()[:2]), 2)
        figures["load_average"] = os.getloadavg()[0]
        other, *_ = servers.enter_context(run_server(*peer))
        moving = f"{base}/moving/tiles/"
        ask_all(moving, headers, walk(last, side_px, WARM_TILES, 0), 1)
        busy = sum(process.cpu_times()[:2])
        alone, _ = ask_all(moving, headers, walk(last, side_px, count, 1), 1)
        busy = sum(process.cpu_times()[:2]) - busy
        figures["warped_cpu_ms"] = round(1e3 * busy / count, 1)
        figures["warped_median_ms"] = round(float(np.median(alone)), 1)
        figures["warped_p95_ms"] = round(float(np.percentile(alone, 95)), 1)
        _, rate = ask_all(moving, headers, walk(last, side_px, count, 2), BROWSER_REQUESTS)
        figures["warped_tiles_per_s"] = round(rate, 1)
        rates, peers = [], []
        for seed in (3, 4, 5):
            tiles = walk(last, side_px, count, seed)
            rates.append(ask_all(f"{base}/fixed/tiles/", headers, tiles, BROWSER_REQUESTS)[1])
            peers.append(ask_all(f"{other}/", {}, tiles, BROWSER_REQUESTS)[1])
        figures["plain_tiles_per_s"] = round(float(np.median(rates)), 1)
        figures["deepzoom_tiles_per_s"] = round(float(np.median(peers)), 1)
        for part in range(memory_tiles // 500):
            side = ("moving", "fixed")[part % 2]
            url = f"{base}/{side}/tiles/"
            ask_all(url, headers, walk(last, side_px, 500, 10 + part), BROWSER_REQUESTS)
        figures["memory_mb"] = round(process.memory_info().rss / 1e6)
        figures["memory_after_tiles"] = memory_tiles
    slide_path.unlink()
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/out/viewer"))
    parser.add_argument("--size", type=int, default=40_000)
    parser.add_argument("--tiles", type=int, default=400)
    parser.add_argument("--memory-tiles", type=int, default=5000)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    figures = measure(arguments.out, arguments.size, arguments.tiles, arguments.memory_tiles)
    (arguments.out / "viewer.json").write_text(json.dumps(figures, indent=2) + "\n")
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
