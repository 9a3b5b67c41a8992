"""The folder `pieces` of a result: what a map of several pieces is made of.

ITK has no type for such a map, so `transform.h5` holds it sampled. Here each piece's own transform
is kept, with pictures of where the pieces lie: 0 on glass, else the number of a region. The list
says which regions the pieces have; any other region is tissue without a counterpart.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from stainbridge.errors import InputError
from stainbridge.geometry.files import read_transform, write_transform
from stainbridge.geometry.frame import Frame, Space
from stainbridge.geometry.piecewise import PieceRegion, Piecewise, TransformedPiece
from stainbridge.json_values import format_json
from stainbridge.registration.digest import hash_file
from stainbridge.whole import whole_file

#: The folder, in that of the result.
PIECES = "pieces"
#: Its list of what it holds; it is written last.
INDEX = "pieces.json"


def write_pieces(directory: Path, transform: Piecewise) -> str:
    """Write the pieces of a transform into `directory`/pieces; earlier ones are replaced.

    Returns the digest of the list of pieces, which has the digests of the other files.
    """
    folder = directory / PIECES
    remove_pieces(directory)
    folder.mkdir()
    fixed = [piece.source_region for piece in transform.pieces]
    moving = [piece.target_region for piece in transform.pieces]
    index: dict[str, Any] = {
        "pieces": len(transform.pieces),
        "fixed": _write_regions(folder / "fixed.png", fixed, transform.source_alone),
        "moving": _write_regions(folder / "moving.png", moving, transform.target_alone),
    }
    for number, piece in enumerate(transform.pieces, 1):
        write_transform(folder / f"{number}.h5", piece.transform)
    index["digests"] = {path.name: hash_file(path) for path in sorted(folder.iterdir())}
    with whole_file(folder / INDEX) as temporary:
        temporary.write_text(format_json(index) + "\n", encoding="utf-8")
    return hash_file(folder / INDEX)


def remove_pieces(directory: Path) -> None:
    """Remove the pieces that an earlier result left in a folder; anything else stays."""
    folder = directory / PIECES
    if (folder / INDEX).is_file():
        shutil.rmtree(folder)


def read_pieces(directory: Path, fixed: Space, moving: Space, digest: str) -> Piecewise:
    """Read the pieces of a result as a map from the space `fixed` to the space `moving`.

    Raises `InputError` for files that are missing, damaged or not those that were written: the
    list of pieces must have the `digest`.
    """
    folder = directory / PIECES
    try:
        _check_file(folder / INDEX, digest)
        index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        for name, file_digest in index["digests"].items():
            _check_file(folder / Path(name).name, file_digest)
        count = int(index["pieces"])
        sources, fixed_alone = _read_regions(folder / "fixed.png", index["fixed"], fixed, count)
        targets, moving_alone = _read_regions(folder / "moving.png", index["moving"], moving, count)
    except (OSError, ValueError, KeyError, TypeError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            "the pieces of the result are damaged", where=folder, got=error, remedy="register again"
        ) from error
    return Piecewise(
        tuple(
            TransformedPiece(read_transform(folder / f"{number}.h5", fixed, moving), source, target)
            for number, (source, target) in enumerate(zip(sources, targets, strict=True), 1)
        ),
        source_alone=fixed_alone,
        target_alone=moving_alone,
    )


def _check_file(path: Path, digest: str) -> None:
    if hash_file(path) != digest:
        raise ValueError(f"{path.name} is not the file that was written")


def _write_regions(
    path: Path, regions: list[PieceRegion], alone: PieceRegion | None
) -> dict[str, Any]:
    """Write where the tissue of one slide lies; return the grid and the pieces' regions there.

    All regions share one grid. Two pieces may share their region.
    """
    distinct = list({id(region): region for region in regions}.values())
    numbers = {id(region): number for number, region in enumerate(distinct, 1)}
    frame = regions[0].frame
    labels = np.zeros((frame.height, frame.width), np.min_scalar_type(len(distinct) + 1))
    if alone is not None:
        labels[alone.mask] = len(distinct) + 1
    for region in distinct:
        labels[region.mask] = numbers[id(region)]
    with whole_file(path) as temporary:
        temporary.write_bytes(cv2.imencode(".png", labels)[1].tobytes())
    return {
        "mpp": list(frame.mpp),
        "origin_um": list(frame.origin_um),
        "regions": [numbers[id(region)] for region in regions],
    }


def _read_regions(
    path: Path, entry: dict[str, Any], space: Space, count: int
) -> tuple[list[PieceRegion], PieceRegion | None]:
    """Return the region of each piece, and that of tissue without a counterpart."""
    labels = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_UNCHANGED)
    if labels is None:
        raise ValueError(f"{path.name} is no picture")
    x_mpp, y_mpp = map(float, entry["mpp"])
    x_um, y_um = map(float, entry["origin_um"])
    height, width = labels.shape[:2]
    frame = Frame(space, height, width, (x_mpp, y_mpp), (x_um, y_um))
    numbers = [int(number) for number in entry.get("regions", range(1, count + 1))]
    regions = {number: PieceRegion(labels == number, frame) for number in dict.fromkeys(numbers)}
    is_alone = labels > max(numbers)
    alone = PieceRegion(is_alone, frame) if is_alone.any() else None
    return [regions[number] for number in numbers], alone
