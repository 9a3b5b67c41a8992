"""A store of made pictures, so that a discriminator is not only shown the generator's latest."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from stainbridge.errors import InputError


class ImageBuffer(nn.Module):
    """Holds up to `capacity` pictures of `shape` (C, H, W) (Shrivastava et al. 2017,
    arXiv:1612.07828, section 2.3).

    A module, because what lasts from step to step is stored with a run's networks. Pictures are
    kept in half precision: in −1 … 1 that is finer than eight bits.
    """

    pictures: Tensor
    held: Tensor

    def __init__(self, capacity: int, shape: tuple[int, int, int]) -> None:
        super().__init__()
        if capacity < 0:
            raise InputError("a buffer cannot hold less than nothing", got=capacity)
        self.capacity = capacity
        self.register_buffer("pictures", torch.zeros(capacity, *shape, dtype=torch.float16))
        self.register_buffer("held", torch.zeros((), dtype=torch.int64))

    def forward(self, made: Tensor) -> Tensor:
        """Pictures (N, C, H, W) to as many, without their history, each new or, half of the time
        once full, older.

        An older one leaves the buffer and the new one takes its place. With `capacity` 0 all are
        new.
        """
        if not self.capacity:
            return made.detach()
        if made.shape[1:] != self.pictures.shape[1:]:
            expected = tuple(self.pictures.shape[1:])
            raise InputError(
                "pictures of another shape than the buffer's",
                expected=expected,
                got=tuple(made.shape[1:]),
            )
        return torch.stack([self._exchanged(picture) for picture in made.detach()])

    def _exchanged(self, picture: Tensor) -> Tensor:
        held = int(self.held)
        if held < self.capacity:
            self.pictures[held] = picture
            self.held += 1
            return picture
        if torch.rand(()) < 0.5:
            return picture
        place = int(torch.randint(self.capacity, ()))
        older = self.pictures[place].to(picture.dtype)
        self.pictures[place] = picture
        return older
