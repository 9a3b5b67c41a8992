"""Settings: frozen dataclasses to plain values and YAML, and back with every mistake named."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import asdict, fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import yaml

from stainbridge.errors import InputError, MissingFileError

T = TypeVar("T")


def to_dict(settings: Any) -> dict[str, Any]:
    """The fields of a dataclass as dicts, lists, numbers and strings."""
    return {key: _listed(value) for key, value in asdict(settings).items()}


def to_yaml(settings: Any) -> str:
    """A dataclass as YAML; `build` of `read_yaml` gives it back."""
    return yaml.safe_dump(to_dict(settings), sort_keys=False)


def read_yaml(path: Path) -> dict[str, Any]:
    """The keys and values of a YAML file; raises `InputError` when it cannot be read or holds
    something else.
    """
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        kind = MissingFileError if isinstance(error, FileNotFoundError) else InputError
        raise kind(f"cannot be read as YAML: {error}", where=path) from error
    if not isinstance(data, dict):
        raise InputError(
            "not a configuration", where=path, expected="keys and values", got=type(data).__name__
        )
    return data


def build(kind: type[T], values: Mapping[str, Any], where: object) -> T:
    """A dataclass from some or all of its fields, nested ones included.

    A field that may be one of several dataclasses is told by its `kind`: one of the types of a
    union, or of those that the class method `kinds` of the field's type returns. A dataclass whose
    fields were renamed names them in `FORMER_NAMES`, former to current: files that carry a former
    name still load, and its value wins. Raises `InputError` for unknown keys and values of the
    wrong type, naming the key.
    """
    hints = _hints(kind)
    values = _with_current_names(kind, values)
    for key in values:
        if key not in hints:
            raise InputError(
                "unknown key", where=f"{where}: {key}", expected=", ".join(sorted(hints))
            )
    return kind(
        **{key: _value(hints[key], value, f"{where}: {key}") for key, value in values.items()}
    )


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with the values of `over` put in, key by key in nested mappings; another `kind`
    replaces the whole.
    """
    merged = dict(base)
    for key, value in over.items():
        old = merged.get(key)
        same = (
            isinstance(old, Mapping)
            and isinstance(value, Mapping)
            and value.get("kind", old.get("kind")) == old.get("kind")
        )
        merged[key] = merge(old, value) if same and isinstance(old, Mapping) else value
    return merged


def _listed(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _listed(item) for key, item in value.items()}
    return [_listed(item) for item in value] if isinstance(value, list | tuple) else value


def _hints(kind: Any) -> dict[str, Any]:
    named = get_type_hints(kind)
    return {item.name: named[item.name] for item in fields(kind)}


def _with_current_names(kind: Any, values: Mapping[str, Any]) -> Mapping[str, Any]:
    former_names: Mapping[str, str] = getattr(kind, "FORMER_NAMES", {})
    former = {former_names[key]: value for key, value in values.items() if key in former_names}
    current = {key: value for key, value in values.items() if key not in former_names}
    return merge(current, former)


def _value(hint: Any, value: Any, where: str) -> Any:
    origin, options = get_origin(hint), get_args(hint)
    if isinstance(hint, type) and hasattr(hint, "kinds"):
        return _of_kind(hint.kinds(), value, where)
    if is_dataclass(hint) and isinstance(hint, type) and isinstance(value, Mapping):
        return build(hint, value, where)
    if origin in (Union, types.UnionType):
        return _one_of(options, value, where)
    if origin is tuple and isinstance(value, list | tuple):
        kinds = [options[0]] * len(value) if options[-1] is Ellipsis else options
        if len(kinds) == len(value):
            return tuple(_value(kind, item, where) for kind, item in zip(kinds, value, strict=True))
    if origin is Literal and value in options:
        return value
    if origin is None and isinstance(hint, type):
        if hint is float and isinstance(value, int | float | str) and not isinstance(value, bool):
            return _number(value, where)  # YAML 1.1 reads 1e-4 as text
        if isinstance(value, hint) and not (hint is int and isinstance(value, bool)):
            return value
    raise InputError("wrong type", where=where, expected=_named(hint), got=value)


def _one_of(options: tuple[Any, ...], value: Any, where: str) -> Any:
    if value is None and type(None) in options:
        return None
    options = tuple(option for option in options if option is not type(None))
    if len(options) == 1:
        return _value(options[0], value, where)
    return _of_kind({get_args(_hints(kind)["kind"])[0]: kind for kind in options}, value, where)


def _of_kind(kinds: Mapping[Any, Any], value: Any, where: str) -> Any:
    named = value.get("kind") if isinstance(value, Mapping) else None
    if named not in kinds:
        raise InputError("unknown kind", where=where, expected=", ".join(kinds), got=named)
    return build(kinds[named], value, where)


def _number(value: Any, where: str) -> float:
    try:
        return float(value)
    except ValueError:
        raise InputError("wrong type", where=where, expected="a number", got=value) from None


def _named(hint: Any) -> str:
    if get_origin(hint) is Literal:
        return " or ".join(str(option) for option in get_args(hint))
    return hint.__name__ if isinstance(hint, type) and get_origin(hint) is None else str(hint)
