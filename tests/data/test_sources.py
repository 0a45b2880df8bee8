"""Data sets by name: where they are looked for, and what is said when they are not there."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from engine.data import NAMES, load
from engine.data.idx_files import STANDARD_NAMES
from engine.data.named import search_folders
from engine.errors import DataError
from tests.support.idx import write_idx


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    monkeypatch.setenv("GRADSUM_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("GRADSUM_CACHE", str(tmp_path / "cache"))
    return tmp_path


def fill(folder: Path, prefix: str = "", first_label: int = 0) -> Path:
    folder.mkdir(parents=True)
    for name in STANDARD_NAMES:
        shape = (2, 3, 4) if "images" in name else (2,)
        array = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape) + np.uint8(first_label)
        write_idx(folder / (prefix + (name.replace("t10k", "test") if prefix else name)), array)
    return folder


def test_names() -> None:
    assert NAMES[:4] == ("letters", "mnist", "fashion-mnist", "emnist-letters")
    assert NAMES[4:] == tuple(f"emnist-{split}" for split in ("balanced", "bymerge", "byclass", "digits", "mnist"))


@pytest.mark.parametrize("root", ["data", "share/gradsum"])
def test_named_sets_are_found_in_the_users_folders(home: Path, root: str) -> None:
    fill(home / root / "mnist")
    data = load("mnist")
    assert (data.name, data.classes, data.shape) == ("mnist", tuple("0123456789"), (3, 4, 1))


def test_the_folder_asked_for_comes_first(home: Path) -> None:
    assert search_folders("fashion-mnist") == [
        home / "data" / "fashion-mnist",
        home / "share" / "gradsum" / "fashion-mnist",
        Path("/usr/share/datasets/fashion-mnist"),
    ]


def test_fashion_has_its_class_names(tmp_path: Path) -> None:
    data = load("fashion-mnist", folders=[tmp_path / "no", fill(tmp_path / "yes")])
    assert (data.classes[0], data.classes[9], len(data.classes)) == ("T-shirt/top", "Ankle boot", 10)


@pytest.mark.parametrize("by_path", [False, True])
def test_emnist_is_turned_upright_and_counted_from_0(home: Path, by_path: bool) -> None:
    folder = fill(home / "data" / "emnist-letters", "emnist-letters-", first_label=1)
    data = load(str(folder) if by_path else "emnist-letters")
    assert (data.classes[0], data.classes[25], data.shape) == ("a", "z", (4, 3, 1))
    assert data.train.labels.tolist() == [0, 1]
    assert data.train.images[0, :, 0, 0].tolist() == [1, 2, 3, 4]


def test_emnist_is_known_by_its_files_too(tmp_path: Path) -> None:
    data = load(str(fill(tmp_path / "unpacked", "emnist-letters-", first_label=1)))
    assert data.name == "emnist-letters"


def test_any_folder_or_archive_can_be_loaded_by_path(tmp_path: Path) -> None:
    assert load(str(fill(tmp_path / "mine"))).name == "mine"
    np.savez(tmp_path / "own.npz", images=np.zeros((6, 2, 2), np.uint8), labels=np.arange(6))
    assert load(str(tmp_path / "own.npz")).name == "own"


@pytest.mark.parametrize(
    ("name", "files", "place"),
    [
        ("mnist", "t10k-labels-idx1-ubyte", "yann.lecun.com"),
        ("emnist-letters", "emnist-letters-test-labels-idx1-ubyte", "nist.gov"),
    ],
)
def test_a_set_that_is_not_there_is_explained(home: Path, name: str, files: str, place: str) -> None:
    with pytest.raises(DataError) as caught:
        load(name)
    for part in (files, place, str(home / "data" / name), str(home / "share" / "gradsum" / name)):
        assert part in str(caught.value)


def test_debian_has_fashion(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="apt install dataset-fashion-mnist"):
        load("fashion-mnist", folders=[tmp_path / "nowhere"])


@pytest.mark.parametrize(("name", "meant"), [("leters", "letters"), ("MNIST", "mnist"), ("fashion_mnist", "fashion-")])
def test_a_misspelt_name_is_put_right(name: str, meant: str) -> None:
    with pytest.raises(DataError, match=f"no data set, file or folder '{name}'; did you mean {meant}"):
        load(name)


def test_a_strange_name_gets_the_list() -> None:
    with pytest.raises(DataError, match="no data set, file or folder 'qqq'; it must be one of letters, mnist,"):
        load("qqq")


def test_importing_the_package_is_light() -> None:
    code = "import sys, engine.data; print([m for m in ('scipy', 'HersheyFonts', 'PIL', 'numba') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
