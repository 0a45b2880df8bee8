"""The generated letters: the same every time, all 26, legible; and the pen against a scalar loop."""

import math
import string
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from engine.data import cache, load
from engine.data.handwriting import HANDS
from engine.data.letters import VERSION, cached_letters, generate, letters
from engine.data.raster import blurred, draw
from engine.data.strokes import glyphs
from engine.errors import DataError


def test_shapes_and_types() -> None:
    images, labels = generate(3, 0)
    assert (images.shape, labels.shape) == ((3, 28, 28, 1), (3,))
    assert images.dtype == np.uint8
    assert labels.dtype == np.int32


@settings(max_examples=5)
@given(count=st.integers(1, 700), seed=st.integers(0, 2**63 - 1))
def test_a_longer_list_begins_with_the_shorter_one(count: int, seed: int) -> None:
    long, long_labels = generate(700, seed)
    short, short_labels = generate(count, seed)
    np.testing.assert_array_equal(short, long[:count])
    np.testing.assert_array_equal(short_labels, long_labels[:count])


def test_no_letter_comes_twice_and_seeds_differ() -> None:
    one, other = generate(1500, 1)[0], generate(1500, 2)[0]
    assert len({image.tobytes() for image in np.concatenate([one, other])}) == 3000


def test_letters_are_all_there_and_inked() -> None:
    images, labels = generate(5200, 3)
    # 200 are expected of each; five standard deviations are 69.
    assert np.abs(np.bincount(labels, minlength=26) - 200).max() < 69
    ink = images.mean((1, 2, 3), np.float64)
    assert 6 < ink.min() <= ink.max() < 140
    assert images.max((1, 2, 3)).min() >= 195
    border = np.ones((28, 28), bool)
    border[1:-1, 1:-1] = False
    assert images[:, border].mean(dtype=np.float64) < 1


def test_letters_can_be_told_apart() -> None:
    """The nearest of 2600 other letters (by Euclid) has the same name far more often than 1 in 26."""
    images, labels = generate(3000, 4)
    flat = images.reshape(3000, -1).astype(np.float64)
    known, asked = flat[:2600], flat[2600:]
    distance = (known**2).sum(1) - 2 * asked @ known.T
    assert (labels[:2600][distance.argmin(1)] == labels[2600:]).mean() > 0.4


def test_the_dataset_cuts_one_list_in_two() -> None:
    data = letters(train=30, test=10, seed=7)
    images, labels = generate(40, 7)
    assert (data.name, data.generated, data.classes) == ("letters", True, tuple(string.ascii_lowercase))
    np.testing.assert_array_equal(data.train.images, images[:30])
    np.testing.assert_array_equal(data.test.labels, labels[30:])


def test_cached_letters_are_generated_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADSUM_CACHE", str(tmp_path))
    first = cached_letters(20, 5, 1)
    monkeypatch.setattr("engine.data.letters.generate", None)
    again = cached_letters(20, 5, 1)
    np.testing.assert_array_equal(first.train.images, again.train.images)
    assert len(list(tmp_path.glob("*.safetensors"))) == 1


def test_load_knows_letters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADSUM_CACHE", str(tmp_path))
    small = letters(20, 5)
    monkeypatch.setattr("engine.data.letters.letters", lambda *_: small)
    data = load("letters")
    assert data.name == "letters"
    assert cache.store(data) == cache.store(small)


@pytest.mark.parametrize(("count", "seed", "message"), [(0, 1, "0 letters"), (1, -1, "seed -1"), (1, 2**63, "seed")])
def test_what_cannot_be_generated_is_refused(count: int, seed: int, message: str) -> None:
    with pytest.raises(DataError, match=message):
        generate(count, seed)


def test_every_letter_is_drawn_by_hand_in_both_cases() -> None:
    assert set(HANDS) == set(string.ascii_letters)
    for forms in HANDS.values():
        for point in " ".join(forms).replace(",", " ").split():
            assert len(point) == 2
            assert point.isdecimal()


def test_forms_fill_the_unit_box() -> None:
    forms = glyphs()
    assert len(forms.starts) == 27
    assert forms.starts[-1] == len(forms.count) == len(forms.angular)
    extent = forms.angular.max(1) - forms.angular.min(1)
    # Points are spread evenly over a stroke, so the very corner may lie between two of them.
    np.testing.assert_allclose(extent.max(1), 1, atol=0.04)
    np.testing.assert_allclose(forms.cumulative[forms.starts[1:] - 1], 1)
    assert forms.along.min() == 0
    assert forms.along.max() == 1


def test_the_pen_against_a_scalar_loop() -> None:
    rng = np.random.default_rng(0)
    start = rng.uniform(6, 21, (4, 1, 2))
    points = np.concatenate([start, start + rng.uniform(-1, 1, (4, 5, 2)).cumsum(1)], 1).astype(np.float32)
    radius = rng.uniform(0.5, 1.5, (4, 5)).astype(np.float32)
    down = rng.random((4, 5)) < 0.8
    found = draw(points, down, radius)
    for image in range(4):
        for y in range(28):
            for x in range(28):
                deepest = max(
                    (float(radius[image, k]) - _distance(x, y, points[image, k], points[image, k + 1])
                     for k in range(5) if down[image, k]),
                    default=-9.0,
                )  # fmt: skip
                # Far away the pen is not looked for; near its edge and inside it must be right.
                if deepest > -0.4 or found[image, y, x] > -0.4:
                    assert found[image, y, x] == pytest.approx(deepest, abs=1e-4)


def _distance(x: float, y: float, a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """The distance of (x, y) from the segment a b."""
    length = math.dist(a, b)
    t = 0.0 if length == 0 else ((x - a[0]) * (b[0] - a[0]) + (y - a[1]) * (b[1] - a[1])) / length**2
    t = min(max(t, 0.0), 1.0)
    return math.dist((x, y), (a[0] + t * (b[0] - a[0]), a[1] + t * (b[1] - a[1])))


def test_a_pen_off_the_paper_harms_nothing() -> None:
    points = np.array([[[-90, -90], [-89, -90], [90, 3], [90, 90]]], np.float32)
    depth = draw(points, np.array([[True, False, True]]), np.ones((1, 3), np.float32))
    assert depth.max() < 0


def test_the_blur_spreads_a_dot() -> None:
    image = np.zeros((1, 5, 5), np.float32)
    image[0, 2, 2] = 16
    np.testing.assert_array_equal(blurred(image)[0, 1:4, 1:4], [[1, 2, 1], [2, 4, 2], [1, 2, 1]])


def test_the_version_stands_for_these_bytes() -> None:
    """Caches find letters by VERSION: whoever changes a byte of them raises it, and renews this number."""
    images, labels = generate(500, 1)
    assert (VERSION, zlib.crc32(images.tobytes() + labels.astype("<i4").tobytes())) == (1, 1134797182)
