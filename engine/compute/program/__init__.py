"""Compiles a model for one number of samples: fused operations, every buffer allocated once, forward and backward."""

from collections.abc import Collection

from engine.compute.program.buffers import Workspace
from engine.compute.program.inspection import OperationInfo
from engine.compute.program.program import Program
from engine.compute.program.weights import Weights
from engine.kernels import Backend, choose
from engine.nn.loss_options import LossOptions
from engine.nn.model import Model

__all__ = ["OperationInfo", "Program", "Workspace", "compile_model"]


def compile_model(
    model: Model,
    microbatch: int,
    backend: Backend | None = None,
    like: Program | None = None,
    samples: int | None = None,
    options: LossOptions | None = None,
    frozen: Collection[str] = (),
    workspace: Workspace | None = None,
) -> Program:
    """Return `model` compiled for one micro-batch, on `backend` (default: `kernels.choose()`).

    With `samples` it is for that many, in micro-batches; the last may be smaller. A program `like` another one of the
    same model shares its backend, its prepared parameters and its options. `frozen`: names of layers whose parameters
    have a gradient of 0, of which none is computed where nothing before them is trained. Programs with the same
    `workspace` take less memory, and only one of them may run at a time.
    ModelError for a layer that no operation can do; ValueError for a micro-batch below 1.
    """
    samples = microbatch if samples is None else samples
    if like is not None:
        return Program(model, samples, microbatch, like.weights, like.options, workspace)
    weights = Weights(model.layout(), backend or choose(), frozen)
    return Program(model, samples, microbatch, weights, options, workspace)
