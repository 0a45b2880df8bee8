"""What a worker removes when its coordinator was killed: the folder in which they met, and nothing else."""

import socket
from pathlib import Path

import pytest

from workers.parent import Parent


def clear(folder: Path) -> bool:
    """Return whether the folder is gone when a worker clears up after its coordinator, which listened in it."""
    Parent(f"unix://{folder / 'coordinator'}").clear()
    return not folder.exists()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "gradsum-4711-x2k8w1qz"
    folder.mkdir()
    return folder


def test_the_socket_goes_with_its_folder(folder: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "coordinator"))
        assert clear(folder)
    Parent(f"unix://{folder / 'coordinator'}").clear()  # another worker has done it


def test_a_coordinator_that_was_killed_before_it_listened_leaves_an_empty_folder(folder: Path) -> None:
    assert clear(folder)


def test_what_is_not_known_to_be_a_runs_stays(folder: Path, tmp_path: Path) -> None:
    (folder / "key").touch()
    assert not clear(folder)
    mine = tmp_path / "mine"
    mine.mkdir()
    assert not clear(mine), "an address may have been typed by hand"
    (folder / "key").unlink()
    (folder / "coordinator").touch()
    assert not clear(folder), "this file is not a socket"
