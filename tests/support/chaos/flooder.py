"""Peers that flood a coordinator, each kind in a process of its own: `python -m tests.support.chaos.flooder KIND ...`.

They speak ZMTP by hand. libzmq 4.3.5 aborts a process now and then whose connection is cut while a message of several
frames is half sent and its socket is being closed (session_base.cpp), and cut off is what a flood is.
"""

import contextlib
import json
import random
import select
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Self

from engine.compute.job import job_from
from engine.wire import messages as m
from tests.support.chaos.mutate import corpus, mutate
from tests.support.proofs import ready
from tests.support.strangers import COMMAND, HANDSHAKE, LONG, MORE, dial, frame

AT_ONCE = 200  # messages on one connection
ADMITTED = (0.002, 0.2)  # seconds to wait for the end of a handshake before trying again: one or the other
ANSWER = 5.0  # seconds to wait for an answer, or until somebody reads what is sent
GREETING = 64  # bytes that come before the first frame
LULL = 0.01  # seconds in which a process that only is busy takes one rest


class Peer:
    """A connection on which the handshake is done; OSError if that takes more than `patience` seconds."""

    def __init__(self, address: str, patience: float) -> None:
        self._socket = dial(address)
        self._got = b""
        try:
            self._socket.sendall(HANDSHAKE)
            self._need(GREETING, patience)
            self._got = self._got[GREETING:]
            self._frame(patience)  # READY
        except OSError:
            self._socket.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def send(self, frames: Sequence[bytes]) -> None:
        """Send a message."""
        self._socket.settimeout(ANSWER)
        last = len(frames) - 1
        self._socket.sendall(b"".join(frame(bytes(part), MORE * (i < last)) for i, part in enumerate(frames)))

    def receive(self, timeout: float) -> list[bytes]:
        """Return the frames of the next message; OSError if there is none in time."""
        frames: list[bytes] = []
        more = MORE
        while more:
            flags, content = self._frame(timeout)
            if not flags & COMMAND:
                frames.append(content)
                more = flags & MORE
        return frames

    def answers(self) -> list[list[bytes]]:
        """Return the messages that have come in by now."""
        found = []
        while self._got or select.select([self._socket], [], [], 0)[0]:
            found.append(self.receive(ANSWER))
        return found

    def _need(self, count: int, timeout: float) -> None:
        self._socket.settimeout(timeout)
        while len(self._got) < count:
            more = self._socket.recv(1 << 16)
            if not more:
                raise ConnectionError("it hung up")
            self._got += more

    def _frame(self, timeout: float) -> tuple[int, bytes]:
        self._need(2, timeout)
        head = 9 if self._got[0] & LONG else 2
        self._need(head, timeout)
        size = int.from_bytes(self._got[1:head], "big")
        self._need(head + size, timeout)
        flags, content, self._got = self._got[0], self._got[head : head + size], self._got[head + size :]
        return flags, content


