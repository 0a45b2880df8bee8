"""What is held out of training to choose by, and data that comes in three parts."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.data import Dataset, Normalisation, Split, cache, load
from engine.errors import DataError

RNG = np.random.default_rng(8)
LABELS = st.lists(st.integers(0, 3), min_size=2, max_size=60)
FRACTIONS = st.floats(0.01, 0.99)


def pictures(labels: list[int], first: int = 0) -> Split:
    """Return images of which each is known by its first two pixels: its number."""
    images = RNG.integers(0, 256, (len(labels), 2, 3, 1), np.uint8)
    images[:, 0, :2, 0] = [divmod(number + first, 256) for number in range(len(labels))]
    return Split(images, np.array(labels, np.int32))


def numbers(part: Split) -> list[int]:
    found: list[int] = (part.images[:, 0, 0, 0].astype(int) * 256 + part.images[:, 0, 1, 0]).tolist()
    return found


@given(LABELS, FRACTIONS)
def test_a_part_of_each_class_is_held_out(labels: list[int], fraction: float) -> None:
    if max(Counter(labels).values()) < 2:
        labels = labels + labels
    whole = Dataset("d", tuple("abcd"), pictures(labels), pictures([0], 1000))
    held = whole.hold_out(fraction)
    assert held.validation is held.validating is not None
    assert sorted(numbers(held.train) + numbers(held.validation)) == list(range(len(labels)))
    for part in (held.train, held.validation):
        assert numbers(part) == sorted(numbers(part)), "the order of samples is that of the source"
        assert part.labels.tolist() == [labels[number] for number in numbers(part)]
    for label, count in Counter(labels).items():
        taken = held.validation.labels.tolist().count(label)
        assert taken == (min(max(1, round(count * fraction)), count - 1)), (label, count)
    assert held.test is whole.test
    again = Dataset("e", tuple("abcd"), pictures(labels), pictures([3])).hold_out(fraction)
    assert numbers(again.train) == numbers(held.train), "it depends on labels and fraction alone"


@given(LABELS, FRACTIONS, st.data())
def test_some_samples_of_a_part_are_those_of_a_copy(labels: list[int], fraction: float, data: Any) -> None:
    whole = Dataset("d", tuple("abcd"), pictures(labels * 2), pictures([0]))
    part = whole.hold_out(fraction).train
    copy = Split(part.inputs.copy(), part.targets.copy())
    assert (len(part), part.shape, part.unit, repr(part)) == (len(copy), copy.shape, copy.unit, repr(copy))
    assert part.normalisation() == copy.normalisation() == Normalisation.of(copy.inputs)
    rows = np.array(data.draw(st.lists(st.integers(0, len(part) - 1))), np.int64)
    for chosen in (rows, slice(*sorted(data.draw(st.tuples(*[st.integers(0, len(part))] * 2))))):
        for one, other in zip(part.take(chosen), copy.take(chosen), strict=True):
            assert np.array_equal(one, other)
    smaller, of_copy = part.only(rows[:1]), copy.only(rows[:1])
    assert np.array_equal(smaller.inputs, of_copy.inputs)


def test_values_are_held_out_at_random() -> None:
    x = RNG.normal(size=(200, 2)).astype(np.float32)
    data = load(((x, x[:, 0]), (x[:5], x[:5, 0]))).hold_out(0.1)
    assert {name: len(part) for name, part in data.parts().items()} == {"train": 180, "validation": 20, "test": 5}
    held = np.flatnonzero((x[:, None] == data.validating.inputs).all(2).any(1))
    assert 20 < held.std() < 90, "not all in one place"
    assert data.train.normalisation() == Normalisation.of(data.train.inputs.copy())
    assert np.array_equal(data.train.targets, data.train.inputs[:, :1])


def test_what_cannot_be_held_out() -> None:
    three = Dataset("d", ("a", "b"), pictures([0, 1, 0]), pictures([0]), validation=pictures([1, 1]))
    with pytest.raises(DataError, match="d has a validation part of its own, 2 images; leave --validation out"):
        three.hold_out(0.5)
    assert three.hold_out(0.0) is three
    for fraction in (1, -0.1, float("nan"), "0.1"):
        with pytest.raises(DataError, match="must be at least 0 and below 1, got"):
            three.hold_out(fraction)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="2 samples in as many classes: none can be held out"):
        Dataset("d", ("a", "b"), pictures([0, 1]), pictures([0])).hold_out(0.5)


def test_parts_by_name() -> None:
    two = Dataset("d", ("a", "b"), pictures([0, 1, 0]), pictures([0]))
    assert two.part("validation") is two.part("test") is two.validating
    three = Dataset("d", ("a", "b"), two.train, two.test, validation=pictures([1, 1]))
    assert three.part("validation") is three.validation is three.validating
    with pytest.raises(DataError, match="part must be one of train, validation, test, got 'dev'"):
        three.part("dev")
    assert "validation=Split(2 images of 2x3x1)" in repr(three)


@pytest.mark.parametrize("kind", ["images", "features"])
def test_three_parts_are_three_parts_in_the_cache(kind: str) -> None:
    parts = [pictures([0, 1, 1]), pictures([1]), pictures([0, 0])]
    if kind == "features":
        parts = [Split(part.inputs.reshape(-1, 6).astype(np.float32), part.targets) for part in parts]
    train, validation, test = parts
    data = Dataset("d", ("a", "b"), train, test, validation=validation)
    digest = cache.store(data)
    assert digest != cache.store(Dataset("d", ("a", "b"), train, test))
    again = cache.open_cached(digest)
    assert list(again.parts()) == ["train", "validation", "test"]
    for name, part in again.parts().items():
        assert np.array_equal(part.inputs, data.part(name).inputs)
        assert np.array_equal(part.targets, data.part(name).targets)
    assert cache.store(data.hold_out(0.0)) == digest


def test_parts_must_be_alike() -> None:
    part = pictures([0, 1])
    for odd, said in (
        (Split(np.zeros((1, 4), np.float32), np.zeros(1, np.int32)), "but validation rows with labels"),
        (Split(np.zeros((1, 2, 2, 1), np.uint8), np.zeros(1, np.int32)), r"but validation images \[2, 2, 1\]"),
        (pictures([0, 2]), "validation label 2 at index 1 has no class"),
    ):
        with pytest.raises(DataError, match=said):
            Dataset("d", ("a", "b"), part, part, validation=odd)


def test_a_table_of_features_in_three_parts() -> None:
    rows = [f"{n},{n / 2},{('train', 'val', 'test')[n % 3]}" for n in range(12)]
    Path("t.csv").write_text("\n".join(["x,y,split", *rows]))
    data = load("t.csv")
    assert {name: part.inputs[:, 0].tolist() for name, part in data.parts().items()} == {
        "train": [0, 3, 6, 9], "validation": [1, 4, 7, 10], "test": [2, 5, 8, 11]
    }  # fmt: skip
    x = np.arange(8, dtype=np.float32).reshape(4, 2)
    with pytest.raises(DataError, match="row 1 of the test part, column 0 is nan"):
        load(
            {"train": (x, [0, 1, 0, 1]), "val": (x, [0, 1, 0, 1]), "test": (np.where(x == 2, np.nan, x), [0, 1, 0, 1])}
        )
    with pytest.raises(DataError, match="label 9 at index 3 of the validation part does not occur in training"):
        load({"train": (x, [0, 1, 0, 1]), "val": (x, [0, 1, 0, 9]), "test": (x, [0, 1, 0, 1])})
