"""Several trials side by side: the same trials, whichever ends first."""

import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future
from pathlib import Path
from threading import Condition, Thread
from typing import Any, ParamSpec, TypeVar

import pytest

import engine
from engine.errors import SettingsError
from engine.sweeps import trials
from engine.sweeps.trial import Trial
from tests.support.command import Gradsum, save_data
from tests.sweeps.test_sweep import FINISHED, INTERRUPTED, OVER, PRUNED, SWEEP, alone, killed, rows, table

P = ParamSpec("P")
T = TypeVar("T")
AT_ONCE, COUNT = 3, 6
SIDE_BY_SIDE: dict[str, Any] = SWEEP | {"at_once": AT_ONCE, "trials": COUNT, "checkpoint_every": 5}


@pytest.fixture(autouse=True)
def data(tidy: Path) -> str:
    return save_data()


class InOrder(Executor):
    """Carries out trials one at a time: when no more can begin, that of them which the next of `choices` means."""

    def __init__(self, choices: Sequence[int]) -> None:
        self._choices: Iterator[int] = iter(choices)
        self._jobs: dict[int, Callable[[], None]] = {}  # those that have not begun, by trial
        self._oldest = self._next = 1  # that is not over; that is submitted next
        self.ended: list[int] = []
        self._changed = Condition()
        self._thread = Thread(target=self._work)
        self._thread.start()

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        future: Future[T] = Future()
        with self._changed:
            self._jobs[self._next] = lambda: future.set_result(fn(*args, **kwargs))
            self._next += 1
            self._changed.notify()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self._thread.join()

    def _work(self) -> None:
        while len(self.ended) < COUNT:
            with self._changed:
                self._changed.wait_for(lambda: self._next > min(COUNT, self._oldest + AT_ONCE - 1))
                number = sorted(self._jobs)[next(self._choices, 0) % len(self._jobs)]
                job = self._jobs.pop(number)
                self.ended.append(number)
                while self._oldest in self.ended:
                    self._oldest += 1
            job()


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_which_ends_first_changes_nothing(sampler: str, monkeypatch: pytest.MonkeyPatch) -> None:
    options = SIDE_BY_SIDE | {"sampler": sampler, "prune_after": 1}
    engine.sweep(OVER, **options | {"db": "whole.db", "out": "whole"})
    whole = table("whole.db")
    assert {trial[2] for trial in whole[0]} == {FINISHED, PRUNED}
    orders = set[tuple[int, ...]]()
    for choices in ([0] * COUNT, [AT_ONCE - 1] * COUNT, [1, 0, 2, 1, 1, 0, 0]):
        executor = InOrder(choices)
        monkeypatch.setattr(trials, "executor_for", lambda _, executor=executor: executor)
        name = f"order-{len(orders)}"
        engine.sweep(OVER, **options | {"db": f"{name}.db", "out": name})
        orders.add(tuple(executor.ended))
        assert table(f"{name}.db") == whole
        numbers = rows("SELECT number, startID FROM trials ORDER BY number", f"{name}.db")
        assert numbers == [(n, n) for n in range(1, COUNT + 1)], "runs are numbered as trials are"
    assert len(orders) == 3
    assert {order[0] for order in orders} == {1, 2, 3}


def test_each_has_workers_of_its_own_and_is_the_run_it_would_be_alone() -> None:
    result = engine.sweep(OVER, **SIDE_BY_SIDE | {"workers": 1, "at_once": 2, "trials": 4, "prune_after": 0})
    assert [(trial.number, trial.run, trial.state) for trial in result.trials] == [
        (n, n, FINISHED) for n in range(1, 5)
    ]
    pids = dict(rows("SELECT startID, pid FROM workers"))
    assert len(pids) == 4
    assert pids[1] != pids[2], "they ran at a time"
    assert Counter(pids.values()).keys() == {pids[1], pids[2]}, "and no more were started"
    for trial in result.trials:
        assert alone(trial.parameters).params_sha256 == trial.params_sha256
    assert rows("SELECT count(*) FROM training") == [(4 * 15,)]


