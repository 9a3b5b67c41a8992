from __future__ import annotations

import resource
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import SimpleITK
from scipy.ndimage import gaussian_filter, map_coordinates

from stainbridge.errors import InputError
from stainbridge.geometry.files import read_transform, write_transform
from stainbridge.geometry.frame import Frame, Space
from stainbridge.geometry.itk import from_itk, itk_spacing
from stainbridge.geometry.transform import Affine, Chain, DisplacementField, Projective, Transform
from stainbridge.geometry.warp import warp_array

CALIBRATED = (
    Space("fixed", 90, 120, (0.5, 0.5)).frame,
    Space("moving", 100, 110, (0.25, 0.3)).frame,
)
UNCALIBRATED = (
    Space("fixed", 90, 120, calibrated=False).frame,
    Space("moving", 100, 110, calibrated=False).frame,
)
SPACES = (CALIBRATED[0].space, CALIBRATED[1].space)
MIXED = (
    Space("fixed", 90, 120, (0.5, 0.5)).frame,
    Space("moving", 100, 110, calibrated=False).frame,
)
PAIRS = pytest.mark.parametrize(
    ("fixed", "moving"), [CALIBRATED, UNCALIBRATED, MIXED], ids=["um", "px", "mixed"]
)


def turned(fixed: Frame, moving: Frame, *, degrees: float = 25, flip: bool = False) -> Affine:
    """The affine map that lays the turned fixed extent over the middle of the moving one."""
    angle = np.radians(degrees)
    linear = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    linear = (
        linear
        @ np.diag([-1.0 if flip else 1.0, 1.0])
        * (moving.diagonal_um / fixed.diagonal_um * 0.9)
    )
    matrix = np.eye(3)
    matrix[:2, :2], matrix[:2, 2] = linear, np.array(moving.centre_um) - linear @ fixed.centre_um
    return Affine(matrix, fixed.space, moving.space)


def bent(fixed: Frame, *, longest_px: int = 40, seed: int = 0) -> DisplacementField:
    grid = fixed.fit(longest_px)
    noise = np.random.default_rng(seed).normal(size=(2, grid.height, grid.width))
    smooth = gaussian_filter(noise, (0, 4, 4)) * 40 * fixed.mpp[0]
    return DisplacementField(smooth.astype(np.float32), grid, fixed.space, fixed.space)


def solution(fixed: Frame, moving: Frame) -> Chain:
    return Chain((bent(fixed), turned(fixed, moving)))


def inside(frame: Frame, count: int = 200) -> npt.NDArray[np.float64]:
    return np.random.default_rng(1).uniform(0, 1, (count, 2)) * frame.size_um


def texture(frame: Frame) -> npt.NDArray[np.float32]:
    noise = np.random.default_rng(2).normal(size=(frame.height, frame.width))
    return (gaussian_filter(noise, 3) * 1000).astype(np.float32)


def itk_image(pixels: npt.NDArray[np.float32], frame: Frame) -> SimpleITK.Image:
    image = SimpleITK.GetImageFromArray(pixels)
    image.SetSpacing(itk_spacing(frame))
    return image


@PAIRS
def test_a_solution_comes_back_without_loss(tmp_path: Path, fixed: Frame, moving: Frame) -> None:
    before = solution(fixed, moving)
    write_transform(tmp_path / "transform.h5", before)
    after = read_transform(tmp_path / "transform.h5", fixed.space, moving.space)
    assert isinstance(after, Chain)
    field, affine = after.members
    assert isinstance(field, DisplacementField)
    assert isinstance(affine, Affine)
    was_field, was_affine = before.members
    assert np.array_equal(field.displacement, was_field.displacement)
    assert np.allclose(affine.matrix, was_affine.matrix, rtol=1e-12, atol=1e-12)
    assert np.allclose(field.grid.origin_um, was_field.grid.origin_um, atol=1e-9)
    points = inside(fixed)
    assert np.abs(after(points) - before(points)).max() < 1e-9 * fixed.diagonal_um
    assert (after.source, after.target) == (fixed.space, moving.space)


