"""`stainbridge phantom`: generated pairs of slides with their exact truth, as a data set."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stainbridge.cli.output import print_json, progress_bar, say
from stainbridge.errors import InputError

if TYPE_CHECKING:
    import numpy as np

    from stainbridge.phantom.pairs.pair import PairConfig

PAIRS, CASES = "pairs.csv", "cases.json"
STAINS = "HE,Ki67,PHH3,ER,HER2,PanCK,CD31,PAS,Masson"
#: Without --mpp slides show about this many micrometres, at no finer than this pixel size.
EXTENT_UM, FINEST_MPP = 4096.0, 0.25


def phantom(
    out: Annotated[Path, typer.Option("--out", help="The folder for the data set.", metavar="DIR")],
    cases: Annotated[int, typer.Option("--cases", help="How many pairs.", min=1)] = 10,
    size: Annotated[
        int, typer.Option("--size", help="Side of the slides in pixels.", min=128)
    ] = 2048,
    stains: Annotated[
        str,
        typer.Option(
            "--stains", help="Stains to draw two different ones from, with commas between."
        ),
    ] = STAINS,
    difficulty: Annotated[str, typer.Option("--difficulty", help="easy, real or hard.")] = "real",
    organ: Annotated[
        str, typer.Option("--organ", help="The kind of tissue; any: another one for each pair.")
    ] = "any",
    mpp: Annotated[
        float | None,
        typer.Option("--mpp", help="Pixel size in µm; default: sections some 3 mm across."),
    ] = None,
    seed: Annotated[
        int, typer.Option("--seed", help="Of the first pair; the next ones count on.", min=0)
    ] = 0,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an earlier data set in DIR.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Generate pairs of stained sections with exact ground truth, as a data set for benchmarks and
    training.

    DIR receives the slides (pyramidal OME-TIFF), landmarks (CSV), tissue classes, the true
    transforms, pairs.csv and cases.json, all when the last pair is complete. Stains: HE, Ki67,
    PHH3, ER, HER2, PanCK, CD31, PAS, Masson, DAPI, IF, and random (colours of chance).

    \b
    Example:
        stainbridge phantom --out phantoms --cases 2 --size 1024 --stains he,ki67,panck
        stainbridge benchmark landmarks phantoms/pairs.csv --methods default --out table
    """
    from stainbridge.jobs.result_folder import result_folder
    from stainbridge.phantom.pairs.case_files import CASE_FOLDERS, describe_pair, write_case
    from stainbridge.phantom.pairs.pair import generate_pair

    configs = case_configs(cases, size, stains, difficulty, organ, mpp, seed)
    rows: list[dict[str, Any]] = []
    outputs = (PAIRS, CASES, *CASE_FOLDERS)
    with (
        result_folder(out, overwrite=overwrite, outputs=outputs) as folder,
        progress_bar() as progress,
    ):
        for number, config in enumerate(configs):
            name = f"case_{number:0{max(3, len(str(cases - 1)))}d}"

            def told(what: str, done: float, number: int = number) -> None:
                progress(what, (number + done) / cases)

            pair = generate_pair(config)
            rows.append({"case": name, **write_case(pair, folder, name, told), **describe_pair(pair)})
        _write_tables(rows, folder)
    if json:
        print_json({"out": str(out), "pairs": str(out / PAIRS), "cases": rows})
    else:
        say(f"{cases} pairs of {size} x {size} pixels")
        print(out / PAIRS)


def case_configs(
    cases: int, size: int, stains: str, difficulty: str, organ: str, mpp: float | None, seed: int
) -> list[PairConfig]:
    """The settings of each pair: two different stains, drawn from the pair's own seed.

    Raises `InputError` for fewer than one stain, or settings that make no slide.
    """
    import numpy as np

    from stainbridge.phantom.pairs.difficulty import DIFFICULTIES
    from stainbridge.phantom.pairs.pair import PairConfig

    names = [name.strip() for name in stains.split(",") if name.strip()]
    if not names:
        raise InputError("no stains to generate", expected=STAINS, got=stains)
    if difficulty not in DIFFICULTIES:
        raise InputError("unknown difficulty", expected=", ".join(DIFFICULTIES), got=difficulty)
    configs = []
    for number in range(cases):
        fixed, moving = _two_stains(names, np.random.default_rng([seed + number, 1]))
        configs.append(
            PairConfig(
                seed=seed + number,
                size_px=size,
                mpp=max(FINEST_MPP, EXTENT_UM / size) if mpp is None else mpp,
                fixed_stain=fixed,
                moving_stain=moving,
                difficulty=difficulty,  # type: ignore[arg-type]
                organ=organ,
            )
        )
    return configs


def _two_stains(names: list[str], rng: np.random.Generator) -> tuple[str, str]:
    """Two different stains where there are two; where H&E is among them the fixed slide is H&E half
    the time.
    """
    fixed, moving = (
        str(name) for name in rng.permutation(names * (2 if len(names) == 1 else 1))[:2]
    )
    routine = [name for name in names if name.upper() in ("HE", "H&E")]
    if routine and moving != routine[0] and rng.uniform() < 0.5:
        fixed = routine[0]
    return fixed, moving


def _write_tables(rows: list[dict[str, Any]], folder: Path) -> None:
    """`pairs.csv`, which benchmarks read, and `cases.json`, which says everything."""
    import csv

    from stainbridge.json_values import format_json
    from stainbridge.phantom.pairs.case_files import PAIR_COLUMNS

    with (folder / PAIRS).open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, PAIR_COLUMNS, extrasaction="ignore", lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
    (folder / CASES).write_text(format_json(rows) + "\n", encoding="utf-8")
