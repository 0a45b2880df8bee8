"""IDX files as they are published and as archives unpack: EMNIST's six splits, Kaggle's doubled names."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from engine.data import load
from engine.data.families import FAMILIES
from engine.errors import DataError
from tests.support.idx import write_idx

SPLITS = ("balanced", "byclass", "bymerge", "digits", "letters", "mnist")
KINDS = ("images-idx3-ubyte", "labels-idx1-ubyte")


def fill(folder: str, prefix: str = "emnist-byclass-", first: int = 0, ending: str = ".gz", test: str = "test") -> None:
    Path(folder).mkdir(parents=True, exist_ok=True)
    for part in ("train", test):
        images = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
        labels = np.array([first, first + 1], np.uint8)
        for kind, array in zip(KINDS, (images, labels), strict=True):
            write_idx(Path(f"{folder}/{prefix}{part}-{kind}{ending}"), array)


def mapping(folder: str, text: str, split: str = "byclass") -> None:
    Path(f"{folder}/emnist-{split}-mapping.txt").write_text(text)


@pytest.mark.parametrize("split", SPLITS)
def test_each_split_of_emnist_is_upright_with_the_names_of_its_classes(split: str) -> None:
    first = 1 if split == "letters" else 0
    fill("e", f"emnist-{split}-", first)
    data = load("e")
    family = FAMILIES[f"emnist-{split}"]
    assert (data.name, data.shape, data.classes) == (f"emnist-{split}", (4, 3, 1), family.classes)
    assert data.train.labels.tolist() == [0, 1]
    assert data.train.images[0, :, 0, 0].tolist() == [0, 1, 2, 3]
    assert data.notes == ("stored column by column: turned upright",)


def test_the_splits_have_as_many_classes_as_published() -> None:
    counts = {split: len(FAMILIES[f"emnist-{split}"].classes) for split in SPLITS}
    assert counts == {"balanced": 47, "byclass": 62, "bymerge": 47, "digits": 10, "letters": 26, "mnist": 10}


def test_a_mapping_file_says_what_labels_mean() -> None:
    fill("e", first=3)
    mapping("e", "3 66\n4 67\n")
    data = load("e")
    assert (data.classes, data.train.labels.tolist()) == (("B", "C"), [0, 1])
    fill("l", "emnist-letters-", 1)
    mapping("l", "".join(f"{i + 1} {65 + i} {97 + i}\n" for i in range(26)), "letters")
    assert load("l").classes == tuple("abcdefghijklmnopqrstuvwxyz")


@pytest.mark.parametrize(
    "text", ["", "0\n", "0 x\n", "0 65\n0 66\n", "0 65\n1 65\n", "0 65\n2 66\n", "0 9\n", "0 -5\n"]
)
def test_a_damaged_mapping_is_refused(text: str) -> None:
    fill("e")
    mapping("e", text)
    with pytest.raises(DataError, match=r"emnist-byclass-mapping\.txt: not a mapping"):
        load("e")


def test_a_label_outside_of_the_mapping_is_refused() -> None:
    fill("e")
    mapping("e", "0 65\n")
    with pytest.raises(DataError, match="train label 1 at index 1 has no class"):
        load("e")


def test_of_all_six_in_one_folder_one_is_chosen() -> None:
    for split in SPLITS:
        fill("gzip", f"emnist-{split}-", 1 if split == "letters" else 0)
    with pytest.raises(DataError, match=r"several data sets, emnist-balanced, .*choose one: gzip/emnist-balanced"):
        load("gzip")
    for split in SPLITS:
        assert load(f"gzip/emnist-{split}").name == f"emnist-{split}"
    with pytest.raises(DataError, match="no data set, file or folder 'gzip/emnist-byclas'"):
        load("gzip/emnist-byclas")


def test_a_set_of_another_prefix_can_be_chosen_too() -> None:
    fill("d", "mine-")
    fill("d", "yours-")
    data = load("d/yours")
    assert (data.name, data.shape, data.classes) == ("yours", (3, 4, 1), ("0", "1"))


def test_files_that_are_missing_are_named_as_published() -> None:
    fill("e")
    Path("e/emnist-byclass-test-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(DataError, match=r"e: lacks emnist-byclass-test-labels-idx1-ubyte \(each may"):
        load("e")


@pytest.mark.parametrize("both", [True, False])
def test_files_in_folders_of_their_own_names_are_found(both: bool) -> None:
    fill("flat", "", ending="", test="t10k")
    Path("k").mkdir()
    for file in list(Path("flat").iterdir()):
        inner = Path("k", file.name)
        inner.mkdir()
        shutil.copy(file, inner)
        if both:
            shutil.copy(file, Path("k", file.name.replace("-idx", ".idx")))
    data = load("k")
    assert (data.name, data.shape, len(data.train)) == ("k", (3, 4, 1), 2)


def test_an_empty_folder_with_a_files_name_is_not_that_file() -> None:
    fill("flat", "", ending="", test="t10k")
    Path("flat/t10k-labels-idx1-ubyte").unlink()
    Path("flat/t10k-labels-idx1-ubyte").mkdir()
    with pytest.raises(DataError, match="lacks t10k-labels-idx1-ubyte"):
        load("flat")
