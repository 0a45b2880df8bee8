"""Which steps have a snapshot where there is room for some only: a function of the step and the settings."""

import json
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import engine
from engine.data.letters import letters
from engine.nn.built_in import load_model
from engine.nn.parameters import Layout, Spec
from engine.settings import Settings
from engine.training.snapshots import SnapshotSchedule, forecast, schedule_for
from engine.training.snapshots.schedule import MEGABYTE, bytes_of

LAYOUT = Layout({"fc1.weights": Spec("weights", (900, 20), 20, (1, 0)), "fc1.bias": Spec("bias", (900,), 20)})
NAMES = frozenset(LAYOUT.specs)
LIMITED: dict[str, Any] = {"snapshot_first": 4, "snapshot_every": 2, "snapshot_budget": 5}
MODEL = engine.Model((engine.Flatten(), engine.Dense(26)))


def kept(schedule: SnapshotSchedule, step: int) -> set[int]:
    """Return the steps whose snapshots there are after `step`, found by trying one interval after the other."""
    every = schedule.every
    later = set(range(every, step + 1, every)) if every else set()
    while schedule.later is not None and len(later) > schedule.later:
        every *= 2
        later = set(range(every, step + 1, every))
    return later | set(range(1, min(schedule.first, step) + 1))


schedules = st.builds(
    lambda first, every, half: SnapshotSchedule(first, every, 0, NAMES, None if half is None else 2 * half + 1),
    st.integers(0, 12),
    st.integers(0, 9),
    st.none() | st.integers(0, 9),
)


def train(there: set[int], schedule: SnapshotSchedule, steps: Iterable[int]) -> set[int]:
    """Return which snapshots there are after these steps, if there are some before: as the recorder deletes them."""
    for step in steps:
        if schedule.snapshot_at(step):
            every = schedule.interval(step)
            if schedule.later is not None and every:
                there = {s for s in there if s <= schedule.first or s % every == 0}
            there = there | {step}
    return there


