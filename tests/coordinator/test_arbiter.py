"""The arbiter's own bits are those of a worker, in training and in validation: it decides which worker is wrong."""

from dataclasses import replace

import numpy as np
import pytest

from engine.compute.job import Job
from engine.compute.sums import bits_of
from engine.compute.tree import Block
from engine.coordinator.arbiter import Arbiter
from engine.data import Dataset, Normalisation, Split
from engine.wire.messages import Work, WorkKind
from tests.support.fakes import MODEL, FakeClock
from workers.computation import Computation

pytestmark = pytest.mark.usefixtures("numpy_kernels")


@pytest.mark.parametrize("kind", WorkKind)
@pytest.mark.parametrize("block", [(0, 1), (2, 3), (0, 2), (0, 3)])
def test_its_bits_are_those_of_a_worker(kind: WorkKind, block: Block) -> None:
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (22, 2, 2, 1), np.uint8), rng.integers(0, 2, 22, np.int32)
    data = Dataset("random", ("a", "b"), Split(images[:11], labels[:11]), Split(images[11:], labels[11:]))
    job = Job(MODEL, "", Normalisation.of(images), batch_size=11, microbatch=4, seed=1, augment=False)
    work = Work("s", 1, 1, kind, step=2, start=0, stop=3, total=3, version=0)
    arbiter, computation = Arbiter(job, data), Computation(job, data, None, FakeClock())
    for seed in (1, 2):  # the parameters of another round
        parameters = np.random.default_rng(seed).standard_normal(MODEL.layout().size).astype(np.float32)
        share = replace(work, start=block[0], stop=block[1])
        (answer,) = computation.answers(share, parameters)
        sums = arbiter(work, block, parameters)
        assert (sums.gradient is None) == (kind is WorkKind.VALIDATE)
        assert bits_of(sums) == bits_of(answer.sums)
