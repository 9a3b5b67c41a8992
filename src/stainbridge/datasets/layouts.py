"""Recognise a data set by its layout and read its cases."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from stainbridge.datasets import acrobat, anhir, hyreco, pairs, slices, tiles
from stainbridge.datasets.table import header
from stainbridge.errors import InputError, MissingFileError
from stainbridge.slides.case import Case


@dataclass(frozen=True)
class Layout:
    """`find` gives the table or folder of a data set of this layout at a path, or None; `read` its
    cases.
    """

    name: str
    looks: str
    find: Callable[[Path], Path | None]
    read: Callable[[Path], list[Case]]


LAYOUTS = (
    Layout("pairs", "a table with case, fixed, moving", pairs.find, pairs.read),
    Layout("ANHIR", "a table with 'Source image'", anhir.find, anhir.read),
    Layout("ACROBAT", "a table with anon_filename_he", acrobat.find, acrobat.read),
    Layout("HyReCo", "HE/ and CD8/, KI67/, ...", hyreco.find, hyreco.read),
    Layout("tiles", "HE/train + IHC/train, trainA + trainB, A + B", tiles.find, tiles.read),
    Layout("slices", "mri/ + histo_affine/", slices.find, slices.read),
)


@dataclass(frozen=True, eq=False)
class DataSet:
    """Cases that belong together; `root` is the folder their files lie in."""

    name: str
    layout: str
    root: Path
    cases: tuple[Case, ...]


def read_data_set(path: Path) -> DataSet:
    """The data set at `path`, a table or a folder, whatever its layout.

    Slides are not opened (but by HyReCo for their pixel size). Raises `InputError` when there is
    nothing at `path`, no layout matches, or what the layout promises is missing.
    """
    path = Path(path)
    if not path.exists():
        raise MissingFileError("no such data set", where=path)
    for layout in LAYOUTS:
        found = layout.find(path)
        if found is None:
            continue
        cases = layout.read(found)
        _check(cases, found)
        root = found if found.is_dir() else found.parent
        return DataSet(root.resolve().name, layout.name, root, tuple(cases))
    raise InputError(
        "no data-set layout that is known here",
        where=path,
        expected="; ".join(f"{layout.name} ({layout.looks})" for layout in LAYOUTS),
        got=None if path.is_dir() else f"the columns {', '.join(header(path))}",
    )


def _check(cases: list[Case], where: Path) -> None:
    if not cases:
        raise InputError("the data set has no cases", where=where)
    id, count = Counter(case.id for case in cases).most_common(1)[0]
    if count > 1:
        raise InputError(
            "two cases have the same name", where=f"{where}: {id}", expected="one each", got=count
        )
