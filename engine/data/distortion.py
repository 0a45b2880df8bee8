"""What makes one hand's letter differ from the next: rounding, strokes out of place, elastic and affine distortion.

Only +, -, *, / and square roots of random words are used, each rounded as IEEE 754 says: so the letters are the same
bytes on every machine, which sines, exponentials and matrix products do not promise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.data.strokes import Glyphs
from engine.kernels.streams import Stream

Floats = NDArray[np.float32]

_KNOTS = 4  # the elastic distortion is given at 4 x 4 places
_STROKES = 12  # strokes told apart; those of any further number move together


@dataclass(frozen=True)
class Style:
    """How strong each distortion is; lengths are fractions of the letter's longer side."""

    elastic: float = 0.04
    stroke_shift: float = 0.02
    end_shift: float = 0.035
    slant: float = 0.22  # x per y
    turn: float = 0.065  # tangent of half the largest angle
    narrowest: float = 0.6  # widths are multiplied by this or more
    widest: float = 1.4  # and by this at most


def distort(forms: Glyphs, chosen: NDArray[np.int64], random: Stream, style: Style) -> Floats:
    """Return the points of the glyphs `chosen`, int64 [n], each distorted in its own way: float32 [n, P, 2]."""
    n = len(chosen)
    rounding = 1.2 * random.uniform(n, 1, 1)
    angular = forms.angular[chosen]
    points = angular + rounding * (forms.rounded[chosen] - angular)
    points += _by_stroke(forms, chosen, random, style)
    points += _elastic(points, random, style)
    return _affine(points, random, style)


def bell(random: Stream, shape: tuple[int, ...]) -> Floats:
    """Draw numbers of mean 0 and standard deviation 1: the sum of three even ones, bell-shaped, never beyond 3."""
    return 2 * (random.uniform(*shape) + random.uniform(*shape) + random.uniform(*shape)) - 3


def _by_stroke(forms: Glyphs, chosen: NDArray[np.int64], random: Stream, style: Style) -> Floats:
    """Move whole strokes, and their ends by themselves: the last third of a stroke bends towards where its end goes."""
    n = len(chosen)
    moves = bell(random, (3, n, _STROKES, 2))
    which = np.arange(n)[:, None], np.minimum(forms.stroke[chosen], _STROKES - 1)
    along = forms.along[chosen][..., None]
    shift: Floats = np.float32(style.stroke_shift) * moves[0][which]
    for part, move in ((1 - 3 * along, moves[1]), (3 * along - 2, moves[2])):
        nearness = np.maximum(part, 0)
        shift += np.float32(style.end_shift) * nearness * nearness * move[which]
    return shift


def _elastic(points: Floats, random: Stream, style: Style) -> Floats:
    """Interpolate random displacements of 4 x 4 knots, smoothly (3 t^2 - 2 t^3), at the points [n, P, 2]."""
    n = len(points)
    knots = np.float32(style.elastic) * bell(random, (n, _KNOTS, _KNOTS, 2))
    place = np.clip((points + np.float32(0.6)) * np.float32((_KNOTS - 1) / 1.2), 0, np.float32(_KNOTS - 1.001))
    cell = place.astype(np.int64)
    t = place - cell
    t = t * t * (3 - 2 * t)
    (x, y), (u, v) = (cell[..., 0], cell[..., 1]), (t[..., 0, None], t[..., 1, None])
    which = np.arange(n)[:, None]
    upper = knots[which, y, x] * (1 - u) + knots[which, y, x + 1] * u
    lower = knots[which, y + 1, x] * (1 - u) + knots[which, y + 1, x + 1] * u
    moved: Floats = upper * (1 - v) + lower * v
    return moved


def _affine(points: Floats, random: Stream, style: Style) -> Floats:
    """Squeeze, slant and turn.

    With t = tan(a / 2), a rotation by a has cos a = (1 - t^2) / (1 + t^2) and sin a = 2 t / (1 + t^2).
    """
    n = len(points)
    even = 2 * random.uniform(3, n, 1) - 1
    middle, reach = (style.widest + style.narrowest) / 2, (style.widest - style.narrowest) / 2
    y = points[..., 1]
    x = points[..., 0] * (np.float32(middle) + np.float32(reach) * even[0]) - np.float32(style.slant) * even[1] * y
    t = np.float32(style.turn) * even[2]
    cosine, sine = (1 - t * t) / (1 + t * t), 2 * t / (1 + t * t)
    return np.stack([cosine * x - sine * y, sine * x + cosine * y], -1)
