"""Processor time of the coordinator for each worker and step, with workers that compute nothing.

One other process plays all local workers: it writes real gradients into shared memory, adds them as workers do, and
answers at once. What is left is what the coordinator itself does: messages, scheduling, additions, the norm and ADAM.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from math import isfinite
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.arguments import positive
from engine.compute import tree
from engine.compute.job import Job
from engine.compute.sums import Sums
from engine.coordinator.config import Config, Environment
from engine.coordinator.coordinator import Coordinator
from engine.coordinator.policy import Policy
from engine.data import Normalisation
from engine.kernels import choose
from engine.launch.rendezvous import SOCKET, rendezvous_folder
from engine.nn.built_in import letters
from engine.nn.optimizers import Adam
from engine.nn.parameters import norm
from engine.system.clock import MONOTONIC
from engine.wire import Listener, dialer_for
from engine.wire import messages as m
from engine.wire.dialers import local_address
from engine.wire.shared_memory import SharedMemory, shared_memory_for
from workers.addition import Additions
from workers.shared_memory import WorkerMemory

MODEL = letters()
SIZE = MODEL.layout().size
MICROBATCH, LARGEST, WARM_UP, BLOCKS, PATIENCE = 16, 1 << 24, 20, 10, 60.0


class FakeWorker:
    """A worker's part in the protocol; its gradients are there beforehand, one a slot."""

    def __init__(self, address: str, memory: WorkerMemory, number: int) -> None:
        self._memory = memory
        self._additions = Additions(memory, choose())
        self._dialer = dialer_for(address, LARGEST)
        self._number = number
        self.over = False
        memory.open(SIZE)
        rng = np.random.default_rng(number)
        for slot in (1, 2):
            memory.gradient(slot)[:] = rng.standard_normal(SIZE, np.float32) * 1e-3

    def act(self) -> bool:
        """Deal with one message, and return whether there was one."""
        frames = self._dialer.poll(0)
        if self._dialer.connected():
            self._say(m.Hello("box", 100_000 + self._number, "", self._memory.token))
        if frames is None:
            return False
        message, _ = m.decode(frames)
        match message:
            case m.Welcome():
                self._say(m.Ready(message.session, MODEL.layout().digest))
            case m.Work():
                self._work(message)
            case m.Stop():
                self.over = True
        return True

    def _work(self, work: m.Work) -> None:
        place = work.sums
        for slot, block in enumerate(tree.cover(work.start, work.stop, work.total), work.slot):
            gradient = self._memory.gradient(slot)
            gradient *= np.float32(1)  # written anew: it is in this core's cache, as after computing
            formed = self._additions.add_up(work, block, slot, place) if place else 0
            where = (place, formed) if formed else (0, 0)
            self._say(m.Result(work.session, work.round, work.attempt, *block, 1.0, 0, 1e-3, 0.0, slot, *where))
            place += formed

    def _say(self, message: m.Message) -> None:
        self._dialer.send(m.encode(message))


def play(address: str, count: int, descriptor: int) -> None:
    """Be `count` workers, until the coordinator stops all."""
    workers = [FakeWorker(address, WorkerMemory(descriptor, number, count), number) for number in range(count)]
    while not all(worker.over for worker in workers):
        acted = [worker.act() for worker in workers]
        if not any(acted):
            time.sleep(0.0001)


class Nobody:
    """In place of what looks after worker processes."""

    def look(self) -> list[int]:
        """Replace nobody."""
        return []

    def useful(self, pid: int) -> None:
        """Note nothing."""

    def suspect(self, host: str, pid: int) -> None:
        """Note nothing."""

    def trust(self, host: str, pid: int) -> None:
        """Note nothing."""


def disagree(*_: object) -> Sums:
    """Take the place of what decides when workers disagree."""
    raise RuntimeError("workers disagree")


@contextmanager
def coordinator_of(count: int, kind: str) -> Iterator[tuple[Coordinator, SharedMemory]]:
    """Set up a coordinator with `count` workers that compute nothing, and the memory that they share."""
    job = Job(MODEL, "0" * 64, Normalisation((0.0,), (1.0,)), MICROBATCH * count, MICROBATCH, 1, augment=False)
    with rendezvous_folder() as folder, shared_memory_for(count, wanted=True) as shared_memory:
        if shared_memory is None:
            sys.exit("this system has no memory to share")
        shared_memory.open(SIZE)
        address = local_address(folder / SOCKET, kind)
        with Listener(address, LARGEST) as listener, _players(address, count, shared_memory):
            config = Config(job, MICROBATCH * count * 100, 1, b"", "session", "", Policy(twice=0))
            environment = Environment(
                listener, Nobody(), MONOTONIC, lambda _: None, lambda: False, disagree, shared_memory
            )
            coordinator = Coordinator(config, environment)
            coordinator.gather(count)
            yield coordinator, shared_memory
            coordinator.close()


@contextmanager
def _players(address: str, count: int, shared_memory: SharedMemory) -> Iterator[None]:
    command = [sys.executable, "-m", "benchmarks.coordinator", "--play", address, str(count)]
    command.append(str(shared_memory.descriptor))
    process = subprocess.Popen(command, pass_fds=[shared_memory.descriptor], cwd=Path(__file__).parents[1])
    try:
        yield
        process.wait(PATIENCE)
    finally:
        process.kill()
        process.wait()


def measure(count: int, steps: int, kind: str) -> dict[str, float]:
    """Return microseconds of processor time a step, of the coordinator's thread and of its other threads.

    They are medians over `BLOCKS` blocks of steps: on a busy machine all that runs beside it makes it slower.
    """
    out, optimizer = MODEL.layout().zeros(), Adam().start(SIZE)
    times: list[tuple[float, float]] = []
    with coordinator_of(count, kind) as (coordinator, shared_memory):
        MODEL.layout().initialise(shared_memory.parameters(0), 1)
        for step in range(1, WARM_UP + steps + 1):
            if step > WARM_UP and (step - WARM_UP - 1) % (steps // BLOCKS) == 0:
                times.append((time.thread_time(), time.process_time()))
            before, after = (shared_memory.parameters(version) for version in (step - 1, step))
            gradient = coordinator.start(step, before, out).result().gradient
            if gradient is None or not isfinite(norm(gradient)):
                raise RuntimeError(f"the sum of step {step} is not finite")
            optimizer.step(before, gradient, 1 / (MICROBATCH * count), after)
    scale = 1e6 / (steps // BLOCKS)
    own = scale * median(after[0] - before[0] for before, after in pairwise(times))
    every = scale * median(after[1] - before[1] for before, after in pairwise(times))
    return {"workers": count, "main": own, "others": every - own, "a worker": own / count}


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table, or JSON."""
    parser = argparse.ArgumentParser(prog="benchmarks.coordinator", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--workers", type=positive, nargs="+", default=[2, 16, 32], metavar="N", help="how many")
    parser.add_argument("--steps", type=positive, default=500, metavar="N", help="steps that are measured")
    parser.add_argument("--local", choices=("unix", "zmq"), default="unix", help="how workers are connected")
    parser.add_argument("--json", action="store_true", help="print one line of JSON")
    parser.add_argument("--play", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.play:
        play(options.play[0], int(options.play[1]), int(options.play[2]))
        return
    found = [measure(count, options.steps, options.local) for count in options.workers]
    if options.json:
        print(json.dumps(found))
        return
    print("workers | coordinator's thread us a step | other threads | us a worker and step")
    for row in found:
        print(f"{row['workers']:7.0f} | {row['main']:30.0f} | {row['others']:13.0f} | {row['a worker']:20.1f}")


if __name__ == "__main__":
    main()
