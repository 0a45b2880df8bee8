"""Which digests a checkpoint has, and what they are of."""

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.checkpoint import StateDigest, state_sha256
from engine.checkpoint.digests import MAX_DIGESTS, MIN_INTERVAL, digests_from, interval, thinned


@given(last=st.integers(1, 1 << 40), more=st.integers(0, 1 << 40))
def test_they_are_few_and_which_depends_on_the_step_alone(last: int, more: int) -> None:
    apart = interval(last)
    assert last // apart <= MAX_DIGESTS
    assert apart == MIN_INTERVAL or last // apart >= MAX_DIGESTS // 2
    assert interval(last + more) % apart == 0, "what is left out is not wanted later"


def test_a_list_that_grows_is_the_list_of_its_last_step() -> None:
    kept: tuple[StateDigest, ...] = ()
    for step in range(MIN_INTERVAL, 5 * MIN_INTERVAL * MAX_DIGESTS // 2, MIN_INTERVAL):
        if step % interval(step) == 0:
            kept = *thinned(kept, step), StateDigest(step, "0" * 64, 1.0)
        wanted = [k for k in range(MIN_INTERVAL, step + 1, MIN_INTERVAL) if k % interval(step) == 0]
        assert [digest.step for digest in thinned(kept, step)] == wanted


def test_every_tensor_counts() -> None:
    a, b = np.arange(6, dtype=np.float32).reshape(2, 3), np.ones((2, 3), np.float32)
    parameters, optimizer = {"b": b, "a": a.T}, {"m": {"a": b.T, "b": a}}
    whole = b"".join(x.astype("<f4").tobytes() for x in (a.T, b, b.T, a))
    assert state_sha256(parameters, optimizer) == hashlib.sha256(whole).hexdigest()
    assert state_sha256(parameters, {}) != state_sha256(parameters, optimizer)


@pytest.mark.parametrize("wrong", [3, [1, "0" * 64], [1, "zz", 0.5], ["1", "0" * 64, 0.5], [1, "0" * 64, None]])
def test_what_is_no_digest(wrong: object) -> None:
    assert digests_from([[1, "0" * 64, 2]]) == (StateDigest(1, "0" * 64, 2.0),)
    with pytest.raises(ValueError, match="is not a step with its digest and loss"):
        digests_from([wrong])
