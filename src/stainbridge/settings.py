"""Convert settings, which are frozen dataclasses, to plain values and YAML and back."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import MISSING, asdict, fields, is_dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import yaml

from stainbridge.errors import InputError, MissingFileError
from stainbridge.regular import check_regular

T = TypeVar("T")
#: What a nested dataclass is in a file.
KEYS_AND_VALUES = "keys and values"
#: What types are called in messages.
WORDS = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}
#: Most letters of a file of settings.
MOST_LETTERS = 1_000_000


def to_dict(settings: Any) -> dict[str, Any]:
    """Return the fields of a dataclass as dicts, lists, numbers and strings."""
    return {key: _replace_tuples(value) for key, value in asdict(settings).items()}


def to_yaml(settings: Any) -> str:
    """Return a dataclass as YAML; `build` of `read_yaml` gives it back."""
    return yaml.safe_dump(to_dict(settings), sort_keys=False)


def read_yaml(path: Path) -> dict[str, Any]:
    """Read the keys and values of a YAML file.

    Raises `InputError` when it cannot be read or holds something else.
    """
    check_regular(path)
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(MOST_LETTERS + 1)
        _check_text(text, path)
        data = yaml.safe_load(text)
    except RecursionError:
        raise InputError("nested too deeply", where=path, expected=KEYS_AND_VALUES) from None
    except FileNotFoundError:
        raise MissingFileError("no such file", where=path) from None
    except InputError:
        raise
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise InputError("cannot be read as YAML", where=path, got=error) from error
    if not isinstance(data, dict):
        got = "nothing" if data is None else repr(data)[:60]
        raise InputError("not a configuration", where=path, expected=KEYS_AND_VALUES, got=got)
    return data


def _check_text(text: str, path: Path) -> None:
    """Raise `InputError` for YAML that is long, or grows by aliases, as no settings do."""
    if len(text) > MOST_LETTERS:
        raise InputError(
            "too long for settings", where=path, expected=f"at most {MOST_LETTERS} letters"
        )
    if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text)):
        raise InputError("aliases (*name) are not read", where=path, remedy="write values out")
    _check_keys(yaml.compose(text, yaml.SafeLoader), path)


def _check_keys(node: yaml.Node | None, path: Path) -> None:
    """Raise `InputError` for a key that is there twice: YAML would take the last silently."""
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _check_keys(item, path)
    if not isinstance(node, yaml.MappingNode):
        return
    seen = set()
    for key, value in node.value:
        name = str(key.value)
        if name in seen:
            line = key.start_mark.line + 1
            raise InputError("a key twice", where=f"{path}: {name}", got=f"again in line {line}")
        seen.add(name)
        _check_keys(value, path)


def build(kind: type[T], values: Mapping[str, Any], where: object) -> T:
    """Build a dataclass from some or all of its fields, nested ones included.

    Where a field may be one of several dataclasses, its `kind` decides: among the types of a union,
    or those that the class method `kinds` of the field's type returns. A dataclass whose fields
    were renamed lists them in `FORMER_NAMES`, former to current. Files with a former name still
    load, and its value takes precedence. Raises `InputError` for unknown keys and values of the
    wrong type, naming the key.
    """
    hints = _field_types(kind)
    values = _with_current_names(kind, values)
    for key in values:
        if key not in hints:
            raise _refuse_key(key, hints, where)
    converted = {
        key: _convert(hints[key], value, f"{where}: {key}") for key, value in values.items()
    }
    missing = [name for name in _required_fields(kind) if name not in converted]
    if missing:
        raise InputError("keys are missing", where=where, expected=", ".join(missing))
    try:
        return kind(**converted)
    except InputError as error:
        raise error.within(where) from error


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return `base` with the values of `over`, key by key in nested mappings.

    A mapping of another `kind` replaces the whole.
    """
    merged = dict(base)
    for key, value in over.items():
        old = merged.get(key)
        same_kind = (
            isinstance(old, Mapping)
            and isinstance(value, Mapping)
            and value.get("kind", old.get("kind")) == old.get("kind")
        )
        merged[key] = merge(old, value) if same_kind and isinstance(old, Mapping) else value
    return merged


