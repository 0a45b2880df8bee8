"""Compiles every kernel once, so that processes started later find them in the cache."""

import hashlib
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

from engine import numerics
from engine.data.cache import default_folder
from engine.kernels import Array, Backend, choose
from engine.layers import Conv2d, Dense, Dropout, Flatten, Gelu, Layer, MaxPool2d, Relu
from engine.model import LOSSES, Model
from engine.program.program import Program
from engine.program.weights import Weights


def ensure_compiled(status: Callable[[str], None]) -> None:
    """Compile the kernels if this machine has not done so yet, so that processes that start together need not.

    Says so to `status`. A mark in the cache folder remembers that it was done, for this program, numba and processor.
    """
    if choose().name == "numpy":
        return
    made_of = f"{numerics.fingerprint()} {sys.version} {Path(__file__).parent}"
    mark = default_folder() / f"kernels-{hashlib.sha256(made_of.encode()).hexdigest()[:16]}.compiled"
    if not mark.exists():
        status("compiling kernels, once on this machine: this takes about half a minute")
        warm(choose())
        mark.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        mark.touch()


def warm(backend: Backend) -> bool:
    """Use every operation of `backend` once; return whether any had to be compiled, which takes half a minute.

    Later calls, in this or another process on this machine, return False within a second.
    """
    before = backend.compilations()
    for loss in LOSSES:
        for layers in _every_operation():
            _run(Model(layers, (12, 12, 1), loss), backend)
    _step(backend)
    return backend.compilations() > before


def _every_operation() -> tuple[tuple[Layer, ...], ...]:
    """Return layers that need all operations: a stem, fused and lone Winograd; then the general ones."""
    fused = (Conv2d(8), MaxPool2d(), Conv2d(8, padding=1), MaxPool2d(), Conv2d(8), Flatten(), Dense(2))
    general = (Conv2d(2, 5), Relu(), MaxPool2d(3), Gelu(), Dropout(0.5), Conv2d(2, 2), Flatten(), Dense(2))
    return fused, general


def _run(model: Model, backend: Backend) -> None:
    weights = Weights(model.layout(), backend)
    program = Program(model, 2, backend, weights)
    vector = program.layout.zeros()
    program.layout.initialise(vector, 0)
    program.prepare(vector)
    images, labels = np.zeros((2, *model.shape), np.float32), np.zeros(2, np.int32)
    program.gradient(images, labels, np.random.default_rng(0), program.layout.zeros())


def _step(backend: Backend) -> None:
    """Take a step of each optimizer, with gradients of our own and read-only ones, as from a message."""
    w, m, v, g, work = np.zeros((5, 2), np.float32)
    received: Array = g.copy()
    received.flags.writeable = False
    for gradient in (g, received):
        backend.sgd(w, gradient, 1.0, 1.0, work)
        backend.momentum(w, m, gradient, 1.0, 1.0, 0.5, work)
        backend.adam(w, m, v, gradient, 1.0, 1.0, (0.5, 0.5), 1.0, work)
