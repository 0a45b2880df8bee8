"""`--on ray` with a Ray that is a few classes in this process, whose actors run real commands."""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from engine.errors import WorkersError
from engine.launch.launcher import Join, State
from engine.launch.ray_actors import RayActors

KEY = b"server_public = 'x'\n"


class Answers:
    """What a call of an actor's method returns."""

    def __init__(self, value: Any) -> None:
        self.value = value


class Method:
    def __init__(self, call: Any) -> None:
        self._call = call

    def remote(self) -> Answers:
        return Answers(self._call())


class Actor:
    def __init__(self, made: Any) -> None:
        self.made = made
        self.look, self.leave = Method(made.look), Method(made.leave)


class Kind:
    """A class of actors; what it runs is replaced by `command`."""

    def __init__(self, of: Any, command: list[str]) -> None:
        self._of, self._command = of, command

    def options(self, **_: Any) -> "Kind":
        return self

    def remote(self, _: list[str], way_in: bytes) -> Actor:
        return Actor(self._of(self._command, way_in))


class FakeRayError(Exception):
    pass


class Ray:
    """As much of Ray as is used; `waiting` actors have no node yet."""

    exceptions = SimpleNamespace(RayError=FakeRayError)
    cloudpickle = SimpleNamespace(register_pickle_by_value=lambda module: None)

    def __init__(self, script: str) -> None:
        self.command = [sys.executable, "-c", script]
        self.waiting = 0
        self.killed: list[Actor] = []
        self.address = ""

    def init(self, address: str, **_: Any) -> None:
        if address == "nowhere":
            raise ConnectionError("nobody answers")
        self.address = address

    def is_initialized(self) -> bool:
        return bool(self.address)

    def shutdown(self) -> None:
        self.address = ""

    def remote(self, **_: Any) -> Any:
        return lambda kind: Kind(kind, self.command)

    def wait(self, asked: list[Answers], **_: Any) -> tuple[list[Answers], list[Answers]]:
        return asked[self.waiting :], asked[: self.waiting]

    def get(self, answer: Answers) -> Any:
        return answer.value

    def kill(self, actor: Actor, no_restart: bool) -> None:
        self.killed.append(actor)
        actor.made.leave()  # as its pipe closes when Ray ends its process


def join(folder: Path) -> Join:
    return Join("tcp://10.0.0.1:5000", KEY, folder, 3, 4)


def test_actors_hold_workers_until_the_end(tmp_path: Path) -> None:
    ray = Ray("import sys; assert sys.stdin.readline(); sys.stdin.read()")
    actors = RayActors(ray, "auto")
    actors.start(join(tmp_path))
    ray.waiting = 1
    places = actors.look()
    assert [place.state for place in places] == [State.WAITING, State.UP, State.UP]
    assert places[0].why == "no node with a free core"
    ray.waiting = 0
    actors.close()
    actors.close()
    assert len(ray.killed) == 3
    assert not ray.is_initialized()


def test_one_that_ended_is_started_again_with_what_it_said(tmp_path: Path) -> None:
    ray = Ray("import sys; sys.exit('bad luck')")
    actors = RayActors(ray, "auto")
    actors.start(join(tmp_path))
    while (places := actors.look())[0].ends == 0:
        pass
    assert (places[0].state, places[0].said) == (State.ENDED, "bad luck")
    actors.close()


def test_no_cluster(tmp_path: Path) -> None:
    actors = RayActors(Ray(""), "nowhere")
    with pytest.raises(WorkersError, match="there is no cluster at nowhere: nobody answers"):
        actors.start(join(tmp_path))
    actors.close()
