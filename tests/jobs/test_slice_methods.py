"""Methods for slices by name, and trained runs as methods."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.cli.test_translate import weights
from tests.evaluate.slices.slices import make_scene
from tests.joint.sar.pictures import Blobs, make_training

from stainbridge.errors import InputError
from stainbridge.jobs.slice_methods import find_slice_methods
from stainbridge.joint.sar.stream import SarStream
from stainbridge.joint.sar.task import SarTask
from stainbridge.learn.loop import TrainingData, train
from stainbridge.learn.named_weights import find_weights


def test_names_of_the_table_come_in_their_order() -> None:
    methods = find_slice_methods(["nmi-bspline", "identity"], "cpu")
    assert [method.name for method in methods] == ["nmi-bspline", "identity"]


def test_a_trained_network_is_a_method_told_by_its_weights() -> None:
    (method,) = find_slice_methods(["unet-svf"], "cpu")
    assert method.name == "unet-svf"
    (digest,) = method.read_settings().values()
    assert len(digest) == 16
    assert digest != find_slice_methods(["multiscale-fcn"], "cpu")[0].read_settings()["weights"]
    scene = make_scene()
    loaded = method.load()
    alignment = loaded.align(scene.fixed, scene.moving, scene.masks)
    assert alignment.transform is not None
    assert alignment.transform.source == scene.fixed.frame.space
    assert alignment.transform.target == scene.moving.frame.space
    assert loaded.synthesise is None


@pytest.fixture(scope="module")
def sar_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of `train sar` that has learned next to nothing."""
    folder = tmp_path_factory.mktemp("runs") / "sar"
    folder.mkdir()
    settings = make_training()
    stream = SarStream(Blobs(), settings.pairs, 0)
    config = replace(settings.train, steps=1)
    train(lambda: SarTask(settings), TrainingData(stream, stream), config, folder)
    return folder


def test_a_run_of_sar_is_tuned_as_a_method_of_its_own(sar_run: Path) -> None:
    names = ["identity", str(sar_run)]
    assert [method.name for method in find_slice_methods(names, "cpu")] == ["identity", "sar"]
    _, untuned, tuned = find_slice_methods(names, "cpu", tune=12)
    assert (untuned.name, tuned.name) == ("sar", "sar+tune")
    assert tuned.read_settings() == {**untuned.read_settings(), "tune": 12}
    scene = make_scene()
    points = scene.fixed.frame.fit(16).centres_um()
    moved = []
    for method in (untuned, tuned):
        transform = method.load().align(scene.fixed, scene.moving, scene.masks).transform
        assert transform is not None
        moved.append(transform(points))
    assert float(np.abs(moved[0] - moved[1]).max()) > 0


def test_runs_see_the_tissue_at_another_size(sar_run: Path) -> None:
    names = [str(sar_run), "unet-svf"]
    trained = find_slice_methods(names, "cpu", tune=12)
    methods = find_slice_methods(names, "cpu", tune=12, network_px=96)
    assert [method.name for method in methods] == ["sar@96", "sar@96+tune", "unet-svf@96"]
    scene = make_scene()
    points = scene.fixed.frame.fit(16).centres_um()
    for before, method in zip(trained, methods, strict=True):
        assert method.read_settings() == {**before.read_settings(), "network_px": 96}
        moved = []
        for each in (before, method):
            transform = each.load().align(scene.fixed, scene.moving, scene.masks).transform
            assert transform is not None
            moved.append(transform(points))
        assert float(np.abs(moved[0] - moved[1]).max()) > 0


def test_what_cannot_be_tuned_is_refused() -> None:
    with pytest.raises(InputError, match="there is nothing to tune"):
        find_slice_methods(["identity", "unet-svf"], "cpu", tune=12)


def test_what_is_no_method_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing: no such method; expected identity, affine"):
        find_slice_methods(["identity", "nothing"], "cpu")
    translation = weights(tmp_path / "cyclegan.safetensors")
    with pytest.raises(
        InputError, match=r"does not register slides; expected deformable, sar, sar-comparator, sbr"
    ):
        find_slice_methods([str(translation)], "cpu")
    with pytest.raises(InputError, match="run: no weights there"):
        find_slice_methods([str(tmp_path / "run")], "cpu")
    with pytest.raises(InputError, match=r"two methods have the same name.*got unet-svf"):
        find_slice_methods(["unet-svf", str(find_weights("unet-svf"))], "cpu")
