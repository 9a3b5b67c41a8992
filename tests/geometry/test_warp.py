from __future__ import annotations

import cv2
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from hypothesis import given, settings
from hypothesis import strategies as st

from stainbridge.errors import InputError
from stainbridge.geometry import warp as warp_module
from stainbridge.geometry.flat import copy_flat, is_flat, make_flat
from stainbridge.geometry.frame import Frame, Space
from stainbridge.geometry.lattice import map_to_source
from stainbridge.geometry.transform import Affine, Chain, DisplacementField, Projective, Transform
from stainbridge.geometry.warp import Box, Source, find_output_frame, warp, warp_array
from stainbridge.types import Pixels


def texture(channels: int, height: int, width: int, dtype: str = "uint8", seed: int = 0) -> Pixels:
    rng = np.random.default_rng(seed)
    noise = [cv2.GaussianBlur(rng.normal(size=(height, width)), (0, 0), 3) for _ in range(channels)]
    top = np.iinfo(dtype).max if np.dtype(dtype).kind in "iu" else 1.0
    return np.stack([(0.1 + 0.8 * (n - n.min()) / np.ptp(n)) * top for n in noise]).astype(dtype)


def rotation(
    degrees: float, fixed: Frame, moving: Frame, scale: float = 1.0, flip: bool = False
) -> Affine:
    """Turns about the middle of `fixed`, which goes to the middle of `moving`."""
    a = np.deg2rad(degrees)
    linear = (
        scale
        * np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])
        @ np.diag([-1 if flip else 1, 1])
    )
    matrix = np.eye(3)
    matrix[:2, :2] = linear
    matrix[:2, 2] = moving.centre_um - linear @ fixed.centre_um
    return Affine(matrix, fixed.space, moving.space)


def wobble(
    frame: Frame, amplitude_um: float, cells: int, target: Space | None = None
) -> DisplacementField:
    """A smooth random field on a coarse grid over `frame`."""
    grid = frame.fit(cells)
    rng = np.random.default_rng(3)
    noise = np.stack(
        [cv2.GaussianBlur(rng.normal(size=(grid.height, grid.width)), (0, 0), 2) for _ in range(2)]
    )
    field = (amplitude_um * noise / np.abs(noise).max()).astype(np.float32)
    return DisplacementField(field, grid, frame.space, target or frame.space)


def identity(frame: Frame) -> Affine:
    return Affine(np.eye(3), frame.space, frame.space)


@pytest.mark.parametrize(
    "dtype", ["uint8", "uint16", "int16", "int8", "uint32", "int32", "float32", "float64"]
)
@pytest.mark.parametrize("channels", [1, 3, 4, 6])
@pytest.mark.parametrize("how", ["linear", "cubic", "nearest"])
def test_the_identity_changes_no_bit(
    dtype: str, channels: int, how: warp_module.Interpolation
) -> None:
    if how == "cubic" and dtype in ("int8", "uint32", "int32", "float64"):
        pytest.skip("not offered")
    frame = Space("f", 530, 541, (0.2527, 0.2527)).frame
    pixels = texture(channels, 530, 541, dtype)
    out, valid = warp_array(pixels, frame, identity(frame), frame, interpolation=how)
    assert out.dtype == pixels.dtype
    np.testing.assert_array_equal(out, pixels)
    assert valid.all()


@pytest.mark.parametrize("how", ["linear", "nearest"])
def test_a_shift_by_whole_pixels_moves_them_and_leaves_background(
    how: warp_module.Interpolation,
) -> None:
    frame = Space("f", 90, 80, (0.5, 0.5)).frame
    pixels = texture(2, 90, 80, "uint16")
    shift = Affine(
        np.array([[1, 0, 5.0], [0, 1, -3.5], [0, 0, 1]]), frame.space, frame.space
    )  # 10 and -7 pixels
    out, valid = warp_array(pixels, frame, shift, frame, interpolation=how, background=9)
    np.testing.assert_array_equal(out[:, 7:, :70], pixels[:, :-7, 10:])
    assert valid[7:, :70].all()
    assert valid.sum() == 83 * 70
    assert (out[:, ~valid] == 9).all()


