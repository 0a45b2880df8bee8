"""Metrics that a person wrote: functions of the answers of a validation, counted class by class."""

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from engine.errors import ModelError, OwnCodeError
from engine.nn.own.blame import blaming, line_of

Metric = Callable[[NDArray[Any]], float]
M = TypeVar("M", bound=Metric)

OWN_METRICS: dict[str, Metric] = {}


def own_metric(function: M) -> M:
    """Let a function be a metric of every validation.

    It takes the counts, int64 [K, K], of how many samples of class i were taken for class j, and returns a number.
    """
    name, before = function.__name__, OWN_METRICS.get(function.__name__)
    if before and before.__module__ != function.__module__:
        raise ModelError(f"there is a metric {name} already: give yours another name")
    OWN_METRICS[name] = function
    return function


def measured(confusion: NDArray[np.int64]) -> dict[str, float]:
    """Return what each metric makes of these counts; OwnCodeError if one fails, or returns no number."""
    found: dict[str, float] = {}
    for name, function in OWN_METRICS.items():
        with blaming(f"metric {name}"):
            value = function(confusion.copy())
        if not isinstance(value, int | float | np.number):
            raise OwnCodeError(f"{line_of(function)}metric {name} must return a number, got {type(value).__name__}")
        found[name] = float(value)
    return found


def check_metrics(outputs: int) -> None:
    """Raise OwnCodeError if a metric cannot be had of so many outputs."""
    measured(np.random.default_rng(0).integers(0, 9, (outputs, outputs)))
