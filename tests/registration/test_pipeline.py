"""The whole pipeline: right on pairs with a known answer, and failed where there is none."""

from __future__ import annotations

import gc
import weakref
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from tests.nn.networks import TINY
from tests.registration.networks import (
    CPU,
    SMALL_AFFINE,
    ShiftNetwork,
    constant_affine,
    start_before,
)
from tests.registration.quick import QUICK, draw_faint_pair, draw_small_pair, render_pair
from tests.registration.states import make_problem, must_read
from tests.registration.training.sections import section as draw_section

from stainbridge.errors import InputError, RegistrationError
from stainbridge.geometry.frame import Frame
from stainbridge.geometry.transform import Affine, Transform
from stainbridge.imaging.image import Image
from stainbridge.learn.checkpoint import Checkpoint, save_weights
from stainbridge.phantom.pairs.pair import PhantomPair, generate_pair
from stainbridge.registration.config import (
    AffineConfig,
    DeformableConfig,
    LearnedAffineConfig,
    LearnedFieldConfig,
    RegisterConfig,
    SearchConfig,
    TileRefinementConfig,
)
from stainbridge.registration.pipeline import register_slides
from stainbridge.registration.result import Registration
from stainbridge.registration.sections.section import Section, read_section
from stainbridge.registration.sections.views import frame_tissue
from stainbridge.registration.stages.affine import AffineStage
from stainbridge.registration.stages.deformable import DeformableStage
from stainbridge.registration.stages.learned_affine import LearnedAffine, LearnedAffineStage
from stainbridge.registration.stages.learned_field import LearnedField, LearnedFieldStage
from stainbridge.registration.stages.search import SearchStage
from stainbridge.registration.training.config import AffineTraining, DeformableTraining, PairsConfig
from stainbridge.registration.training.task import AffineTask, DeformableTask
from stainbridge.registration.verdict.evidence import Evidence
from stainbridge.registration.verdict.judge import Verdict, load_calibration
from stainbridge.registration.verdict.verification import measure_folded_share
from stainbridge.slides.mapped import MappedSlide
from stainbridge.slides.memory import ArraySlide
from stainbridge.slides.slide import Slide, SlideInfo


@pytest.fixture(scope="module")
def pair() -> PhantomPair:
    return render_pair(
        generate_pair(
            seed=3, size_px=768, mpp=6.0, moving_stain="Ki67", rotation_deg=140.0, flip=True
        )
    )


@pytest.fixture(scope="module")
def small_pair() -> PhantomPair:
    return draw_small_pair()


def median_rtre(pair: PhantomPair, transform: Transform) -> float:
    moved = transform(pair.fixed_landmarks.points_um)
    error_um = np.linalg.norm(moved - pair.moving_landmarks.points_um, axis=1)
    return float(np.median(error_um) / pair.moving.frame.diagonal_um)


def test_turned_mirrored_torn_tissue_in_another_stain_is_registered(pair: PhantomPair) -> None:
    reports: list[tuple[str, float]] = []
    result = register_slides(
        pair.fixed,
        pair.moving,
        RegisterConfig.preset("fast"),
        progress=lambda *report: reports.append(report),
    )
    assert result.status in ("ok", "fallback"), result.reason
    assert median_rtre(pair, result.transform) < 0.01
    assert measure_folded_share(result.transform, pair.fixed.frame.fit(256)) == 0
    assert result.evidence is not None
    assert result.evidence.share > 0.5 > result.evidence.area_spread
    assert 0 < result.predicted_rtre <= result.bound_rtre
    fractions = [fraction for _, fraction in reports]
    assert fractions == sorted(fractions)
    assert [stage.name for stage in result.stages] == ["prepare", "search", "affine", "deformable"]


def test_the_same_seed_gives_the_same_answer(small_pair: PhantomPair) -> None:
    points = small_pair.fixed_landmarks.points_um
    first, second = (register_slides(small_pair.fixed, small_pair.moving, QUICK) for _ in range(2))
    np.testing.assert_allclose(first.transform(points), second.transform(points), atol=1e-3)


