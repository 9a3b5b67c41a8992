"""Trained networks as stages."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tests.nn.networks import TINY, build_active_network
from tests.registration.training.sections import section
from torch import nn

from stainbridge.errors import InputError
from stainbridge.geometry.flow import affine_displacement, pixel_grid
from stainbridge.geometry.transform import Affine
from stainbridge.learn.checkpoint import Checkpoint, save_weights
from stainbridge.nn.affine_net import AffineNet, AffineNetConfig
from stainbridge.nn.fields import DeformableNet, Fields, Term
from stainbridge.registration.sections.section import Section, read_section
from stainbridge.registration.sections.views import sample_section, frame_tissue
from stainbridge.registration.stages.blending import TilingConfig
from stainbridge.registration.stages.learned_affine import LearnedAffine
from stainbridge.registration.stages.learned_field import LearnedField
from stainbridge.registration.training.config import AffineTraining, DeformableTraining, PairsConfig
from stainbridge.registration.training.task import AffineTask, DeformableTask

CPU = torch.device("cpu")
NET = AffineNetConfig(patch_px=32, widths=(8, 16), features=16, groups=4, patch_pool=2, pool=2)
TURN = np.array([[0.9, -0.2, 0.1], [0.25, 1.05, -0.05]])


@pytest.fixture(scope="module")
def fixed() -> Section:
    found = read_section(section(), 160)
    assert found is not None
    return found


@pytest.fixture(scope="module")
def moving() -> Section:
    found = read_section(section(0, "moving"), 160)
    assert found is not None
    return found


def saying(matrix: np.ndarray) -> AffineNet:
    """A network that always says one thing."""
    network = AffineNet(NET).eval()
    last = network.regress[-1]
    assert isinstance(last, nn.Linear)
    nn.init.zeros_(last.weight)
    with torch.no_grad():
        last.bias.copy_(torch.tensor(matrix - np.eye(2, 3)).flatten())
    return network


def test_a_view_has_the_tissue_with_a_margin(fixed: Section) -> None:
    view = frame_tissue(fixed, 96)
    assert max(view.width, view.height) == 96
    tissue = fixed.frame.centres_um()[fixed.region.ravel()]
    px = view.to_px(tissue)
    assert px.min() > 0.07 * 96
    assert (px.max(axis=0) < np.array([view.width, view.height]) - 0.07 * 96).all()
    assert frame_tissue(fixed, 96, mpp=2.0).mpp == (2.0, 2.0)
    square = frame_tissue(fixed, 96, square=True)
    assert square.width == square.height == 96
    assert np.allclose(square.centre_um, view.centre_um, atol=view.mpp[0])


def test_what_is_seen_through_a_map_is_moved_by_it(fixed: Section) -> None:
    view = frame_tissue(fixed, 128, mpp=2.0)
    shift = np.array([[1, 0, 8.0], [0, 1, -6.0], [0, 0, 1]])
    still, moved = sample_section(fixed, view, [np.eye(3), shift], CPU)
    assert still.max() > 0.8
    assert torch.allclose(moved[:, 3:, :-4], still[:, :-3, 4:], atol=1e-4)


def test_an_affine_map_in_micrometres_is_the_networks(fixed: Section, moving: Section) -> None:
    start = np.array([[0, -1, 300.0], [1, 0, 5.0], [0, 0, 1]])
    learned = LearnedAffine(saying(TURN), 96, CPU)
    once, other = learned(fixed, moving, [np.eye(3), start])
    view = frame_tissue(fixed, 96)
    displacement = affine_displacement(
        torch.tensor(TURN[None], dtype=torch.float32), view.height, view.width
    )
    moved = (pixel_grid(view.height, view.width, displacement) + displacement)[0].flatten(
        1
    ).T.double().numpy() + 0.5
    assert np.allclose(once(view.centres_um()), view.to_um(moved), atol=1e-2)
    assert np.allclose(other.matrix, start @ once.matrix)
    assert (once.source, once.target) == (fixed.frame.space, moving.frame.space)


def test_a_second_pass_starts_from_the_first(fixed: Section, moving: Section) -> None:
    (twice,) = LearnedAffine(saying(TURN), 96, CPU)(fixed, moving, [np.eye(3)], passes=2)
    (once,) = LearnedAffine(saying(TURN), 96, CPU)(fixed, moving, [np.eye(3)])
    assert np.allclose(twice.matrix, once.matrix @ once.matrix)


def test_what_a_section_keeps_can_still_be_climbed(fixed: Section, moving: Section) -> None:
    LearnedAffine(saying(TURN), 96, CPU).ranked(fixed, moving, [np.eye(3)])
    for side in (fixed, moving):
        size = round(max(side.frame.size_um) / frame_tissue(fixed, 96).mpp[0])
        assert not side.at(size)[1].is_inference()


def test_starts_that_do_not_fit_at_once_go_in_groups(
    fixed: Section, moving: Section, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(3)
    network = AffineNet(NET).eval()
    nn.init.normal_(network.regress[-1].weight, std=0.1)  # type: ignore[arg-type]
    starts = [np.eye(3), np.diag([0.9, 1.1, 1.0]), np.diag([1.1, 1.0, 1.0])]
    learned = LearnedAffine(network, 96, CPU)
    together = learned(fixed, moving, starts)
    monkeypatch.setattr("stainbridge.registration.stages.learned_affine.BATCH_PX", 1)
    apart = learned(fixed, moving, starts)
    assert not np.allclose(together[0].matrix, np.eye(3), atol=1e-2)
    assert all(
        np.allclose(a.matrix, b.matrix, atol=1e-3) for a, b in zip(together, apart, strict=True)
    )


class Shift(DeformableNet):
    """Three pixels to the right, one up."""

    period, reach = 8, 16

    def fields(self, fixed: torch.Tensor, moving: torch.Tensor) -> Fields:
        found = torch.tensor([3.0, -1.0]).view(1, 2, 1, 1).expand(len(fixed), 2, *fixed.shape[-2:])
        return Fields(found, (Term(found),))


def test_a_field_is_in_micrometres_of_the_fixed_space(fixed: Section, moving: Section) -> None:
    start = Affine(np.eye(3), fixed.frame.space, moving.frame.space)
    field = LearnedField(Shift(), 96, None, CPU).of_sections(fixed, moving, start)
    mpp = frame_tissue(fixed, 96).mpp[0]
    tissue = fixed.frame.centres_um()[fixed.region.ravel()]
    assert field.grid.contains(tissue).all()
    assert np.allclose(field(tissue) - tissue, [3 * mpp, -mpp], atol=1e-3)
    assert field.then(start).target == moving.frame.space


def test_slides_read_tile_by_tile_give_the_sections_field() -> None:
    network = build_active_network(TINY["fcn"])
    one, two = section(), section(5, "moving")
    fixed, moving = read_section(one, 160), read_section(two, 160)
    assert fixed is not None
    assert moving is not None
    learned = LearnedField(network, 96, 2.0, CPU)
    start = Affine(np.eye(3), one.frame.space, two.frame.space)
    whole = learned.of_sections(fixed, moving, start)
    tiled = learned.of_slides(one, two, start, 2.0, TilingConfig(96, 8, 4))
    tissue = fixed.frame.centres_um()[fixed.region.ravel()]
    assert np.abs(whole(tissue) - tissue).max() > 1
    apart = np.hypot(*(whole(tissue) - tiled(tissue)).T) / 2.0
    assert np.median(apart) < 0.1


def save_both(folder: Path) -> tuple[Path, Path]:
    affine = AffineTask(AffineTraining(network=NET, pairs=PairsConfig(section_px=(64, 128))))
    deformable = DeformableTask(DeformableTraining(network=TINY["fcn"], pairs=PairsConfig(mpp=1.5)))
    paths = folder / "affine.safetensors", folder / "deformable.safetensors"
    save_weights(paths[0], affine, Checkpoint(), torch.float16)
    save_weights(paths[1], deformable, Checkpoint())
    return paths


def test_weights_are_loaded_with_the_resolution_they_were_trained_at(tmp_path: Path) -> None:
    affine, deformable = save_both(tmp_path)
    assert LearnedAffine.load(affine).longest_px == 96
    learned = LearnedField.load(deformable)
    assert learned.mpp == 1.5
    assert not learned.network.training


def test_weights_of_the_other_kind_are_one_line(tmp_path: Path) -> None:
    affine, deformable = save_both(tmp_path)
    with pytest.raises(
        InputError, match="weights of another architecture; expected affine; got deformable"
    ):
        LearnedAffine.load(deformable)
    with pytest.raises(
        InputError, match="weights of another architecture; expected deformable; got affine"
    ):
        LearnedField.load(affine)
