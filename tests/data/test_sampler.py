"""The sampler: every sample once an epoch, whatever the batch; streams that never meet."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.data import Sampler, stream
from engine.errors import SettingsError

SEEDS = st.integers(0, 2**63 - 1)


def epoch_indices(sampler: Sampler, epoch: int) -> list[int]:
    first = epoch * sampler.steps_per_epoch + 1
    return [int(i) for step in range(first, first + sampler.steps_per_epoch) for i in sampler.indices(step)]


@given(n=st.integers(1, 200), batch_size=st.integers(1, 250), other=st.integers(1, 250), seed=SEEDS)
def test_an_epoch_holds_every_sample_once_in_an_order_that_batches_do_not_change(
    n: int, batch_size: int, other: int, seed: int
) -> None:
    order = epoch_indices(Sampler(n, batch_size, seed), 2)
    assert sorted(order) == list(range(n))
    assert order == epoch_indices(Sampler(n, other, seed), 2)


@given(n=st.integers(1, 200), batch_size=st.integers(1, 250), step=st.integers(1, 10_000))
def test_only_the_last_batch_of_an_epoch_is_smaller(n: int, batch_size: int, step: int) -> None:
    sampler = Sampler(n, batch_size, 0)
    epoch, place = divmod(step - 1, sampler.steps_per_epoch)
    assert sampler.epoch_of(step) == epoch
    assert len(sampler.indices(step)) == min(batch_size, n - place * batch_size)


def test_steps_may_be_asked_for_in_any_order() -> None:
    forward, random_access = Sampler(50, 7, 3), Sampler(50, 7, 3)
    batches = {step: forward.indices(step).tolist() for step in range(1, 40)}
    for step in np.random.default_rng(0).permutation(np.arange(1, 40)):
        assert random_access.indices(int(step)).tolist() == batches[int(step)]


def test_epochs_and_seeds_have_different_orders() -> None:
    orders = [tuple(epoch_indices(Sampler(100, 10, seed), epoch)) for seed in range(4) for epoch in range(4)]
    assert len(set(orders)) == 16


def test_orders_are_fair() -> None:
    """Each sample comes first equally often: chi-squared of 10 cells stays below its 99.99 % quantile, 33.7."""
    first = [int(Sampler(10, 10, seed).indices(1)[0]) for seed in range(2000)]
    observed = np.bincount(first, minlength=10)
    assert float(((observed - 200.0) ** 2 / 200).sum()) < 33.7


def test_the_order_of_an_epoch_is_made_once() -> None:
    sampler = Sampler(5, 2, 0)
    assert np.shares_memory(sampler.indices(1), sampler.indices(3).base)


def test_indices_are_read_only_int64() -> None:
    indices = Sampler(5, 2, 0).indices(1)
    assert indices.dtype == np.int64
    with pytest.raises(ValueError, match="read-only"):
        indices[0] = 1


@given(seed=SEEDS, step=st.integers(1, 2**40), microbatch=st.integers(0, 2**20))
def test_the_stream_of_a_microbatch_is_at_the_documented_place(seed: int, step: int, microbatch: int) -> None:
    """numpy's Philox is an independent one; it adds 1 to the counter before it makes a block, which we begin with."""
    numpys = np.random.Philox(key=[seed, 1], counter=np.array([0, 0, microbatch, step], np.uint64))
    assert stream(seed, step, microbatch).words(9).tolist() == numpys.random_raw(9).tolist()


@given(n=st.integers(1, 30), seed=SEEDS, epoch=st.integers(0, 2**40))
def test_the_order_of_an_epoch_is_at_the_documented_place(n: int, seed: int, epoch: int) -> None:
    """A run that is resumed in mid-epoch, perhaps years later, continues the order that it began."""
    keys = np.random.Philox(key=[seed, 2], counter=np.array([0, 0, epoch, 0], np.uint64)).random_raw(n).tolist()
    assert epoch_indices(Sampler(n, 7, seed), epoch) == sorted(range(n), key=keys.__getitem__)


def test_streams_differ_in_each_part_of_their_key() -> None:
    keys = itertools.product((0, 1, 2**63 - 1), (1, 2), (0, 1))
    words = {int(stream(*key).words(1)[0]) for key in keys}
    assert len(words) == 12


@pytest.mark.parametrize(
    ("n", "batch_size", "seed", "message"),
    [
        (0, 1, 0, "0 samples"),
        (1, 0, 0, "batch size 0"),
        (1, 1, -1, "seed -1"),
        (1, 1, 2**63, "seed 9223372036854775808"),
    ],
)
def test_what_cannot_be_sampled_is_refused(n: int, batch_size: int, seed: int, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        Sampler(n, batch_size, seed)


@pytest.mark.parametrize("seed", [-1, 2**63])
def test_a_stream_of_a_seed_out_of_range_is_refused(seed: int) -> None:
    with pytest.raises(SettingsError, match=f"seed {seed}: it must be from 0"):
        stream(seed, 1, 0)


def test_steps_below_one_are_refused() -> None:
    with pytest.raises(SettingsError, match="count from 1"):
        Sampler(3, 1, 0).indices(0)