class Flooder:
    """One that floods `address` until it is time to `stop`; `numerics`: the fingerprint that lets a peer join.

    `joins` is called whenever it has joined.
    """

    def __init__(
        self,
        address: str,
        numerics: str,
        rng: random.Random,
        stop: Callable[[], bool],
        joins: Callable[[], None] = lambda: None,
    ) -> None:
        self.sent: Counter[str] = Counter()
        self._address, self._numerics, self._rng, self._stop, self._joins = address, numerics, rng, stop, joins

    def _times(self) -> Iterator[int]:
        """Yield a number for each message on one connection, unless it is time to stop."""
        for number in range(AT_ONCE):
            if self._stop():
                return
            yield number

    def _enter(self) -> Peer:
        return Peer(self._address, self._rng.choice(ADMITTED))

    def stranger(self) -> None:
        """Send mutated messages without joining."""
        with self._enter() as peer:
            self._pour("stranger", peer, corpus())

    def joined(self) -> None:
        """Join, and then send mutated messages."""
        with self._enter() as peer:
            welcome, job = self._join(peer)
            peer.send(m.encode(ready(welcome, job)))
            size = job_from(m.unpack(job)).model.layout().size
            self._pour("joined", peer, corpus(welcome.session, bytes(4 * size)))

    def polite(self) -> None:
        """Join and leave, again and again, with no message that is wrong."""
        with self._enter() as peer:
            for _ in self._times():
                welcome, _ = self._join(peer)
                peer.send(m.encode(m.Goodbye(welcome.session, "enough")))
                self.sent["polite"] += 1

    def silent(self) -> None:
        """Shake hands, say nothing and leave."""
        with self._enter():
            self.sent["silent"] += 1

    def raw(self) -> None:
        """Send noise, sometimes behind the greeting of ZMTP."""
        greeting = self._rng.choice((b"", b"\xff" + bytes(8) + b"\x7f\3\1NULL" + bytes(48)))
        with dial(self._address) as connection:
            connection.sendall(greeting + self._rng.randbytes(self._rng.randrange(3000)))
            self.sent["raw"] += 1

    def _join(self, peer: Peer) -> tuple[m.Welcome, m.Frame]:
        peer.send(m.encode(m.Hello("flood", self._rng.randrange(1, 1 << 20), self._numerics)))
        latest = time.monotonic() + ANSWER  # in all: the coordinator may ask for a sign of life in the meantime
        while (left := latest - time.monotonic()) > 0:
            message, payload = m.decode(peer.receive(left))
            if isinstance(message, m.Welcome) and payload is not None:
                self.sent["welcomed"] += 1
                self._joins()
                return message, payload
        raise TimeoutError("no WELCOME came")

    def _pour(self, kind: str, peer: Peer, originals: list[list[bytes]]) -> None:
        """Send mutated copies of `originals`, and take what is answered."""
        for _ in self._times():
            frames = mutate(self._rng, self._rng.choice(originals), originals)
            if frames:
                peer.send(frames)
                self.sent[kind] += 1
            for answer in peer.answers():
                self.sent["refused"] += isinstance(m.decode(answer)[0], m.Refuse)


JOINING = "joined", "polite"
# Those that join come first: of one address only so many are let in, and others could take all of that.
KINDS: dict[str, Callable[[Flooder], None]] = {
    "joined": Flooder.joined,
    "polite": Flooder.polite,
    "stranger": Flooder.stranger,
    "silent": Flooder.silent,
    "raw": Flooder.raw,
}


def flood(kind: str, flooder: Flooder, status: Path, stop: Callable[[], bool]) -> int:
    """Flood until it is time to stop; return the most bytes that the process with this `status` had in memory."""
    peak = 0
    while not stop():
        with contextlib.suppress(OSError):  # it was cut off
            KINDS[kind](flooder)
        with contextlib.suppress(OSError, IndexError):  # the process has ended
            peak = 1024 * int(status.read_text().partition("VmHWM:")[2].split()[0])
    return peak


def be_busy(share: float, stop: Callable[[], bool]) -> None:
    """Do what a flood does, except that nothing is sent, for a share of the time."""
    rng, originals = random.Random(0), corpus()
    began, used = time.monotonic(), time.process_time()
    while not stop():
        while time.process_time() - used > share * (time.monotonic() - began) and not stop():
            time.sleep(LULL)
        mutate(rng, rng.choice(originals), originals)


def main(kind: str, address: str, numerics: str, seed: str, pid: str, share: str) -> None:
    """When there is a line on standard input, flood, or be busy, until that ends; then tell what was done."""
    sys.stdin.readline()
    begun = False

    def stop() -> bool:
        return bool(select.select([sys.stdin], [], [], 0)[0])

    def begin() -> None:
        nonlocal begun
        if not begun:
            print("begins", flush=True)
        begun = True

    began, used, peak = time.monotonic(), time.process_time(), 0
    flooder = Flooder(address, numerics, random.Random(f"{seed} {kind}"), stop, begin)
    if share or kind not in JOINING:
        begin()
    if share:
        be_busy(float(share), stop)
    else:
        peak = flood(kind, flooder, Path(f"/proc/{pid}/status"), stop)
    taken = (time.process_time() - used) / (time.monotonic() - began)
    print(json.dumps({"sent": flooder.sent, "share": taken, "peak": peak}))


if __name__ == "__main__":
    main(*sys.argv[1:])
