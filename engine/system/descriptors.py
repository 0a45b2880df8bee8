"""How many file descriptors, and so connections, this process may have, and which of them a forked one keeps."""

import contextlib
import fcntl
import math
import os
import resource
import select
from collections.abc import Sequence
from pathlib import Path

from engine.errors import UsageError

HERE = Path("/dev/fd")
WANTED = 1 << 16
RELAY, RELAYED = 48, 5  # file descriptors of a relay, and of it for each of its processes


def descriptor_limit() -> int:
    """Return how many file descriptors this process may have; it may be lowered from outside at any time."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return WANTED if soft == resource.RLIM_INFINITY else soft


def raise_descriptor_limit() -> None:
    """Let this process have `WANTED` file descriptors, or as many as it may."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = WANTED if hard == resource.RLIM_INFINITY else min(WANTED, hard)
    if descriptor_limit() < wanted:
        with contextlib.suppress(ValueError, OSError):  # macOS has a further limit
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def need_descriptors(more: int, what: str) -> None:
    """Raise the limit, and UsageError if this process may then not open `more` files, which `what` needs."""
    raise_descriptor_limit()
    there, used = descriptor_limit(), len(list(HERE.iterdir()))
    if used + more > there:
        raise UsageError(
            f"{what} needs {used + more} file descriptors, and this process may have {there}; start fewer workers, or "
            f"raise the limit first (ulimit -n {used + more})"
        )


def need_for_relay(processes: int) -> None:
    """Make sure that a relay with so many processes can be; raises as `need_descriptors`."""
    need_descriptors(RELAY + RELAYED * processes, f"a relay with {processes} processes")


def relayed_within(limit: int) -> int:
    """Return how many processes a relay can have with `limit` file descriptors: for each as many as a coordinator."""
    return max(0, limit - RELAY) // RELAYED


def readable(descriptor: int, timeout: float | None, or_writable: bool = False) -> bool:
    """Wait up to `timeout` seconds (None: for good) until something can be read, or what was written to is closed.

    `or_writable`: or until something can be written. Unlike `select.select` this takes descriptors above 1023.
    """
    poll = select.poll()
    poll.register(descriptor, select.POLLIN | (select.POLLOUT if or_writable else 0))
    return bool(poll.poll(None if timeout is None else max(0, math.ceil(1000 * timeout))))  # less than 0: for good


def writable(descriptor: int, timeout: float) -> bool:
    """Wait up to `timeout` seconds until something can be written, or there is nobody left to read it."""
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    return bool(poll.poll(math.ceil(1000 * timeout)))


def keep(descriptors: Sequence[int], numbers: Sequence[int]) -> None:
    """Give each of the descriptors its number, and close all others of this process."""
    # First out of the way, as one may have the number that another is to have.
    lifted = [fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, max(numbers) + 1) for descriptor in descriptors]
    for number in [int(place.name) for place in HERE.iterdir()]:
        if number not in lifted:
            with contextlib.suppress(OSError):  # the one by which they were listed
                os.close(number)
    for descriptor, number in zip(lifted, numbers, strict=True):
        os.dup2(descriptor, number)
        os.close(descriptor)
