"""Methods for slices by name, and trained runs as methods."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.cli.test_translate import weights
from tests.evaluate.slices.slices import make_scene

from stainbridge.errors import InputError
from stainbridge.jobs.slice_methods import find_slice_methods
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


def test_what_is_no_method_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing: no such method; expected identity, affine"):
        find_slice_methods(["identity", "nothing"], "cpu")
    translation = weights(tmp_path / "cyclegan.safetensors")
    with pytest.raises(InputError, match="does not register slides; expected deformable, sar, sbr"):
        find_slice_methods([str(translation)], "cpu")
    with pytest.raises(InputError, match="run: no weights there"):
        find_slice_methods([str(tmp_path / "run")], "cpu")
    with pytest.raises(InputError, match=r"two methods have the same name.*got unet-svf"):
        find_slice_methods(["unet-svf", str(find_weights("unet-svf"))], "cpu")
