"""What went wrong, in our own words: errors of Python and of libraries as a part of a message."""

from __future__ import annotations

import os
import re

#: What Python says of text that is no number; the text itself is what helps.
NO_NUMBER = re.compile(
    r"(?:could not convert string to float|invalid literal for int\(\) with base \d+): (.*)"
)
#: Our words for errors whose own text is about Python.
WORDS: tuple[tuple[type[BaseException], str], ...] = (
    (RecursionError, "too many levels"),
    (TypeError, "values of a wrong type"),
    (AttributeError, "values of a wrong type"),
    (IndexError, "too few values"),
    (EOFError, "an end that comes too early"),
    (OverflowError, "a number that is too large"),
)


def describe_cause(cause: BaseException) -> str:
    """Return one line that says what an error found, without the words of Python."""
    if isinstance(cause, UnicodeError):
        return "bytes that are not text in UTF-8"
    if isinstance(cause, OSError) and cause.errno is not None and cause.errno > 0:
        return os.strerror(cause.errno)
    if isinstance(cause, KeyError) and cause.args:
        return f"no {cause.args[0]!r}"
    words = next((words for kind, words in WORDS if isinstance(cause, kind)), None)
    if words is not None:
        return words
    return _describe_place(cause) or _describe_text(cause)


def _describe_place(cause: BaseException) -> str | None:
    """Return where JSON or YAML stops making sense; None for other errors."""
    line, column = getattr(cause, "lineno", None), getattr(cause, "colno", None)
    if isinstance(line, int) and isinstance(column, int):
        return f"something else at line {line}, column {column}"
    mark, problem = getattr(cause, "problem_mark", None), getattr(cause, "problem", None)
    if mark is not None and problem:
        return f"{problem} at line {mark.line + 1}, column {mark.column + 1}"
    return None


def _describe_text(cause: BaseException) -> str:
    lines = str(cause).strip().splitlines()
    first = lines[0] if lines else type(cause).__name__
    match = NO_NUMBER.search(first)
    return match.group(1) if match else first
