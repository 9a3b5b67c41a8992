"""Registration: prepare, find, refine, verify, record.

This package is callable: `stainbridge.register(fixed, moving)` is `stainbridge.register.call.register`. The name users
call is also the name of these rooms, and importing any of them would otherwise put the package in the function's place.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stainbridge.register.result import Registration


class _Callable(ModuleType):
    def __call__(self, *slides: Any, **options: Any) -> Registration:
        from stainbridge.register.call import register

        return register(*slides, **options)


sys.modules[__name__].__class__ = _Callable
