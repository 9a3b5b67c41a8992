"""Methods for slices by name: those of the table, and runs of `train`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stainbridge.errors import InputError

if TYPE_CHECKING:
    from stainbridge.evaluate.slices.field import LoadedField
    from stainbridge.evaluate.slices.method import SliceMethod


def find_slice_methods(
    names: Sequence[str], device: str, tune: int | None = None, network_px: int | None = None
) -> list[SliceMethod]:
    """Return methods by name; a name that is not in the table is a run or a file of weights.

    With `tune` every run of `train sar` is two methods: as trained, and tuned to each pair in at
    most so many iterations. With `network_px` runs see the tissue's longer side in so many pixels,
    not as they were trained, and their names say so. Raises `InputError` for names that are
    neither, for two runs of one name, and where there is nothing to tune.
    """
    from stainbridge.evaluate.slices.table import SLICE_METHODS

    methods: list[SliceMethod] = []
    tuned: list[SliceMethod] = []
    for name in names:
        methods.append(SLICE_METHODS.get(name) or find_run(name, device, network_px))
        if tune is not None and name not in SLICE_METHODS and _is_sar(name):
            tuned.append(find_tuned_run(name, device, tune, network_px))
            methods.append(tuned[-1])
    if tune is not None and not tuned:
        raise InputError(
            "there is nothing to tune", where="--tune", expected="a run of train sar", got=names
        )
    own_names = [method.name for method in methods]
    for number, name in enumerate(own_names):
        if name in own_names[:number]:
            raise InputError(
                "two methods have the same name",
                where=names[number],
                expected="run folders with names of their own",
                got=name,
            )
    return methods


def _is_sar(name: str) -> bool:
    from stainbridge.joint.sar.task import SarTask
    from stainbridge.learn.named_weights import find_weights
    from stainbridge.learn.weights import read_weights

    return read_weights(find_weights(name)).task == SarTask.name


def find_tuned_run(name: str, device: str, tune: int, network_px: int | None = None) -> SliceMethod:
    """Return a run of `train sar` as a method that tunes it to each pair."""
    from stainbridge.evaluate.slices.field import LoadedField, field_method
    from stainbridge.joint.models import resize_view
    from stainbridge.joint.sar.model import TunedSarField, load_sar
    from stainbridge.joint.sar.tune import TuneConfig
    from stainbridge.learn.named_weights import find_weights

    untuned = find_run(name, device, network_px)
    path = find_weights(name)

    def load() -> LoadedField:
        field = load_sar(path, device)
        if network_px is not None:
            field = resize_view(field, network_px)
        return LoadedField(TunedSarField(field, TuneConfig(tune)))

    def read_settings() -> dict[str, Any]:
        return {**untuned.read_settings(), "tune": tune}

    return field_method(f"{untuned.name}+tune", load, read_settings)


def find_run(name: str, device: str, network_px: int | None = None) -> SliceMethod:
    """Return a run as a method; raise `InputError` for one that does not register slides."""
    from stainbridge.evaluate.slices.field import field_method
    from stainbridge.evaluate.slices.table import SLICE_METHODS
    from stainbridge.joint.models import LOADERS
    from stainbridge.learn.named_weights import find_weights
    from stainbridge.learn.weights import choose_weights_file, read_weights

    try:
        path = find_weights(name)
    except InputError:
        expected = f"{', '.join(SLICE_METHODS)}, or a RUN folder"
        raise InputError("no such method", where=name, expected=expected) from None
    stored = read_weights(path)
    if stored.task not in LOADERS:
        raise InputError(
            "this run does not register slides",
            where=path,
            expected=", ".join(LOADERS),
            got=stored.task,
        )
    own_name = path.stem if path.is_file() else path.resolve().name
    if network_px is not None:
        own_name = f"{own_name}@{network_px}"
    return field_method(
        own_name,
        partial(load_run, path, device, network_px),
        partial(_describe_run, choose_weights_file(path), network_px),
    )


def _describe_run(weights: Path, network_px: int | None) -> dict[str, Any]:
    from stainbridge.learn.digest import digest_weights

    settings: dict[str, Any] = {"weights": digest_weights(weights)}
    return settings if network_px is None else {**settings, "network_px": network_px}


def load_run(path: Path, device: str, network_px: int | None = None) -> LoadedField:
    """Load the networks of a run to register slides with."""
    from stainbridge.evaluate.slices.field import LoadedField
    from stainbridge.joint.field import GreyField
    from stainbridge.joint.models import load_field, resize_view
    from stainbridge.joint.sbr.slide_translation import make_slide_translation

    field = load_field(path, device)
    if network_px is not None:
        field = resize_view(field, network_px)
    return LoadedField(
        field, make_slide_translation(field) if isinstance(field, GreyField) else None
    )