def test_nothing_of_the_slides_is_kept_afterwards(
    small_pair: PhantomPair, monkeypatch: pytest.MonkeyPatch
) -> None:
    sections: list[weakref.ref[Section]] = []

    def read_and_watch(*arguments: Any) -> Section:
        section = read_section(*arguments)
        assert section is not None
        sections.append(weakref.ref(section))
        return section

    monkeypatch.setattr("stainbridge.registration.pipeline.read_section", read_and_watch)
    result = register_slides(small_pair.fixed, small_pair.moving, QUICK)
    gc.collect()
    assert result.transform is not None
    assert len(sections) == 2
    assert [section() for section in sections] == [None, None]


FAST = RegisterConfig.preset("fast")
PLACEMENT_ONLY = QUICK.without_stage(DeformableConfig)
#: A search that looks in one direction only.
BLIND = SearchConfig(angles=1, scales=1, candidates=1, hypotheses=1, features_px=64)


def test_where_a_search_does_not_convince_another_one_may(small_pair: PhantomPair) -> None:
    reports: list[tuple[str, float]] = []
    once = replace(QUICK.with_stage(BLIND), second_search=None)
    twice = replace(once, second_search=QUICK.find_stage(SearchConfig))
    assert register_slides(small_pair.fixed, small_pair.moving, once).status == "failed"
    result = register_slides(
        small_pair.fixed, small_pair.moving, twice, progress=lambda *report: reports.append(report)
    )
    assert result.status == "ok", result.reason
    assert median_rtre(small_pair, result.transform) < 0.01
    names = [stage.name for stage in result.stages]
    assert names == ["prepare", "first search", "search", "affine", "deformable"]
    assert not result.stages[1].accepted
    fractions = [fraction for _, fraction in reports]
    assert fractions == sorted(fractions)


def test_a_second_search_that_finds_nothing_better_changes_nothing(small_pair: PhantomPair) -> None:
    def doubt(evidence: Evidence) -> Verdict:
        return replace(load_calibration()(evidence), status="fallback")

    narrow = replace(PLACEMENT_ONLY, second_search=BLIND, local_contrast=False)
    once, twice = (
        register_slides(small_pair.fixed, small_pair.moving, config, judge=doubt)
        for config in (replace(narrow, second_search=None), narrow)
    )
    names = [stage.name for stage in twice.stages]
    assert names == ["prepare", "search", "affine", "second search"]
    assert not twice.stages[-1].accepted
    points = small_pair.fixed_landmarks.points_um
    np.testing.assert_allclose(once.transform(points), twice.transform(points), atol=1e-3)


def test_a_given_transform_replaces_the_search(small_pair: PhantomPair) -> None:
    points = small_pair.fixed_landmarks.points_um
    homogeneous = np.c_[points, np.ones(len(points))]
    rows = np.linalg.lstsq(homogeneous, small_pair.moving_landmarks.points_um, rcond=None)[0].T
    matrix = np.vstack([rows, [0, 0, 1]])
    start = Affine(matrix, small_pair.fixed.frame.space, small_pair.moving.frame.space)
    result = register_slides(small_pair.fixed, small_pair.moving, QUICK, initial_transform=start)
    assert median_rtre(small_pair, result.transform) < 0.01


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_refused(small_pair: PhantomPair) -> None:
    with pytest.raises(InputError, match="no CUDA device"):
        register_slides(small_pair.fixed, small_pair.moving, RegisterConfig(device="cuda"))


def test_a_blank_slide_fails_with_its_name() -> None:
    tissue = generate_pair(seed=1, size_px=256, mpp=16.0).fixed
    blank = ArraySlide(np.full((3, 300, 300), 244, np.uint8))
    result = register_slides(tissue, blank, RegisterConfig.preset("fast"))
    assert result.status == "failed"
    assert "moving" in result.reason
    with pytest.raises(RegistrationError, match="no tissue"):
        _ = result.transform


def test_slides_of_different_tissues_fail() -> None:
    fixed = generate_pair(seed=11, size_px=512, mpp=8.0, tear=False).fixed
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:500, :420] / 400 - 0.5
    stripes = 120 + 80 * np.sin(25 * x + 9 * np.sin(4 * y)) + rng.normal(0, 10, y.shape)
    other = np.where(np.maximum(abs(x), abs(y)) < 0.45, stripes, 240)
    moving = ArraySlide(np.repeat(other[None].astype(np.uint8), 3, 0))
    result = register_slides(fixed, moving, QUICK.with_stage(TileRefinementConfig()))
    assert result.status == "failed"
    assert result.solution is None
    names = {stage.name for stage in result.stages}
    assert {"first search", "second search"} & names  # not given up at once
    assert "tiles" not in names  # there is nothing to refine


