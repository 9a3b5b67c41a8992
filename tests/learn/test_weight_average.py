"""The moving average of weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from stainbridge.errors import InputError
from stainbridge.learn.weight_average import WeightAverage
from stainbridge.learn.weights import StoredWeights


def test_it_follows_the_weights_and_stands_in_for_them_only_for_a_while() -> None:
    network = nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        network.weight.fill_(0.0)
        average = WeightAverage({"n": network}, 0.9)
        network.weight.fill_(1.0)
    average.update(1000)
    assert torch.allclose(average.tensors["average.n.weight"], torch.tensor(0.1))
    with average.apply():
        assert torch.allclose(network.weight, torch.tensor(0.1))
    assert network.weight.item() == 1
    assert torch.allclose(average.tensors["average.n.weight"], torch.tensor(0.1))


def test_untrained_weights_are_soon_forgotten() -> None:
    network = nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        network.weight.fill_(0.0)
        average = WeightAverage({"n": network}, 0.999)
        network.weight.fill_(1.0)
    for step in range(1, 30):
        average.update(step)
    assert average.tensors["average.n.weight"].item() > 0.99


def test_statistics_of_batch_normalisation_go_with_the_weights() -> None:
    network = nn.Sequential(nn.BatchNorm2d(2))
    average = WeightAverage({"n": network}, 0.9)
    network(torch.full((1, 2, 4, 4), 5.0))
    statistics = network[0].running_mean
    assert isinstance(statistics, torch.Tensor)
    mean = statistics.clone()
    counted = network[0].num_batches_tracked
    average.update(1000)
    with average.apply():
        torch.testing.assert_close(network[0].running_mean, 0.1 * mean)
        assert network[0].num_batches_tracked == counted
    torch.testing.assert_close(network[0].running_mean, mean)


def test_a_run_that_averaged_less_is_refused() -> None:
    network = nn.Sequential(nn.BatchNorm2d(2))
    average = WeightAverage({"n": network}, 0.9)
    weights = {name: tensor for name, tensor in average.tensors.items() if "running" not in name}
    with pytest.raises(InputError, match="keeps no average"):
        average.restore(StoredWeights(Path("last.safetensors"), weights, {}))


def test_a_share_of_nothing_keeps_nothing() -> None:
    network = nn.Linear(1, 1)
    average = WeightAverage({"n": network}, 0.0)
    average.update(1)
    assert average.tensors == {}
    with average.apply():
        pass
