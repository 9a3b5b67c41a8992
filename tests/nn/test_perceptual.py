"""Features of VGG-16, from a file or seeded, and the vectors made of features."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from stainbridge.errors import InputError, MissingFileError
from stainbridge.nn.patch_projection import PatchProjection
from stainbridge.nn.perceptual import (
    ALL_LAYERS,
    MEAN,
    SEEDED,
    STD,
    VGG16,
    PerceptualConfig,
    PerceptualNet,
    normalise_maps,
)

#: Where torchvision's convolutions stand, and their channels.
PUBLISHED = {
    0: (3, 64),
    2: (64, 64),
    5: (64, 128),
    7: (128, 128),
    10: (128, 256),
    12: (256, 256),
    14: (256, 256),
}


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A file as torchvision's converted, as far as relu3_3, and a layer of its classifier."""
    generator = torch.Generator().manual_seed(0)
    tensors = {"classifier.0.weight": torch.zeros(1)}
    for number, (before, after) in PUBLISHED.items():
        tensors[f"features.{number}.weight"] = (
            torch.randn(after, before, 3, 3, generator=generator) / 20
        )
        tensors[f"features.{number}.bias"] = torch.randn(after, generator=generator) / 20
    save_file(tensors, tmp_path / "vgg16.safetensors")
    return tmp_path / "vgg16.safetensors"


def test_the_whole_is_the_published_network() -> None:
    with torch.device("meta"):
        features = PerceptualNet(PerceptualConfig(layers=(12,))).features
    assert sum(p.numel() for p in features.parameters()) == 14_714_688
    numbers = [i for i, layer in enumerate(features) if isinstance(layer, nn.Conv2d)]
    assert numbers == [0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28]


def test_weights_from_a_file_are_used_on_pictures_normalised_as_imagenet(weights: Path) -> None:
    network = PerceptualNet(PerceptualConfig(str(weights), layers=(0, 6)))
    assert network.name == VGG16
    pictures = 2 * torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(1)) - 1
    first, last = network(pictures)
    tensors = load_file(weights)
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (MEAN, STD))
    wanted = nn.functional.conv2d(
        ((pictures + 1) / 2 - mean) / std,
        tensors["features.0.weight"],
        tensors["features.0.bias"],
        padding=1,
    ).relu()
    assert torch.allclose(first, wanted, atol=1e-5)
    assert last.shape == (1, 256, 4, 4)


def test_the_stand_in_is_named_seeded_and_leaves_torchs_random_state_alone() -> None:
    torch.manual_seed(3)
    config = PerceptualConfig(width=4, layers=(1, 3))
    one = PerceptualNet(config)
    torch.manual_seed(4)
    two = PerceptualNet(config)
    other = PerceptualNet(PerceptualConfig(width=4, layers=(1, 3), seed=1))
    pictures = 2 * torch.rand(1, 3, 16, 16) - 1
    assert one.name == SEEDED != VGG16
    assert torch.equal(one(pictures)[1], two(pictures)[1])
    assert not torch.equal(one(pictures)[1], other(pictures)[1])


def test_features_keep_their_scale_and_are_frozen() -> None:
    network = PerceptualNet(PerceptualConfig(width=8, layers=(0, 12)))
    pictures = (
        2 * torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0)) - 1
    ).requires_grad_()
    first, last = network(pictures)
    assert 0.1 < float(last.detach().std() / first.detach().std()) < 10
    last.sum().backward()
    assert pictures.grad is not None
    assert pictures.grad.any()
    assert all(p.grad is None and not p.requires_grad for p in network.parameters())


def save_as(weights: Path, kind: str) -> Path:
    """The same tensors as torchvision's file, in its new or old format, or in another type."""
    tensors = load_file(weights)
    path = weights.with_name(f"{kind}.pth" if "pth" in kind else f"{kind}.safetensors")
    if "pth" in kind:
        torch.save(tensors, path, _use_new_zipfile_serialization=kind == "zip-pth")
    else:
        save_file({name: tensor.half() for name, tensor in tensors.items()}, path)
    return path


@pytest.mark.parametrize("kind", ["zip-pth", "old-pth", "float16"])
def test_torchvisions_file_and_half_precision_are_taken_as_they_are(
    weights: Path, kind: str
) -> None:
    pictures = 2 * torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(1)) - 1
    (wanted,) = PerceptualNet(PerceptualConfig(str(weights)))(pictures)
    network = PerceptualNet(PerceptualConfig(str(save_as(weights, kind))))
    assert {parameter.dtype for parameter in network.parameters()} == {torch.float32}
    (features,) = network(pictures)
    assert torch.allclose(features, wanted, atol=1e-2 if kind == "float16" else 0)


@pytest.mark.parametrize("kind", ["safetensors", "zip-pth", "old-pth"])
@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.99])
def test_truncated_files_are_refused_in_one_line(weights: Path, kind: str, share: float) -> None:
    whole = weights if kind == "safetensors" else save_as(weights, kind)
    broken = whole.with_stem("broken")
    broken.write_bytes(whole.read_bytes()[: int(share * whole.stat().st_size)])
    with pytest.raises(InputError, match="no weights of VGG-16") as caught:
        PerceptualNet(PerceptualConfig(str(broken)))
    message = str(caught.value)
    assert message.startswith(str(broken))
    assert "vgg16-397923af.pth" in message
    assert len(message) < 400


