"""Valid small inputs of every kind, and the commands that take them."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tifffile
import zarr
from PIL import Image

import stainbridge
from stainbridge.learn.named_weights import find_weights

#: Marks the place of the damaged file in a command, and of a folder for what it writes.
INPUT = "INPUT"
OUT = "OUT"
SIZE_PX = 96
#: The array of a Zarr that the command reads.
FULL_RESOLUTION = "0"


@dataclass(frozen=True)
class Sample:
    """A valid input, and what is done with damaged copies of it."""

    kind: str
    """What it is, for the table."""
    path: Path
    """The file."""
    command: tuple[str, ...]
    """The arguments, with `INPUT` and `OUT` in them."""
    folder: Path | None = None
    """The folder that is copied and named in the command where the file is a part of it."""
    strict: bool = False
    """Whether every change of the bytes must be refused."""


def make_samples(root: Path) -> list[Sample]:
    """Write valid inputs into a folder and return them."""
    root.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(0).integers(0, 255, (SIZE_PX, SIZE_PX, 3), np.uint8)
    reference = root / "reference.png"
    Image.fromarray(pixels).save(reference)
    blank = root / "blank.png"
    Image.fromarray(np.full((128, 128, 3), 250, np.uint8)).save(blank)
    result = _write_result(root, reference)
    return [
        *_slides(root, pixels, reference),
        *_tables(root, result, reference),
        *_settings(root, blank),
        *_results(root, result),
        *_weights(root, reference, blank),
    ]


def _slides(root: Path, pixels: np.ndarray, reference: Path) -> list[Sample]:
    compare = ("evaluate", "images", str(reference), INPUT)
    files: list[Path] = []
    for ending in ("png", "jpg", "bmp", "jp2"):
        files.append(root / f"slide.{ending}")
        Image.fromarray(pixels).save(files[-1])
    layouts = {
        "strips.tif": {"compression": None},
        "lzw.tif": {"compression": "lzw", "predictor": True, "tile": (32, 32)},
        "deflate.tif": {"compression": "zlib", "tile": (32, 32), "bigtiff": True},
        "jpeg.tif": {"compression": "jpeg", "tile": (32, 32)},
        "zstd.tif": {"compression": "zstd", "tile": (32, 32)},
    }
    for name, layout in layouts.items():
        files.append(root / name)
        tifffile.imwrite(files[-1], pixels, photometric="rgb", **layout)
    for name in ("pyramid.ome.tiff", "pyramid.tiff"):
        files.append(root / name)
        slide = stainbridge.ArraySlide(np.moveaxis(pixels, -1, 0).copy(), mpp=0.5)
        stainbridge.write_slide(slide, files[-1])
    samples = [Sample(f"slide {path.name}", path, compare) for path in files]
    samples += [Sample(f"info {path.name}", path, ("info", INPUT, "--json")) for path in files]
    group = zarr.create_array(
        root / "slide.zarr" / "0", shape=pixels.shape, chunks=(32, 32, 3), dtype="u1", zarr_format=3
    )
    group[:] = pixels
    slide = stainbridge.ArraySlide(np.moveaxis(pixels, -1, 0).copy(), mpp=0.5)
    stainbridge.write_slide(slide, root / "pyramid.ome.zarr", tile=32)
    return [
        *samples,
        *_list_zarr_files(root / "slide.zarr", "zarr", compare),
        *_list_zarr_files(root / "pyramid.ome.zarr", "ome-zarr", compare),
    ]


def _list_zarr_files(folder: Path, kind: str, compare: tuple[str, ...]) -> list[Sample]:
    """Return a sample for each file of a Zarr: descriptions, and chunks of full resolution."""
    return [
        Sample(
            f"{kind} {'json' if path.suffix else 'chunk'}",
            path,
            ("info", INPUT) if path.suffix else compare,
            folder=folder,
        )
        for path in sorted(folder.rglob("*"))
        if path.is_file() and (path.suffix or path.relative_to(folder).parts[0] == FULL_RESOLUTION)
    ]


def _tables(root: Path, result: Path, reference: Path) -> list[Sample]:
    points = root / "points.csv"
    points.write_text(",X,Y,name\n0,10.5,20,a\n1,30,40.25,b\n2,80,15,c\n3,5,90,d\n")
    other = root / "other.csv"
    shutil.copy(points, other)
    square = [[10, 10], [50, 10], [50, 60], [10, 60], [10, 10]]
    features = [
        {
            "type": "Feature",
            "id": "3f0c",
            "geometry": {"type": "Polygon", "coordinates": [square]},
            "properties": {
                "objectType": "annotation",
                "classification": {"name": "Tumour", "color": [200, 0, 0]},
                "isLocked": False,
            },
        },
        {
            "type": "Feature",
            "geometry": {"type": "MultiPoint", "coordinates": [[1, 2], [30.5, 40]]},
            "properties": {},
        },
    ]
    annotations = root / "areas.geojson"
    annotations.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    mask = root / "mask.png"
    area = np.zeros((SIZE_PX, SIZE_PX), np.uint8)
    area[20:70, 30:80] = 255
    Image.fromarray(area).save(mask)
    pairs = root / "pairs.csv"
    pairs.write_text(
        "case,fixed,moving,fixed_landmarks,moving_landmarks\n"
        f"a,{reference},{reference},{points},{other}\n"
    )
    paired = root / "manifest.csv"
    paired.write_text(f"id,patient,fixed,moving\na,p1,{root / 'blank.png'},{root / 'no.png'}\n")
    return [
        Sample("points", points, ("warp", "points", str(result), INPUT, "--out", f"{OUT}/a.csv")),
        Sample(
            "landmarks",
            points,
            ("evaluate", "landmarks", "--fixed-landmarks", INPUT)
            + ("--moving-landmarks", str(other), "--result", str(result)),
        ),
        Sample(
            "geojson",
            annotations,
            ("warp", "geojson", str(result), INPUT, "--out", f"{OUT}/a.geojson"),
        ),
        Sample("mask", mask, ("evaluate", "masks", str(mask), INPUT)),
        Sample(
            "manifest",
            pairs,
            ("benchmark", "landmarks", INPUT, "--methods", "identity", "--out", OUT),
        ),
        Sample("paired set", paired, ("pairs", INPUT, "--out", OUT)),
    ]


def _settings(root: Path, blank: Path) -> list[Sample]:
    samples = []
    for name in ("default", "accurate"):
        pipeline = root / f"{name}.yaml"
        pipeline.write_text(stainbridge.RegisterConfig.preset(name).to_yaml())
        command = ("register", "--fixed", str(blank), "--moving", str(blank))
        samples.append(
            Sample("pipeline", pipeline, (*command, "--pipeline", INPUT, "--out", f"{OUT}/r"))
        )
    return samples


def _write_result(root: Path, reference: Path) -> Path:
    folder = root / "result"
    with stainbridge.open_slide(reference) as slide:
        other = stainbridge.open_slide(reference)
        matrix = np.array([[0.9, 0.1, 3], [-0.1, 0.9, 8], [0, 0, 1.0]])
        transform = stainbridge.Affine(matrix, slide.frame.space, other.frame.space)
        stainbridge.Registration(
            fixed=slide.frame,
            moving=other.frame,
            status="ok",
            reason="",
            stages=(),
            seconds=1.0,
            predicted_rtre=0.001,
            seed=0,
            config={},
            solution=transform,
        ).save(folder, slide, other)
    return folder


def _results(root: Path, result: Path) -> list[Sample]:
    command = ("warp", "points", INPUT, str(root / "points.csv"), "--out", f"{OUT}/a.csv")
    return [
        Sample("transform", result / "transform.h5", command, folder=result, strict=True),
        Sample("record", result / "registration.json", command, folder=result),
    ]


def _weights(root: Path, reference: Path, blank: Path) -> list[Sample]:
    translation = root / "translation.safetensors"
    shutil.copy(find_weights("he-panck"), translation)
    affine = root / "affine.safetensors"
    shutil.copy(find_weights("affine-net"), affine)
    register = ("register", "--fixed", str(blank), "--moving", str(blank), "--preset", "fast")
    return [
        Sample(
            "weights",
            translation,
            ("translate", str(reference), "--model", INPUT, "--slide-mpp", "1")
            + ("--out", f"{OUT}/a.tif"),
        ),
        Sample("weights", affine, (*register, "--affine-weights", INPUT, "--out", f"{OUT}/r")),
    ]
