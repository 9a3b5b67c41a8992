"""Landmarks: what is written is read again, and a wrong file says what is wrong with it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stainbridge.errors import InputError
from stainbridge.geometry.frame import Space
from stainbridge.geometry.landmarks import Landmarks, read_points_csv, write_points_csv

FRAME = Space("slide", 100, 200, (0.5, 0.25)).frame
coordinates = st.floats(-1e5, 1e5)
names = st.text(st.characters(categories=["L", "N", "P", "Zs"]), max_size=12)


@given(points=st.lists(st.tuples(names, coordinates, coordinates), max_size=6))
def test_written_points_are_read_again(
    tmp_path_factory: pytest.TempPathFactory, points: list[tuple[str, float, float]]
) -> None:
    path = tmp_path_factory.getbasetemp() / "round trip.csv"
    array = np.array([row[1:] for row in points], float).reshape(-1, 2)
    labels = tuple(row[0] for row in points)
    write_points_csv(path, array, labels)
    read, read_labels = read_points_csv(path)
    np.testing.assert_allclose(read, array, atol=5.1e-5)
    assert read_labels == labels


def test_the_file_is_anhirs(tmp_path: Path) -> None:
    write_points_csv(tmp_path / "points.csv", np.array([[1.5, 2.25]]), ("a",))
    assert (tmp_path / "points.csv").read_text().split() == [",X,Y", "a,1.5000,2.2500"]


@pytest.mark.parametrize(
    "text",
    [
        "X,Y\n1,2\n3,4\n",
        ",X,Y\n0,1,2\n1,3,4\n",
        "y, x \n2,1\n\n4,3\n",
        "\ufeffX,Y,note\r\n1,2,a\r\n3,4,b\r\n",
    ],
)
def test_columns_are_found_by_name(tmp_path: Path, text: str) -> None:
    (tmp_path / "points.csv").write_bytes(text.encode())
    points, labels = read_points_csv(tmp_path / "points.csv")
    np.testing.assert_array_equal(points, [[1, 2], [3, 4]])
    assert labels == ("0", "1")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not a landmark CSV.*got nothing"),
        ("a,b\n1,2\n", "not a landmark CSV.*columns X and Y"),
        ("X,Y\n1,2\n3,four\n", "line 3.*not a number"),
        ("X,Y\n1\n", "line 2.*not a number"),
        ("X,Y\n1,nan\n", "must be finite"),
        ("X,Y\ninf,1\n", "too far away for a slide"),
    ],
)
def test_a_wrong_file_says_what_is_wrong(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "points.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        read_points_csv(path)
    assert "points.csv" in str(caught.value)


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such landmark file"):
        read_points_csv(tmp_path / "none.csv")


def test_points_in_micrometres_follow_the_pixel_size() -> None:
    landmarks = Landmarks(np.array([[10.0, 20.0]]), ("a",), FRAME)
    np.testing.assert_array_equal(landmarks.points_um, [[5.0, 5.0]])


def test_wrong_shapes_and_counts_are_refused() -> None:
    with pytest.raises(InputError, match=r"\(N, 2\)"):
        Landmarks(np.zeros((3, 3)), ("a", "b", "c"), FRAME)
    with pytest.raises(InputError, match=r"one label per landmark.*expected 2.*got 1"):
        Landmarks(np.zeros((2, 2)), ("a",), FRAME)
