"""The shapes of letters, as pen strokes: ways of writing each letter by hand, and the Hershey fonts.

The Hershey fonts were digitised by A. V. Hershey at the U.S. National Bureau of Standards ("A contribution to
computer typesetting techniques", NBS Special Publication 424, 1976) and are free to use in any format but that of
the U.S. NTIS; they come from the package Hershey-Fonts (MIT licence).
"""

from __future__ import annotations

import functools
import math
import string
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.data.handwriting import HANDS

Stroke = NDArray[np.float64]  # [points, 2], x to the right and y down, in any unit

SPACING = 1 / 15  # of the letter's longer side: a point every 1.3 pixels or so

_FINE = 1 << 16  # points lie on a grid of this fraction of the letter's longer side

# Font, how often its lower-case and capital letters are taken (a hand-written form counts 1), and letters left out
# because people would take them for others.
_FONTS = (
    ("futural", 1.0, 1.0, "I"),
    ("scripts", 0.25, 0.0, ""),
    ("timesi", 0.1, 0.0, ""),
    ("timesr", 0.1, 0.0, ""),
)


@dataclass(frozen=True, eq=False)
class Glyphs:
    """G ways of writing letters, each as at most P points of at most S strokes.

    `angular` and `rounded`, float32 [G, P, 2]: the points as drawn and with corners rounded, in a box of longer
    side 1 about the origin. `along` float32 [G, P]: how far along its stroke a point is, 0 to 1. `stroke` int64
    [G, P]: which stroke it belongs to. `count` int64 [G]: how many points there are; later ones repeat the last.
    `starts[k] : starts[k + 1]` are the forms of letter k, and `cumulative` float64 [G] their chances, added up
    within each letter.
    """

    angular: NDArray[np.float32]
    rounded: NDArray[np.float32]
    along: NDArray[np.float32]
    stroke: NDArray[np.int64]
    count: NDArray[np.int64]
    starts: NDArray[np.int64]
    cumulative: NDArray[np.float64]


@functools.cache
def glyphs() -> Glyphs:
    """Return all forms of all letters; made once in a process."""
    forms = [_forms(letter) for letter in string.ascii_lowercase]
    sampled = [[_resample(strokes) for strokes, _ in letter] for letter in forms]
    flat = [points for letter in sampled for points in letter]
    most = max(len(points) for points, *_ in flat)

    def padded(index: int) -> NDArray[np.float64]:
        return np.stack([np.concatenate([f[index], np.repeat(f[index][-1:], most - len(f[0]), 0)]) for f in flat])

    chances = [np.cumsum([weight for _, weight in letter]) for letter in forms]
    return Glyphs(
        angular=padded(0).astype(np.float32),
        rounded=padded(1).astype(np.float32),
        along=padded(2).astype(np.float32),
        stroke=padded(3).astype(np.int64),
        count=np.array([len(points) for points, *_ in flat]),
        starts=np.cumsum([0] + [len(letter) for letter in forms]),
        cumulative=np.concatenate([chance / chance[-1] for chance in chances]),
    )


def _forms(letter: str) -> list[tuple[list[Stroke], float]]:
    """Return the forms of a letter and how often each is taken: half of the time a lower-case one."""
    result = []
    for case, weights in ((letter, [lower for _, lower, _, _ in _FONTS]),
                          (letter.upper(), [upper for _, _, upper, _ in _FONTS])):  # fmt: skip
        forms = [(_drawn(text), 1.0) for text in HANDS[case]]
        for (font, _, _, without), weight in zip(_FONTS, weights, strict=True):
            if weight and case not in without:
                forms.append((_hershey(font)[case], weight))
        total = math.fsum(weight for _, weight in forms)
        result += [(strokes, weight / total) for strokes, weight in forms]
    return result


def _drawn(text: str) -> list[Stroke]:
    """Read the notation of `handwriting`, and round what is not marked as a corner."""
    strokes = []
    for part in text.split(","):
        points = np.array([[int(digit) for digit in point] for point in part.split()], np.float64)
        for _ in range(3):
            # Chaikin's corner cutting; it leaves the ends, and corners given twice, where they are.
            cut = np.stack([0.75 * points[:-1] + 0.25 * points[1:], 0.25 * points[:-1] + 0.75 * points[1:]], 1)
            points = np.concatenate([points[:1], cut.reshape(-1, 2), points[-1:]])
        strokes.append(points)
    return strokes


@functools.cache
def _hershey(font: str) -> dict[str, list[Stroke]]:
    from HersheyFonts import HersheyFonts  # noqa: PLC0415  decodes 300 kB at import; only generating needs it

    reader = HersheyFonts()
    reader.load_default_font(font)
    letters = string.ascii_letters
    return {c: [np.array(s, np.float64) for s in reader.strokes_for_text(c) if len(s) > 1] for c in letters}


def _resample(strokes: list[Stroke]) -> tuple[Stroke, Stroke, NDArray[np.float64], NDArray[np.int64]]:
    """Return angular and rounded points, way along the stroke, and stroke number, in the unit box."""
    everything = np.concatenate(strokes)
    low, high = everything.min(0), everything.max(0)
    scale = 1 / (high - low).max()
    angular, rounded, along, number = [], [], [], []
    for which, stroke in enumerate(strokes):
        points = (stroke - (low + high) / 2) * scale
        x, y = np.diff(points, axis=0).T
        way = np.concatenate([[0.0], np.cumsum(np.sqrt(x * x + y * y))])
        intervals = 1 + int(way[-1] / SPACING)
        even = np.arange(intervals + 1) / intervals
        resampled = _between(points, way, even * way[-1])
        angular.append(np.rint(resampled * _FINE) / _FINE)
        rounded.append(np.rint(_smooth(resampled) * _FINE) / _FINE)
        along.append(even)
        number.append(np.full(len(even), which))
    return np.concatenate(angular), np.concatenate(rounded), np.concatenate(along), np.concatenate(number)


def _between(points: Stroke, way: NDArray[np.float64], at: NDArray[np.float64]) -> Stroke:
    """Interpolate between points that are `way` along a stroke, ascending from 0, at other places along it."""
    before = np.searchsorted(way, at, side="right") - 1
    inner = before < len(way) - 1
    before = np.minimum(before, len(way) - 2)
    length = np.where(inner, way[before + 1] - way[before], 1.0)  # which is 0 where a point is given twice
    share = (at - way[before]) / length
    found = points[before] + share[:, None] * (points[before + 1] - points[before])
    return np.where(inner[:, None], found, points[-1])


def _smooth(points: Stroke) -> Stroke:
    """Take the mean of each point and its two neighbours, three times; the ends stay."""
    for _ in range(3):
        inner = (points[:-2] + points[1:-1] + points[2:]) / 3
        points = np.concatenate([points[:1], inner, points[-1:]])
    return points
