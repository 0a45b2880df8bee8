"""Optimizer steps in numpy, piece by piece, so that temporaries stay small and in cache."""

from collections.abc import Iterator

import numpy as np

from engine.kernels.table import Array


def sgd(w: Array, out: Array, g: Array, scale: float, rate: float, work: Array) -> None:
    factor = np.float32(rate * scale)
    for w_, out_, g_, change in _pieces(work, w, out, g):
        np.multiply(g_, factor, out=change)
        np.subtract(w_, change, out=out_)


def momentum(
    w: Array, out: Array, velocity: Array, g: Array, scale: float, rate: float, mu: float, work: Array
) -> None:
    for w_, out_, velocity_, g_, change in _pieces(work, w, out, velocity, g):
        np.multiply(velocity_, np.float32(mu), out=velocity_)
        np.multiply(g_, np.float32(scale), out=change)
        np.add(velocity_, change, out=velocity_)
        np.multiply(velocity_, np.float32(rate), out=change)
        np.subtract(w_, change, out=out_)


def nesterov(
    w: Array, out: Array, velocity: Array, g: Array, scale: float, rate: float, mu: float, work: Array
) -> None:
    for w_, out_, velocity_, g_, change in _pieces(work, w, out, velocity, g):
        np.multiply(velocity_, np.float32(mu), out=velocity_)
        np.multiply(g_, np.float32(scale), out=change)
        np.add(velocity_, change, out=velocity_)
        np.multiply(change, np.float32(rate), out=change)
        np.subtract(w_, change, out=out_)
        np.multiply(velocity_, np.float32(rate * mu), out=change)
        np.subtract(out_, change, out=out_)


def rmsprop(
    w: Array, out: Array, v: Array, g: Array, scale: float, rate: float, alpha: float, eps: float, work: Array
) -> None:
    for w_, out_, v_, g_, change in _pieces(work, w, out, v, g):
        np.multiply(g_, np.float32(scale), out=change)
        np.multiply(change, change, out=change)
        _average(v_, change, alpha)
        np.sqrt(v_, out=change)
        np.add(change, np.float32(eps), out=change)
        np.divide(g_, change, out=change)
        np.multiply(change, np.float32(rate * scale), out=change)
        np.subtract(w_, change, out=out_)


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
    work: Array,
) -> None:
    beta1, beta2 = betas
    for w_, out_, m_, v_, g_, change in _pieces(work, w, out, m, v, g):
        np.multiply(g_, np.float32(scale), out=change)
        _average(m_, change, beta1)
        np.multiply(g_, np.float32(scale), out=change)
        np.multiply(change, change, out=change)
        _average(v_, change, beta2)
        np.sqrt(v_, out=change)
        np.add(change, np.float32(eps), out=change)
        np.divide(m_, change, out=change)
        np.multiply(change, np.float32(rate), out=change)
        np.subtract(w_, change, out=out_)


def _average(mean: Array, value: Array, beta: float) -> None:
    """Mean = beta * mean + (1 - beta) * value; destroys `value`."""
    np.multiply(mean, np.float32(beta), out=mean)
    np.multiply(value, np.float32(1 - beta), out=value)
    np.add(mean, value, out=mean)


def _pieces(work: Array, *vectors: Array) -> Iterator[tuple[Array, ...]]:
    """Yield the vectors in pieces no larger than `work`, each followed by scratch of its size."""
    for start in range(0, vectors[0].size, work.size):
        pieces = tuple(vector[start : start + work.size] for vector in vectors)
        yield *pieces, work[: pieces[0].size]
