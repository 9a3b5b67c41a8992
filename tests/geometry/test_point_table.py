"""Tables of points as several programs write them: found, moved, and otherwise kept."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stainbridge.errors import InputError
from stainbridge.geometry.frame import Space
from stainbridge.geometry.landmarks import match_labels, match_tables, read_points_csv
from stainbridge.geometry.point_table import (
    COORDINATE_COLUMNS,
    DELIMITERS,
    read_point_table,
    write_point_table,
)

FRAME = Space("slide", 100, 200, (0.5, 0.25)).frame
OTHER = Space("other", 300, 400, (2.0, 4.0)).frame
UNKNOWN = Space("no size", 100, 200, (1.0, 1.0), calibrated=False).frame

words = st.text(st.characters(categories=["L", "N", "P", "Zs"]), min_size=1, max_size=8)
cells = st.lists(words, min_size=3, max_size=3)


def to_text(rows: list[list[str]], delimiter: str) -> str:
    stream = io.StringIO(newline="")
    csv.writer(stream, delimiter=delimiter).writerows(rows)
    return stream.getvalue()


@settings(max_examples=60, deadline=None)
@given(
    pair=st.sampled_from(COORDINATE_COLUMNS),
    delimiter=st.sampled_from(DELIMITERS),
    decimal_comma=st.booleans(),
    upper=st.booleans(),
    bom=st.booleans(),
    order=st.permutations(range(5)),
    points=st.lists(st.tuples(st.floats(-1e4, 1e4), st.floats(-1e4, 1e4)), max_size=5),
    data=st.data(),
)
def test_every_way_to_write_points_is_read_and_every_other_cell_kept(
    tmp_path_factory: pytest.TempPathFactory,
    pair: tuple[str, str, str],
    delimiter: str,
    decimal_comma: bool,
    upper: bool,
    bom: bool,
    order: list[int],
    points: list[tuple[float, float]],
    data: st.DataObject,
) -> None:
    path = tmp_path_factory.getbasetemp() / "table.csv"
    decimal_comma = decimal_comma and delimiter != ","

    def number(value: float) -> str:
        return f"{value:.3f}".replace(".", "," if decimal_comma else ".")

    others = [data.draw(cells) for _ in points]
    header = [pair[0], pair[1], "id", "Class", "Nucleus: Area µm^2"]
    if upper:
        header = [name.replace("µ", "μ").title() for name in header]
    rows = [
        [number(x), number(y), f"{i} {other[0]}", *other[1:]]
        for i, ((x, y), other) in enumerate(zip(points, others, strict=True))
    ]
    text = to_text([[row[i] for i in order] for row in [header, *rows]], delimiter)
    path.write_bytes(text.encode("utf-8-sig" if bom else "utf-8"))
    table = read_point_table(path)
    values = np.round(np.array(points, float).reshape(-1, 2), 3)
    np.testing.assert_allclose(table.values, values, atol=1e-9)
    assert table.unit == pair[2]
    assert table.labels == tuple(row[2] for row in rows)

    moved = table.with_px(np.zeros((len(points), 2)) + (3, 5), OTHER, (1, 2))
    write_point_table(path, moved)
    again = read_point_table(path)
    offset = (1, 2) if again.is_from_qupath else (0, 0)
    scale = (2.0, 4.0) if pair[2] == "µm" else (1, 1)
    half = 0.5 if pair[0].startswith("axis") else 0
    expected = (np.array([3.0, 5.0]) - offset) * scale - half
    np.testing.assert_allclose(again.values, np.tile(expected, (len(points), 1)), atol=1e-9)
    assert again.header == table.header
    assert again.delimiter == table.delimiter
    kept = [i for i in range(5) if i not in again.columns]
    for before, after in zip(table.rows, again.rows, strict=True):
        assert [before[i] for i in kept] == [after[i] for i in kept]


@pytest.mark.parametrize(
    ("text", "points"),
    [
        ("Image,Name,Class,Centroid X µm,Centroid Y µm\na.svs,p,Tumor,5,10\n", [[10, 40]]),
        ("Object ID\tCentroid X px\tCentroid Y px\nabc\t5\t10\n", [[5, 10]]),
        ("index,axis-0,axis-1\n0.0,10,5\n", [[5.5, 10.5]]),
        ("index,axis-0,axis-1,axis-2\n0.0,99,10,5\n", [[5.5, 10.5]]),
        ("sep=;\nid;X;Y\na;1,5;2\n", [[1.5, 2]]),
        ("id;x_px;y (px)\na;1.5;2\n", [[1.5, 2]]),
        ("X [µm],Y_um\n5,10\n", [[10, 40]]),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_tables_of_other_programs(
    tmp_path: Path, text: str, points: list[list[float]], encoding: str
) -> None:
    (tmp_path / "a.csv").write_bytes(text.encode(encoding))
    np.testing.assert_allclose(read_point_table(tmp_path / "a.csv").to_px(FRAME), points)


def test_qupath_counts_from_its_own_corner(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("Centroid X px,Centroid Y px\n5,10\n")
    table = read_point_table(tmp_path / "a.csv")
    np.testing.assert_array_equal(table.to_px(FRAME, (100, 200)), [[105, 210]])
    np.testing.assert_array_equal(table.with_px(np.array([[105, 210]]), FRAME).values, [[105, 210]])


@pytest.mark.parametrize(
    ("text", "labels", "has_ids"),
    [
        (",id,X,Y\n0,b,1,2\n1,a,3,4\n", ("b", "a"), True),
        (",X,Y\nb,1,2\na,3,4\n", ("b", "a"), False),
        ("X,Y,Landmark_ID\n1,2,7\n3,4,3\n", ("7", "3"), True),
        ("Name,X,Y,Object ID\n,1,2,u\n,3,4,v\n", ("u", "v"), True),
        ("id,X,Y,name\n1,1,2,p\n1,3,4,q\n", ("p", "q"), True),
        ("class,X,Y\nc,1,2\nd,3,4\n", ("0", "1"), False),
    ],
)
def test_labels_are_found_under_their_usual_names(
    tmp_path: Path, text: str, labels: tuple[str, ...], has_ids: bool
) -> None:
    (tmp_path / "a.csv").write_text(text)
    table = read_point_table(tmp_path / "a.csv")
    assert (table.labels, table.has_ids) == (labels, has_ids)


def test_micrometres_need_a_pixel_size(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("Centroid X µm,Centroid Y µm\n5,10\n", encoding="utf-8")
    with pytest.raises(InputError, match="no slide tells how large a pixel is"):
        read_points_csv(tmp_path / "a.csv")
    with pytest.raises(InputError, match="the slide has no pixel size"):
        read_points_csv(tmp_path / "a.csv", UNKNOWN)
    np.testing.assert_array_equal(read_points_csv(tmp_path / "a.csv", FRAME)[0], [[10, 40]])


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"X;Y\n1.234,5;2\n", "line 2: not a number"),
        (b"sep=;\nX;Y\n1;2\n3;x\n", "line 4: not a number"),
        (b"X,Y,name\n1,2,\xe9\n", "text in UTF-8"),
        (b"\xff\xfeX\x00,\x00Y\x00\n\x00\xd8", "text in UTF-8"),
        (b"X/Y\n1/2\n", "columns X and Y"),
        (b'X,Y\n1,"2\n', "not a landmark CSV"),
    ],
)
def test_what_may_be_read_in_two_ways_is_refused(tmp_path: Path, data: bytes, said: str) -> None:
    (tmp_path / "a.csv").write_bytes(data)
    with pytest.raises(InputError, match=said):
        read_point_table(tmp_path / "a.csv")


def test_whole_numbers_match_however_they_are_written() -> None:
    assert match_labels(("1", "2"), ("2.0", " 1.0")) == ([0, 1], [1, 0])
    assert match_labels(("a", "b"), ("a", "c")) is None


def test_explorer_s_key_points_hold_both_slides(tmp_path: Path) -> None:
    path = tmp_path / "keypoints.csv"
    path.write_text("fixedX,fixedY,alignmentX,alignmentY\n1.5,2,30,40\n3,4,50,60\n")
    fixed, labels = read_points_csv(path, side="fixed")
    moving, moving_labels = read_points_csv(path, side="moving")
    assert fixed.tolist() == [[1.5, 2], [3, 4]]
    assert moving.tolist() == [[30, 40], [50, 60]]
    assert labels == moving_labels == ("0", "1")
    with pytest.raises(InputError, match="not a landmark CSV"):
        read_points_csv(path)


@pytest.mark.parametrize(
    "text",
    [
        "X|Y|name\n10,5|20|a\n",
        "name X Y\na 10.5 20\n",
        "  name    X      Y\na   10.5    20  \n",
        'X,Y\n"10,5","20"\n',
        "X (pixels),Y (pixels)\n10.5,20\n",
        "X (pixel);Y (pixel)\n10,5;20\n",
        "# made by hand\n# in 2026\nX,Y\n10.5,20\n",
        "# X Y\n10.5 20\n",
        "x-coordinate,y-coordinate\n10.5,20\n",
        "XCoord\tYCoord\n10.5\t20\n",
        "Pos X [px],Pos Y [px]\n10.5,20\n",
        "id,X,Y\ra,10.5,20\r",
    ],
)
def test_other_ways_to_write_a_table_are_read(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(text.encode())
    table = read_point_table(path)
    np.testing.assert_array_equal(table.values, [[10.5, 20]])
    write_point_table(path, table.with_px(table.values + 1, FRAME))
    np.testing.assert_array_equal(read_point_table(path).values, [[11.5, 21]])


@pytest.mark.parametrize(
    ("text", "name", "delimiter"),
    [
        ("X\tY\n1\t2\n", "o.csv", ","),
        ("X|Y\n1|2\n", "o.CSV", ","),
        ("X Y\n1 2\n", "o.csv", ","),
        ("X\tY\n1,5\t2,5\n", "o.csv", ";"),
        ("X;Y\n1;2\n", "o.csv", ";"),
        ("X,Y\n1,2\n", "o.tsv", "\t"),
        ("X;Y\n1,5;2,5\n", "o.tsv", "\t"),
        ("X|Y\n1|2\n", "o.txt", "|"),
        ("X Y\n1 2\n", "o", " "),
    ],
)
def test_cells_are_apart_as_the_name_says(
    tmp_path: Path, text: str, name: str, delimiter: str
) -> None:
    (tmp_path / "a.txt").write_text(text)
    table = read_point_table(tmp_path / "a.txt")
    path = tmp_path / name
    write_point_table(path, table.in_format_of(path))
    assert path.read_text().startswith(f"X{delimiter}Y")
    np.testing.assert_array_equal(read_point_table(path).values, table.values)


@pytest.mark.parametrize("header", ["X,Y,X,Y", "x,X,y,z", "id,X,Y,y"])
def test_two_columns_of_one_name_are_refused(tmp_path: Path, header: str) -> None:
    (tmp_path / "a.csv").write_text(f"{header}\n1,2,3,4\n")
    with pytest.raises(InputError, match=r"a\.csv: which column counts is not clear; expected one"):
        read_point_table(tmp_path / "a.csv")


@pytest.mark.parametrize("cell", ["1,234", "12,345", "1,234,567"])
def test_a_comma_of_thousands_is_refused(tmp_path: Path, cell: str) -> None:
    (tmp_path / "a.csv").write_text(f'X,Y\n"{cell}","{cell}"\n')
    with pytest.raises(InputError, match="not a number"):
        read_point_table(tmp_path / "a.csv")


def test_a_header_too_long_for_a_table_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x" * 200_000 + "\n1\n")
    with pytest.raises(InputError, match="not a landmark CSV"):
        read_point_table(tmp_path / "a.csv")


@pytest.mark.parametrize(
    "column",
    ["LandmarkID", "PointID", "marker", "key", "Nr.", "uuid", "landmark_name", "pt", "Landmark #"]
    + ["feature_id", "Unnamed: 0", "whatever it is called"],
)
def test_points_of_two_tables_are_matched_by_whatever_names_them(
    tmp_path: Path, column: str
) -> None:
    for name, order in (("a.csv", (3, 5, 9)), ("b.csv", (9, 3, 5))):
        rows = "".join(f"{row},{row}.0,1\n" for row in order)
        (tmp_path / name).write_text(f"{column},X,Y\n{rows}")
    tables = [read_point_table(tmp_path / name) for name in ("a.csv", "b.csv")]
    assert match_tables(*tables) == ([0, 1, 2], [1, 2, 0])


def test_columns_that_repeat_or_differ_do_not_match_points(tmp_path: Path) -> None:
    for name, extra in (("a.csv", ("cell", "cell", "1")), ("b.csv", ("cell", "cell", "2"))):
        rows = "".join(f"{value},{row},1\n" for row, value in enumerate(extra))
        (tmp_path / name).write_text(f"what,X,Y\n{rows}")
    tables = [read_point_table(tmp_path / name) for name in ("a.csv", "b.csv")]
    assert match_tables(*tables) == ([0, 1, 2], [0, 1, 2])