@pytest.fixture(scope="module")
def placement(small_pair: PhantomPair) -> Affine:
    """What the stages without a deformation find on the small pair."""
    result = register_slides(small_pair.fixed, small_pair.moving, PLACEMENT_ONLY)
    assert isinstance(result.transform, Affine)
    return result.transform


def test_faint_tissue_is_found_by_its_local_contrast() -> None:
    pair = draw_faint_pair()
    without = QUICK.with_options(local_contrast=False)
    assert register_slides(pair.fixed, pair.moving, without).status == "failed"
    reports: list[tuple[str, float]] = []
    result = register_slides(
        pair.fixed, pair.moving, QUICK, progress=lambda *report: reports.append(report)
    )
    assert result.status == "ok", result.reason
    assert result.reason.endswith("seen by local contrast")
    assert median_rtre(pair, result.transform) < 0.01
    prepared, first, *others = result.stages
    assert (prepared.name, first.name, first.accepted) == ("prepare", "tissue density", False)
    assert "may not belong together" in first.note
    assert first.seconds > prepared.seconds
    assert [stage.name for stage in others] == ["search", "affine", "deformable"]
    fractions = [fraction for _, fraction in reports]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0


def test_a_second_look_that_does_not_convince_changes_nothing(small_pair: PhantomPair) -> None:
    def doubt(evidence: Evidence) -> Verdict:
        return replace(load_calibration()(evidence), status="fallback", bound=0.1)

    first, both = (
        register_slides(
            small_pair.fixed,
            small_pair.moving,
            QUICK.with_options(local_contrast=looks_twice, second_search=None),
            judge=doubt,
        )
        for looks_twice in (False, True)
    )
    assert both.status == "fallback"
    assert [stage.name for stage in both.stages[:-1]] == [stage.name for stage in first.stages]
    assert both.stages[-1].name == "local contrast"
    assert both.seconds > first.seconds
    points = small_pair.fixed_landmarks.points_um
    np.testing.assert_array_equal(both.transform(points), first.transform(points))


def test_untrained_networks_leave_the_classical_result(
    small_pair: PhantomPair, tmp_path: Path
) -> None:
    network = constant_affine(np.array([[1, 0.5, 0.1], [0, 1, 0]]))
    affine = AffineTask(
        AffineTraining(network=SMALL_AFFINE, pairs=PairsConfig(section_px=(96, 96)))
    )
    affine.network.load_state_dict(network.state_dict())
    deformable = DeformableTask(
        DeformableTraining(network=TINY["unet-svf"], pairs=PairsConfig(section_px=(128, 128)))
    )
    save_weights(tmp_path / "affine.safetensors", affine, Checkpoint())
    save_weights(tmp_path / "deformable.safetensors", deformable, Checkpoint())
    deformable_path = str(tmp_path / "deformable.safetensors")
    config = QUICK.with_stage(LearnedAffineConfig(str(tmp_path / "affine.safetensors")))
    config = config.with_stage(LearnedFieldConfig(deformable_path))
    plain, tried = (
        register_slides(small_pair.fixed, small_pair.moving, each) for each in (QUICK, config)
    )
    stages = {stage.name: stage for stage in tried.stages}
    assert list(stages) == [
        "prepare",
        "search",
        "affine-net",
        "affine",
        "learned field",
        "deformable",
    ]
    assert not stages["affine-net"].accepted
    assert not stages["learned field"].accepted
    assert stages["learned field"].config["weights"] == deformable_path
    points = small_pair.fixed_landmarks.points_um
    assert tried.status == plain.status
    np.testing.assert_allclose(tried.transform(points), plain.transform(points), atol=1e-3)


def test_missing_weights_end_a_registration_before_it_begins(small_pair: PhantomPair) -> None:
    config = QUICK.with_stage(LearnedAffineConfig("no-such-name"))
    with pytest.raises(InputError, match="no weights of that name"):
        register_slides(small_pair.fixed, small_pair.moving, config)


