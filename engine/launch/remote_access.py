"""Where workers of other machines come in: an address, the keys that open it, and the command that they need."""

import shlex
from dataclasses import dataclass
from pathlib import Path

from engine.settings import Settings
from engine.wire.address import Address
from engine.wire.keys import Keys


@dataclass(frozen=True)
class RemoteAccess:
    """`address` is what can be bound; `keys` is None where everybody may come in, and `file` then, too."""

    address: Address
    keys: Keys | None
    file: Path | None

    def command(self, bound: str) -> str:
        """Return what to type on another machine, now that `address` is bound and has got its port."""
        address = Address(self.address.host, Address.parse(bound).port).for_others()
        key = f"--key {shlex.quote(str(self.file))}" if self.file else "--insecure"
        return f"gradsum worker {address} {key}"


def remote_access_for(settings: Settings, folder: Path) -> RemoteAccess | None:
    """Return the entrance that the settings ask for, None if they do not; keys for this run alone go into `folder`.

    UsageError if the address makes no sense, or there is something wrong with the key file.
    """
    if not settings.bind:
        return None
    address = Address.parse(settings.bind)
    address.numeric()  # to see whether it can be bound
    if settings.insecure:
        return RemoteAccess(address, None, None)
    file = Path(settings.key).absolute() if settings.key else folder / "key"
    if file.exists():
        return RemoteAccess(address, Keys.read(file, for_server=True), file)
    keys = Keys.make()
    keys.write(file)
    return RemoteAccess(address, keys, file)
