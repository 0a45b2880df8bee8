"""The landscapes of `gradsum demo hill`: their gradients, and that the lesson they teach is true."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.nn.optimizers import SGD, Adam, Momentum
from engine.reports.plots.landscape import FLAT, HILL, LOW, VALLEY, Landscape, Point, descend

coordinate = st.floats(-5, 5)


def numeric_slope(landscape: Landscape, point: Point, step: float = 1e-5) -> list[float]:
    """Return central differences."""
    found = []
    for axis in np.eye(len(point)):
        found.append((landscape.height(point + step * axis) - landscape.height(point - step * axis)) / (2 * step))
    return found


@given(coordinate)
def test_the_slope_of_the_hill(x: float) -> None:
    point = np.array([x])
    np.testing.assert_allclose(HILL.slope(point), numeric_slope(HILL, point), rtol=1e-6, atol=1e-6)


@given(coordinate, coordinate)
def test_the_slope_of_the_valley(x: float, y: float) -> None:
    point = np.array([x, y])
    np.testing.assert_allclose(VALLEY.slope(point), numeric_slope(VALLEY, point), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("landscape", [HILL, VALLEY])
def test_nothing_is_lower_than_the_lowest_point(landscape: Landscape) -> None:
    lowest = np.array(landscape.lowest)
    assert np.abs(landscape.slope(lowest)).max() == 0
    around = np.random.default_rng(1).uniform(-6, 6, (2000, len(lowest)))
    assert min(landscape.height(point) for point in around) > landscape.height(lowest)


def test_the_shelf_is_where_the_hill_has_hardly_any_slope_before_the_pit() -> None:
    x = np.linspace(0.8, 2.6, 1801)
    steepness = [abs(float(HILL.slope(np.array([value]))[0])) for value in x]
    assert x[int(np.argmin(steepness))] == pytest.approx(FLAT, abs=0.02)


def by_hand(landscape: Landscape, start: list[float], steps: int, kind: str, lr: float, mu: float = 0.9) -> Point:
    """Descend in Python floats, by the published rules; an oracle for what float32 vectors do."""
    here, velocity = list(start), [0.0] * len(start)
    m, v = [0.0] * len(start), [0.0] * len(start)
    path = [list(here)]
    for t in range(1, steps + 1):
        for i, g in enumerate(landscape.slope(np.array(here)).tolist()):
            velocity[i] = mu * velocity[i] + g
            m[i] = 0.9 * m[i] + 0.1 * g
            v[i] = 0.999 * v[i] + 0.001 * g * g
            adam = (m[i] / (1 - 0.9**t)) / (math.sqrt(v[i] / (1 - 0.999**t)) + 1e-8)
            here[i] -= lr * {"sgd": g, "momentum": velocity[i], "adam": adam}[kind]
        path.append(list(here))
    return np.array(path)


def test_the_descents_are_those_of_the_rules() -> None:
    start = [-4.0, 1.5]
    for optimizer, kind in ((SGD(0.05), "sgd"), (Momentum(0.05), "momentum"), (Adam(0.2), "adam")):
        found = descend(optimizer, VALLEY, start, 40)
        np.testing.assert_allclose(found, by_hand(VALLEY, start, 40, kind, optimizer.lr), rtol=1e-3, atol=1e-3)


def test_the_lesson_of_the_hill_is_true() -> None:
    from engine.reports.plots.hill import hill_balls

    small, large, momentum, adam = (ball.path[:, 0] for ball in hill_balls())
    assert small.max() < FLAT, "a small rate does not even get over the shelf"
    assert ((large[1:] > FLAT) & (large[1:] < FLAT + 0.1)).sum() > 5, "a large rate nearly sticks there, too"
    sides = large[-20:] - LOW
    assert (np.abs(sides) > 0.1).all(), "and never comes to rest"
    assert (sides[1:] * sides[:-1] < 0).all(), "for it overshoots with every step"
    for path in (momentum, adam):
        assert abs(path[-1] - LOW) < 0.05


def test_the_lesson_of_the_valley_is_true() -> None:
    from engine.reports.plots.hill import valley_balls

    ends = [math.dist(ball.path[-1], VALLEY.lowest) for ball in valley_balls()]
    assert min(ends[:2]) > 0.5
    assert max(ends[2:]) < 0.15