@pytest.mark.parametrize(
    ("name", "itk_name", "tolerance"), [("linear", sitk.sitkLinear, 60), ("nearest", None, 0)]
)
def test_agrees_with_simpleitk(
    name: warp_module.Interpolation, itk_name: int | None, tolerance: float
) -> None:
    """Compare with ITK's resampler on 16-bit pixels, so that errors show."""
    fixed = Space("f", 180, 230, (0.5, 0.5)).frame
    moving = Space("m", 200, 260, (0.4, 0.4)).frame
    chain = Chain((wobble(fixed, 4.0, 24), rotation(17, fixed, moving, 0.9)))
    pixels = texture(1, 200, 260, "uint16")
    ours, valid = warp_array(pixels, moving, chain, fixed, interpolation=name)

    image = sitk.GetImageFromArray(pixels[0])
    image.SetSpacing(moving.mpp)
    image.SetOrigin((0.2, 0.2))  # ITK's origin is the first pixel's centre
    reference = sitk.Image(fixed.width, fixed.height, sitk.sitkUInt16)
    reference.SetSpacing(fixed.mpp)
    reference.SetOrigin((0.25, 0.25))
    dense = np.moveaxis(chain.to_field(fixed).displacement, 0, -1).astype(float)
    field = sitk.GetImageFromArray(dense, isVector=True)
    field.SetSpacing(fixed.mpp)
    field.SetOrigin((0.25, 0.25))
    transform = sitk.DisplacementFieldTransform(field)
    how = sitk.sitkNearestNeighbor if itk_name is None else itk_name
    theirs = sitk.GetArrayFromImage(sitk.Resample(image, reference, transform, how, 0.0))
    inside = sitk.GetArrayFromImage(
        sitk.Resample(image * 0 + 1, reference, transform, sitk.sitkNearestNeighbor, 0.0)
    )

    assert (valid != (inside > 0)).sum() <= 3
    both = valid & (inside > 0)
    assert both.sum() > 20_000
    difference = np.abs(ours[0].astype(int) - theirs.astype(int))[both]
    if name == "nearest":
        assert (
            difference != 0
        ).mean() < 0.03  # a source coordinate half way between pixels may go either way
    else:
        # 0.05 px of a texture that changes by up to this much a pixel.
        steepest = np.abs(np.diff(pixels[0].astype(int), axis=1)).max()
        assert difference.max() <= 0.05 * 2 * steepest
        assert difference.mean() < 0.01 * steepest


def spiky(frame: Frame) -> DisplacementField:
    """A field whose kinks are far closer than the lattice's first step."""
    grid = frame.fit(100)
    rng = np.random.default_rng(5)
    return DisplacementField(
        rng.normal(0, 2, (2, grid.height, grid.width)).astype(np.float32),
        grid,
        frame.space,
        frame.space,
    )


def kinked(frame: Frame) -> DisplacementField:
    """Steep, with sharp kinks, on a coarse grid that ends inside the frame."""
    grid = frame.crop(50, 70, 380, 330).fit(12)
    rng = np.random.default_rng(6)
    return DisplacementField(
        rng.normal(0, 3, (2, grid.height, grid.width)).astype(np.float32),
        grid,
        frame.space,
        frame.space,
    )


@pytest.mark.parametrize(
    "kind", ["affine", "smooth", "spiky", "kinked", "kinked after an affine", "projective"]
)
def test_the_lattice_errs_by_less_than_a_twentieth_of_a_pixel(kind: str) -> None:
    frame = Space("f", 512, 512, (0.5, 0.5)).frame
    transforms: dict[str, Transform] = {
        "affine": rotation(33, frame, frame, 1.2),
        "smooth": wobble(frame, 10.0, 40),
        "spiky": spiky(frame),
        "kinked": Chain((kinked(frame), rotation(33, frame, frame))),
        "kinked after an affine": Chain((rotation(33, frame, frame), kinked(frame))),
        "projective": Projective(
            np.array([[1, 0, 0], [0, 1, 0], [1e-3, -5e-4, 1]]), frame.space, frame.space
        ),
    }
    transform = transforms[kind]
    mapping = map_to_source(transform, frame, frame)
    exact = (frame.to_px(transform(frame.centres_um())) - 0.5).T.reshape(2, 512, 512)
    located = mapping.coordinates + np.reshape(mapping.origin, (2, 1, 1))
    assert np.abs(located - exact).max() < 0.05


def test_the_lattice_stays_coarse_where_the_transform_is_smooth() -> None:
    class Counting(Affine):
        def __call__(self, points_um: np.ndarray) -> np.ndarray:
            counted.append(len(points_um))
            return super().__call__(points_um)

    counted: list[int] = []
    frame = Space("f", 512, 512).frame
    map_to_source(Counting(np.eye(3), frame.space, frame.space), frame, frame)
    assert sum(counted) < 512 * 512 / 100


