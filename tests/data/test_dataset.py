"""Splits and data sets that do not fit themselves; normalisation against exact fractions."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from engine.data import Dataset, Normalisation, Split
from engine.errors import DataError


def split(labels: list[int], side: int = 4) -> Split:
    return Split(np.zeros((len(labels), side, side, 1), np.uint8), np.array(labels, np.int32))


def test_a_dataset_knows_its_shape() -> None:
    data = Dataset("d", ("a", "b"), split([0, 1]), split([1]))
    assert data.shape == (4, 4, 1)
    assert (len(data.train), len(data.test), data.generated) == (2, 1, False)


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (np.zeros((2, 4, 4, 1)), np.zeros(2, np.int32), "images must be uint8"),
        (np.zeros((2, 4, 4), np.uint8), np.zeros(2, np.int32), r"not uint8 \[2, 4, 4\]"),
        (np.zeros((2, 4, 4, 1), np.uint8), np.zeros(2, np.int64), "labels must be int32"),
        (np.zeros((2, 4, 4, 1), np.uint8), np.zeros((2, 1), np.int32), "labels must be int32"),
        (np.zeros((2, 4, 4, 1), np.uint8), np.zeros(3, np.int32), "2 images but 3 labels"),
        (np.zeros((0, 4, 4, 1), np.uint8), np.zeros(0, np.int32), "no pixels"),
        (np.zeros((1, 4, 0, 1), np.uint8), np.zeros(1, np.int32), "no pixels"),
        (np.zeros((2, 4, 4, 1), np.uint8), np.array([0, -3], np.int32), "label -3 at index 1"),
    ],
)
def test_a_split_that_does_not_fit_is_refused(
    images: NDArray[np.uint8], labels: NDArray[np.int32], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        Split(images, labels)


def test_a_label_without_a_class_is_named() -> None:
    with pytest.raises(DataError, match="test label 2 at index 1 has no class: there are 2"):
        Dataset("d", ("a", "b"), split([0]), split([1, 2]))


def test_parts_of_different_sizes_are_refused() -> None:
    with pytest.raises(DataError, match=r"training images are \[4, 4, 1\] but test images \[5, 5, 1\]"):
        Dataset("d", ("a",), split([0]), split([0], side=5))


@given(
    images=arrays.arrays(np.uint8, st.tuples(*[st.integers(1, 4)] * 4)),
    seed=st.integers(0, 100),
)
def test_normalisation_is_exact_and_knows_no_order(images: NDArray[np.uint8], seed: int) -> None:
    found = Normalisation.of(images)
    for channel in range(images.shape[-1]):
        values = [Fraction(int(v)) for v in images[..., channel].ravel()]
        mean = sum(values) / len(values)
        variance = sum((v - mean) ** 2 for v in values) / len(values)
        assert found.mean[channel] == float(mean)
        assert found.deviation[channel] == (pytest.approx(float(variance) ** 0.5, rel=1e-15) if variance else 1.0)
    assert Normalisation.of(np.random.default_rng(seed).permutation(images)) == found


def test_normalised_images_have_mean_0_and_deviation_1() -> None:
    images = np.random.default_rng(0).integers(0, 256, (300, 30, 31, 3), np.uint8)  # more than one histogram call
    normalised = Normalisation.of(images).apply(images)
    assert normalised.dtype == np.float32
    np.testing.assert_allclose(normalised.mean((0, 1, 2), np.float64), 0, atol=1e-6)
    np.testing.assert_allclose(normalised.std((0, 1, 2), np.float64), 1, atol=1e-6)


def test_the_table_holds_the_normalised_value_of_every_byte() -> None:
    table = Normalisation((100.0, 0.0), (50.0, 1.0)).table
    assert table.dtype == np.float32
    assert table.shape == (2, 256)
    assert (table[0, 100], table[0, 0], table[0, 200], table[1, 255]) == (0, -2, 2, 255)


def test_blank_images_normalise_to_zero() -> None:
    blank = np.full((2, 3, 3, 1), 7, np.uint8)
    assert not Normalisation.of(blank).apply(blank).any()


def test_other_channels_are_refused() -> None:
    with pytest.raises(DataError, match="3 channels, but the normalisation has 1"):
        Normalisation((0.0,), (1.0,)).apply(np.zeros((1, 2, 2, 3), np.uint8))


@pytest.mark.parametrize(
    ("mean", "deviation"),
    [((1.0,), (1.0, 2.0)), ((1.0,), (0.0,)), ((1.0,), (-1.0,)), ((float("nan"),), (1.0,)), ((1.0,), (float("inf"),))],
)
def test_what_is_no_normalisation(mean: tuple[float, ...], deviation: tuple[float, ...]) -> None:
    with pytest.raises(DataError, match="not a normalisation"):
        Normalisation(mean, deviation)
