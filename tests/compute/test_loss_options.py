"""Label smoothing and class weights: against a scalar loop, and against finite differences of the whole network."""

import math

import numpy as np
import pytest

from engine.compute.program import compile_model
from engine.kernels import Array, Backend, choose
from engine.nn.layers import Dense, Gelu
from engine.nn.loss_options import CROSS_ENTROPY, SQUARED_ERROR, LossOptions
from engine.nn.model import Model
from tests.support.backends import BACKENDS, each_backend, normal

WEIGHTS = (0.5, 2.0, 0.0, 1.25)
LABELS = np.array([0, 3, 1, 2, 1], np.int32)
OPTIONS = [LossOptions(0.1), LossOptions(weights=WEIGHTS), LossOptions(0.25, WEIGHTS)]
both = pytest.mark.parametrize("options", OPTIONS, ids=["smoothing", "weights", "both"])


def network(loss: str = CROSS_ENTROPY) -> Model:
    return Model((Dense(6), Gelu(), Dense(4)), (3,), loss)


def results(kernels: Backend, options: LossOptions, loss: str = CROSS_ENTROPY) -> tuple[float, int, Array, Array]:
    """Return loss, correct answers, gradient and outputs for a network with 4 outputs."""
    program = compile_model(network(loss), len(LABELS), kernels, options=options)
    vector, out = program.layout.zeros(), program.layout.zeros()
    vector[:] = normal(vector.size)
    program.prepare(vector)
    x = normal(len(LABELS), 3, seed=2)
    summed, correct = program.gradient(x, LABELS, (), out)
    return summed, correct, out, program.logits(x)


@each_backend
@both
def test_the_loss_is_that_of_a_scalar_loop(kernels: Backend, options: LossOptions) -> None:
    summed, correct, _, outputs = results(kernels, options)
    want = 0.0
    for row, label in zip(outputs.tolist(), LABELS, strict=True):
        total = sum(math.exp(z) for z in row)
        share = options.smoothing / len(row)
        worth = [share + (1 - options.smoothing) * (k == label) for k in range(len(row))]
        loss = -sum(q * math.log(math.exp(z) / total) for q, z in zip(worth, row, strict=True))
        want += loss * (options.weights[label] if options.weights else 1)
    assert summed == pytest.approx(want, rel=1e-6)
    assert correct == sum(int(row.argmax() == label) for row, label in zip(outputs, LABELS, strict=True))


@each_backend
@both
def test_the_gradient_is_that_of_the_loss(kernels: Backend, options: LossOptions) -> None:
    program = compile_model(network(), len(LABELS), kernels, options=options)
    vector, out = program.layout.zeros(), program.layout.zeros()
    vector[:] = normal(vector.size)
    x = normal(len(LABELS), 3, seed=2)
    program.prepare(vector)
    program.gradient(x, LABELS, (), out)
    found = out.copy()
    for k in range(0, vector.size, 5):
        ends = []
        for step in (1e-2, -1e-2):
            moved = vector.copy()
            moved[k] += np.float32(step)
            program.prepare(moved)
            ends.append(program.gradient(x, LABELS, (), out)[0])
        assert found[k] == pytest.approx((ends[0] - ends[1]) / 2e-2, rel=2e-2, abs=2e-3)


@pytest.mark.skipif(len(BACKENDS) < 2, reason="numba is not installed")
@both
def test_the_compiled_and_the_exact_kernels_give_the_same_bits(options: LossOptions) -> None:
    ours, theirs = (results(kernels, options) for kernels in (BACKENDS[-1], choose("exact")))
    assert ours[:2] == theirs[:2]
    assert ours[2].tobytes() == theirs[2].tobytes()


@each_backend
def test_weights_count_for_squared_errors_too(kernels: Backend) -> None:
    summed, _, _, outputs = results(kernels, LossOptions(weights=WEIGHTS), SQUARED_ERROR)
    errors = [np.square(row - np.eye(4)[label]).mean() for row, label in zip(outputs, LABELS, strict=True)]
    assert summed == pytest.approx(sum(WEIGHTS[k] * e for k, e in zip(LABELS, errors, strict=True)), rel=1e-5)


@each_backend
def test_a_validation_measures_the_plain_loss(kernels: Backend) -> None:
    plain, odd = (compile_model(network(), 5, kernels, options=o) for o in (None, OPTIONS[2]))
    for program in (plain, odd):
        vector = program.layout.zeros()
        vector[:] = normal(vector.size)
        program.prepare(vector)
    assert plain.evaluate(normal(5, 3), LABELS) == odd.evaluate(normal(5, 3), LABELS)
