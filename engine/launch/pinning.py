"""Binds worker processes to processor cores, and the coordinator to what they leave."""

import contextlib
import logging
import os
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from engine.system.cores import allowed, in_order, quota

logger = logging.getLogger("gradsum.launch")


def assign(count: int, cpus: Sequence[int], taken: Collection[int] = ()) -> list[int]:
    """Return the processor of each of `count` workers; empty if they are better left to the scheduler.

    `cpus` are in the order in which they are given away; `taken` are those to which other processes are bound. Workers
    get one each while there are enough, or all processors the same number of workers.
    """
    free = [cpu for cpu in cpus if cpu not in taken]
    if count <= len(free):
        return free[:count]
    return [] if count % len(cpus) else [cpus[number % len(cpus)] for number in range(count)]


def bound_elsewhere(proc: Path = Path("/proc")) -> set[int]:
    """Return the processors to each of which some process is bound alone: workers of another run, as a rule."""
    found = set()
    for status in proc.glob("[0-9]*/status"):
        with contextlib.suppress(OSError):  # it has ended
            fields = dict(line.split(":", 1) for line in status.read_text(errors="replace").splitlines() if ":" in line)
            cpus = fields.get("Cpus_allowed_list", "").strip()
            if cpus.isdecimal() and "VmSize" in fields:  # the kernel's own threads have no memory
                found.add(int(cpus))
    return found


def bind(pid: int, cpus: Collection[int]) -> None:
    """Bind a process, 0 for this one, to processors, if it can be: that is only for speed.

    The process may have ended already, or a cgroup may have lost the processors since they were given away.
    """
    try:
        os.sched_setaffinity(pid, cpus)
    except OSError as error:
        logger.debug("process %d cannot be bound to processors %s: %s", pid or os.getpid(), sorted(cpus), error)


class Pinning:
    """The processors of `count` workers, decided once; where binding is impossible or of no use it does nothing.

    The workers of a round are woken within microseconds of each other; left to the scheduler, two may share a core for
    some milliseconds while another core is idle. Under a cgroup's quota none is bound: which cores other processes of
    the group use is not known, and a bound one cannot make way for them. `taken` are the processors that others use
    alone, by default those to which processes are bound.
    """

    def __init__(self, count: int, taken: Collection[int] | None = None) -> None:
        self._workers: list[int] = []
        if hasattr(os, "sched_setaffinity") and count and quota() is None:
            cpus = in_order()
            taken = bound_elsewhere() if taken is None else taken
            self._workers = assign(count, cpus, taken)
            self._spare = {cpu for cpu in cpus if cpu not in self._workers and cpu not in taken}

    def cpu(self, number: int) -> int | None:
        """Return the processor of worker `number`, None if it is left to the scheduler."""
        return self._workers[number] if self._workers else None

    def pin(self, pid: int, number: int) -> None:
        """Bind the process of worker `number`."""
        if (cpu := self.cpu(number)) is not None:
            bind(pid, {cpu})

    @contextmanager
    def kept_off(self) -> Iterator[None]:
        """Keep this thread, and those that it starts meanwhile, off the workers' processors while there are others."""
        if not (self._workers and self._spare):
            yield
            return
        before = allowed()
        bind(0, self._spare)
        try:
            yield
        finally:
            bind(0, before)
