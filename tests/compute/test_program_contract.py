"""What callers rely on: the same bits, no allocation, no memory of what was before, clear errors."""

import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest

from engine.compute.program import Workspace, compile_model
from engine.data import stream
from engine.errors import DataError, ModelError
from engine.kernels import Backend, choose, numpy_backend
from engine.nn.built_in import lenet, letters, mlp
from engine.nn.layers import Conv2d, Dense, Dropout, Flatten, Layer, Shape
from engine.nn.layers.base import REGISTRY
from engine.nn.model import Model
from tests.support.backends import BACKENDS, each_backend, normal
from tests.support.programs import Case, case


def poison(c: Case) -> None:
    """Fill every buffer with NaN, but for zeros where there are borders, which must be kept."""
    for scratch in c.program.arena.workspace.buffers.values():
        scratch[...] = np.nan
    for buffer in c.program.arena.buffers:
        if buffer.dtype.kind == "f":
            buffer[buffer != 0] = np.nan
        else:
            buffer[...] = 3


@each_backend
@pytest.mark.parametrize("make", [letters, lenet, mlp])
def test_bits_depend_on_the_arguments_alone(kernels: Backend, make: Callable[[], Model]) -> None:
    c = case(make(), 11, kernels)
    first, loss, correct = c.gradient()
    other = case(c.model, 11, kernels, seed=5)
    c.program.prepare(other.parameters)
    c.program.gradient(other.images, other.labels, (), np.empty_like(first))
    poison(c)
    c.program.prepare(c.parameters)
    again, loss2, correct2 = c.gradient()
    assert (first.tobytes(), loss, correct) == (again.tobytes(), loss2, correct2)
    fresh = case(make(), 11, kernels).gradient()[0]
    assert fresh.tobytes() == first.tobytes()


@each_backend
@pytest.mark.parametrize("make", [letters, lenet, mlp, lambda: Model((Conv2d(2, 2), Flatten()), (3, 3, 1))])
def test_parameters_that_stay_as_they_are_give_the_same_bits(kernels: Backend, make: Callable[[], Model]) -> None:
    """Two vectors by turns, one that cannot be written to, and one that is not aligned: read in place, or copied."""
    c, other = case(make(), 11, kernels), case(make(), 11, kernels, seed=5)
    expected = [each.gradient()[0].tobytes() for each in (c, other)]
    received = np.frombuffer(b"." + other.parameters.tobytes(), np.uint8)[1:].view(np.float32)
    for vector, right in ((c.parameters, 0), (other.parameters, 1), (c.parameters, 0), (received, 1)):
        c.program.prepare(vector, stays=True)
        out = c.program.layout.zeros()
        c.program.gradient(other.images if right else c.images, other.labels if right else c.labels, (), out)
        assert out.tobytes() == expected[right]


def test_compiled_kernels_read_parameters_that_stay_where_they_are() -> None:
    if "numba" not in {backend.name for backend in BACKENDS}:
        pytest.skip("numba is not installed")
    c = case(mlp(), 11, choose("numba"))
    vector = c.parameters.copy()
    c.program.prepare(vector, stays=True)
    assert all(np.shares_memory(one.value, vector) for one in c.program.weights.parameters.values())
    c.program.prepare(vector)
    assert not any(np.shares_memory(one.value, vector) for one in c.program.weights.parameters.values())


@each_backend
@pytest.mark.parametrize("make", [letters, lenet, mlp])
def test_a_diverged_batch_leaves_nothing_behind(kernels: Backend, make: Callable[[], Model]) -> None:
    c = case(make(), 5, kernels)
    before = c.gradient()[0]
    bad = np.full_like(c.images, np.nan)
    loss, correct = c.program.gradient(bad, c.labels, (), np.empty_like(before))
    assert np.isnan(loss)
    assert correct == 0
    assert c.gradient()[0].tobytes() == before.tobytes()


@each_backend
@pytest.mark.parametrize("make", [letters, lenet, mlp])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_one_bad_pixel_shows_in_the_loss(kernels: Backend, make: Callable[[], Model], value: float) -> None:
    c = case(make(), 5, kernels)
    c.images[3, 13, 14] = value
    assert not np.isfinite(c.program.evaluate(c.images, c.labels)[0])
    assert not np.isfinite(c.gradient()[1])


@each_backend
def test_first_nonfinite(kernels: Backend) -> None:
    c = case(letters(), 9, kernels)
    assert c.program.first_nonfinite(c.images, c.labels) is None
    for name in ("c1", "c2", "c3", "fc1", "fc3"):
        broken = c.parameters.copy()
        c.program.layout.view(broken, f"{name}.bias")[0] = np.inf
        c.program.prepare(broken)
        assert c.program.first_nonfinite(c.images, c.labels) == name
    c.program.prepare(c.parameters)
    c.images[8] = np.nan
    assert c.program.first_nonfinite(c.images, c.labels) == "c1"
    general = case(Model((Conv2d(2, 2), Flatten()), (3, 3, 1)), 1, kernels)
    general.images[0] = np.nan
    assert general.program.first_nonfinite(general.images, general.labels) == "inputs"
    large = case(Model((Flatten(), Dense(1), Dense(2)), (1, 2, 1), "mean_squared_error"), 1, kernels)
    large.images[:] = 1e30  # every output is below 1e38, the gradient of fc2 is not
    assert large.program.first_nonfinite(large.images, large.labels) == "fc2"


