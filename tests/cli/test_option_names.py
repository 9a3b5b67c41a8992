"""Errors about settings name the option that was typed, and no other."""

from __future__ import annotations

from typing import Annotated

import pytest
import typer

from stainbridge.cli.option_names import Verb
from stainbridge.errors import InputError, MissingFileError


def run(error: InputError, *words: str) -> InputError:
    """Return what a command with `--ema`, which stands for `average`, makes of an error."""
    app = typer.Typer()

    @app.command(cls=Verb)
    def train(
        average: Annotated[float | None, typer.Option("--ema")] = None,
        steps: Annotated[int | None, typer.Option("--steps")] = None,
        stains: Annotated[str | None, typer.Option("--stains")] = None,
        organ: Annotated[str | None, typer.Option("--organ")] = None,
    ) -> None:
        raise error

    with pytest.raises(InputError) as caught:
        app(list(words), standalone_mode=False)
    return caught.value


@pytest.mark.parametrize("words", [("--ema", "2"), ("--ema=2", "--steps", "3")])
def test_the_option_stands_for_the_setting(words: tuple[str, ...]) -> None:
    error = InputError("average out of range", expected="0 to 1", got=2, remedy="think")
    named = run(error, *words)
    assert str(named) == "--ema out of range; expected 0 to 1; got 2; think"
    assert str(run(InputError("too large", where="average"), *words)) == "--ema: too large"


@pytest.mark.parametrize("text", ["he", "ki67,he", "he,panck"])
def test_a_text_is_placed_at_its_option(text: str) -> None:
    error = InputError("unknown stain", got="he")
    assert str(run(error, "--stains", text, "--organ", "lung")) == "--stains: unknown stain; got he"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (InputError("average out of range"), ()),
        (InputError("average out of range"), ("--steps", "3")),
        (InputError("average out of range", where="train.yaml"), ("--ema", "2")),
        (InputError("nothing is average"), ("--ema", "2")),
        (InputError("unknown stain", got="he"), ("--stains", "he", "--organ", "he")),
        (InputError("unknown stain", got="he"), ("--stains", "hero")),
        (InputError("unknown stain", got="he", where="a.csv"), ("--stains", "he")),
        (InputError("unknown stain"), ("--steps", "3")),
        (MissingFileError(where="average.csv"), ("--ema", "2")),
    ],
)
def test_other_errors_stay(error: InputError, words: tuple[str, ...]) -> None:
    assert run(error, *words) is error
