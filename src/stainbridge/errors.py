"""The one error tree.

```
StainbridgeError
├── InputError              the caller's input (exit code 2): what, where, expected, got, what to do
│   └── MissingExtraError   an optional dependency is not installed
└── RegistrationError       a failed registration was used as if it had succeeded (exit code 3)
```
"""

from __future__ import annotations


class StainbridgeError(Exception):
    """Base of every error raised on purpose."""

    exit_code = 1


class InputError(StainbridgeError):
    """The caller's input cannot be used; the message is one line that says how to mend it."""

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
        self.what, self.where, self.expected, self.got, self.remedy = (
            what,
            where,
            expected,
            got,
            remedy,
        )
        parts = [what if where is None else f"{where}: {what}"]
        if expected is not None:
            parts.append(f"expected {expected}")
        if got is not None:
            parts.append(f"got {got}")
        if remedy:
            parts.append(remedy)
        super().__init__("; ".join(str(part) for part in parts).replace("\n", " "))


class MissingExtraError(InputError):
    """An optional dependency is needed and absent."""

    def __init__(self, feature: str, package: str, extra: str) -> None:
        super().__init__(
            f"{feature} needs the package '{package}'",
            remedy=f"install it with: pip install 'stainbridge[{extra}]'",
        )


class RegistrationError(StainbridgeError):
    """A failed registration has no transform to use."""

    exit_code = 3
