"""The processes of a relay, and what they share with it: a socket in a private folder, and memory."""

import logging
import sys
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Protocol, Self

from engine.coordinator.supervisor import Supervisor
from engine.errors import WorkersError
from engine.launch.local_workers import LocalWorkers
from engine.launch.rendezvous import SOCKET, rendezvous_folder
from engine.system.clock import MONOTONIC, Clock
from engine.system.descriptors import need_for_relay
from engine.wire import Endpoint, Listener
from engine.wire.address import Address
from engine.wire.connections import Connections
from engine.wire.dialers import local_address
from engine.wire.keys import Keys
from engine.wire.relays import CREDITS_LIMIT
from engine.wire.shared_memory import SharedMemory, shared_memory_for
from engine.wire.tracebacks import TRACEBACK_LIMIT
from workers.relay.connections import SharedListener, Sockets
from workers.relay.links import Links, NoLinks
from workers.relay.uplink import Uplinks

logger = logging.getLogger("gradsum.workers")


@dataclass(frozen=True)
class OpenGroup:
    """The processes of a relay once they are started: how they are reached, supervised and share memory.

    `address`: where other relays reach this one ("": nowhere), by the public key `key` in hex ("": without keys), once
    their own public key is among the `invited`. `links`: the connections to relays with which it exchanges vectors.
    """

    endpoint: Endpoint
    links: Links
    supervisor: Supervisor
    shared_memory: SharedMemory | None
    address: str = ""
    key: str = ""
    invited: set[str] = field(default_factory=set)


class Group(Protocol):
    """The processes of a relay."""

    @property
    def count(self) -> int:
        """How many there are to be."""

    @property
    def tree(self) -> bool:
        """Whether the relay joins others, or they join it, rather than exchange parts of vectors."""

    def open(self, size: int) -> OpenGroup:
        """Return the processes, started for a model of `size` parameters. WorkersError if they cannot be started.

        The first call starts them, and one with another size starts them again.
        """

    def close(self) -> None:
        """End them all."""


class LocalGroup:
    """`count` processes on this machine, replaced when they end.

    `uplink`: to be polled with their socket. With the `topology` "exchange", the relay exchanges parts of vectors with
    others; with "tree" it joins them, or they join it; with "star" it has to do with none.
    """

    def __init__(self, count: int, uplink: Uplinks, topology: str = "star", clock: Clock = MONOTONIC) -> None:
        need_for_relay(count)
        self.count = count
        self.tree = topology == "tree"
        self._uplink = uplink
        self._topology = topology
        self._clock = clock
        self._size: int | None = None
        self._opened = ExitStack()

    def open(self, size: int) -> OpenGroup:
        """Return the processes, as `Group.open` says."""
        if size != self._size:
            # The places of vectors in shared memory depend on the size, and one of the processes may still write there.
            self._opened.close()
            self._open_group, self._size = self._start(size), size
        return self._open_group

    def _start(self, size: int) -> OpenGroup:
        enter = self._opened.enter_context
        folder, memory = enter(rendezvous_folder()), enter(shared_memory_for(self.count, True))
        if memory:
            memory.open(size)
        address = local_address(folder / SOCKET)
        workers = enter(LocalWorkers(address, self.count, memory, self._clock, replaced=_say))
        workers.note = _print
        keys, invited = Keys.make() if self._uplink.key else None, set[str]()
        largest = max(4 * size, TRACEBACK_LIMIT, CREDITS_LIMIT)
        listener = enter(Listener(address, largest, None, self._clock, invited if keys else None))
        links, endpoint = self._link(listener, invited, largest)
        self._opened.callback(listener.see_off)
        others = self._bind(listener, keys)
        key = keys.server_public.hex() if keys else ""
        return OpenGroup(endpoint, links, workers, memory, others, key, invited)

    def _link(self, listener: Listener, invited: set[str], largest: int) -> tuple[Links, Endpoint]:
        """Return the connections to other relays, and the endpoint of the processes."""
        if self._topology != "exchange":
            listener.watch(lambda: self._uplink.sources)
            return NoLinks(), listener
        connections, shared = Connections(largest, self._uplink.pair), SharedListener(listener)
        links = Sockets(shared, connections, invited, not self._uplink.key, self._clock)
        self._opened.callback(links.close)
        listener.watch(lambda: [*self._uplink.sources, *connections.sources])
        return links, shared

    def _bind(self, listener: Listener, keys: Keys | None) -> str:
        """Listen for other relays as well, and return where; "" if that is not wanted or impossible."""
        host = self._uplink.host() if self._topology != "star" else ""
        if not host:
            return ""
        try:
            return listener.bind(str(Address(host, 0)), keys)
        except WorkersError as error:
            logger.warning("other relays cannot reach this one: %s", error)
            return ""

    def close(self) -> None:
        """End them all."""
        self._opened.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _say(pid: int, end: str) -> None:
    _print(f"process {pid} ended with {end}, and will be replaced")


def _print(text: str) -> None:
    print(f"gradsum worker: {text}", file=sys.stderr)
