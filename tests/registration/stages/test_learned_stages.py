"""Networks in the pipeline: what helps is kept, what does not is not, and the records say so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from stainbridge.registration.stages.learned_stages import (
    AffineStage,
    FieldStage,
    Networks,
    carried,
    deform_from,
    turned_starts,
)
from tests.nn.networks import TINY
from tests.registration.training.sections import section
from torch import nn

from stainbridge.errors import InputError
from stainbridge.geometry.transform import Affine, Chain, DisplacementField
from stainbridge.learn.checkpoint import Checkpoint, save_weights
from stainbridge.nn.affine_net import AffineNet, AffineNetConfig
from stainbridge.nn.fields import DeformableNet, Fields, Term
from stainbridge.phantom.pairs.pair import PhantomPair, generate_pair
from stainbridge.registration.config import (
    AffineConfig,
    DeformableConfig,
    LearnedAffineConfig,
    LearnedFieldConfig,
    RegisterConfig,
)
from stainbridge.registration.pipeline import register_slides
from stainbridge.registration.sections.section import Section, read_section
from stainbridge.registration.sections.views import frame_tissue
from stainbridge.registration.stages.learned_affine import LearnedAffine
from stainbridge.registration.stages.learned_field import LearnedField
from stainbridge.registration.stages.search import Hypothesis
from stainbridge.registration.training.config import AffineTraining, DeformableTraining, PairsConfig
from stainbridge.registration.training.task import AffineTask, DeformableTask
from stainbridge.registration.verdict.judge import Verdict
from stainbridge.registration.verdict.verification import similarity

CPU = torch.device("cpu")
SMALL = AffineNetConfig(patch_px=32, widths=(8, 16), features=16, groups=4, patch_pool=2, pool=2)
TURN = np.array([[0.96, -0.1, 0.05], [0.12, 1.03, -0.04]])
#: A registration that takes a second.
QUICK = replace(
    RegisterConfig.preset("fast"),
    working_px=256,
    affine=AffineConfig(sizes_px=(64, 128), steps=(20, 15), keep=(4, 1), varied=1),
    deformable=DeformableConfig(sizes_px=(128,), steps=(15,), symmetric=False),
)


def of(slide: object) -> Section:
    found = read_section(slide, 160)  # type: ignore[arg-type]
    assert found is not None
    return found


SLIDES = section(), section(0, "moving")


@pytest.fixture(scope="module")
def fixed() -> Section:
    return of(SLIDES[0])


@pytest.fixture(scope="module")
def moving() -> Section:
    """The same section on another slide."""
    return of(SLIDES[1])


def saying(matrix: np.ndarray) -> AffineNet:
    network = AffineNet(SMALL).eval()
    last = network.regress[-1]
    assert isinstance(last, nn.Linear)
    nn.init.zeros_(last.weight)
    with torch.no_grad():
        last.bias.copy_(torch.tensor(matrix - np.eye(2, 3)).flatten())
    return network


def undoing(matrix: np.ndarray, fixed: Section) -> np.ndarray:
    """The start, in µm, that a network which says `matrix` puts right."""
    view = frame_tissue(fixed, 96)
    half, (x, y) = max(view.size_um) / 2, view.centre_um
    unit = np.array([[1 / half, 0, -x / half], [0, 1 / half, -y / half], [0, 0, 1.0]])
    found: np.ndarray = np.linalg.inv(np.linalg.inv(unit) @ np.vstack([matrix, [0, 0, 1]]) @ unit)
    return found


def test_an_affine_map_that_helps_is_kept(fixed: Section, moving: Section) -> None:
    stage = AffineStage(
        LearnedAffine(saying(TURN), 96, CPU), LearnedAffineConfig(passes=1, finer=0)
    )
    far = np.array([[1, 0, 60.0], [0, 1, 0], [0, 0, 1]])
    found, record = stage(
        fixed, moving, [Hypothesis(far, 0.5), Hypothesis(undoing(TURN, fixed), 0.4)]
    )
    assert np.allclose(found[0].matrix, np.eye(3), atol=1e-5)
    assert len(found) == 2
    assert (record.name, record.accepted, record.note) == ("affine-net", True, "")
    assert record.score_after > record.score_before


def test_finer_passes_go_on_from_the_best_at_twice_the_resolution(
    fixed: Section, moving: Section
) -> None:
    network = LearnedAffine(AffineNet(replace(SMALL, correlation=5)).eval(), 96, CPU)
    start = Affine(np.eye(3), fixed.frame.space, moving.frame.space).matrix.copy()
    start[:2, 2] = 5 * frame_tissue(fixed, 96).mpp[0], -3 * frame_tissue(fixed, 96).mpp[0]
    errors = []
    for finer in (0, 2):
        stage = AffineStage(network, LearnedAffineConfig(passes=1, finer=finer))
        found = stage.found(fixed, moving, [Hypothesis(start, 0.0)])[0]
        corners = fixed.frame.fit(2).centres_um()
        errors.append(
            float(
                np.abs(
                    Affine(found.matrix, fixed.frame.space, moving.frame.space)(corners) - corners
                ).max()
            )
        )
    assert errors[1] < errors[0] < 5 * frame_tissue(fixed, 96).mpp[0]


def test_an_affine_map_that_does_not_help_is_not_kept(fixed: Section, moving: Section) -> None:
    stage = AffineStage(
        LearnedAffine(saying(TURN), 96, CPU), LearnedAffineConfig(passes=1, finer=0)
    )
    starts = [Hypothesis(np.eye(3), 0.5)]
    found, record = stage(fixed, moving, starts)
    assert found == starts
    assert not record.accepted
    assert record.note == "no better than the best start"
    assert record.score_after < record.score_before


def test_own_starts_go_all_round_within_the_limit(fixed: Section, moving: Section) -> None:
    starts = turned_starts(fixed, moving, 24, (False, True), 180)
    assert len(starts) == 48
    maps = [Affine(start.matrix, fixed.frame.space, moving.frame.space) for start in starts]
    assert sum(found.flip for found in maps) == 24
    for found in maps:
        assert np.allclose(found(np.array([fixed.centre_um])), [moving.centre_um])
    near = turned_starts(fixed, moving, 24, (False,), 30)
    degrees = sorted(
        round(Affine(start.matrix, fixed.frame.space, moving.frame.space).rotation_deg)
        for start in near
    )
    assert degrees == [-30, -15, 0, 15, 30]


def test_own_starts_of_unknown_sizes_have_one_area(fixed: Section, moving: Section) -> None:
    unknown = replace(
        moving, frame=replace(moving.frame, space=replace(moving.frame.space, calibrated=False))
    )
    (start,) = turned_starts(fixed, unknown, 1, (False,), 180)
    assert np.linalg.det(start.matrix) == pytest.approx(moving.area_um2 / fixed.area_um2)


def test_own_starts_that_leave_doubt_are_dropped(fixed: Section, moving: Section) -> None:
    stage = AffineStage(LearnedAffine(saying(np.eye(2, 3)), 96, CPU), LearnedAffineConfig(angles=8))
    found, record = stage.turned(fixed, moving, RegisterConfig(), lambda _: "")
    assert record.accepted
    assert np.allclose(found[0].matrix, np.eye(3), atol=0.05 * fixed.radius_um)
    nothing, record = stage.turned(
        fixed, moving, RegisterConfig(), lambda _: "no better than chance"
    )
    assert nothing == []
    assert (record.accepted, record.note) == (False, "no better than chance")


class Shift(DeformableNet):
    """So many pixels to the right; with `fold` the right half of it jumps back."""

    period, reach = 8, 16

    def __init__(self, px: float, fold: bool = False) -> None:
        super().__init__()
        self.px, self.fold = px, fold

    def fields(self, fixed: torch.Tensor, moving: torch.Tensor) -> Fields:
        found = (
            torch.tensor([self.px, 0.0]).view(1, 2, 1, 1).repeat(len(fixed), 1, *fixed.shape[-2:])
        )
        if self.fold:
            found[..., fixed.shape[-1] // 2 :] -= 30
        return Fields(found, (Term(found),))


def shifted(fixed: Section, moving: Section, px: float) -> Affine:
    start = np.eye(3)
    start[0, 2] = -px * frame_tissue(fixed, 96).mpp[0]
    return Affine(start, fixed.frame.space, moving.frame.space)


def field_stage(network: DeformableNet, config: LearnedFieldConfig | None = None) -> FieldStage:
    return FieldStage(LearnedField(network, 96, None, CPU), config or LearnedFieldConfig())


@pytest.mark.parametrize("mpp", [None, 2.0])
def test_a_field_that_helps_is_kept(fixed: Section, moving: Section, mpp: float | None) -> None:
    px = 3.0 if mpp is None else 3.0 * frame_tissue(fixed, 96).mpp[0] / mpp
    start, slides = shifted(fixed, moving, 3), SLIDES
    before = similarity(fixed, moving, start)
    stage = field_stage(Shift(px), LearnedFieldConfig(mpp=mpp))
    field, record = stage((fixed, moving), slides, start, before)
    assert record.accepted
    assert field is not None
    assert record.score_after > before
    tissue = fixed.frame.centres_um()[fixed.region.ravel()]
    assert np.allclose(Chain((field, start))(tissue), tissue, atol=0.1)


@pytest.mark.parametrize(
    ("network", "note"), [(Shift(3.0), "no better"), (Shift(3.0, fold=True), "folds on")]
)
def test_a_field_that_folds_or_does_not_help_is_not(
    fixed: Section, moving: Section, network: DeformableNet, note: str
) -> None:
    start = shifted(fixed, moving, 0)
    before = similarity(fixed, moving, start) if note == "no better" else -1.0
    slides = SLIDES
    field, record = field_stage(network)((fixed, moving), slides, start, before)
    assert field is None
    assert not record.accepted
    assert note in record.note


def test_a_section_carried_over_lies_on_the_fixed_one(fixed: Section, moving: Section) -> None:
    half = fixed.frame.fit(80)
    step = np.full((2, half.height, half.width), 4.0, np.float32)
    field = DisplacementField(step, half, fixed.frame.space, fixed.frame.space)
    back = Affine(
        np.array([[1, 0, -4.0], [0, 1, -4.0], [0, 0, 1]]), fixed.frame.space, moving.frame.space
    )
    over = carried(moving, Chain((field, back)), fixed)
    assert over.frame == fixed.frame
    assert np.abs(over.density - fixed.density).mean() < 0.01
    assert (over.region == fixed.region).mean() > 0.99


def test_optimisation_goes_on_from_a_field(fixed: Section, moving: Section) -> None:
    start, px = shifted(fixed, moving, 5), 4.0
    field = field_stage(Shift(px)).network.of_sections(fixed, moving, start)
    config = DeformableConfig(sizes_px=(96,), steps=(30,), symmetric=False)
    found = deform_from(fixed, moving, start, field, config)
    tissue = fixed.frame.centres_um()[fixed.region.ravel()]
    left = [
        float(np.median(np.hypot(*(Chain((bend, start))(tissue) - tissue).T)))
        for bend in (field, found.field)
    ]
    assert left[1] < 0.5 * left[0]


def save(folder: Path, network: AffineNet | None = None) -> tuple[str, str]:
    affine = AffineTask(AffineTraining(network=SMALL, pairs=PairsConfig(section_px=(96, 96))))
    if network is not None:
        affine.network.load_state_dict(network.state_dict())
    deformable = DeformableTask(
        DeformableTraining(network=TINY["unet-svf"], pairs=PairsConfig(section_px=(128, 128)))
    )
    paths = folder / "affine.safetensors", folder / "deformable.safetensors"
    for path, task in zip(paths, (affine, deformable), strict=True):
        save_weights(path, task, Checkpoint())
    return str(paths[0]), str(paths[1])


@pytest.fixture(scope="module")
def pair() -> PhantomPair:
    return generate_pair(
        seed=3, size_px=320, mpp=14.0, moving_stain="Ki67", rotation_deg=140.0, flip=True
    )


def test_untrained_networks_leave_the_classical_result(pair: PhantomPair, tmp_path: Path) -> None:
    affine, deformable = save(tmp_path, saying(np.array([[1, 0.5, 0.1], [0, 1, 0]])))
    config = replace(
        QUICK,
        learned_affine=LearnedAffineConfig(affine),
        learned_field=LearnedFieldConfig(deformable),
    )
    plain, tried = (
        register_slides(pair.fixed, pair.moving, QUICK),
        register_slides(pair.fixed, pair.moving, config),
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
    assert stages["learned field"].config["weights"] == deformable
    points = pair.fixed_landmarks.points_um
    assert tried.status == plain.status
    np.testing.assert_allclose(tried.transform(points), plain.transform(points), atol=1e-3)


def test_accepted_networks_stand_alone_where_nothing_is_to_follow(
    pair: PhantomPair, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = replace(QUICK, deformable=None)
    start = register_slides(pair.fixed, pair.moving, config).transform
    nudge = np.array([[1.02, 0.02, 0.0], [-0.03, 0.99, 0.0]])
    one = read_section(pair.fixed, 256)
    assert one is not None
    assert isinstance(start, Affine)
    worse = Affine(
        start.matrix @ undoing(nudge, one), pair.fixed.frame.space, pair.moving.frame.space
    )
    learned = AffineStage(
        LearnedAffine(saying(nudge), 96, CPU), LearnedAffineConfig(passes=1, finer=0, refine=False)
    )
    monkeypatch.setattr(
        "stainbridge.registration.pipeline.Networks.of", lambda *_: Networks(learned, None)
    )
    found = register_slides(pair.fixed, pair.moving, config, start=worse)
    assert [stage.name for stage in found.stages] == ["prepare", "search", "affine-net"]
    points = pair.fixed_landmarks.points_um
    assert found.status != "failed", found.reason
    np.testing.assert_allclose(found.transform(points), start(points), atol=30.0)


def test_points_follow_a_field_that_nothing_comes_after(
    pair: PhantomPair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Points are in full-resolution pixels, fields are found on overviews."""
    one = read_section(pair.fixed, 256)
    assert one is not None
    start = register_slides(pair.fixed, pair.moving, replace(QUICK, deformable=None)).transform
    assert isinstance(start, Affine)
    apart = shifted(one, one, 7.0).then(start)
    stage = field_stage(Shift(4.0), LearnedFieldConfig(optimise=None))
    monkeypatch.setattr(
        "stainbridge.registration.pipeline.Networks.of", lambda *_: Networks(None, stage)
    )
    frozen = replace(QUICK, affine=replace(QUICK.affine, steps=(1, 1), varied=0), deformable=None)
    trusting = lambda _: Verdict("ok", "", 0.01, 0.01)  # noqa: E731
    found = register_slides(pair.fixed, pair.moving, frozen, start=apart, judge=trusting)
    assert found.stages[-1].name == "learned field"
    assert found.stages[-1].accepted, found.stages
    expected = pair.fixed_landmarks.points_px
    off = np.linalg.norm(found.warp_points(pair.moving_landmarks.points_px) - expected, axis=1)
    assert np.median(off) < 8.0


