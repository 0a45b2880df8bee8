"""How workers on other machines join: an address, the keys to it, and the command that they run."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.errors import UsageError, WorkersError
from engine.nn.own.imports import Imported, imported
from engine.settings import Settings
from engine.system.interfaces import interfaces
from engine.wire import Listener
from engine.wire.address import EVERYWHERE, Address, join, places_to_listen
from engine.wire.keys import Keys

ANYWHERE = "tcp://*:0"  # where to listen if workers are placed elsewhere


@dataclass(frozen=True)
class RemoteAccess:
    """`places` are where to listen, the first that is free; `keys` and `file` are None where everyone may join."""

    places: Sequence[Address]
    keys: Keys | None
    file: Path | None

    def listen(self, listener: Listener) -> str:
        """Listen at the first place that is free; return the address, with all our hosts, for workers elsewhere.

        WorkersError if none is, UsageError if their host is another machine's.
        """
        for place in self.places:
            try:
                bound = listener.bind(str(place.numeric()), self.keys)
            except WorkersError:
                _check_own(place)
                if len(self.places) == 1:
                    raise
            else:
                return join(place.hosts_for_others(), Address.parse(bound).port)
        first, last = self.places[0], self.places[-1]
        raise WorkersError(f"cannot listen at {first} to {last.port}: no port of the range is free")

    def command(self, address: str) -> str:
        """Return the command to run on another machine to join at `address`, which `listen` returned."""
        key = f"--key {shlex.quote(str(self.file))}" if self.file else "--insecure"
        own = ",".join(_named(module) for module in imported())
        return f"gradsum worker {address} {key}" + (f" --import {own}" if own else "")


def _check_own(place: Address) -> None:
    """Raise UsageError for a host, where it could not be listened, that no network interface of this machine has."""
    host, own = place.numeric().host, interfaces()
    if place.host in EVERYWHERE or "%" in host or place.is_loopback() or host in {one.host for one in own}:
        return
    raise UsageError(
        f"cannot listen at {place}: this machine has no such address, but "
        f"{', '.join(f'{one.host} ({one.name})' for one in own)}; "
        f"tcp://*:{place.port} is all of them"
    )


def _named(module: Imported) -> str:
    """Return a module's name if that is one for Python's import, else the name of its file."""
    words = module.name.split(".")
    return module.name if all(word.isidentifier() for word in words) else shlex.quote(module.path.name)


def remote_access_for(settings: Settings, folder: Path) -> RemoteAccess | None:
    """Return the access that the settings ask for, None if they ask for none; keys for one run go into `folder`.

    UsageError if the address is not one, or something is wrong with the key file.
    """
    if not settings.elsewhere:
        return None
    places = places_to_listen(settings.bind or ANYWHERE)
    places[0].numeric()  # UsageError if its host is unknown
    if settings.insecure:
        return RemoteAccess(places, None, None)
    file = Path(settings.key).absolute() if settings.key else folder / "key"
    if file.exists():
        return RemoteAccess(places, Keys.read(file, True, settings.key_mode == "any"), file)
    keys = Keys.make()
    keys.write(file)
    return RemoteAccess(places, keys, file)
