"""Compiled programs with parameters and samples to try them on."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.compute.program import Program, compile_model
from engine.kernels import Array, Backend
from engine.kernels.streams import Stream
from engine.nn.model import Model
from engine.nn.parameters import Vector
from tests.support.reference import gradients


@dataclass(frozen=True)
class Case:
    """A prepared program and a micro-batch for it."""

    model: Model
    program: Program
    parameters: Vector
    images: Array
    labels: NDArray[np.int32]

    def gradient(self, *rngs: Stream) -> tuple[Vector, float, int]:
        """Return the gradient, loss and number correct."""
        out = self.program.layout.zeros()
        out[:] = np.nan  # whatever is there must not matter
        loss, correct = self.program.gradient(self.images, self.labels, rngs, out)
        return out, loss, correct


def case(model: Model, samples: int, kernels: Backend, seed: int = 0, microbatch: int | None = None) -> Case:
    """Return `model` compiled for one micro-batch, or several, with random parameters and samples."""
    program = compile_model(model, microbatch or samples, kernels, samples=samples)
    parameters, rng = program.layout.zeros(), np.random.default_rng(seed)
    program.layout.initialise(parameters, seed)
    images = rng.standard_normal((samples, *model.shape), np.float32)
    labels = rng.integers(0, model.classes, samples).astype(np.int32)
    program.prepare(parameters)
    return Case(model, program, parameters, images, labels)


def check_against_reference(c: Case) -> None:
    """Compare loss and gradient with double precision.

    A sum whose terms nearly cancel each other is only right to the rounding of these, hence the absolute part.
    Both sides round parameters and images alike, so what differs is the rounding of sums in float32: some 1e-7 of the
    largest value for each layer passed, and a few times more through Winograd's transforms and where hundreds of values
    are added one after the other; and, where the slopes of the outputs, which are below 1, cancel in all values of a
    layer, some 1e-8 of those.
    """
    out, loss, _ = c.gradient()
    exact = {name: array.astype(float) for name, array in c.program.layout.public(c.parameters)}
    want, slopes = gradients(c.model, exact, c.images.astype(float), c.labels)
    np.testing.assert_allclose(loss, want, rtol=1e-6)
    for name, array in c.program.layout.public(out):
        scale = np.abs(slopes[name]).max()
        np.testing.assert_allclose(array, slopes[name], rtol=0, atol=1e-5 * scale + 5e-7, err_msg=name)
