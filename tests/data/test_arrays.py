"""Arrays and labels given in Python: shapes, types and values that people have, and the ones refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import engine
from engine.data import Dataset, Split, cache, load
from engine.data.held_out import hold_out, said
from engine.errors import DataError

RNG = np.random.default_rng(11)
X = RNG.integers(0, 256, (12, 4, 5), np.uint8)
Y = np.arange(12) % 3
XT, YT = X[:4] ^ 1, Y[:4]


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GRADSUM_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def images(data: Dataset) -> NDArray[np.uint8]:
    return data.train.images


def test_two_parts_are_taken_as_they_are() -> None:
    data = load(((X, Y), (XT, YT)))
    assert (data.name, data.classes, data.shape) == ("arrays", ("0", "1", "2"), (4, 5, 1))
    assert np.array_equal(data.train.images[..., 0], X)
    assert np.array_equal(data.test.images[..., 0], XT)
    assert data.test.labels.tolist() == YT.tolist()
    assert data.notes == ("grey, 4x5 pixels",)


def test_one_part_is_cut_the_same_way_every_time() -> None:
    one, two = load((X, Y)), load((X.tolist(), Y.tolist()))
    assert (len(one.train), len(one.test)) == (9, 3)
    assert sorted(one.test.labels) == [0, 1, 2]
    assert cache.store(one) == cache.store(two)
    assert "held out a sixth of each class for testing: 3 of 12, the same ones every time" in one.notes


@pytest.mark.parametrize(
    ("labels", "more"),
    [
        ([0] * 6 + [1] * 6, ""),
        ([0] * 6 + [1], "; none of the class that has a single sample"),
        ([0] * 6 + [1, 3], "; none of the 2 classes that have a single sample"),
    ],
)
def test_it_is_said_of_which_classes_nothing_could_be_held_out(labels: list[int], more: str) -> None:
    given = np.array(labels, np.int32)
    assert said(hold_out(given), given).endswith("the same ones every time" + more)


def test_what_is_held_out_is_balanced_and_depends_on_nothing_but_labels() -> None:
    labels = np.array([0] * 60 + [1] * 13 + [2] * 2 + [3], np.int32)
    held = hold_out(labels)
    assert np.bincount(labels[held]).tolist() == [10, 2, 1]
    assert np.flatnonzero(held).tolist() == [12, 15, 16, 20, 31, 33, 34, 41, 51, 56, 61, 66, 73]
    with pytest.raises(DataError, match="3 samples in as many classes: none can be held out"):
        hold_out(np.arange(3, dtype=np.int32))


@pytest.mark.parametrize("kind", ["u1", "i2", "u2", "i4", ">i4", "u4", "i8", "u8", "f4", "f8", "f2"])
def test_whole_numbers_from_0_to_255_are_kept(kind: str) -> None:
    assert np.array_equal(images(load(((X.astype(kind), Y), (XT.astype(kind), YT))))[..., 0], X)


def test_floats_from_0_to_1_are_scaled_and_said_so() -> None:
    for kind in (np.float32, np.float64):
        data = load((((X / 255).astype(kind), Y), ((XT / 255).astype(kind), YT)))
        assert np.array_equal(images(data)[..., 0], X)
        assert "values from 0 to 1 are multiplied by 255 and rounded" in data.notes


def test_the_rule_for_floats_is_one_for_both_parts() -> None:
    dark = np.zeros_like(XT, np.float32) + 1
    assert np.unique(load(((X.astype(np.float32), Y), (dark, YT))).test.images).tolist() == [1]


def test_true_and_false_are_white_and_black() -> None:
    assert np.array_equal(images(load(((X > 99, Y), (XT > 99, YT))))[..., 0], np.where(X > 99, 255, 0))


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (X / 100, "run from 0 to 2.55 in fractions: unclear whether 255 or 1 is white"),
        (X / 127.5 - 1, "run from -1 to 1; .* add 1 and divide by 2"),
        (X.astype(int) * 16, r"run from 0 to 4080; .*\(x \* \(255 / 4080\)\)\.astype\(numpy\.uint8\)"),
        (X.astype(int) - 7, "run from -7 to 248; they must be from 0 to 1, or whole"),
        (np.where(X[0, 0, 0] == X, np.nan, 0.5), "not finite"),
        (X.astype(complex), "are complex128; they must be numbers, such as uint8"),
        (X.astype(str), "are <U3; they must be numbers"),
    ],
)
def test_other_values_are_refused_with_what_to_do(values: Any, reason: str) -> None:
    extremes = values.copy()
    if values.dtype.kind in "if":
        extremes[0, 0, :2] = np.nanmin(values), np.nanmax(values)
    with pytest.raises(DataError, match=f"images {reason}" if "finite" not in reason else reason):
        load((extremes, Y))


def test_colour_and_channels_first() -> None:
    colour = RNG.integers(0, 256, (12, 4, 5, 3), np.uint8)
    for given in (colour, colour.transpose(0, 3, 1, 2)):
        data = load(((given, Y), (given[:4], YT)))
        assert np.array_equal(images(data), colour)
        assert data.notes[0] == "colour, 4x5 pixels"
    assert "channels come first in [12, 3, 4, 5]; moved to the end" in data.notes
    assert np.array_equal(images(load(((X[:, None], Y), (XT[:, None], YT))))[..., 0], X)
    deep = RNG.integers(0, 256, (12, 8, 9, 5), np.uint8)
    assert load((deep, Y)).shape == (8, 9, 5)


@pytest.mark.parametrize("shape", [(12, 3, 5, 3), (12, 1, 5, 3), (12, 3, 3, 3), (12, 4, 28, 28), (12, 1, 28, 1)])
def test_unclear_channels_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(DataError, match=r"unclear whether the channels come first or last; .*transpose\(0, 2, 3, 1\)"):
        load((np.zeros(shape, np.uint8), Y))


@pytest.mark.parametrize(
    ("shape", "reason"),
    [
        ((12, 784), r"\[12, 784\]; x\.reshape\(-1, 28, 28\) makes images"),
        ((12, 8), r"must be \[N, H, W\] or \[N, H, W, C\], not \[12, 8\]$"),
        ((12,), r"not \[12\]$"),
        ((12, 1, 2, 3, 4), "must be"),
        ((12, 0, 5), r"no pixels: the images have the shape \[12, 0, 5\]"),
        ((11, 4, 5), "11 images but 12 labels"),
        ((0, 4, 5), "no samples"),
    ],
)
def test_what_are_not_images_is_refused(shape: tuple[int, ...], reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        load((np.zeros(shape, np.uint8), Y))


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        ([f"w{n}" for n in Y], ("w0", "w1", "w2")),
        (np.array(["b", "a", "c10"])[Y], ("a", "b", "c10")),
        (np.array(["n10", "n9", "n1"], object)[Y], ("n1", "n9", "n10")),
        (np.array([b"x", b"y", b"z"])[Y], ("x", "y", "z")),
        (np.array([7, -3, 40])[Y], ("-3", "7", "40")),
        (Y[:, None], ("0", "1", "2")),
        (Y.astype(np.float64), ("0", "1", "2")),
        (Y.astype(np.uint8), ("0", "1", "2")),
        (Y > 0, ("False", "True")),
        ([int(n) for n in Y], ("0", "1", "2")),
        (np.array([5, 6, 7], object)[Y], ("5", "6", "7")),
    ],
)
def test_labels_of_any_kind_become_classes(labels: Any, classes: tuple[str, ...]) -> None:
    data = load(((X, labels), (XT, labels[:4])))
    assert data.classes == classes
    flat = [str(value.decode() if isinstance(value, bytes) else value) for value in np.ravel(labels).tolist()]
    assert [data.classes[k] for k in data.train.labels] == [text.removesuffix(".0") for text in flat]


def test_gaps_are_said() -> None:
    assert "classes are the labels that occur: 3, 4, 5" in load((X, Y + 3)).notes


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        (Y + 0.5, "0.5 at index 0 is not a class: whole numbers or words"),
        (np.where(Y == 2, np.nan, 1.0), "nan at index 2"),
        (np.eye(3)[Y], r"not \[12, 3\]; of one column for each class, numpy.argmax"),
        ([2**70] * 12, "too large; give them as words"),
        (["a", None] * 6, "None at index 1 is not a class"),
        (np.array(["a", 3] * 6, object), "3 at index 1 is not a class: all must be words"),
        (np.zeros(12, complex), "labels are complex128"),
        (np.zeros(12, "M8[D]"), "labels are datetime64"),
        (np.zeros(12, int), None),
    ],
)
def test_what_cannot_be_labels_is_refused(labels: Any, reason: str | None) -> None:
    if reason is None:
        assert load((X, labels)).classes == ("0",)
        return
    with pytest.raises(DataError, match=reason):
        load((X, labels))


def test_labels_of_the_parts_must_fit() -> None:
    with pytest.raises(DataError, match="label 9 at index 1 of the test part does not occur in training"):
        load(((X, Y), (XT, [0, 9, 1, 2])))
    with pytest.raises(DataError, match="some labels are words, others numbers"):
        load(((X, Y), (XT, ["a"] * 4)))
    with pytest.raises(DataError, match=r"training images are \[4, 5\] but test images \[4, 4\]"):
        load(((X, Y), (XT[:, :, :4], YT)))


def test_names_of_classes_may_be_given() -> None:
    data = load((X, Y), classes=["ant", "bee", "cat", "dog"], name="pets")
    assert (data.name, data.classes) == ("pets", ("ant", "bee", "cat", "dog"))
    words = load((X, np.array(["bee", "ant", "cat"])[Y]), classes=["cat", "bee", "ant"])
    assert np.bincount(words.train.labels).tolist() == [3, 3, 3]
    assert words.classes == ("cat", "bee", "ant")
    for labels, classes, reason in (
        (Y, ["a", "b"], "label 2 at index 2 is not one of the classes, 0 to 1"),
        (["a"] * 12, ["b", "c"], "label a at index 0 is not one of the classes, b, c"),
        (Y, ["a", "a", "b"], "two classes have the same name"),
    ):
        with pytest.raises(DataError, match=reason):
            load((X, labels), classes=classes)


def test_what_is_not_data_is_refused() -> None:
    for source, reason in (
        (3, "int cannot be read as data"),
        (X, r"sample 0 is ndarray; each must be \(image, label\)"),
        ([], "no samples"),
        ({}, "a mapping must be of train and test, not of nothing"),
        ({"x": (X, Y)}, "a mapping must be of train and test, not of 'x'"),
        ({"test": (X, Y)}, "there are test samples but none to train with"),
        ((X, 3), r"sample 0 is ndarray; each must be \(image, label\)"),
        (([(X[0], 1)], 3), "int cannot be read as data"),
    ):
        with pytest.raises(DataError, match=reason):
            load(source)
    with pytest.raises(DataError, match="size is for pictures"):
        load((X, Y), size=8)
    with pytest.raises(DataError, match="name and classes are for data given in Python"):
        load("letters", name="x")


def test_a_mapping_of_parts() -> None:
    data = load({"test": (XT, YT), "train": (X, Y)})
    assert (len(data.train), len(data.test)) == (12, 4)
    both = load({"test": (XT, YT), "train": (X, Y), "validation": (X[:5], Y[:5])})
    assert {name: len(part) for name, part in both.parts().items()} == {"train": 12, "validation": 5, "test": 4}
    assert both.validation is both.validating
    assert load(data) is data


def test_a_list_of_pairs_of_arrays() -> None:
    data = load(([(x, f"c{y}") for x, y in zip(X, Y, strict=True)], [(XT[0], "c0")]))
    assert np.array_equal(images(data)[..., 0], X)
    assert data.classes == ("c0", "c1", "c2")
    stacked = load(((list(X), Y), (list(XT), YT)))
    assert np.array_equal(images(stacked), images(data))
    with pytest.raises(DataError, match=r"image 1 is \[3, 5\], image 0 is \[4, 5\]"):
        load([(X[0], 0), (X[1][:3], 0)])


def test_a_mapped_file_is_converted_block_by_block(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", RNG.integers(0, 256, (400, 64, 64), np.uint8))
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    data = load(((mapped, np.arange(400) % 2), (mapped[:3], [0, 1, 0])))
    assert np.array_equal(images(data)[..., 0], mapped)
    assert not data.train.images.flags.owndata


def test_nothing_is_left_of_what_cannot_be_converted(own_cache: Path) -> None:
    with pytest.raises(DataError, match="image 7 is"):
        load([(X[n] if n != 7 else X[n][:2], int(Y[n])) for n in range(12)])
    assert not own_cache.exists() or not list(own_cache.iterdir())


def test_parts_that_are_no_splits_are_explained() -> None:
    with pytest.raises(DataError, match=r"must be Split, not tuple; load_data\(\(\(X, y\), \(Xt, yt\)\)\)"):
        Dataset("d", ("0",), (X, Y), (XT, YT))  # type: ignore[arg-type]


def test_printing_shows_no_pixels() -> None:
    data = load((X, Y))
    assert repr(data) == "Dataset('arrays', 3 classes, train=Split(9 images of 4x5x1), test=Split(3 images of 4x5x1))"
    assert len(repr(Split(X[..., None], Y.astype(np.int32)))) < 60


def test_training_takes_arrays(numpy_kernels: None) -> None:
    result = engine.train("mlp", (X, Y), workers=0, steps=2, batch_size=4, db="x.db")
    again = engine.train("mlp", load((X, Y)), workers=0, steps=2, batch_size=4, db="y.db")
    assert (result.data, result.steps) == ("arrays", 2)
    assert result.params_sha256 == again.params_sha256
