"""Binds worker processes to processor cores."""

import contextlib
import os


def pin(pid: int, number: int, count: int) -> None:
    """Bind worker `number` of `count` to one core, if the workers can share the cores evenly.

    The workers of a round are woken within microseconds of each other; left to the scheduler, two may share a core for
    some milliseconds while another core is idle.
    """
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        if count % len(cores) == 0:
            with contextlib.suppress(ProcessLookupError):  # it has ended already, and will be replaced
                os.sched_setaffinity(pid, {cores[number % len(cores)]})
