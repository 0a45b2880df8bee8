"""Optimizers, schedules, clipping and the loss beside PyTorch's, where it is installed."""

from typing import Any

import numpy as np
import pytest

from engine.compute.program import compile_model
from engine.kernels import choose
from engine.nn.layers import Dense
from engine.nn.loss_options import LossOptions
from engine.nn.model import Model
from engine.nn.optimizers import optimizer_from
from engine.nn.schedule import Schedule
from tests.support.backends import normal

torch: Any = pytest.importorskip("torch")
SIZE, STEPS = 50, 12


def ours_and_theirs(name: str, theirs: Any, **settings: float) -> tuple[Any, Any]:
    """Return the parameters after some steps, ours and PyTorch's, with the same gradients."""
    w = normal(SIZE)
    parameter = torch.nn.Parameter(torch.tensor(w.copy()))
    optimizer = theirs([parameter])
    state = optimizer_from(name, **settings).start(SIZE, choose("numpy"))
    for step in range(STEPS):
        g = normal(SIZE, seed=step + 1)
        state.step(w, g * np.float32(8), 1 / 8)
        parameter.grad = torch.tensor(g)
        optimizer.step()
    return w, parameter.detach().numpy()


OPTIMIZERS: dict[str, Any] = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.05, weight_decay=0.1),
    "momentum": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, weight_decay=0.1),
    "nesterov": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, nesterov=True, weight_decay=0.1),
    "rmsprop": lambda p: torch.optim.RMSprop(p, lr=0.05, alpha=0.99, weight_decay=0.1),
    "adam": lambda p: torch.optim.Adam(p, lr=0.05, weight_decay=0.1),
    "adamw": lambda p: torch.optim.AdamW(p, lr=0.05, weight_decay=0.1),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_optimizer(name: str) -> None:
    ours, theirs = ours_and_theirs(name, OPTIMIZERS[name], lr=0.05, weight_decay=0.1)
    np.testing.assert_allclose(ours, theirs, rtol=2e-5, atol=2e-6)


SCHEDULES: dict[str, tuple[Schedule, Any]] = {
    "cosine": (
        Schedule("cosine", 0.4, 20, min_lr=0.1),
        lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, 20, eta_min=0.1),
    ),
    "linear": (
        Schedule("linear", 0.4, 20, min_lr=0.1),
        lambda o: torch.optim.lr_scheduler.LinearLR(o, 1.0, 0.25, total_iters=20),
    ),
    "step": (
        Schedule("step", 0.4, 20, decay_every=6, decay_factor=0.5),
        lambda o: torch.optim.lr_scheduler.StepLR(o, 6, 0.5),
    ),
    "onecycle": (
        Schedule("onecycle", 0.4, 20),
        lambda o: torch.optim.lr_scheduler.OneCycleLR(o, 0.4, total_steps=20, cycle_momentum=False),
    ),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_schedule(name: str) -> None:
    ours, make = SCHEDULES[name]
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.4)
    scheduler = make(optimizer)
    for step in range(1, 20):
        assert ours.rate(step) == pytest.approx(scheduler.get_last_lr()[0], rel=1e-6), f"step {step}"
        optimizer.step()
        scheduler.step()


@pytest.mark.parametrize("clip", [0.01, 1.0, 100.0])
def test_clipping(clip: float) -> None:
    g = normal(SIZE)
    parameter = torch.nn.Parameter(torch.zeros(SIZE))
    parameter.grad = torch.tensor(g.copy())
    norm = float(torch.nn.utils.clip_grad_norm_([parameter], clip))
    assert choose("numpy").norm(g) == pytest.approx(norm, rel=1e-6)
    scale = clip / norm if norm > clip else 1.0
    np.testing.assert_allclose(g * np.float32(scale), parameter.grad.numpy(), rtol=1e-4)


def test_label_smoothing_and_its_gradient() -> None:
    program = compile_model(Model((Dense(5),), (3,)), 8, choose("numpy"), options=LossOptions(0.2))
    vector, out = program.layout.zeros(), program.layout.zeros()
    vector[:] = normal(vector.size)
    program.prepare(vector)
    x, labels = normal(8, 3, seed=1), np.arange(8, dtype=np.int32) % 5
    loss, _ = program.gradient(x, labels, (), out)
    weights = torch.tensor(program.layout.view(vector, "fc1.weights").copy(), requires_grad=True)
    bias = torch.tensor(program.layout.view(vector, "fc1.bias").copy(), requires_grad=True)
    logits = torch.tensor(x) @ weights.T + bias
    theirs = torch.nn.functional.cross_entropy(
        logits, torch.tensor(labels).long(), label_smoothing=0.2, reduction="sum"
    )
    theirs.backward()
    assert loss == pytest.approx(theirs.item(), rel=1e-5)
    np.testing.assert_allclose(program.layout.view(out, "fc1.weights"), weights.grad.numpy(), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(program.layout.view(out, "fc1.bias"), bias.grad.numpy(), rtol=1e-4, atol=1e-5)
