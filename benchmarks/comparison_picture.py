"""Draw benchmarks as cumulative error curves, by method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.sax.saxutils import escape

from stainbridge.evaluate.curves import HEIGHT, WIDTH, Chart, make_chart

#: Heights of a panel's title and of the legend in pixels.
TITLE = 34
LEGEND = 46
#: Methods of stainbridge, which are drawn on top.
OURS = ("default", "fast")
STYLE = """
text { font: 14px system-ui, sans-serif; fill: #5c6577; } \
.title { font-weight: 650; font-size: 17px; fill: #1d2330; }
.grid { stroke: #e2e6ee; } .success { stroke: #5c6577; stroke-dasharray: 3 4; }
polyline { fill: none; stroke-linejoin: round; }
"""

#: Median rTREs by method.
Medians = Mapping[str, Sequence[float]]


def draw(path: Path, panels: Mapping[str, Medians]) -> None:
    """Write an SVG of two panels a row, by their titles; a method has one colour in all of them."""
    methods = dict.fromkeys(name for medians in panels.values() for name in medians)
    names = sorted(methods, key=lambda name: OURS.index(name) if name in OURS else len(OURS))
    height = HEIGHT + TITLE
    rows = (len(panels) + 1) // 2
    parts = []
    for number, (title, medians) in enumerate(panels.items()):
        left = number % 2 * WIDTH
        top = number // 2 * height
        panel = _panel(title, medians, names)
        parts.append(f'<g transform="translate({left} {top})">{panel}</g>')
    parts.append(f'<g transform="translate(0 {rows * height})">{_legend(names)}</g>')
    size = f'viewBox="0 0 {2 * WIDTH} {rows * height + LEGEND}"'
    body = f'<svg xmlns="http://www.w3.org/2000/svg" {size}><style>{STYLE}</style>'
    path.write_text(
        f'{body}<rect width="100%" height="100%" fill="#fff"/>{"".join(parts)}</svg>\n',
        encoding="utf-8",
    )


def _panel(title: str, medians: Medians, names: Sequence[str]) -> str:
    drawn = make_chart({name: medians.get(name, [float("nan")]) for name in names})
    left, top, right, bottom = drawn.box
    parts = [f'<text class="title" x="{left}" y="{TITLE - 12}">{escape(title)}</text>']
    parts.append(f'<g transform="translate(0 {TITLE})">')
    for x, words in drawn.x_ticks:
        style = "success" if words == "0.01" else "grid"
        parts.append(f'<line class="{style}" x1="{x:.1f}" x2="{x:.1f}" y1="{top}" y2="{bottom}"/>')
        parts.append(f'<text x="{x:.1f}" y="{bottom + 18}" text-anchor="middle">{words}</text>')
    for y, words in drawn.y_ticks:
        parts.append(f'<line class="grid" x1="{left}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{left - 6}" y="{y + 5:.1f}" text-anchor="end">{words}</text>')
    parts += [
        f'<polyline points="{curve.points}" {_stroke(drawn, curve.name)}/>'
        for curve in reversed(drawn.curves)
        if curve.name in medians
    ]
    return "".join([*parts, "</g>"])


def _legend(names: Sequence[str]) -> str:
    drawn = make_chart({name: [1.0] for name in names})
    parts = []
    x = 52.0
    for name in names:
        parts.append(f'<line x1="{x}" x2="{x + 24}" y1="20" y2="20" {_stroke(drawn, name)}/>')
        parts.append(f'<text x="{x + 30}" y="25">{escape(name)}</text>')
        x += 56 + 8 * len(name)
    return "".join(parts)


def _stroke(drawn: Chart, name: str) -> str:
    curve = next(curve for curve in drawn.curves if curve.name == name)
    width = 4 if name in OURS else 2
    dashes = f'stroke-dasharray="{curve.dashes}"'
    return f'stroke="{curve.colour}" {dashes} stroke-width="{width}"'
