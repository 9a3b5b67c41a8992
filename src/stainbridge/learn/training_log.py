"""What a run leaves to look at: metrics.csv, TensorBoard's log, pictures."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import numpy as np
import numpy.typing as npt
import PIL.Image

from stainbridge.errors import MissingExtraError
from stainbridge.whole import whole_file

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

#: The table of a run's numbers, in its folder.
METRICS_FILE = "metrics.csv"
#: The folder of a run's pictures, in its folder.
PICTURES_FOLDER = "pictures"
#: The folder of TensorBoard's log, in a run's folder.
TENSORBOARD_FOLDER = "tensorboard"
#: What the columns of validation measures begin with.
VALIDATION_PREFIX = "validation_"
#: What they began with in files of version 0.1.0.
FORMER_VALIDATION_PREFIX = "held_"


class TrainingLog:
    """Writes rows of numbers and pictures of a run into `folder`.

    A run that is resumed at `step` loses the rows after that step; one that begins has -1, and
    keeps none. Raises `MissingExtraError`
    without tensorboard.
    """

    def __init__(self, folder: Path, step: int) -> None:
        self._path = folder / METRICS_FILE
        self._pictures = folder / PICTURES_FOLDER
        self._rows = [row for row in read_rows(self._path) if int(row["step"]) <= step]
        self._columns = list(dict.fromkeys(key for row in self._rows for key in row))
        if self._rows:
            self._rewrite()
        else:
            self._path.unlink(missing_ok=True)
        self._board = _open_board(folder / TENSORBOARD_FOLDER, step)

    def add_row(self, step: int, numbers: Mapping[str, float]) -> None:
        """Add a row; a new name is a new column, which is empty in earlier rows."""
        row = {"step": str(step), **{name: f"{number:.6g}" for name, number in numbers.items()}}
        self._rows.append(row)
        if row.keys() <= set(self._columns):
            with self._path.open("a", newline="", encoding="utf-8") as file:
                csv.DictWriter(file, self._columns).writerow(row)
        else:
            self._columns = list(dict.fromkeys([*self._columns, *row]))
            self._rewrite()
        for name, number in numbers.items():
            self._board.add_scalar(name, number, step)

    def add_picture(self, step: int, picture: npt.NDArray[np.uint8]) -> None:
        """Add a picture, (H, W, 3)."""
        self._pictures.mkdir(exist_ok=True)
        with whole_file(self._pictures / f"{step:07d}.png") as temporary:
            PIL.Image.fromarray(picture).save(temporary)
        self._board.add_image("pictures", picture, step, dataformats="HWC")

    def _rewrite(self) -> None:
        with (
            whole_file(self._path) as temporary,
            temporary.open("w", newline="", encoding="utf-8") as file,
        ):
            writer = csv.DictWriter(file, self._columns)
            writer.writeheader()
            writer.writerows(self._rows)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._board.close()


def read_rows(path: Path) -> list[dict[str, str]]:
    """Return the rows of a run's metrics.csv; none where there is no such file.

    Columns of version 0.1.0 have today's names. A last line that a killed run has not finished is
    left out.
    """
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        lines = [line for line in file if line.endswith("\n")]
    return [
        {_current_column(name): value for name, value in row.items()}
        for row in csv.DictReader(lines)
    ]


def _current_column(name: str) -> str:
    if name.startswith(FORMER_VALIDATION_PREFIX):
        return VALIDATION_PREFIX + name.removeprefix(FORMER_VALIDATION_PREFIX)
    return name


def _open_board(folder: Path, step: int) -> SummaryWriter:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise MissingExtraError("training", "tensorboard", "train") from None
    return SummaryWriter(str(folder), purge_step=step + 1)
