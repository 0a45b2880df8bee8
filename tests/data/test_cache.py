"""The cache: files that safetensors itself can read, found by digest, never half written, never trusted blindly."""

import hashlib
import os
import stat
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open

from engine.data import Dataset, Split, cache, layout
from engine.errors import DataError


def made(n: int = 5, side: int = 3, name: str = "d") -> Dataset:
    rng = np.random.default_rng(n * side)

    def split(count: int) -> Split:
        images = rng.integers(0, 256, (count, side, side, 1), np.uint8)
        return Split(images, rng.integers(0, 3, count, np.int32))

    return Dataset(name, ("a", "b", "ä"), split(n), split(n + 2), generated=True)


@settings(max_examples=30)
@given(n=st.integers(1, 9), side=st.integers(1, 5), name=st.text(max_size=9))
def test_comes_back_as_it_was_stored(tmp_path_factory: pytest.TempPathFactory, n: int, side: int, name: str) -> None:
    folder, data = tmp_path_factory.mktemp("cache"), made(n, side, name)
    back = cache.open_cached(cache.store(data, folder), folder)
    assert (back.name, back.classes, back.generated) == (data.name, data.classes, data.generated)
    for found, wanted in ((back.train, data.train), (back.test, data.test)):
        np.testing.assert_array_equal(found.images, wanted.images)
        np.testing.assert_array_equal(found.labels, wanted.labels)


def test_the_file_is_safetensors_named_by_its_sha256(tmp_path: Path) -> None:
    data = made()
    digest = cache.store(data, tmp_path)
    path = cache.path_of(digest, tmp_path)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == digest == path.stem
    with safe_open(path, framework="numpy") as file:
        assert sorted(file.keys()) == ["test.images", "test.labels", "train.images", "train.labels"]
        np.testing.assert_array_equal(file.get_tensor("test.images"), data.test.images)
        np.testing.assert_array_equal(file.get_tensor("train.labels"), data.train.labels)
        assert file.metadata()["name"] == "d"


def test_arrays_are_mapped_aligned_and_read_only(tmp_path: Path) -> None:
    back = cache.open_cached(cache.store(made(), tmp_path), tmp_path)
    for array in (back.train.images, back.train.labels, back.test.images, back.test.labels):
        assert array.flags.aligned
        assert not array.flags.owndata
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


def test_equal_data_is_one_file_and_is_not_written_again(tmp_path: Path) -> None:
    digest = cache.store(made(), tmp_path)
    os.utime(cache.path_of(digest, tmp_path), (1, 1))
    strided = made()
    strided = Dataset("d", strided.classes, Split(np.asfortranarray(strided.train.images), strided.train.labels),
                      strided.test, generated=True)  # fmt: skip
    assert cache.store(strided, tmp_path) == digest
    assert cache.store(made(6), tmp_path) != digest
    assert cache.path_of(digest, tmp_path).stat().st_mtime == 1
    assert len(list(tmp_path.iterdir())) == 2


def test_the_folder_is_made_for_the_user_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADSUM_CACHE", str(tmp_path / "deep" / "cache"))
    digest = cache.store(made())
    assert cache.path_of(digest).parent == tmp_path / "deep" / "cache"
    assert stat.S_IMODE(cache.path_of(digest).parent.stat().st_mode) == 0o700


def test_what_is_missing_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not in the cache"):
        cache.open_cached("0" * 64, tmp_path)


@pytest.mark.parametrize("digest", ["", "../../etc/passwd", "A" * 64, "0" * 63, "0" * 64 + "\n"])
def test_what_is_no_digest_is_refused(tmp_path: Path, digest: str) -> None:
    with pytest.raises(DataError, match="not a data digest"):
        cache.open_cached(digest, tmp_path)


def test_a_changed_bit_is_found(tmp_path: Path) -> None:
    digest = cache.store(made(), tmp_path)
    path = cache.path_of(digest, tmp_path)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match="not what its name says"):
        cache.open_cached(digest, tmp_path)
    assert cache.store(made(), tmp_path) == digest
    assert np.array_equal(cache.open_cached(digest, tmp_path).test.labels, made().test.labels)


