"""The coordinator's CURVE keys, the file that holds them, and the key pairs of workers.

CURVE (rfc.zeromq.org/spec/26) encrypts a connection and proves to each side that the other has the secret key to its
public one. Its first message can be made only by a client that knows the server's public key, and shows that key to
nobody; so the public key is kept from others, and is the way in. A worker's own pair is made in its memory, never
leaves it, and says who the worker is.
"""

import os
import re
import stat
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import zmq
from zmq.utils import z85

from engine.errors import UsageError
from engine.system.files import write_atomically
from engine.system.toml import parse_toml
from engine.wire.address import Address, is_local

PRIVATE = 0o600
FILE_LIMIT = 1 << 20  # bytes
NAMES = ("server_public", "server_secret")
KEY = re.compile(r"[0-9A-Za-z.:+=^!/*?&<>()\[\]{}@%$#-]{40}")  # Z85: 32 bytes
LOCKED_DOMAIN = b"gradsum"  # ZAP domain of sockets for those that know the coordinator's public key
OPEN_DOMAIN = b"gradsum-open"  # of sockets for everyone
LOCAL_DOMAIN = b"gradsum-local"  # of sockets in a folder that only this user may open
HEAD = """# Keys of a gradsum coordinator. Anyone who knows server_public can join it, so keep it from others.
# Only the coordinator itself needs server_secret: with it, anyone can pretend to be it."""


@dataclass(frozen=True)
class Keys:
    """The content of a key file, 32 bytes a key. A worker needs no `server_secret`."""

    server_public: bytes = field(repr=False)
    server_secret: bytes = field(repr=False)

    @classmethod
    def make(cls) -> Self:
        """Return new random keys; UsageError if this ZeroMQ cannot encrypt."""
        if not zmq.has("curve"):
            raise UsageError("this build of pyzmq has no CURVE: install pyzmq from PyPI, or use --insecure")
        return cls(*map(z85.decode, zmq.curve_keypair()))

    @classmethod
    def read(cls, path: Path, for_server: bool) -> Self:
        """Read a key file; UsageError if it is not private, or lacks what a coordinator or else a worker needs."""
        called = f"the key file {path}"
        values = parse_toml(_read_private(path), UsageError, called)
        if unknown := [name for name in values if name not in NAMES]:
            raise UsageError(f"{called} has the unknown name {unknown[0]!r:.40}; it may have {', '.join(NAMES)}")
        public = _key(called, "server_public", values.get("server_public"))
        if not for_server:
            return cls(public, b"")
        secret = _key(called, "server_secret", values.get("server_secret"))
        if z85.decode(zmq.curve_public(z85.encode(secret))) != public:
            raise UsageError(f"{called} is damaged: server_secret does not belong to its public key")
        return cls(public, secret)

    def write(self, path: Path) -> None:
        """Write a new file that only this user can read; UsageError if that is impossible."""
        keys = [f'{name} = "{z85.encode(getattr(self, name)).decode()}"' for name in NAMES]
        try:
            write_atomically(path, "\n".join([HEAD, *keys, ""]).encode(), PRIVATE, new=True)
        except OSError as error:
            raise UsageError(f"the key file {path} cannot be written: {error.strerror}") from None

    def serve(self, socket: "zmq.Socket[bytes]") -> None:
        """Make `socket`, before it is bound, accept only connections with CURVE that a gatekeeper has allowed."""
        socket.setsockopt(zmq.CURVE_SERVER, 1)
        socket.setsockopt(zmq.CURVE_PUBLICKEY, self.server_public)
        socket.setsockopt(zmq.CURVE_SECRETKEY, self.server_secret)
        socket.setsockopt(zmq.ZAP_DOMAIN, LOCKED_DOMAIN)
        socket.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)  # without a gatekeeper nobody is admitted, rather than everyone

    def join(self, socket: "zmq.Socket[bytes]") -> str:
        """Make `socket`, before it is connected, talk only to this coordinator; return the new public key, in hex."""
        public, secret = zmq.curve_keypair()
        socket.setsockopt(zmq.CURVE_SERVERKEY, self.server_public)
        socket.setsockopt(zmq.CURVE_PUBLICKEY, public)
        socket.setsockopt(zmq.CURVE_SECRETKEY, secret)
        return z85.decode(public).hex()


def keys_to_join(address: str, file: Path | None, insecure: bool) -> Keys | None:
    """Return the keys with which to join the coordinator at `address`; None if it takes none.

    UsageError if that is not an address, if there is no key although the connection leaves this machine, and as
    `Keys.read`.
    """
    tcp = None if is_local(address) else Address.parse(address)
    if file:
        if insecure or tcp is None:
            raise UsageError(f"--key is for a tcp:// address, and not with --insecure; leave it out for {address}")
        return Keys.read(file, for_server=False)
    if tcp and not insecure and not tcp.is_loopback():
        raise UsageError(
            f"{address} is on another machine: copy the key file that its coordinator names and give --key FILE, "
            "or --insecure where everyone on the way may read and change what is sent"
        )
    return None


def _key(called: str, name: str, text: object) -> bytes:
    """Return the key `name` of a key file; UsageError, which never quotes it, if it is missing or malformed."""
    if text is None:
        raise UsageError(f"{called} is damaged: {name} is missing")
    try:
        if isinstance(text, str) and KEY.fullmatch(text):
            return z85.decode(text)
    except struct.error:  # five characters that stand for more than 32 bits
        pass
    raise UsageError(f"{called} is damaged: {name} is not a key, which has 40 characters of Z85") from None


def _read_private(path: Path) -> bytes:
    """Return the content of a file of this user (or root) that nobody else can read; UsageError otherwise."""
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise UsageError(f"the key file {path} is not a regular file")
            if status.st_uid not in (os.getuid(), 0):
                raise UsageError(f"the key file {path} belongs to another user; make a copy of your own, mode 600")
            if status.st_mode & 0o077:
                mode = f"{stat.S_IMODE(status.st_mode):o}"
                raise UsageError(
                    f"the key file {path} has mode {mode}: others may have read it; make new keys, or chmod 600 it"
                )
            return file.read(FILE_LIMIT)
    except OSError as error:
        raise UsageError(f"the key file {path} cannot be read: {error.strerror}") from None