@settings(max_examples=6, deadline=None, derandomize=True)
@given(
    degrees=st.floats(-180, 180),
    flip=st.booleans(),
    x=st.integers(-200, 600),
    y=st.integers(-200, 600),
    size=st.integers(1, 300),
)
def test_parts_equal_the_whole(degrees: float, flip: bool, x: int, y: int, size: int) -> None:
    fixed, moving = Space("f", 600, 700, (0.3, 0.3)).frame, Space("m", 650, 600, (0.25, 0.25)).frame
    chain = Chain((wobble(fixed, 8.0, 30), rotation(degrees, fixed, moving, 1.0, flip)))
    pixels = texture(3, 650, 600)
    whole, whole_valid = warp_array(pixels, moving, chain, fixed.crop(-200, -200, 1100, 1100))
    part, valid = warp_array(pixels, moving, chain, fixed.crop(x, y, size, size))
    window = (slice(y + 200, y + 200 + size), slice(x + 200, x + 200 + size))
    np.testing.assert_array_equal(part, whole[:, window[0], window[1]])
    np.testing.assert_array_equal(valid, whole_valid[window])


def test_invalid_source_pixels_give_background() -> None:
    frame = Space("f", 60, 60).frame
    pixels = np.full((60, 60, 1), 100, np.uint8)
    mask = np.ones((60, 60), bool)
    mask[20:30, 20:30] = False
    source = Source(
        frame,
        lambda b: (pixels[b.y0 : b.y1, b.x0 : b.x1], mask[b.y0 : b.y1, b.x0 : b.x1]),
        frame.size_um,
        1,
        7,
        "uint8",
    )
    out, valid = warp(source, identity(frame), frame)
    np.testing.assert_array_equal(valid, mask)
    np.testing.assert_array_equal(out[..., 0], np.where(mask, 100, 7))


def test_a_level_shorter_than_its_slide_is_continued_to_the_slides_edge() -> None:
    """A pyramid's levels drop odd last columns: 4 pixels of 2 µm of a slide 9 µm wide."""
    level = Space("f", 4, 4, (2.0, 2.0)).frame
    pixels = np.arange(4, dtype=np.uint8)[None, :, None].repeat(4, axis=0)
    source = Source(
        level, lambda b: (pixels[b.y0 : b.y1, b.x0 : b.x1], None), (9.0, 9.0), 1, 99, np.uint8
    )
    out, valid = warp(source, identity(level), Space("f", 1, 10).frame, "nearest")
    np.testing.assert_array_equal(valid[0], [True] * 9 + [False])
    np.testing.assert_array_equal(out[0, :, 0], [0, 0, 1, 1, 2, 2, 3, 3, 3, 99])


def test_a_transform_that_leaves_the_source_reads_nothing() -> None:
    frame = Space("f", 60, 60).frame
    away = Affine(np.array([[1, 0, 1000.0], [0, 1, 0], [0, 0, 1]]), frame.space, frame.space)

    def region(box: Box) -> tuple[np.ndarray, None]:
        raise AssertionError(f"read {box}")

    out, valid = warp(Source(frame, region, frame.size_um, 3, 255, np.uint8), away, frame)
    assert (out == 255).all()
    assert not valid.any()


def test_a_torn_transform_reads_small_boxes_only() -> None:
    """Neighbours whose sources are far apart are reached by splitting, not by one enormous read."""
    fixed, moving = Space("f", 128, 128).frame, Space("m", 20_000, 20_000).frame

    class Torn(Affine):
        def __call__(self, points_um: np.ndarray) -> np.ndarray:
            return points_um + np.where((points_um[:, :1] + points_um[:, 1:]) % 50 < 25, 0, 19_000)

    boxes: list[Box] = []

    def region(box: Box) -> tuple[np.ndarray, None]:
        boxes.append(box)
        return np.add.outer(np.arange(box.y0, box.y1), np.zeros(box.x1 - box.x0))[..., None].astype(
            np.float32
        ), None

    torn = Torn(np.eye(3), fixed.space, moving.space)
    out, valid = warp(Source(moving, region, moving.size_um, 1, 0, np.float32), torn, fixed)
    assert max((b.x1 - b.x0) * (b.y1 - b.y0) for b in boxes) <= warp_module.MAX_BOX_PX
    assert valid.all()
    expected = torn(fixed.centres_um())[:, 1].reshape(128, 128) - 0.5
    np.testing.assert_allclose(out[..., 0], expected, atol=0.05)


def test_points_without_an_image_are_background() -> None:
    """A homography's horizon runs through the frame."""
    frame = Space("f", 200, 200).frame
    horizon = Projective(
        np.array([[1, 0, 0], [0, 1, 0], [-1 / 100.5, 0, 1]]), frame.space, frame.space
    )
    out, valid = warp_array(np.full((1, 200, 200), 50, np.uint8), frame, horizon, frame)
    assert valid[:150, 0].all()
    assert not valid[:, 95:106].any()
    np.testing.assert_array_equal(out[0], np.where(valid, 50, 0))