def test_a_file_cut_off_is_found_and_stored_again(tmp_path: Path) -> None:
    digest = cache.store(made(), tmp_path)
    path = cache.path_of(digest, tmp_path)
    whole = path.read_bytes()
    for length in (0, 5, 8, 100, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(DataError, match="delete"):
            cache.open_cached(digest, tmp_path)
        assert cache.store(made(), tmp_path) == digest
        assert path.read_bytes() == whole


def header_of(text: bytes, payload: bytes = b"") -> bytes:
    return len(text).to_bytes(8, "little") + text + payload


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (header_of(b"{"), "not JSON"),
        (header_of(b"[" * 100_000), "not JSON"),
        (header_of(b"[]"), "not one that holds a data set"),
        (header_of(b'{"weights":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'), "not one that holds"),
        ((1 << 62).to_bytes(8, "little"), "not a whole"),
    ],
)
def test_other_files_are_refused(content: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        layout.parse(np.frombuffer(content, np.uint8), Path("some.safetensors"))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"U8"', b'"I8"'),
        (b'"shape":[5,3', b'"shape":[3,5'),
        (b'"shape":[5,3', b'"shape":[0,3'),
        (b'"shape":[5,3', b'"shape":[-5,3'),
        (b'"generated":"true"', b'"generated":"maybe"'),
        (b"gradsum-data-1", b"gradsum-data-9"),
        (b'"data_offsets":[0,20]', b'"data_offsets":[4,24]'),
        (b'"test.images"', b'"test.pixels"'),
    ],
)
def test_a_header_that_is_not_ours_to_the_byte_is_refused(old: bytes, new: bytes) -> None:
    content = b"".join(bytes(piece) for piece in layout.pieces(made()))
    layout.parse(np.frombuffer(content, np.uint8), Path("x"))
    assert old in content
    with pytest.raises(DataError):
        layout.parse(np.frombuffer(content.replace(old, new), np.uint8), Path("x"))


@pytest.mark.parametrize("name", [".part-{}", ".x.{}1.tmp", ".x.safetensors.{}1-0a1b2c3d.tmp"])
def test_what_killed_processes_left_is_removed_after_an_hour(tmp_path: Path, name: str) -> None:
    old, young, other = (tmp_path / file for file in (name.format(1), name.format(2), "x.tmp"))
    long_ago = time.time() - 3601
    for path in (old, young, other):
        path.write_bytes(b"x")
    for path in (old, other):
        os.utime(path, (long_ago, long_ago))
    cache.store(made(), tmp_path)
    assert not old.exists()
    assert young.exists()
    assert other.exists(), "it is not ours"


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match=r"cannot be written.*GRADSUM_CACHE"):
        cache.store(made(), tmp_path / "file")


def test_keys_are_remembered_while_their_data_is_there(tmp_path: Path) -> None:
    assert cache.remembered("letters-1", tmp_path) is None
    digest = cache.store(made(), tmp_path)
    cache.remember("letters-1", digest, tmp_path)
    assert cache.remembered("letters-1", tmp_path) == digest
    assert cache.remembered("letters-2", tmp_path) is None
    cache.path_of(digest, tmp_path).unlink()
    assert cache.remembered("letters-1", tmp_path) is None


@pytest.mark.parametrize("note", [b"", b"nonsense", b"\xff" * 64])
def test_a_damaged_note_is_as_good_as_none(tmp_path: Path, note: bytes) -> None:
    (tmp_path / "k.key").write_bytes(note)
    assert cache.remembered("k", tmp_path) is None


@pytest.mark.parametrize("key", ["", "../up", ".hidden", "a b"])
def test_keys_that_are_no_file_names_are_refused(tmp_path: Path, key: str) -> None:
    with pytest.raises(DataError, match="key of the data cache"):
        cache.remember(key, "0" * 64, tmp_path)
