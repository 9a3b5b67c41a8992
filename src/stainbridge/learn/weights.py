"""Networks on disk: one safetensors file whose header says what they are."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from stainbridge.errors import InputError, MissingFileError
from stainbridge.whole import whole_file

NetworkT = TypeVar("NetworkT", bound=nn.Module)
#: The file of a run's whole state, in its folder.
LAST_FILE = "last.safetensors"
#: The file of the networks that validated best, in a run's folder.
BEST_FILE = "best.safetensors"
#: The key of the header among a safetensors file's metadata.
HEADER_KEY = "stainbridge"
#: What the names of networks' tensors begin with.
NETWORKS_PREFIX = "networks"


@dataclass(frozen=True, eq=False)
class StoredWeights:
    """A file's tensors and its header."""

    path: Path
    """The file."""
    tensors: Mapping[str, Tensor]
    """Tensors by full name."""
    header: Mapping[str, Any]
    """`task`, `settings`, and whatever else was written."""

    @property
    def task(self) -> str:
        """What the networks were trained for."""
        return str(self.header["task"])

    @property
    def settings(self) -> dict[str, Any]:
        """What the networks are built from."""
        return dict(self.header["settings"])


def write_weights(path: Path, tensors: Mapping[str, Tensor], header: Mapping[str, Any]) -> None:
    """Write tensors and header as one file, whole or not at all."""
    from safetensors.torch import save

    contiguous = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with whole_file(path) as temporary:
        temporary.write_bytes(save(contiguous, metadata={HEADER_KEY: json.dumps(header)}))


def choose_weights_file(path: Path) -> Path:
    """Return the path itself, or `best.safetensors` or else `last.safetensors` of a folder."""
    if not path.is_dir():
        return path
    best = path / BEST_FILE
    return best if best.exists() else path / LAST_FILE


def count_steps(path: Path) -> int | None:
    """Return how many steps the networks in a file, or of a folder, were trained for.

    None where nothing there says it. Tensors are not read.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(choose_weights_file(path), framework="pt") as opened:
            header = json.loads((opened.metadata() or {}).get(HEADER_KEY, "{}"))
    except (SafetensorError, OSError, ValueError):  # reading the weights says what is wrong
        return None
    values = header.get("checkpoint", header) if isinstance(header, dict) else None
    steps = values.get("step") if isinstance(values, dict) else None
    return steps if isinstance(steps, int) else None


def missing_weights(file: Path) -> MissingFileError:
    """Return the error of a file of weights that is not there."""
    return MissingFileError(
        "no weights there", where=file, expected="a .safetensors file or a RUN folder"
    )


def read_weights(path: Path) -> StoredWeights:
    """Read a file, or `best.safetensors` or else `last.safetensors` of a folder.

    Raises `InputError` when it is missing, truncated, no safetensors or not stainbridge's.
    """
    from safetensors import SafetensorError, safe_open

    file = choose_weights_file(path)
    try:
        with safe_open(file, framework="pt") as opened:
            header = (opened.metadata() or {}).get(HEADER_KEY)
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise missing_weights(file) from None
    except (SafetensorError, OSError) as error:
        raise InputError("no complete safetensors file", where=file, got=error) from error
    except (RuntimeError, ValueError, TypeError) as error:  # shapes and types that torch lacks
        raise InputError("damaged tensors", where=file, remedy="copy the file again") from error
    if header is None:
        raise InputError(
            "the weights do not say what they are weights of",
            where=file,
            expected="a file of stainbridge train",
        )
    return StoredWeights(file, tensors, _parse_header(header, file))


def _parse_header(text: str, path: Path) -> dict[str, Any]:
    """Return the header; raises `InputError` where it does not say what the weights are."""
    try:
        header = json.loads(text)
    except (ValueError, RecursionError):
        header = None
    if (
        not isinstance(header, dict)
        or not isinstance(header.get("task"), str)
        or not isinstance(header.get("settings"), dict)
    ):
        raise InputError(
            "the header of the weights is damaged", where=path, expected="a task and its settings"
        )
    return header


@contextmanager
def header_errors(stored: StoredWeights) -> Iterator[None]:
    """Turn what a damaged header's values raise inside into an `InputError`."""
    try:
        yield
    except InputError as error:
        raise error.within(stored.path) from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(
            "the header of the weights is damaged",
            where=stored.path,
            expected="the settings of stainbridge train",
            got=f"none for {error}" if isinstance(error, KeyError) else None,
        ) from error


class SkipInitialisation(TorchFunctionMode):
    """Leaves the weights of new networks as they are.

    Networks on the meta device have no numbers to draw, yet drawing them imports torch's compiler,
    which takes seconds.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Call the function, unless it initialises a tensor: then return the tensor."""
        values = kwargs or {}
        if getattr(func, "__module__", None) == nn.init.__name__:
            return values["tensor"]
        return func(*args, **values)


def build_stored(stored: StoredWeights, make: Callable[[], NetworkT]) -> NetworkT:
    """Return the network that a header describes, with random weights.

    Raises `InputError`, before memory is taken, where the file holds fewer numbers than it has.
    """
    with torch.device("meta"), SkipInitialisation():
        needed = sum(parameter.numel() for parameter in make().parameters())
    present = sum(tensor.numel() for tensor in stored.tensors.values())
    if needed > present:
        raise InputError(
            "weights of another architecture",
            where=stored.path,
            expected=f"the {needed:,} numbers that its header describes",
            got=f"{present:,}",
        )
    return make()


def collect_tensors(
    networks: Mapping[str, nn.Module], dtype: torch.dtype | None = None
) -> dict[str, Tensor]:
    """Return parameters and buffers by full name; floating ones as `dtype` where it is given."""
    tensors = {
        f"{NETWORKS_PREFIX}.{name}.{key}": tensor
        for name, network in networks.items()
        for key, tensor in network.state_dict().items()
    }
    if dtype is None:
        return tensors
    return {
        key: tensor.to(dtype) if tensor.is_floating_point() else tensor
        for key, tensor in tensors.items()
    }


def copy_weights(stored: StoredWeights, networks: Mapping[str, nn.Module]) -> None:
    """Copy stored parameters and buffers into networks.

    Raises `InputError` when they are of another architecture.
    """
    expected = collect_tensors(networks)
    present = {
        key: tensor
        for key, tensor in stored.tensors.items()
        if key.startswith(f"{NETWORKS_PREFIX}.")
    }
    for key in sorted(expected.keys() | present.keys()):
        expected_shape = tuple(expected[key].shape) if key in expected else None
        present_shape = tuple(present[key].shape) if key in present else None
        if expected_shape != present_shape:
            tensor = key.removeprefix(f"{NETWORKS_PREFIX}.")
            raise InputError(
                "weights of another architecture",
                where=stored.path,
                expected=f"{tensor} {expected_shape or 'absent'}",
                got=present_shape or "absent",
            )
    for name, network in networks.items():
        prefix = f"{NETWORKS_PREFIX}.{name}."
        state = {
            key.removeprefix(prefix): tensor
            for key, tensor in present.items()
            if key.startswith(prefix)
        }
        network.load_state_dict(state)
