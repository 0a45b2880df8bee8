"""Whole networks against double precision: the built-in ones, and any that hypothesis makes up."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from engine.compute.program import compile_model
from engine.compute.tree import evaluate_block
from engine.data import stream
from engine.errors import ModelError
from engine.kernels import Backend
from engine.nn.built_in import lenet, letters, mlp, resnet8, vgg7
from engine.nn.layers import (
    AvgPool2d,
    Conv2d,
    Dense,
    Flatten,
    Gelu,
    GlobalAvgPool,
    GroupNorm,
    Layer,
    LayerNorm,
    LeakyRelu,
    MaxPool2d,
    Relu,
    Residual,
    Sigmoid,
    Silu,
    Softplus,
    Tanh,
)
from engine.nn.loss_options import LOSSES
from engine.nn.model import Model
from tests.support.backends import BACKENDS, each_backend
from tests.support.programs import case, check_against_reference
from tests.support.reference import forward


@each_backend
@pytest.mark.parametrize("make", [resnet8, vgg7])
def test_built_in_networks_with_normalisation(kernels: Backend, make: Callable[..., Model]) -> None:
    check_against_reference(case(make((14, 13, 1)), 5, kernels))


@each_backend
@pytest.mark.parametrize("make", [letters, lenet, mlp])
@pytest.mark.parametrize(("samples", "microbatch"), [(1, 1), (8, 8), (19, 19), (19, 4)])
def test_built_in_networks(kernels: Backend, make: Callable[[], Model], samples: int, microbatch: int) -> None:
    check_against_reference(case(make(), samples, kernels, microbatch=microbatch))


@pytest.mark.parametrize("make", [letters, lenet, mlp])
def test_micro_batches_together_and_one_by_one(make: Callable[[], Model]) -> None:
    """No bit depends on how many micro-batches are computed together."""
    whole, model = case(make().with_dropout(0.3), 27, BACKENDS[-1], microbatch=4), make().with_dropout(0.3)
    rngs = [stream(1, 1, number) for number in range(7)]
    out, loss, correct = whole.gradient(*rngs)
    parts = []
    for number, rng in enumerate(rngs):
        some, gradient = slice(4 * number, 4 * number + 4), np.empty_like(out)
        program = compile_model(model, 4, like=whole.program, samples=len(whole.labels[some]))
        parts.append((gradient, *program.gradient(whole.images[some], whole.labels[some], [rng], gradient)))
    added = evaluate_block(
        (0, 7), lambda block, _: parts[block[0]], lambda a, b: (a[0] + b[0], a[1] + b[1], a[2] + b[2])
    )
    assert (added[1], added[2]) == (loss, correct)
    if BACKENDS[-1].name != "numpy":  # whose products depend on all sizes
        assert added[0].tobytes() == out.tobytes()


pairs = st.tuples(st.integers(1, 4), st.integers(1, 4))
layers_of_images = st.lists(
    st.one_of(
        st.builds(Conv2d, st.integers(1, 10), st.just(3), padding=st.integers(0, 2)),
        st.builds(Conv2d, st.integers(1, 10), st.just(3), padding=st.just(0)).flatmap(st.just),
        st.builds(Conv2d, st.integers(1, 3), st.integers(1, 4), st.integers(1, 3)),
        st.builds(Conv2d, st.integers(1, 9), st.sampled_from([3, 2]), padding=st.just("same"), bias=st.booleans()),
        st.builds(Conv2d, st.integers(1, 3), pairs, pairs, st.just("same"), st.booleans()),
        st.builds(lambda pair, filters: Conv2d(filters, pair, 1, tuple(k - 1 for k in pair)), pairs, st.integers(1, 3)),
        st.builds(MaxPool2d, st.integers(1, 3)),
        st.just(MaxPool2d(2)),
        st.builds(AvgPool2d, st.integers(1, 3)),
        st.sampled_from([Relu(), Gelu(), LeakyRelu(0.3), Sigmoid(), Silu(), Softplus(), Tanh()]),
    ),
    max_size=5,
)
norms = st.sampled_from([LayerNorm(), GroupNorm(1, epsilon=0.1), GroupNorm(2)])
# Layers that keep the shape, or, with another shortcut, halve it.
kept = st.lists(
    st.one_of(
        st.builds(lambda kernel, bias: Conv2d(8, kernel, padding="same", bias=bias), st.integers(1, 4), st.booleans()),
        st.sampled_from([Relu(), Sigmoid(), Tanh(), Gelu(), Softplus(), MaxPool2d(1), AvgPool2d(1)]),
        norms,
    ),
    max_size=3,
)
simple = kept.map(lambda layers: Residual((*layers, Conv2d(8, 3, padding=1))))
identities = simple | st.tuples(kept, simple, kept).map(lambda parts: Residual((*parts[0], parts[1], *parts[2])))
halving = st.tuples(kept, identities, kept).map(
    lambda parts: Residual((*parts[0], parts[1], MaxPool2d()), (*parts[2], Conv2d(8, 1, 2, "same")))
)
shapes = st.tuples(st.integers(3, 13), st.integers(3, 13), st.sampled_from([1, 2, 8, 9]))


@each_backend
@settings(max_examples=60)
@given(
    layers=layers_of_images,
    shape=shapes,
    loss=st.sampled_from(LOSSES),
    samples=st.integers(1, 9),
    microbatch=st.integers(1, 9),
    seed=st.integers(0, 9),
    gap=st.booleans(),
)
def test_any_network(
    kernels: Backend,
    layers: list[Layer],
    shape: tuple[int, int, int],
    loss: str,
    samples: int,
    microbatch: int,
    seed: int,
    gap: bool,
) -> None:
    try:
        model = Model((*layers, GlobalAvgPool() if gap else Flatten(), Dense(4)), shape, loss)
    except ModelError:
        assume(False)
    check_against_reference(case(model, samples, kernels, seed, microbatch))


@each_backend
@settings(max_examples=40)
@given(
    some=st.lists(identities | halving, min_size=1, max_size=2),
    after=kept,
    first=st.booleans(),
    edge=st.integers(2, 9),
    microbatch=st.integers(1, 9),
    gap=st.booleans(),
)
def test_any_network_with_shortcuts(
    kernels: Backend, some: list[Layer], after: list[Layer], first: bool, edge: int, microbatch: int, gap: bool
) -> None:
    stem = (Conv2d(8, 1),) if first else ()
    ends = (GlobalAvgPool(), LayerNorm()) if gap else (Flatten(),)
    model = Model((*stem, *some, *after, *ends, Dense(4)), (edge, edge + 1, 8))
    check_against_reference(case(model, microbatch, kernels, edge))


@each_backend
@pytest.mark.parametrize("norm", [LayerNorm(), GroupNorm(3), GroupNorm(30)])
def test_norms_of_features(kernels: Backend, norm: Layer) -> None:
    hidden = (Dense(30), norm, Relu(), Residual((Dense(30), Gelu()), norm))
    check_against_reference(case(Model((norm, *hidden, Dense(4)), (60,)), 7, kernels))


@each_backend
@pytest.mark.parametrize("padding", [0, 1])
@pytest.mark.parametrize("pool", [(), (MaxPool2d(),)])
@pytest.mark.parametrize("shape", [(5, 5, 8), (6, 9, 8), (13, 11, 11)])
@pytest.mark.parametrize("bias", [True, False])
def test_winograd(
    kernels: Backend, padding: int, pool: tuple[Layer, ...], shape: tuple[int, int, int], bias: bool
) -> None:
    first = Conv2d(8, 1)  # so that the 3 x 3 convolution must give a gradient to its input
    c = case(Model((first, Conv2d(9, 3, padding=padding, bias=bias), *pool, Flatten(), Dense(3)), shape), 5, kernels)
    assert "Winograd" in c.program.operations()[1].kernel
    check_against_reference(c)


@each_backend
def test_blocks_in_micro_batches(kernels: Backend) -> None:
    layers = (Conv2d(32, 3, 2, "same"), GroupNorm(4), Sigmoid(), Conv2d(33, 3, padding=1))
    blocks = Residual(layers, Conv2d(33, 1, stride=2)), Gelu(), Residual(Conv2d(33, padding=1))
    check_against_reference(case(Model((Conv2d(32), *blocks, Flatten(), Dense(3))), 29, kernels, microbatch=8))


@each_backend
@pytest.mark.parametrize("layers", [(Flatten(),), (Relu(), Flatten()), (MaxPool2d(), Gelu(), Flatten())])
def test_networks_without_parameters(kernels: Backend, layers: tuple[Layer, ...]) -> None:
    c = case(Model(layers, (4, 3, 2)), 3, kernels)
    out, loss, _ = c.gradient()
    assert out.size == 0
    assert loss > 0
    check_against_reference(c)


@each_backend
def test_logits_and_evaluate(kernels: Backend) -> None:
    c = case(letters(), 9, kernels)
    exact = {name: array.astype(float) for name, array in c.program.layout.public(c.parameters)}
    want, _ = forward(c.model, exact, c.images.astype(float))
    z = c.program.logits(c.images)
    np.testing.assert_allclose(z, want, atol=2e-6)
    _, loss, correct = c.gradient()
    assert c.program.evaluate(c.images, c.labels) == (loss, correct)
    assert correct == (want.argmax(1) == c.labels).sum()
    c.program.logits(c.images * 2)
    np.testing.assert_allclose(z, want, atol=2e-6)  # it is a copy


@each_backend
def test_equal_pixels_tie_everywhere(kernels: Backend) -> None:
    c = case(letters(), 4, kernels)
    c.images[:] = 0.5
    out, loss, _ = c.gradient()
    assert np.isfinite(loss)
    bias = c.program.layout.view(out, "c1.bias")
    assert np.abs(bias).max() > 0
    # All pixels of c1 are equal, and so are the gradients of its nine taps: each is 0.5 times that of the bias.
    filters = c.program.layout.view(out, "c1.filter")
    np.testing.assert_allclose(filters, np.broadcast_to(bias * np.float32(0.5), filters.shape), rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize(("samples", "microbatch"), [(0, 4), (4, 0)])
def test_a_program_for_less_than_one_sample_is_refused(samples: int, microbatch: int) -> None:
    with pytest.raises(ValueError, match="at least 1 sample, got 0"):
        compile_model(mlp(), microbatch, samples=samples)
