"""What is verified, what comes of it, and what people are told: with a source that answers what it is told to."""

import math

import pytest

import engine
from engine.compute.sums import Sums
from engine.coordinator.notices import Notice
from engine.coordinator.source import Pending, Timing, WorkerReport
from engine.nn.parameters import Vector, norm
from engine.training.gradient_check import GradientCheck
from engine.training.norms import TIMES
from engine.training.progress import Progress
from engine.training.state import TrainingState

MODEL = engine.Model((engine.Flatten(), engine.Dense(3, name="small"), engine.Dense(2, name="large")), shape=(2, 2, 1))
LAYOUT = MODEL.layout()


class Answers:
    """A source whose `verify` gives the next of `right`: the sums that two workers agree on."""

    def __init__(self, *right: Sums | None) -> None:
        self.right = list(right)
        self.asked: list[int] = []
        self.timing = Timing()

    def start(self, step: int, parameters: Vector, out: Vector) -> Pending:
        raise NotImplementedError

    def verify(self, step: int, parameters: Vector, sums: Sums) -> Sums | None:
        self.asked.append(step)
        return self.right.pop(0)

    def validate(self, step: int, parameters: Vector) -> Sums:
        raise NotImplementedError

    def workers(self) -> list[WorkerReport]:
        return []

    def cpu_seconds(self) -> float:
        return 0.0


def sums_with(size: float, loss: float = 1.0) -> Sums:
    """Return sums whose gradient has the norm `size`, all of it in the layer "large"."""
    gradient = LAYOUT.zeros()
    gradient[-1] = size
    return Sums(loss, 1, gradient)


def norm_of(sums: Sums) -> float:
    return 0.0 if sums.gradient is None else norm(sums.gradient)


class Scene:
    def __init__(self, *right: Sums | None) -> None:
        self.source = Answers(*right)
        self.told: list[Notice] = []
        state = TrainingState(LAYOUT, LAYOUT.zeros(), engine.SGD(lr=0.25).start(LAYOUT.size), Progress(1))
        self.check = GradientCheck(state, self.source, self.told.append)
        self.step = 0

    def take(self, sums: Sums) -> Sums | None:
        self.step += 1
        checked = self.check.checked(self.step, sums, samples=10)
        assert checked.gradient is checked.sums.gradient
        assert not checked.finite or checked.norm == norm_of(checked.sums) / 10
        return checked.sums if checked.finite else None


@pytest.mark.parametrize("bad", [sums_with(math.nan), sums_with(math.inf), sums_with(1.0, math.nan)])
def test_what_is_not_finite_is_verified_however_often_it_comes(bad: Sums) -> None:
    good = sums_with(1.0)
    scene = Scene(*[good] * 20, None)
    for _ in range(20):
        assert scene.take(bad) is good
    assert scene.take(bad) is None, "it is right"
    assert scene.source.asked == list(range(1, 22))
    assert {notice.kind for notice in scene.told} == {"not finite"}


@pytest.mark.parametrize("bad", [sums_with(math.nan), sums_with(1.0, math.inf)])
def test_what_is_found_to_be_right_may_still_not_be_finite(bad: Sums) -> None:
    assert Scene(bad).take(sums_with(math.nan)) is None


def test_a_large_norm_is_verified_and_the_right_sums_are_used() -> None:
    good = sums_with(1.0)
    scene = Scene(*[good] * 5)
    first, below = sums_with(1.0), sums_with(0.99 * TIMES)
    assert scene.take(first) is first
    assert scene.take(below) is below
    for _ in range(5):
        assert scene.take(sums_with(1e20)) is good
    assert scene.source.asked == [3, 4, 5, 6, 7]


def test_a_large_norm_that_is_right_is_told_with_step_layer_and_learning_rate() -> None:
    scene = Scene(None)
    scene.take(sums_with(1.0))
    large = sums_with(500.0)
    assert scene.take(large) is large, "the run continues as it would in one process"
    assert [(notice.kind, notice.text) for notice in scene.told] == [
        (
            "suspicious",
            "step 2: the norm of the gradient is 50, 500 times the median of the steps before, most of it in large; "
            "the learning rate is 0.25",
        )
    ]
    assert scene.take(sums_with(1e30)) is not None, "one in a hundred steps is verified for nothing"
    assert scene.source.asked == [2]


def test_a_smaller_batch_at_the_end_of_an_epoch_is_compared_by_its_mean() -> None:
    scene = Scene()
    scene.take(sums_with(1.0))
    assert scene.check.checked(2, sums_with(1.0), samples=1).finite
    assert not scene.told
