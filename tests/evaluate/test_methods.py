"""Each method finds a transform that is known, or says that it failed."""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import numpy as np
import pytest

from stainbridge.errors import InputError, MissingExtraError
from stainbridge.evaluate.methods import elastix, external
from stainbridge.evaluate.methods.alignment import Align, Alignment
from stainbridge.evaluate.methods.features import align_by_orb, align_by_sift
from stainbridge.evaluate.methods.intensity import IntensitySettings, load_intensity
from stainbridge.evaluate.methods.learned import DEFORMABLE, LEARNED
from stainbridge.evaluate.methods.registry import METHODS, find_method
from stainbridge.evaluate.methods.unregistered import align_unregistered
from stainbridge.evaluate.methods.views import affine_from_pixels, grey_view, transform_from_samples
from stainbridge.evaluate.starts import disturb
from stainbridge.phantom.pairs.pair import generate_pair
from stainbridge.slides.memory import ArraySlide
from stainbridge.slides.slide import Slide

Pair = tuple[Slide, Slide, np.ndarray, np.ndarray]  # fixed, moving, landmarks in pixels of each


@pytest.fixture(scope="module")
def rotated_pair() -> Pair:
    """A generated section, and the same one cropped, scaled, turned and shifted."""
    generated = generate_pair(seed=3, size_px=400, mpp=8.0)
    image = generated.fixed.read(generated.fixed.frame)
    points = generated.fixed_landmarks.points_px
    start = disturb(image, points, 20.0, False, np.random.default_rng(4))
    return ArraySlide(image.pixels), ArraySlide(start.pixels), points[start.inside], start.points_px


def error_px(alignment: Alignment, pair: Pair) -> float:
    """The median error on the moving slide, in its pixels."""
    assert alignment.transform is not None, alignment.reason
    fixed, moving, fixed_px, moving_px = pair
    moved = moving.frame.to_px(alignment.transform(fixed.frame.to_um(fixed_px)))
    return float(np.median(np.linalg.norm(moved - moving_px, axis=1)))


@pytest.mark.parametrize(
    ("align", "reached_px"), [(align_by_sift, 1.0), (align_by_orb, 2.0)], ids=["sift", "orb"]
)
def test_features_find_a_turned_section(
    align: Align, reached_px: float, rotated_pair: Pair
) -> None:
    assert error_px(align(rotated_pair[0], rotated_pair[1]), rotated_pair) < reached_px


def test_intensities_find_a_turn_and_bsplines_a_bend() -> None:
    settings = {"flip": False, "scale": 1.0, "tear": False, "elastic_um": 60.0, "distance_um": 0.0}
    made = generate_pair(
        seed=3, size_px=400, mpp=8.0, rotation_deg=100.0, moving_stain="HE", **settings
    )
    pair = (
        made.fixed,
        made.moving,
        made.fixed_landmarks.points_px,
        made.moving_landmarks.points_px,
    )
    affine, bent = (
        load_intensity(
            IntensitySettings(
                deformable, working_px=200, angles=4, search_shrink=4, bspline_iterations=20
            )
        )
        for deformable in (False, True)
    )
    rigid_and_more = error_px(affine(made.fixed, made.moving), pair)
    assert rigid_and_more < 10
    assert error_px(bent(made.fixed, made.moving), pair) < 0.8 * rigid_and_more


@pytest.mark.parametrize("align", [align_by_sift, align_by_orb], ids=["sift", "orb"])
def test_blank_slides_are_a_failure_with_a_reason(align: Align) -> None:
    blank = ArraySlide(np.full((3, 90, 90), 240, np.uint8))
    assert (align(blank, blank).transform, align(blank, blank).status) == (None, "failed")
    assert "0 and 0 features" in align(blank, blank).reason


def test_unregistered_is_corner_on_corner() -> None:
    calibrated = ArraySlide(np.zeros((3, 10, 10), np.uint8), mpp=0.5)
    larger = ArraySlide(np.zeros((3, 20, 20), np.uint8), mpp=2.0)
    unknown = ArraySlide(np.zeros((3, 10, 10), np.uint8))
    point = np.array([[4.0, 3.0]])
    assert align_unregistered(unknown, unknown).status == "ok"
    for moving, expected in ((larger, point), (unknown, 2 * point)):  # µm on µm, pixel on pixel
        transform = align_unregistered(calibrated, moving).transform
        assert transform is not None
        np.testing.assert_allclose(transform(point), expected)


