"""A user's own method, named as MODULE:FUNCTION: measured like every other."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from stainbridge.errors import InputError
from stainbridge.evaluate.methods.alignment import Align, Alignment, Method, fail
from stainbridge.geometry.transform import Transform
from stainbridge.slides.slide import Slide

#: Fixed and moving slide in, `moving_from_fixed` out, or None where it gives up.
CustomFunction = Callable[[Slide, Slide], "Transform | Alignment | None"]


def custom_method(name: str) -> Method:
    """Return the function of that name, which returns a transform, an `Alignment` or None.

    Modules are looked for in the working folder, too. Raises `InputError` where there is no such
    function. The text of its module is part of its settings: once changed, it is another method.
    """
    module, function = _find_function(name)
    description = (function.__doc__ or "").strip().partition("\n")[0]
    return Method(
        name, description, partial(_load, function), partial(_read_settings, str(module.__file__))
    )


def _find_function(name: str) -> tuple[ModuleType, CustomFunction]:
    module_name, _, attribute = name.partition(":")
    if "" not in sys.path:
        sys.path.append("")  # as `python -m` does, which executes every run
    try:
        module = import_module(module_name)
    except (ImportError, SyntaxError) as error:
        raise InputError(
            "cannot import the method", where=name, expected="MODULE:FUNCTION", got=error
        ) from error
    function = getattr(module, attribute, None)
    if not callable(function) or not getattr(module, "__file__", None):
        raise InputError("no such function in the module", where=name, expected="MODULE:FUNCTION")
    return module, function


def _read_settings(path: str) -> dict[str, Any]:
    return {"module": hashlib.sha256(Path(path).read_bytes()).hexdigest()[:16]}


def _load(function: CustomFunction) -> Align:
    def align(fixed: Slide, moving: Slide) -> Alignment:
        result = function(fixed, moving)
        if isinstance(result, Alignment):
            return result
        if result is None:
            return fail("the method gave up")
        return Alignment(result)

    return align
