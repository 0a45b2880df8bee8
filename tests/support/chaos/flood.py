"""Peers that flood a coordinator with mutated messages: strangers, ones that have joined, ones that speak no ZeroMQ."""

import contextlib
import random
import socket
import threading
from collections import Counter
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Self

import zmq

from engine.compute.job import job_from
from engine.wire import messages as m
from tests.support.chaos.mutate import corpus, mutate

ANSWER = 5000  # milliseconds to wait for an answer to HELLO
AT_ONCE = 200  # messages on one connection
PARTING = 200  # milliseconds


class Flood:
    """While entered, sends to `address` from threads, one for each kind of peer; `sent` counts by kind.

    `kinds`: of peers. `numerics`: the fingerprint that lets a peer join. `pid`: of the coordinator, whose resident
    memory is watched: `memory` has the least and the most that was seen, in bytes.
    """

    def __init__(
        self, address: str, numerics: str, pid: int, seed: int, kinds: Collection[str] = ("stranger", "joined", "raw")
    ) -> None:
        self.sent: Counter[str] = Counter()
        self.memory: list[int] = []
        self.refused = 0
        self._address = address
        self._numerics = numerics
        self._pid = pid
        self._stop = threading.Event()
        self._context = zmq.Context()
        peers = {"stranger": self._stranger, "joined": self._joined, "raw": self._raw}
        self._threads = [
            threading.Thread(target=self._go_on, args=(name, peers[name], random.Random(f"{seed} {name}")), daemon=True)
            for name in kinds
        ]

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Begin to send."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Return when nothing more is sent, and all is closed."""
        self._stop.set()
        for thread in self._threads:
            thread.join()
        self._context.term()

    def _go_on(self, name: str, one: Callable[[random.Random], int], rng: random.Random) -> None:
        while not self._stop.is_set():
            self.sent[name] += one(rng)
            with contextlib.suppress(OSError, IndexError):  # it has ended
                status = Path(f"/proc/{self._pid}/status").read_text()
                now = 1024 * int(status.partition("VmRSS:")[2].split()[0])
                self.memory = [min([now, *self.memory]), max([now, *self.memory])]

    def _dial(self) -> "zmq.Socket[bytes]":
        dealer = self._context.socket(zmq.DEALER)
        dealer.linger = PARTING
        dealer.sndtimeo = ANSWER
        dealer.rcvtimeo = ANSWER
        dealer.connect(self._address)
        return dealer

    def _pour(self, dealer: "zmq.Socket[bytes]", rng: random.Random, originals: list[list[bytes]]) -> int:
        """Send mutated copies of `originals` until nobody takes them, and take what is answered."""
        count = 0
        with contextlib.suppress(zmq.Again):
            for _ in range(AT_ONCE):
                frames = mutate(rng, rng.choice(originals), originals)
                if frames:
                    dealer.send_multipart(frames)
                    count += 1
                while dealer.poll(0):
                    self.refused += m.decode(dealer.recv_multipart())[0].opcode == m.Refuse.opcode
        return count

    def _stranger(self, rng: random.Random) -> int:
        with self._dial() as dealer:
            return self._pour(dealer, rng, corpus())

    def _joined(self, rng: random.Random) -> int:
        with self._dial() as dealer:
            dealer.send_multipart(m.encode(m.Hello("flood", rng.randrange(1, 1 << 20), self._numerics)))
            try:
                welcome, payload = m.decode(dealer.recv_multipart())
            except zmq.Again:
                return 0
            if not isinstance(welcome, m.Welcome) or payload is None:
                return 0
            layout = job_from(m.unpack(payload)).model.layout()
            dealer.send_multipart(m.encode(m.Ready(welcome.session, layout.digest)))
            self.sent["welcomed"] += 1
            return self._pour(dealer, rng, corpus(welcome.session, bytes(4 * layout.size)))

    def _raw(self, rng: random.Random) -> int:
        """Send noise, sometimes behind the greeting of ZMTP."""
        host, _, port = self._address.removeprefix("tcp://").rpartition(":")
        noise = rng.choice((b"", b"\xff" + bytes(8) + b"\x7f\3\1NULL" + bytes(48))) + rng.randbytes(rng.randrange(3000))
        try:
            with socket.create_connection((host, int(port)), 5) as connection:
                connection.sendall(noise)
        except OSError:
            return 0
        return 1
