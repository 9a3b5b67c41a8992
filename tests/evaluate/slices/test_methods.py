"""Methods for slices begin from the slices as given and find a known displacement."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial

import numpy as np
import numpy.typing as npt
import pytest
import SimpleITK
from tests.evaluate.slices.slices import (
    SHIFT,
    draw_labels,
    draw_picture,
    make_case,
    make_scene,
    true_shift,
)

from stainbridge.errors import InputError
from stainbridge.evaluate.methods.intensity import IntensitySettings
from stainbridge.evaluate.slices.field import LoadedField, field_method
from stainbridge.evaluate.slices.intensity import AFFINE, BSPLINE, load_from_given
from stainbridge.evaluate.slices.presets import load_preset
from stainbridge.evaluate.slices.scene import SliceScene
from stainbridge.evaluate.slices.scores import score_transform
from stainbridge.evaluate.slices.table import SLICE_METHODS
from stainbridge.geometry.transform import Affine, DisplacementField, Transform
from stainbridge.imaging.image import Image
from stainbridge.registration.config import RegisterConfig
from stainbridge.registration.sections.density import Masks
from stainbridge.slides.memory import ArraySlide
from stainbridge.slides.slide import Slide


def find_transform(scene: SliceScene, name: str) -> Transform:
    """Return the transform that a method finds."""
    alignment = SLICE_METHODS[name].load().align(scene.fixed, scene.moving, scene.masks)
    assert alignment.transform is not None, alignment.reason
    return alignment.transform


def median_error_px(scene: SliceScene, transform: Transform) -> float:
    return score_transform(scene, transform)["tre median px"]


@pytest.mark.parametrize("name", SLICE_METHODS)
def test_every_method_says_what_it_is(name: str) -> None:
    method = SLICE_METHODS[name]
    assert method.name == name
    assert method.description
    assert json.loads(json.dumps(method.read_settings())) is not None


def test_identity_leaves_the_slices_as_given() -> None:
    scene = make_scene(make_case(mpp=2.0))
    transform = find_transform(scene, "identity")
    assert median_error_px(scene, transform) == pytest.approx(np.hypot(*SHIFT))


@pytest.mark.parametrize("settings", [AFFINE, replace(BSPLINE, mesh_factors=(1,))])
def test_mutual_information_finds_a_shift_of_inverted_contrast(settings: IntensitySettings) -> None:
    scene = make_scene()
    alignment = load_from_given(settings).align(scene.fixed, scene.moving, scene.masks)
    assert alignment.transform is not None
    assert median_error_px(scene, alignment.transform) < 1


def test_mutual_information_gives_the_same_numbers_each_time() -> None:
    scene = make_scene()
    points = np.array([[10.0, 20.0], [100.0, 90.0]])
    method = load_from_given(AFFINE)
    threads = SimpleITK.ProcessObject.GetGlobalDefaultNumberOfThreads()
    found = [method.align(scene.fixed, scene.moving, scene.masks).transform for _ in range(4)]
    moved = [transform(points).tolist() for transform in found if transform is not None]
    assert moved == 4 * moved[:1]
    assert SimpleITK.ProcessObject.GetGlobalDefaultNumberOfThreads() == threads


def test_a_method_begins_where_pixel_sizes_lay_the_slices() -> None:
    """The moving slide is stored at twice the size; only its pixel size says so."""
    labels = draw_labels()
    large = draw_picture(labels, inverted=True).repeat(2, 0).repeat(2, 1)
    case = replace(make_case(mpp=2.0), open_moving=partial(ArraySlide, large[None], 1.0))
    scene = make_scene(replace(case, landmarks=None, open_moving_labels=case.open_fixed_labels))
    settings = replace(AFFINE, affine_iterations=1)
    alignment = load_from_given(settings).align(scene.fixed, scene.moving, scene.masks)
    assert alignment.transform is not None
    points = np.array([[10.0, 20.0], [100.0, 90.0]])
    np.testing.assert_allclose(alignment.transform(points), scene.placement(points), atol=20)
    assert score_transform(scene, alignment.transform)["dice 1"] > 0.95


@pytest.mark.slow
def test_a_preset_refines_the_slices_as_given() -> None:
    scene = make_scene()
    method = load_preset(RegisterConfig.preset("fast").with_options(device="cpu", threads=1))
    alignment = method.align(scene.fixed, scene.moving, scene.masks)
    assert alignment.transform is not None, alignment.reason
    assert median_error_px(scene, alignment.transform) < 1


def test_elastix_finds_a_shift_of_inverted_contrast() -> None:
    try:
        SLICE_METHODS["elastix"].check()
    except InputError:
        pytest.skip("itk-elastix is not installed")
    scene = make_scene()
    assert median_error_px(scene, find_transform(scene, "elastix")) < 1


def test_the_field_of_a_network_applies_before_the_placement() -> None:
    seen: list[tuple[Affine, Masks]] = []

    class Network:
        def register_slides(
            self, fixed: Slide, moving: Slide, placement: Affine, masks: Masks
        ) -> DisplacementField:
            assert placement.target == moving.frame.space
            seen.append((placement, masks))
            space = fixed.frame.space
            displacement = (
                np.ones((2, 4, 4), np.float32) * np.array(SHIFT, np.float32)[:, None, None]
            )
            return DisplacementField(
                displacement * 2, fixed.frame.fit(4).crop(0, 0, 4, 4), space, space
            )

    def synthesise(moving: Slide, mask: Image | None) -> npt.NDArray[np.float32]:
        assert mask is not None
        return np.asarray(moving.read(moving.frame).pixels[0] / np.float32(255))

    method = field_method(
        "run", lambda: LoadedField(Network(), synthesise), lambda: {"digest": "a"}
    )
    scene = make_scene(make_case(mpp=2.0))
    loaded = method.load()
    alignment = loaded.align(scene.fixed, scene.moving, scene.masks)
    assert alignment.transform is not None
    points = np.array([[10.0, 20.0], [100.0, 90.0]])
    np.testing.assert_allclose(alignment.transform(points), true_shift(scene)(points), atol=1e-5)
    assert seen[0][1] == scene.masks
    assert loaded.synthesise is synthesise
    assert (method.name, method.read_settings()) == ("run", {"digest": "a"})
