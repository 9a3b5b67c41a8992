"""Compare the training loop with a plain eager float32 loop of the same model, in steps a second.

    python benchmarks/translate_training.py              # small networks, 128 px, batch 4
    python benchmarks/translate_training.py --preset paper --tile 256 --batch 1 \\
        --objectives cyclegan pix2pix
    python benchmarks/translate_training.py --by-setting      # each setting by itself
    python benchmarks/translate_training.py --preset paper --device cuda

Both take the same steps on the same tiles in turn in this process, on one thread. The plain one
has torch's own instance normalisation and Adam, float32 and torch's usual layout. Seconds are CPU
seconds, so that other programs do not count, or with `--device cuda` wall seconds until the GPU is
done. The shortest of several rounds is printed.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import count

import torch
from torch import nn
from torch.optim import Optimizer

from stainbridge.learn.config import DeviceChoice, TrainConfig
from stainbridge.learn.data import move_batch
from stainbridge.learn.devices import launch_fabric
from stainbridge.learn.stepper import Stepper
from stainbridge.nn.normalisation import InstanceNorm
from stainbridge.translation.objectives.config import TrainingPreset, TranslationConfig
from stainbridge.translation.objectives.table import OBJECTIVES, make_task
from stainbridge.translation.objectives.task import TilePair, TranslationTask
from stainbridge.translation.training.config import TranslationTraining


@dataclass(frozen=True)
class Workload:
    """An objective with its networks, on tiles of `tile_px`, `batch` a step."""

    objective: str
    preset: TrainingPreset
    tile_px: int
    batch: int
    device: DeviceChoice = "cpu"

    @property
    def translation(self) -> TranslationConfig:
        return replace(TranslationConfig.preset(self.objective, self.preset), tile_px=self.tile_px)

    @property
    def train(self) -> TrainConfig:
        """The training settings of the preset."""
        train = TranslationTraining.preset(self.objective, self.preset).train
        return replace(train, batch=self.batch, device=self.device)

    def tiles(self) -> TilePair:
        generator = torch.Generator().manual_seed(0)
        shape = (self.batch, 3, self.tile_px, self.tile_px)
        return TilePair(*(2 * torch.rand(shape, generator=generator) - 1 for _ in range(2)))


def plain_step(workload: Workload) -> Callable[[], None]:
    """Return a step as a textbook would write it."""
    torch.manual_seed(0)
    task = make_task(workload.translation)
    device = torch.device(workload.device)
    tiles = move_batch(workload.tiles(), device, torch.preserve_format)
    for network in task.networks.values():
        _use_torch_normalisation(network)
        network.to(device)
    optimisers = {name: _plain_adam(optimiser) for name, optimiser in task.optimisers.items()}

    def step() -> None:
        for update in task.updates(tiles):
            optimiser = optimisers[update.optimiser]
            # A generator's loss does not change its discriminator.
            update.loss.backward(inputs=list(_parameters(optimiser)))
            optimiser.step()
            optimiser.zero_grad()

    return step


def loop_step(workload: Workload, train: TrainConfig) -> Callable[[], None]:
    """Return a step of the training loop."""
    torch.manual_seed(0)
    layout = torch.channels_last if train.channels_last else torch.preserve_format
    task: TranslationTask = make_task(workload.translation)
    fabric = launch_fabric(train)
    for network in task.networks.values():
        network.to(fabric.device, memory_format=layout)  # type: ignore[call-overload]
    tiles = move_batch(workload.tiles(), fabric.device, layout)
    stepper = Stepper(fabric, task)
    numbers = count()
    return lambda: stepper.step([tiles], next(numbers)) and None


def choose_clock(device: DeviceChoice) -> Callable[[], float]:
    """Return a clock of CPU seconds, or of wall seconds after the GPU is done."""
    if device == "cpu":
        return time.process_time

    def wait_for_gpu() -> float:
        torch.cuda.synchronize()
        return time.perf_counter()

    return wait_for_gpu


def time_steps(
    steps: dict[str, Callable[[], None]], rounds: int, now: Callable[[], float]
) -> dict[str, float]:
    """Return the shortest seconds of each step, taken in turn."""
    for step in steps.values():
        step()
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(rounds):
        for name, step in steps.items():
            start = now()
            step()
            seconds[name].append(now() - start)
    return {name: min(values) for name, values in seconds.items()}


def steps_by_setting(workload: Workload) -> dict[str, Callable[[], None]]:
    """Return the loop with each setting by itself."""
    base = replace(workload.train, precision="32", channels_last=False)
    return {
        "plain": plain_step(workload),
        "loop": loop_step(workload, base),
        "channels-last": loop_step(workload, replace(base, channels_last=True)),
        "bf16": loop_step(workload, replace(base, precision="bf16")),
        "both": loop_step(workload, replace(base, precision="bf16", channels_last=True)),
    }


def _use_torch_normalisation(network: nn.Module) -> None:
    for module in list(network.modules()):
        for name, child in module.named_children():
            if isinstance(child, InstanceNorm):
                setattr(module, name, nn.InstanceNorm2d(child.num_features))


def _plain_adam(optimiser: Optimizer) -> Optimizer:
    group = optimiser.param_groups[0]
    return torch.optim.Adam(_parameters(optimiser), group["lr"], group["betas"])


def _parameters(optimiser: Optimizer) -> Iterator[nn.Parameter]:
    return (parameter for group in optimiser.param_groups for parameter in group["params"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--objectives", nargs="+", default=OBJECTIVES, choices=OBJECTIVES)
    parser.add_argument("--preset", default="small", choices=("small", "paper"))
    parser.add_argument("--tile", type=int, default=128)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--by-setting", action="store_true", help="each setting by itself")
    arguments = parser.parse_args()
    if arguments.device == "cuda" and not torch.cuda.is_available():
        parser.error("no CUDA device can be used")
    torch.set_num_threads(1)
    for objective in arguments.objectives:
        workload = Workload(
            objective, arguments.preset, arguments.tile, arguments.batch, arguments.device
        )
        steps = (
            steps_by_setting(workload)
            if arguments.by_setting
            else {"plain": plain_step(workload), "ours": loop_step(workload, workload.train)}
        )
        seconds = time_steps(steps, arguments.rounds, choose_clock(arguments.device))
        rates = "  ".join(
            f"{name} {1 / value:6.2f}/s x{seconds['plain'] / value:.2f}"
            for name, value in seconds.items()
        )
        print(f"{objective:20} {rates}", flush=True)


if __name__ == "__main__":
    main()
