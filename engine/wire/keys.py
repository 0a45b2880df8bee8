"""The coordinator's CURVE keys, the file that holds them, and the key pairs of workers.

CURVE (rfc.zeromq.org/spec/26) encrypts a connection and proves to each side that the other has the secret key to its
public one. Its first message can be made only by a client that knows the server's public key, and shows that key to
nobody; so the public key is kept from others, and is the way in. A worker's own pair is made in its memory, never
leaves it, and says who the worker is.
"""

import logging
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
from engine.wire.address import coordinator_addresses, is_local

logger = logging.getLogger("gradsum.wire")

PRIVATE = 0o600
STANDARD_INPUT = Path("-")
KEY_MODES = ("private", "any")  # who may be able to read a key file: this user, or others too
PUBLIC_LINE = re.compile(rb"^[ \t]*server_public[ \t]*=[^\n]*\n", re.MULTILINE)
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
    def read(cls, path: Path, for_server: bool, any_mode: bool = False) -> Self:
        """Read a key file; UsageError if it is not private, or lacks what a coordinator or else a worker needs.

        With `any_mode` others may read it: an orchestrator decides who sees the files of its secrets.
        """
        return cls.parse(_read_private(path, any_mode), f"the key file {path}", for_server)

    @classmethod
    def parse(cls, content: bytes, called: str, for_server: bool) -> Self:
        """Return the keys in the content of a key file; UsageError as `read`."""
        values = parse_toml(content, UsageError, called)
        if unknown := [name for name in values if name not in NAMES]:
            raise UsageError(f"{called} has the unknown name {unknown[0]!r:.40}; it may have {', '.join(NAMES)}")
        public = _key(called, "server_public", values.get("server_public"))
        if not for_server:
            return cls(public, b"")
        secret = _key(called, "server_secret", values.get("server_secret"))
        if z85.decode(zmq.curve_public(z85.encode(secret))) != public:
            raise UsageError(f"{called} is damaged: server_secret does not belong to its public key")
        return cls(public, secret)

    def text(self) -> str:
        """Return the content of a key file."""
        keys = [f'{name} = "{z85.encode(getattr(self, name)).decode()}"' for name in NAMES]
        return "\n".join([HEAD, *keys, ""])

    def write(self, path: Path) -> None:
        """Write a new file that only this user can read; UsageError if that is impossible."""
        try:
            write_atomically(path, self.text().encode(), PRIVATE, new=True)
        except OSError as error:
            raise UsageError(f"the key file {path} cannot be written: {error.strerror}") from None

    def serve(self, socket: "zmq.Socket[bytes]") -> None:
        """Make `socket`, before it is bound, accept only connections with CURVE that a gatekeeper has allowed."""
        socket.setsockopt(zmq.CURVE_SERVER, 1)
        socket.setsockopt(zmq.CURVE_PUBLICKEY, self.server_public)
        socket.setsockopt(zmq.CURVE_SECRETKEY, self.server_secret)
        socket.setsockopt(zmq.ZAP_DOMAIN, LOCKED_DOMAIN)
        socket.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)  # without a gatekeeper nobody is admitted, rather than everyone

    def join(self, socket: "zmq.Socket[bytes]", pair: "Pair") -> None:
        """Make `socket`, before it is connected, talk only to this coordinator, as the worker that has `pair`."""
        socket.setsockopt(zmq.CURVE_SERVERKEY, self.server_public)
        socket.setsockopt(zmq.CURVE_PUBLICKEY, pair.public)
        socket.setsockopt(zmq.CURVE_SECRETKEY, pair.secret)

    def way_in(self) -> bytes:
        """Return what a worker needs of the key file, for its standard input."""
        return f'server_public = "{z85.encode(self.server_public).decode()}"\n'.encode()


@dataclass(frozen=True)
class Pair:
    """A worker's own key pair, in the encoding that ZeroMQ takes."""

    public: bytes = field(repr=False)
    secret: bytes = field(repr=False)

    @property
    def public_hex(self) -> str:
        """The public key as others see it."""
        return z85.decode(self.public).hex()


def new_pair() -> Pair:
    """Return a new key pair; an empty one where ZeroMQ cannot encrypt."""
    return Pair(*zmq.curve_keypair()) if zmq.has("curve") else Pair(b"", b"")


def keys_to_join(address: str, file: Path | None, insecure: bool, any_mode: bool = False) -> Keys | None:
    """Return the keys with which to join the coordinator at `address`; None if it takes none.

    `file` may be -, standard input. UsageError if that is not an address, if there is no key although the connection
    leaves this machine, and as `Keys.read`.
    """
    tcp = [] if is_local(address) else coordinator_addresses(address)
    if file:
        if insecure or not tcp:
            raise UsageError(f"--key is for a tcp:// address, and not with --insecure; leave it out for {address}")
        return from_standard_input() if file == STANDARD_INPUT else Keys.read(file, False, any_mode)
    if tcp and not insecure and not all(one.is_loopback() for one in tcp):
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


def from_standard_input(descriptor: int = 0) -> Keys:
    """Return the coordinator's public key from standard input, which may stay open; UsageError if it is not there.

    A key file may be sent there, or only its line server_public. What follows that line is not waited for.
    """
    content = b""
    while not PUBLIC_LINE.search(content):
        piece = os.read(descriptor, 4096)
        content += piece or b"\n"  # the last line may have none
        if len(content) > FILE_LIMIT or not (piece or PUBLIC_LINE.search(content)):
            raise UsageError("--key -: standard input has no line server_public = ..., which a key file has")
    line = PUBLIC_LINE.search(content)
    return Keys.parse(line[0] if line else b"", "the key in standard input", for_server=False)


def _read_private(path: Path, any_mode: bool) -> bytes:
    """Return the content of a file of this user (or root) that nobody else can read; UsageError otherwise."""
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise UsageError(f"the key file {path} is not a regular file")
            if status.st_uid not in (os.getuid(), 0):
                raise UsageError(f"the key file {path} belongs to another user; make a copy of your own, mode 600")
            mode = f"{stat.S_IMODE(status.st_mode):o}"
            if status.st_mode & 0o077 and not any_mode:
                raise UsageError(
                    f"the key file {path} has mode {mode}: others may have read it; make new keys, or chmod 600 it "
                    "(--key-mode any, where an orchestrator mounts it so)"
                )
            if status.st_mode & 0o077:
                logger.warning("the key file %s has mode %s: others than this user may read it", path, mode)
            return file.read(FILE_LIMIT)
    except OSError as error:
        raise UsageError(f"the key file {path} cannot be read: {error.strerror}") from None