@each_backend
def test_the_step_allocates_nothing(kernels: Backend) -> None:
    c = case(letters().with_dropout(0.5), 16, kernels)
    out, rng = c.program.layout.zeros(), stream(0, 1, 0)

    def step() -> None:
        c.program.prepare(c.parameters)
        c.program.gradient(c.images, c.labels, [rng], out)

    step()
    tracemalloc.start()
    try:
        step()
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        for _ in range(10):
            step()
        after, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 8 * 1024
    # Views and a few values a sample; numpy has a buffer of 8192 elements where it turns booleans into numbers.
    assert peak - before < (128 if kernels.name == "numpy" else 16) * 1024


@each_backend
def test_dropout_draws_from_the_stream(kernels: Backend) -> None:
    c = case(mlp().with_dropout(0.5), 7, kernels)
    first, again, other = (c.gradient(stream(seed, 1, 0))[0].tobytes() for seed in (1, 1, 2))
    assert first == again
    assert first != other
    off = c.gradient()[0]
    c.program.evaluate(c.images, c.labels)
    assert off.tobytes() == case(mlp(), 7, kernels).gradient()[0].tobytes()


@each_backend
def test_dropout_keeps_the_mean(kernels: Backend) -> None:
    c = case(Model((Flatten(), Dropout(0.25)), (1, 4000, 1), "mean_squared_error"), 1, kernels)
    c.images[:] = 1
    z = np.empty(4000, np.float32)
    c.program.gradient(c.images, c.labels, [stream(0, 1, 0)], np.empty(0, np.float32))
    z[:] = c.program._loss.outputs[0]
    assert set(np.unique(z).tolist()) == {0, np.float32(1 / 0.75)}
    assert z.mean() == pytest.approx(1, abs=4 * np.sqrt(1 / 3 / 4000))  # four standard errors


@each_backend
def test_programs_alike_share_prepared_parameters(kernels: Backend) -> None:
    c = case(letters(), 6, kernels)
    small = compile_model(c.model, 2, like=c.program)
    out, want = c.program.layout.zeros(), c.program.layout.zeros()
    loss, _ = small.gradient(c.images[:2], c.labels[:2], (), out)
    alone = compile_model(c.model, 2, kernels)
    alone.prepare(c.parameters)
    assert alone.gradient(c.images[:2], c.labels[:2], (), want)[0] == loss
    assert out.tobytes() == want.tobytes()


@each_backend
def test_programs_that_take_turns_may_share_their_workspace(kernels: Backend) -> None:
    c, workspace = case(letters(), 40, kernels), Workspace()
    sizes = (8, 40, 8, 24, 40)
    programs = {size: compile_model(c.model, 8, like=c.program, samples=size, workspace=workspace) for size in sizes}
    for size in sizes:
        alone = compile_model(c.model, 8, like=c.program, samples=size)
        found = []
        for program in (programs[size], alone):
            out = c.program.layout.zeros()
            found.append((program.gradient(c.images[:size], c.labels[:size], (), out), out.tobytes()))
        assert found[0] == found[1]
    scratch = workspace.buffers["scratch"]
    assert all(np.shares_memory(scratch, program.arena.workspace.buffers["scratch"]) for program in programs.values())


@each_backend
def test_parameters_are_taken_over_at_prepare(kernels: Backend) -> None:
    c = case(letters(), 2, kernels)
    before = c.gradient()[0].tobytes()
    c.parameters[:] = 0
    assert c.gradient()[0].tobytes() == before
    frozen = c.parameters.copy()
    frozen.flags.writeable = False
    c.program.prepare(frozen)
    assert c.gradient()[0].tobytes() != before


def test_wrong_arguments() -> None:
    program = compile_model(mlp(), 2, numpy_backend())
    vector, images, labels = program.layout.zeros(), normal(2, 28, 28, 1), np.zeros(2, np.int32)
    with pytest.raises(ValueError, match="prepare"):
        program.logits(images)
    with pytest.raises(ValueError, match="float32 vector of 110426"):
        program.prepare(vector[1:])
    program.prepare(vector)
    with pytest.raises(ValueError, match="inputs of shape"):
        program.evaluate(images[:1], labels)
    with pytest.raises(ValueError, match="2 labels"):
        program.evaluate(images, labels[:1])
    for wrong in (-1, 26):
        with pytest.raises(DataError, match="from 0 to 25"):
            program.evaluate(images, np.array([0, wrong], np.int32))
    frozen = vector.copy()
    frozen.flags.writeable = False
    with pytest.raises(ValueError, match="written"):
        program.gradient(images, labels, (), frozen)
    with pytest.raises(ValueError, match="at least 1"):
        compile_model(mlp(), 0, numpy_backend())


def test_a_layer_without_an_operation_is_refused() -> None:
    class Strange(Layer):
        prefix = "strange"

        def output_shape(self, shape: Shape) -> Shape:
            return shape

    try:
        with pytest.raises(ModelError, match="strange1: no operation"):
            compile_model(Model((Flatten(), Strange(), Dense(2)), (2, 2, 1)), 1, numpy_backend())
    finally:
        del REGISTRY["Strange"]


def test_operations_describe_the_program() -> None:
    operations = compile_model(letters(), 16, numpy_backend()).operations()
    assert [o.name for o in operations[:4]] == ["c1+pool1", "c2+pool2", "c3+pool3", "flatten1"]
    assert [o.kernel for o in operations[:4]] == ["Stem", "WinogradPool", "WinogradPool", "Flatten"]
    assert sum(o.parameters for o in operations) == 137_178
    c1, c2 = operations[:2]
    assert (c2.input, c2.output) == ((13, 13, 32), (6, 6, 64))
    assert c2.flops_forward == 2 * 11 * 11 * 64 * 9 * 32
    assert c2.flops_backward == 2 * c2.flops_forward
    assert c1.flops_backward == c1.flops_forward == 2 * 26 * 26 * 32 * 9  # no gradient of the images
    assert c2.memory == 16 * 4 * (13 * 13 * 32 + 6 * 6 * 64)
