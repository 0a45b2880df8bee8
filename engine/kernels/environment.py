"""Which kernels compute, as the environment says it: so every process of a run knows."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from engine.errors import SettingsError

BACKEND = "GRADSUM_BACKEND"
SLOW = "GRADSUM_ALLOW_SLOW"  # "1": a processor without fused multiply-add may compute


def slow_allowed() -> bool:
    """Return whether the environment lets such a processor compute; SettingsError for what is neither yes nor no."""
    text = os.environ.get(SLOW) or "0"
    if text not in ("0", "1"):
        raise SettingsError(f"{SLOW} must be 1, or 0 as if it were not set, got {text!r:.60}")
    return text == "1"


@contextmanager
def using(name: str | None, allow_slow: bool = False) -> Iterator[None]:
    """Let this process, and those that it starts, compute with the kernels `name` within the block.

    None and False leave it to the environment as it is.
    """
    chosen = {BACKEND: name} if name else {}
    chosen |= {SLOW: "1"} if allow_slow else {}
    before = {variable: os.environ.get(variable) for variable in chosen}
    os.environ.update(chosen)
    try:
        yield
    finally:
        for variable, value in before.items():
            os.environ.pop(variable, None)
            os.environ.update({} if value is None else {variable: value})
