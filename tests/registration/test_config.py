"""The configuration checks itself and survives YAML; the presets are what they were in 0.1."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from stainbridge.errors import InputError
from stainbridge.registration.config import (
    PRESETS,
    AffineConfig,
    DeformableConfig,
    LearnedAffineConfig,
    LearnedFieldConfig,
    MatchingConfig,
    RegisterConfig,
    SearchConfig,
    TileRefinementConfig,
)


def write(folder: Path, text: str) -> Path:
    path = folder / "pipeline.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_survives_yaml(name: str, tmp_path: Path) -> None:
    path = write(tmp_path, RegisterConfig.preset(name).to_yaml())
    assert RegisterConfig.from_yaml(path) == RegisterConfig.preset(name)


ALL_STAGES = (
    LearnedAffineConfig("a-run", angles=24),
    SearchConfig(angles=24),
    LearnedAffineConfig(finer=0, refine=False),
    AffineConfig(radius=9),
    LearnedFieldConfig(mpp=2.0, optimise=DeformableConfig(sizes_px=(96,), steps=(3,))),
    LearnedFieldConfig(optimise=None),
    DeformableConfig(similarity="ngf", matching=None),
    TileRefinementConfig(longest_px=2048),
)


def test_stages_of_every_kind_survive_yaml_in_their_order(tmp_path: Path) -> None:
    config = RegisterConfig(name="all", stages=ALL_STAGES, second_search=None)
    path = write(tmp_path, config.to_yaml())
    assert RegisterConfig.from_yaml(path) == config
    stages = yaml.safe_load(path.read_text())["stages"]
    assert [stage["kind"] for stage in stages] == [
        "learned-affine",
        "search",
        "learned-affine",
        "affine",
        "learned-field",
        "learned-field",
        "deformable",
        "tiles",
    ]
    assert next(iter(stages[1])) == "kind"  # whoever reads the file sees first what it is


def test_a_file_may_have_some_of_the_fields(tmp_path: Path) -> None:
    path = write(tmp_path, "seed: 4\nstages:\n- kind: search\n- {kind: affine, radius: 8}\n")
    expected = RegisterConfig(seed=4, stages=(SearchConfig(), AffineConfig(radius=8)))
    assert RegisterConfig.from_yaml(path) == expected


def test_the_deformable_stage_can_be_left_out(tmp_path: Path) -> None:
    path = write(tmp_path, "stages:\n- kind: search\n- kind: affine\n")
    assert RegisterConfig.from_yaml(path).find_stage(DeformableConfig) is None
    assert RegisterConfig.from_yaml(path) == RegisterConfig().without_stage(DeformableConfig)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("presset: fast", "unknown key"),
        ("stages:\n- kind: search\n- {kind: affine, stepz: [1]}", "unknown key"),
        ("seed: yes", "wrong type"),
        ("stages:\n- kind: search\n- {kind: affine, radius: wide}", "wrong type"),
        ("- 1\n- 2", "not a configuration"),
        ("a: [", "cannot be read"),
        ("max_rotation_deg: 200", "out of range"),
        ("device: tpu", "no such device"),
        ("stages:\n- kind: search\n- kind: magic", "unknown kind.*search.*tiles.*got magic"),
        ("stages:\n- angles: 3", "unknown kind"),
        ("stages:\n- search", "expected keys and values; got search"),
        (
            "stages:\n- kind: search\n- kind: deformable\n- kind: affine",
            "stages in the wrong order",
        ),
        ("stages:\n- kind: search\n- kind: tiles\n- kind: deformable", "in the wrong order"),
        ("stages:\n- kind: affine\n- kind: search", "must begin with a search"),
        ("stages:\n- kind: learned-affine", "must begin with a search"),
        ("stages: []", "must begin with a search"),
    ],
)
def test_a_bad_file_is_one_clear_line(text: str, says: str, tmp_path: Path) -> None:
    path = write(tmp_path, text)
    with pytest.raises(InputError, match=says) as caught:
        RegisterConfig.from_yaml(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "search:\n  angles: 36",
        "affine:\n  keep: [4, 4, 1, 1]",
        "name: mine\ndeformable: null",
        "tiles:\n  longest_px: 2048",
        "learned_affine:\n  weights: affine-net",
        "learned_field: null",
        "search_again: null",
    ],
)
def test_a_pipeline_file_of_version_0_1_is_refused_in_one_line(text: str, tmp_path: Path) -> None:
    path = write(tmp_path, text)
    with pytest.raises(InputError, match=r"a pipeline file of stainbridge 0\.1") as caught:
        RegisterConfig.from_yaml(path)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    assert "`stages`" in message


def test_unknown_presets_and_uneven_rounds_are_refused() -> None:
    with pytest.raises(InputError, match="no such preset"):
        RegisterConfig.preset("best")
    with pytest.raises(InputError, match="one number of steps"):
        AffineConfig(sizes_px=(128,), steps=(1, 2), survivors=(1,))
    with pytest.raises(InputError, match="one number of survivors"):
        AffineConfig(sizes_px=(128,), steps=(1,), survivors=(1, 1))
    with pytest.raises(InputError, match="one number of steps"):
        DeformableConfig(steps=(32, 64))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"working_px": 63}, "working_px out of range; expected 64 to 16384; got 63"),
        ({"threads": 0}, "threads out of range; expected 1 to 1024; got 0"),
        ({"max_rotation_deg": -1.0}, "out of range"),
    ],
)
def test_values_out_of_range_are_refused(options: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        RegisterConfig(**options)


def test_stages_that_are_no_settings_are_refused() -> None:
    with pytest.raises(InputError, match=r"no such stage.*search, .*got int"):
        RegisterConfig(stages=(SearchConfig(), 3))  # type: ignore[arg-type]


def test_a_stage_is_found_by_its_kind() -> None:
    config = RegisterConfig(stages=ALL_STAGES)
    assert config.find_stage(SearchConfig) is ALL_STAGES[1]
    assert config.find_stage(LearnedAffineConfig) is ALL_STAGES[0]  # the first of its kind
    assert RegisterConfig().find_stage(TileRefinementConfig) is None


def test_a_stage_is_put_in_its_usual_place() -> None:
    tiles = TileRefinementConfig()
    network = LearnedFieldConfig()
    config = RegisterConfig().with_stage(tiles).with_stage(network)
    search, affine, deformable = RegisterConfig().stages
    assert config.stages == (search, affine, network, deformable, tiles)


def test_a_stage_takes_the_place_of_those_of_its_kind() -> None:
    other = LearnedFieldConfig("mine")
    config = RegisterConfig(stages=ALL_STAGES).with_stage(other)
    assert config.find_stage(LearnedFieldConfig) is other
    assert sum(isinstance(stage, LearnedFieldConfig) for stage in config.stages) == 1
    assert RegisterConfig().with_stage(AffineConfig()) == RegisterConfig()


def test_stages_of_a_kind_are_left_out() -> None:
    config = RegisterConfig(stages=ALL_STAGES)
    without = config.without_stage(LearnedFieldConfig)
    assert without.stages == ALL_STAGES[:4] + ALL_STAGES[6:]
    assert config.stages == ALL_STAGES
    with pytest.raises(InputError, match="must begin with a search"):
        RegisterConfig().without_stage(SearchConfig)
    with pytest.raises(InputError, match="no such stage"):
        RegisterConfig().with_stage(MatchingConfig())  # type: ignore[arg-type]


def test_options_replace_fields_and_others_are_refused() -> None:
    config = RegisterConfig.preset("fast").with_options(seed=3, threads=2)
    assert config == replace(RegisterConfig.preset("fast"), seed=3, threads=2)
    with pytest.raises(InputError, match="colour: no such option; expected name, "):
        RegisterConfig().with_options(colour="red")


MATCHING = {"size_px": 96, "distance_px": 9, "radius": 3, "smooth_px": 6, "steps": 40}
SECOND_SEARCH = {
    "kind": "search",
    "chart_px": 64,
    "angles": 72,
    "scales": 15,
    "candidates": 250,
    "hypotheses": 12,
    "features_px": 512,
}
COMMON = {
    "pieces": True,  # since 0.2
    "local_contrast": True,  # since 0.4
    "allow_flip": True,
    "max_rotation_deg": 180.0,
    "seed": 0,
    "device": "auto",
    "threads": None,
    "second_search": SECOND_SEARCH,
}
#: The presets of version 0.1, field by field. What they do must not change unnoticed.
PRESETS_OF_0_1: dict[str, dict[str, Any]] = {
    "fast": {
        **COMMON,
        "name": "fast",
        "working_px": 512,
        "stages": (
            {
                "kind": "search",
                "chart_px": 48,
                "angles": 36,
                "scales": 9,
                "candidates": 250,
                "hypotheses": 6,
                "features_px": 512,
            },
            {
                "kind": "affine",
                "sizes_px": (64, 128, 256, 256),
                "steps": (30, 25, 10, 20),
                "survivors": (4, 4, 1, 1),
                "varied": 3,
                "variation": 0.08,
                "radius": 12,
                "window_step": 4,
                "model": "affine",
            },
            {
                "kind": "deformable",
                "sizes_px": (128, 256),
                "steps": (25, 25),
                "spacing_px": 4.0,
                "similarity": "local-ncc",
                "radius": 14,
                "window_step": 4,
                "smoothness": 1.0,
                "rate_px": 0.6,
                "symmetric": False,
                "matching": {**MATCHING, "steps": 20},
            },
        ),
    },
    "default": {
        **COMMON,
        "name": "default",
        "working_px": 1024,
        "stages": (
            {
                "kind": "search",
                "chart_px": 48,
                "angles": 48,
                "scales": 11,
                "candidates": 250,
                "hypotheses": 8,
                "features_px": 512,
            },
            {
                "kind": "affine",
                "sizes_px": (64, 128, 256, 256),
                "steps": (40, 30, 15, 60),
                "survivors": (6, 6, 2, 1),
                "varied": 3,
                "variation": 0.08,
                "radius": 12,
                "window_step": 4,
                "model": "affine",
            },
            {
                "kind": "deformable",
                "sizes_px": (128, 256, 512),
                "steps": (50, 50, 40),
                "spacing_px": 4.0,
                "similarity": "local-ncc",
                "radius": 14,
                "window_step": 4,
                "smoothness": 1.0,
                "rate_px": 0.6,
                "symmetric": True,
                "matching": MATCHING,
            },
        ),
    },
    "accurate": {
        **COMMON,
        "name": "accurate",
        "working_px": 1280,
        "stages": (
            {
                "kind": "search",
                "chart_px": 48,
                "angles": 60,
                "scales": 13,
                "candidates": 250,
                "hypotheses": 12,
                "features_px": 512,
            },
            {
                "kind": "affine",
                "sizes_px": (64, 128, 256, 256, 512),
                "steps": (40, 40, 15, 40, 30),
                "survivors": (8, 8, 3, 1, 1),
                "varied": 4,
                "variation": 0.08,
                "radius": 12,
                "window_step": 4,
                "model": "affine",
            },
            {
                "kind": "deformable",
                "sizes_px": (128, 256, 512, 1024),
                "steps": (60, 60, 60, 40),
                "spacing_px": 4.0,
                "similarity": "local-ncc",
                "radius": 14,
                "window_step": 4,
                "smoothness": 1.0,
                "rate_px": 0.6,
                "symmetric": True,
                "matching": MATCHING,
            },
        ),
    },
}
#: Settings of version 0.1 that no preset uses.
OTHER_DEFAULTS_OF_0_1 = {
    TileRefinementConfig: {
        "kind": "tiles",
        "longest_px": 4096,
        "tile_px": 768,
        "blend_px": 64,
        "steps": (25, 20, 10),
        "spacing_px": 8,
        "radius": 20,
        "window_step": 6,
        "smoothness": 1.0,
    },
    LearnedAffineConfig: {
        "kind": "learned-affine",
        "weights": "affine-net",
        "passes": 1,
        "finer": 2,
        "keep": 3,
        "refine": True,
        "angles": 0,
    },
    LearnedFieldConfig: {
        "kind": "learned-field",
        "weights": "unet-svf",
        "mpp": None,
        "optimise": {
            "kind": "deformable",
            "sizes_px": (256, 512),
            "steps": (20, 20),
            "spacing_px": 4.0,
            "similarity": "local-ncc",
            "radius": 14,
            "window_step": 4,
            "smoothness": 1.0,
            "rate_px": 0.6,
            "symmetric": True,
            "matching": None,
        },
    },
}


@pytest.mark.parametrize("name", PRESETS)
def test_the_presets_are_those_of_version_0_1(name: str) -> None:
    assert asdict(RegisterConfig.preset(name)) == PRESETS_OF_0_1[name]


@pytest.mark.parametrize("kind", OTHER_DEFAULTS_OF_0_1)
def test_the_other_defaults_are_those_of_version_0_1(kind: type[Any]) -> None:
    assert asdict(kind()) == OTHER_DEFAULTS_OF_0_1[kind]
