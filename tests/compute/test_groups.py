"""Steps that are done group by group: everything is as if there were none."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from engine.compute.program import Program, compile_model
from engine.compute.program.fusion import steps_of
from engine.compute.program.operations.groups import CACHE, group_size
from engine.compute.tree import evaluate_block
from engine.data import stream
from engine.errors import ModelError
from engine.kernels import Backend
from engine.kernels.streams import Stream
from engine.nn.built_in import letters, resnet8, vgg7
from engine.nn.layers import (
    AvgPool2d,
    Conv2d,
    Dense,
    Dropout,
    Flatten,
    GlobalAvgPool,
    GroupNorm,
    Layer,
    MaxPool2d,
    Relu,
    Residual,
    Sigmoid,
    Tanh,
)
from engine.nn.model import Model
from engine.nn.parameters import Vector
from tests.support.backends import BACKENDS, each_backend
from tests.support.programs import Case, case

SHAPE = 13, 11, 9
winograd = Conv2d(9, 3, padding=1)

images = st.lists(
    st.one_of(
        st.builds(Conv2d, st.integers(1, 10), st.sampled_from([1, 2, 3, (1, 5)]), padding=st.just("same")),
        st.builds(lambda steps: Conv2d(9, 3, steps, "same", bias=False), st.integers(1, 2)),
        st.sampled_from([MaxPool2d(2), AvgPool2d(3), Relu(), Tanh(), Sigmoid(), Dropout(0.4), GroupNorm(1)]),
        st.sampled_from(
            [Residual((Conv2d(9, 3, padding=1), Tanh())), Residual((Conv2d(9, 1),), Conv2d(9, 3, padding=1))]
        ),
    ),
    min_size=2,
    max_size=5,
)


def streams(count: int) -> list[Stream]:
    return [stream(1, 1, number) for number in range(count)]


def one_by_one(c: Case, microbatch: int) -> tuple[Vector, float, int]:
    """Return what the program of `c` computes, by programs for one micro-batch each."""
    programs: dict[int, Program] = {}

    def leaf(part: tuple[int, int], _: int) -> tuple[Vector, float, int]:
        some = slice(part[0] * microbatch, part[1] * microbatch)
        labels, out = c.labels[some], c.program.layout.zeros()
        N = len(labels)
        if N not in programs:
            programs[N] = compile_model(c.model, microbatch, like=c.program, samples=N)
        return out, *programs[N].gradient(c.images[some], labels, [stream(1, 1, part[0])], out)

    count = -(-len(c.labels) // microbatch)
    return evaluate_block((0, count), leaf, lambda a, b: (a[0] + b[0], a[1] + b[1], a[2] + b[2]))


def check(c: Case, microbatch: int) -> None:
    """Check that groups and single micro-batches give the same bits, twice, as buffers are not new then."""
    want, *sums = one_by_one(c, microbatch)
    for _ in range(2):
        found, *others = c.gradient(*streams(-(-len(c.labels) // microbatch)))
        assert others == sums
        assert found.tobytes() == want.tobytes()


@settings(max_examples=40)
@given(layers=images, microbatch=st.integers(1, 9), more=st.integers(1, 40), gap=st.booleans())
def test_any_network(layers: list[Layer], microbatch: int, more: int, gap: bool) -> None:
    try:
        model = Model((*layers, GlobalAvgPool() if gap else Flatten(), Dense(4)), SHAPE)
    except ModelError:
        assume(False)
    samples = group_size(steps_of(model)[: len(layers)], microbatch) + more
    check(case(model, samples, BACKENDS[-1], microbatch=microbatch), microbatch)


@pytest.mark.parametrize("make", [resnet8, vgg7])
@pytest.mark.parametrize("shape", [(17, 18, 3), (16, 16, 1)])
def test_built_in_networks(make: Callable[..., Model], shape: tuple[int, int, int]) -> None:
    check(case(make(shape), 27, BACKENDS[-1], microbatch=4), 4)


def test_a_group_is_as_many_micro_batches_as_suit_the_cache() -> None:
    steps = steps_of(letters())[:3]
    most = 4 * (13 * 13 * 32 + 6 * 6 * 64)  # bytes of c2 and its pool
    assert CACHE // 32 < most <= CACHE // 16
    assert [group_size(steps, microbatch) for microbatch in (1, 3, 4, 8, 16, 20)] == [16, 12, 16, 16, 16, 20]


@each_backend
def test_layers_that_are_not_trained(kernels: Backend) -> None:
    model = letters((22, 22, 1), 3)
    c = case(model, 70, kernels, microbatch=8)
    whole, *sums = c.gradient()
    layout = c.program.layout
    for frozen in (("c1",), ("c2",), ("c1", "c2", "c3")):
        program = compile_model(model, 8, kernels, samples=70, frozen=frozen)
        program.prepare(c.parameters)
        out = layout.zeros()
        out.fill(np.nan)
        assert [*program.gradient(c.images, c.labels, (), out)] == sums
        for name in layout.specs:
            view = layout.view(out, name)
            assert (
                view.tobytes()
                == (np.zeros_like(view) if name.partition(".")[0] in frozen else layout.view(whole, name)).tobytes()
            )


def test_the_first_layer_that_is_not_finite_in_any_group() -> None:
    """In the first group c3 overflows, in the second c1 does."""
    c = case(letters(), 32, BACKENDS[-1], microbatch=8)
    for name in ("c2", "c3"):
        c.program.layout.view(c.parameters, f"{name}.filter")[...] = 1e18
    c.program.layout.view(c.parameters, "c1.filter")[...] = 1
    c.program.prepare(c.parameters)
    c.images[...] = 1
    assert c.program.first_nonfinite(c.images, c.labels) == "c3"
    c.images[20] = 3e38
    assert c.program.first_nonfinite(c.images, c.labels) == "c1"


def test_operations_are_those_of_a_single_micro_batch() -> None:
    one, many = (compile_model(resnet8(), 8, samples=samples).operations() for samples in (8, 64))
    assert [o.name for o in one] == [o.name for o in many]
    assert [o.flops_backward for o in one] == [o.flops_backward for o in many]
    assert [8 * o.memory for o in one] == [o.memory for o in many]


def test_groups_share_the_gradients_between_their_steps() -> None:
    few, many = (
        sum(buffer.nbytes for buffer in (*arena.buffers, *arena.workspace.buffers.values()))
        for arena in (compile_model(letters(), 8, samples=samples).arena for samples in (64, 128))
    )
    values = 4 * (2 * 28 * 28 + 13 * 13 * 32 + 2 * 6 * 6 * 64 + 3 * 2 * 2 * 128)  # and gradients behind c2
    assert many - few < 64 * (values + 4 * 13 * 13 * 32)


@each_backend
def test_a_smaller_last_group_may_want_more_scratch_than_a_whole_one(kernels: Backend) -> None:
    """Patches of fewer samples are taken from more channels at a time."""
    steps = Conv2d(16, 5), Relu(), MaxPool2d(), Conv2d(32, 5, stride=2), Relu(), GlobalAvgPool(), Dense(10)
    model = Model(steps, (28, 28, 1))
    main = compile_model(model, 8, kernels)
    assert [compile_model(model, 8, like=main, samples=N).samples for N in range(1, 33)] == list(range(1, 33))
