"""Adding up what workers sent: the order of the tree, nothing impossible, and nobody's memory but our own."""

import gc
import hashlib
import math
import random
import struct
import time
import weakref
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.compute import tree
from engine.compute.sums import Sums, bits_of, is_finite
from engine.coordinator.reduction import Reduction
from engine.errors import ProtocolError
from engine.nn.parameters import Vector
from engine.wire import messages as m
from tests.support.fakes import MODEL, sums_of

SIZE = MODEL.layout().size
PARAMETERS = np.linspace(-1, 1, SIZE, dtype=np.float32)


def result_of(block: tree.Block, sums: Sums) -> m.Result:
    return m.Result("s", 1, 1, *block, sums.loss, sums.correct, 0.0, 0.0)


def cut(total: int, rng: random.Random) -> list[tree.Block]:
    """Cut the tree at random into blocks, in random order."""
    ends = sorted({0, total, *(rng.randrange(total + 1) for _ in range(rng.randrange(6)))})
    blocks = [b for start, stop in pairwise(ends) for b in tree.cover(start, stop, total)]
    rng.shuffle(blocks)
    return blocks


@given(st.integers(1, 40), st.randoms(use_true_random=False), st.booleans())
def test_the_sum_is_that_of_the_tree_whatever_came_when(total: int, rng: random.Random, writable: bool) -> None:
    out = np.full(SIZE, np.nan, np.float32)
    collector = Reduction(4 * total - 1, 4, out)
    sent: list[tuple[bytearray | bytes, bytes]] = []
    for block in cut(total, rng):
        sums = sums_of(m.WorkKind.TRAIN, 1, block, PARAMETERS)
        assert sums.gradient is not None
        data = sums.gradient.tobytes()
        payload = bytearray(b"." + data) if writable else b"." + data
        sent.append((payload, b"." + data))
        # As from the network: read-only, and not aligned.
        collector.put(block, collector.check(result_of(block, sums), memoryview(payload).toreadonly()[1:]))
    summed = collector.result()
    expected = sums_of(m.WorkKind.TRAIN, 1, (0, total), PARAMETERS)
    assert expected.gradient is not None
    assert (summed.loss, summed.correct) == (expected.loss, expected.correct)
    assert summed.gradient is out
    assert out.tobytes() == expected.gradient.tobytes()
    assert all(bytes(payload) == before for payload, before in sent), "what was received was overwritten"


@given(st.integers(1, 100), st.randoms(use_true_random=False))
def test_a_validation_has_no_gradient(total: int, rng: random.Random) -> None:
    collector = Reduction(4 * total, 4, None)
    for block in cut(total, rng):
        sums = sums_of(m.WorkKind.VALIDATE, 0, block, PARAMETERS)
        collector.put(block, collector.check(result_of(block, sums), None))
    expected = sums_of(m.WorkKind.VALIDATE, 0, (0, total), PARAMETERS)
    assert collector.result() == Sums(expected.loss, expected.correct, None)


@given(st.integers(1, 200), st.integers(1, 40))
def test_every_image_is_counted(samples: int, microbatch: int) -> None:
    collector = Reduction(samples, microbatch, None)
    assert collector.images((0, collector.total)) == samples
    assert sum(collector.images((i, i + 1)) for i in range(collector.total)) == samples


GOOD = np.zeros(SIZE, np.float32).tobytes()


@pytest.mark.parametrize(
    ("block", "correct"), [((0, 7), 0), ((1, 3), 0), ((2, 2), 0), ((3, 1), 0), ((6, 7), 0), ((0, 2), 9), ((5, 6), 3)]
)
def test_impossible_blocks(block: tree.Block, correct: int) -> None:
    collector = Reduction(22, 4, np.zeros(SIZE, np.float32))  # six micro-batches, the last one of two
    with pytest.raises(ProtocolError, match="is impossible in this round"):
        collector.check(m.Result("s", 1, 1, *block, 0.0, correct, 0.0, 0.0), GOOD)


@pytest.mark.parametrize(("block", "images"), [((0, 2), 8), ((4, 6), 6), ((5, 6), 2), ((0, 6), 22)])
def test_a_block_may_be_entirely_right(block: tree.Block, images: int) -> None:
    collector = Reduction(22, 4, np.zeros(SIZE, np.float32))
    assert collector.check(m.Result("s", 1, 1, *block, 0.0, images, 0.0, 0.0), GOOD).correct == images


@pytest.mark.parametrize("payload", [None, b"", GOOD[:-1], GOOD + b"\x00", GOOD[:4]])
def test_gradients_of_the_wrong_size(payload: bytes | None) -> None:
    collector = Reduction(22, 4, np.zeros(SIZE, np.float32))
    with pytest.raises(ProtocolError, match=f"a gradient of {len(payload or b'')} bytes; expected 40"):
        collector.check(m.Result("s", 1, 1, 0, 2, 0.0, 0, 0.0, 0.0), payload)


