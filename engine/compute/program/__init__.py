"""Compiles a model for one number of samples: fused operations, every buffer allocated once, forward and backward."""

from engine.compute.program.inspection import OperationInfo
from engine.compute.program.program import Program
from engine.compute.program.weights import Weights
from engine.kernels import Backend, choose
from engine.nn.model import Model

__all__ = ["OperationInfo", "Program", "compile_model"]


def compile_model(
    model: Model,
    microbatch: int,
    backend: Backend | None = None,
    like: Program | None = None,
    samples: int | None = None,
) -> Program:
    """Return `model` compiled for one micro-batch, on `backend` (default: `kernels.choose()`).

    With `samples` it is for that many, in micro-batches; the last may be smaller. A program `like` another one of the
    same model shares its backend and its prepared parameters. ModelError for a layer that no operation can do;
    ValueError for a micro-batch below 1.
    """
    weights = like.weights if like is not None else Weights(model.layout(), backend or choose())
    return Program(model, microbatch if samples is None else samples, microbatch, weights)