def test_a_sampled_map_equals_the_affine_map_it_samples() -> None:
    slides = (
        ArraySlide(np.zeros((3, 60, 84), np.uint8), mpp=0.5),
        ArraySlide(np.zeros((3, 90, 70), np.uint8), mpp=2.0),
    )
    fixed, moving = (grey_view(slide, 40) for slide in slides)
    matrix = np.array([[-1.1, 0.2, 30.0], [0.15, 0.9, 4.0]])
    exact = affine_from_pixels(matrix, fixed, moving)
    x, y = np.meshgrid(np.arange(fixed.frame.width), np.arange(fixed.frame.height))
    index = np.stack(
        [
            matrix[0, 0] * x + matrix[0, 1] * y + matrix[0, 2],
            matrix[1, 0] * x + matrix[1, 1] * y + matrix[1, 2],
        ]
    )
    sampled = transform_from_samples(index, fixed.frame, fixed, moving)
    points = np.array([[0.0, 0], [20, 10], [42, 30], [-5, 50]])
    np.testing.assert_allclose(sampled(points), exact(points), atol=1e-6)
    assert (sampled.source, sampled.target) == (fixed.full.space, moving.full.space)
    first_pixel = fixed.frame.to_um(np.array([[0.5, 0.5]]))
    np.testing.assert_allclose(moving.frame.to_px(exact(first_pixel)), [[30.5, 4.5]])


def test_a_sampled_map_may_bend() -> None:
    slide = ArraySlide(np.zeros((3, 64, 64), np.uint8))
    view = grey_view(slide, 64)
    x, y = np.meshgrid(np.arange(64.0), np.arange(64.0))
    transform = transform_from_samples(
        np.stack([x + 2 * np.sin(y / 10), y]), view.frame, view, view
    )
    np.testing.assert_allclose(
        transform(np.array([[20.5, 30.5]])), [[20.5 + 2 * np.sin(3.0), 30.5]], atol=1e-4
    )


def test_every_method_has_a_name_and_settings() -> None:
    for name in METHODS:
        assert find_method(name).name == name
        assert find_method(name).description
    assert find_method("fast").settings != find_method("default").settings
    with pytest.raises(InputError, match="no such method; expected identity, fast"):
        find_method("magic")


def test_a_missing_library_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(elastix, "distribution", missing)
    with pytest.raises(MissingExtraError, match=r"stainbridge\[peers\]"):
        elastix.check()


@pytest.mark.parametrize("name", list(external.PEERS))
def test_a_missing_environment_says_how_to_make_it(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    variable = f"STAINBRIDGE_{name.upper()}_PYTHON"
    monkeypatch.delenv(variable, raising=False)
    with pytest.raises(InputError, match=f"venv {name}-env .*export {variable}="):
        find_method(name).check()
    monkeypatch.setenv(variable, "/nowhere/python")
    with pytest.raises(InputError, match="no such Python"):
        find_method(name).check()


SHIFT = """
import sys
sys.path.insert(0, {peers!r})
from exchange import run_peer
folder = __import__("pathlib").Path(sys.argv[1])
assert all((folder / name).is_file() for name in ("fixed.png", "moving.png"))
run_peer(lambda folder, points: points * 2 + [3, -2])
"""


def fake_peer(script: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> Align:
    script.write_text(text.format(peers=str(Path(external.__file__).parents[1] / "peers")))
    monkeypatch.setitem(
        external.PEERS, "fake", external.Peer("fake", "a stand-in", str(script), "make it")
    )
    monkeypatch.setenv("STAINBRIDGE_FAKE_PYTHON", sys.executable)
    return external.load_peer("fake")


def test_a_peer_in_its_own_process_returns_its_map(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    align = fake_peer(tmp_path / "run_fake.py", SHIFT, monkeypatch)
    fixed, moving = (
        ArraySlide(np.zeros((3, 300, 400), np.uint8)),
        ArraySlide(np.zeros((4, 640, 830), np.uint16)),
    )
    alignment = align(fixed, moving)
    assert alignment.transform is not None
    points = np.array([[10.5, 20.5], [399.5, 0.5], [200, 150]])
    np.testing.assert_allclose(
        alignment.transform(points), (points - 0.5) * 2 + [3.5, -1.5], atol=1e-3
    )
    assert alignment.seconds is not None
    assert alignment.cpu_s is not None
    assert alignment.peak_mb is not None
    assert alignment.peak_mb > 5


def test_a_peer_that_breaks_off_is_a_failure_with_its_last_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    align = fake_peer(tmp_path / "run_fake.py", "raise SystemExit('no luck today')", monkeypatch)
    slide = ArraySlide(np.zeros((3, 30, 40), np.uint8))
    alignment = align(slide, slide)
    assert (alignment.transform, alignment.status, alignment.reason) == (
        None,
        "failed",
        "fake ended with 1: no luck today",
    )


def test_a_network_is_a_method_where_its_weights_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STAINBRIDGE_WEIGHTS", str(tmp_path))
    monkeypatch.setattr("stainbridge.learn.named_weights._package_folder", lambda: tmp_path)
    for name in DEFORMABLE:
        assert find_method(name).settings["digests"] == [None]
        with pytest.raises(InputError, match=f"{name}: no weights of that name"):
            find_method(name).check()
    (tmp_path / "fcn.safetensors").write_bytes(b"one")
    before = find_method("fcn").settings
    find_method("fcn").check()
    (tmp_path / "fcn.safetensors").write_bytes(b"another")
    assert find_method("fcn").settings != before
    assert set(LEARNED) <= set(METHODS)
