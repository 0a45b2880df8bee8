"""Work on many things, several at a time where that is faster, with the results in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from engine.system.cores import usable_cores

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_order(work: Callable[[Item], Result], items: Iterable[Item], threads: int = 0) -> Iterator[Result]:
    """Yield `work` of each item, in their order, by `threads` threads, by default as many as there are cores.

    Items are taken as they are needed, so neither they nor the results fill memory.
    """
    threads = threads or usable_cores()
    if threads == 1:
        yield from map(work, items)
        return
    with ThreadPoolExecutor(threads, "pictures") as pool:
        waiting: deque[Future[Result]] = deque()
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) > 2 * threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
