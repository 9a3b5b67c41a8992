"""A word of warning about networks that were hardly trained."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from stainbridge.errors import InputError
from stainbridge.progress import Note

#: Steps below which a network has hardly left its random beginning, whatever it learns.
FEW_STEPS = 200


def note_few_steps(weights: Iterable[str | Path | None], note: Note) -> None:
    """Note every network, a file, a run or a name, that was trained for few steps or none.

    None is left out, and so is what does not say it; what is no network is refused elsewhere.
    """
    from stainbridge.learn.named_weights import find_weights
    from stainbridge.learn.weights import choose_weights_file, count_steps

    for name in dict.fromkeys(str(name) for name in weights if name is not None):
        try:
            path = choose_weights_file(find_weights(name))
        except InputError:
            continue
        steps = count_steps(path)
        if steps is not None and steps < FEW_STEPS:
            trained = f"trained for {steps} steps only" if steps else "untrained"
            note(f"warning: {path}: {trained}; do not rely on what comes of it")
