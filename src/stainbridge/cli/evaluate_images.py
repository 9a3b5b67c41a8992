"""`stainbridge evaluate images`: how similar two pictures of the same place are."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from stainbridge.cli.options import JsonOption
from stainbridge.cli.output import print_json, say
from stainbridge.jobs.evaluate_images import EvaluateImagesJob

ROWS = {
    "ncc": "NCC",
    "local_ncc": "local NCC 9x9",
    "nmi": "NMI",
    "ssim_uniform7": "SSIM 7x7 uniform",
    "ssim_gaussian11": "SSIM 11x11 Gaussian",
    "psnr_db": "PSNR dB",
    "rmse": "RMSE",
}
DAB_ROWS = {
    "mean_density_a": "DAB density of A",
    "mean_density_b": "DAB density of B",
    "positive_share_a": "DAB area of A",
    "positive_share_b": "DAB area of B",
    "density_correlation": "DAB correlation",
    "positive_dice": "DAB area Dice",
}


def images(
    a: Annotated[Path, typer.Argument(help="A picture or slide.", metavar="A")],
    b: Annotated[
        Path, typer.Argument(help="Another of the same size and the same place.", metavar="B")
    ],
    mask: Annotated[
        Path | None,
        typer.Option("--mask", help="Compare only where this picture is not 0.", metavar="M.png"),
    ] = None,
    longest_px: Annotated[
        int | None,
        typer.Option(
            "--longest", help="Shrink both to this many pixels on the longer side.", min=11
        ),
    ] = None,
    grey: Annotated[bool, typer.Option("--grey", help="Compare the mean of the channels.")] = False,
    dab: Annotated[
        bool, typer.Option("--dab", help="Also compare the brown stain of two IHC pictures.")
    ] = False,
    span: Annotated[
        float | None,
        typer.Option("--span", help="Range of possible values; default: that of the pixels' type."),
    ] = None,
    lpips: Annotated[
        Path | None,
        typer.Option(
            "--lpips", help="Folder of LPIPS weights: compare perceptually too.", metavar="DIR"
        ),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Compare two pictures pixel by pixel: NCC, NMI, SSIM, PSNR, RMSE.

    NCC, local NCC and NMI are of the mean of the channels, the others of all channels. The two
    kinds of SSIM cannot be compared with each other. Every score changes with the resolution, which
    is printed.

    \b
    Example:
        stainbridge evaluate images he.png ki67-on-he.png
        stainbridge evaluate images real.png generated.png --mask tissue.png --dab --json
    """
    job = EvaluateImagesJob(
        a=a, b=b, mask=mask, longest_px=longest_px, grey=grey, dab=dab, span=span, lpips=lpips
    )
    facts = job.run(note=say).facts
    if json:
        print_json(facts)
    else:
        print(table(facts))


def table(facts: dict[str, Any]) -> str:
    """Return the scores as lines for people."""
    size = f"{facts['width']} x {facts['height']} px, {facts['pixels']} of them compared"
    lines = [f"{size}; values span {facts['span']:g}"]
    lines += [f"{name:<21}{facts[key]:>10.4f}" for key, name in ROWS.items()]
    if "dab" in facts:
        lines += [f"{name:<21}{facts['dab'][key]:>10.4f}" for key, name in DAB_ROWS.items()]
    for network, distance in facts.get("lpips", {}).items():
        lines.append(f"{f'LPIPS {network}':<21}{distance:>10.4f}")
    return "\n".join(lines)
