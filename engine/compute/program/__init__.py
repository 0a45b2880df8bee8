"""Compiles a model for one micro-batch size: fused operations, every buffer allocated once, forward and backward."""

from collections.abc import Collection

from engine.compute.program.inspection import OperationInfo
from engine.compute.program.program import Program
from engine.compute.program.weights import Weights
from engine.kernels import Backend, choose
from engine.nn.loss_options import LossOptions
from engine.nn.model import Model

__all__ = ["OperationInfo", "Program", "compile_model"]


def compile_model(
    model: Model,
    microbatch: int,
    backend: Backend | None = None,
    like: Program | None = None,
    options: LossOptions | None = None,
    frozen: Collection[str] = (),
) -> Program:
    """Return `model` compiled for exactly `microbatch` samples, on `backend` (default: `kernels.choose()`).

    A program `like` another one of the same model shares its backend, its prepared parameters and its options.
    `frozen`: names of layers whose parameters have a gradient of 0, of which none is computed where nothing before
    them is trained. ModelError for a layer that no operation can do; ValueError for a micro-batch below 1.
    """
    if like is not None:
        return Program(model, microbatch, like.weights.backend, like.weights, like.options)
    backend = backend or choose()
    return Program(model, microbatch, backend, Weights(model.layout(), backend, frozen), options)
