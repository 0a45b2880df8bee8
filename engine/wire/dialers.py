"""Which kind of connection an address stands for, and which kind of address local workers get."""

from collections.abc import Callable
from pathlib import Path

from engine.wire.address import LOCAL_PACKETS, LOCAL_ZEROMQ
from engine.wire.dialer import Dialer
from engine.wire.endpoint import WorkerEndpoint
from engine.wire.keys import Keys
from engine.wire.local_dialer import LocalDialer
from engine.wire.packets import has_packets


def dialer_for(
    address: str, largest: int, keys: Keys | None = None, tell: Callable[[str], None] | None = None
) -> WorkerEndpoint:
    """Return a worker's end of a connection to `address`; SettingsError if there can be no such address.

    `tell` is told why nobody was reached there for a while.
    """
    if address.startswith(LOCAL_PACKETS):
        return LocalDialer(address, largest)
    return Dialer(address, largest, keys, tell)


def local_address(path: Path, kind: str = "unix") -> str:
    """Return the address of the socket file `path`: a socket of packets where this system has them, unless `kind` is
    "zmq".
    """
    return f"{LOCAL_PACKETS if kind == 'unix' and has_packets() else LOCAL_ZEROMQ}{path}"
