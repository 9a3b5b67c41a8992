"""A buffer of fake pictures, so that a discriminator sees more than the generator's latest."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from stainbridge.errors import InputError


class ImageBuffer(nn.Module):
    """Holds up to `capacity` pictures of `shape` (C, H, W).

    Shrivastava et al. 2017, arXiv:1612.07828, section 2.3. A module, because a run stores only what
    its networks hold. Pictures are in half precision, which in −1 … 1 is finer than eight bits.
    """

    pictures: Tensor
    held: Tensor

    def __init__(self, capacity: int, shape: tuple[int, int, int]) -> None:
        super().__init__()
        if capacity < 0:
            raise InputError("the capacity of a buffer is negative", got=capacity)
        self.capacity = capacity
        self.register_buffer("pictures", torch.zeros(capacity, *shape, dtype=torch.float16))
        self.register_buffer("held", torch.zeros((), dtype=torch.int64))

    def forward(self, fake: Tensor) -> Tensor:
        """Take pictures (N, C, H, W) and return as many, new or older, without gradients.

        Once the buffer is full, each new picture is exchanged for an older one half of the time.
        With `capacity` 0 all that return are new.
        """
        if not self.capacity:
            return fake.detach()
        if fake.shape[1:] != self.pictures.shape[1:]:
            expected = tuple(self.pictures.shape[1:])
            raise InputError(
                "pictures of another shape than the buffer's",
                expected=expected,
                got=tuple(fake.shape[1:]),
            )
        return torch.stack([self._exchange(picture) for picture in fake.detach()])

    def _exchange(self, picture: Tensor) -> Tensor:
        count = int(self.held)
        if count < self.capacity:
            self.pictures[count] = picture
            self.held += 1
            return picture
        if torch.rand(()) < 0.5:
            return picture
        index = int(torch.randint(self.capacity, ()))
        older = self.pictures[index].to(picture.dtype)
        self.pictures[index] = picture
        return older
