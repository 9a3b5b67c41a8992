"""What every similarity measure must do; each one's values are checked in a file of its own."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from inspect import signature
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch
from tests.similarity.pictures import half, smooth
from torch import Tensor

from stainbridge.errors import InputError
from stainbridge.similarity.lncc import local_ncc
from stainbridge.similarity.mind import mind_distance
from stainbridge.similarity.ncc import ncc
from stainbridge.similarity.ngf import ngf
from stainbridge.similarity.nmi import nmi
from stainbridge.similarity.similarities import SIMILARITIES, find_similarity
from stainbridge.similarity.ssim import ssim

Measure = Callable[..., Tensor]


def minus_mind(fixed: Tensor, moving: Tensor, weight: Tensor | None = None) -> Tensor:
    return -mind_distance(fixed, moving, weight, radius=1, dilation=1)


#: Measures with other options than those of the table.
VARIANTS: dict[str, Measure] = {
    "narrow local ncc": partial(local_ncc, radius=2, noise=1e-4),
    "nmi of few bins": partial(nmi, bins=12),
    "narrow mind": minus_mind,
    "ssim uniform": partial(ssim, window="uniform7"),
}
MEASURES: dict[str, Measure] = {**SIMILARITIES, **VARIANTS}
#: Measures whose value depends a little on the whole picture: their noise level is that of all of
#: it, held by a clamp that is not reached.
HOLISTIC = (minus_mind, SIMILARITIES["mind-ssc"])
every_measure = pytest.mark.parametrize("measure", MEASURES.values(), ids=list(MEASURES))


def test_the_table_holds_the_measures_as_published() -> None:
    fixed, moving = smooth(1, 1, 24, 24, seed=10), smooth(1, 1, 24, 24, seed=11)
    for name, measure in (("ncc", ncc), ("local-ncc", local_ncc), ("nmi", nmi), ("ngf", ngf)):
        assert torch.equal(SIMILARITIES[name](fixed, moving), measure(fixed, moving))
    assert torch.equal(SIMILARITIES["mind-ssc"](fixed, moving), -mind_distance(fixed, moving))


@pytest.mark.parametrize("name", SIMILARITIES)
def test_an_entry_names_its_paper_and_options_that_exist(name: str) -> None:
    similarity = find_similarity(name)
    assert "doi:" in similarity.paper
    assert set(similarity.options) <= set(signature(similarity.measure).parameters)


def test_an_option_reaches_its_measure_and_no_other() -> None:
    fixed, moving = smooth(1, 1, 24, 24, seed=12), smooth(1, 1, 24, 24, seed=13)
    narrow = SIMILARITIES["local-ncc"](fixed, moving, radius=2)
    assert torch.equal(narrow, local_ncc(fixed, moving, radius=2))
    assert torch.equal(SIMILARITIES["ncc"](fixed, moving, radius=2), ncc(fixed, moving))


def test_an_unknown_name_is_refused_with_those_there_are() -> None:
    with pytest.raises(InputError, match="no such similarity; expected ncc, local-ncc, nmi"):
        find_similarity("correlation")


@every_measure
def test_gradients_are_the_numerical_ones_in_both_pictures(measure: Measure) -> None:
    # inside the span, off the kinks of a clamp
    fixed, moving = (0.1 + 0.8 * smooth(1, 1, 12, 13, seed=seed) for seed in (1, 2))
    assert torch.autograd.gradcheck(
        measure, (fixed.requires_grad_(), moving.requires_grad_()), atol=1e-4
    )


@every_measure
def test_a_picture_is_most_like_itself(measure: Measure) -> None:
    fixed = smooth(1, 1, 40, 40, seed=3)
    scores = [
        float(measure(fixed, moving))
        for moving in (fixed, torch.roll(fixed, 1, -1), torch.roll(fixed, 9, -1))
    ]
    assert scores[0] > scores[1] > scores[2]


@every_measure
def test_samples_of_a_batch_are_strangers(measure: Measure) -> None:
    fixed, moving = smooth(3, 1, 24, 20, seed=4), smooth(3, 1, 24, 20, seed=5)
    one_by_one = torch.cat([measure(fixed[i : i + 1], moving[i : i + 1]) for i in range(3)])
    torch.testing.assert_close(measure(fixed, moving), one_by_one)


@every_measure
def test_only_what_has_weight_counts(measure: Measure) -> None:
    fixed, moving = smooth(2, 1, 24, 60, seed=6), smooth(2, 1, 24, 60, seed=7)
    weight = half(fixed)
    weight[..., 20:] = 0  # far enough from the changed columns for every window
    changed = moving.clone()
    changed[..., 45:] = 0.5
    torch.testing.assert_close(
        measure(fixed, moving, weight),
        measure(fixed, changed, weight),
        rtol=1e-6 if measure in HOLISTIC else 1e-12,
        atol=1e-12,
    )
    assert not torch.allclose(measure(fixed, moving), measure(fixed, changed))


@every_measure
def test_a_flat_picture_has_a_finite_score_and_gradient(measure: Measure) -> None:
    fixed = smooth(1, 1, 20, 20, seed=8)
    flat = torch.full_like(fixed, 0.5).requires_grad_()
    score = measure(fixed, flat)
    score.sum().backward()
    assert torch.isfinite(score).all()
    assert flat.grad is not None
    assert torch.isfinite(flat.grad).all()


@every_measure
def test_no_weight_at_all_is_finite(measure: Measure) -> None:
    fixed = smooth(1, 1, 20, 20, seed=9)
    assert torch.isfinite(measure(fixed, fixed, torch.zeros_like(fixed))).all()


def grey(path: Path) -> Tensor:
    """The middle of a picture, (1, 1, 320, 320), in [0, 1]."""
    pixels = np.atleast_3d(np.asarray(PIL.Image.open(path)))[..., :3]
    return torch.from_numpy(pixels.mean(axis=2, dtype=np.float32) / 255)[
        None, None, 113:433, 113:433
    ]


@every_measure
@pytest.mark.parametrize("case", ["merkel_ki67_546", "merkel_phh3_800"])
def test_two_stains_of_one_section_are_most_alike_where_they_lie_on_each_other(
    measure: Measure, case: str, real_data: Path
) -> None:
    folder = real_data / "restained_he_ihc"
    he, ihc = grey(folder / "raw" / f"{case}_he.png"), grey(folder / "aligned" / f"{case}_ihc.png")
    inside = torch.zeros_like(he)
    inside[..., 20:-20, 20:-20] = grey(folder / "aligned" / f"{case}_valid.png")[
        ..., 20:-20, 20:-20
    ]
    for axis in (2, 3):
        scores = {
            shift: float(measure(he, torch.roll(ihc, shift, axis), inside))
            for shift in (-12, -4, -1, 0, 1, 4, 12)
        }
        assert (
            abs(max(scores, key=scores.__getitem__)) <= 1
        )  # the reference itself is right to 0.7 to 1.7 pixels
        assert scores[0] > max(scores[-4], scores[4]) > max(scores[-12], scores[12])
