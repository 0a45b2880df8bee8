"""IDX files: what is written is read, and what is damaged is named."""

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from engine.data.idx import read_idx, read_images, read_labels
from engine.errors import DataError
from tests.support.idx import write_idx

HEADER = b"\0\0\x08\x02" + struct.pack(">II", 2, 3)
SAMPLE = HEADER + bytes(range(6))


@given(array=arrays.arrays(np.uint8, arrays.array_shapes(min_dims=1, max_dims=4)), ending=st.sampled_from(["", ".gz"]))
def test_reads_what_it_wrote(tmp_path_factory: pytest.TempPathFactory, array: NDArray[np.uint8], ending: str) -> None:
    path = tmp_path_factory.mktemp("idx") / f"a{ending}"
    write_idx(path, array)
    np.testing.assert_array_equal(read_idx(path), array)


def test_the_bytes_are_those_of_the_format(tmp_path: Path) -> None:
    plain, packed = tmp_path / "plain", tmp_path / "packed.gz"
    array = np.arange(6, dtype=np.uint8).reshape(2, 3)
    write_idx(plain, array)
    write_idx(packed, array)
    assert plain.read_bytes() == gzip.decompress(packed.read_bytes()) == SAMPLE


def test_content_decides_whether_it_is_gzip(tmp_path: Path) -> None:
    (tmp_path / "named-plain").write_bytes(gzip.compress(SAMPLE))
    (tmp_path / "named.gz").write_bytes(SAMPLE)
    for name in ("named-plain", "named.gz"):
        assert read_idx(tmp_path / name).tolist() == [[0, 1, 2], [3, 4, 5]]


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b"\x89PNG\r\n", "not an IDX file"),
        (b"\0\0", "not an IDX file"),
        (b"\0\0\x08\0", "not an IDX file"),
        (b"\0\0\x0d\x01\0\0\0\x01\0\0\0\0", "elements are float32"),
        (b"\0\0\x08\x05" + bytes(20), "5 dimensions"),
        (b"\0\0\x08\x02\0\0", "within the header"),
        (SAMPLE + b"x", "more follow"),
        (b"\0\0\x08\x03" + b"\xff" * 12, "much too small"),
        (b"\0\0\x08\x01\0\xff\xff\xff" + bytes(10), "much too small"),
    ],
)
def test_what_is_no_idx_file_is_refused(tmp_path: Path, content: bytes, message: str, packed: bool) -> None:
    path = tmp_path / "broken"
    path.write_bytes(gzip.compress(content) if packed else content)
    with pytest.raises(DataError, match=message) as caught:
        read_idx(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("length", range(len(SAMPLE)))
def test_a_file_cut_off_anywhere_is_refused(tmp_path: Path, length: int) -> None:
    path = tmp_path / "cut"
    path.write_bytes(SAMPLE[:length])
    with pytest.raises(DataError):
        read_idx(path)


@pytest.mark.parametrize("length", range(len(gzip.compress(SAMPLE))))
def test_a_gzip_file_cut_off_anywhere_is_refused(tmp_path: Path, length: int) -> None:
    path = tmp_path / "cut"
    path.write_bytes(gzip.compress(SAMPLE)[:length])
    with pytest.raises(DataError):
        read_idx(path)


def test_a_gzip_file_with_a_wrong_bit_is_refused(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, 5000, np.uint8)
    path = tmp_path / "damaged.gz"
    write_idx(path, noise)
    content = bytearray(path.read_bytes())
    content[2500] ^= 4
    path.write_bytes(content)
    with pytest.raises(DataError, match="damaged gzip"):
        read_idx(path)


def test_a_short_body_says_how_short(tmp_path: Path) -> None:
    path = tmp_path / "cut"
    path.write_bytes(gzip.compress(SAMPLE[:-2]))
    with pytest.raises(DataError, match=r"takes 6 bytes after the header, but only 4 follow"):
        read_idx(path)


def test_swapped_files_are_recognised(tmp_path: Path) -> None:
    images, labels = tmp_path / "images", tmp_path / "labels"
    write_idx(images, np.zeros((3, 4, 4), np.uint8))
    write_idx(labels, np.zeros(3, np.uint8))
    assert read_images(images).shape == (3, 4, 4)
    assert read_labels(labels).shape == (3,)
    for read, path in ((read_images, labels), (read_labels, images)):
        with pytest.raises(DataError, match="swapped"):
            read(path)


def test_a_table_is_no_set_of_images(tmp_path: Path) -> None:
    (tmp_path / "table").write_bytes(SAMPLE)
    with pytest.raises(DataError, match="3 or 4 dimensions"):
        read_images(tmp_path / "table")


def test_missing_files_and_folders_are_named(tmp_path: Path) -> None:
    for path in (tmp_path / "nothing", tmp_path):
        with pytest.raises(DataError, match="cannot be read"):
            read_idx(path)
