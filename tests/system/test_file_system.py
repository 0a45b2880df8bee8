"""File systems that lack what databases need are told apart from a database that is locked by another program."""

import errno
import fcntl
import mmap
import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from engine.errors import RecordsError
from engine.records import Recorder, RunRow, list_runs, remove_runs
from engine.system import file_system
from engine.system.file_system import lacking
from engine.system.files import mapped

RUN = RunRow("m", "d", "sgd", 1, 1, 1, 1, 1)


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_system, "_KNOWN", {})


def refuse(number: int) -> Callable[..., None]:
    def act(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    return act


KINDS = [
    (fcntl, "lockf", errno.ENOLCK, r"locks \(No locks available\)"),
    (fcntl, "lockf", errno.EOPNOTSUPP, r"locks \(Operation not supported\)"),
    (mmap, "mmap", errno.ENODEV, r"shared memory maps \(No such device\)"),
]


@pytest.mark.parametrize(("module", "name", "number", "said"), KINDS)
def test_a_database_is_refused_at_once(
    monkeypatch: pytest.MonkeyPatch, module: object, name: str, number: int, said: str
) -> None:
    with Recorder("there.db") as records:
        records.begin(RUN)
    monkeypatch.setattr(module, name, refuse(number))
    monkeypatch.setattr(file_system, "_KNOWN", {})
    for use in (lambda: Recorder("r.db"), lambda: Recorder("there.db"), lambda: remove_runs("there.db", [1])):
        with pytest.raises(RecordsError, match=rf"is on a file system without {said}, .*local disk with --db"):
            use()
    assert [path.name for path in Path().iterdir()] == ["there.db"]
    assert len(list_runs("there.db")) == 1, "what was copied there can be read"


def test_a_log_that_was_not_written_back_cannot_be_read_there(monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(Recorder("r.db")) as records:
        records.begin(RUN)
        monkeypatch.setattr(fcntl, "lockf", refuse(errno.ENOLCK))
        monkeypatch.setattr(file_system, "_KNOWN", {})
        with pytest.raises(RecordsError, match="file system without locks"):
            list_runs("r.db")


def test_a_file_system_is_looked_at_once_and_nothing_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    assert lacking(Path()) == ""
    monkeypatch.setattr(fcntl, "lockf", refuse(errno.ENOLCK))
    assert lacking(Path()) == ""
    assert not list(Path().iterdir())


def test_nobody_can_tell_where_nothing_can_be_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.TemporaryFile", refuse(errno.EACCES))
    assert lacking(Path()) == ""


def test_a_file_is_mapped_privately(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = mmap.mmap

    def without_shared(descriptor: int, length: int, flags: int = mmap.MAP_SHARED, **more: int) -> mmap.mmap:
        if flags & mmap.MAP_SHARED:
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
        return plain(descriptor, length, flags=flags, **more)

    monkeypatch.setattr(mmap, "mmap", without_shared)
    Path("f").write_bytes(b"abc")
    content = mapped(Path("f"))
    assert (bytes(content), content.readonly) == (b"abc", True)
    Path("f").write_bytes(b"")
    with pytest.raises(ValueError, match="empty"):
        mapped(Path("f"))


@pytest.mark.parametrize("number", [errno.EFBIG, errno.ENOSPC, errno.EDQUOT])
def test_of_a_disk_that_takes_no_page_nothing_is_said_nor_kept(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(os, "ftruncate", refuse(number))
        assert lacking(Path()) == ""
    monkeypatch.setattr(fcntl, "lockf", refuse(errno.ENOLCK))
    assert lacking(Path()).startswith("locks")