@PAIRS
def test_simpleitk_resamples_the_picture_that_we_warp(
    tmp_path: Path, fixed: Frame, moving: Frame
) -> None:
    transform, pixels = solution(fixed, moving), texture(moving)
    write_transform(tmp_path / "transform.h5", transform)
    reference = SimpleITK.Image(fixed.width, fixed.height, SimpleITK.sitkFloat32)
    reference.SetSpacing(itk_spacing(fixed))
    stored = SimpleITK.ReadTransform(str(tmp_path / "transform.h5"))
    theirs = SimpleITK.Resample(
        itk_image(pixels, moving), reference, stored, SimpleITK.sitkLinear, -9e9
    )
    theirs = SimpleITK.GetArrayFromImage(theirs)
    centres = fixed.centres_um()
    well_inside = moving.contains(transform(centres) - moving.mpp) & moving.contains(
        transform(centres) + moving.mpp
    )
    well_inside = well_inside.reshape(fixed.height, fixed.width)
    ours, _ = warp_array(pixels[None], moving, transform, fixed)
    assert well_inside.mean() > 0.5
    # Our warp interpolates the transform to 0.05 px; the texture changes by about this much over
    # 0.1 px.
    assert np.abs(ours[0] - theirs)[well_inside].max() < 0.1 * np.abs(np.gradient(pixels)).max()
    sampled = _sample_exactly(pixels, moving, transform(centres)).reshape(fixed.height, fixed.width)
    assert np.abs(theirs - sampled)[well_inside].max() < 1e-3 * np.ptp(pixels)


def _sample_exactly(
    pixels: npt.NDArray[np.float32], frame: Frame, points: npt.NDArray[np.float64]
) -> npt.NDArray[np.float32]:
    return map_coordinates(pixels, (frame.to_px(points) - 0.5).T[::-1], order=1, mode="nearest")


@PAIRS
def test_itk_maps_pixel_centres_as_we_do(tmp_path: Path, fixed: Frame, moving: Frame) -> None:
    transform = solution(fixed, moving)
    write_transform(tmp_path / "transform.h5", transform)
    stored = SimpleITK.ReadTransform(str(tmp_path / "transform.h5"))
    columns_rows = np.array([[0, 0], [119, 0], [7, 80], [60, 45]])
    theirs = [
        stored.TransformPoint((c * np.array(itk_spacing(fixed))).tolist()) for c in columns_rows
    ]
    ours = moving.to_px(transform(fixed.to_um(columns_rows + 0.5))) - 0.5
    assert np.allclose(np.array(theirs) / itk_spacing(moving), ours, atol=1e-6)


def test_a_calibrated_slide_is_in_millimetres_as_itk_reads_tiff(tmp_path: Path) -> None:
    import tifffile

    path = tmp_path / "slide.tif"
    tifffile.imwrite(
        path, np.zeros((8, 9), np.uint8), resolution=(20000, 20000), resolutionunit="CENTIMETER"
    )
    image = SimpleITK.ReadImage(str(path))
    assert image.GetSpacing() == pytest.approx(itk_spacing(Space("fixed", 8, 9, (0.5, 0.5)).frame))
    assert image.GetOrigin() == (0, 0)


@PAIRS
@pytest.mark.parametrize("flip", [False, True])
def test_affine_text_files_come_back(
    tmp_path: Path, fixed: Frame, moving: Frame, flip: bool
) -> None:
    before = turned(fixed, moving, degrees=140, flip=flip)
    write_transform(tmp_path / "start.tfm", before)
    after = read_transform(tmp_path / "start.tfm", fixed.space, moving.space)
    assert isinstance(after, Affine)
    assert np.allclose(after.matrix, before.matrix, rtol=1e-9)
    assert after.flip == flip


@PAIRS
def test_one_field_image_holds_the_whole_map(tmp_path: Path, fixed: Frame, moving: Frame) -> None:
    before = solution(fixed, moving)
    write_transform(tmp_path / "field.mha", before)
    after = read_transform(tmp_path / "field.mha", fixed.space, moving.space)
    assert (
        SimpleITK.ReadImage(str(tmp_path / "field.mha")).GetPixelIDValue()
        == SimpleITK.sitkVectorFloat32
    )
    # Exact between the grid's outermost pixel centres; in the half cell beyond, a field is held
    # constant.
    points = 0.9 * inside(fixed) + 0.05 * np.array(fixed.size_um)
    assert np.abs(moving.to_px(after(points)) - moving.to_px(before(points))).max() < 1e-3


