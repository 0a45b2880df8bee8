"""The flat vector: views, public and storage shapes, initial values, digests."""

import hashlib
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.nn.parameters import ALIGNMENT, Layout, Spec, aligned

LAYOUT = Layout({"a.filter": Spec("filter", (2, 3, 5, 5), 75, axes=(2, 3, 1, 0)), "a.bias": Spec("bias", (2,), 75)})


@given(st.integers(0, 1000))
def test_vectors_are_aligned_and_zero(size: int) -> None:
    vector = aligned(size)
    assert vector.shape == (size,)
    assert vector.ctypes.data % ALIGNMENT == 0 or size == 0
    assert not vector.any()


@given(st.lists(st.integers(1, 4), min_size=1, max_size=4), st.data())
def test_public_and_storage_are_inverse(shape: list[int], data: st.DataObject) -> None:
    axes = data.draw(st.sampled_from(list(permutations(range(len(shape))))))
    spec = Spec("w", tuple(shape), 1, axes)
    public = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    stored = spec.to_storage(public)
    assert stored.shape == spec.storage_shape
    assert np.array_equal(spec.to_public(stored), public)
    for place in np.ndindex(*shape):
        assert stored[tuple(place[a] for a in axes)] == public[place]


def test_views_share_the_vector() -> None:
    vector = LAYOUT.zeros()
    assert LAYOUT.size == vector.size == 152
    LAYOUT.view(vector, "a.bias")[1] = 7
    assert vector[151] == 7
    LAYOUT.view(vector, "a.filter")[4, 3, 2, 1] = 5
    assert dict(LAYOUT.public(vector))["a.filter"][1, 2, 4, 3] == 5


def test_fill_and_its_refusals() -> None:
    vector = LAYOUT.zeros()
    arrays = {"a.filter": np.random.default_rng(0).random((2, 3, 5, 5), np.float32), "a.bias": np.ones(2, np.float32)}
    LAYOUT.fill(vector, arrays)
    for name, array in LAYOUT.public(vector):
        assert np.array_equal(array, arrays[name])
    with pytest.raises(ValueError, match=r"names differ from the model's: a.bias"):
        LAYOUT.fill(vector, {"a.filter": arrays["a.filter"]})
    with pytest.raises(ValueError, match=r"a.bias has shape \(3,\); the model wants \(2,\)"):
        LAYOUT.fill(vector, arrays | {"a.bias": np.ones(3, np.float32)})


def test_initial_values() -> None:
    vector, again, other = LAYOUT.zeros(), LAYOUT.zeros(), LAYOUT.zeros()
    LAYOUT.initialise(vector, 1)
    LAYOUT.initialise(again, 1)
    LAYOUT.initialise(other, 2)
    assert vector.tobytes() == again.tobytes()
    assert (vector != other).any()
    assert np.abs(vector).max() <= 75**-0.5
    large = Layout({"w": Spec("w", (10_000,), 4)})
    values = large.zeros()
    large.initialise(values, 0)
    # Uniform in +-1/2: mean 0, variance 1/12, each within four standard errors.
    assert values.mean(dtype=float) == pytest.approx(0, abs=4 * (1 / 12 / 10_000) ** 0.5)
    assert values.var(dtype=float) == pytest.approx(1 / 12, abs=4 * (1 / 180 / 10_000) ** 0.5)


def test_digests() -> None:
    spec = Spec("w", (2, 3), 3)
    digests = {
        Layout({"a.w": spec}).digest,
        Layout({"b.w": spec}).digest,
        Layout({"a.w": Spec("w", (3, 2), 3)}).digest,
        Layout({"a.w": Spec("w", (2, 3), 3, axes=(1, 0))}).digest,
        Layout({"a.w": spec, "b.w": spec}).digest,
        Layout({"b.w": spec, "a.w": spec}).digest,
    }
    assert len(digests) == 6
    assert Layout({"a.w": spec}).digest == Layout({"a.w": spec}).digest


def test_sha256_does_not_depend_on_the_storage() -> None:
    vector = LAYOUT.zeros()
    LAYOUT.initialise(vector, 3)
    public = dict(LAYOUT.public(vector))
    want = hashlib.sha256(b"".join(np.ascontiguousarray(public[n]).tobytes() for n in ("a.bias", "a.filter")))
    assert LAYOUT.sha256(vector) == want.hexdigest()


@pytest.mark.parametrize("size", [1 << 61, 1 << 62, 1 << 80])
def test_more_than_can_be_counted_is_more_than_there_is(size: int) -> None:
    with pytest.raises(MemoryError):
        aligned(size)
