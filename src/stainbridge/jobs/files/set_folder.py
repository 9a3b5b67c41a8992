"""The folder of a paired data set: what it was made of, and whether it is complete."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stainbridge.errors import InputError
from stainbridge.partial import holds_files

#: What was asked for: the first file of a set that is written.
REQUEST = "set.json"


@dataclass(frozen=True)
class SetFolder:
    """The folder of one paired data set."""

    path: Path
    """Where it is."""

    def is_complete(self, request: dict[str, Any], shard_samples: int | None) -> bool:
        """Return whether the folder holds a finished set of this request and these shards."""
        from stainbridge.pairing.write.card import CARD
        from stainbridge.pairing.write.digest import DIGESTS

        if self._read() != {"request": request, "shard_samples": shard_samples}:
            return False
        return all((self.path / name).is_file() for name in (CARD, DIGESTS))

    def read_md5(self) -> str:
        """Return the MD5 of a finished set."""
        from stainbridge.pairing.write.digest import DIGESTS

        digests = (self.path / DIGESTS).read_bytes()
        return hashlib.md5(digests, usedforsecurity=False).hexdigest()

    def check(self, request: dict[str, Any], *, overwrite: bool) -> None:
        """Raise `InputError` unless the folder is new, or its set is of this request or may go."""
        recorded = self._read()
        if recorded is None:
            if holds_files(self.path):
                raise InputError(
                    "the output folder is not empty",
                    where=self.path,
                    expected="a new or empty folder, or a set of stainbridge pairs",
                    remedy="name another",
                )
        elif recorded.get("request") != request and not overwrite:
            raise InputError(
                f"a set of other {_name_difference(recorded.get('request'), request)} is there",
                where=self.path,
                remedy="name another folder or add --overwrite",
            )

    def prepare(
        self, request: dict[str, Any], shard_samples: int | None, *, overwrite: bool
    ) -> None:
        """Record the request in the folder; what an unfinished set left there stays.

        With `overwrite` an earlier set goes. Raises `InputError` as `check` does, and where the
        folder cannot be written.
        """
        from stainbridge.json_values import format_json
        from stainbridge.pairing.write.card import CARD
        from stainbridge.pairing.write.shards import SHARDS
        from stainbridge.whole import whole_file

        self.check(request, overwrite=overwrite)
        if overwrite and self._read() is not None:
            self._remove_outputs()
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"cannot write there: {error.strerror}", where=self.path) from error
        (self.path / CARD).unlink(missing_ok=True)  # it says that the set is complete
        if shard_samples is None and (self.path / SHARDS).is_dir():
            shutil.rmtree(self.path / SHARDS)
        with whole_file(self.path / REQUEST) as temporary:
            text = format_json({"request": request, "shard_samples": shard_samples})
            temporary.write_text(text + "\n", encoding="utf-8")

    def _read(self) -> dict[str, Any] | None:
        """Return what the set in the folder was made of; None where there is none."""
        try:
            recorded = json.loads((self.path / REQUEST).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return recorded if isinstance(recorded, dict) else None

    def _remove_outputs(self) -> None:
        for name in list_outputs():
            if (self.path / name).is_dir() and not (self.path / name).is_symlink():
                shutil.rmtree(self.path / name)
            (self.path / name).unlink(missing_ok=True)


def list_outputs() -> tuple[str, ...]:
    """Return the names of all files and folders of a set; the one that says what it is is last."""
    from stainbridge.pairing.write.assemble import PAIRS
    from stainbridge.pairing.write.card import CARD
    from stainbridge.pairing.write.digest import DIGESTS
    from stainbridge.pairing.write.manifest import PARQUET
    from stainbridge.pairing.write.shards import SHARDS
    from stainbridge.pairing.write.sheet import SHEET
    from stainbridge.pairing.write.threshold_pictures import PICTURES
    from stainbridge.slides.patch_manifest import FIXED_FOLDER, MANIFEST, MOVING_FOLDER

    parquet = Path(MANIFEST).with_suffix(PARQUET).name
    files = (CARD, SHEET, DIGESTS, MANIFEST, parquet)
    return (*files, SHARDS, PICTURES, PAIRS, FIXED_FOLDER, MOVING_FOLDER, REQUEST)


def _name_difference(recorded: Any, request: dict[str, Any]) -> str:
    """Return the parts of two requests that differ, in words."""
    if not isinstance(recorded, dict):
        return "settings"
    different = [name for name in request if recorded.get(name) != request[name]]
    config = recorded.get("config")
    if "config" in different and isinstance(config, dict):
        own = request["config"]
        names = [name for name in own if config.get(name) != own[name]]
        different[different.index("config")] = f"settings ({', '.join(names)})"
    return " and ".join(different).replace("pairs", "slide pairs") or "settings"
