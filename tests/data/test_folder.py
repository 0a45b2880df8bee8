"""Folders of IDX files and .npz archives, as people have them."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.data.folder import load_folder
from engine.data.idx_files import STANDARD_NAMES
from engine.data.npz import load_npz
from engine.errors import DataError
from tests.support.idx import write_idx

TRAIN = np.random.default_rng(1).integers(0, 256, (6, 4, 5), np.uint8)
TEST = np.random.default_rng(2).integers(0, 256, (3, 4, 5), np.uint8)
TRAIN_LABELS, TEST_LABELS = np.array([0, 1, 2, 0, 1, 2], np.uint8), np.array([2, 1, 0], np.uint8)
ARRAYS = (TRAIN, TRAIN_LABELS, TEST, TEST_LABELS)
EMNIST = tuple(f"emnist-letters-{n.replace('t10k', 'test')}.gz" for n in STANDARD_NAMES)


def fill(folder: Path, names: tuple[str, ...], first_label: int = 0) -> None:
    for name, array in zip(names, ARRAYS, strict=True):
        write_idx(folder / name, array + np.uint8(first_label if array.ndim == 1 else 0))


@pytest.mark.parametrize(
    "names",
    [
        STANDARD_NAMES,
        tuple(f"{n}.gz" for n in STANDARD_NAMES),
        tuple(n.replace("-idx", ".idx") for n in STANDARD_NAMES),
        EMNIST,
    ],
    ids=["plain", "gz", "dots", "emnist"],
)
def test_the_usual_names_are_found(tmp_path: Path, names: tuple[str, ...]) -> None:
    fill(tmp_path, names)
    data = load_folder(tmp_path, name="mine")
    assert (data.name, data.classes, data.shape) == ("mine", ("0", "1", "2"), (4, 5, 1))
    for split, images, labels in ((data.train, TRAIN, TRAIN_LABELS), (data.test, TEST, TEST_LABELS)):
        np.testing.assert_array_equal(split.images[..., 0], images)
        np.testing.assert_array_equal(split.labels, labels)


def test_transposed_images_and_labels_from_one(tmp_path: Path) -> None:
    fill(tmp_path, EMNIST, first_label=1)
    data = load_folder(tmp_path, name="emnist-letters", transposed=True, first_label=1, classes=("a", "b", "c"))
    assert data.shape == (5, 4, 1)
    assert data.train.images[3, 4, 1, 0] == TRAIN[3, 1, 4]
    np.testing.assert_array_equal(data.test.labels, TEST_LABELS)


def test_a_label_below_the_first_is_named(tmp_path: Path) -> None:
    fill(tmp_path, STANDARD_NAMES)
    with pytest.raises(DataError, match="train-labels-idx1-ubyte: label 0 at index 0; the labels of x count from 1"):
        load_folder(tmp_path, name="x", first_label=1)


@pytest.mark.parametrize("missing", STANDARD_NAMES)
def test_a_missing_file_is_named(tmp_path: Path, missing: str) -> None:
    fill(tmp_path, STANDARD_NAMES)
    (tmp_path / missing).unlink()
    with pytest.raises(DataError, match=f"lacks {missing} "):
        load_folder(tmp_path, name="x")


def test_an_empty_folder_lacks_all_and_no_folder_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=", ".join(STANDARD_NAMES)):
        load_folder(tmp_path, name="x")
    with pytest.raises(DataError, match="no such folder"):
        load_folder(tmp_path / "nowhere", name="x")


def test_of_several_sets_the_named_one_is_read(tmp_path: Path) -> None:
    fill(tmp_path, EMNIST)
    for name in EMNIST:
        write_idx(tmp_path / name.replace("letters", "digits"), np.zeros((2,) * (3 if "images" in name else 1), "u1"))
    assert len(load_folder(tmp_path, name="emnist-letters").train) == 6
    assert len(load_folder(tmp_path, name="emnist-digits").train) == 2
    with pytest.raises(DataError, match="several data sets"):
        load_folder(tmp_path, name="x")


def test_swapped_and_mismatching_files_are_refused(tmp_path: Path) -> None:
    fill(tmp_path, (STANDARD_NAMES[1], STANDARD_NAMES[0], *STANDARD_NAMES[2:]))
    with pytest.raises(DataError, match="swapped"):
        load_folder(tmp_path, name="x")
    fill(tmp_path, (STANDARD_NAMES[0], STANDARD_NAMES[3], STANDARD_NAMES[2], STANDARD_NAMES[1]))
    with pytest.raises(DataError, match="train-labels-idx1-ubyte: 6 images but 3 labels"):
        load_folder(tmp_path, name="x")


@pytest.mark.parametrize(
    "keys",
    [("train_images", "train_labels", "test_images", "test_labels"), ("x_train", "y_train", "x_test", "y_test")],
)
def test_npz_in_four_arrays(tmp_path: Path, keys: tuple[str, ...]) -> None:
    path = tmp_path / "things.npz"
    np.savez(path, **dict(zip(keys, ARRAYS, strict=True)), classes=np.array(["x", "y", "z"]))  # type: ignore[arg-type]
    data = load_npz(path)
    assert (data.name, data.classes, data.shape) == ("things", ("x", "y", "z"), (4, 5, 1))
    np.testing.assert_array_equal(data.train.images[..., 0], TRAIN)
    np.testing.assert_array_equal(data.test.labels, TEST_LABELS)


def test_npz_in_two_arrays_is_cut_the_same_way_every_time(tmp_path: Path) -> None:
    images = np.arange(60, dtype=np.uint8).repeat(4).reshape(60, 2, 2, 1)
    np.savez(tmp_path / "a.npz", images=images, labels=np.arange(60, dtype=np.int64))
    one, two = load_npz(tmp_path / "a.npz"), load_npz(tmp_path / "a.npz")
    assert (len(one.train), len(one.test)) == (50, 10)
    assert sorted([*one.train.labels, *one.test.labels]) == list(range(60))
    np.testing.assert_array_equal(one.test.labels, two.test.labels)
    np.testing.assert_array_equal(one.train.images[:, 0, 0, 0], one.train.labels)


@pytest.mark.parametrize("values", [TRAIN.astype(np.int64), TRAIN / 255, TRAIN[:, None]])
def test_npz_of_other_types_and_shapes_is_the_same(tmp_path: Path, values: NDArray[np.generic]) -> None:
    np.savez(tmp_path / "a.npz", images=values, labels=np.array(["x", "y", "z"])[TRAIN_LABELS])
    np.savez(tmp_path / "b.npz", images=TRAIN, labels=TRAIN_LABELS[:, None])
    one, two = load_npz(tmp_path / "a.npz"), load_npz(tmp_path / "b.npz")
    assert (one.classes, two.classes) == (("x", "y", "z"), ("0", "1", "2"))
    for a, b in ((one.train, two.train), (one.test, two.test)):
        np.testing.assert_array_equal(a.images, b.images)
        np.testing.assert_array_equal(a.labels, b.labels)
    assert two.notes == ()


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"pictures": TRAIN}, "has the keys pictures, but wanted are train_images"),
        ({"images": TRAIN / 100, "labels": TRAIN_LABELS}, "a.npz: images run from 0.* in fractions"),
        ({"images": TRAIN.astype(np.int16) * 9, "labels": TRAIN_LABELS}, "must be from 0 to 255: scale them"),
        ({"images": TRAIN, "labels": TRAIN_LABELS * 0.5}, "a.npz: labels: 0.5 at index 1 is not a class"),
        ({"images": TRAIN, "labels": TRAIN_LABELS.astype(np.int64) - 1}, "labels run from -1 to 1"),
        ({"images": TRAIN, "labels": TRAIN_LABELS.astype(np.int64) << 40}, "run from 0 to 2199023255552"),
        ({"images": TRAIN, "labels": TEST_LABELS}, "6 images but 3 labels"),
        ({"images": TRAIN[:1], "labels": TRAIN_LABELS[:1]}, "a single image"),
        ({"images": np.array([{}]), "labels": TRAIN_LABELS}, "plain arrays"),
    ],
)
def test_npz_that_does_not_fit_is_refused(tmp_path: Path, arrays: dict[str, NDArray[np.uint8]], message: str) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, **arrays)  # type: ignore[arg-type]
    with pytest.raises(DataError, match=message):
        load_npz(path)


def test_what_is_no_npz_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.npz").write_bytes(b"hello")
    with pytest.raises(DataError, match=r"not an \.npz archive"):
        load_npz(tmp_path / "a.npz")
    with pytest.raises(DataError, match="no such file"):
        load_npz(tmp_path / "b.npz")


def test_a_damaged_npz_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, images=np.zeros((50, 9, 9), np.uint8), labels=np.zeros(50, np.uint8))
    content = bytearray(path.read_bytes())
    content[1500] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match="not a readable"):
        load_npz(path)
