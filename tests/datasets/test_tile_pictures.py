"""Layouts of tiles to train translations on."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from stainbridge.datasets.tile_pictures import read_pictures
from stainbridge.errors import InputError
from stainbridge.translation.training.picture_stream import PictureStream

HE_IHC = ("HE", "IHC")


def fill(folder: Path, *names: str, side: int = 8) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        PIL.Image.fromarray(np.zeros((side, side, 3), np.uint8)).save(folder / f"{name}.png")
    return folder


def names(paths: tuple[Path, ...]) -> list[str]:
    return [path.stem for path in paths]


@pytest.fixture
def bci(tmp_path: Path) -> Path:
    for stain in HE_IHC:
        fill(tmp_path / stain / "train", "0_1+", "1_3+", "2_0")
        fill(tmp_path / stain / "test", "7_2+")
    return tmp_path


def test_bci_is_split_and_paired_by_name(bci: Path) -> None:
    pictures = read_pictures(str(bci), HE_IHC, paired=True)
    assert (
        names(pictures.training.sources)
        == names(pictures.training.targets)
        == ["0_1+", "1_3+", "2_0"]
    )
    assert names(pictures.validation.sources) == ["7_2+"]
    assert pictures.training.sources[0].parent == bci / "HE" / "train"
    assert pictures.validation.targets[0].parent == bci / "IHC" / "test"
    assert pictures.training.paired
    assert pictures.validation.paired


def test_the_other_way_round(bci: Path) -> None:
    pictures = read_pictures(str(bci), HE_IHC, paired=True, reverse=True)
    assert pictures.training.sources[0].parent == bci / "IHC" / "train"
    assert pictures.validation.targets[0].parent == bci / "HE" / "test"


def test_validation_tiles_choose_the_weights_where_there_are_some(bci: Path) -> None:
    for stain in HE_IHC:
        fill(bci / stain / "val", "v")
    assert names(read_pictures(str(bci), HE_IHC, paired=True).validation.sources) == ["v"]


def test_an_unpaired_objective_takes_what_is_there_and_still_measures_pairs(bci: Path) -> None:
    fill(bci / "HE" / "train", "more")
    pictures = read_pictures(str(bci), HE_IHC, paired=False)
    assert not pictures.training.paired
    assert len(pictures.training.sources) == 4
    assert pictures.validation.paired
    with pytest.raises(InputError, match=r"more.png: a picture without its partner"):
        read_pictures(str(bci), HE_IHC, paired=True)


def test_two_folders(tmp_path: Path) -> None:
    first = fill(tmp_path / "he", *(f"a{n}" for n in range(10)))
    second = fill(tmp_path / "ki67", *(f"b{n}" for n in range(5)))
    pictures = read_pictures(f"{first},{second}", HE_IHC, paired=False)
    assert (len(pictures.training.sources), len(pictures.validation.sources)) == (8, 2)
    assert (len(pictures.training.targets), len(pictures.validation.targets)) == (4, 1)
    assert not pictures.validation.paired
    with pytest.raises(InputError, match="a picture without its partner"):
        read_pictures(f"{first},{second}", HE_IHC, paired=True)
    with pytest.raises(InputError, match="nowhere: no pictures there"):
        read_pictures(f"{first},{tmp_path / 'nowhere'}", HE_IHC, paired=False)


def test_held_out_tiles_do_not_overlap_those_trained_on(tmp_path: Path) -> None:
    """Tiles of 8 px every 4: the last fifth is held out, and its neighbours are left out."""
    placed = [f"core_{y:02d}_{x:02d}" for y in range(0, 40, 4) for x in range(0, 40, 4)]
    for side in "AB":
        fill(tmp_path / side, *placed)
    pictures = read_pictures(str(tmp_path), HE_IHC, paired=True)
    assert len(pictures.validation.sources) == 20
    rows = [int(path.stem.split("_")[1]) for path in pictures.training.sources]
    assert max(rows) == 24  # 32 and 36 are held out, 28 overlaps 32
    assert "last 20 of 100" in pictures.note


def test_panels_of_one_field(tmp_path: Path) -> None:
    fill(
        tmp_path,
        *(f"{field}_{panel}" for field in ("lung", "bladder") for panel in ("IHC", "DAPI", "Seg")),
    )
    pictures = read_pictures(str(tmp_path), ("IHC", "DAPI"), paired=True)
    assert names(pictures.training.sources) == ["bladder_IHC"]
    assert names(pictures.training.targets) == ["bladder_DAPI"]
    assert names(pictures.validation.sources) == ["lung_IHC"]
    (tmp_path / "lung_DAPI.png").unlink()
    with pytest.raises(InputError, match=r"lung_DAPI.png: a picture without its partner"):
        read_pictures(str(tmp_path), ("IHC", "DAPI"), paired=True)


@pytest.mark.skipif("STAINBRIDGE_DATA" not in os.environ, reason="STAINBRIDGE_DATA names no folder")
@pytest.mark.parametrize(
    ("name", "stains", "counts"),
    [
        ("tiles_he_ihc", HE_IHC, None),
        ("tiles_autofluorescence_he", ("AF", "HE"), None),
        ("ihc_multiplex", ("IHC", "DAPI"), (1, 1)),
    ],
)
def test_real_tiles(name: str, stains: tuple[str, str], counts: tuple[int, int] | None) -> None:
    pictures = read_pictures(str(Path(os.environ["STAINBRIDGE_DATA"]) / name), stains, paired=True)
    assert len(pictures.training.sources) >= len(pictures.validation.sources) > 0
    assert (
        counts is None
        or (len(pictures.training.sources), len(pictures.validation.sources)) == counts
    )
    tiles = PictureStream(pictures.training, 128, (3, 3), 0)[0]
    assert tiles.source.shape == tiles.target.shape == (3, 128, 128)


def test_one_pair_is_measured_on_too_and_says_so(tmp_path: Path) -> None:
    for side in "AB":
        fill(tmp_path / side, "only")
    pictures = read_pictures(str(tmp_path), HE_IHC, paired=True)
    assert pictures.training == pictures.validation
    assert "too few" in pictures.note


def test_nothing_to_train_on_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        read_pictures(str(tmp_path / "none"), HE_IHC, paired=True)
    with pytest.raises(InputError, match="not a known layout of tiles"):
        read_pictures(str(tmp_path), HE_IHC, paired=True)
    for stain in HE_IHC:
        fill(tmp_path / stain / "test", "7")
    with pytest.raises(InputError, match="no pictures to train on"):
        read_pictures(str(tmp_path), HE_IHC, paired=True)


def test_pairs_may_differ_in_their_endings(tmp_path: Path) -> None:
    fill(tmp_path / "A", "a", "b", "c", "d", "e")
    fill(tmp_path / "B", "a", "b", "c", "d", "e")
    for path, ending in zip(
        sorted((tmp_path / "B").iterdir()), ("jpg", "tif", "PNG"), strict=False
    ):
        PIL.Image.open(path).save(path.with_suffix(f".{ending}"))
        path.unlink()
    pictures = read_pictures(str(tmp_path), HE_IHC, paired=True)
    sources = [*pictures.training.sources, *pictures.validation.sources]
    targets = [*pictures.training.targets, *pictures.validation.targets]
    assert names(sources) == names(targets) == ["a", "b", "c", "d", "e"]
    assert [path.suffix for path in targets] == [".jpg", ".tif", ".PNG", ".png", ".png"]


def test_a_partner_with_two_endings_is_not_guessed(tmp_path: Path) -> None:
    fill(tmp_path / "A", "a", "b")
    fill(tmp_path / "B", "a", "b")
    path = tmp_path / "B" / "a.png"
    for ending in ("jpg", "tif"):
        PIL.Image.open(path).save(path.with_suffix(f".{ending}"))
    path.unlink()
    with pytest.raises(InputError, match="a picture without its partner"):
        read_pictures(str(tmp_path), HE_IHC, paired=True)


def test_panels_may_differ_in_their_endings(tmp_path: Path) -> None:
    fill(tmp_path, "lung_IHC", "lung_DAPI")
    PIL.Image.open(tmp_path / "lung_DAPI.png").save(tmp_path / "lung_DAPI.tif")
    (tmp_path / "lung_DAPI.png").unlink()
    pictures = read_pictures(str(tmp_path), ("IHC", "DAPI"), paired=True)
    assert [path.name for path in pictures.training.targets] == ["lung_DAPI.tif"]