@given(schedules, st.integers(1, 400))
def test_what_is_kept_depends_on_the_step_alone_and_is_never_more_than_the_number(
    schedule: SnapshotSchedule, last: int
) -> None:
    there: set[int] = set()
    for step in range(1, last + 1):
        there = train(there, schedule, [step])
        assert there == kept(schedule, step)
        if schedule.later is not None:
            assert len(there) <= schedule.first + schedule.later
    if schedule.every:
        assert (
            not schedule.later
            or len([s for s in there if s > schedule.first])
            >= min(last // schedule.every, schedule.later // 2) - schedule.first // schedule.every - 1
        ), "no more are deleted than must be"


@given(schedules, st.lists(st.tuples(st.integers(1, 120), st.integers(0, 120)), min_size=1, max_size=5))
def test_a_run_that_is_resumed_anywhere_has_kept_the_same(
    schedule: SnapshotSchedule, sittings: list[tuple[int, int]]
) -> None:
    """Each sitting takes some steps, is killed, and loses the last few of them."""
    there: set[int] = set()
    step = farthest = 0
    for taken, lost in sittings:
        there = train(there, schedule, range(step + 1, step + taken + 1))
        step += taken
        farthest = max(farthest, step)
        assert there <= kept(schedule, step)
        assert there >= {s for s in kept(schedule, farthest) if s <= step}
        step = max(0, step - lost)
        there = {s for s in there if s <= step}
    assert train(there, schedule, range(step + 1, farthest + 1)) == kept(schedule, farthest)


@given(st.integers(0, 2000), st.integers(1, 50), st.integers(1, 90))
def test_the_budget_becomes_a_number(first: int, every: int, budget: int) -> None:
    settings = Settings(snapshot_first=first, snapshot_every=every, snapshot_budget=budget)
    schedule = schedule_for(settings.resolved(), LAYOUT)
    assert schedule.later is not None
    one, number = bytes_of(schedule, LAYOUT), schedule.first + schedule.later
    assert one > 2 * 4 * LAYOUT.size
    assert (number + 1) * one <= budget * MEGABYTE < (number + 3) * one
    assert schedule.first == min(first, (budget * MEGABYTE // one - 1) // 2)


def test_a_model_that_is_too_large_for_the_budget_has_no_snapshots() -> None:
    huge = Layout({"fc1.weights": Spec("weights", (9000, 9000), 20, (1, 0))})
    schedule = schedule_for(Settings().resolved(), huge)
    assert not schedule.snapshots
    assert not any(map(schedule.snapshot_at, range(1, 500)))
    assert forecast(Settings().resolved(), huge, 500, 1) == (
        "no step has a snapshot: one takes 744 MB, too much for --snapshot-budget 256",
    )


def test_a_budget_is_the_default_and_an_interval_by_hand_keeps_all() -> None:
    layout = load_model("mlp", (28, 28, 1), 26).layout()
    default = schedule_for(Settings().resolved(), layout)
    assert (default.first, default.every) == (32, 32)
    assert default.later is not None
    assert 100 < default.later < 256
    by_hand = Settings(snapshot_every=32).resolved()
    assert schedule_for(by_hand, layout).later is None
    assert schedule_for(Settings(snapshot_every=32, snapshot_budget=256).resolved(), layout) == default
    assert forecast(Settings().resolved(), layout, 10**6, 1) == ()
    [note] = forecast(by_hand, layout, 64_000, 3 * 10**9)
    assert (
        note
        == "--snapshot-every 32 keeps all snapshots: 32.5 kB a step, 2.11 GB by step 64,000; there is room for 3 GB"
    )
    [note] = forecast(Settings(snapshot_first=500).resolved(), layout, None, 1)
    assert note == "the first 122 steps have snapshots, not 500: --snapshot-budget 256"


@pytest.fixture(scope="module")
def data() -> engine.Dataset:
    return letters(train=300, test=60, seed=11)


def run(data: engine.Dataset, **options: Any) -> engine.Result:
    given: dict[str, Any] = {"workers": 0, "batch_size": 8, "validate_every": 1 << 30, "statistics_every": 0}
    return engine.train(MODEL, data, **given | {"db": "r.db", "out": "out"} | LIMITED | options)


def rows(sql: str, path: str = "r.db") -> list[Any]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


STEPS = "SELECT DISTINCT batchno FROM {} ORDER BY 1"


def test_a_training_keeps_just_these_and_so_does_one_that_is_resumed(data: engine.Dataset) -> None:
    run(data, steps=150, db="whole.db", out="whole")
    schedule = schedule_for(Settings(**LIMITED).resolved(), MODEL.layout())
    expected = [(step,) for step in sorted(kept(schedule, 150))]
    assert schedule.interval(50) < schedule.interval(90) == schedule.interval(150)
    run(data, steps=90, checkpoint_every=50)
    Path("out/step-00000090.safetensors").unlink()  # as if it had been killed after its snapshots were thinned
    resumed = engine.train(data=data, resume="out", workers=0, steps=150)
    for table in ("snapshots", "histograms"):
        assert rows(STEPS.format(table)) == rows(STEPS.format(table), "whole.db") == expected
    [(recorded,)] = rows("SELECT snapshot_schedule FROM runs")
    assert json.loads(recorded) == {"first": 4, "every": 2, "later": schedule.later}
    assert 0 < (resumed.records_bytes or 0) < 5 * MEGABYTE
    thinned = rows("SELECT batchno, text FROM events WHERE kind = 'thinned' ORDER BY id", "whole.db")
    assert [step for step, _ in thinned] == [2 * (schedule.later or 0) + 2, 4 * (schedule.later or 0) + 4]
    assert thinned[0][1] == "9 snapshots were deleted to stay within the budget; those of every 4th step stay"


def test_a_smaller_budget_of_a_resumed_run_deletes_what_is_too_much(data: engine.Dataset) -> None:
    run(data, steps=60, snapshot_budget=0)
    assert len(rows(STEPS.format("snapshots"))) == 4 + 28
    engine.train(data=data, resume="out", workers=0, steps=70, snapshot_budget=2)
    schedule = schedule_for(Settings(**LIMITED | {"snapshot_budget": 2}).resolved(), MODEL.layout())
    assert rows(STEPS.format("snapshots")) == [(step,) for step in sorted(kept(schedule, 70))]
    engine.train(data=data, resume="out", workers=0, steps=80, snapshot_every=1)
    assert [step for (step,) in rows(STEPS.format("snapshots"))][-10:] == list(range(71, 81)), "by hand all are kept"