def test_own_starts_take_the_place_of_the_search(
    pair: PhantomPair, monkeypatch: pytest.MonkeyPatch
) -> None:
    learned = AffineStage(
        LearnedAffine(saying(np.eye(2, 3)), 96, CPU), LearnedAffineConfig(angles=36, keep=6)
    )
    monkeypatch.setattr(
        "stainbridge.registration.pipeline.Networks.of", lambda *_: Networks(learned, None)
    )
    found = register_slides(pair.fixed, pair.moving, replace(QUICK, deformable=None))
    names = [stage.name for stage in found.stages]
    assert names in (
        ["prepare", "affine-net", "affine"],
        ["prepare", "affine-net", "search", "affine-net", "affine"],
    )
    assert found.stages[1].accepted == (len(names) == 3)
    assert found.status != "failed", found.reason


def test_configurations_with_networks_go_to_yaml_and_back(tmp_path: Path) -> None:
    config = replace(
        QUICK,
        learned_affine=LearnedAffineConfig("a-run", angles=24),
        learned_field=LearnedFieldConfig(optimise=None),
    )
    file = tmp_path / "pipeline.yaml"
    file.write_text(config.to_yaml())
    assert RegisterConfig.from_yaml(file) == config


@pytest.mark.parametrize("wrong", [{"passes": 0}, {"keep": 0}, {"angles": -1}, {"finer": -1}])
def test_impossible_stages_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(InputError, match="learned_affine"):
        LearnedAffineConfig(**wrong)  # type: ignore[arg-type]


def test_an_impossible_resolution_is_refused() -> None:
    with pytest.raises(InputError, match="learned_field"):
        LearnedFieldConfig(mpp=0.0)


def test_missing_weights_end_a_registration_before_it_begins(pair: PhantomPair) -> None:
    config = replace(QUICK, learned_affine=LearnedAffineConfig("no-such-name"))
    with pytest.raises(InputError, match="no weights of that name"):
        register_slides(pair.fixed, pair.moving, config)
