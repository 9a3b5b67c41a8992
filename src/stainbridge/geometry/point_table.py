"""Tables of points as programs write them: which columns are x, y and the label, and in what unit.

Everything else in a table is kept, so that its points can be moved and the rest stays.
"""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np

from stainbridge.errors import InputError, MissingFileError
from stainbridge.geometry.frame import Frame
from stainbridge.geometry.geojson_document import MAX_COORDINATE_PX
from stainbridge.types import Points
from stainbridge.whole import whole_file

Unit: TypeAlias = Literal["px", "µm"]
#: The slide whose points are read from a table of both; empty: a table of one slide.
TableSide: TypeAlias = Literal["", "fixed", "moving"]
#: Columns of x and y, lower case, with their unit.
ColumnChoices: TypeAlias = tuple[tuple[str, str, Unit], ...]
#: An x column and its y column, lower case, with their unit; a table's first such pair counts.
#: QuPath exports centroids; napari's axes are in the order of an array, y before x.
COORDINATE_COLUMNS: ColumnChoices = (
    ("x", "y", "px"),
    ("x px", "y px", "px"),
    ("centroid x px", "centroid y px", "px"),
    ("x µm", "y µm", "µm"),
    ("centroid x µm", "centroid y µm", "µm"),
    ("axis-2", "axis-1", "px"),
    ("axis-1", "axis-0", "px"),
    ("centroid x", "centroid y", "px"),
)
#: Where napari's coordinates count from, in pixels: the centre of the first pixel, not its corner.
NAPARI_ORIGIN_PX = 0.5
#: The columns of either slide in Xenium Explorer's key points, which hold both.
SIDE_COLUMNS: dict[TableSide, ColumnChoices] = {
    "": (),
    "fixed": (("fixedx", "fixedy", "px"),),
    "moving": (("alignmentx", "alignmenty", "px"),),
}
#: Columns that name a point, in lower case and without gaps; the first whose values are all
#: different counts.
LABEL_COLUMNS = (
    "id",
    "landmarkid",
    "landmark",
    "pointid",
    "point",
    "label",
    "name",
    *(
        f"{thing}{what}"
        for thing in ("landmark", "point", "marker", "object", "feature", "annotation", "pt")
        for what in ("id", "name", "label", "number", "no", "nr", "index", "key", "")
    ),
    "uuid",
    "uid",
    "key",
    "number",
    "no",
    "nr",
    "",
    "index",
    "unnamed:0",
)
#: Label columns that may count rows only.
ROW_COLUMNS = ("", "index", "number", "no", "nr", "unnamed:0")
DELIMITERS = (",", ";", "\t", "|", " ")
#: What may separate the cells of a file by its ending; other endings say nothing.
ENDINGS = {".csv": (",", ";"), ".tsv": ("\t",)}
#: Words that programs add to the names of coordinates.
COORDINATE_WORDS = re.compile(r"[\s-]*(coordinates?|coords?|positions?|pos|locations?)[\s-]*")
#: A number with a comma before three digits, which may be one of thousands.
THOUSANDS = re.compile(r"[+-]?\d{1,3}(,\d{3})+")
#: Decimals of the written coordinates.
DECIMALS = 4


