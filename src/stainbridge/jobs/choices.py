"""The words that fields of several jobs choose from."""

from __future__ import annotations

from typing import Literal, TypeAlias

#: The layout of a slide; "tiff" is for OpenSlide.
SlideFormatChoice: TypeAlias = Literal["ome-tiff", "tiff", "ome-zarr"]
#: How the tiles of a slide are stored.
CompressionChoice: TypeAlias = Literal["jpeg", "deflate", "zstd", "none"]
#: What a warped slide covers.
CropChoice: TypeAlias = Literal["fixed", "overlap", "moving"]
#: How pixels are made of pixels; "nearest" is for labels.
InterpolationChoice: TypeAlias = Literal["linear", "nearest"]
#: One of the two slides of a registration.
SideChoice: TypeAlias = Literal["fixed", "moving"]
