"""LPIPS by AlexNet and VGG-16, from files of random weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn.functional import conv2d, max_pool2d

from stainbridge.errors import InputError, MissingFileError
from stainbridge.nn.lpips import (
    ALEXNET_CHANNELS,
    VGG_CHANNELS,
    Lpips,
    compare_pixels,
    find_lpips_files,
)
from stainbridge.nn.perceptual import ALL_LAYERS, PerceptualConfig, PerceptualNet

#: Number, kernel, stride and padding of AlexNet's convolutions.
ALEXNET = ((0, 11, 4, 2), (3, 5, 1, 2), (6, 3, 1, 1), (8, 3, 1, 1), (10, 3, 1, 1))


def write_heads(path: Path, channels: tuple[int, ...]) -> None:
    generator = torch.Generator().manual_seed(5)
    tensors = {
        f"lin{i}.weight": torch.rand(1, count, 1, 1, generator=generator)
        for i, count in enumerate(channels)
    }
    if path.suffix == ".pth":  # as the authors name them
        torch.save(
            {name.replace(".weight", ".model.1.weight"): x for name, x in tensors.items()}, path
        )
    else:
        save_file(tensors, path)


def write_alexnet(folder: Path) -> None:
    """AlexNet and its heads with random weights."""
    generator = torch.Generator().manual_seed(0)
    tensors = {}
    before = 3
    for (number, side, _, _), after in zip(ALEXNET, ALEXNET_CHANNELS, strict=True):
        shape = (after, before, side, side)
        scale = (2 / (before * side * side)) ** 0.5
        tensors[f"features.{number}.weight"] = scale * torch.randn(shape, generator=generator)
        tensors[f"features.{number}.bias"] = torch.zeros(after)
        before = after
    save_file(tensors, folder / "alexnet.safetensors")
    write_heads(folder / "alex.pth", ALEXNET_CHANNELS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of both variants, as published and as safetensors."""
    place = tmp_path_factory.mktemp("lpips")
    write_alexnet(place)
    seeded = PerceptualNet(PerceptualConfig(layers=ALL_LAYERS)).features.state_dict()
    save_file(
        {f"features.{name}": x.half() for name, x in seeded.items()}, place / "vgg16.safetensors"
    )
    write_heads(place / "lpips-v0.1-vgg.safetensors", VGG_CHANNELS)
    return place


def picture(seed: int = 0, side: int = 48) -> Tensor:
    """(1, 3, side, side) in −1 … 1, smooth."""
    generator = torch.Generator().manual_seed(seed)
    coarse = 2 * torch.rand(1, 3, side // 4, side // 4, generator=generator) - 1
    return F.interpolate(coarse, scale_factor=4.0, mode="bilinear")


def test_both_variants_are_found_and_each_is_0_for_equal_pictures(folder: Path) -> None:
    variants = find_lpips_files(folder)
    assert [files.network for files in variants] == ["alex", "vgg"]
    for files in variants:
        network = Lpips(files)
        a = torch.cat([picture(0), picture(1)])
        b = torch.cat([picture(0), picture(2)])
        distances = network(a, b)
        assert distances.shape == (2,)
        assert float(distances[0]) == 0
        assert float(distances[1]) > 0
        assert torch.allclose(network(b, a), distances)
        assert not any(parameter.requires_grad for parameter in network.parameters())


def test_the_distance_is_the_published_formula(folder: Path) -> None:
    """Written out for AlexNet: normalised input, unit vectors, heads, mean, sum."""
    alex = find_lpips_files(folder)[0]
    a, b = picture(0), picture(3)
    tensors = load_file(alex.backbone)
    heads = torch.load(alex.heads, weights_only=True)
    shift = torch.tensor([-0.030, -0.088, -0.188]).view(1, 3, 1, 1)  # the authors' scaling layer
    scale = torch.tensor([0.458, 0.448, 0.450]).view(1, 3, 1, 1)
    x, y = (a - shift) / scale, (b - shift) / scale
    wanted = 0.0
    for layer, (number, _, stride, padding) in enumerate(ALEXNET):
        if layer in (1, 2):
            x, y = max_pool2d(x, 3, 2), max_pool2d(y, 3, 2)
        weight, bias = tensors[f"features.{number}.weight"], tensors[f"features.{number}.bias"]
        x, y = (conv2d(z, weight, bias, stride, padding).relu() for z in (x, y))
        difference = F.normalize(x, dim=1) - F.normalize(y, dim=1)
        head = heads[f"lin{layer}.model.1.weight"]
        wanted += float(conv2d(difference.square(), head).mean())
    assert float(Lpips(alex)(a, b)) == pytest.approx(wanted, rel=1e-4)


def test_pixels_are_scaled_by_their_span(folder: Path) -> None:
    network = Lpips(find_lpips_files(folder)[0])
    a, b = (np.uint8(127.5 * (picture(seed)[0].numpy() + 1)) for seed in (0, 1))
    distance = compare_pixels(network, a, b)
    tensors = (torch.from_numpy(pixels / 127.5 - 1).float()[None] for pixels in (a, b))
    assert distance == pytest.approx(float(network(*tensors)), rel=1e-4)
    wide = compare_pixels(network, a.astype(np.uint16) * 257, b.astype(np.uint16) * 257, 65535)
    assert wide == pytest.approx(distance, rel=1e-4)


def test_pictures_that_cannot_be_compared_are_refused(folder: Path) -> None:
    network = Lpips(find_lpips_files(folder)[0])
    for a, b in (
        (picture(), picture(side=44)),
        (picture()[:, :1], picture()[:, :1]),
        (picture(side=28), picture(side=28)),
    ):
        with pytest.raises(InputError, match="RGB pictures of one size"):
            network(a, b)
    assert network(picture(side=32)[..., :31], picture(1, 32)[..., :31]).shape == (1,)


def test_folders_and_files_that_are_not_lpips_are_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="no folder"):
        find_lpips_files(tmp_path / "absent")
    with pytest.raises(InputError, match="no LPIPS weights"):
        find_lpips_files(tmp_path)
    (tmp_path / "alexnet.safetensors").write_bytes((folder / "alexnet.safetensors").read_bytes())
    with pytest.raises(InputError, match="no LPIPS weights"):
        find_lpips_files(tmp_path)  # a backbone without heads
    write_heads(tmp_path / "lpips-alex.safetensors", VGG_CHANNELS)
    (files,) = find_lpips_files(tmp_path)
    with pytest.raises(InputError, match=r"not the weights of LPIPS \(alex\).*lin1.weight"):
        Lpips(files)
