"""Outputs of a trained model for any number of samples, in any thread: compiled once, and kept."""

from contextlib import nullcontext
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.compute.program import Program, compile_model
from engine.data import Inputs, Normalisation
from engine.kernels import Backend, choose
from engine.kernels.rounding import check_rounding
from engine.nn.model import Model
from engine.nn.own.check import own_layers
from engine.nn.parameters import Vector
from engine.system.blas import one_blas_thread

CHUNK = 16  # samples evaluated at a time


class _Programs(NamedTuple):
    """What one thread needs at a time: programs for `CHUNK` samples and for one, and the parameters they have."""

    many: Program
    single: Program
    parameters: Vector


class Predictor:
    """Computes outputs; as many threads as like may ask at a time. Each has programs of its own meanwhile."""

    def __init__(self, model: Model, normalisation: Normalisation) -> None:
        self._model, self._normalisation = model, normalisation
        self._free: list[_Programs] = []  # append and pop are atomic

    def __reduce__(self) -> tuple[type["Predictor"], tuple[Model, Normalisation]]:
        """Leave compiled programs out of copies."""
        return Predictor, (self._model, self._normalisation)

    def logits(self, parameters: Vector, samples: Inputs) -> NDArray[np.float32]:
        """Return the outputs for samples, not normalised, float32 [N, outputs].

        A sample's do not depend on what comes with it. Where they would, each is computed by itself: bits of BLAS may
        depend on the place of a row in a matrix (of OpenBLAS with AVX2 they do), those of a person's own layers on
        anything. GradsumError as `check_rounding` does.
        """
        check_rounding()
        backend = choose()
        with one_blas_thread() if backend.own_bits else nullcontext():
            programs = self._take(backend, parameters)
            out = self._outputs(programs, samples, backend.own_bits or any(own_layers(self._model)))
            self._free.append(programs)
        return out

    def _take(self, backend: Backend, parameters: Vector) -> _Programs:
        """Return programs that nobody else uses, and that have `parameters`, which may have changed in place."""
        try:
            programs = self._free.pop()
        except IndexError:
            programs = None
        if programs is None or programs.many.weights.backend is not backend:
            many = compile_model(self._model, CHUNK, backend)
            single = compile_model(self._model, 1, like=many)
            programs = _Programs(many, single, many.layout.zeros())
        elif np.array_equal(programs.parameters.view(np.int32), parameters.view(np.int32)):
            return programs
        programs.many.prepare(parameters)
        np.copyto(programs.parameters, parameters)
        return programs

    def _outputs(self, programs: _Programs, samples: Inputs, apart: bool) -> NDArray[np.float32]:
        out = np.empty((len(samples), self._model.classes), np.float32)
        if apart or len(samples) == 1:
            for number in range(len(samples)):
                out[number] = programs.single.logits(self._normalisation.apply(samples[number : number + 1]))[0]
            return out
        padded = np.zeros((CHUNK, *self._model.shape), samples.dtype)
        for start in range(0, len(samples), CHUNK):
            some = samples[start : start + CHUNK]
            padded[: len(some)] = some
            out[start : start + len(some)] = programs.many.logits(self._normalisation.apply(padded))[: len(some)]
        return out