def test_an_accepted_network_stands_alone_where_nothing_is_to_follow(
    small_pair: PhantomPair, placement: Affine
) -> None:
    nudge = np.array([[1.02, 0.02, 0.0], [-0.03, 0.99, 0.0]])
    fixed = must_read(small_pair.fixed, 256)
    matrix = placement.matrix @ start_before(nudge, fixed)
    worse = Affine(matrix, placement.source, placement.target)
    network = LearnedAffineStage(
        LearnedAffineConfig(passes=1, finer=0, refine=False),
        LearnedAffine(constant_affine(nudge), 96, CPU),
    )
    affine = PLACEMENT_ONLY.find_stage(AffineConfig)
    assert affine is not None
    result = register_slides(
        small_pair.fixed,
        small_pair.moving,
        PLACEMENT_ONLY,
        initial_transform=worse,
        stages=[SearchStage(SearchConfig()), network, AffineStage(affine)],
    )
    assert [stage.name for stage in result.stages] == ["prepare", "search", "affine-net"]
    points = small_pair.fixed_landmarks.points_um
    assert result.status != "failed", result.reason
    np.testing.assert_allclose(result.transform(points), placement(points), atol=30.0)


def test_points_follow_a_field_that_nothing_comes_after(
    small_pair: PhantomPair, placement: Affine
) -> None:
    """Points are in full-resolution pixels, fields are found on overviews."""
    fixed = must_read(small_pair.fixed, 256)
    left = np.eye(3)
    left[0, 2] = -7.0 * frame_tissue(fixed, 96).mpp[0]
    start = Affine(placement.matrix @ left, placement.source, placement.target)
    field = LearnedFieldStage(
        LearnedFieldConfig(optimise=None), LearnedField(ShiftNetwork(4.0), 96, None, CPU)
    )
    frozen = AffineConfig(sizes_px=(64, 128), steps=(1, 1), survivors=(4, 1), varied=0)
    result = register_slides(
        small_pair.fixed,
        small_pair.moving,
        QUICK,
        initial_transform=start,
        judge=lambda _: Verdict("ok", "", 0.01, 0.01),
        stages=[
            SearchStage(SearchConfig()),
            AffineStage(frozen),
            field,
            DeformableStage(DeformableConfig()),
        ],
    )
    assert result.stages[-1].name == "learned field"
    assert result.stages[-1].accepted, result.stages
    expected = small_pair.fixed_landmarks.points_px
    warped = result.warp_points(small_pair.moving_landmarks.points_px)
    assert np.median(np.linalg.norm(warped - expected, axis=1)) < 8.0


def test_own_turns_take_the_place_of_the_search(small_pair: PhantomPair) -> None:
    network = LearnedAffineStage(
        LearnedAffineConfig(angles=36, keep=6),
        LearnedAffine(constant_affine(np.eye(2, 3)), 96, CPU),
    )
    search = QUICK.find_stage(SearchConfig)
    affine = QUICK.find_stage(AffineConfig)
    assert search is not None
    assert affine is not None
    result = register_slides(
        small_pair.fixed,
        small_pair.moving,
        PLACEMENT_ONLY,
        stages=[network, SearchStage(search), network, AffineStage(affine)],
    )
    names = [stage.name for stage in result.stages]
    assert names in (
        ["prepare", "affine-net", "affine"],
        ["prepare", "affine-net", "search", "affine-net", "affine"],
    )
    assert result.stages[1].accepted == (len(names) == 3)
    assert result.status != "failed", result.reason


def test_an_untrusted_result_of_own_turns_is_tried_again_from_a_search() -> None:
    problem = make_problem(draw_section(), draw_section(0, "moving"))
    network = LearnedAffineStage(
        LearnedAffineConfig(angles=8, finer=0),
        LearnedAffine(constant_affine(np.eye(2, 3)), 96, CPU),
    )
    result = register_slides(
        *problem.slides,
        RegisterConfig(working_px=160, second_search=BLIND),
        judge=lambda _: Verdict("fallback", "", 0.01, 0.01),
        stages=[network, SearchStage(BLIND), network],
    )
    names = [stage.name for stage in result.stages]
    assert names == ["prepare", "affine-net", "second search"]
    assert result.stages[2].config["chart_px"] == BLIND.chart_px  # it began with the search


