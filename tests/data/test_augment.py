"""Augmentation against a scalar loop."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from engine.data import augment, stream
from engine.data.augment import AT_ONCE, resample
from engine.data.augmentation import USUAL, Augmentation, augmentation_of
from engine.errors import SettingsError
from engine.kernels.streams import Stream


def scalar(images: NDArray[np.uint8], random: Stream) -> NDArray[np.uint8]:
    n, height, width, _ = images.shape
    shifts, places = random.below(5, n, 2) - 2, random.below(height * width, n, 5)
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


SOME = st.builds(
    Augmentation,
    shift=st.integers(0, 3),
    flip=st.booleans(),
    rotate=st.sampled_from([0.0, 10.0, 180.0]),
    crop=st.sampled_from([0.0, 0.2, 0.9]),
    noise=st.integers(0, 4),
)


def each_scalar(images: NDArray[np.uint8], random: Stream, how: Augmentation) -> NDArray[np.uint8]:
    """What docs/arithmetic.md says, pixel by pixel, with the sine and cosine of the C library."""
    n, H, W, _ = images.shape
    shifts = random.below(2 * how.shift + 1, n, 2) - how.shift if how.shift else np.zeros((n, 2), int)
    flips = random.below(2, n) if how.flip else np.zeros(n, int)
    degrees = [(2 * float(u) - 1) * how.rotate for u in random.uniform(n)] if how.rotate else [0.0] * n
    cuts = random.uniform(n, 3).tolist() if how.crop else [[0.0, 0.5, 0.5]] * n
    places = random.below(H * W, n, how.noise) if how.noise else np.zeros((n, 0), int)
    result = np.zeros_like(images)
    for i in range(n):
        image = images[i, :, ::-1].astype(float) if flips[i] else images[i].astype(float)
        sine, cosine = math.sin(math.radians(degrees[i])), math.cos(math.radians(degrees[i]))
        side = 1 - how.crop * cuts[i][0]
        turned = np.zeros_like(image)
        for y, x in np.ndindex(H, W):
            down, right = y - (H - 1) / 2, x - (W - 1) / 2
            row = (H - 1) / 2 + (1 - side) * (cuts[i][1] - 0.5) * H + side * (cosine * down + sine * right)
            column = (W - 1) / 2 + (1 - side) * (cuts[i][2] - 0.5) * W + side * (cosine * right - sine * down)
            for r, c in [(math.floor(row) + a, math.floor(column) + b) for a in (0, 1) for b in (0, 1)]:
                if 0 <= r < H and 0 <= c < W:
                    turned[y, x] += image[r, c] * (1 - abs(row - r)) * (1 - abs(column - c))
        for y, x in np.ndindex(H, W):
            if 0 <= y - shifts[i][0] < H and 0 <= x - shifts[i][1] < W:
                result[i, y, x] = np.floor(turned[y - shifts[i][0], x - shifts[i][1]] + 0.5)
        for place in {int(place) for place in places[i]}:
            result[i, place // W, place % W] = 255 - result[i, place // W, place % W]
    return result


@given(how=SOME, n=st.integers(1, 3), H=st.integers(1, 7), W=st.integers(1, 7), C=st.integers(1, 3))
def test_every_change_equals_a_scalar_loop(how: Augmentation, n: int, H: int, W: int, C: int) -> None:
    seed = n + 10 * H + 100 * W + 1000 * C
    images = np.random.default_rng(seed).integers(0, 256, (n, H, W, C), np.uint8)
    expected = each_scalar(images, stream(seed, 1, 0), how)
    augment(images, stream(seed, 1, 0), how)
    # The oracle adds in another order, so what lies within 1e-9 of a half may be rounded the other way.
    assert np.abs(images.astype(int) - expected.astype(int)).max() <= (1 if how.rotate or how.crop else 0)
    assert (images != expected).mean() < 0.02 or images.size < 50


def test_how_many_are_resampled_at_a_time_changes_nothing() -> None:
    images = np.random.default_rng(1).integers(0, 256, (9, 150, 140, 1), np.uint8)  # three at a time
    assert 1 < AT_ONCE // (150 * 140) < 9
    alone = [images[k : k + 1].copy() for k in range(9)]
    turns, cuts = np.linspace(-0.5, 0.5, 9), np.random.default_rng(2).uniform(size=(9, 3))
    resample(images, turns, cuts, 0.3)
    for k in range(9):
        resample(alone[k], turns[k : k + 1], cuts[k : k + 1], 0.3)
    assert images.tobytes() == np.concatenate(alone).tobytes()


def test_half_a_turn_is_exact() -> None:
    images = np.random.default_rng(1).integers(0, 256, (2, 5, 6, 3), np.uint8)
    turned = images.copy()
    resample(turned, np.array([0.5, 0.25]), np.full((2, 3), 0.5), 0.0)
    assert np.array_equal(turned[0], images[0, ::-1, ::-1])


def test_half_of_the_images_are_flipped() -> None:
    images = np.zeros((400, 3, 4, 1), np.uint8)
    images[:, :, 0] = 7
    augment(images, stream(0, 1, 0), Augmentation(flip=True))
    assert 150 < (images[:, 0, 3] == 7).sum() < 250


def test_augmentations_as_they_are_asked_for() -> None:
    assert augmentation_of(False) is None
    assert augmentation_of(True) == augmentation_of("shift=2,noise=5") == USUAL
    assert augmentation_of("shift=2,flip,rotate=10,crop,noise=5") == Augmentation(2, True, 10.0, 0.2, 5)
    assert augmentation_of("crop=0.5 + rotate = 1e1") == Augmentation(rotate=10.0, crop=0.5)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no change is called ''"),
        ("shfit=2", "no change is called 'shfit'; did you mean 'shift'?"),
        ("shift", "shift wants a whole number from 1 to 4096"),
        ("shift=0", "shift wants a whole number"),
        ("shift=9999", "shift wants a whole number"),
        ("noise=1.5", "noise wants a whole number"),
        ("flip=1", "flip takes no number"),
        ("rotate", "rotate wants degrees above 0, up to 180"),
        ("rotate=nan", "rotate wants degrees"),
        ("rotate=181", "rotate wants degrees"),
        ("crop=1", "crop is a part of the sides above 0, up to 0.9"),
        ("crop=", "crop is a part of the sides"),
        ("flip,flip", "flip is there twice"),
    ],
)
def test_what_cannot_be_asked_for(text: str, said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        augmentation_of(text)
    assert said in str(caught.value)
    assert str(caught.value).startswith("augment must be true or false, or changes such as")
