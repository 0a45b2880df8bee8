"""`gradsum demo hill`: how optimizers come down two landscapes, as a picture and as an animation."""

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap, PowerNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray
from PIL import Image

from engine.nn.optimizers import SGD, Adam, Momentum, Optimizer
from engine.reports.plots.landscape import FLAT, HILL, LOW, VALLEY, Landscape, Point, descend
from engine.reports.plots.style import COLOURS, GREY, new_figure

HILL_START, HILL_STEPS = (1.0,), 60
VALLEY_START, VALLEY_STEPS = (-4.0, 1.5), 100
LAST = max(HILL_STEPS, VALLEY_STEPS)
_FRAME_MS = 80
_END_MS = 3000
_GIF_DPI = 75
_LIFT = 0.034  # the tracks above the hill lie so much apart, or they would cover each other

SMALL, LARGE, MOMENTUM, ADAM = COLOURS[4], COLOURS[1], COLOURS[0], COLOURS[2]


@dataclass(frozen=True)
class Ball:
    """One descent: its name in the legend, its colour and the points [steps + 1, D] it visited."""

    name: str
    colour: str
    path: Point


def hill_balls() -> list[Ball]:
    """Return the descents of the hill with a shelf."""
    balls = (
        ("plain descent, rate 0.05: sticks", SMALL, SGD(0.05)),
        ("plain descent, rate 1: overshoots for ever", LARGE, SGD(1.0)),
        ("momentum 0.8, rate 0.15", MOMENTUM, Momentum(0.15, 0.8)),
        ("ADAM, rate 0.1", ADAM, Adam(0.1)),
    )
    return _balls(balls, HILL, HILL_START, HILL_STEPS)


def valley_balls() -> list[Ball]:
    """Return the descents of the winding valley."""
    balls = (
        ("plain descent, rate 0.05: creeps", SMALL, SGD(0.05)),
        ("plain descent, rate 0.32: is thrown about", LARGE, SGD(0.32)),
        ("momentum 0.9, rate 0.05", MOMENTUM, Momentum(0.05, 0.9)),
        ("ADAM, rate 0.2", ADAM, Adam(0.2)),
    )
    return _balls(balls, VALLEY, VALLEY_START, VALLEY_STEPS)


def _balls(
    balls: Sequence[tuple[str, str, Optimizer]], landscape: Landscape, start: Sequence[float], steps: int
) -> list[Ball]:
    return [Ball(name, colour, descend(optimizer, landscape, start, steps)) for name, colour, optimizer in balls]


