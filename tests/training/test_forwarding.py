"""Reporters that pass everything on to another one, and stop when it asks for that."""

import inspect
from typing import Any

import pytest

import engine
from engine.coordinator.source import WorkerReport
from engine.errors import UsageError
from engine.training.forwarding import ForwardingReporter
from engine.training.reporter import Reporter, StepReport
from tests.support.command import save_data

RUN: dict[str, Any] = {"batch_size": 4, "microbatch": 2, "workers": 0, "db": "r.db", "out": "out"}


@pytest.fixture(autouse=True)
def backend(numpy_kernels: None) -> None:
    """Use numpy's kernels."""


EVENTS = [name for name, _ in inspect.getmembers(Reporter, inspect.isfunction) if name != "stop"]


@pytest.mark.parametrize("event", EVENTS)
def test_everything_is_passed_on(event: str) -> None:
    heard: list[object] = []
    inner = Reporter()
    setattr(inner, event, lambda *given: heard.append(given))
    count = len(inspect.signature(getattr(Reporter, event)).parameters) - 1
    given = tuple(range(count))
    getattr(ForwardingReporter(inner), event)(*given)
    assert heard == [given]


class Stopping(Reporter):
    """Stops a run at its second step."""

    def step(self, report: StepReport, workers: list[WorkerReport]) -> None:
        if report.step == 2:
            self.stop("enough")


def test_a_reporter_stops_whatever_it_is_given_to() -> None:
    save_data()
    assert len(engine.lr_find("mlp", "data.npz", steps=9, reporter=Stopping(), **RUN).losses) == 3
    engine.train("mlp", "data.npz", steps=9, **RUN | {"out": "whole"})
    with pytest.raises(UsageError, match=r"^enough after step 3; up to step 0, the last one"):
        engine.verify("whole", reporter=Stopping())
