"""Tiles from files of pictures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch

from stainbridge.errors import InputError
from stainbridge.translation.training.picture_files import read_picture
from stainbridge.translation.training.picture_stream import Pictures, PictureStream


def save(path: Path, seed: int, size: tuple[int, int] = (20, 24), mode: str = "RGB") -> Path:
    """A picture of noise, its size (height, width)."""
    shape = (*size, 3) if mode == "RGB" else (*size, 4) if mode == "RGBA" else size
    pixels = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
    PIL.Image.fromarray(pixels).save(path)
    return path


@pytest.fixture
def pairs(tmp_path: Path) -> Pictures:
    """Four sources, and targets that are their negatives."""
    sources, targets = [], []
    for number in range(4):
        sources.append(save(tmp_path / f"a{number}.png", number))
        targets.append(tmp_path / f"b{number}.png")
        PIL.Image.fromarray(255 - np.asarray(PIL.Image.open(sources[-1]))).save(targets[-1])
    return Pictures(tuple(sources), tuple(targets), paired=True)


def stream(pictures: Pictures, seed: int = 0) -> PictureStream:
    return PictureStream(pictures, 16, (3, 3), seed)


def test_pairs_are_cut_and_turned_alike(pairs: Pictures) -> None:
    for number in range(8):
        source, target, paired, weight = stream(pairs)[number]
        assert source.shape == target.shape == (3, 16, 16)
        assert torch.allclose(source, -target, atol=1e-6)
        assert paired is True
        assert weight == 1


def test_a_pair_brings_its_weight(pairs: Pictures) -> None:
    weights = tuple(float(number) for number in range(len(pairs.sources)))
    weighted = stream(replace(pairs, weights=weights))
    plain = stream(replace(pairs, sources=pairs.sources[:1], targets=pairs.targets[:1]))
    drawn = [weighted[number].weight for number in range(len(weights))]
    assert sorted(float(weight) for weight in drawn) == list(weights)
    one = stream(Pictures(pairs.sources[:1], pairs.targets[:1], paired=True, weights=(0.25,)))
    assert (one[3].weight, plain[3].weight) == (0.25, 1.0)


def test_a_sample_is_what_its_number_and_seed_say(pairs: Pictures) -> None:
    again, other = stream(pairs), stream(pairs, 1)
    for number in (5, 0, 11):
        assert torch.equal(stream(pairs)[number].source, again[number].source)
    assert not all(torch.equal(stream(pairs)[n].source, other[n].source) for n in range(4))


def test_unpaired_ones_are_drawn_apart_and_need_not_be_as_many(pairs: Pictures) -> None:
    tiles = [stream(Pictures(pairs.sources, pairs.targets[:3], paired=False))[n] for n in range(6)]
    assert not any(tile.paired for tile in tiles)
    assert not all(torch.allclose(tile.source, -tile.target, atol=1e-6) for tile in tiles)


def test_grey_is_taken_for_rgb(tmp_path: Path) -> None:
    grey = save(tmp_path / "g.png", 0, mode="L")
    source = stream(Pictures((grey,), (grey,), paired=True))[0].source
    assert source.shape == (3, 16, 16)
    assert torch.equal(source[0], source[2])


def test_colours_are_in_order(tmp_path: Path) -> None:
    PIL.Image.new("RGB", (12, 12), (250, 20, 5)).save(tmp_path / "red.png")
    assert read_picture(tmp_path / "red.png")[:, 0, 0].tolist() == [250, 20, 5]


def test_counts_and_sizes_that_do_not_match_are_refused(tmp_path: Path, pairs: Pictures) -> None:
    with pytest.raises(InputError, match="not as many pictures of both stains; expected 4; got 3"):
        Pictures(pairs.sources, pairs.targets[:3], paired=True)
    with pytest.raises(InputError, match="no pictures"):
        Pictures((), pairs.targets, paired=False)
    small = save(tmp_path / "small.png", 0, (20, 20))
    with pytest.raises(
        InputError, match=r"small.png: not the size of its partner; expected 24 x 20; got 20 x 20"
    ):
        Pictures(pairs.sources[:1], (small,), paired=True)


def test_files_that_cannot_be_used_are_refused(tmp_path: Path, pairs: Pictures) -> None:
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(InputError, match=r"text.png: cannot be read as a picture"):
        read_picture(tmp_path / "text.png")
    with pytest.raises(InputError, match=r"text.png: cannot be read as a picture"):
        Pictures((tmp_path / "text.png",), (tmp_path / "text.png",), paired=True)
    with pytest.raises(InputError, match=r"alpha.png: a tile with transparent pixels"):
        read_picture(save(tmp_path / "alpha.png", 0, mode="RGBA"))
    with pytest.raises(InputError, match=r"alpha.png: a tile with transparent pixels"):
        Pictures(pairs.sources, (tmp_path / "alpha.png",), paired=False)
    with pytest.raises(InputError, match=r"a\d.png: the picture is smaller than a tile"):
        PictureStream(pairs, 64, (3, 3), 0)[0]
    with pytest.raises(InputError, match=r"a\d.png: wrong channels; expected 1; got 3"):
        PictureStream(pairs, 16, (1, 3), 0)[0]
