"""`gradsum doctor`: what is good is said to be, and what is not says what to do."""

import resource
import socket
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread

import pytest

from engine.wire import Listener
from engine.wire.address import Address
from engine.wire.keys import Keys
from tests.support.command import Gradsum


@pytest.fixture
def coordinator() -> Iterator[str]:
    """The address of something that listens with the keys in the file `key`, and polls as a coordinator does."""
    keys = Keys.make()
    keys.write(Path("key"))
    over = Event()

    def serve(listener: Listener) -> None:
        while not over.is_set():
            listener.poll(0.05)

    with Listener("tcp://127.0.0.1:0", 1000, keys) as listener:
        thread = Thread(target=serve, args=(listener,))
        thread.start()
        yield listener.address
        over.set()
        thread.join()


def lines(said: str) -> dict[str, tuple[str, str]]:
    """Return what was said, by the thing; of several lines about one thing the last."""
    found = {}
    for line in said.splitlines():
        what, rest = line[:14].strip(), line[14:].strip()
        verdict, _, text = rest.partition("  ")
        found[what] = verdict, text
    return found


def test_this_machine(gradsum: Gradsum) -> None:
    answer = gradsum("doctor")
    found = lines(answer.out)
    assert list(found) == [
        *("arithmetic", "cores", "quota", "cache", "temporary", "folder", "locks"),
        *("shared memory", "descriptors", "clock"),
    ]
    assert {verdict for verdict, _ in found.values()} <= {"good", "LOOK"}
    assert answer.code == int(any(verdict == "LOOK" for verdict, _ in found.values()))


def test_too_few_descriptors_and_a_cache_that_is_a_file(gradsum: Gradsum, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("file").touch()
    monkeypatch.setenv("GRADSUM_CACHE", "file")
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    monkeypatch.setattr("engine.doctor.machine.descriptor_limit", lambda: 100)
    answer = gradsum("doctor")
    found = lines(answer.out)
    assert answer.code == 1
    assert found["descriptors"] == ("LOOK", "only 100 files may be open, enough for 10 workers: ulimit -n 1024")
    assert found["cache"][0] == "LOOK"
    assert found["cache"][1].endswith("or set GRADSUM_CACHE to another one")
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[1] == before[1]


def test_a_coordinator_that_is_reached(gradsum: Gradsum, coordinator: str) -> None:
    found = lines(gradsum("doctor", coordinator, "--key", "key").out)
    assert found["name"] == ("good", "127.0.0.1 is 127.0.0.1")
    assert found["route"] == ("good", "to 127.0.0.1 from 127.0.0.1")
    assert found["port"] == ("good", f"{coordinator} takes connections")
    assert found["key"] == ("good", "the coordinator has it")


def test_one_of_several_is_enough(gradsum: Gradsum, coordinator: str) -> None:
    port = Address.parse(coordinator).port
    answer = gradsum("doctor", f"tcp://127.0.0.1,127.0.0.9:{port}", "--key", "key")
    assert lines(answer.out)["port"][0] == "good"
    assert "that does no harm, since another is reached" in answer.out


def test_a_name_that_nobody_knows_does_no_harm_beside_one_that_is_reached(gradsum: Gradsum, coordinator: str) -> None:
    port = Address.parse(coordinator).port
    out = gradsum("doctor", f"tcp://no.such.host.invalid,127.0.0.1:{port}", "--key", "key").out
    (unknown,) = (line for line in out.splitlines() if "no.such.host" in line)
    assert unknown.startswith("name           good")
    assert unknown.endswith("that does no harm, since another is reached")


def test_another_key_and_none(gradsum: Gradsum, coordinator: str) -> None:
    Keys.make().write(Path("other"))
    answer = gradsum("doctor", coordinator, "--key", "other")
    assert answer.code == 1
    assert lines(answer.out)["key"] == ("LOOK", "who listens there has another key: copy the key file of this run")
    wants = lines(gradsum("doctor", coordinator, "--insecure").out)["key"]
    assert wants[0] == "LOOK"
    assert "wants a key" in wants[1]


def test_a_key_that_others_may_read_is_taken_where_that_is_asked(gradsum: Gradsum, coordinator: str) -> None:
    Path("key").chmod(0o644)
    answer = gradsum("doctor", coordinator, "--key", "key")
    assert answer.code == 2
    assert "chmod 600 it (--key-mode any, " in answer.err
    assert lines(gradsum("doctor", coordinator, "--key", "key", "--key-mode", "any").out)["key"][0] == "good"


def test_nobody_listens_and_nobody_is_known(gradsum: Gradsum) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    found = lines(gradsum("doctor", f"tcp://127.0.0.1:{port}").out)
    assert found["port"] == ("LOOK", f"tcp://127.0.0.1:{port}: nothing listens there (connection refused)")
    assert "key" not in found
    unknown = gradsum("doctor", "tcp://no.such.host.invalid:5", "--insecure")
    assert unknown.code == 1
    assert lines(unknown.out)["name"][0] == "LOOK"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--key", "key"], "are for the coordinator at an ADDRESS"),
        (["tcp://127.0.0.1:5", "--key-mode", "any"], "--key-mode is for a key file: also give --key FILE"),
        (["nonsense"], "'nonsense' is not an address"),
        (["tcp://10.0.0.1:5"], "is on another machine: copy the key file"),
        (["tcp://10.0.0.1:5", "--key", "none"], "the key file none cannot be read"),
    ],
)
def test_bad_usage(gradsum: Gradsum, words: list[str], said: str) -> None:
    answer = gradsum("doctor", *words)
    assert (answer.code, answer.out) == (2, "")
    assert said in answer.err
