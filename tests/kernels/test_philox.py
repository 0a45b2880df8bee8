"""Random words against published ones and numpy's, and what is made of them against Python's integers."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.kernels import Backend
from engine.kernels.philox import philox
from engine.kernels.streams import Purpose, Stream
from tests.support.backends import each_backend

WORD = st.integers(0, 2**63 - 1)
# Of Random123, the authors' own library: counter, key, words.
KNOWN = [
    ((0,) * 4, (0,) * 2, "16554d9eca36314c db20fe9d672d0fdc d7e772cee186176b 7e68b68aec7ba23b"),
    ((2**64 - 1,) * 4, (2**64 - 1,) * 2, "87b092c3013fe90b 438c3c67be8d0224 9cc7d7c69cd777b6 a09caebf594f0ba0"),
    (
        (0x243F6A8885A308D3, 0x13198A2E03707344, 0xA4093822299F31D0, 0x082EFA98EC4E6C89),
        (0x452821E638D01377, 0xBE5466CF34E90C6C),
        "a528f45403e61d95 38c72dbd566e9788 a5a1610e72fd18b5 57bd43b5e52b7fe6",
    ),
]


@pytest.mark.parametrize(("counter", "key", "words"), KNOWN, ids=["zeros", "ones", "pi"])
def test_the_known_answers(counter: tuple[int, int, int, int], key: tuple[int, int], words: str) -> None:
    found = np.empty(4, np.uint64)
    philox(key, counter, found)
    assert [f"{word:016x}" for word in found.tolist()] == words.split()


@each_backend
@given(key=st.tuples(WORD, WORD), counter=st.tuples(WORD, WORD, WORD, WORD), blocks=st.integers(1, 5))
def test_words_are_numpys(
    kernels: Backend, key: tuple[int, int], counter: tuple[int, int, int, int], blocks: int
) -> None:
    found = np.empty(4 * blocks, np.uint64)
    kernels.philox(key, counter, found)
    before = np.array([(counter[0] - 1) % 2**64, *counter[1:]], np.uint64)  # numpy counts first
    if counter[0] == 0:  # and it would carry into the second word
        before[1:] = [(counter[1] - 1) % 2**64, *counter[2:]]
    oracle = np.random.Philox(key=np.array(key, np.uint64), counter=before)
    if counter[:2] != (0, 0):
        assert found.tolist() == oracle.random_raw(4 * blocks).tolist()


@each_backend
@given(N=st.integers(1, 4), F=st.integers(1, 20), rate=st.sampled_from([0.0, 0.1, 0.5, 0.999]), seed=WORD)
def test_the_mask_of_a_sample_is_its_own(kernels: Backend, N: int, F: int, rate: float, seed: int) -> None:
    mask = np.full((N, F), 7, np.float32)
    kernels.dropout_mask((seed, 1), (5, 2, 3, 4), rate, mask)
    blocks = -(-F // 8)
    words = np.empty(4 * N * blocks, np.uint64)
    philox((seed, 1), (5, 2, 3, 4), words)
    for n in range(N):
        halves = [half for word in words[4 * n * blocks :].tolist() for half in (word % 2**32, word >> 32)][:F]
        kept = [Fraction(half >> 8, 2**24) >= Fraction(float(np.float32(rate))) for half in halves]
        assert mask[n].tolist() == [float(np.float32(1 / (1 - rate))) if keep else 0 for keep in kept]


@given(seed=WORD, counts=st.lists(st.integers(0, 9), max_size=5))
def test_draws_go_on_where_the_last_ended(seed: int, counts: list[int]) -> None:
    stream = Stream(seed, Purpose.LETTERS, 6, 7)
    whole = np.empty(48, np.uint64)
    philox((seed, 3), (1, 0, 6, 7), whole)
    drawn = [word for count in counts for word in stream.words(count).tolist()]
    assert drawn == whole[: sum(counts)].tolist()


@given(seed=WORD, limit=st.integers(1, 2**32))
def test_numbers_made_of_words(seed: int, limit: int) -> None:
    def fresh() -> Stream:
        return Stream(seed, Purpose.TRIAL)

    words = fresh().words(6).tolist()
    halves = [half for word in words for half in (word % 2**32, word >> 32)]
    assert fresh().halves(12).tolist() == halves
    assert fresh().uniform(3, 4).ravel().tolist() == [(half >> 8) / 2**24 for half in halves]
    assert fresh().doubles(3, 2).ravel().tolist() == [(word >> 11) / 2**53 for word in words]
    assert fresh().below(limit, 2, 6).ravel().tolist() == [half * limit // 2**32 for half in halves]


def test_no_two_purposes_have_the_same_key() -> None:
    assert len({Stream(0, purpose).key for purpose in Purpose}) == len(Purpose)
