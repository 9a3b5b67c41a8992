"""Published layouts, as small generated folder trees."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import tifffile

from stainbridge.datasets.layouts import read_data_set
from stainbridge.datasets.table import read_landmark_pair
from stainbridge.errors import InputError
from stainbridge.slides.manifest import read_table

MARKS = np.array([[1.0, 2.0], [10.5, 7.25], [30.0, 20.0]])


def picture(path: Path, grey: int = 200) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    PIL.Image.fromarray(np.full((24, 32, 3), grey, np.uint8)).save(path)


def marks(path: Path, points: np.ndarray = MARKS) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(",X,Y\n" + "".join(f"{n},{x},{y}\n" for n, (x, y) in enumerate(points)))


def write_scan(path: Path, mpp: float | None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    size = (
        {}
        if mpp is None
        else {"resolution": (1e4 / mpp, 1e4 / mpp), "resolutionunit": "CENTIMETER"}
    )
    tifffile.imwrite(
        path, np.full((64, 96, 3), 200, np.uint8), photometric="rgb", metadata=None, **size
    )


def pairs(root: Path) -> None:
    for name in ("a", "b"):
        picture(root / f"images/{name}.png")
        marks(root / f"landmarks/{name}.csv")
    picture(root / "masks/a.png", 1)
    (root / "pairs.csv").write_text(
        "case,fixed,moving,fixed_landmarks,moving_landmarks,fixed_mask\n"
        "one,images/a.png,images/b.png,landmarks/a.csv,landmarks/b.csv,masks/a.png\n"
        "two,images/b.png,images/a.png,,,\n"
    )


def anhir(root: Path) -> None:
    for name in ("he", "ki67"):
        picture(root / f"images/COAD_01/scale-5pc/{name}.jpg")
    marks(root / "landmarks/COAD_01/scale-5pc/he.csv")
    marks(root / "landmarks/COAD_01/scale-5pc/ki67.csv", np.vstack([MARKS + 1, [[5.0, 6.0]]]))
    images = "COAD_01/scale-5pc/ki67.jpg,COAD_01/scale-5pc/he.jpg"
    columns = (
        "Image diagonal [pixels],Source image,Target image,Source landmarks,Target landmarks,status"
    )
    known = "COAD_01/scale-5pc/ki67.csv,COAD_01/scale-5pc/he.csv,training"
    secret = "COAD_01/scale-5pc/ki67.csv,COAD_01/scale-5pc/withheld.csv,evaluation"
    (root / "dataset_small.csv").write_text(
        f",{columns}\n0,40.0,{images},{known}\n7,40.0,{images},{secret}\n"
    )


def acrobat(root: Path) -> None:
    for name in ("0_HE_val", "0_KI67_val", "1_HE_val", "1_ER_val"):
        picture(root / f"valid/{name}.tif")
    lines = [
        "anon_id,anon_filename_he,anon_filename_ihc,point_id,ihc_x,ihc_y,mpp_ihc_10X,mpp_he_10X,ihc_antibody,he_x,he_y"
    ]
    lines += [
        f"0,0_HE_val.ndpi,0_KI67_val.ndpi,{n},{x},{y},0.5,0.25,KI67,{x},{y}"
        for n, (x, y) in enumerate(MARKS)
    ]
    lines += [
        f"1,1_HE_val.ndpi,1_ER_val.ndpi,{n},{x},{y},0.5,0.25,ER,," for n, (x, y) in enumerate(MARKS)
    ]
    (root / "points.csv").write_text("\n".join(lines))


def hyreco(root: Path) -> None:
    for stain in ("HE", "CD8", "PHH3"):
        write_scan(root / f"{stain}/29.tif", 0.5)
        text = "\n".join(f"{x / 1000},{y / 1000},0" for x, y in MARKS)
        (root / f"{stain}/29.csv").write_text(text)
    write_scan(root / "HE/108.tif", 0.5)
    write_scan(root / "CD8/108.tif", 0.5)


def bci(root: Path) -> None:
    for split in ("train", "test"):
        for name in ("00001_1+.png", "00002_3+.png"):
            picture(root / f"HE/{split}/{name}")
            picture(root / f"IHC/{split}/{name}")


def mist(root: Path) -> None:
    for folder in ("trainA", "trainB", "valA", "valB"):
        picture(root / folder / "1.jpg")


def slices(root: Path) -> None:
    for name in ("slice_1.png", "slice_2.png"):
        for folder in ("mri", "histo_affine", "mri_mask", "histo_affine_labels"):
            picture(root / folder / name)


@pytest.mark.parametrize(
    ("make", "layout", "ids"),
    [
        (pairs, "pairs", ["one", "two"]),
        (anhir, "ANHIR", ["0", "7"]),
        (acrobat, "ACROBAT", ["0_KI67", "1_ER"]),
        (hyreco, "HyReCo", ["108_CD8", "29_CD8", "29_PHH3"]),
        (bci, "tiles", ["train/00001_1+", "train/00002_3+", "test/00001_1+", "test/00002_3+"]),
        (mist, "tiles", ["train/1", "val/1"]),
        (slices, "slices", ["slice_1", "slice_2"]),
    ],
)
def test_a_layout_is_recognised_and_its_slides_open(
    make: Callable[[Path], None], layout: str, ids: list[str], tmp_path: Path
) -> None:
    make(tmp_path)
    for path in [path for path in tmp_path.rglob("*") if path.is_file()]:
        path.with_name(f"._{path.name}").write_bytes(
            b"\0\x05\x16\x07"
        )  # as macOS leaves on foreign disks
    data = read_data_set(tmp_path)
    assert (data.layout, data.name, [case.id for case in data.cases]) == (
        layout,
        tmp_path.name,
        ids,
    )
    for case in data.cases:
        with case.open_fixed() as fixed, case.open_moving() as moving:
            assert fixed.info.path != moving.info.path


def test_pairs_have_landmarks_and_masks_where_the_table_names_them(tmp_path: Path) -> None:
    pairs(tmp_path)
    one, two = read_data_set(tmp_path / "pairs.csv").cases
    assert one.landmarks is not None
    np.testing.assert_array_equal(one.landmarks[0], MARKS)
    assert one.open_fixed_mask is not None
    assert (one.open_moving_mask, two.landmarks, two.open_fixed_mask) == (None, None, None)


def test_labels_of_pairs_are_masks_where_there_are_none(tmp_path: Path) -> None:
    pairs(tmp_path)
    picture(tmp_path / "labels/b.png", 2)
    table = tmp_path / "pairs.csv"
    table.write_text(
        "case,fixed,moving,fixed_mask,fixed_labels,moving_labels\n"
        "one,images/a.png,images/b.png,masks/a.png,labels/b.png,labels/b.png\n"
        "two,images/a.png,images/b.png,,,\n"
    )
    one, two = read_data_set(table).cases
    opened = (one.open_fixed_mask, one.open_fixed_labels, one.open_moving_mask)
    names = []
    for open_picture in opened:
        assert open_picture is not None
        with open_picture() as slide:
            names.append(Path(slide.info.path).relative_to(tmp_path).as_posix())
    assert names == ["masks/a.png", "labels/b.png", "labels/b.png"]
    assert (two.open_fixed_labels, two.open_moving_labels, two.open_fixed_mask) == (None,) * 3


def test_anhir_keeps_common_landmarks_and_leaves_secret_ones_open(tmp_path: Path) -> None:
    anhir(tmp_path)
    training, evaluation = read_data_set(tmp_path).cases
    assert training.landmarks is not None
    np.testing.assert_array_equal(training.landmarks[1], MARKS + 1)  # the fourth row has no partner
    assert training.landmarks[0].shape == (3, 2)
    assert evaluation.landmarks is None
    assert evaluation.moving_only is not None
    assert evaluation.moving_only.shape == (4, 2)


def test_acrobat_points_are_micrometres(tmp_path: Path) -> None:
    acrobat(tmp_path)
    known, secret = read_data_set(tmp_path).cases
    assert known.landmarks is not None
    np.testing.assert_allclose(known.landmarks[0], 4 * MARKS)
    np.testing.assert_allclose(known.landmarks[1], 2 * MARKS)
    assert (secret.landmarks, secret.moving_only is None) == (None, False)


def test_acrobat_slides_have_the_pixel_size_of_the_table(tmp_path: Path) -> None:
    """Points in µm lie where the challenge has them, whatever the tags of a file say."""
    acrobat(tmp_path)
    write_scan(tmp_path / "valid/1_HE_val.tif", 0.0625)
    for case in read_data_set(tmp_path).cases:
        with case.open_fixed() as fixed, case.open_moving() as moving:
            assert (fixed.frame.calibrated, fixed.frame.mpp) == (True, (0.25, 0.25))
            assert (moving.frame.calibrated, moving.frame.mpp) == (True, (0.5, 0.5))


def test_hyreco_landmarks_of_one_slide_only_are_refused(tmp_path: Path) -> None:
    hyreco(tmp_path)
    next((tmp_path / "HE").glob("*.csv")).unlink()
    with pytest.raises(InputError, match="landmarks of one slide only"):
        read_data_set(tmp_path)


def test_hyreco_points_are_millimetres(tmp_path: Path) -> None:
    hyreco(tmp_path)
    without, with_marks, _ = read_data_set(tmp_path).cases
    assert without.landmarks is None
    assert with_marks.landmarks is not None
    np.testing.assert_allclose(with_marks.landmarks[0], 2 * MARKS, rtol=1e-5)


def test_landmarks_belong_together_by_label_where_labels_tell(tmp_path: Path) -> None:
    def table(name: str, *rows: str) -> Path:
        (tmp_path / name).write_text("\n".join((",X,Y", *rows)))
        return tmp_path / name

    four = table("four.csv", "0,1,1", "1,2,2", "2,3,3", "3,4,4")
    fixed, moving = read_landmark_pair(four, table("three.csv", "3,40,40", "0,10,10", "2,30,30"))
    np.testing.assert_array_equal(moving, 10 * fixed)
    assert fixed[:, 0].tolist() == [1, 3, 4]
    for name, rows in (("named", ("a,10,10", "b,20,20")), ("twice", ("0,10,10", "0,20,20"))):
        fixed, moving = read_landmark_pair(four, table(f"{name}.csv", *rows))  # by row, as in ANHIR
        np.testing.assert_array_equal(moving, 10 * fixed)


def test_text_of_another_encoding_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "marks.csv").write_bytes(",X,Y\nDrüse,1,2\n".encode("latin-1"))
    with pytest.raises(InputError, match=r"marks.csv: not a landmark CSV; expected text in UTF-8"):
        read_landmark_pair(tmp_path / "marks.csv", tmp_path / "marks.csv")
    rows = "case,fixed,moving\n" + "x,a.png,b.png\n" * 900 + "Drüse,a.png,b.png\n"
    (tmp_path / "pairs.csv").write_bytes(rows.encode("latin-1"))
    with pytest.raises(InputError, match="not a table; expected CSV in UTF-8"):
        read_table(tmp_path / "pairs.csv", ("case",))


def test_slices_have_masks_or_labels(tmp_path: Path) -> None:
    slices(tmp_path)
    case = read_data_set(tmp_path).cases[0]
    assert case.open_fixed_mask is not None
    assert case.open_moving_mask is not None
    with case.open_moving_mask() as mask:
        assert "histo_affine_labels" in mask.info.path


def remove_mpp(name: str) -> Callable[[Path], None]:
    return lambda root: write_scan(root / name, None)


def delete(name: str) -> Callable[[Path], None]:
    return lambda root: next(root.rglob(name)).unlink()


def write(name: str, text: str) -> Callable[[Path], None]:
    def change(root: Path) -> None:
        (root / name).write_text(text)

    return change


def replace(name: str, old: str, new: str) -> Callable[[Path], None]:
    def change(root: Path) -> None:
        path = next(root.rglob(name))
        path.write_text(path.read_text().replace(old, new))

    return change


@pytest.mark.parametrize(
    ("make", "spoil", "said"),
    [
        (pairs, delete("b.png"), "images/b.png: no such file"),
        (pairs, replace("pairs.csv", "two,", "one,"), "two cases have the same name"),
        (pairs, replace("pairs.csv", "landmarks/b.csv", ""), "landmarks of one slide only"),
        (pairs, replace("pairs.csv", "moving,", "floating,"), "not a known data-set layout"),
        (pairs, replace("a.csv", "10.5", "ten"), "not a number"),
        (anhir, delete("ki67.jpg"), "no such file"),
        (acrobat, delete("1_ER_val.tif"), "1_ER_val.ndpi: no such slide"),
        (acrobat, replace("points.csv", ",30.0,20.0,0.5,", ",30.0,x,0.5,"), "not a number"),
        (acrobat, replace("points.csv", "0.25,KI67", "0,KI67"), "pixel size must be positive"),
        (hyreco, remove_mpp("HE/29.tif"), "need a slide with a pixel size"),
        (hyreco, write("CD8/29.csv", "X,Y\n1,2"), "not a table of numbers"),
        (bci, delete("00002_3+.png"), "a picture without its partner"),
        (mist, lambda root: (root / "valB").rename(root / "val"), "a picture without its partner"),
        (slices, delete("slice_2.png"), "a picture without its partner"),
        (lambda root: None, lambda root: None, "not a known data-set layout"),
    ],
)  # fmt: skip
def test_what_does_not_match_is_one_clear_line(
    make: Callable[[Path], None], spoil: Callable[[Path], None], said: str, tmp_path: Path
) -> None:
    make(tmp_path)
    spoil(tmp_path)
    with pytest.raises(InputError, match=said.replace("+", r"\+")) as raised:
        read_data_set(tmp_path)
    assert "\n" not in str(raised.value)


def test_a_folder_with_two_tables_asks_which(tmp_path: Path) -> None:
    anhir(tmp_path)
    (tmp_path / "dataset_other.csv").write_text((tmp_path / "dataset_small.csv").read_text())
    with pytest.raises(InputError, match="several ANHIR tables"):
        read_data_set(tmp_path)
    assert read_data_set(tmp_path / "dataset_other.csv").layout == "ANHIR"


def test_a_path_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such data set"):
        read_data_set(tmp_path / "nothing")


def test_the_real_sets_are_recognised(real_data: Path) -> None:
    expected = {
        "rat_kidney": ("pairs", 1),
        "lung_lesion_3": ("pairs", 3),
        "bigbrain_slices": ("slices", 344),
        "tiles_he_ihc": ("tiles", None),
    }
    for name, (layout, count) in expected.items():
        data = read_data_set(real_data / name)
        assert data.layout == layout
        assert count is None or len(data.cases) == count