@dataclass(frozen=True, eq=False)
class PointTable:
    """A table with a point in each row."""

    header: tuple[str, ...]
    """Its columns, as they are written."""
    rows: tuple[tuple[str, ...], ...]
    """Its cells, as they are written."""
    columns: tuple[int, int]
    """Places of the columns of x and y."""
    label_column: int | None
    """Place of the column that names points; None: rows are counted from 0."""
    unit: Unit
    """Unit of x and y; "px" is full-resolution pixels."""
    values: Points
    """(N, 2), x and y in that unit."""
    delimiter: str = ","
    """What separates cells."""
    has_decimal_comma: bool = False
    """Whether numbers are written as 1,5."""

    @property
    def labels(self) -> tuple[str, ...]:
        """One label a row."""
        if self.label_column is None:
            return tuple(str(number) for number in range(len(self.rows)))
        return tuple(row[self.label_column] for row in self.rows)

    @property
    def has_ids(self) -> bool:
        """Whether a column names the points, and does not only count rows."""
        if self.label_column is None:
            return False
        return _name_label(self.header[self.label_column]) not in ROW_COLUMNS

    @property
    def is_from_qupath(self) -> bool:
        """Whether QuPath wrote it, which counts from the corner of the scanned area."""
        return normalise_name(self.header[self.columns[0]]).startswith("centroid x ")

    @property
    def is_from_napari(self) -> bool:
        """Whether napari wrote it, which counts from the centre of the first pixel."""
        return normalise_name(self.header[self.columns[0]]).startswith("axis-")

    def to_px(self, frame: Frame, offset_px: tuple[float, float] = (0, 0)) -> Points:
        """Return (N, 2) in full-resolution pixels of a slide.

        `offset_px` is the corner that QuPath counts from. Raises `InputError` for µm on a slide
        without pixel size.
        """
        return self.values / self._unit_per_px(frame) + self._origin_px(offset_px)

    def with_px(
        self, points_px: Points, frame: Frame, offset_px: tuple[float, float] = (0, 0)
    ) -> PointTable:
        """Return the table with its points at `points_px` (N, 2) of a slide; the rest stays."""
        values = (points_px - self._origin_px(offset_px)) * self._unit_per_px(frame)
        rows = []
        for row, point in zip(self.rows, values, strict=True):
            cells = list(row)
            for column, value in zip(self.columns, point, strict=True):
                cells[column] = self._write_number(float(value))
            rows.append(tuple(cells))
        return replace(self, rows=tuple(rows), values=values)

    def in_format_of(self, path: Path) -> PointTable:
        """Return the table with its cells apart as the ending of a name says."""
        delimiters = ENDINGS.get(path.suffix.lower(), (self.delimiter,))
        if self.delimiter in delimiters:
            return self
        return replace(self, delimiter=delimiters[-1 if self.has_decimal_comma else 0])

    def _origin_px(self, offset_px: tuple[float, float]) -> Points:
        """Return where its coordinates count from, in full-resolution pixels."""
        if self.is_from_napari:
            return np.full(2, NAPARI_ORIGIN_PX)
        return np.asarray(offset_px if self.is_from_qupath else (0, 0), float)

    def _unit_per_px(self, frame: Frame) -> Points:
        if self.unit == "px":
            return np.ones(2)
        if not frame.calibrated:
            raise InputError(
                "the points are in µm and the slide has no pixel size",
                where=frame.label,
                expected="columns in pixels, or a slide with a pixel size",
                got=self.header[self.columns[0]],
            )
        return np.asarray(frame.space.mpp, float)

    def _write_number(self, value: float) -> str:
        text = f"{value:.{DECIMALS}f}"
        return text.replace(".", ",") if self.has_decimal_comma else text


def read_point_table(path: Path | str, side: TableSide = "") -> PointTable:
    """Read a table of points, in UTF-8, UTF-16 or cp1252.

    Cells are apart by comma, semicolon, tab, bar or spaces; lines before the header that begin with
    # are left out. Its columns of x and y are those of `COORDINATE_COLUMNS`, upper or lower case;
    with a `side` also those of that slide in Xenium Explorer's key points.

    Raises:
        InputError: No such columns, or values that are not finite numbers.
        MissingFileError: There is no such file.

    """
    path = Path(path)
    if not path.is_file():
        raise MissingFileError("no such landmark file", where=path)
    choices = (*COORDINATE_COLUMNS, *SIDE_COLUMNS[side])
    header, rows, delimiter, lines = _read_cells(path, choices)
    names = [normalise_name(name) for name in header]
    pair = _find_pair(names, choices)
    if pair is None:
        raise InputError(
            "not a landmark CSV",
            where=path,
            expected="columns X and Y, or QuPath's centroids, or napari's axes",
            got=list(header) or "nothing",
        )
    x_column, y_column, unit = pair
    for column in (x_column, y_column):
        if names.count(names[column]) > 1:
            raise InputError(
                "which column counts is not clear",
                where=path,
                expected=f"one column {header[column]}",
                got=list(header),
            )
    cells = [row[i] for row in rows for i in (x_column, y_column) if i < len(row)]
    with_comma = [cell.strip() for cell in cells if "," in cell]
    has_decimal_comma = bool(with_comma) and (
        delimiter != "," or not all(THOUSANDS.fullmatch(cell) for cell in with_comma)
    )
    values = [
        _read_point(path, line, row, (x_column, y_column), has_decimal_comma)
        for line, row in zip(lines, rows, strict=True)
    ]
    array = np.array(values, float).reshape(-1, 2)
    if not np.isfinite(array).all():
        raise InputError("landmarks must be finite", where=path)
    full = tuple(tuple(row) + ("",) * (len(header) - len(row)) for row in rows)
    return PointTable(
        tuple(header),
        full,
        (x_column, y_column),
        _find_label_column(names, full),
        unit,
        array,
        delimiter,
        has_decimal_comma,
    )


def write_point_table(path: Path | str, table: PointTable) -> None:
    """Write a table as it was read, in UTF-8; the file appears whole or not at all."""
    with whole_file(Path(path)) as temporary:
        temporary.write_bytes(format_point_table(table))


def format_point_table(table: PointTable) -> bytes:
    """Return the bytes of a table's file."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=table.delimiter)
    writer.writerow(table.header)
    writer.writerows(table.rows)
    return text.getvalue().encode("utf-8")


def normalise_name(name: str) -> str:
    """Return a column's name in lower case, with one way to write its unit and its gaps."""
    text = name.strip().lower().replace("Â", "").replace("â", "").replace("μ", "µ")
    text = re.sub(r"[\s_()\[\]]+", " ", text).strip()
    return re.sub(r"\bpixels?$", "px", re.sub(r"\b(um|microns?)$", "µm", text))


