"""The tissue's outer shape and its zones: parenchyma, muscle coat, fat, lesion, necrosis."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import lru_cache

import cv2
import numpy as np

from stainbridge.errors import InputError
from stainbridge.geometry.frame import Frame, Space
from stainbridge.phantom.space.randomness import compute_axis_centres, derive_key, sample_noise
from stainbridge.phantom.tissue.organs import Organ, find_organ
from stainbridge.types import Plane

_ROW = 4096


@dataclass(frozen=True)
class TissueConfig:
    """A block of tissue: `width_um` x `height_um` is the area the section lies in, filled to about
    `fill`.

    `organ` is one of `organs.ORGANS`. Raises `InputError` when a size is under 200 µm, `fill` is
    outside 0.3..0.98, or the organ is unknown.
    """

    seed: int = 0
    width_um: float = 4000.0
    height_um: float = 4000.0
    fill: float = 0.8
    lesion: bool = True
    organ: str = "gland"

    def __post_init__(self) -> None:
        if not min(self.width_um, self.height_um) >= 200:
            raise InputError(
                "tissue is too small",
                expected="at least 200 µm",
                got=(self.width_um, self.height_um),
            )
        if not 0.3 <= self.fill <= 0.98:
            raise InputError(
                "tissue must fill a sensible part of the slide",
                expected="0.3 to 0.98",
                got=self.fill,
            )
        find_organ(self.organ)

    @property
    def parts(self) -> Organ:
        """What the organ is made of."""
        return find_organ(self.organ)

    @property
    def size_um(self) -> float:
        """The shorter side."""
        return min(self.width_um, self.height_um)

    @property
    def zone_um(self) -> float:
        """Length over which zones of the tissue alternate."""
        return float(np.clip(0.16 * self.size_um, 120, 1500))


@dataclass(frozen=True, eq=False)
class Zones:
    """Signed depths in µm, (H, W), positive inside: tissue, muscle coat, fat, lesion, its necrosis,
    lobules.
    """

    tissue_depth_um: Plane
    muscle_depth_um: Plane
    fat_depth_um: Plane
    lesion_depth_um: Plane
    necrosis_depth_um: Plane
    lobule_depth_um: Plane
    inflamed: Plane


def compute_zones(config: TissueConfig, frame: Frame, z_um: float) -> Zones:
    """The zones at the pixel centres of `frame`, a frame in tissue space, in the plane `z_um`."""
    scale, organ = config.zone_um, config.parts

    def waves(name: str, scale_um: float) -> Plane:
        return sample_noise(frame, scale_um, derive_key(config.seed, "zone", name), z_um)

    x, y = (c.astype(np.float32) for c in compute_axis_centres(frame))
    dx, dy = (x - config.width_um / 2)[None, :], (y - config.height_um / 2)[:, None]
    rng = np.random.default_rng(derive_key(config.seed, "outline"))
    tissue = _outline(config, dx, dy, rng)
    tissue += (
        0.10 * scale * waves("coast", 0.5 * scale)
        + 5 * waves("ragged", 45)
        + 2.0 * waves("frayed", 14)
    )
    angle = rng.uniform(0, 2 * np.pi)
    radius = config.fill * config.size_um / 2
    # The muscle coat lines one side of the section, fat clings to the other.
    side = (dx * np.cos(angle) + dy * np.sin(angle)) / np.maximum(np.hypot(dx, dy), 1)
    coat = np.clip(side - 0.1, 0, 1) * organ.muscle * radius
    muscle = np.minimum(coat - tissue, tissue - 4) + 0.05 * scale * waves("coat", 0.6 * scale)
    fat = (
        np.clip(-side - 0.25, 0, 1) * organ.fat * radius
        - tissue
        + 0.22 * scale * waves("fat", 0.7 * scale)
    )
    if organ.adipose > -9:
        fat = np.maximum(fat, 0.3 * scale * (waves("adipose", 0.4 * scale) + organ.adipose))
        fat = fat + 9 * waves("fat border", 60)
    place = angle + rng.uniform(0.6, 1.2) * rng.choice([-1, 1]) + np.pi / 2
    aside = (0.62 - 0.5 * organ.lesion) * radius
    away = np.hypot(dx - aside * np.cos(place), dy - aside * np.sin(place))
    lesion = (
        organ.lesion * radius
        - away
        + 0.22 * scale * waves("lesion", 0.55 * scale)
        + 12 * waves("front", 60)
    )
    if not config.lesion or not organ.lesion:
        lesion = np.full_like(tissue, -scale)
    fat = np.minimum(fat, -lesion - 10)
    necrosis = (
        lesion
        - (organ.lesion - organ.necrosis) * radius
        + 0.15 * scale * waves("necrosis", 0.3 * scale)
    )
    necrosis = (
        necrosis + 6 * waves("necrotic edge", 30)
        if organ.necrosis
        else np.full_like(tissue, -scale)
    )
    lobule = 0.22 * scale * (waves("lobule", 0.6 * scale) + organ.lobules)
    planes = (tissue, muscle, fat, lesion, necrosis, lobule, waves("inflamed", 0.5 * scale))
    return Zones(*(np.asarray(plane, np.float32) for plane in planes))


@lru_cache(maxsize=8)
def compute_zone_map(config: TissueConfig, z_um: float) -> tuple[Frame, Zones]:
    """The zones of a whole plane on about 400 x 400 pixels, and their frame."""
    area = Space("tissue", 1, 1, (config.width_um, config.height_um)).frame
    grid = area.at_mpp(config.size_um / 400)
    return grid, compute_zones(config, grid, z_um)


def sample_zones(config: TissueConfig, x_um: Plane, y_um: Plane, z_um: float) -> Zones:
    """The zones at places of tissue space, arrays of one shape, to about 1 % of the tissue's size."""
    grid, planes = compute_zone_map(config, z_um)
    x = np.asarray(x_um / grid.mpp[0] - 0.5, np.float32)
    y = np.asarray(y_um / grid.mpp[1] - 0.5, np.float32)
    return Zones(**{f.name: interpolate_plane(getattr(planes, f.name), x, y) for f in fields(Zones)})


def interpolate_plane(plane: Plane, x: Plane, y: Plane) -> Plane:
    """`plane` at columns `x` and rows `y`, of one shape, counted from pixel centres; bilinear, the
    border continued.
    """
    if x.ndim == 1:
        # OpenCV takes no row longer than 32766 pixels.
        rows = -(-x.size // _ROW)
        folded = (
            [np.resize(axis, (rows, _ROW)) for axis in (x, y)]
            if x.size
            else [np.zeros((1, 1), np.float32)] * 2
        )
        return interpolate_plane(plane, *folded).ravel()[: x.size]
    return np.asarray(cv2.remap(plane, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))


def _outline(config: TissueConfig, dx: Plane, dy: Plane, rng: np.random.Generator) -> Plane:
    """Depth under a rounded, lobed outline: an ellipse whose radius varies with the angle."""
    half = np.array([config.width_um, config.height_um]) / 2 * config.fill
    unit = (dx / half[0] + 1j * dy / half[1]).astype(np.complex64)
    length = np.maximum(np.abs(unit), 1e-6)
    turn, power = unit / length, np.ones_like(unit)
    radius = np.full(length.shape, 0.92, np.float32)
    for size in (0.05, 0.10, 0.06, 0.04, 0.03):  # of the first harmonics
        power = power * turn
        phase = rng.uniform(0, 2 * np.pi)
        radius += size * rng.uniform(0.5, 1.0) * (power * np.complex64(np.exp(1j * phase))).real
    return np.asarray((radius - length) * np.float32(half.min()), np.float32)
