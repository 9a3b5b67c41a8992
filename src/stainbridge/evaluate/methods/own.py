"""A user's own method, named as MODULE:FUNCTION: measured like every other, without a line of ours
changed.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from types import ModuleType

from stainbridge.errors import InputError
from stainbridge.evaluate.methods.alignment import Align, Alignment, Method
from stainbridge.geometry.transform import Transform
from stainbridge.slides.slide import Slide

#: Fixed and moving slide in, `moving_from_fixed` out, or None where it gives up.
OwnMethod = Callable[[Slide, Slide], "Transform | Alignment | None"]


def own(name: str) -> Method:
    """The function of that name, which may return a transform, an `Alignment` or None.

    Modules are looked for in the working folder, too. Raises `InputError` where there is no such
    function. Its module's text is part of its settings: once changed, it is another method.
    """
    module, function = _found(name)
    about = (function.__doc__ or "").strip().partition("\n")[0]
    text = Path(str(module.__file__)).read_bytes()
    settings = {"module": hashlib.sha256(text).hexdigest()[:16]}
    return Method(name, about, partial(_aligning, function), lambda: None, settings)


def _found(name: str) -> tuple[ModuleType, OwnMethod]:
    module_name, _, attribute = name.partition(":")
    if "" not in sys.path:
        sys.path.append("")  # as `python -m` does, which runs every registration
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


def _aligning(function: OwnMethod) -> Align:
    def align(fixed: Slide, moving: Slide) -> Alignment:
        found = function(fixed, moving)
        if isinstance(found, Alignment):
            return found
        if found is None:
            return Alignment(None, "failed", "the method gave up")
        return Alignment(found)

    return align
