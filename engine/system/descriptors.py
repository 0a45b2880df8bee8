"""How many file descriptors, and so connections, this process may have."""

import resource

WANTED = 1 << 16


def descriptor_limit() -> int:
    """Return how many file descriptors this process may have; it may be lowered from outside at any time."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return WANTED if soft == resource.RLIM_INFINITY else soft


def raise_descriptor_limit() -> None:
    """Let this process have `WANTED` file descriptors, or as many as it may."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = WANTED if hard == resource.RLIM_INFINITY else min(WANTED, hard)
    if descriptor_limit() < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
