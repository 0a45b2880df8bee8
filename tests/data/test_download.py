"""Data sets that come over the wire, and the limit of the cache."""

import errno
import fcntl
import os
from pathlib import Path

import numpy as np
import pytest

from engine.data import Dataset, Split, cache, cache_limit
from engine.data.download import Download
from engine.errors import DataError, SettingsError


def made(seed: int = 0, samples: int = 9) -> Dataset:
    rng = np.random.default_rng(seed)
    part = Split(rng.integers(0, 256, (samples, 5, 3, 1), np.uint8), rng.integers(0, 2, samples, np.int32))
    return Dataset("random", ("a", "b"), part, part)


@pytest.fixture
def there(tmp_path: Path) -> Path:
    return tmp_path / "there"


@pytest.fixture
def digest(tmp_path: Path) -> str:
    return cache.store(made(), tmp_path / "here")


@pytest.fixture
def content(digest: str, tmp_path: Path) -> bytes:
    return bytes(cache.content(digest, tmp_path / "here"))


def test_pieces_of_any_size_make_the_data_set(digest: str, content: bytes, there: Path) -> None:
    with Download(digest, there) as download:
        last = [download.put(content[i : i + 100], len(content)) for i in range(0, len(content), 100)]
    assert last == [False] * (len(last) - 1) + [True]
    assert [path.name for path in there.iterdir()] == [f"{digest}.safetensors"]
    found = cache.open_cached(digest, there)
    assert (found.train.images == made().train.images).all()


def test_without_locks_each_downloads_for_itself(
    digest: str, content: bytes, there: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    with Download(digest, there) as before:
        before.put(content[:70], len(content))
    monkeypatch.setattr(fcntl, "flock", refuse)
    with Download(digest, there) as first, Download(digest, there) as second:
        assert (first.offset, second.offset) == (0, 0)
        first.put(content[:50], len(content))
        assert second.put(content, len(content))
        assert first.put(content[50:], len(content))
    assert (cache.open_cached(digest, there).train.images == made().train.images).all()


def test_a_download_goes_on_where_the_last_one_ended(digest: str, content: bytes, there: Path) -> None:
    with Download(digest, there) as download:
        download.put(content[:70], len(content))
    with Download(digest, there) as download:
        assert download.offset == 69
        assert download.put(content[69:], len(content))
    assert cache.path_of(digest, there).read_bytes() == content


def test_one_that_was_killed_before_its_file_got_its_name(digest: str, content: bytes, there: Path) -> None:
    there.mkdir()
    (there / f".part-{digest}").write_bytes(content)
    with Download(digest, there) as download:
        assert download.offset == len(content) - 1
        assert download.put(content[-1:], len(content))
    assert cache.path_of(digest, there).read_bytes() == content


def test_a_file_that_got_its_name_meanwhile_is_left_alone(
    digest: str, content: bytes, there: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process finishes between the moment that the file is opened and that it is locked."""
    plain = fcntl.flock

    def flock(file: object, how: int) -> None:
        (there / f".part-{digest}").rename(cache.path_of(digest, there))
        plain(file, how)  # type: ignore[arg-type]

    there.mkdir()
    (there / f".part-{digest}").write_bytes(content)
    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(BlockingIOError):
        Download(digest, there)
    assert cache.path_of(digest, there).read_bytes() == content


def test_only_one_at_a_time(digest: str, there: Path) -> None:
    with Download(digest, there), pytest.raises(BlockingIOError):
        Download(digest, there)
    Download(digest, there).close()


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda content: content[:-1] + b"?", "has the digest"),
        (lambda content: content + b"?", "bytes of data came, where"),
    ],
)
def test_other_data_is_forgotten(digest: str, content: bytes, there: Path, change: object, match: str) -> None:
    assert callable(change)
    with Download(digest, there) as download, pytest.raises(DataError, match=match):
        download.put(change(content), len(content))
    assert list(there.iterdir()) == []
    with Download(digest, there) as download:
        assert download.offset == 0


def test_a_cache_that_cannot_be_written(digest: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="cannot be written"):
        Download(digest, tmp_path / "file")


def used(folder: Path) -> list[str]:
    return sorted(path.stem for path in folder.glob("*.safetensors"))


def test_the_least_recently_used_goes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digests = [cache.store(made(seed), tmp_path) for seed in range(3)]
    size = cache.path_of(digests[0], tmp_path).stat().st_size
    for age, digest in enumerate(digests):
        os.utime(cache.path_of(digest, tmp_path), (1e9 - age, 1e9 - age))  # the last one stored is the oldest
    opened = cache.open_cached(digests[2], tmp_path)  # which makes it the newest
    monkeypatch.setenv(cache_limit.VARIABLE, repr(3.5 * size / 1e9))
    newest = cache.store(made(3), tmp_path)
    assert used(tmp_path) == sorted([digests[0], digests[2], newest])
    monkeypatch.setenv(cache_limit.VARIABLE, repr(1.5 * size / 1e9))
    last = cache.store(made(4), tmp_path)
    assert used(tmp_path) == [last]
    assert (opened.train.images == made(2).train.images).all(), "what is open stays"


def test_a_data_set_larger_than_the_cache(digest: str, there: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(cache_limit.VARIABLE, "1e-9")
    with pytest.raises(DataError, match="set GRADSUM_CACHE_GB higher"):
        cache.store(made(), there)
    with Download(digest, there) as download, pytest.raises(DataError, match="GRADSUM_CACHE_GB"):
        download.put(b"ab", 100)


@pytest.mark.parametrize("text", ["ten", "-1", "nan", "inf"])
def test_a_limit_that_is_no_number(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(cache_limit.VARIABLE, text)
    with pytest.raises(SettingsError, match="GRADSUM_CACHE_GB must be a number"):
        cache_limit.limit()
