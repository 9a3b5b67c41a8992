"""Published weights of ImageNet networks, from the files in which they are found.

Those are torchvision's own `.pth` files as they are, and safetensors of the same tensors in any
floating type. Tensors are numbered as torchvision's `features.*`.
"""

from __future__ import annotations

import pickle
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from stainbridge.errors import InputError, MissingFileError

#: What the names of the convolutions' tensors begin with.
FEATURES = "features."
#: A safetensors file begins with the length of its header, in this many bytes, and "{".
LENGTH_BYTES = 8
#: What torch raises for files that are damaged or hold no weights.
READING_ERRORS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    pickle.UnpicklingError,
    struct.error,
)


@dataclass(frozen=True)
class PublishedNetwork:
    """A network of torchvision whose weights are published."""

    name: str
    """What messages call it."""
    file: str
    """The published file's name."""
    convolutions: tuple[int, ...]
    """Numbers of its convolutions among torchvision's `features`."""

    def load(self, features: nn.Sequential, path: Path) -> None:
        """Load a file into `features`, which may stop before the last convolution, as float32.

        Raises `InputError` for a file that is missing, damaged or of another network.
        """
        expected = f"torchvision's {self.file}, or safetensors of its {FEATURES}*"
        stored = read_tensors(path, self.name, expected)
        known = {f"{FEATURES}{number}." for number in self.convolutions}
        for name in stored:
            if name.startswith(FEATURES) and name.rpartition(".")[0] + "." not in known:
                raise InputError(
                    f"not the weights of {self.name}", where=path, expected=expected, got=name
                )
        wanted = {f"{FEATURES}{name}": tensor for name, tensor in features.state_dict().items()}
        check_shapes(stored, wanted, path, self.name)
        features.load_state_dict(
            {name.removeprefix(FEATURES): stored[name].float() for name in wanted}
        )


def read_tensors(path: Path, network: str, expected: str) -> dict[str, Tensor]:
    """Return the tensors of a `.pth` or safetensors file by name; nothing in it is executed.

    Raises `InputError` for any other file. `network` and `expected` say what was wanted.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        if _is_safetensors(path):
            return load_file(path)
        stored: Any = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise MissingFileError(f"no weights of {network}", where=path, expected=expected) from error
    except (*READING_ERRORS, SafetensorError) as error:
        reason = str(error).partition("\n")[0].partition(". ")[0]
        raise InputError(
            f"no weights of {network}, or a damaged file",
            where=path,
            expected=expected,
            got=reason or type(error).__name__,
        ) from error
    is_table = isinstance(stored, Mapping)
    if not is_table or not all(isinstance(value, Tensor) for value in stored.values()):
        raise InputError(
            f"no weights of {network}", where=path, expected=expected, got="no tensors by name"
        )
    return dict(stored)


def check_shapes(
    stored: Mapping[str, Tensor], wanted: Mapping[str, Tensor], path: Path, network: str
) -> None:
    """Raise `InputError` unless `stored` has every tensor of `wanted` in its shape."""
    for name, tensor in wanted.items():
        shape = tuple(stored[name].shape) if name in stored else "absent"
        if shape != tuple(tensor.shape):
            raise InputError(
                f"not the weights of {network}",
                where=path,
                expected=f"{name} {tuple(tensor.shape)}",
                got=shape,
            )


def _is_safetensors(path: Path) -> bool:
    with path.open("rb") as file:
        start = file.read(LENGTH_BYTES + 1)
    return start[LENGTH_BYTES:] == b"{"