def test_a_field_alone_comes_back_as_a_field_whatever_the_pixel_sizes(tmp_path: Path) -> None:
    fixed, moving = CALIBRATED
    field = bent(fixed)
    before = DisplacementField(field.displacement, field.grid, fixed.space, moving.space)
    write_transform(tmp_path / "field.h5", before)
    after = read_transform(tmp_path / "field.h5", fixed.space, moving.space)
    assert isinstance(after, DisplacementField)
    assert np.array_equal(after.displacement, before.displacement)
    assert after.target == moving.space


def test_a_field_on_part_of_the_slide_is_continued_for_itk(tmp_path: Path) -> None:
    fixed, moving = UNCALIBRATED
    grid = fixed.crop(30, 20, 50, 40).at_mpp(4)
    noise = np.random.default_rng(3).normal(0, 5, (2, grid.height, grid.width)).astype(np.float32)
    before = DisplacementField(noise, grid, fixed.space, moving.space)
    write_transform(tmp_path / "part.h5", before)
    stored = SimpleITK.ReadTransform(str(tmp_path / "part.h5"))
    centres = fixed.centres_um()[::37]
    theirs = np.array([stored.TransformPoint(p.tolist()) for p in centres - 0.5]) + 0.5
    assert np.allclose(theirs, before(centres), atol=1e-4)
    assert np.allclose(
        read_transform(tmp_path / "part.h5", fixed.space, moving.space)(centres),
        before(centres),
        atol=1e-4,
    )


@pytest.mark.parametrize("kind", ["homography", "inverse"])
def test_maps_itk_does_not_know_are_sampled(tmp_path: Path, kind: str) -> None:
    fixed, moving = UNCALIBRATED
    homography = Projective(
        np.array([[1.0, 0.1, 3], [-0.05, 0.9, 4], [1e-4, 2e-4, 1]]), fixed.space, moving.space
    )
    transform: Transform = homography if kind == "homography" else solution(moving, fixed).inverse()
    write_transform(tmp_path / "sampled.h5", transform)
    after = read_transform(tmp_path / "sampled.h5", fixed.space, moving.space)
    points = 0.8 * inside(fixed) + 0.1 * np.array(fixed.size_um)
    assert np.abs(after(points) - transform(points)).max() < 0.05


@PAIRS
def test_the_3d_form_keeps_the_plane(tmp_path: Path, fixed: Frame, moving: Frame) -> None:
    before = solution(fixed, moving)
    write_transform(tmp_path / "volume.h5", before, dimension=3)
    stored = SimpleITK.ReadTransform(str(tmp_path / "volume.h5"))
    assert stored.GetDimension() == 3
    spacing = itk_spacing(fixed)
    x, y, z = stored.TransformPoint((50 * spacing[0], 40 * spacing[1], 0.0))
    ours = moving.to_px(before(fixed.to_um(np.array([[50.5, 40.5]])))) - 0.5
    assert np.allclose([x / itk_spacing(moving)[0], y / itk_spacing(moving)[1]], ours[0], atol=1e-6)
    assert z == 0
    points = inside(fixed)
    assert np.allclose(
        read_transform(tmp_path / "volume.h5", fixed.space, moving.space)(points),
        before(points),
        atol=1e-6,
    )


def centred(kind: type, dimension: int | None = None) -> SimpleITK.Transform:
    transform = kind(dimension) if dimension else kind()
    if hasattr(transform, "SetCenter"):
        transform.SetCenter([12.0, 7.0])
    parameters = np.array(transform.GetParameters()) + 0.05 * np.arange(
        1, len(transform.GetParameters()) + 1
    )
    transform.SetParameters(parameters.tolist())
    return transform


