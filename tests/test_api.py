"""The public functions: examples of docstrings, the page docs/api.md, and wrong arguments."""

from __future__ import annotations

import doctest
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import stainbridge
from stainbridge.phantom.pairs.pair import PhantomPair

ROOT = Path(__file__).parents[1]
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE

PIXELS = np.full((96, 128, 3), 255, np.uint8)
SMALL = np.zeros((48, 64))


def find_examples(name: str) -> list[doctest.DocTest]:
    """Return the examples of a name's docstring, then those of its methods."""
    finder = doctest.DocTestFinder(exclude_empty=True)
    return finder.find(getattr(stainbridge, name), name, module=False)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, where the test runs."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", [name for name in stainbridge.__all__ if name != "__version__"])
@pytest.mark.usefixtures("folder")
def test_every_name_has_examples_that_run(name: str) -> None:
    found = find_examples(name)
    assert found[0].name == name
    assert found[0].examples
    names: dict[str, Any] = {"stainbridge": stainbridge, "np": np}
    runner = doctest.DocTestRunner(optionflags=OPTIONS)
    lines: list[str] = []
    for test in found:
        assert not any(doctest.SKIP in example.options for example in test.examples)
        test.globs = names
        runner.run(test, out=lines.append, clear_globs=False)
    assert not runner.failures, "".join(lines)


def test_the_example_of_the_package_runs() -> None:
    [test] = doctest.DocTestFinder(recurse=False).find(stainbridge, "stainbridge")
    result = doctest.DocTestRunner(optionflags=OPTIONS).run(test)
    assert result.attempted == 4
    assert not result.failed


@pytest.fixture
def slides(folder: Path) -> None:
    """Write an H&E and a Ki67 slide of one tissue, and their landmarks."""
    pair = stainbridge.generate_pair(
        seed=3, size_px=320, mpp=4.0, moving_stain="Ki67", difficulty="easy"
    )
    sides = {"he": pair.fixed, "ki67": pair.moving}
    landmarks = {"he": pair.fixed_landmarks, "ki67": pair.moving_landmarks}
    for name, slide in sides.items():
        stainbridge.write_slide(slide, folder / f"{name}.svs")
        stainbridge.write_points_csv(folder / f"{name}.csv", landmarks[name].points_px)


@pytest.mark.usefixtures("slides")
def test_the_code_of_the_page_runs(capsys: pytest.CaptureFixture[str]) -> None:
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    names: dict[str, Any] = {}
    for number, block in enumerate(blocks):
        exec(compile(block, f"docs/api.md, block {number}", "exec"), names)
    assert names["registration"].status != "failed"
    *_, missing, out_of_range = capsys.readouterr().out.splitlines()
    for line in (missing, out_of_range):
        assert f"print(error)            # {line}\n" in page


@pytest.fixture(scope="module")
def pair() -> PhantomPair:
    return stainbridge.generate_pair(seed=3, size_px=256, mpp=4.0, difficulty="easy")


