"""Where a coordinator listens for workers on other machines."""

import socket
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from engine.errors import UsageError, WorkersError
from engine.launch.remote_access import _named, remote_access_for
from engine.nn.own.imports import Imported
from engine.settings import Settings
from engine.wire import Listener


def test_the_first_port_of_a_range_that_is_free(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, Listener("tcp://127.0.0.1:0", 1000) as listener:
        port = taken.getsockname()[1]
        access = remote_access_for(Settings(bind=f"tcp://127.0.0.1:{port}-{port + 9}"), tmp_path)
        assert access is not None
        address = access.listen(listener)
        assert address.startswith("tcp://127.0.0.1:")
        assert address != f"tcp://127.0.0.1:{port}"
        assert access.command(address) == f"gradsum worker {address} --key {tmp_path / 'key'}"


def test_a_range_without_a_free_port(tmp_path: Path) -> None:
    with Listener("tcp://127.0.0.1:0", 1000) as listener:
        for _ in range(20):  # two neighbours that this test can take
            first = socket.create_server(("127.0.0.1", 0))
            port = first.getsockname()[1]
            try:
                second = socket.create_server(("127.0.0.1", port + 1))
            except OSError:
                first.close()
                continue
            break
        with first, second:
            access = remote_access_for(Settings(bind=f"tcp://127.0.0.1:{port}-{port + 1}"), tmp_path)
            assert access is not None
            with pytest.raises(
                WorkersError, match=f"tcp://127.0.0.1:{port} to {port + 1}: no port of the range is free"
            ):
                access.listen(listener)


@pytest.mark.parametrize("ports", ["5000", "5000-5002"])
def test_the_address_of_another_machine(tmp_path: Path, ports: str) -> None:
    access = remote_access_for(Settings(bind=f"tcp://192.0.2.7:{ports}"), tmp_path)
    assert access is not None
    with Listener("tcp://127.0.0.1:0", 1000) as listener, pytest.raises(UsageError) as caught:
        access.listen(listener)
    said = str(caught.value)
    assert said.startswith("cannot listen at tcp://192.0.2.7:5000: this machine has no such address, but ")
    assert said.endswith("; tcp://*:5000 is all of them")
    assert "127.0.0.1 (lo)" in said


def test_an_address_that_is_taken_is_named_once(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, Listener("tcp://127.0.0.1:0", 1000) as listener:
        address = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        access = remote_access_for(Settings(bind=address), tmp_path)
        assert access is not None
        with pytest.raises(WorkersError) as caught:
            access.listen(listener)
    assert str(caught.value) == f"cannot listen at {address}: Address already in use"


def test_workers_that_are_placed_join_anywhere(tmp_path: Path) -> None:
    access = remote_access_for(Settings(on="slurm"), tmp_path)
    assert access is not None
    assert [str(place) for place in access.places] == ["tcp://*:0"]
    assert remote_access_for(Settings(on="here"), tmp_path) is None


@pytest.mark.parametrize(
    ("name", "path", "said"),
    [
        ("my.layers", "layers.py", "my.layers"),
        ("my-own", "my-own.py", "my-own.py"),
        ("my own", "my own.py", "'my own.py'"),
    ],
)
def test_the_command_names_a_module_as_it_can_be_imported_there(name: str, path: str, said: str) -> None:
    assert _named(cast(Imported, SimpleNamespace(name=name, path=Path("/home/me") / path))) == said
