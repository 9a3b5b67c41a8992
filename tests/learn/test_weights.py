"""Networks and runs on disk."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from tests.learn.toy import ToyTask, run
from torch import nn

from stainbridge.errors import InputError
from stainbridge.learn.checkpoint import (
    Checkpoint,
    check_task,
    load_checkpoint,
    save_checkpoint,
    save_weights,
)
from stainbridge.learn.weights import build_stored, copy_weights, read_weights, write_weights


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    run(folder)
    return folder


def test_weights_say_what_they_are(finished: Path) -> None:
    stored = read_weights(finished)
    assert stored.path.name == "best.safetensors"
    assert (stored.task, stored.settings) == ("toy", {"width": 3})
    assert not [name for name in stored.tensors if not name.startswith("networks.")]


def test_half_precision_weights_load_as_single(tmp_path: Path) -> None:
    task = ToyTask()
    other = ToyTask()
    save_weights(tmp_path / "half.safetensors", task, Checkpoint(), torch.float16)
    stored = read_weights(tmp_path / "half.safetensors")
    assert stored.tensors["networks.generator.0.weight"].dtype == torch.float16
    copy_weights(stored, other.networks)
    weights = [t.networks["generator"].state_dict()["0.weight"] for t in (task, other)]
    assert weights[1].dtype == torch.float32
    assert torch.allclose(*weights, atol=1e-3)


def test_weights_are_drawn_only_where_there_is_memory_for_them(
    finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[torch.device] = []
    draw = torch.nn.init._no_grad_normal_
    monkeypatch.setattr(
        "torch.nn.init._no_grad_normal_",
        lambda tensor, *rest: drawn.append(tensor.device) or draw(tensor, *rest),
    )

    def make() -> nn.Linear:
        layer = nn.Linear(2, 1)
        nn.init.normal_(layer.weight)
        return layer

    build_stored(read_weights(finished / "best.safetensors"), make)
    assert drawn == [torch.device("cpu")]


def test_another_architecture_is_one_line(finished: Path) -> None:
    with pytest.raises(
        InputError, match=r"another architecture; expected critic.0.bias \(4,\); got \(3,\)"
    ):
        copy_weights(read_weights(finished), ToyTask(width=4).networks)
    with pytest.raises(
        InputError, match=r"another architecture; expected generator.0.bias absent; got \(3,\)"
    ):
        copy_weights(read_weights(finished), {"critic": ToyTask().networks["critic"]})


def test_another_task_is_one_line(finished: Path) -> None:
    with pytest.raises(InputError, match="another architecture; expected affine; got toy"):
        check_task(read_weights(finished), "affine")


@pytest.mark.parametrize("keep", [0, 7, 100, 2000])
def test_a_truncated_file_is_one_line(finished: Path, tmp_path: Path, keep: int) -> None:
    path = tmp_path / "cut.safetensors"
    path.write_bytes((finished / "last.safetensors").read_bytes()[:keep])
    with pytest.raises(InputError, match=r"^[^\n]*no complete safetensors file[^\n]*$"):
        read_weights(path)


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no weights there"):
        read_weights(tmp_path / "none.safetensors")
    with pytest.raises(InputError, match="no weights there"):
        read_weights(tmp_path)


def test_somebody_elses_safetensors_are_refused(tmp_path: Path) -> None:
    save_file({"a": torch.zeros(1)}, tmp_path / "a.safetensors")
    with pytest.raises(InputError, match="do not say what they are"):
        read_weights(tmp_path / "a.safetensors")


def test_bare_weights_cannot_be_resumed(finished: Path) -> None:
    with pytest.raises(InputError, match=r"weights alone cannot be resumed"):
        load_checkpoint(finished / "best.safetensors", ToyTask())


def test_a_run_before_its_first_step_can_be_resumed(tmp_path: Path) -> None:
    task = ToyTask()
    save_checkpoint(tmp_path / "last.safetensors", task, Checkpoint(0, 0))
    assert load_checkpoint(tmp_path / "last.safetensors", ToyTask()) == Checkpoint(0, 0, None)


def test_a_run_of_version_0_1_0_is_resumed(finished: Path, tmp_path: Path) -> None:
    stored = read_weights(finished / "last.safetensors")
    header = dict(stored.header)
    header["place"] = header.pop("checkpoint")
    write_weights(tmp_path / "last.safetensors", stored.tensors, header)
    resumed = load_checkpoint(tmp_path / "last.safetensors", ToyTask())
    assert resumed == load_checkpoint(finished / "last.safetensors", ToyTask())
    assert resumed.step == 6
