"""The numbers behind the pictures, each against another way to find them."""

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from engine.data import Dataset, Split
from engine.reports.plots import confusion, filters, histogram, kernel, layers, workers
from engine.reports.plots.progress import smoothed
from engine.reports.plots.style import limit_of, unit_of_time


@given(st.lists(st.floats(-100, 100) | st.just(float("nan")), max_size=30), st.floats(1, 50))
def test_smoothing_is_a_weighted_mean_of_what_came_before(values: list[float], memory: float) -> None:
    found = smoothed(np.array(values), memory)
    for i, value in enumerate(found):
        past = np.array(values[: i + 1])
        known = np.isfinite(past)
        if not known.any():
            assert np.isnan(value)
            continue
        age = i - np.arange(i + 1)[known]
        assert value == pytest.approx(np.average(past[known], weights=np.exp(-age / memory)), abs=1e-9)


def test_times_get_handy_units() -> None:
    assert [unit_of_time(seconds)[1] for seconds in (1, 299, 300, 10_000, 100_000)] == ["s", "s", "min", "min", "h"]
    assert 7200 / unit_of_time(20_000)[0] == 2


def curves(**columns: list[float]) -> dict[str, Any]:
    return {name: np.array(values, float) for name, values in columns.items()}


# Steps of 1 s that end at 1, 2, 3; a validation of 0.5 s after the second; the third ends at 3.5. Epoch time is + 1000.
TRAINING = curves(batchno=[1, 2, 3], elapsed=[1, 2, 3.5], time=[1001, 1002, 1003.5], batchsize=[10, 10, 20])
VALIDATION = curves(batchno=[2], elapsed=[2.5], time=[1002.5])


def test_a_step_lasts_from_the_end_of_what_came_before() -> None:
    steps = workers.steps_of(TRAINING, VALIDATION, 1000)
    assert steps.ended.tolist() == [2, 3.5]
    assert steps.milliseconds.tolist() == [1000, 1000]
    assert steps.rate.tolist() == [10, 20]


def test_steps_beside_a_gap_are_left_out() -> None:
    resumed = curves(batchno=[1, 2, 5, 6], elapsed=[1, 2, 9, 10], time=[1, 2, 90, 91], batchsize=[8] * 4)
    steps = workers.steps_of(resumed, curves(batchno=[], elapsed=[], time=[]), 0)
    assert steps.ended.tolist() == [2, 91]


def test_the_time_of_a_worker_is_computing_validation_and_waiting() -> None:
    validations = workers.validations_of(TRAINING, VALIDATION, 1000)
    assert validations == [(2, 2.5)]
    came = "1970-01-01T00:16:41+00:00"  # 1001
    nowhere = {"place": None, "via": None}
    rows: list[Any] = [
        {
            "worker": "a:1",
            "place": "job 21_3",
            "via": "b:7",
            "joined": came,
            "left": "1970-01-01T00:16:44+00:00",
            "seconds": 1.25,
            "images": 40,
        },
        nowhere
        | {"worker": "a:2", "joined": "1970-01-01T00:16:43+00:00", "left": None, "seconds": None, "images": None},
        nowhere | {"worker": "a:3", "joined": "1970-01-01T00:16:00+00:00", "left": came, "seconds": 5.0, "images": 1},
    ]
    a, b, c = workers.stays_of(rows, validations, 1000, 3.5)
    assert (a.came, a.went, a.computing, a.validating, a.waiting) == (1, 4, 1.25, 0.5, 1.25)
    assert (b.came, b.went, b.computing, b.validating, b.images) == (3, 3.5, 0, 0, 0)
    assert [stay.label for stay in (a, b, c)] == ["a:1 (job 21_3, via b:7)", "a:2", "a:3"]
    assert (c.came, c.went, c.waiting) == (0, 1, 0), "what came before the first step began with it"


def chances_of(rng: np.random.Generator, n: int, classes: int) -> NDArray[np.float64]:
    raw = rng.random((n, classes))
    chances: NDArray[np.float64] = raw / raw.sum(axis=1, keepdims=True)
    return chances


def test_the_confusion_matrix_counts_pairs() -> None:
    rng = np.random.default_rng(3)
    chances, labels = chances_of(rng, 200, 4), rng.integers(0, 4, 200).astype(np.int32)
    found = confusion.answers(chances, labels)
    pairs = Counter(
        (int(label), max(range(4), key=list(row).__getitem__)) for row, label in zip(chances, labels, strict=True)
    )
    counts = confusion.matrix(found, 5)
    assert {(i, j): int(counts[i, j]) for i in range(5) for j in range(5) if counts[i, j]} == dict(pairs)
    np.testing.assert_array_equal(found.fair, [row[label] for row, label in zip(chances, labels, strict=True)])
    np.testing.assert_array_equal(found.sure, chances.max(axis=1))


