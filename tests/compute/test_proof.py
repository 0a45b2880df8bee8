"""The proof that a worker computes the very job as its coordinator does: it is another one for whatever is other."""

from dataclasses import replace

import numpy as np
import pytest

from engine.compute.evaluator import Evaluator
from engine.compute.job import Job
from engine.data import Dataset, Normalisation, Sampler, Split
from engine.nn.layers import Dense, Dropout, Flatten, Relu
from engine.nn.model import Model
from engine.nn.parameters import Vector
from tests.support.backends import BACKENDS

# Batches of 6 and, at the end of an epoch of 21, of 3: micro-batches of 4, 2 and 3. Validation: of 4 and 1.
MODEL = Model((Flatten(), Dense(5), Relu(), Dropout(0.5), Dense(3)), shape=(3, 3, 1))
JOB = Job(MODEL, "0" * 64, Normalisation((0.4,), (0.3,)), batch_size=6, microbatch=4, seed=3, augment=True)
NONCE = 123456789


def dataset() -> Dataset:
    rng = np.random.default_rng(0)
    train, test = (
        Split(rng.integers(0, 256, (n, 3, 3, 1), np.uint8), rng.integers(0, 3, n, np.int32)) for n in (21, 9)
    )
    return Dataset("random", ("a", "b", "c"), train, test)


DATA = dataset()


def proof(job: Job = JOB, data: Dataset = DATA, nonce: int = NONCE) -> str:
    return Evaluator(job, data).prove(nonce)


def test_it_is_the_same_again_and_with_any_order_of_work() -> None:
    evaluator = Evaluator(JOB, DATA)
    first = evaluator.prove(NONCE)
    evaluator.train_block(2, (0, 1), JOB.model.layout().zeros())
    assert [first, evaluator.prove(NONCE)] == [proof()] * 2
    assert len(first) == 64


@pytest.mark.parametrize(
    "job",
    [
        replace(JOB, seed=4),
        replace(JOB, augment=False),
        replace(JOB, microbatch=5),
        replace(JOB, batch_size=7),
        replace(JOB, normalisation=Normalisation((0.4,), (0.30001,))),
        replace(JOB, model=Model((Flatten(), Dense(5), Relu(), Dropout(0.4), Dense(3)), shape=(3, 3, 1))),
    ],
    ids=["order", "augmentation", "micro-batch", "batch", "normalisation", "dropout"],
)
def test_another_job_has_another_one(job: Job) -> None:
    assert proof(job) != proof()


def test_another_nonce_has_another_one() -> None:
    assert len({proof(nonce=nonce) for nonce in (0, 1, 2, 1 << 52)}) == 4


def with_label(split: Split, number: int) -> Split:
    inputs, labels = split.take(slice(None))
    others = labels.astype(np.int32)
    others[number] = (others[number] + 1) % 3
    return Split(inputs, others)


@pytest.mark.parametrize("step", [1, 4], ids=["a whole batch", "the last and smaller batch"])
def test_the_first_and_the_smaller_micro_batches_count(step: int) -> None:
    last = int(Sampler(21, JOB.batch_size, JOB.seed).indices(step)[-1])
    assert proof(data=replace(DATA, train=with_label(DATA.train, last))) != proof()


@pytest.mark.parametrize("number", [0, 8], ids=["a whole micro-batch", "the last, of one sample"])
def test_what_is_validated_counts(number: int) -> None:
    assert proof(data=replace(DATA, test=with_label(DATA.test, number))) != proof()


@pytest.mark.skipif(len(BACKENDS) == 1, reason="numba is not installed")
def test_compiled_and_exact_kernels_have_the_same_and_numpy_has_another(monkeypatch: pytest.MonkeyPatch) -> None:
    def of(backend: str) -> str:
        monkeypatch.setenv("GRADSUM_BACKEND", backend)
        return proof()

    compiled, exact, numpy = map(of, ("numba", "exact", "numpy"))
    assert compiled == exact
    assert numpy != exact


def test_the_last_bit_of_one_value_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a worker's kernels differ only for the shapes of this job, which the golden digest does not have."""
    before, gradient = proof(), Evaluator.train_block

    def off_by_a_bit(self: Evaluator, step: int, block: tuple[int, int], out: Vector) -> object:
        sums = gradient(self, step, block, out)
        out.view(np.uint32)[-1] ^= 1
        return sums

    monkeypatch.setattr(Evaluator, "train_block", off_by_a_bit)
    assert proof() != before