def test_killed_and_resumed() -> None:
    options = SIDE_BY_SIDE | {"over": OVER, "sampler": "tpe"}
    engine.sweep(**options | {"db": "whole.db", "out": "whole"})
    killed([4, "is over"], **options)
    assert len(rows("SELECT 1 FROM trials")) >= 4
    result = engine.sweep(resume="1", db="r.db")
    assert result.state == "finished"
    assert table() == table("whole.db")


class Stopping(engine.SweepReporter):
    """Sends this process SIGINT when trial 5 begins."""

    def __init__(self) -> None:
        self.ended_trials: list[int] = []

    def trial_started(self, trial: Trial) -> None:
        if trial.number == 5:
            os.kill(os.getpid(), signal.SIGINT)

    def trial_ended(self, trial: Trial) -> None:
        self.ended_trials.append(trial.number)


def test_a_signal_ends_all_in_good_order() -> None:
    engine.sweep(OVER, **SIDE_BY_SIDE | {"db": "whole.db", "out": "whole"})
    reporter = Stopping()
    result = engine.sweep(OVER, **SIDE_BY_SIDE, reporter=reporter)
    assert result.state == "interrupted"
    assert [trial.number for trial in result.trials] == [1, 2, 3, 4, 5] == sorted(reporter.ended_trials)
    assert result.trials[4].state == INTERRUPTED
    assert engine.sweep(resume="1", db="r.db").state == "finished"
    assert table() == table("whole.db")


class Failing(engine.SweepReporter):
    """Fails when trial 4 begins."""

    def trial_started(self, trial: Trial) -> None:
        if trial.number == 4:
            raise RuntimeError("no")


def test_an_error_of_one_ends_the_others_in_good_order() -> None:
    with pytest.raises(RuntimeError, match="no"):
        engine.sweep(OVER, **SIDE_BY_SIDE | {"trials": 4}, reporter=Failing())
    assert rows("SELECT count(*) FROM runs WHERE state = 'running'") == [(0,)]
    assert len(engine.sweep(resume="1", db="r.db").trials) == 4


def test_what_is_told_of_a_sweep_with_several_at_once(gradsum: Gradsum) -> None:
    words = [w for n, v in (SIDE_BY_SIDE | {"at_once": 2}).items() for w in (f"--{n.replace('_', '-')}", v)]
    answer = gradsum("sweep", "--over", "lr=0.001,0.01,1e18", "--optimizer", "sgd", *words, "--json")
    assert answer.code == 0
    assert [trial["state"] for trial in answer.json()["trials"]].count("failed") == 1
    said = answer.err.splitlines()
    assert [line.split(":")[0] for line in said if " of 3: " in line] == [f"trial {n} of 3" for n in (1, 2, 3)]
    assert sorted(line[:7] for line in said if " finished: " in line or " failed: " in line) == [
        f"trial {n}" for n in (1, 2, 3)
    ]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"at_once": 0}, "at-once must be from 1 to 256, got 0"),
        ({"at_once": 257}, "at-once must be from 1 to 256, got 257"),
        (
            {"bind": "tcp://127.0.0.1:5555"},
            "at-once 3 takes as many ports: give --bind with port 0, or a range of ports",
        ),
        ({"bind": "tcp://127.0.0.1:5555-5556"}, "at-once 3 takes as many ports"),
        ({"on": "ssh n1 n2:4"}, "3 trials at once take a host each, and there are only n1, n2: name more hosts"),
    ],
)
def test_what_cannot_be(options: dict[str, Any], text: str) -> None:
    with pytest.raises(SettingsError, match=text):
        engine.sweep(OVER, **SIDE_BY_SIDE | options)
    assert not Path("r.db").exists()


def test_how_many_are_at_once_stays_when_a_sweep_is_resumed() -> None:
    engine.sweep(OVER, **SIDE_BY_SIDE | {"trials": 1})
    assert rows("SELECT at_once FROM sweeps") == [(AT_ONCE,)]
    with pytest.raises(SettingsError, match="at-once cannot change when a sweep is resumed; omit it"):
        engine.sweep(resume="1", db="r.db", at_once=2)
