"""How workers on other machines join: an address, the keys to it, and the command that they run."""

import shlex
from dataclasses import dataclass
from pathlib import Path

from engine.settings import Settings
from engine.wire.address import Address
from engine.wire.keys import Keys


@dataclass(frozen=True)
class RemoteAccess:
    """`address` is where to listen; `keys` and `file` are None where everyone may join."""

    address: Address
    keys: Keys | None
    file: Path | None

    def command(self, bound: str) -> str:
        """Return the command to run on another machine, now that `address` is bound and has its port."""
        address = Address(self.address.host, Address.parse(bound).port).for_others()
        key = f"--key {shlex.quote(str(self.file))}" if self.file else "--insecure"
        return f"gradsum worker {address} {key}"


def remote_access_for(settings: Settings, folder: Path) -> RemoteAccess | None:
    """Return the access that the settings ask for, None if they ask for none; keys for one run go into `folder`.

    UsageError if the address is not one, or something is wrong with the key file.
    """
    if not settings.bind:
        return None
    address = Address.parse(settings.bind)
    address.numeric()  # UsageError if its host is unknown
    if settings.insecure:
        return RemoteAccess(address, None, None)
    file = Path(settings.key).absolute() if settings.key else folder / "key"
    if file.exists():
        return RemoteAccess(address, Keys.read(file, for_server=True), file)
    keys = Keys.make()
    keys.write(file)
    return RemoteAccess(address, keys, file)