def test_a_gradient_where_none_belongs() -> None:
    with pytest.raises(ProtocolError, match="a gradient of 40 bytes; expected 0"):
        Reduction(22, 4, None).check(m.Result("s", 1, 1, 0, 2, 0.0, 0, 0.0, 0.0), GOOD)


def test_what_is_not_finite_is_added_without_a_warning() -> None:
    def vector(value: float) -> Vector:
        return np.full(SIZE, value, np.float32)

    out = vector(0)
    collector = Reduction(8, 4, out)
    collector.put((0, 1), Sums(np.inf, 0, vector(np.inf)))
    collector.put((1, 2), Sums(-np.inf, 0, vector(-np.inf)))
    sums = collector.result()
    assert sums.gradient is not None
    assert np.isnan(sums.loss)
    assert np.isnan(sums.gradient).all()


def test_vectors_are_given_back_at_once_and_not_by_the_garbage_collector() -> None:
    collector = Reduction(16, 4, np.zeros(SIZE, np.float32))
    seen: list[weakref.ref[object]] = []
    for block in ((0, 2), (2, 4)):
        sums = sums_of(m.WorkKind.TRAIN, 1, block, PARAMETERS)
        assert sums.gradient is not None
        received = np.frombuffer(sums.gradient.tobytes(), np.float32)
        seen.append(weakref.ref(received))
        collector.put(block, Sums(sums.loss, sums.correct, received))
        del received
    seen.append(weakref.ref(collector))
    gc.disable()
    try:
        del collector
        assert [ref() for ref in seen] == [None] * 3
    finally:
        gc.enable()


def test_the_time_of_adding_up_is_part_of_all_the_time() -> None:
    collector = Reduction(16, 4, None)
    assert collector.seconds == 0
    began = time.perf_counter()
    first = 0.0
    for block in ((0, 2), (2, 4)):
        collector.put(block, Sums(1.0, 1))
        assert first < collector.seconds <= time.perf_counter() - began
        first = collector.seconds


def test_a_sum_with_a_missing_block() -> None:
    collector = Reduction(22, 4, None)
    collector.put((0, 4), Sums(1.0, 1))
    with pytest.raises(KeyError):
        collector.result()


def test_bits_are_the_same_only_for_the_same_bits() -> None:
    sums = Sums(1.5, 3, PARAMETERS)
    gradient = PARAMETERS.copy()
    gradient.view(np.uint32)[SIZE - 1] ^= 1
    nan = PARAMETERS.copy()
    nan[0] = np.nan
    others = [
        sums,
        Sums(1.5, 3, gradient),
        Sums(np.nextafter(1.5, 2), 3, PARAMETERS),
        Sums(1.5, 4, PARAMETERS),
        Sums(-0.0, 3, PARAMETERS),
        Sums(0.0, 3, PARAMETERS),
        Sums(1.5, 3),
        Sums(1.5, 3, nan),
        Sums(np.inf, 3, PARAMETERS),
    ]
    assert len({bits_of(other) for other in others}) == len(others)
    assert bits_of(sums) == bits_of(Sums(1.5, 3, PARAMETERS.copy()))


@pytest.mark.parametrize("gradient", [None, PARAMETERS])
def test_bits_are_a_digest_of_loss_correct_answers_and_gradient(gradient: Vector | None) -> None:
    content = struct.pack("<dq", 1.5, 3) + (b"" if gradient is None else gradient.tobytes())
    assert bits_of(Sums(1.5, 3, gradient)) == hashlib.blake2b(content, digest_size=16).hexdigest()


def test_one_nan_is_like_another() -> None:
    """Which of many nans comes out of an addition depends on the order of its operands, in ways no one promises."""
    one, other = (np.array([1, np.nan], np.float32) for _ in range(2))
    other.view(np.uint32)[1] ^= 0x80000001
    assert one.tobytes() != other.tobytes()
    assert bits_of(Sums(math.nan, 1, one)) == bits_of(Sums(-math.nan, 1, other))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", [0, SIZE - 1, -1])
def test_what_is_not_finite_is_noticed(value: float, place: int) -> None:
    gradient = np.full(SIZE, 1e30, np.float32)  # finite, but not the sum of its squares
    assert is_finite(Sums(1e300, 0, gradient))
    if place < 0:
        assert not is_finite(Sums(value, 0, gradient))
        return
    gradient[place] = value
    assert not is_finite(Sums(0.0, 0, gradient))