FOREIGN = {
    "euler": centred(SimpleITK.Euler2DTransform),
    "similarity": centred(SimpleITK.Similarity2DTransform),
    "affine": centred(SimpleITK.AffineTransform, 2),
    "translation": centred(SimpleITK.TranslationTransform, 2),
    "scale": centred(SimpleITK.ScaleTransform, 2),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_other_programs_linear_transforms_are_read(tmp_path: Path, name: str) -> None:
    fixed, moving = CALIBRATED
    theirs = FOREIGN[name]
    SimpleITK.WriteTransform(theirs, str(tmp_path / "start.h5"))
    assert_same_map(
        theirs, read_transform(tmp_path / "start.h5", fixed.space, moving.space), fixed, moving
    )


def test_nested_composites_are_applied_in_itks_order() -> None:
    fixed, moving = CALIBRATED
    inner = SimpleITK.CompositeTransform([FOREIGN["euler"], FOREIGN["affine"]])
    nested = SimpleITK.CompositeTransform([inner, FOREIGN["translation"]])
    assert_same_map(nested, from_itk(nested, fixed.space, moving.space), fixed, moving)


def assert_same_map(
    theirs: SimpleITK.Transform, ours: Transform, fixed: Frame, moving: Frame
) -> None:
    px = np.array([[10.0, 20.0], [100.0, 5.0], [60.0, 88.0]])
    expected = [theirs.TransformPoint(p.tolist()) for p in px * itk_spacing(fixed)]
    mapped = (moving.to_px(ours(fixed.to_um(px + 0.5))) - 0.5) * itk_spacing(moving)
    assert np.allclose(mapped, expected, atol=1e-9)


def test_a_spline_is_refused_with_a_way_out(tmp_path: Path) -> None:
    spline = SimpleITK.BSplineTransformInitializer(
        SimpleITK.Image(20, 20, SimpleITK.sitkUInt8), [4, 4]
    )
    SimpleITK.WriteTransform(spline, str(tmp_path / "spline.h5"))
    with pytest.raises(
        InputError, match=r"spline\.h5: cannot use an ITK BSpline.*TransformToDisplacementField"
    ):
        read_transform(tmp_path / "spline.h5", *SPACES)


def test_a_transform_out_of_the_plane_is_refused(tmp_path: Path) -> None:
    SimpleITK.WriteTransform(
        SimpleITK.Euler3DTransform((0, 0, 0), 0.3, 0, 0), str(tmp_path / "tilt.tfm")
    )
    with pytest.raises(InputError, match="leaves the plane"):
        read_transform(tmp_path / "tilt.tfm", *SPACES)


def test_missing_damaged_and_foreign_files_are_refused(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    write_transform(tmp_path / "whole.h5", solution(*CALIBRATED))
    (tmp_path / "cut.h5").write_bytes((tmp_path / "whole.h5").read_bytes()[:3000])
    (tmp_path / "text.h5").write_text("not a transform")
    (tmp_path / "text.tfm").write_text("not a transform")
    (tmp_path / "points.csv").write_text("X,Y\n1,2\n")
    (tmp_path / "points.pkl").write_text("1 2\n")
    SimpleITK.WriteImage(SimpleITK.Image(5, 5, SimpleITK.sitkUInt8), str(tmp_path / "picture.mha"))
    wanted = {
        "none.h5": "no such",
        "cut.h5": "cut short",
        "text.h5": "not an HDF5",
        "text.tfm": "not an ITK transform",
        "points.csv": "not an alignment matrix",
        "points.pkl": "unknown kind",
        "picture.mha": "not a planar displacement field",
    }
    for name, message in wanted.items():
        with pytest.raises(InputError, match=rf"{name}.*{message}"):
            read_transform(tmp_path / name, *SPACES)
    assert "HDF5-DIAG" not in capfd.readouterr().err


def test_what_a_format_cannot_hold_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    for name, message in {
        "a.tfm": "affine maps only",
        "a.pkl": "unknown kind",
        "none/a.h5": "no such folder",
    }.items():
        with pytest.raises(InputError, match=message):
            write_transform(tmp_path / name, solution(*CALIBRATED))
    assert list(tmp_path.iterdir()) == []


def test_threads_read_and_write_transforms_at_once(tmp_path: Path) -> None:
    """The HDF5 library of SimpleITK crashes the process when two threads use it."""
    fixed, moving = CALIBRATED
    transform = turned(fixed, moving)
    write_transform(tmp_path / "shared.h5", transform)

    def read_and_write(number: int) -> float:
        path = tmp_path / "shared.h5"
        if number % 2:
            path = tmp_path / f"{number}.h5"
            write_transform(path, transform)
        found = read_transform(path, fixed.space, moving.space)
        points = fixed.corners_um
        return float(np.abs(found(points) - transform(points)).max())

    with ThreadPoolExecutor(4) as threads:
        assert max(threads.map(read_and_write, range(24))) < 1e-6


@pytest.mark.parametrize("ending", [".h5", ".mha"])
def test_a_full_disk_is_one_line_that_names_the_file(
    ending: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / f"truth{ending}"
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))  # refuses more, as a full disk
    try:
        with pytest.raises(InputError, match=rf"truth{ending}: could not write"):
            write_transform(path, bent(CALIBRATED[0], longest_px=100))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr() == ("", "")