@pytest.mark.parametrize("text", [b"steps: 2\nslices: {longest_px: 96}\n", b"q", b"}{", b"\x80"])
def test_files_that_are_no_weights_at_all_are_refused(text: bytes, tmp_path: Path) -> None:
    path = tmp_path / "settings.yaml"
    path.write_bytes(text)
    with pytest.raises(InputError, match="no weights of VGG-16, or a damaged file"):
        PerceptualNet(PerceptualConfig(str(path)))


def test_files_that_are_not_vgg16_are_refused(tmp_path: Path, weights: Path) -> None:
    with pytest.raises(MissingFileError, match="no weights of VGG-16"):
        PerceptualNet(PerceptualConfig(str(tmp_path / "absent.safetensors")))
    with pytest.raises(InputError, match="no weights of VGG-16"):
        PerceptualNet(PerceptualConfig(str(tmp_path)))
    other = tmp_path / "other.safetensors"
    save_file({"features.0.weight": torch.zeros(64, 3, 5, 5)}, other)
    with pytest.raises(InputError, match=r"not the weights of VGG-16.*features\.0\.weight"):
        PerceptualNet(PerceptualConfig(str(other), layers=(0,)))
    with pytest.raises(InputError, match="got absent"):
        PerceptualNet(PerceptualConfig(str(weights), layers=(7,)))
    # VGG-19 begins as VGG-16 does, and goes on with other numbers
    save_file(
        {**load_file(weights), "features.16.weight": torch.zeros(256, 256, 3, 3)},
        other,
    )
    with pytest.raises(InputError, match=r"not the weights of VGG-16.*got features\.16\.weight"):
        PerceptualNet(PerceptualConfig(str(other)))
    torch.save({"state_dict": load_file(weights)}, tmp_path / "wrapped.pth")
    with pytest.raises(InputError, match="no tensors by name"):
        PerceptualNet(PerceptualConfig(str(tmp_path / "wrapped.pth")))


def test_a_file_with_code_is_refused_and_the_code_not_run(tmp_path: Path) -> None:
    touched = tmp_path / "touched"
    torch.save({"features.0.weight": Touch(str(touched))}, tmp_path / "evil.pth")
    with pytest.raises(InputError, match="no weights of VGG-16"):
        PerceptualNet(PerceptualConfig(str(tmp_path / "evil.pth")))
    assert not touched.exists()


class Touch:
    """Makes a file when it is unpickled."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return open, (self.path, "w")


def test_all_thirteen_layers_have_4224_maps() -> None:
    with torch.device("meta"):
        network = PerceptualNet(PerceptualConfig(layers=ALL_LAYERS))
        features = network(torch.rand(1, 3, 32, 32))
    assert [x.shape[1] for x in features] == [64] * 2 + [128] * 2 + [256] * 3 + [512] * 6
    assert sum(x.shape[1] for x in features) == 4224


def test_each_map_is_scaled_to_0_to_1_and_passes_gradients() -> None:
    features = torch.randn(2, 3, 5, 6, generator=torch.Generator().manual_seed(0))
    features[0, 1] = 7.0  # flat
    features[1] *= 1000
    features.requires_grad_()
    scaled = normalise_maps(features)
    least, largest = scaled.detach().amin((2, 3)), scaled.detach().amax((2, 3))
    assert torch.equal(least, torch.zeros(2, 3))
    assert largest.flatten().tolist() == pytest.approx([1, 0, 1, 1, 1, 1])
    assert torch.allclose(normalise_maps(3 * features[1:] + 2), scaled[1:], atol=1e-4)
    scaled.square().sum().backward()
    assert features.grad is not None
    assert features.grad.isfinite().all()
    assert features.grad[0, 0].any()
    assert not features.grad[0, 1].any()


@pytest.mark.parametrize(
    "wrong",
    [{"layers": ()}, {"layers": (13,)}, {"width": 0}, {"weights": "vgg16.safetensors", "width": 8}],
)
def test_impossible_choices_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        PerceptualConfig(**wrong)


def test_a_place_becomes_a_unit_vector_that_depends_on_it_alone() -> None:
    torch.manual_seed(0)
    network = PatchProjection((3, 5), width=8)
    features = [torch.rand(2, 3, 6, 7), torch.rand(2, 5, 3, 4)]
    places = [torch.tensor([8, 0]), torch.tensor([2])]
    fine, coarse = network(features, places)
    assert fine.shape == (2, 2, 8)
    assert coarse.shape == (2, 1, 8)
    assert torch.allclose(fine.norm(dim=-1), torch.ones(2, 2))
    features[0][:, :, 1, 1] = 0  # place 8 of 7 columns
    changed, _ = network(features, places)
    assert torch.equal(changed[:, 1], fine[:, 1])
    assert not torch.equal(changed[:, 0], fine[:, 0])
