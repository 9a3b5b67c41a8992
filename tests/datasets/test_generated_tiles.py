"""Generated tiles of two stains."""

from __future__ import annotations

import pickle
from dataclasses import replace

import pytest
import torch

from stainbridge.datasets.generated_tiles import GeneratedTiles, patch_number
from stainbridge.errors import InputError
from stainbridge.translation.training.config import GeneratedTissueConfig

TISSUE = GeneratedTissueConfig(
    distance_um=0.0,
    shift_share=0.0,
    elastic_share=0.0,
    laboratory_variation=0.0,
    tiles_per_block=4,
    cached_blocks=2,
)
STREAM = GeneratedTiles(TISSUE, "HE", "HER2", 64, 1.0, 0, paired=True)


def dark(picture: torch.Tensor) -> torch.Tensor:
    """Where there is ink, flat."""
    return (picture.mean(0) - picture.mean()).flatten()


def test_pairs_show_one_place_in_the_two_stains() -> None:
    tiles = [STREAM[number] for number in range(8)]
    correlations = [
        float(torch.corrcoef(torch.stack([dark(t.source), dark(t.target)]))[0, 1]) for t in tiles
    ]
    assert sorted(correlations)[4] > 0.5
    for source, target, paired, _ in tiles:
        assert paired
        assert source.shape == (3, 64, 64)
        assert source.abs().max() <= 1
        assert float(source[1].mean()) <= float(target[1].mean()) + 0.05  # eosin takes green away


def test_a_sample_is_what_its_number_and_seed_say() -> None:
    again, other = replace(STREAM), replace(STREAM, seed=1)
    assert torch.equal(again[9].source, STREAM[9].source)
    assert torch.equal(pickle.loads(pickle.dumps(replace(STREAM)))[9].target, STREAM[9].target)
    assert not torch.equal(other[9].source, STREAM[9].source)


def test_unpaired_targets_are_of_other_tissue() -> None:
    unpaired = replace(STREAM, paired=False)
    source, target, paired, _ = unpaired[1]
    assert not paired
    assert torch.equal(source, STREAM[1].source)
    assert not torch.equal(target, STREAM[1].target)


def test_blocks_are_gone_round_and_used_up_before_they_are_replaced() -> None:
    places = [patch_number(number, 3, 4) for number in range(48)]
    assert len(set(places)) == 48
    blocks = [place // 4 for place in places]
    assert all(len(set(blocks[i : i + 3])) == 3 for i in range(45))
    assert max(blocks[i + 12] for i in range(36)) >= 9
    assert len(set(blocks[:12])) <= 6


def test_unknown_stains_are_refused() -> None:
    with pytest.raises(InputError, match="unknown stain"):
        replace(STREAM, target="HER3")[0]
