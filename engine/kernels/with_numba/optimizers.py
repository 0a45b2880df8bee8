"""Optimizer steps, compiled: one pass over the vectors."""

from math import sqrt

import numpy as np

from engine.kernels.table import Array
from engine.kernels.with_numba.jit import kernel


@kernel
def sgd(w: Array, out: Array, g: Array, scale: float, rate: float, work: Array) -> None:  # noqa: ARG001
    factor = np.float32(rate * scale)
    for k in range(w.size):
        out[k] = w[k] - factor * g[k]


@kernel
def momentum(
    w: Array,
    out: Array,
    velocity: Array,
    g: Array,
    scale: float,
    rate: float,
    mu: float,
    work: Array,  # noqa: ARG001
) -> None:
    keep, factor, lr = np.float32(mu), np.float32(scale), np.float32(rate)
    for k in range(w.size):
        velocity[k] = keep * velocity[k] + factor * g[k]
        out[k] = w[k] - lr * velocity[k]


@kernel
def nesterov(
    w: Array,
    out: Array,
    velocity: Array,
    g: Array,
    scale: float,
    rate: float,
    mu: float,
    work: Array,  # noqa: ARG001
) -> None:
    keep, factor, lr, ahead = np.float32(mu), np.float32(scale), np.float32(rate), np.float32(rate * mu)
    for k in range(w.size):
        gradient = factor * g[k]
        velocity[k] = keep * velocity[k] + gradient
        out[k] = w[k] - lr * gradient - ahead * velocity[k]


@kernel
def rmsprop(
    w: Array,
    out: Array,
    v: Array,
    g: Array,
    scale: float,
    rate: float,
    alpha: float,
    eps: float,
    work: Array,  # noqa: ARG001
) -> None:
    factor, lr, epsilon = np.float32(scale), np.float32(rate * scale), np.float32(eps)
    keep, new = np.float32(alpha), np.float32(1 - alpha)
    for k in range(w.size):
        gradient = factor * g[k]
        v[k] = keep * v[k] + new * (gradient * gradient)
        out[k] = w[k] - lr * (g[k] / (np.float32(sqrt(v[k])) + epsilon))


@kernel
def adam(
    w: Array,
    out: Array,
    m: Array,
    v: Array,
    g: Array,
    scale: float,
    rate: float,
    betas: tuple[float, float],
    eps: float,
    work: Array,  # noqa: ARG001
) -> None:
    factor, lr, epsilon = np.float32(scale), np.float32(rate), np.float32(eps)
    keep1, keep2 = np.float32(betas[0]), np.float32(betas[1])
    new1, new2 = np.float32(1 - betas[0]), np.float32(1 - betas[1])
    for k in range(w.size):
        gradient = factor * g[k]
        m[k] = keep1 * m[k] + new1 * gradient
        v[k] = keep2 * v[k] + new2 * (gradient * gradient)
        out[k] = w[k] - lr * (m[k] / (np.float32(sqrt(v[k])) + epsilon))
