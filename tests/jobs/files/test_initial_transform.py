"""Points picked by hand become a homography; points that cannot are refused by name."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from stainbridge.errors import InputError, MissingFileError
from stainbridge.geometry.frame import Space
from stainbridge.geometry.landmarks import write_points_csv
from stainbridge.geometry.transform import Affine, Projective
from stainbridge.jobs.files.initial_transform import check_point_files, read_initial_transform
from stainbridge.types import Points

HE = Space("he.svs", 8000, 10_000, (0.5, 0.5)).frame
IHC = Space("ihc.svs", 9000, 9000, (0.25, 0.25)).frame
#: Mirrored and turned.
TRUTH = Affine(np.array([[0.0, 0.4, 100], [0.4, 0.02, 50], [0, 0, 1]]), HE.space, IHC.space)
POINTS = np.array(
    [[900.0, 700], [9000, 900], [8800, 7500], [700, 7000], [5000, 4100], [3000, 1500.0]]
)
NAMES = ("a", "b", "c", "d", "e", "f")


def moved(points: Points) -> Points:
    return IHC.to_px(TRUTH(HE.to_um(points)))


def write_csv(path: Path, points: Points, names: tuple[str, ...]) -> Path:
    write_points_csv(path, points, names)
    return path


def write_geojson(path: Path, points: Points, names: tuple[str, ...]) -> Path:
    features = [
        {
            "type": "Feature",
            "geometry": {"type": "Point", "coordinates": point},
            "properties": {"name": name},
        }
        for point, name in zip(points.tolist(), names, strict=True)
    ]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path


def assert_is_truth(transform: Projective, atol: float = 1e-3) -> None:
    centres = HE.fit(16).centres_um()
    np.testing.assert_allclose(transform(centres), TRUTH(centres), atol=atol)
    assert (transform.source, transform.target) == (HE.space, IHC.space)


@pytest.mark.parametrize("count", [4, 6])
@pytest.mark.parametrize("write", [write_csv, write_geojson])
def test_points_are_paired_by_name(tmp_path: Path, count: int, write: object) -> None:
    assert callable(write)
    suffix = "csv" if write is write_csv else "geojson"
    fixed = write(tmp_path / f"he.{suffix}", POINTS[:count], NAMES[:count])
    backward = slice(None, None, -1)
    moving = write(
        tmp_path / f"ihc.{suffix}", moved(POINTS[:count])[backward], NAMES[:count][backward]
    )
    notes: list[str] = []
    assert_is_truth(read_initial_transform(fixed, moving, HE, IHC, notes.append))
    assert notes == []


def test_points_without_shared_names_are_paired_by_order(tmp_path: Path) -> None:
    fixed = write_csv(tmp_path / "he.csv", POINTS[:4], ("0", "1", "2", "3"))
    moving = write_geojson(tmp_path / "ihc.json", moved(POINTS[:4]), NAMES[:4])
    notes: list[str] = []
    assert_is_truth(read_initial_transform(fixed, moving, HE, IHC, notes.append))
    assert "by their order" in notes[0]


def test_a_point_on_one_slide_only_is_left_out(tmp_path: Path) -> None:
    fixed = write_csv(tmp_path / "he.csv", POINTS, NAMES)
    moving = write_csv(tmp_path / "ihc.csv", moved(POINTS)[:4], NAMES[:4])
    assert_is_truth(read_initial_transform(fixed, moving, HE, IHC))


def test_qupath_counts_from_the_slides_bounds(tmp_path: Path) -> None:
    fixed = write_geojson(tmp_path / "he.geojson", POINTS - (100, 200), NAMES)
    moving = write_csv(tmp_path / "ihc.csv", moved(POINTS), NAMES)
    transform = read_initial_transform(
        fixed, moving, HE, IHC, fixed_offset_px=(100, 200), moving_offset_px=(5, 5)
    )
    assert_is_truth(transform)


def test_a_wrong_point_is_named_and_left_out(tmp_path: Path) -> None:
    fixed = write_csv(tmp_path / "he.csv", POINTS, NAMES)
    wrong = moved(POINTS)
    wrong[4] += (1500, 0)
    notes: list[str] = []
    moving = write_csv(tmp_path / "ihc.csv", wrong, NAMES)
    assert_is_truth(read_initial_transform(fixed, moving, HE, IHC, notes.append))
    assert notes == ["warning: landmark 'e' is left out: the others put it 1500 px off"]


def test_perspective_is_noted_and_a_horizon_refused(tmp_path: Path) -> None:
    near = np.array([[4000.0, 3000], [4600, 3000], [4600, 3600], [4000, 3600]])
    fixed = write_csv(tmp_path / "he.csv", near, NAMES[:4])
    notes: list[str] = []
    bent = moved(near) + [[0, 0], [0, 0], [5, 10], [0, 0]]
    read_initial_transform(
        fixed, write_csv(tmp_path / "ihc.csv", bent, NAMES[:4]), HE, IHC, notes.append
    )
    assert "times as much as another" in notes[0]
    bent = moved(near) + [[0, 0], [0, 0], [80, 150], [0, 0]]
    with pytest.raises(InputError, match="infinity") as caught:
        read_initial_transform(fixed, write_csv(tmp_path / "ihc.csv", bent, NAMES[:4]), HE, IHC)
    assert caught.value.where == fixed


@pytest.mark.parametrize("count", [4, 6])
def test_what_is_wrong_is_said_with_the_files_name(tmp_path: Path, count: int) -> None:
    fixed = write_csv(tmp_path / "he.csv", POINTS[:count], NAMES[:count])
    swapped = moved(POINTS[:4])[[0, 2, 1, 3]]
    with pytest.raises(InputError, match="crossed") as caught:
        read_initial_transform(
            write_csv(tmp_path / "four.csv", POINTS[:4], NAMES[:4]),
            write_csv(tmp_path / "ihc.csv", swapped, NAMES[:4]),
            HE,
            IHC,
        )
    assert caught.value.where == tmp_path / "ihc.csv"
    with pytest.raises(InputError, match="crossed") as early:
        check_point_files(tmp_path / "four.csv", tmp_path / "ihc.csv")
    assert early.value.where == tmp_path / "ihc.csv"
    outside = moved(POINTS[:count])
    outside[1, 0] = 9001
    with pytest.raises(InputError, match=r"'b' does not lie on the slide; expected .*9000 x 9000"):
        read_initial_transform(
            fixed, write_csv(tmp_path / "out.csv", outside, NAMES[:count]), HE, IHC
        )


def test_counts_and_missing_files_are_refused(tmp_path: Path) -> None:
    fixed = write_csv(tmp_path / "he.csv", POINTS, NAMES)
    other = write_csv(tmp_path / "ihc.csv", moved(POINTS)[:4], ("1", "2", "3", "4"))
    with pytest.raises(InputError, match="one to one"):
        read_initial_transform(fixed, other, HE, IHC)
    three = write_csv(tmp_path / "three.csv", moved(POINTS)[:3], NAMES[:3])
    with pytest.raises(InputError, match=r"too few landmarks.*at least 4.*3"):
        read_initial_transform(fixed, three, HE, IHC)
    with pytest.raises(InputError, match="too few landmarks"):
        check_point_files(fixed, three)
    check_point_files(fixed, write_csv(tmp_path / "good.csv", moved(POINTS), NAMES))
    with pytest.raises(MissingFileError):
        read_initial_transform(fixed, tmp_path / "none.csv", HE, IHC)
