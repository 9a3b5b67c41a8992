"""The manifest of slide pairs: what it may hold, and how patients are split."""

from __future__ import annotations

from pathlib import Path

import pytest

from stainbridge.errors import InputError, MissingFileError
from stainbridge.pairing.manifest import SplitShares, make_single_pair, read_slide_pairs

NAMES = ("a_he", "a_ihc", "b_he", "b_ihc", "c_he", "c_ihc")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in NAMES:
        (tmp_path / f"{name}.png").write_bytes(name.encode())
    return tmp_path


def write(folder: Path, *lines: str) -> Path:
    path = folder / "slides.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_a_row_is_a_pair_with_files_beside_the_manifest(folder: Path) -> None:
    path = write(
        folder,
        "id,patient,split,fixed,moving,label,moving_mpp",
        "first,p1,test,a_he.png,a_ihc.png,2+,0.25",
    )
    (pair,) = read_slide_pairs(path)
    assert (pair.id, pair.patient, pair.split, pair.label) == ("first", "p1", "test", "2+")
    assert (pair.fixed, pair.moving) == (folder / "a_he.png", folder / "a_ihc.png")
    assert pair.moving_mpp == 0.25
    assert pair.fixed_mpp is None
    assert pair.fixed_mask is None


def test_without_an_id_the_fixed_slide_names_the_pair(folder: Path) -> None:
    path = write(folder, "patient,fixed,moving", "p1,a_he.png,a_ihc.png")
    assert read_slide_pairs(path)[0].id == "a_he"


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["patient,fixed,moving,colour", "p,a_he.png,a_ihc.png,red"], "unknown columns"),
        (["fixed,moving", "a_he.png,a_ihc.png"], "whose tissue"),
        (["patient,fixed", "p,a_he.png"], "columns are missing"),
        (["patient,fixed,moving"], "no rows"),
        (["patient,fixed,moving", ",a_he.png,a_ihc.png"], "no patient"),
        (["patient,fixed,moving", "p,a_he.png,a_he.png"], "one file"),
        (["patient,fixed,moving,split", "p,a_he.png,a_ihc.png,held-out"], "no such split"),
        (["patient,fixed,moving,fixed_mpp", "p,a_he.png,a_ihc.png,-1"], "no pixel size"),
        (["patient,fixed,moving,fixed_mpp", "p,a_he.png,a_ihc.png,1e-9"], "no pixel size"),
        (["patient,fixed,moving,label", "p,a_he.png,a_ihc.png,2/3"], "label"),
        (["patient,fixed,moving,id", "p,a_he.png,a_ihc.png,../x"], "id that cannot"),
        (["patient,fixed,moving,fixed_landmarks", "p,a_he.png,a_ihc.png,b_he.png"], "landmarks"),
        (
            ["id,patient,fixed,moving", "x,p,a_he.png,a_ihc.png", "X,q,b_he.png,b_ihc.png"],
            "one id",
        ),
        (
            [
                "patient,split,fixed,moving",
                "p,train,a_he.png,a_ihc.png",
                "p,test,b_he.png,b_ihc.png",
            ],
            "a patient has two splits",
        ),
        (
            ["patient,fixed,moving", "p,a_he.png,a_ihc.png", "q,b_he.png,a_ihc.png"],
            "a slide has two patients",
        ),
        (
            [
                "id,patient,fixed,moving,label",
                "a,p,a_he.png,a_ihc.png,3",
                "a_7,q,b_he.png,b_ihc.png,",
            ],
            "the same name",
        ),
    ],
)
def test_what_cannot_be_used_is_refused(folder: Path, lines: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_slide_pairs(write(folder, *lines))


def test_files_that_are_missing_are_named(folder: Path) -> None:
    path = write(folder, "patient,fixed,moving", "p,a_he.png,lost.png")
    with pytest.raises(MissingFileError, match=r"lost\.png: no such file.*slides\.csv"):
        read_slide_pairs(path)
    with pytest.raises(MissingFileError, match=r"other\.csv"):
        read_slide_pairs(folder / "other.csv")


def write_patients(folder: Path, count: int, pairs_each: int = 2) -> Path:
    lines = ["id,patient,fixed,moving"]
    for number in range(count * pairs_each):
        for stain in ("he", "ihc"):
            (folder / f"{number}_{stain}.png").write_bytes(b"x")
        patient = number // pairs_each
        lines.append(f"pair-{number},patient-{patient},{number}_he.png,{number}_ihc.png")
    return write(folder, *lines)


def test_patients_are_split_by_shares_and_seed(folder: Path) -> None:
    path = write_patients(folder, 10)
    shares = SplitShares(test=0.3, val=0.2)
    pairs = read_slide_pairs(path, shares, seed=1)
    splits = {pair.patient: pair.split for pair in pairs}
    assert all(splits[pair.patient] == pair.split for pair in pairs)
    counts = {name: list(splits.values()).count(name) for name in ("train", "val", "test")}
    assert counts == {"train": 5, "val": 2, "test": 3}
    assert read_slide_pairs(path, shares, seed=1) == pairs
    assert read_slide_pairs(path, shares, seed=2) != pairs


def test_someone_is_left_to_train_on(folder: Path) -> None:
    path = write_patients(folder, 2)
    splits = {pair.patient: pair.split for pair in read_slide_pairs(path, SplitShares(test=0.9))}
    assert sorted(splits.values()) == ["test", "train"]


def test_shares_that_say_nothing_are_refused(folder: Path) -> None:
    with pytest.raises(InputError, match="no patient to train on"):
        SplitShares(test=0.6, val=0.4)
    with pytest.raises(InputError, match="val share"):
        SplitShares(val=-0.1)
    path = write(folder, "patient,split,fixed,moving", "p,train,a_he.png,a_ihc.png")
    with pytest.raises(InputError, match="has splits already"):
        read_slide_pairs(path, SplitShares())


def test_a_single_pair_is_its_own_patient(folder: Path) -> None:
    pair = make_single_pair(folder / "a_he.png", folder / "a_ihc.png", label="1+")
    assert (pair.id, pair.patient, pair.split, pair.label) == ("a_he", "a_he", "train", "1+")
    with pytest.raises(MissingFileError, match="lost"):
        make_single_pair(folder / "a_he.png", folder / "lost.png")
