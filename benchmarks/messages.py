"""Processor time of a message between machines, by its size, with and without keys: `python -m benchmarks.messages`.

Two processes with the two ends that coordinator and relay have, on 127.0.0.1: a WORK with a vector, or a part of one,
goes one way, a RESULT with as much comes back, and each is checked as far as the program checks it before it is used.
One message at a time, as a link brings them. Two lines are fitted by least squares, `message + byte * bytes`: what the
thread that deals with messages takes for one, sent or received, and what ZeroMQ's threads do, which encrypt.
`benchmarks/simulation/model.py` has the constants.
"""

import argparse
import json
import multiprocessing
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from benchmarks.arguments import positive
from benchmarks.machine import facts
from engine.wire import Dialer, Listener, Received, frame_of
from engine.wire import messages as m
from engine.wire.keys import Keys

VECTOR = 548_712  # bytes, of the letters network
PARTS = (1, 2, 4, 8, 16, 32, 64, 128)  # of the vector, in a message each
WARM = 50  # messages before those that count
PATIENCE = 20.0  # seconds without an answer
SESSION = "m" * 16


@dataclass(frozen=True)
class Point:
    """Microseconds of processor time of one message, sent or received, at both ends, and of a way there and back."""

    size: int  # bytes
    keys: bool
    listener: float  # the thread that deals with messages
    listener_io: float  # ZeroMQ's threads
    dialer: float
    dialer_io: float
    there_and_back: float


def processor_seconds() -> tuple[float, float]:
    """Return the processor time that this thread has used, and that of the process's other threads."""
    tasks = list(Path("/proc/self/task").iterdir())
    used = {int(task.name): int((task / "schedstat").read_text().split()[0]) for task in tasks}
    own = used.pop(os.getpid())
    return own / 1e9, sum(used.values()) / 1e9


def exchanged(count: int, one: Callable[[], None]) -> tuple[float, float]:
    """Take so many turns, and return the microseconds of a message in this thread and in the others."""
    for _ in range(WARM):
        one()
    before = processor_seconds()
    for _ in range(count):
        one()
    own, others = (1e6 * (b - a) / (2 * count) for a, b in zip(before, processor_seconds(), strict=True))
    return own, others


def answer(address: str, keys: Keys | None, size: int, count: int, tell: Connection) -> None:
    """Be the relay: answer so many messages, and tell what that took."""
    dialer, payload = Dialer(address, VECTOR, keys), frame_of(np.ones(size // 4, np.float32))

    def one() -> None:
        frames = None
        until = time.monotonic() + PATIENCE
        while frames is None and time.monotonic() < until:
            frames = dialer.poll(1.0)
        work, parameters = m.decode(frames or [])
        if not isinstance(work, m.Work) or len(np.frombuffer(parameters or b"", np.float32)) != size // 4:
            raise RuntimeError("not what was sent")
        dialer.send(m.encode(m.Result(SESSION, work.round, work.attempt, 0, 8, 2.5, 100, 0.02, 0.5), payload))

    while not dialer.connected():
        dialer.poll(1.0)
    dialer.send(m.encode(m.Hello("benchmark", 1, "numerics")))
    tell.send(exchanged(count, one))
    dialer.close()


def measure(size: int, count: int, with_keys: bool) -> Point:
    """Send so many messages of `size` bytes to a process that answers each with as many."""
    keys = Keys.make() if with_keys else None
    payload = frame_of(np.ones(size // 4, np.float32))
    spawn = multiprocessing.get_context("spawn")
    told, tell = spawn.Pipe()
    with Listener("tcp://127.0.0.1:0", VECTOR, keys) as listener:
        process = spawn.Process(target=answer, args=(listener.address, keys, size, count, tell))
        process.start()
        (first,) = received(listener)
        listener.trust(first.peer)

        def one() -> None:
            work = m.Work(SESSION, 7, 8, m.WorkKind.TRAIN, 9, 0, 8, 64, 10)
            listener.send(first.peer, m.encode(work, payload))
            (came,) = received(listener)
            result, gradient = m.decode(came.frames)
            if not isinstance(result, m.Result) or len(np.frombuffer(gradient or b"", np.float32)) != size // 4:
                raise RuntimeError("not what was sent")
            listener.trust(came.peer)

        began = time.perf_counter()
        listening = exchanged(count, one)
        took = 1e6 * (time.perf_counter() - began) / (count + WARM)
        dialing: tuple[float, float] = told.recv()
        point = Point(size, with_keys, *listening, *dialing, took)
        process.join()
    return point


def received(listener: Listener) -> list[Received]:
    """Wait for messages."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if came := listener.poll(1.0):
            return came
    raise SystemExit("no answer")


def least(points: Sequence[Point]) -> Point:
    """Return the least of each time: what else the machine does only adds to them."""
    names = ("listener", "listener_io", "dialer", "dialer_io", "there_and_back")
    return replace(points[0], **{name: min(getattr(p, name) for p in points) for name in names})


def fit(points: list[Point]) -> dict[str, float]:
    """Return the constants of the lines: microseconds of a message, and nanoseconds of a byte."""
    sizes = np.array([p.size for p in points])
    found: dict[str, float] = {}
    for name, times in (
        ("message", [(p.listener + p.dialer) / 2 for p in points]),
        ("io", [(p.listener_io + p.dialer_io) / 2 for p in points]),
    ):
        rows = np.stack([np.ones(len(sizes)), sizes], 1)
        (constant, slope), *_ = np.linalg.lstsq(rows / np.array(times)[:, None], np.ones(len(times)), rcond=None)
        found |= {f"{name} us": float(constant), f"{name} ns a byte": 1000 * float(slope)}
    return found


def main() -> None:
    """Measure, fit and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", type=positive, nargs="+", default=list(PARTS), help="of a vector, in a message each")
    parser.add_argument("--messages", type=positive, default=300, help="each way, of each size, in each round")
    parser.add_argument("--rounds", type=positive, default=5, help="by turns, of which the least counts")
    parser.add_argument("--json", action="store_true", help="print one line of JSON")
    a = parser.parse_args()
    sizes = [VECTOR // 4 // n * 4 for n in a.parts]
    rounds = [[[measure(size, a.messages, keys) for size in sizes] for keys in (False, True)] for _ in range(a.rounds)]
    found = {keys: [least(points) for points in zip(*(r[keys] for r in rounds), strict=True)] for keys in (False, True)}
    constants = {keys: fit(points) for keys, points in found.items()}
    if a.json:
        rows = [asdict(p) for points in found.values() for p in points]
        print(json.dumps({"machine": facts(), "points": rows, "none": constants[False], "CURVE": constants[True]}))
        return
    print(", ".join(f"{name} {value}" for name, value in facts().items()), end="\n\n")
    print(
        "| bytes | keys | coordinator us | its I/O us | relay us | its I/O us | there and back us |"
        + "\n"
        + "|---" * 7
        + "|"
    )
    for keys, points in found.items():
        for p in points:
            times = (p.listener, p.listener_io, p.dialer, p.dialer_io, p.there_and_back)
            print(f"| {p.size:,} | {'CURVE' if keys else 'none'} | " + " | ".join(f"{t:.0f}" for t in times) + " |")
    for keys, line in constants.items():
        print("CURVE: " if keys else "none: ", ", ".join(f"{name} {value:.3g}" for name, value in line.items()))


if __name__ == "__main__":
    main()
