"""Generated pictures of tissue, sections of them, and the motions between them."""

from __future__ import annotations

import cv2
import numpy as np
from scipy.ndimage import gaussian_filter

from stainbridge.geometry.frame import Space
from stainbridge.geometry.transform import Affine
from stainbridge.imaging.image import Image
from stainbridge.registration.sections.section import Section, make_section
from stainbridge.slides.overview import overview_of
from stainbridge.types import Matrix, Pixels

#: Side of a picture, in pixels; their "µm" are pixels.
SIZE = 384


def draw_tissue(seed: int = 0) -> Pixels:
    """Draw a blob with structure at several scales and no symmetry, (3, H, W) uint8 on white."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:SIZE, :SIZE] / SIZE - 0.5
    angle = np.arctan2(y, x)
    border = 0.3 + 0.05 * np.cos(angle) + 0.04 * np.sin(2 * angle + 1) + 0.03 * np.cos(3 * angle)
    outline = np.hypot(x, y) < border
    texture = sum(s * gaussian_filter(rng.normal(size=(SIZE, SIZE)), s) for s in (2.0, 5.0, 14.0))
    texture = 0.5 + 0.22 * texture / texture.std()
    density = np.clip(texture, 0.08, 1.2) * gaussian_filter(outline.astype(float), 1)
    absorb = np.array([0.6, 1.0, 0.5])[:, None, None]
    return np.asarray(np.clip(245 * np.exp(-absorb * density), 0, 255), np.uint8)


def warp_locally(pixels: Pixels, amplitude_px: float) -> Pixels:
    """Warp with a displacement that turns within few windows."""
    rows, columns = np.indices((SIZE, SIZE)).astype(np.float32)
    x = columns + amplitude_px * np.sin(rows / 9)
    y = rows + amplitude_px * np.cos(columns / 9)
    return np.stack([cv2.remap(plane, x, y, cv2.INTER_LINEAR) for plane in pixels])


def add_own_structure(pixels: Pixels, seed: int) -> Pixels:
    """Return the picture with as much structure again that no other shows."""
    noise = gaussian_filter(np.random.default_rng(seed).normal(size=(SIZE, SIZE)), 0.7)
    tissue = (255.0 - pixels) / 255
    return np.clip(pixels + 30 * noise / noise.std() * tissue, 0, 255).astype(np.uint8)


def section_of(pixels: Pixels, name: str, calibrated: bool = False) -> Section:
    """Return the section that a picture (3, H, W) shows."""
    frame = Space(name, pixels.shape[1], pixels.shape[2], calibrated=calibrated).frame
    image = Image(pixels, frame, np.ones(pixels.shape[1:], bool))
    section = make_section(overview_of(image))
    assert section is not None
    return section


def warp_picture(pixels: Pixels, matrix: Matrix, size: int) -> Pixels:
    """Return the picture at `matrix` (moving from fixed), on white, (3, size, size)."""
    centred = matrix.copy()
    centred[:2, 2] += matrix[:2, :2] @ [0.5, 0.5] - 0.5
    planes = [cv2.warpAffine(p, centred[:2], (size, size), borderValue=245.0) for p in pixels]
    return np.stack(planes)


def similarity_matrix(degrees: float, flip: bool, scale: float, size: int) -> Matrix:
    """Return a similarity that keeps the centre of the picture near that of a canvas of `size`."""
    cos = scale * np.cos(np.radians(degrees))
    sin = scale * np.sin(np.radians(degrees))
    linear = np.array([[cos, -sin], [sin, cos]]) @ np.diag([-1.0 if flip else 1.0, 1.0])
    matrix = np.eye(3)
    matrix[:2, :2] = linear
    matrix[:2, 2] = np.array([size / 2 + 9, size / 2 - 14]) - linear @ [SIZE / 2, SIZE / 2]
    return matrix


def largest_error_px(matrix: Matrix, truth: Matrix) -> float:
    """Return how far apart two placements are on the tissue."""
    points = np.array([[100, 120, 1], [280, 130, 1], [270, 280, 1], [110, 270, 1.0]]).T
    return float(np.abs((matrix @ points - truth @ points)[:2]).max())


def between(fixed: Section, moving: Section, matrix: Matrix | None = None) -> Affine:
    """Return an affine transform between two sections, the identity unless told otherwise."""
    matrix = np.eye(3) if matrix is None else matrix
    return Affine(matrix, fixed.frame.space, moving.frame.space)
