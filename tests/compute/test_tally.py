"""Answers by class, against a scalar loop and the definitions of recall, precision and F1."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.compute.sums import Adder, Sums, add, bits_of
from engine.compute.tally import Tally, scores_of, size_of

VALUES = st.sampled_from([0.0, 1.0, 2.0, -1.0, float("inf"), float("nan")])


@given(K=st.integers(1, 5), data=st.data())
def test_counts_are_those_of_a_scalar_loop(K: int, data: st.DataObject) -> None:
    rows = data.draw(st.lists(st.tuples(st.lists(VALUES, min_size=K, max_size=K), st.integers(0, K - 1)), max_size=8))
    outputs = np.array([row for row, _ in rows], np.float32).reshape(-1, K)
    tally = Tally.of(outputs, np.array([label for _, label in rows], np.int32))
    matrix, places = np.zeros((K, K), int), [0] * K
    for row, label in rows:
        if any(z != z for z in row):  # noqa: PLR0124 - nan
            continue
        order = sorted(range(K), key=lambda k: (-row[k], k))
        matrix[label, order[0]] += 1
        places[order.index(label)] += 1
    assert tally.outputs == K
    assert tally.counts.size == size_of(K)
    assert np.array_equal(tally.confusion, matrix)
    assert [tally.among(k) for k in range(K + 2)] == [sum(places[:k]) for k in range(K + 2)]
    assert tally.among(1) == np.trace(matrix)


def test_recall_precision_and_f1() -> None:
    labels = np.array([0, 0, 0, 1, 1, 2], np.int32)
    said = [0, 0, 1, 1, 0, 0]
    first, second, third, fourth = scores_of(Tally.of(np.eye(4, dtype=np.float32)[said], labels))
    assert (first.samples, first.answers, first.correct) == (3, 4, 2)
    assert (first.recall, first.precision) == (2 / 3, 0.5)
    assert first.f1 == pytest.approx(2 * (2 / 3) * 0.5 / (2 / 3 + 0.5))
    assert (second.recall, second.precision, second.f1) == (0.5, 0.5, 0.5)
    assert (third.recall, third.precision, third.f1) == (0.0, None, 0.0)
    assert (fourth.recall, fourth.precision, fourth.f1) == (None, None, None)


def test_tallies_are_added_with_the_sums() -> None:
    one = Tally.of(np.eye(3, dtype=np.float32), np.array([0, 1, 1], np.int32))
    for adding in (add, Adder(None)):
        whole = adding(Sums(1.0, 2, tally=one), Sums(2.0, 2, tally=one))
        assert whole.tally is not None
        assert whole.tally.counts.tolist() == (2 * one.counts).tolist()
    assert bits_of(Sums(1.0, 2, tally=one)) != bits_of(Sums(1.0, 2))
