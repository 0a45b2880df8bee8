"""Adding sums: every total counts, what was received is not written to, and vectors are used again."""

import math
import sys

import numpy as np
import pytest

from engine.compute.sums import Adder, Sums, add, bits_of, is_finite
from engine.nn.parameters import Vector


def vector(*values: float) -> Vector:
    return np.array(values, np.float32)


def received(*values: float) -> Vector:
    out = vector(*values)
    out.flags.writeable = False
    return out


def test_totals_are_added_and_the_gradient_into_the_first_ones() -> None:
    a, b = vector(1, 2), vector(3, 5)
    out = add(Sums(1.5, 2, a), Sums(0.25, 3, b))
    assert (out.loss, out.correct, out.gradient) == (1.75, 5, a)
    assert (a.tolist(), b.tolist()) == ([4, 7], [3, 5])


@pytest.mark.parametrize("adder", [add, Adder(None), Adder(vector(0))])
def test_without_gradients_only_losses_and_answers_are_added(adder: Adder) -> None:
    assert adder(Sums(1.5, 2), Sums(0.25, 3)) == Sums(1.75, 5)


@pytest.mark.parametrize("adder", [add, Adder(None)])
@pytest.mark.filterwarnings("error")
def test_a_sum_that_is_not_finite_is_no_warning(adder: Adder) -> None:
    out = adder(Sums(0.0, 0, vector(math.inf, 3e38)), Sums(0.0, 0, vector(-math.inf, 3e38))).gradient
    assert out is not None
    assert np.isnan(out[0])
    assert np.isposinf(out[1])


def test_the_first_sum_of_what_was_received_is_written_over_the_vector_of_the_round() -> None:
    own, a, b = vector(0, 0), received(1, 2), received(3, 5)
    out = Adder(own)(Sums(1.5, 2, a), Sums(0.25, 3, b))
    assert out.gradient is own
    assert (out.loss, out.correct, own.tolist()) == (1.75, 5, [4, 7])
    assert (a.tolist(), b.tolist()) == ([1, 2], [3, 5])


def test_a_second_sum_has_a_vector_of_its_own_and_both_are_added_into_that_of_the_round() -> None:
    own = vector(0)
    adder = Adder(own)
    first = adder(Sums(0, 0, received(1)), Sums(0, 0, received(2)))
    second = adder(Sums(0, 0, received(4)), Sums(0, 0, received(8)))
    assert first.gradient is own
    assert second.gradient is not None
    assert second.gradient is not own
    total = adder(second, first)
    assert total.gradient is own
    assert own.tolist() == [15]
    third = adder(Sums(0, 0, received(16)), Sums(0, 0, received(32)))
    assert third.gradient is second.gradient, "the vector that was free"
    assert own.tolist() == [15]


def test_what_was_received_is_added_into_a_vector_written_before() -> None:
    adder = Adder(None)
    first = adder(Sums(0, 0, received(1)), Sums(0, 0, received(2)))
    assert adder(Sums(0, 0, received(4)), first).gradient is first.gradient
    assert first.gradient == [7]


@pytest.mark.parametrize(
    ("sums", "finite"),
    [
        (Sums(1.0, 1), True),
        (Sums(math.nan, 1), False),
        (Sums(math.inf, 1, vector(1)), False),
        (Sums(1.0, 1, vector(1, 3e38)), True),
        (Sums(1.0, 1, vector(1, -math.inf)), False),
        (Sums(1.0, 1, vector(math.nan, 1)), False),
    ],
)
def test_what_is_finite(sums: Sums, finite: bool) -> None:
    assert is_finite(sums) is finite


QUIET, SIGNALLING, NEGATIVE = (np.array([x], np.uint32).view(np.float32) for x in (0x7FC00000, 0x7F800001, 0xFFC00123))


def test_one_nan_is_like_another_in_a_digest() -> None:
    digests = {bits_of(Sums(math.nan, 1, np.append(vector(1), nan))) for nan in (QUIET, SIGNALLING, NEGATIVE)}
    assert len(digests) == 1
    (digest,) = digests
    assert len(digest) == 32
    assert digest == bits_of(Sums(-math.nan, 1, np.append(vector(1), QUIET)))
    assert digest != bits_of(Sums(math.nan, 1, np.append(vector(2), QUIET)))


@pytest.mark.parametrize("part", ["loss", "correct", "gradient", "none"])
def test_every_part_shows_in_a_digest(part: str) -> None:
    other = {
        "loss": Sums(math.nextafter(1.0, 2.0), 2, vector(0, 1)),
        "correct": Sums(1.0, 3, vector(0, 1)),
        "gradient": Sums(1.0, 2, vector(-0.0, 1)),
        "none": Sums(1.0, 2),
    }[part]
    assert bits_of(other) != bits_of(Sums(1.0, 2, vector(0, 1)))


def test_the_digest_of_no_gradient_is_that_of_an_empty_one() -> None:
    assert bits_of(Sums(1.0, 2)) == bits_of(Sums(1.0, 2, vector()))


def test_a_digest_is_the_same_on_every_processor() -> None:
    """Little-endian throughout; this one was computed by hand with hashlib and struct."""
    assert sys.byteorder == "little"
    assert bits_of(Sums(0.5, 7, vector(1.5))) == "e75087a45d545ceead297d30b36e8c40"
