from __future__ import annotations

import numpy as np
import pytest

from stainbridge.errors import InputError
from stainbridge.evaluate.synthesis.patches import MeasureConfig, choose_patches, tissue_share
from stainbridge.geometry.frame import Space

FRAME = Space("slide", 400, 600, (0.5, 0.5)).frame
GRID = FRAME.fit(60)


def test_only_patches_with_enough_tissue_are_taken() -> None:
    tissue = np.zeros((GRID.height, GRID.width), bool)
    tissue[:, :25] = True  # 2.5 of six columns of patches
    config = MeasureConfig(patch_px=100, min_tissue=0.7)
    patches = choose_patches(FRAME, tissue, GRID, config)
    assert len(patches) == 2 * 4
    assert {patch.origin_um[0] for patch in patches} == {0.0, 50.0}
    assert all((patch.height, patch.width) == (100, 100) for patch in patches)
    assert all(tissue_share(patch, tissue, GRID) == 1.0 for patch in patches)
    half = MeasureConfig(patch_px=100, min_tissue=0.4)
    assert len(choose_patches(FRAME, tissue, GRID, half)) == 3 * 4


def test_patches_of_a_pixel_size_are_larger_on_the_slide() -> None:
    tissue = np.ones((GRID.height, GRID.width), bool)
    patches = choose_patches(FRAME, tissue, GRID, MeasureConfig(patch_px=100, mpp=1.0))
    assert len(patches) == 2 * 3
    assert patches[0].mpp == (1.0, 1.0)


def test_of_many_patches_some_are_taken_evenly() -> None:
    tissue = np.ones((GRID.height, GRID.width), bool)
    all_of_them = choose_patches(FRAME, tissue, GRID, MeasureConfig(patch_px=100))
    some = choose_patches(FRAME, tissue, GRID, MeasureConfig(patch_px=100, max_patches=4))
    assert [all_of_them.index(patch) for patch in some] == [0, 6, 12, 18]


def test_a_slide_without_tissue_has_no_patches() -> None:
    nothing = np.zeros((GRID.height, GRID.width), bool)
    assert choose_patches(FRAME, nothing, GRID, MeasureConfig(patch_px=100)) == []


@pytest.mark.parametrize(
    "settings",
    [{"patch_px": 4}, {"mpp": 0.0}, {"min_tissue": 1.0}, {"max_patches": 0}, {"block_px": 1}],
)
def test_settings_out_of_range_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(InputError):
        MeasureConfig(**settings)  # type: ignore[arg-type]
