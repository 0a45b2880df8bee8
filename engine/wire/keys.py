"""CURVE keys, and the file that holds them.

CURVE (rfc.zeromq.org/spec/26) encrypts a connection and proves to each side that the other has the secret to its public
key.
"""

import os
import re
import stat
import struct
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import zmq
from zmq.utils import z85

from engine.errors import UsageError
from engine.system.files import write_atomically
from engine.wire.address import Address

PRIVATE = 0o600
FILE_LIMIT = 1 << 20  # bytes
KEY = re.compile(r"[0-9A-Za-z.:+=^!/*?&<>()\[\]{}@%$#-]{40}")  # Z85: 32 bytes
DOMAIN = b"gradsum"
OPEN = b"gradsum-open"  # of sockets that let everybody in
HEAD = "# Keys of a gradsum coordinator. Whoever can read this file can join it, or pretend to be it."


@dataclass(frozen=True)
class Keys:
    """What is in a key file, 32 bytes each. A worker needs no `server_secret`, a coordinator no `client_secret`.

    `clients`: public keys of further clients that are let in besides `client_public`.
    """

    server_public: bytes
    client_public: bytes
    client_secret: bytes = field(repr=False)
    server_secret: bytes = field(repr=False)
    clients: tuple[bytes, ...] = ()

    @classmethod
    def make(cls) -> Self:
        """Return new random keys; UsageError if this ZeroMQ cannot encrypt."""
        if not zmq.has("curve"):
            raise UsageError("this build of pyzmq has no CURVE: install the one of PyPI, or use --insecure")
        server, server_secret, client, client_secret = map(z85.decode, (*zmq.curve_keypair(), *zmq.curve_keypair()))
        return cls(server, client, client_secret, server_secret)

    @classmethod
    def read(cls, path: Path, for_server: bool) -> Self:
        """Read a key file; UsageError if it is not private, or lacks what a coordinator or else a worker needs."""
        content = _read_private(path)
        try:
            values = tomllib.loads(content)
        except tomllib.TOMLDecodeError:
            values = {}
        secret = "server_secret" if for_server else "client_secret"
        keys = {name: _decode(path, name, values.get(name)) for name in ("server_public", "client_public", secret)}
        clients = values.get("clients", [])
        if not isinstance(clients, list):
            raise UsageError(f"the key file {path} is damaged: clients must be a list of keys")
        others = tuple(_decode(path, f"key {number} of clients", key) for number, key in enumerate(clients, 1))
        if z85.decode(zmq.curve_public(z85.encode(keys[secret]))) != keys[secret.replace("secret", "public")]:
            raise UsageError(f"the key file {path} is damaged: {secret} does not belong to its public key")
        return cls(clients=others, **{"client_secret": b"", "server_secret": b""} | keys)

    def write(self, path: Path) -> None:
        """Write a new file that only this user can read; UsageError if that is impossible."""
        names = ("server_public", "server_secret", "client_public", "client_secret")
        keys = [f'{name} = "{z85.encode(getattr(self, name)).decode()}"' for name in names]
        try:
            write_atomically(path, "\n".join([HEAD, *keys, "clients = []", ""]).encode(), PRIVATE, new=True)
        except OSError as error:
            raise UsageError(f"the key file {path} cannot be written: {error.strerror}") from None

    def listed(self) -> frozenset[bytes]:
        """Return the public keys that are let in."""
        return frozenset((self.client_public, *self.clients))

    def serve(self, socket: "zmq.Socket[bytes]") -> None:
        """Let `socket`, before it is bound, take only connections with CURVE that a gatekeeper has allowed."""
        socket.setsockopt(zmq.CURVE_SERVER, 1)
        socket.setsockopt(zmq.CURVE_PUBLICKEY, self.server_public)
        socket.setsockopt(zmq.CURVE_SECRETKEY, self.server_secret)
        socket.setsockopt(zmq.ZAP_DOMAIN, DOMAIN)
        socket.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)  # without a gatekeeper nobody comes in, rather than everybody

    def join(self, socket: "zmq.Socket[bytes]") -> None:
        """Let `socket`, before it is connected, talk only to the coordinator that has these keys."""
        socket.setsockopt(zmq.CURVE_SERVERKEY, self.server_public)
        socket.setsockopt(zmq.CURVE_PUBLICKEY, self.client_public)
        socket.setsockopt(zmq.CURVE_SECRETKEY, self.client_secret)


def keys_to_join(address: str, file: Path | None, insecure: bool) -> Keys | None:
    """Return the keys with which to join the coordinator at `address`; None if it takes none.

    UsageError if that is no address, if none are given where the connection leaves this machine, and as `Keys.read`.
    """
    place = None if address.startswith("ipc://") else Address.parse(address)
    if file:
        if insecure or place is None:
            raise UsageError(f"--key is for a tcp:// address, and not with --insecure; leave it out for {address}")
        return Keys.read(file, for_server=False)
    if place and not insecure and not place.is_loopback():
        raise UsageError(
            f"{address} is on another machine: copy the key file that its coordinator names and give --key FILE, "
            "or --insecure where everybody on the way may read and change what is sent"
        )
    return None


def _decode(path: Path, name: str, text: object) -> bytes:
    """Return the key that is called `name` in the key file; UsageError, and no word of what it is, if it is none."""
    try:
        if isinstance(text, str) and KEY.fullmatch(text):
            return z85.decode(text)
    except struct.error:  # five characters that stand for more than 32 bits
        pass
    raise UsageError(f"the key file {path} is damaged: {name} is no key, which is 40 characters in Z85") from None


def _read_private(path: Path) -> str:
    """Return what is in a file of this user (or root) that nobody else can read; UsageError otherwise."""
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise UsageError(f"the key file {path} is no file")
            if status.st_uid not in (os.getuid(), 0):
                raise UsageError(f"the key file {path} belongs to another user; make a copy of your own, mode 600")
            if status.st_mode & 0o077:
                mode = f"{stat.S_IMODE(status.st_mode):o}"
                raise UsageError(
                    f"the key file {path} has mode {mode}: others may have read it; make new keys, or chmod 600 it"
                )
            return file.read(FILE_LIMIT).decode(errors="replace")
    except OSError as error:
        raise UsageError(f"the key file {path} cannot be read: {error.strerror}") from None
