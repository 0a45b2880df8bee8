"""What an evaluator makes of a job: dropout acts in training, the same each time, and nowhere else."""

import numpy as np
import pytest

from engine.compute.evaluator import Evaluator
from engine.compute.job import Job
from engine.compute.sums import bits_of
from engine.data import Dataset, Split
from engine.nn.layers import Dense, Dropout, Flatten, Layer
from engine.nn.model import Model

pytestmark = pytest.mark.usefixtures("numpy_kernels")


SIZE = Model((Flatten(), Dense(16), Dense(2)), (2, 2, 1)).layout().size  # dropout has no parameters


def evaluator(*layers: Layer) -> Evaluator:
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (40, 2, 2, 1), np.uint8), rng.integers(0, 2, 40, np.int32)
    data = Dataset("random", ("a", "b"), Split(images[:32], labels[:32]), Split(images[32:], labels[32:]))
    model = Model((Flatten(), Dense(16), *layers, Dense(2)), (2, 2, 1))
    made = Evaluator(Job(model, "", data.train.normalisation(), 16, 4, seed=1, augment=False), data)
    made.prepare(np.linspace(-1, 1, SIZE, dtype=np.float32))
    return made


def trained(made: Evaluator) -> str:
    return bits_of(made.train_block(1, (0, 4), np.zeros(SIZE, np.float32)))


def test_dropout_acts_in_training_alone_and_each_time_in_the_same_way() -> None:
    plain, kept, dropping = evaluator(), evaluator(Dropout(0.0)), evaluator(Dropout(0.5))
    assert trained(plain) == trained(kept) != trained(dropping)
    assert trained(dropping) == trained(evaluator(Dropout(0.5)))
    assert bits_of(plain.split_block((0, 2))) == bits_of(dropping.split_block((0, 2)))
