"""Augmentation against a scalar loop."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from engine.data import augment, stream


def scalar(images: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    n, height, width, _ = images.shape
    shifts = rng.integers(-2, 3, size=(n, 2))
    places = rng.integers(0, height * width, size=(n, 5))
    result = np.zeros_like(images)
    for i in range(n):
        dy, dx = (int(shift) for shift in shifts[i])
        for y in range(height):
            for x in range(width):
                if 0 <= y + dy < height and 0 <= x + dx < width:
                    result[i, y + dy, x + dx] = images[i, y, x]
        for place in {int(place) for place in places[i]}:
            y, x = place // width, place % width
            result[i, y, x] = 255 - result[i, y, x]
    return result


@given(n=st.integers(1, 5), height=st.integers(1, 7), width=st.integers(1, 7), channels=st.integers(1, 3))
def test_equals_the_scalar_loop(n: int, height: int, width: int, channels: int) -> None:
    seed = n + 10 * height + 100 * width + 1000 * channels
    images = np.random.default_rng(seed).integers(0, 256, (n, height, width, channels), np.uint8)
    expected = scalar(images, stream(seed, 1, 0))
    augment(images, stream(seed, 1, 0))
    np.testing.assert_array_equal(images, expected)


def test_every_shift_happens_and_nothing_is_lost_from_the_middle() -> None:
    images = np.zeros((600, 28, 28, 1), np.uint8)
    images[:, 14, 14] = 100
    augment(images, stream(0, 1, 0))
    found = {(int(y), int(x)) for y, x in np.argwhere((images[..., 0] == 100).any(0))}
    assert found == {(y, x) for y in range(12, 17) for x in range(12, 17)}


def test_at_most_five_pixels_are_inverted() -> None:
    images = np.zeros((200, 28, 28, 1), np.uint8)
    augment(images, stream(0, 1, 0))
    spoilt = (images == 255).sum((1, 2, 3))
    assert np.isin(images, (0, 255)).all()
    assert 4 <= spoilt.min() <= spoilt.max() == 5


@pytest.mark.parametrize("microbatch", [1, 2])
def test_the_stream_decides(microbatch: int) -> None:
    one, other = (np.zeros((8, 28, 28, 1), np.uint8) for _ in range(2))
    augment(one, stream(0, 1, 0))
    augment(other, stream(0, 1, microbatch))
    assert (one != other).any()