def invert(image: Image) -> Image:
    """Return the image with its colours inverted."""
    return replace(image, pixels=255 - image.pixels)


@dataclass(eq=False)
class Recording:
    """Inverts colours, and notes the frames that it was called with."""

    frames: list[Frame] = field(default_factory=list)

    def __call__(self, image: Image) -> Image:
        assert image.pixels.shape[1:] == (image.frame.height, image.frame.width)
        self.frames.append(image.frame)
        return invert(image)


class RecordingSlide(MappedSlide):
    """A slide with inverted colours that notes the frames that are read."""

    def __init__(self, slide: Slide) -> None:
        super().__init__(slide, invert)
        self.own_info = slide.info
        self.frames: list[Frame] = []

    @property
    def info(self) -> SlideInfo:
        return self.own_info  # found without a read

    def read(self, frame: Frame) -> Image:
        self.frames.append(frame)
        return super().read(frame)


#: Stages that read slides in three ways: as sections, in tiles, and to verify these.
WITH_TILES = RegisterConfig(
    working_px=160,
    threads=1,
    second_search=None,
    stages=(
        SearchConfig(angles=12),
        AffineConfig(sizes_px=(64,), steps=(5,), survivors=(1,), varied=0),
        TileRefinementConfig(
            longest_px=320, tile_px=160, blend_px=16, steps=(2, 2, 2), radius=8, window_step=4
        ),
    ),
)


def draw_large(name: str) -> ArraySlide:
    """Draw a section of 160 px on a slide of 320 px."""
    pixels = draw_section().read(draw_section().frame).pixels
    large = [cv2.resize(plane, (320, 320), interpolation=cv2.INTER_CUBIC) for plane in pixels]
    return ArraySlide(np.stack(large), 1.0, name, "HE")


def collect_outcome(registration: Registration) -> tuple[Any, ...]:
    """Return what a registration found, to the last bit."""
    points = registration.fixed.fit(20).centres_um()
    scores = [(stage.name, stage.score_before, stage.score_after) for stage in registration.stages]
    return registration.transform(points).tobytes(), scores, repr(registration.evidence)


@pytest.mark.parametrize("side", ["fixed", "moving"])
def test_a_translation_is_applied_to_every_read_of_its_slide(side: str) -> None:
    slides = {name: draw_large(name) for name in ("fixed", "moving")}
    plain = register_slides(slides["fixed"], slides["moving"], WITH_TILES)
    assert plain.stages[-1].name == "tiles"
    inverted = RecordingSlide(slides[side])
    translation = Recording()
    options: dict[str, Any] = {f"{side}_translation": translation}
    both = slides | {side: inverted}
    translated = register_slides(both["fixed"], both["moving"], WITH_TILES, **options)
    assert collect_outcome(translated) == collect_outcome(plain)
    # what was read is what was translated: a coarse read maps a coarse read
    assert translation.frames == inverted.frames
    overviews = [
        frame for frame in translation.frames if frame.size_um == slides[side].frame.size_um
    ]
    assert {max(frame.width, frame.height) for frame in overviews} <= {64, 160, 320}
    assert max(frame.width for frame in translation.frames) <= 384
    finest = min(frame.mpp[0] for frame in translation.frames)
    assert finest == pytest.approx(1.0)  # the tiles were read at full resolution


def test_a_translated_overview_reads_no_more_than_an_overview() -> None:
    fixed = draw_large("fixed")
    moving = RecordingSlide(draw_large("moving"))
    translation = Recording()
    coarse = RegisterConfig(working_px=64, second_search=None, stages=WITH_TILES.stages[:2])
    register_slides(fixed, moving, coarse, moving_translation=translation)
    assert translation.frames
    assert translation.frames == moving.frames
    assert max(frame.width for frame in translation.frames) == 64


def test_the_transform_is_between_the_slides_themselves() -> None:
    fixed = draw_large("fixed")
    moving = RecordingSlide(draw_large("moving"))
    result = register_slides(fixed, moving, WITH_TILES, moving_translation=invert)
    assert result.moving == moving.frame
    assert result.transform.target == moving.frame.space
