"""`--on "ray ray://head:10001"`: actors of Ray, spread over its nodes, each with a worker command behind a pipe."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from typing import Any

from engine.errors import SettingsError, WorkersError
from engine.launch.launcher import Join, Place, State, shell_command, tail

CORES = 1  # of an actor: Ray spreads them, and workers on one node share nothing that a larger one would save
ANSWER = 2.0  # seconds in which an actor that is up says how it is
GRACE = 5.0  # seconds that workers have to end in when the pipes are closed


class _Pipe:
    """An actor: the command, whose standard input ends with this process, however that ends."""

    def __init__(self, command: list[str], way_in: bytes) -> None:
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the command
        self._popen = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=self._said, stderr=self._said)
        if self._popen.stdin:
            self._popen.stdin.write(way_in)
            self._popen.stdin.flush()

    def look(self) -> tuple[str, int | None, str]:
        """Return the name of this node, and how the command ended, if it has."""
        code = self._popen.poll()
        if code is None:
            return os.uname().nodename, None, ""
        return os.uname().nodename, code, tail(self._said)

    def leave(self) -> None:
        """Close the pipe, and wait for the end."""
        if self._popen.stdin:
            self._popen.stdin.close()
        self._popen.wait()
        self._said.close()


class RayActors:
    """A `Launcher` for the cluster at `address`; `ray` is the module.

    Pending actors are what Ray's autoscaler sees as demand; Ray itself starts lost ones again.
    """

    noun = "actors"
    remark = ""

    def __init__(self, ray: Any, address: str) -> None:
        self._ray = ray
        self._address = address
        self._actors: list[Any] = []
        self._ends: list[int] = []
        self._said: list[str] = []

    def start(self, join: Join) -> None:
        """Ask for the actors; WorkersError if there is no such cluster."""
        try:
            self._ray.init(address=self._address, logging_level="ERROR", log_to_driver=False)
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise WorkersError(f"--on ray: there is no cluster at {self._address}: {error}") from None
        self._ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])  # nodes need the command only
        kind = self._ray.remote(max_restarts=-1)(_Pipe).options(num_cpus=CORES, scheduling_strategy="SPREAD")
        self._kind, self._join = kind, join
        count = join.workers or join.useful
        self._actors = [self._actor() for _ in range(count)]
        self._ends, self._said = [0] * count, [""] * count

    def look(self) -> list[Place]:
        """Ask every actor; one that does not answer waits for a node."""
        asked = [actor.look.remote() for actor in self._actors]
        ready, _ = self._ray.wait(asked, num_returns=len(asked), timeout=ANSWER)
        return [self._place(number, answer, answer in ready) for number, answer in enumerate(asked)]

    def close(self) -> None:
        """End the workers, then the actors."""
        actors, self._actors = self._actors, []
        leaving = [actor.leave.remote() for actor in actors]
        if leaving:
            self._ray.wait(leaving, num_returns=len(leaving), timeout=GRACE)
        for actor in actors:
            self._ray.kill(actor, no_restart=True)
        if self._ray.is_initialized():
            self._ray.shutdown()

    def _actor(self) -> Any:
        words = self._join.words("-", CORES, "an actor of ray")
        return self._kind.remote(["sh", "-c", shell_command([*words, "--tied"])], self._join.way_in)

    def _place(self, number: int, answer: Any, ready: bool) -> Place:
        name, ends, said = f"actor-{number}", self._ends[number], self._said[number]
        if not ready:
            return Place(name, State.WAITING, "", "no node with a free core", ends, said)
        try:
            node, code, last = self._ray.get(answer)
        except self._ray.exceptions.RayError as error:
            return Place(name, State.WAITING, "", type(error).__name__, ends, said)
        if code is None:
            return Place(name, State.UP, node, "", ends, said)
        self._ends[number] += 1
        self._said[number] = last or f"nothing; it ended with exit code {code}"
        self._ray.kill(self._actors[number], no_restart=True)
        self._actors[number] = self._actor()
        return Place(name, State.ENDED, node, "", self._ends[number], self._said[number])


def ray_actors(words: Sequence[str]) -> RayActors:
    """Return the launcher for the words after `ray`: the address of a cluster, by default the one of this machine.

    SettingsError where Ray is not installed.
    """
    if len(words) > 1:
        raise SettingsError(f'--on ray takes one address, as in --on "ray ray://head:10001", not {len(words)} words')
    try:
        import ray  # noqa: PLC0415 - an extra, and slow
    except ImportError:
        raise SettingsError("--on ray needs Ray in this Python: pip install 'gradsum[ray]'") from None
    return RayActors(ray, words[0] if words else "auto")
