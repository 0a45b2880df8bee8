"""Work that is divided among processes which are forked from this one, one a core."""

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from engine.errors import GradsumError
from engine.system.cores import usable_cores
from engine.system.processes import signal_when_parent_ends

T = TypeVar("T")
R = TypeVar("R")


def in_parallel(work: Callable[[T], R], tasks: Sequence[T], processes: int | None = None) -> Iterator[R]:
    """Yield what `work` makes of each task, in their order; in this process where none can be forked.

    Raises what `work` raises, and GradsumError if a process is killed.
    """
    processes = min(processes or usable_cores(), len(tasks))
    if processes < 2 or "fork" not in multiprocessing.get_all_start_methods():
        yield from map(work, tasks)
        return
    forked = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(processes, forked, initializer=_begin, initargs=(os.getpid(),)) as pool:
        try:
            yield from pool.map(work, tasks)
        except BrokenProcessPool:
            raise GradsumError("a process that was at work was killed; is there too little memory?") from None
        finally:
            pool.shutdown(cancel_futures=True)


def _begin(parent: int) -> None:
    """Leave Ctrl-C to the parent, and end when it ends, even by kill -9."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal_when_parent_ends(signal.SIGKILL)
    if os.getppid() != parent:  # it has already ended, so that no signal will come
        os._exit(1)