@pytest.mark.parametrize("degrees", [0, 30, 90, 180])
def test_crops(degrees: float) -> None:
    fixed, moving = Space("f", 300, 400, (0.5, 0.5)).frame, Space("m", 260, 500, (0.5, 0.5)).frame
    turn = rotation(degrees, fixed, moving)
    assert find_output_frame(turn, fixed, moving, "fixed") == fixed
    whole = find_output_frame(turn, fixed, moving, "moving")
    placed = whole.to_px(turn.inverse()(moving.corners_um))
    assert placed.min() > -1e-6
    assert (placed.max(axis=0) <= np.array([whole.width, whole.height]) + 1e-6).all()
    overlap = find_output_frame(turn, fixed, moving, "overlap")
    assert fixed.contains(overlap.corners_um).all()
    assert whole.contains(overlap.corners_um).all()
    for frame in (whole, overlap):
        offset = fixed.to_px(np.array([frame.origin_um]))
        np.testing.assert_allclose(
            offset, np.round(offset), atol=1e-9
        )  # on the fixed slide's pixel grid
    if degrees == 0:
        assert (whole.width, whole.height) == (500, 260)
        assert (overlap.width, overlap.height) == (400, 260)


def test_an_empty_overlap_is_an_input_error() -> None:
    frame = Space("f", 50, 50).frame
    away = Affine(np.array([[1, 0, 1000.0], [0, 1, 0], [0, 0, 1]]), frame.space, frame.space)
    with pytest.raises(InputError, match="does not overlap"):
        find_output_frame(away, frame, frame, "overlap")


def test_wrong_sizes_and_types_are_input_errors() -> None:
    frame = Space("f", 50, 50).frame
    with pytest.raises(InputError, match="do not match"):
        warp_array(np.zeros((1, 50, 49), np.uint8), frame, identity(frame), frame)
    with pytest.raises(InputError, match="cannot be warped"):
        warp_array(np.zeros((1, 50, 50), bool), frame, identity(frame), frame)
    with pytest.raises(InputError, match="cubic"):
        warp_array(
            np.zeros((1, 50, 50), np.uint32), frame, identity(frame), frame, interpolation="cubic"
        )


def test_a_source_of_one_colour_gives_what_its_pixels_give() -> None:
    """No map is drawn for it; at the edge of the slide it is, since background lies behind."""
    frame = Space("f", 300, 300).frame
    turn = rotation(20, frame, frame)
    colour = np.array([240, 235, 230], np.uint8)

    def flat(box: Box) -> tuple[np.ndarray, None]:
        return make_flat(colour, box.y1 - box.y0, box.x1 - box.x0), None

    def stored(box: Box) -> tuple[np.ndarray, None]:
        return copy_flat(flat(box)[0]), None

    for window in (frame, frame.crop(120, 130, 40, 30)):
        found, found_valid = warp(Source(frame, flat, frame.size_um, 3, 7, np.uint8), turn, window)
        want, want_valid = warp(Source(frame, stored, frame.size_um, 3, 7, np.uint8), turn, window)
        np.testing.assert_array_equal(found, want)
        np.testing.assert_array_equal(found_valid, want_valid)
    assert found_valid.all()
    assert is_flat(found)


def test_a_warped_array_can_be_written_into() -> None:
    frame = Space("f", 60, 50).frame
    beyond = Affine(np.array([[1.0, 0, 900], [0, 1, 0], [0, 0, 1]]), frame.space, frame.space)
    pixels, valid = warp_array(np.ones((2, 60, 50), np.uint8), frame, beyond, frame, background=9)
    pixels[:, 3, 4] = 7
    assert (pixels[:, 5:] == 9).all()
    assert not valid.any()


@pytest.mark.parametrize("degrees", [0, 17, 90, 200])
def test_bounds_hold_all_coordinates_and_are_tight(degrees: float) -> None:
    fixed, moving = Space("f", 600, 700, (0.3, 0.3)).frame, Space("m", 650, 600, (0.25, 0.25)).frame
    chain = Chain((wobble(fixed, 8.0, 30), rotation(degrees, fixed, moving)))
    mapping = map_to_source(chain, fixed.crop(40, 60, 512, 512), moving)
    for part in ((slice(0, 512), slice(0, 512)), (slice(100, 131), slice(7, 300))):
        low, high = mapping.bound(part)
        drawn = mapping.coordinates[:, part[0], part[1]]
        assert (low <= drawn.min(axis=(1, 2))).all()
        assert (high >= drawn.max(axis=(1, 2))).all()
        np.testing.assert_allclose(low, drawn.min(axis=(1, 2)), atol=0.02)
        np.testing.assert_allclose(high, drawn.max(axis=(1, 2)), atol=0.02)