WRONG_ARGUMENTS: dict[str, tuple[dict[str, Any], str]] = {
    "no such preset": ({"preset": "slow"}, "no such preset; expected fast, default, accurate"),
    "a configuration as preset": (
        {"preset": stainbridge.RegisterConfig()},
        "preset: a preset is a name; expected fast, default or accurate; got RegisterConfig",
    ),
    "a dict as configuration": ({"config": {}}, "config: not a configuration"),
    "preset and configuration": (
        {"preset": "fast", "config": stainbridge.RegisterConfig()},
        "a preset and a config exclude each other",
    ),
    "a list as slide": ({"fixed": [[0, 1]]}, "fixed: not a slide"),
    "an array of one axis": ({"fixed": np.zeros(9)}, r"fixed: not a picture.*got shape \(9,\)"),
    "an array of four axes": ({"moving": np.zeros((1, 3, 9, 9))}, "moving: not a picture"),
    "an empty array": ({"moving": np.zeros((0, 9))}, "moving: not a picture"),
    "an array of text": ({"moving": np.full((9, 9), "a")}, "moving: pixels must be numbers"),
    "mpp 0": ({"fixed_mpp": 0}, "fixed_mpp: pixel size must be positive; expected µm > 0; got 0"),
    "mpp below 0": ({"moving_mpp": -0.5}, r"moving_mpp: pixel size must be positive.*got -0\.5"),
    "mpp not finite": ({"moving_mpp": np.nan}, "moving_mpp: pixel size must be positive"),
    "mpp as text": ({"fixed_mpp": "0.5"}, "fixed_mpp: not a number; expected a number; got '0.5'"),
    "a mask of one axis": ({"fixed_mask": np.ones(9)}, r"fixed_mask: not a mask.*shape \(9,\)"),
    "a mask of three axes": ({"moving_mask": PIXELS}, "moving_mask: not a mask"),
    "a mask turned over": (
        {"fixed_mask": np.ones((128, 96))},
        r"fixed_mask: the mask does not have the slide's shape; expected \(96, 128\)",
    ),
    "an empty mask": ({"moving_mask": SMALL}, "moving_mask: the mask is empty"),
    "landmarks on one side": (
        {"fixed_landmarks": [[1, 2], [3, 4]]},
        "landmarks are needed on both slides",
    ),
    "unequal landmarks": (
        {"fixed_landmarks": [[1, 2], [3, 4]], "moving_landmarks": [[1, 2]]},
        "moving_landmarks: landmarks must correspond one to one; expected 2.*got 1",
    ),
    "landmarks of three columns": (
        {"fixed_landmarks": np.ones((3, 3)), "moving_landmarks": np.ones((3, 3))},
        r"fixed_landmarks: points have the wrong shape; expected \(N, 2\)",
    ),
    "landmarks that are not finite": (
        {"fixed_landmarks": [[1, 2], [3, 4]], "moving_landmarks": [[1, 2], [3, np.inf]]},
        "moving_landmarks: a point is not a pair of finite numbers",
    ),
    "one landmark": (
        {"fixed_landmarks": [[1, 2]], "moving_landmarks": [[1, 2]]},
        "too few landmarks; expected at least 2; got 1",
    ),
    "landmarks and a transform": (
        {"fixed_landmarks": [[1, 2]], "initial_transform": np.eye(3)},
        "an initial transform and landmarks exclude each other",
    ),
    "a matrix as transform": (
        {"initial_transform": np.eye(3)},
        "initial_transform: not a transform; expected a Transform, moving from fixed; got ndarray",
    ),
    "no such transform": (
        {"transform": "projective"},
        "no such transform; expected rigid, affine, deformable; got projective",
    ),
    "rotation too large": (
        {"max_rotation_deg": 200},
        "max_rotation_deg out of range; expected 0 to 180; got 200",
    ),
    "rotation below 0": ({"max_rotation_deg": -1}, "max_rotation_deg out of range"),
    "rotation as text": ({"max_rotation_deg": "9"}, "max_rotation_deg: not a number"),
    "no such device": ({"device": "gpu"}, "no such device; expected auto, cpu or cuda; got gpu"),
    "no threads": ({"threads": 0}, "threads out of range; expected 1 to 1024; got 0"),
    "half a thread": ({"threads": 1.5}, "threads: not a whole number"),
    "seed below 0": ({"seed": -1}, "seed out of range; expected 0 to 4294967295; got -1"),
    "seed too large": ({"seed": 2**32}, "seed out of range"),
    "seed as text": ({"seed": "a"}, "seed: not a whole number; expected a whole number; got 'a'"),
    "a translation that is no function": (
        {"fixed_translation": "he-panck"},
        "fixed_translation: not a function; expected Image -> Image; got str",
    ),
    "a translator that is no name": (
        {"translator": 3},
        "translator: not a model; expected a run folder, a file of weights or a name; got int",
    ),
    "a translator that is not there": ({"translator": "no"}, "no: no weights of that name"),
    "a side without a translator": ({"translate": "fixed"}, "a side without a translation"),
    "a side that is none": (
        {"translator": "he-panck", "translate": "left"},
        "no such side; expected fixed or moving; got left",
    ),
    "a translator and a translation": (
        {"translator": "he-panck", "fixed_translation": lambda image: image},
        "a translator and a translation exclude each other",
    ),
}


