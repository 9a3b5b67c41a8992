"""Pixels as networks see them: float tensors in −1 … 1, of the channels that they take."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from stainbridge.errors import InputError
from stainbridge.types import Pixels


def match_channels(pixels: Pixels, channels: int, where: object) -> Pixels:
    """Return pixels (C, H, W) of as many channels as the network takes.

    Grey ones are repeated where it takes RGB. Raises `InputError` for any other number of channels,
    and for pixels that are not of 8 bits.
    """
    if pixels.dtype != np.uint8:
        raise InputError(
            "wrong type of pixels", where=where, expected="8 bits a channel", got=pixels.dtype
        )
    if len(pixels) == channels:
        return pixels
    if len(pixels) != 1 or channels != 3:
        raise InputError(
            "wrong channels",
            where=where,
            expected=f"{channels}" + (" or grey" if channels == 3 else ""),
            got=len(pixels),
            remedy="convert them, or set the generator's channels in --config",
        )
    return np.repeat(pixels, 3, axis=0)


def pixels_to_tensor(pixels: Pixels) -> Tensor:
    """Return 8-bit pixels (C, H, W) as float32 in −1 … 1."""
    return torch.from_numpy(np.ascontiguousarray(pixels)).float() / 127.5 - 1


def tensor_to_pixels(pictures: Tensor) -> Pixels:
    """Return pictures (..., C, H, W) in −1 … 1 as 8-bit pixels."""
    rounded = (127.5 * (pictures.float().clamp(-1, 1) + 1)).round()
    return np.asarray(rounded.to(torch.uint8).cpu().numpy())
