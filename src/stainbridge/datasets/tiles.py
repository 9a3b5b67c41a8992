"""Paired tiles by folder: BCI (`HE`, `IHC` with `train`, `test`), MIST (`trainA`, `trainB`, `valA`,
`valB`), `A`, `B`.

Liu et al. 2022, "BCI: breast cancer immunohistochemical image generation through pyramid pix2pix",
arXiv:2204.11425; Li et al. 2023, "Adaptive supervised PatchNCE loss" (MIST), arXiv:2303.06193.
Files of one name show one place: H&E is fixed, the IHC moving.
"""

from __future__ import annotations

from pathlib import Path

from stainbridge.datasets.files import files_in
from stainbridge.errors import InputError
from stainbridge.slides.case import Case

#: Split, fixed folder, moving folder.
FOLDERS = (
    *((split, f"HE/{split}", f"IHC/{split}") for split in ("train", "val", "test")),
    *((split, f"{split}A", f"{split}B") for split in ("train", "val", "test")),
    *((split, f"A/{split}", f"B/{split}") for split in ("train", "val", "test")),
    ("", "A", "B"),
)
ENDINGS = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")


def find(path: Path) -> Path | None:
    """The folder, where it has the two sides of a split."""
    return (
        path if any(pictures_in(path / a) and (path / b).is_dir() for _, a, b in FOLDERS) else None
    )


def read(folder: Path) -> list[Case]:
    """A case a tile, with ids such as `train/00001`; raises `InputError` for a tile without its
    partner.
    """
    return [
        Case.from_files(
            f"{split}/{Path(name).stem}".lstrip("/"), folder / a / name, folder / b / name
        )
        for split, a, b in FOLDERS
        if pictures_in(folder / a) or pictures_in(folder / b)
        for name in same_names(folder / a, folder / b)
    ]


def same_names(first: Path, second: Path) -> list[str]:
    """The names of the pictures in both folders; raises `InputError` when one of them has some the
    other has not.
    """
    names = [pictures_in(folder) for folder in (first, second)]
    alone = sorted(names[0] ^ names[1])
    if alone:
        where = first if alone[0] in names[0] else second
        raise InputError(
            "a picture without its partner",
            where=where / alone[0],
            expected="the same names in both",
            got=len(alone),
        )
    if not names[0]:
        raise InputError("no pictures", where=first, expected=", ".join(ENDINGS))
    return sorted(names[0])


def pictures_in(folder: Path) -> set[str]:
    """The names of the pictures in a folder; none where there is no folder."""
    return {path.name for path in files_in(folder, ENDINGS)}