@pytest.mark.parametrize(("arguments", "says"), WRONG_ARGUMENTS.values(), ids=WRONG_ARGUMENTS)
def test_register_refuses_wrong_arguments(arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(stainbridge.InputError, match=f"^{says}") as raised:
        stainbridge.register(**{"fixed": PIXELS, "moving": PIXELS, **arguments})
    assert isinstance(raised.value, ValueError)
    assert "\n" not in str(raised.value)


def test_register_refuses_a_transform_that_leads_the_wrong_way(pair: PhantomPair) -> None:
    with pytest.raises(stainbridge.InputError, match=r"leads the wrong way.*use its inverse\(\)"):
        stainbridge.register(
            pair.fixed, pair.moving, "fast", initial_transform=pair.truth.inverse()
        )


def test_register_refuses_landmarks_of_another_slide(pair: PhantomPair) -> None:
    with pytest.raises(stainbridge.InputError, match="landmarks of another slide"):
        stainbridge.register(
            PIXELS,
            PIXELS,
            fixed_landmarks=pair.fixed_landmarks,
            moving_landmarks=pair.moving_landmarks,
        )


def test_register_sees_one_slide_as_a_translator_shows_it(
    pair: PhantomPair, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[stainbridge.Slide] = []

    def look(fixed: stainbridge.Slide, moving: stainbridge.Slide, *_: object, **__: object) -> None:
        seen.extend((fixed, moving))
        raise InterruptedError

    monkeypatch.setattr("stainbridge.api.register_slides", look)
    with pytest.raises(InterruptedError):
        stainbridge.register(pair.fixed, pair.moving, translator="he-panck", device="cpu")
    assert seen[0].stain == "PanCK"
    assert seen[0].frame == pair.fixed.frame
    assert seen[1] is pair.moving


def test_register_takes_arrays_numbers_and_masks_of_numpy(pair: PhantomPair) -> None:
    fixed, moving = (image.pixels for image in pair.read())
    everywhere = np.ones((64, 64), bool)
    registration = stainbridge.register(
        fixed,
        np.moveaxis(moving, 0, -1),
        "fast",
        fixed_mpp=np.float32(4),
        moving_mpp=4,
        fixed_mask=everywhere,
        moving_mask=everywhere.astype(float),
        fixed_landmarks=pair.fixed_landmarks,
        moving_landmarks=pair.moving_landmarks.points_px.tolist(),
        seed=np.int64(3),
        threads=np.int32(1),
    )
    assert registration.status == "ok"
    assert registration.seed == 3
    scores = stainbridge.score_landmarks(
        registration, pair.fixed_landmarks.points_px.tolist(), pair.moving_landmarks
    )
    assert scores.after.rtre.median < 0.01


def test_register_leaves_slides_that_it_was_handed_open(pair: PhantomPair) -> None:
    slide = stainbridge.as_slide(pair.read()[0].pixels, mpp=4.0)
    stainbridge.register(slide, PIXELS, "fast")
    assert slide.read(slide.frame.fit(32)).pixels.shape == (3, 32, 32)


WRONG_TRANSLATIONS: dict[str, tuple[dict[str, Any], str]] = {
    "no such model": ({"model": "he-ki67"}, "he-ki67: no weights of that name"),
    "no such file": ({"model": "run/best.safetensors"}, "run/best.safetensors: "),
    "a network of another task": ({"model": "unet-svf"}, ""),
    "a number as model": ({"model": 3}, "model: not a model"),
    "a list as slide": ({"slide": [[0, 1]]}, "slide: not a slide"),
    "a slide of one channel": ({"slide": PIXELS[..., :2]}, "slide: "),
    "mpp 0": ({"mpp": 0.0}, "mpp: pixel size must be positive"),
    "slide_mpp below 0": ({"slide_mpp": -1}, "slide_mpp: pixel size must be positive"),
    "no way back": ({"reverse": True}, ".*the model does not translate PanCK to HE"),
    "tiles too small": ({"tile_px": 16}, "tiles too small for the network"),
    "half a pixel": ({"tile_px": 300.5}, "tile_px: not a whole number"),
    "no such device": ({"device": "gpu"}, "no such device"),
    "no such precision": ({"precision": "8"}, "no such precision; expected 32, bf16, 16; got 8"),
}


@pytest.mark.parametrize(("arguments", "says"), WRONG_TRANSLATIONS.values(), ids=WRONG_TRANSLATIONS)
def test_translate_refuses_wrong_arguments(arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(stainbridge.InputError, match=f"^{says}"):
        stainbridge.translate(**{"slide": PIXELS, "model": "he-panck", **arguments})


def test_translate_is_what_its_parts_make(pair: PhantomPair) -> None:
    notes: list[str] = []
    panck = stainbridge.translate(
        pair.fixed, "he-panck", mpp=4.0, tile_px=272, device="cpu", note=notes.append
    )
    assert isinstance(panck, stainbridge.Slide)
    assert panck.frame == pair.fixed.frame
    assert notes == ["warning: the model was trained at 1 µm a pixel and is applied at 4"]


WRONG_LANDMARKS: dict[str, tuple[Any, Any, str]] = {
    "unequal counts": ([[1, 2], [3, 4]], [[1, 2]], "moving_landmarks: landmarks must correspond"),
    "three columns": (np.ones((4, 3)), np.ones((4, 2)), "fixed_landmarks: points have the wrong"),
    "one point alone": ([1, 2], [1, 2], "fixed_landmarks: points have the wrong shape"),
    "not finite": ([[1, np.nan]], [[1, 2]], "fixed_landmarks: a point is not a pair of finite"),
    "text": ([["a", "b"]], [[1, 2]], "fixed_landmarks: points must be numbers"),
    "none": ([], [], "there are no landmarks"),
}


@pytest.mark.parametrize(("fixed", "moving", "says"), WRONG_LANDMARKS.values(), ids=WRONG_LANDMARKS)
def test_score_landmarks_refuses_wrong_landmarks(
    pair: PhantomPair, fixed: Any, moving: Any, says: str
) -> None:
    with pytest.raises(stainbridge.InputError, match=f"^{says}"):
        stainbridge.score_landmarks(pair.truth, fixed, moving)


def test_score_landmarks_refuses_what_is_no_registration() -> None:
    matrix: Any = np.eye(3)
    with pytest.raises(stainbridge.InputError, match=r"^registration: not a registration"):
        stainbridge.score_landmarks(matrix, [[1, 2]], [[1, 2]])


def test_score_landmarks_of_a_failed_registration_raises() -> None:
    failed = stainbridge.register(PIXELS, PIXELS, "fast")
    with pytest.raises(stainbridge.RegistrationError, match="no tissue found"):
        stainbridge.score_landmarks(failed, [[1, 2]], [[1, 2]])


@dataclass(frozen=True)
class Made:
    """What misuse is tried on."""

    registration: stainbridge.Registration
    slide: stainbridge.Slide
    space: stainbridge.Space


@pytest.fixture(scope="module")
def made(pair: PhantomPair) -> Made:
    """A registration whose transform is the truth; a slide; a plane."""
    registration = stainbridge.Registration(
        fixed=pair.fixed.frame,
        moving=pair.moving.frame,
        status="ok",
        reason="",
        stages=(),
        seconds=1.0,
        predicted_rtre=0.001,
        seed=0,
        config={},
        solution=pair.truth.to_field(pair.fixed.frame.fit(64)),
        fixed_source=pair.fixed,
        moving_source=pair.moving,
    )
    return Made(registration, pair.moving, pair.fixed.frame.space)


#: Pictures, words and numbers that used to be taken for something else.
MISUSES: dict[str, tuple[Callable[[Any], object], str]] = {
    "no such crop": (
        lambda made: made.registration.warp_slide(crop="all"),
        "no such crop; expected fixed | overlap | moving; got all",
    ),
    "no such interpolation of a slide": (
        lambda made: made.registration.warp_slide(interpolation="cubik"),
        "no such interpolation; expected linear | cubic | nearest; got cubik",
    ),
    "no such interpolation of a picture": (
        lambda made: made.registration.warp_image(np.ones((64, 64)), interpolation="x"),
        "no such interpolation",
    ),
    "an array to warp as slide": (
        lambda made: made.registration.warp_slide(PIXELS),
        "moving: not a slide.*warp_image warps an array",
    ),
    "an array of one axis": (
        lambda made: made.registration.warp_image(np.ones(9)),
        "image: not a picture",
    ),
    "an empty array": (
        lambda made: made.registration.warp_image(np.ones((0, 0))),
        "image: not a picture",
    ),
    "a picture of another shape": (
        lambda made: made.registration.warp_image(np.ones((64, 128))),
        "image: the picture does not have the moving slide's shape",
    ),
    "no such slide": (
        lambda made: made.registration.open_slide("left"),
        "side: no such slide; expected fixed or moving; got left",
    ),
    "no picture": (lambda made: made.registration.overlay(0), "longest_px is too small"),
    "no squares": (
        lambda made: made.registration.checkerboard(64, across=0),
        "across: too few squares; expected at least 1; got 0",
    ),
    "a frame at no pixel size": (lambda made: made.space.frame.at_mpp(0), ".*must be positive"),
    "a frame turned round": (lambda made: made.space.frame.at_mpp(-1.0), ".*must be positive"),
    "a space of one pixel size": (
        lambda _: stainbridge.Space("he", 10, 10, 0.5),  # type: ignore[arg-type]
        "he: pixel size must be a pair of numbers",
    ),
    "a matrix of text": (
        lambda made: stainbridge.Affine([["a"]], made.space, made.space),  # type: ignore[arg-type]
        "matrix: not an array of numbers",
    ),
    "a field of another shape": (
        lambda made: stainbridge.DisplacementField(
            [[1.0]],  # type: ignore[arg-type]
            made.space.frame,
            made.space,
            made.space,
        ),
        "displacement has the wrong shape",
    ),
    "an array to write": (
        lambda _: stainbridge.write_slide(PIXELS, "he.tiff"),  # type: ignore[arg-type]
        "slide: not a slide.*as_slide makes one",
    ),
    "no such reduction": (
        lambda made: stainbridge.write_slide(made.slide, "he.tiff", reduction="max"),
        "no such reduction; expected mean | nearest; got max",
    ),
    "points of three columns to write": (
        lambda _: stainbridge.write_points_csv("he.csv", np.ones((2, 3))),
        "points_px: points have the wrong shape",
    ),
    "too few labels": (
        lambda _: stainbridge.write_points_csv("he.csv", np.ones((2, 2)), ["a"]),
        "labels: one label per point; expected 2; got 1",
    ),
    "no stage": (
        lambda _: stainbridge.RegisterConfig().with_stage("affine"),  # type: ignore[arg-type]
        "no such stage; expected .*; got affine",
    ),
}


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(("misuse", "says"), MISUSES.values(), ids=MISUSES)
def test_wrong_words_and_shapes_are_refused(
    made: Made, misuse: Callable[[Made], object], says: str
) -> None:
    says = says.replace(" | ", r" \| ")
    with pytest.raises(stainbridge.InputError, match=f"^{says}") as raised:
        misuse(made)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("dtype", [bool, np.int32, np.int64, np.uint8])
def test_masks_and_labels_keep_their_type(made: Made, dtype: type[Any]) -> None:
    labels = np.zeros((64, 64), dtype)
    labels[16:48, 16:48] = 1
    warped = made.registration.warp_image(labels, interpolation="nearest")
    assert warped.dtype == dtype
    assert set(np.unique(warped).tolist()) == {0, 1}


def test_lists_are_matrices(made: Made) -> None:
    shift: Any = [[1, 0, 5], [0, 1, 0], [0, 0, 1]]
    affine = stainbridge.Affine(shift, made.space, made.space)
    np.testing.assert_array_equal(affine(np.array([[1.0, 2.0]])), [[6.0, 2.0]])


def test_values_print_as_one_line(pair: PhantomPair, made: Made) -> None:
    field = made.registration.transform
    image = pair.fixed.read(pair.fixed.frame.fit(32))
    values = [pair, pair.fixed, pair.truth, field, field.inverse(), pair.fixed_landmarks, image]
    for value in [*values, made.registration, made.space, made.space.frame]:
        assert "\n" not in repr(value)
        assert len(repr(value)) < 200
