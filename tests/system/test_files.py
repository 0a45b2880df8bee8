"""Files that are replaced whole or not at all: full disks, kills in the middle, links, and what is no file."""

import errno
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from engine.system.files import TEMPORARY, make_folder, write_atomically
from tests.support.repository import ROOT


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


OPEN = os.open


def refuse_unnamed(path: str | Path, flags: int, mode: int = 0o777, **more: int | None) -> int:
    """Open a file, as on a file system on which every file has a name."""
    if flags & os.O_TMPFILE == os.O_TMPFILE:
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))
    return OPEN(path, flags, mode, **more)


@pytest.fixture(autouse=True, params=[False, True], ids=["without a name", "with a name"])
def named(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Return whether a file has a name while it is written; each test is made both ways."""
    if request.param:
        monkeypatch.setattr(os, "open", refuse_unnamed)
    return bool(request.param)


@pytest.mark.parametrize("content", [b"new", [b"n", memoryview(b"ew")]], ids=["bytes", "some"])
def test_it_is_written_and_replaced(tmp_path: Path, content: bytes | list[bytes | memoryview]) -> None:
    path = tmp_path / "a.toml"
    path.write_bytes(b"old, and longer")
    write_atomically(path, content)
    assert (path.read_bytes(), names(tmp_path)) == (b"new", ["a.toml"])


def test_its_mode_is_that_of_a_new_file_or_the_one_that_is_asked_for(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        write_atomically(tmp_path / "open", b"")
        write_atomically(tmp_path / "secret", b"", mode=0o600)
    finally:
        os.umask(before)
    assert [(tmp_path / name).stat().st_mode & 0o777 for name in ("open", "secret")] == [0o644, 0o600]


@pytest.mark.parametrize("name", ["x" * 255, "\u4e00" * 85, os.fsdecode(b"\xff" * 255)])
def test_a_name_may_be_as_long_as_the_system_allows(tmp_path: Path, name: str) -> None:
    write_atomically(tmp_path / name, b"1")
    assert (tmp_path / name).read_bytes() == b"1"


def test_a_new_file_replaces_nothing(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    write_atomically(path, b"mine", new=True)
    (tmp_path / "link").symlink_to("nowhere")
    for there in (path, tmp_path / "link", tmp_path):
        with pytest.raises(FileExistsError):
            write_atomically(there, b"yours", new=True)
    assert (path.read_bytes(), names(tmp_path)) == (b"mine", ["keys", "link"])


def test_a_new_file_of_two_at_once_is_that_of_the_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, link = tmp_path / "keys", os.link

    def slow(*arguments: object, **more: object) -> None:
        path.write_bytes(b"of the other")
        link(*arguments, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "link", slow)
    with pytest.raises(FileExistsError):
        write_atomically(path, b"mine", new=True)
    assert (path.read_bytes(), names(tmp_path)) == (b"of the other", ["keys"])


def test_what_appears_in_the_meantime_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, fsync = tmp_path / "a", os.fsync

    def slow(descriptor: int) -> None:
        path.write_bytes(b"of the other")
        fsync(descriptor)
        monkeypatch.undo()

    monkeypatch.setattr(os, "fsync", slow)
    write_atomically(path, b"mine")
    assert (path.read_bytes(), names(tmp_path)) == (b"mine", ["a"])


@pytest.mark.parametrize("code", [errno.EPERM, errno.ENOENT, errno.EXDEV, errno.EOPNOTSUPP])
@pytest.mark.parametrize("new", [False, True])
def test_a_file_system_without_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, new: bool) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "link", refuse)
    path, content = tmp_path / "a", [b"x" * 100_000, b"y"]
    write_atomically(path, iter(content), mode=0o640, new=new)
    assert (path.read_bytes(), names(tmp_path)) == (b"".join(content), ["a"])
    assert path.stat().st_mode & 0o777 == 0o640
    if new:
        with pytest.raises(FileExistsError):
            write_atomically(path, b"another", new=True)
    else:
        write_atomically(path, b"another")
    assert (path.read_bytes() == b"another", names(tmp_path)) == (not new, ["a"])


def test_a_new_file_that_cannot_be_renamed_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", refuse)
    monkeypatch.setattr(os, "replace", refuse)
    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(PermissionError):
        write_atomically(tmp_path / "a", b"mine", new=True)
    assert names(tmp_path) == []


@pytest.mark.parametrize("code", [errno.EINVAL, errno.ENOTSUP, errno.EIO])
def test_a_file_system_that_cannot_say_when_names_are_on_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    fsync = os.fsync

    def refuse(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(code, os.strerror(code))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", refuse)
    if code == errno.EIO:  # which means that they are not
        with pytest.raises(OSError, match=os.strerror(code)):
            write_atomically(tmp_path / "a", b"1")
    else:
        write_atomically(tmp_path / "a", b"1")
    assert (tmp_path / "a").read_bytes() == b"1"


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link").symlink_to("elsewhere/file")
    for content in (b"1", b"2"):
        write_atomically(tmp_path / "link", content)
        assert (tmp_path / "elsewhere/file").read_bytes() == content
    assert (tmp_path / "link").is_symlink()


def test_what_is_not_a_file_is_written_to(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    write_atomically(tmp_path / "pipe", b"through")
    assert os.read(reader, 100) == b"through"
    os.close(reader)
    ours, terminal = os.openpty()  # and not /dev/null, which a fault would replace
    write_atomically(Path(os.ttyname(terminal)), b"gone")
    assert os.read(ours, 100) == b"gone"
    os.close(ours)
    os.close(terminal)
    with pytest.raises(IsADirectoryError):
        write_atomically(tmp_path, b"")
    assert names(tmp_path) == ["pipe"]


def test_all_of_it_is_written_before_it_is_asked_to_be_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, sizes = os.fsync, []

    def fsync(descriptor: int) -> None:
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            sizes.append(os.fstat(descriptor).st_size)
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    write_atomically(tmp_path / "a", [b"first", b"second"])
    assert sizes == [len(b"firstsecond")]


def fail_in(monkeypatch: pytest.MonkeyPatch, call: str, error: BaseException) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(os if call == "fsync" else Path, call, fail)


@pytest.mark.parametrize("call", ["fsync", "replace"])
@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "full"), KeyboardInterrupt()], ids=["full disk", "Ctrl-C"])
def test_what_goes_wrong_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, error: BaseException
) -> None:
    (tmp_path / "a").write_bytes(b"old")
    with monkeypatch.context() as patch:
        fail_in(patch, call, error)
        with pytest.raises(type(error)):
            write_atomically(tmp_path / "a", b"new")
    assert ((tmp_path / "a").read_bytes(), names(tmp_path)) == (b"old", ["a"])


def test_what_goes_wrong_in_making_the_content(tmp_path: Path) -> None:
    def pieces() -> object:
        yield b"first"
        raise ValueError("no second")

    with pytest.raises(ValueError, match="no second"):
        write_atomically(tmp_path / "a", pieces())  # type: ignore[arg-type]
    assert names(tmp_path) == []


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_atomically(tmp_path / "none" / "a", b"")


FULL = """
import resource, signal, sys
from pathlib import Path
from engine.system.files import write_atomically
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
write_atomically(Path(sys.argv[1]), [b"x" * 600] * 9)
"""
# Stops for ever at the call of os.fsync with this number: 1 is before the rename, 2 after it.
STOPPING = """
import os, sys
from pathlib import Path
from engine.system.files import write_atomically
real, left = os.fsync, int(sys.argv[2])
if sys.argv[3] == "named":
    from tests.system.test_files import refuse_unnamed
    os.open = refuse_unnamed
def fsync(descriptor):
    global left
    left -= 1
    if left == 0:
        print("stopped", flush=True)
        sys.stdin.read()
    real(descriptor)
os.fsync = fsync
write_atomically(Path(sys.argv[1]), b"new" * 100_000)
"""


def test_a_disk_that_fills_up(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old")
    command = [sys.executable, "-c", FULL, str(tmp_path / "a")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.stderr.endswith("OSError: [Errno 27] File too large\n")
    assert ((tmp_path / "a").read_bytes(), names(tmp_path)) == (b"old", ["a"])


@pytest.mark.parametrize(("call", "whole"), [(1, b"old"), (2, b"new" * 100_000)])
def test_kill_9_in_the_middle_leaves_the_old_or_the_new(tmp_path: Path, call: int, whole: bytes, named: bool) -> None:
    (tmp_path / "a").write_bytes(b"old")
    command = [sys.executable, "-c", STOPPING, str(tmp_path / "a"), str(call), "named" if named else "unnamed"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as child:
        assert child.stdout
        assert child.stdout.readline() == b"stopped\n"
        child.kill()
        assert child.wait(10) == -signal.SIGKILL
    assert (tmp_path / "a").read_bytes() == whole
    left = [TEMPORARY.fullmatch(name) for name in names(tmp_path) if name != "a"]
    expected = [("a", child.pid)] if named and call == 1 else []
    assert [(found["name"], int(found["pid"])) for found in left if found] == expected
    assert len(left) == len(expected)


def test_the_names_of_new_folders_are_on_disk_before_anything_is_in_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    fsync = os.fsync

    def record(descriptor: int) -> None:
        synced.append(str(Path(f"/proc/self/fd/{descriptor}").readlink().relative_to(tmp_path)))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", record)
    make_folder(tmp_path / "a" / "b" / "c")
    assert set(synced) == {".", "a", "a/b"}
    synced.clear()
    make_folder(tmp_path / "a" / "b" / "c")
    assert synced == []
    with pytest.raises(FileExistsError):
        (tmp_path / "file").touch()
        make_folder(tmp_path / "file")


def test_no_descriptor_stays_open(tmp_path: Path) -> None:
    def open_now() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    write_atomically(tmp_path / "a", b"1")
    before = open_now()
    for _ in range(3):
        write_atomically(tmp_path / "a", b"2")
        make_folder(tmp_path / "b" / "c")
    assert open_now() <= before
