"""What people think of cases: accepted, rejected, a note; kept in `review.json`."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import Any, Literal, TypeAlias, get_args

from stainbridge.errors import InputError
from stainbridge.whole import whole_file

Verdict: TypeAlias = Literal["accepted", "rejected"]

REVIEW = "review.json"
#: Longest note, in characters.
MAX_NOTE = 10_000


@dataclass(frozen=True)
class Review:
    """What somebody thinks of a case."""

    verdict: Verdict | None = None
    """Accepted or rejected; None where that is open."""
    note: str = ""
    """What there is to say."""
    changed: str | None = None
    """When it was last changed, ISO 8601."""


class ReviewFile:
    """The reviews of a folder's cases, by their names; written at every change.

    Thread-safe. Raises `InputError` for a file that is damaged.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / REVIEW
        self._lock = Lock()
        self._reviews = _read(self._path)

    def get(self, name: str) -> Review:
        """Return the review of a case; an empty one where there is none."""
        with self._lock:
            return self._reviews.get(name, Review())

    def put(self, name: str, verdict: Verdict | None, note: str) -> Review:
        """Keep a review; raises `InputError` where the file cannot be written."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        review = Review(verdict, note, now)
        with self._lock:
            reviews = {**self._reviews, name: review}
            document = {key: asdict(value) for key, value in sorted(reviews.items())}
            with whole_file(self._path) as temporary:
                text = json.dumps({"reviews": document}, indent=2, ensure_ascii=False)
                temporary.write_text(text + "\n", encoding="utf-8")
            self._reviews = reviews
        return review


def _read(path: Path) -> dict[str, Review]:
    if not path.is_file():
        return {}
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))["reviews"]
        return {str(name): _parse(entry) for name, entry in entries.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            "the reviews are damaged", where=path, got=error, remedy="mend or remove the file"
        ) from error


def _parse(entry: dict[str, Any]) -> Review:
    verdict = entry.get("verdict")
    if verdict is not None and verdict not in get_args(Verdict):
        raise ValueError(f"verdict {verdict!r}")
    return Review(verdict, str(entry.get("note", "")), entry.get("changed"))