def _name_label(name: str) -> str:
    """Return a column's name as `LABEL_COLUMNS` has it."""
    return re.sub(r"[\s.#-]", "", normalise_name(name))


def _read_cells(
    path: Path, choices: ColumnChoices
) -> tuple[list[str], list[list[str]], str, list[int]]:
    """Return header, rows, delimiter, and the line on which each row ends."""
    text = _read_text(path)
    named = re.match(r"sep=(.)\r?\n", text)  # a line that Excel writes and reads
    skipped = 0
    delimiters: tuple[str, ...] = DELIMITERS
    if named is not None:
        text = text[named.end() :]
        delimiters = (named.group(1),)
        skipped = 1
    text, comments = _skip_comments(text, choices)
    skipped += comments
    first = text.split("\n", 1)[0].strip("\r")
    try:
        delimiter = _find_delimiter(first, delimiters, choices)
        reader = csv.reader(
            io.StringIO(text, newline=""),
            delimiter=delimiter,
            skipinitialspace=delimiter == " ",
            strict=True,
        )
        numbered = [(reader.line_num + skipped, row) for row in reader if row]
    except csv.Error as error:
        raise InputError(
            "not a landmark CSV", where=path, expected="text in UTF-8", got=error
        ) from error
    if not numbered:
        return [], [], delimiter, []
    return numbered[0][1], [row for _, row in numbered[1:]], delimiter, [n for n, _ in numbered[1:]]


def _skip_comments(text: str, choices: ColumnChoices) -> tuple[str, int]:
    """Return the text without lines before the header that begin with #, and their number.

    Such a line that has the columns of x and y is the header itself, as numpy writes it.
    """
    skipped = 0
    while text.startswith("#"):
        line, _, rest = text.partition("\n")
        header = line.strip("\r").lstrip("# ")
        if _separates(header, DELIMITERS, choices) is not None:
            return text.lstrip("# "), skipped
        text = rest
        skipped += 1
    return text, skipped


def _read_text(path: Path) -> str:
    """Return the text of a file; lines that end as on old Macs end as elsewhere."""
    return re.sub(r"\r(?!\n)", "\n", _decode(path))


def _decode(path: Path) -> str:
    data = path.read_bytes()
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        encodings = ["utf-16"]
    else:
        encodings = ["utf-8-sig"]
        if b"\xb5m" in data.split(b"\n", 1)[0]:  # "µm" in the code page of Western Windows
            encodings.append("cp1252")
    for encoding in encodings:
        try:
            return data.decode(encoding)
        except UnicodeDecodeError as error:
            reason = error
    raise InputError(
        "not a landmark CSV", where=path, expected="text in UTF-8", got=reason
    ) from reason


def _find_delimiter(header: str, delimiters: tuple[str, ...], choices: ColumnChoices) -> str:
    """Return what separates the columns: what lets x and y be found, else the first."""
    return _separates(header, delimiters, choices) or delimiters[0]


def _separates(header: str, delimiters: tuple[str, ...], choices: ColumnChoices) -> str | None:
    """Return the delimiter that lets x and y be found; None where none does."""
    for delimiter in delimiters:
        cells = next(csv.reader([header], delimiter=delimiter, skipinitialspace=True), [])
        is_apart = delimiter != " " or not any(other in header for other in DELIMITERS[:-1])
        if is_apart and _find_pair([normalise_name(cell) for cell in cells], choices) is not None:
            return delimiter
    return None


def _find_pair(names: list[str], choices: ColumnChoices) -> tuple[int, int, Unit] | None:
    for candidates in (names, [COORDINATE_WORDS.sub(" ", name).strip() for name in names]):
        for x_name, y_name, unit in choices:
            if x_name in candidates and y_name in candidates:
                return candidates.index(x_name), candidates.index(y_name), unit
    return None


def _find_label_column(names: list[str], rows: tuple[tuple[str, ...], ...]) -> int | None:
    """Return the first label column whose values differ, else the unnamed one, as in ANHIR."""
    labels = [_name_label(name) for name in names]
    for name in LABEL_COLUMNS:
        if name in labels:
            column = labels.index(name)
            values = {row[column].strip() for row in rows}
            if len(values) == len(rows) and "" not in values:
                return column
    return names.index("") if "" in names else None


def _read_point(
    path: Path, line: int, row: list[str], columns: tuple[int, int], has_decimal_comma: bool
) -> tuple[float, float]:
    try:
        cells = [row[column] for column in columns]
        if has_decimal_comma:
            cells = [cell.replace(",", ".") for cell in cells]
        x, y = float(cells[0]), float(cells[1])
    except (ValueError, IndexError):
        raise InputError(
            "not a number", where=f"{path} line {line}", expected="X,Y", got=row
        ) from None
    if max(abs(x), abs(y)) >= MAX_COORDINATE_PX:
        raise InputError(
            "too far away for a slide",
            where=f"{path} line {line}",
            expected=f"less than {MAX_COORDINATE_PX:g}",
            got=row,
        )
    return x, y