def test_the_part_that_is_drawn_is_named() -> None:
    rng = np.random.default_rng(1)
    images, labels = rng.integers(0, 256, (20, 2, 2, 1), np.uint8), np.arange(20, dtype=np.int32) % 2
    data = Dataset("made up", ("a", "b"), Split(images, labels), Split(images[:4], labels[:4]))
    assert confusion.part_of(data) == "the test part of made up"
    assert confusion.part_of(data.hold_out(0.2)) == "the validation part of made up"


def test_the_worst_mistake_is_the_one_that_gave_the_truth_least(monkeypatch: pytest.MonkeyPatch) -> None:
    chances = np.array([[0.9, 0.1, 0], [0.6, 0.3, 0.1], [0.2, 0.7, 0.1], [0.55, 0.4, 0.05]])
    found = confusion.answers(chances, np.array([0, 2, 0, 2], np.int32))
    assert confusion.worst(found).tolist() == [3, 1, 2]
    monkeypatch.setattr(confusion, "MISTAKES", 1)
    assert confusion.worst(found).tolist() == [3]


def test_a_kernel_is_shown_less_its_mean() -> None:
    values = np.array([[1, 10], [2, 20], [6, 0]], np.float32)
    assert kernel.centred(values).tolist() == [[-2, 0], [-1, 10], [3, -10]]


def test_a_kernel_that_diverged_is_shown_as_far_as_it_goes() -> None:
    values = np.array([[1, np.nan], [3, np.nan], [np.inf, np.nan]], np.float32)
    np.testing.assert_array_equal(kernel.centred(values), [[-1, np.nan], [1, np.nan], [np.nan, np.nan]])


def test_a_scale_for_any_values() -> None:
    nan = np.nan
    for values, limit in (([-3, 2], 3), ([nan, 0.5, -np.inf], 0.5), ([0, 0], 1), ([nan], 1), ([], 1)):
        assert limit_of(np.array(values, np.float32)) == limit
    assert limit_of(np.arange(101, dtype=np.float32), 90) == 90


@given(st.integers(1, 40), st.integers(1, 6), st.integers(1, 4), st.integers(1, 4))
def test_every_kernel_has_its_place_in_the_tiling(out: int, inputs: int, high: int, wide: int) -> None:
    values = np.arange(out * inputs * high * wide, dtype=np.float32).reshape(out, inputs, high, wide)
    image = filters.tiled(values)
    columns = (image.shape[1] + 1) // (wide + 1)
    for o in range(out):
        for i in range(inputs):
            row, column = (o, i) if inputs > 1 else divmod(o, columns)
            top, left = row * (high + 1), column * (wide + 1)
            np.testing.assert_array_equal(image[top : top + high, left : left + wide], values[o, i])
    assert np.isfinite(image).sum() == values.size, "and nothing else is there but the lines between"


@given(
    arrays(np.float64, st.integers(1, 12), elements=st.integers(0, 50)),
    st.floats(-5, 5),
    st.floats(0.1, 5),
    st.integers(1, 9),
)
def test_counts_are_spread_evenly_over_their_bins(counts: Any, low: float, width: float, rows: int) -> None:
    edges = np.linspace(-6, 11, rows + 1)
    share = histogram.spread(histogram.Bins(1, low, low + width, counts), edges)
    if not counts.sum():
        assert not share.any()
        return
    # A thousand points in the middle of equal parts of every bin, counted by numpy.
    corners = np.linspace(low, low + width, len(counts) + 1)
    points = (corners[:-1, None] + (np.arange(1000) + 0.5) / 1000 * np.diff(corners)[:, None]).ravel()
    expected = np.histogram(points, edges, weights=np.repeat(counts / 1000, 1000))[0] / counts.sum()
    np.testing.assert_allclose(share, expected, atol=2e-3)
    assert share.sum() == pytest.approx(1)


def test_a_distribution_without_width_is_in_one_row() -> None:
    share = histogram.spread(histogram.Bins(1, 0.5, 0.5, np.array([0.0, 7])), np.array([0.0, 0.4, 0.8]))
    assert share.tolist() == [0, 1]
    edges, shares = histogram.heat([histogram.Bins(1, 2.0, 2.0, np.array([3.0]))], rows=4)
    assert edges[0] < 2 < edges[-1]
    assert shares.sum() == 1


def test_the_ratio_of_update_to_values() -> None:
    three = np.array([1.0, 2.0, 3.0])
    norms = layers.Norms("c1.bias", three, np.array([4.0, 0.0, 2.0]), three, np.array([1.0, 1.0, np.nan]))
    np.testing.assert_array_equal(norms.ratio, [0.25, np.nan, np.nan])
