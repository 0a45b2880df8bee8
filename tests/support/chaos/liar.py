"""A worker that computes as it should and lies about it: `python -m tests.support.chaos.liar LIE STEP ADDRESS ...`.

From step STEP on it lies in every block. The other arguments are those of `python -m workers`. No two liars tell the
same lie, or they would be believed: two that agree are taken to be right.
"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from engine.launch.worker_options import add_worker_options, keys_of
from engine.system.blas import one_blas_thread
from engine.wire import Dialer
from engine.wire import messages as m
from engine.wire.messages import Frame
from workers.worker import Worker

LARGEST = 1 << 40  # bytes of a message


class Lie(StrEnum):
    """What becomes of a gradient."""

    MULTIPLY = "multiply"  # all values, by a million
    NAN = "nan"  # one value
    HUGE = "huge"  # all values are finite, and so large that no sum of squares is finite in float32
    BIT = "bit"  # the highest bit of the exponent of one value: 0.01 becomes 3e36


Gradient = NDArray[np.float32]


def _nan(gradient: Gradient, number: int) -> Gradient:
    gradient[number % len(gradient)] = np.nan
    return gradient


def _bit(gradient: Gradient, number: int) -> Gradient:
    chosen = np.argsort(np.abs(np.abs(gradient) - 0.01))[number % 10]
    gradient.view(np.uint32)[chosen] ^= 1 << 30
    return gradient


SPOIL: dict[Lie, Callable[[Gradient, int], Gradient]] = {
    Lie.MULTIPLY: lambda gradient, number: gradient * np.float32(1e6 + number),
    Lie.NAN: _nan,
    Lie.HUGE: lambda gradient, number: np.full_like(gradient, 3e38 - 1e32 * number),
    Lie.BIT: _bit,
}


class LyingDialer(Dialer):
    """Spoils the gradients that pass through it."""

    def __init__(self, lie: Lie, first: int, arguments: argparse.Namespace) -> None:
        super().__init__(arguments.address, LARGEST, keys_of(arguments))
        self._spoil = SPOIL[lie]
        self._first = first
        self._step = 0

    def poll(self, timeout: float) -> Sequence[Frame] | None:
        """Learn which step it is from what comes in."""
        frames = super().poll(timeout)
        if frames is not None and isinstance(work := m.decode(frames)[0], m.Work):
            self._step = work.step if work.kind is m.WorkKind.TRAIN else 0
        return frames

    def send(self, frames: Sequence[Frame]) -> None:
        """Send `frames`, with another gradient if it is time to lie."""
        message, payload = m.decode(frames)
        if isinstance(message, m.Result) and payload is not None and self._step >= self._first:
            lie = self._spoil(np.frombuffer(payload, np.float32).copy(), os.getpid())
            frames = m.encode(message, lie.tobytes())
        super().send(frames)


def main() -> int:
    """Work and lie until the coordinator has found out."""
    parser = argparse.ArgumentParser()
    parser.add_argument("lie", type=Lie)
    parser.add_argument("step", type=int)
    add_worker_options(parser, patience=60.0)
    arguments = parser.parse_args()
    with one_blas_thread():
        ended = Worker(LyingDialer(arguments.lie, arguments.step, arguments), arguments.patience).run()
    print(ended.reason, file=sys.stderr)
    return ended.code


if __name__ == "__main__":
    sys.exit(main())
