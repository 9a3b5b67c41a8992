"""Every error that Stainbridge raises on purpose.

```
StainbridgeError                        exit code 1
├── InputError, ValueError              exit code 2: what, where, expected, got, remedy
│   ├── MissingFileError                a path that does not exist; also a FileNotFoundError
│   └── MissingExtraError               a missing optional dependency; also an ImportError
└── RegistrationError                   exit code 3: a failed registration has no transform
```
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from stainbridge.causes import describe_cause

#: Most letters of a part of a message.
MOST_LETTERS = 1000


class StainbridgeError(Exception):
    """Base of every error raised on purpose.

    Example:
        >>> try:
        ...     stainbridge.open_slide("missing.svs")
        ... except stainbridge.StainbridgeError as error:
        ...     print(error)
        missing.svs: no such file

    """

    exit_code = 1


class InputError(StainbridgeError, ValueError):
    """The caller's input cannot be used.

    The message is one line: where, what, expected, got and a remedy, as far as they are given.
    What was got may be the error that says it. It is a `ValueError` too.

    Example:
        >>> try:
        ...     stainbridge.RegisterConfig(max_rotation_deg=270)
        ... except stainbridge.InputError as error:
        ...     print(error)
        max_rotation_deg out of range; expected 0 to 180; got 270

    """

    exit_code = 2

    def __init__(
        self,
        what: str,
        *,
        where: object = None,
        expected: object = None,
        got: object = None,
        remedy: str = "",
    ) -> None:
        self.what = what
        self.where = where
        self.expected = expected
        self.got = describe_cause(got) if isinstance(got, BaseException) else got
        self.remedy = remedy
        parts = [what if where is None else f"{where}: {what}"]
        if expected is not None:
            parts.append(f"expected {expected}")
        if got is not None:
            parts.append(f"got {self.got}")
        if remedy:
            parts.append(remedy)
        super().__init__("; ".join(_shorten(str(part)) for part in parts))

    def within(self, where: object) -> InputError:
        """Return the error with the file, or the field, that its own place lies in."""
        own = "" if self.where is None else str(self.where)
        if isinstance(self, MissingExtraError) or str(where) in own:
            return self
        place = where if own in ("", os.path.basename(str(where))) else f"{where}: {own}"  # noqa: PTH119
        return type(self)(
            self.what, where=place, expected=self.expected, got=self.got, remedy=self.remedy
        )

    def __str__(self) -> str:
        """Return the one line, whatever a built-in parent would make of it."""
        return str(self.args[0])

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle as the call that made it, so that it crosses a process boundary whole."""
        make = partial(
            type(self),
            where=self.where,
            expected=self.expected,
            got=self.got,
            remedy=self.remedy,
        )
        return make, (self.what,)


class MissingFileError(InputError, FileNotFoundError):
    """A file or folder does not exist; it has a `filename` and an `errno`, as an `OSError` has.

    It is a `FileNotFoundError` too.

    Example:
        >>> try:
        ...     stainbridge.open_slide("missing.svs")
        ... except FileNotFoundError as error:
        ...     print(error.filename)
        missing.svs

    """

    def __init__(
        self,
        what: str = "no such file",
        *,
        where: object,
        expected: object = None,
        got: object = None,
        remedy: str = "",
    ) -> None:
        super().__init__(what, where=where, expected=expected, got=got, remedy=remedy)
        self.errno = errno.ENOENT
        self.strerror = what
        self.filename = str(where)


class MissingExtraError(InputError, ImportError):
    """An optional dependency is needed and absent; `name` is the missing package.

    It is an `ImportError` too.

    Example:
        >>> print(stainbridge.MissingExtraError("FID", "torchmetrics", "metrics"))
        FID needs the package 'torchmetrics'; install it with: pip install 'stainbridge[metrics]'

    """

    def __init__(self, feature: str, package: str, extra: str) -> None:
        super().__init__(
            f"{feature} needs the package '{package}'",
            remedy=f"install it with: pip install 'stainbridge[{extra}]'",
        )
        self.feature = feature
        self.extra = extra
        self.name = package

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle as the call that made it."""
        return type(self), (self.feature, self.name, self.extra)


class RegistrationError(StainbridgeError):
    """A failed registration has no transform to use.

    Example:
        >>> blank = np.full((256, 256), 255, np.uint8)
        >>> registration = stainbridge.register(blank, blank.copy(), "fast")
        >>> try:
        ...     registration.warp_points([[120, 80]])
        ... except stainbridge.RegistrationError as error:
        ...     print(error)
        the registration failed: no tissue found on the fixed slide

    """

    exit_code = 3


def _shorten(part: str) -> str:
    """Return a part of a message as one line that can be read."""
    line = " ".join(part.splitlines())
    return line if len(line) <= MOST_LETTERS else f"{line[: MOST_LETTERS - 1]}…"


@contextmanager
def errors_within(where: object) -> Iterator[None]:
    """Name a file in each `InputError` that is raised inside and does not name it yet."""
    try:
        yield
    except InputError as error:
        named = error.within(where)
        if named is error:
            raise
        raise named from error
