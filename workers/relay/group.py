"""The processes of a relay, and what they share with it: a socket in a private folder, and memory."""

import sys
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Protocol, Self

from engine.coordinator.supervisor import Supervisor
from engine.launch.local_workers import LocalWorkers
from engine.launch.rendezvous import SOCKET, rendezvous_folder
from engine.system.clock import MONOTONIC, Clock
from engine.system.descriptors import need_for_relay
from engine.wire import Dialer, Endpoint, Listener
from engine.wire.dialers import local_address
from engine.wire.messages import TRACEBACK_LIMIT
from engine.wire.shared_memory import SharedMemory, shared_memory_for


@dataclass(frozen=True)
class Workplace:
    """Where the processes meet the relay."""

    endpoint: Endpoint
    supervisor: Supervisor
    shared_memory: SharedMemory | None


class Group(Protocol):
    """The processes of a relay."""

    @property
    def count(self) -> int:
        """How many there are to be."""

    def open(self, size: int) -> Workplace:
        """Return where they meet the relay, for a model of `size` parameters. WorkersError if they cannot be started.

        They are started when that is first asked for, and anew when the size is another.
        """

    def close(self) -> None:
        """End them all."""


class LocalGroup:
    """`count` processes on this machine, replaced when they end. `dialer`: to be polled with their socket."""

    def __init__(self, count: int, dialer: Dialer, clock: Clock = MONOTONIC) -> None:
        need_for_relay(count)
        self.count = count
        self._dialer = dialer
        self._clock = clock
        self._size: int | None = None
        self._opened = ExitStack()

    def open(self, size: int) -> Workplace:
        """Return where they meet the relay, as `Group.open` says."""
        if size != self._size:
            # The places of vectors in shared memory depend on the size, and one of the processes may still write there.
            self._opened.close()
            self._workplace, self._size = self._start(size), size
        return self._workplace

    def _start(self, size: int) -> Workplace:
        enter = self._opened.enter_context
        folder, memory = enter(rendezvous_folder()), enter(shared_memory_for(self.count, True))
        if memory:
            memory.open(size)
        address = local_address(folder / SOCKET)
        workers = enter(LocalWorkers(address, self.count, memory, self._clock, replaced=_say))
        listener = enter(Listener(address, max(4 * size, TRACEBACK_LIMIT), clock=self._clock))
        listener.watch(lambda: self._dialer.sources)
        return Workplace(listener, workers, memory)

    def close(self) -> None:
        """End them all."""
        self._opened.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _say(pid: int, end: str) -> None:
    print(f"gradsum worker: process {pid} ended with {end}; a new one is started", file=sys.stderr)
