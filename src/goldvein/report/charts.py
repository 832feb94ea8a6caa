"""The charts of the report as SVG: the matrix of confused classes, curves of training, and calibration.

The SVG is written here, not by a plotting library. A chart then takes 1 to 10 KB instead of 17 KB or more, its CSS
classes follow the light or dark colors of the page, and its cells can be clicked.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from markupsafe import Markup, escape
from numpy.typing import NDArray

NUMBERED = 12  # most classes with a number in each cell
NAMED = 40  # most classes with a name at each row and column
LONGEST = 14  # most characters of a name beside the matrix
MOST_POINTS = 240  # most points of a curve
LEAST = 0.005  # cells of a lower rate are empty


class Bin(NamedTuple):
    """Rows of similar stated probability: their mean, the observed share with its 95 % interval, their number."""

    stated: float
    observed: float
    low: float
    high: float
    n_rows: int


def shorten(text: object, most: int) -> str:
    """Return a text of at most ``most`` characters; it is cut in the middle, since file names often differ at the end.

    Examples
    --------
    >>> shorten("photographs/2019/holiday.png", 15)
    'photogr…day.png'
    """
    line = " ".join(str(text).split())
    if len(line) <= most:
        return line
    tail = (most - 1) // 2
    return f"{line[: most - 1 - tail]}…{line[len(line) - tail :]}"


def draw_matrix(transition: NDArray[np.float64], classes: Sequence[str | int]) -> Markup:
    """Draw how often each true class (row) gets each label (column); the darkest cell is the most frequent confusion.

    Parameters
    ----------
    transition : ndarray of shape (K, K)
        T[i, j] = P(given j | true i).
    classes : sequence of length K

    Examples
    --------
    >>> "labeled dog: 10" in draw_matrix(np.array([[0.9, 0.1], [0.0, 1.0]]), ["cat", "dog"])
    True
    """
    n = len(classes)
    cell = 38 if n <= NUMBERED else max(4, 456 // n)  # pixels; 456 = 12 cells of 38
    names = [shorten(label, LONGEST) for label in classes] if n <= NAMED else []
    margin = 14 + 7 * max((len(name) for name in names), default=0)  # about 7 pixels per character
    size = margin + n * cell
    top = max(float((transition - np.diag(np.diag(transition))).max(initial=0)), LEAST)
    parts = [_svg(size, size, "matrix", "How often each true class gets each label")]
    for k, name in enumerate(names):
        middle = margin + k * cell + cell / 2
        parts.append(f'<text class="row" x="{margin - 6}" y="{middle + 4:g}">{escape(name)}</text>')
        turn = f'transform="translate({middle + 4:g} {margin - 6}) rotate(-90)"'
        parts.append(f'<text class="column" {turn}>{escape(name)}</text>')
    shown = np.argwhere((transition >= LEAST) | (n <= NAMED)).tolist()
    parts += [_cell(i, j, float(transition[i, j]), top, margin, cell, classes) for i, j in shown]
    return Markup("".join([*parts, "</svg>"]))


def _cell(i: int, j: int, rate: float, top: float, margin: int, cell: int, classes: Sequence[str | int]) -> str:
    x, y = margin + j * cell, margin + i * cell
    text = f"true {shorten(classes[i], 60)}, labeled {shorten(classes[j], 60)}: {percent(rate)}"
    # the square root keeps rare confusions visible
    depth = "" if i == j or rate < LEAST else f' fill-opacity="{0.12 + 0.88 * math.sqrt(rate / top):.2f}"'
    kind = "right" if i == j else ("none" if rate < LEAST else "mixed")
    shape = f'<rect class="{kind}" x="{x}" y="{y}" width="{cell - 1}" height="{cell - 1}"{depth}/>'
    deep = " deep" if kind == "mixed" and rate > top / 2 else ""  # the number is light on a dark cell
    number = (
        f'<text class="number{deep}" x="{x + (cell - 1) / 2:g}" y="{y + cell / 2 + 4:g}">{_format_rate(rate)}</text>'
    )
    shown = number if len(classes) <= NUMBERED and rate >= LEAST else ""
    return f'<g data-true="{i}" data-given="{j}"><title>{escape(text)}</title>{shape}{shown}</g>'


def draw_curve(name: str, values: Sequence[float | None], stages: Sequence[int]) -> Markup:
    """Draw one quantity over the epochs of all stages, with its lowest and highest value.

    Parameters
    ----------
    name : str
    values : sequence of length E
        None or NaN for an epoch without a value.
    stages : sequence of length E
        Number of the stage of each epoch. A dashed line marks the start of a stage.

    Examples
    --------
    >>> "0.9" in draw_curve("accuracy", [0.5, 0.9], [0, 0])
    True
    """
    known = [(k, v) for k, v in enumerate(values) if v is not None and math.isfinite(v)]
    if not known:
        return Markup("")
    low, high = min(v for _, v in known), max(v for _, v in known)
    flat = high - low < 1e-12  # a constant curve lies in the middle
    marks = {v: _format_tick(v) for v in ((low,) if flat else (low, high))}
    width, height, right, top, bottom = 300, 150, 12, 12, 22
    left = max(54, 14 + 7 * max(map(len, marks.values())))
    last = max(len(values) - 1, 1)

    def place(k: int, v: float) -> tuple[float, float]:
        share = 0.5 if flat else (v - low) / (high - low)
        return left + k / last * (width - left - right), height - bottom - share * (height - top - bottom)

    step = math.ceil(len(known) / MOST_POINTS)
    thinned = [*known[::step], known[-1]]  # the last value is always drawn
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(k, v) for k, v in thinned))
    parts = [_svg(width, height, "curve", f"{name} over the epochs")]
    for k in range(1, len(stages)):
        if stages[k] != stages[k - 1]:
            x = place(k, low)[0]
            parts.append(f'<line class="stage" x1="{x:.1f}" x2="{x:.1f}" y1="{top}" y2="{height - bottom}"/>')
    for v, mark in marks.items():
        y = place(0, v)[1]
        parts.append(f'<line class="rule" x1="{left}" x2="{width - right}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text class="row" x="{left - 6}" y="{y + 4:.1f}">{mark}</text>')
    x, y = place(*known[-1])
    parts.append(f'<polyline points="{line}"/><circle cx="{x:.1f}" cy="{y:.1f}" r="2.5"/>')
    parts.append(f'<text class="below" x="{left}" y="{height - 6}">epoch 1</text>')
    parts.append(f'<text class="row" x="{width - right}" y="{height - 6}">{len(values)}</text></svg>')
    return Markup("".join(parts))


def draw_calibration(bins: Sequence[Bin], x_label: str, y_label: str) -> Markup:
    """Draw observed shares over stated probabilities, with intervals; a larger dot stands for more rows."""
    size, margin = 320, 62
    span = size - margin - 22
    most = max((part.n_rows for part in bins), default=1)

    def at(p: float) -> float:
        return margin + p * span

    def over(p: float) -> float:
        return 10 + (1 - p) * span

    parts = [_svg(size, size - 12, "calibration", f"{y_label} over {x_label}")]
    for p in (0.0, 0.5, 1.0):
        ends = f'x1="{at(0):.1f}" x2="{at(1):.1f}"'
        parts.append(f'<line class="rule" {ends} y1="{over(p):.1f}" y2="{over(p):.1f}"/>')
        parts.append(f'<text class="row" x="{margin - 12}" y="{over(p) + 4:.1f}">{percent(p)}</text>')
        parts.append(f'<text class="middle" x="{at(p):.1f}" y="{over(0) + 16:.1f}">{percent(p)}</text>')
    ideal = f'x1="{at(0):.1f}" y1="{over(0):.1f}" x2="{at(1):.1f}" y2="{over(1):.1f}"'
    parts.append(f'<line class="stage" {ideal}/>')
    for stated, observed, low, high, n_rows in bins:
        x, radius = at(stated), 2.5 + 5 * math.sqrt(n_rows / most)  # the area of a dot grows with its rows
        text = f"stated {percent(stated)}, observed {percent(observed)} of {n_rows:,} rows"
        bar = f'<line class="bar" x1="{x:.1f}" x2="{x:.1f}" y1="{over(low):.1f}" y2="{over(high):.1f}"/>'
        dot = f'<circle cx="{x:.1f}" cy="{over(observed):.1f}" r="{radius:.1f}"/>'
        parts.append(f"<g><title>{text}</title>{bar}{dot}</g>")
    parts.append(f'<text class="middle" x="{at(0.5):.1f}" y="{over(0) + 36:.1f}">{escape(x_label)}</text>')
    turn = f'transform="translate(12 {over(0.5):.1f}) rotate(-90)"'
    parts.append(f'<text class="middle" {turn}>{escape(y_label)}</text></svg>')
    return Markup("".join(parts))


def _svg(width: float, height: float, kind: str, label: str) -> str:
    box = f'viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}"'
    return f'<svg class="{kind}" {box} role="img" aria-label="{escape(label)}">'


def percent(share: float, digits: int | None = None) -> str:
    """Return a share in percent; by default a share below 10 % has one digit after the decimal point.

    Examples
    --------
    >>> percent(0.5), percent(0.0123)
    ('50\\xa0%', '1.2\\xa0%')
    """
    if digits is None:
        digits = 0 if share >= 0.0995 or share == 0 else 1  # from there on, one digit would give 10.0
    return f"{100 * share:.{digits}f}\N{NO-BREAK SPACE}%"


def _format_tick(value: float) -> str:
    """Return the number at a tick of an axis.

    Examples
    --------
    >>> [_format_tick(v) for v in (0.0512, 5110.2, -48_200.0, 5.1e9)]
    ['0.0512', '5,110', '-48,200', '5.1e+09']
    """
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e6 else f"{value:.3g}"


def _format_rate(rate: float) -> str:
    return f"{100 * rate:.0f}" if rate >= 0.0095 else f"{100 * rate:.1f}"