def _refuse_key(key: object, hints: Mapping[str, Any], where: object) -> InputError:
    close = get_close_matches(str(key), hints, n=1)
    return InputError(
        "unknown key",
        where=f"{where}: {key}",
        expected=", ".join(sorted(hints)),
        remedy=f"did you mean {close[0]}?" if close else "",
    )


def _replace_tuples(value: Any) -> Any:
    """Turn tuples into lists at every depth."""
    if isinstance(value, dict):
        return {key: _replace_tuples(item) for key, item in value.items()}
    return [_replace_tuples(item) for item in value] if isinstance(value, list | tuple) else value


def _field_types(kind: Any) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {item.name: hints[item.name] for item in fields(kind)}


def _required_fields(kind: Any) -> list[str]:
    return [
        item.name
        for item in fields(kind)
        if item.init and item.default is MISSING and item.default_factory is MISSING
    ]


def _with_current_names(kind: Any, values: Mapping[str, Any]) -> Mapping[str, Any]:
    former_names: Mapping[str, str] = getattr(kind, "FORMER_NAMES", {})
    former = {former_names[key]: value for key, value in values.items() if key in former_names}
    current = {key: value for key, value in values.items() if key not in former_names}
    return merge(current, former)


def _has_kinds(hint: Any) -> bool:
    """Return whether a type, itself and not a base, lists the dataclasses it stands for."""
    return isinstance(hint, type) and "kinds" in vars(hint)


def _convert(hint: Any, value: Any, where: str) -> Any:
    origin, options = get_origin(hint), get_args(hint)
    if _has_kinds(hint):
        return _build_kind(hint.kinds(), value, where)
    if is_dataclass(hint) and isinstance(hint, type) and isinstance(value, Mapping):
        return build(hint, value, where)
    if origin in (Union, types.UnionType):
        return _convert_union(options, value, where)
    if origin is tuple and isinstance(value, list | tuple):
        kinds = [options[0]] * len(value) if options[-1] is Ellipsis else options
        if len(kinds) == len(value):
            named = any(isinstance(item, Mapping) for item in value)
            return tuple(
                _convert(kind, item, f"{where}[{index}]" if named else where)
                for index, (kind, item) in enumerate(zip(kinds, value, strict=True))
            )
    if origin is Literal and value in options:
        return value
    if origin is None and isinstance(hint, type):
        if hint is float and isinstance(value, int | float | str) and not isinstance(value, bool):
            return _to_number(value, where)  # YAML 1.1 reads 1e-4 as text
        if isinstance(value, hint) and not (hint is int and isinstance(value, bool)):
            return value
    raise InputError("wrong type", where=where, expected=_describe_type(hint), got=value)


def _convert_union(options: tuple[Any, ...], value: Any, where: str) -> Any:
    if value is None and type(None) in options:
        return None
    options = tuple(option for option in options if option is not type(None))
    if len(options) == 1:
        return _convert(options[0], value, where)
    return _build_kind(
        {get_args(_field_types(kind)["kind"])[0]: kind for kind in options}, value, where
    )


def _build_kind(kinds: Mapping[Any, Any], value: Any, where: str) -> Any:
    if not isinstance(value, Mapping):
        raise InputError("wrong type", where=where, expected=KEYS_AND_VALUES, got=value)
    name = value.get("kind")
    if not isinstance(name, str) or name not in kinds:
        raise InputError("unknown kind", where=where, expected=", ".join(kinds), got=name)
    return build(kinds[name], value, where)


def _to_number(value: Any, where: str) -> float:
    try:
        return float(value)
    except (ValueError, OverflowError):
        raise InputError("wrong type", where=where, expected="a number", got=value) from None


def _describe_type(hint: Any) -> str:
    """Return a type in words; there are no unions here."""
    options = get_args(hint)
    if get_origin(hint) is Literal:
        return " or ".join(str(option) for option in options)
    if get_origin(hint) is tuple:
        return "a list" if options[-1] is Ellipsis else f"a list of {len(options)} values"
    return WORDS.get(hint, KEYS_AND_VALUES)
