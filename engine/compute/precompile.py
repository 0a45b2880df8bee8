"""Compiles every kernel once, so that processes started later find them in the cache."""

import hashlib
import sys
from pathlib import Path

import numpy as np

from engine.compute import fingerprint
from engine.compute.program.program import Program
from engine.compute.program.weights import Weights
from engine.kernels import Array, Backend, choose
from engine.kernels.streams import Purpose, Stream
from engine.nn.layers import (
    AvgPool2d,
    Conv2d,
    Dense,
    Dropout,
    Flatten,
    Gelu,
    GlobalAvgPool,
    Layer,
    LayerNorm,
    LeakyRelu,
    MaxPool2d,
    Relu,
    Sigmoid,
    Silu,
    Softplus,
    Tanh,
)
from engine.nn.model import LOSSES, SQUARED_ERROR, Model
from engine.system.files import check_writable
from engine.system.places import kernels_folder, unwritable


def mark() -> Path:
    """Return the file that says that this program's kernels were compiled for this numba, Python and processor."""
    made_of = f"{fingerprint.fingerprint()} {sys.version} {fingerprint.PACKAGE}"
    return kernels_folder() / f"{hashlib.sha256(made_of.encode()).hexdigest()[:16]}.compiled"


def is_compiled() -> bool:
    """Tell whether processes started now will find the kernels compiled; others than numba's always are."""
    backend = choose()
    return backend.name != "numba" or (mark().exists() and backend.cached())


def compile_all() -> None:
    """Compile the kernels, which takes half a minute, and remember it; SettingsError if the cache cannot be written."""
    folder = kernels_folder()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        check_writable(folder)  # before it takes so long
        compile_kernels(choose())
        mark().touch()
    except OSError as error:
        raise unwritable(folder, error) from None


def compile_kernels(backend: Backend) -> bool:
    """Use every operation of `backend` once; return whether any had to be compiled, which takes half a minute.

    Later calls, in this or another process on this machine, return False within a second.
    """
    before = backend.compilations()
    for loss in LOSSES:
        for layers in _every_operation():
            _run(Model(layers, (12, 12, 1), loss), backend)
    _step(backend)
    _measure(backend)
    words = np.zeros(1, np.int64)
    backend.publish(words, 0, backend.look(words, 0))
    backend.philox((0, 0), (0, 0, 0, 0), np.empty(4, np.uint64))
    return backend.compilations() > before


def _every_operation() -> tuple[tuple[Layer, ...], ...]:
    """Return layers that need all operations: a stem, fused and lone Winograd; the general ones; the others."""
    fused = (Conv2d(8), MaxPool2d(), Conv2d(8, padding=1), MaxPool2d(), Conv2d(8, padding=1), Flatten(), Dense(2))
    general = (Conv2d(2, 5), Relu(), MaxPool2d(3), Gelu(), Dropout(0.5), Conv2d(2, 2), Flatten(), Dense(2))
    activations = (Tanh(), Sigmoid(), Silu(), LeakyRelu(), Softplus())
    averages = (Conv2d(2, 2), *activations, LayerNorm(), AvgPool2d(), GlobalAvgPool(), Dense(2))
    return fused, general, averages


def _run(model: Model, backend: Backend) -> None:
    weights = Weights(model.layout(), backend)
    program = Program(model, 2, 1, weights)
    vector = program.layout.zeros()
    program.layout.initialise(vector, 0)
    program.prepare(vector)
    images, labels = np.zeros((2, *model.shape), np.float32), np.zeros(2, np.int32)
    program.gradient(images, labels, [Stream(0, Purpose.MICROBATCH, fill=backend.philox)] * 2, program.layout.zeros())
    if model.loss == SQUARED_ERROR:
        values = np.zeros((2, model.classes), np.float32)
        program.gradient(images, values, (), program.layout.zeros())


def _step(backend: Backend) -> None:
    """Take a step of each optimizer, and the norm, with gradients of our own and read-only ones, as from a message."""
    w, m, v, g, work = np.zeros((5, 2), np.float32)
    received: Array = g.copy()
    received.flags.writeable = False
    for gradient in (g, received):
        backend.norm(gradient)
        backend.sgd(w, gradient, 1.0, 1.0, work)
        backend.momentum(w, m, gradient, 1.0, 1.0, 0.5, work)
        backend.adam(w, m, v, gradient, 1.0, 1.0, (0.5, 0.5), 1.0, work)


def _measure(backend: Backend) -> None:
    x = np.zeros(2, np.float32)
    backend.moments(x)
    backend.total(np.zeros(2))
    backend.histogram(x, 0.0, 1.0, np.zeros(1, np.int64))