class Scene:
    """Both landscapes with their balls, at any step: the figure is drawn once, then only the balls move."""

    def __init__(self) -> None:
        self.figure = new_figure(11, 6.2, "Four optimizers on the same two landscapes")
        self._step = self.figure.text(0.995, 0.985, "", ha="right", va="top", color=GREY)
        left, right = self.figure.subfigures(1, 2, squeeze=False)[0]
        above, below = left.subplots(2, 1, height_ratios=[1.25, 1])
        # A trail, the ball at its end, and where they go, x and y [steps + 1].
        self._moving: list[tuple[Line2D, Line2D, NDArray[np.float64], NDArray[np.float64]]] = []
        self._draw_hill(above)
        self._draw_steps(below)
        self._draw_valley(right.subplots())
        self.show(LAST)
        self._step.set_text("")  # both are at their ends, which are not the same step

    @property
    def moving(self) -> list[Artist]:
        """What `show` changes."""
        return [self._step, *(artist for trail, ball, _, _ in self._moving for artist in (trail, ball))]

    def set_visible(self, visible: bool) -> None:
        """Show or hide what moves."""
        for artist in self.moving:
            artist.set_visible(visible)

    def show(self, step: int) -> None:
        """Move every ball to where it is after `step` steps, or to its end."""
        self._step.set_text(f"step {step}")
        for trail, ball, x, y in self._moving:
            last = min(step, len(x) - 1)
            trail.set_data(x[: last + 1], y[: last + 1])
            ball.set_data(x[last : last + 1], y[last : last + 1])

    def _add(self, axes: Axes, ball: Ball, x: NDArray[np.float64], y: NDArray[np.float64], line: str = "-") -> None:
        """Prepare what `show` will move."""
        trail = axes.plot([], [], f".{line}", color=ball.colour, linewidth=1, markersize=4, alpha=0.7)[0]
        place = axes.plot([], [], "o", color=ball.colour, markersize=9, markeredgecolor="white", label=ball.name)[0]
        self._moving.append((trail, place, x, y))

    def _draw_hill(self, axes: Axes) -> None:
        x = np.linspace(0.8, 3.55, 400)
        axes.plot(x, _heights(x), color=GREY, linewidth=1)
        axes.fill_between(x, _heights(x), -1, color=GREY, alpha=0.15, linewidth=0)
        for i, ball in enumerate(hill_balls()):
            at = ball.path[:, 0]
            self._add(axes, ball, at, _heights(at) + _LIFT * (i + 0.6), line="")
        axes.text(FLAT, -0.06, "a shelf: hardly any slope", ha="center", va="top", color=GREY)
        axes.set(xlabel="x", ylabel="height f(x)", title="a hill with a shelf, 60 steps")
        axes.set(xlim=(0.8, 3.55), ylim=(-0.5, 0.6))
        axes.legend(loc="upper center", ncols=2)

    def _draw_steps(self, axes: Axes) -> None:
        for ball in hill_balls():
            self._add(axes, ball, np.arange(len(ball.path), dtype=np.float64), ball.path[:, 0])
        for level, text in ((LOW, "lowest\npoint"), (FLAT, "shelf")):
            axes.axhline(level, color=GREY, linewidth=0.8, linestyle="--")
            axes.text(1.01, level, text, transform=axes.get_yaxis_transform(), va="center", color=GREY)
        axes.set(xlabel="step", ylabel="x", xlim=(-1, HILL_STEPS + 1.5), ylim=(0.9, 3.5))

    def _draw_valley(self, axes: Axes) -> None:
        x, y = np.meshgrid(np.linspace(-4.9, 2.2, 143), np.linspace(-2.4, 2.9, 107))
        z = np.array([VALLEY.height(np.array(point)) for point in zip(x.flat, y.flat, strict=True)]).reshape(x.shape)
        levels = np.linspace(0, 40**0.5, 18) ** 2
        greys = LinearSegmentedColormap.from_list("valley", ["#ffffff", "#9a9a9a"])
        axes.contourf(x, y, z, levels, cmap=greys, norm=PowerNorm(0.5, 0, 40), extend="max")
        for ball in valley_balls():
            self._add(axes, ball, ball.path[:, 0], ball.path[:, 1])
        axes.plot(*VALLEY.lowest, "*", color="white", markeredgecolor="black", markersize=14, zorder=5)
        axes.plot(*VALLEY_START, "s", color="white", markeredgecolor="black", markersize=6, zorder=5)
        axes.annotate("start", VALLEY_START, (6, 6), textcoords="offset points")
        axes.set(xlabel="x", ylabel="y", title="a winding valley, 100 steps; the star is its lowest point")
        axes.grid(visible=False)
        axes.legend(loc="upper right", frameon=True)


def _heights(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.array([HILL.height(np.array([value])) for value in x])


def draw() -> Figure:
    """Return the still: all trails in full."""
    return Scene().figure


def animation() -> bytes:
    """Return an animated GIF, a frame a step; what stands still is drawn once, and the colours are those of its end."""
    scene = Scene()
    scene.figure.set_dpi(_GIF_DPI)
    canvas = FigureCanvasAgg(scene.figure)
    canvas.draw()
    palette = _pixels(canvas).quantize(128, dither=Image.Dither.NONE)
    scene.set_visible(False)
    canvas.draw()
    background = canvas.copy_from_bbox(scene.figure.bbox)
    scene.set_visible(True)
    frames = []
    for step in range(LAST + 1):
        scene.show(step)
        canvas.restore_region(background)
        for artist in scene.moving:
            scene.figure.draw_artist(artist)
        frames.append(_pixels(canvas).quantize(palette=palette, dither=Image.Dither.NONE))
    content = io.BytesIO()
    durations = [_FRAME_MS] * LAST + [_END_MS]
    frames[0].save(content, "GIF", save_all=True, append_images=frames[1:], duration=durations, loop=0)
    return content.getvalue()


def _pixels(canvas: FigureCanvasAgg) -> Image.Image:
    return Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3])
