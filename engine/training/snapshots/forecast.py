"""What the snapshots of a run will take, in words, where that is not what one would expect."""

from engine.nn.parameters import Layout
from engine.reports.text import size
from engine.settings import Settings
from engine.training.snapshots.schedule import bytes_of, schedule_for


def forecast(settings: Settings, layout: Layout, last_step: int | None, room: int) -> tuple[str, ...]:
    """Return notes on a run that keeps all snapshots, or fewer than were asked for from the first step on.

    `last_step` is None if the run has no known end; `room` is in bytes.
    """
    schedule = schedule_for(settings, layout)
    one, every = bytes_of(schedule, layout), settings.snapshot_every or 0
    budget = f"--snapshot-budget {settings.snapshot_budget}"
    if schedule.later is None and not settings.snapshot_budget and every:
        total = f"{size(one / every)} a step"
        if last_step:
            steps = min(schedule.first, last_step)
            total += f", {size(one * (steps + last_step // every - steps // every))} by step {last_step:,}"
        return (f"--snapshot-every {every} keeps all snapshots: {total}; there is room for {size(room)}",)
    if not schedule.snapshots and (settings.snapshot_first or every):
        return (f"no step has a snapshot: one takes {size(one)}, too much for {budget}",)
    if schedule.first < settings.snapshot_first:
        return (f"the first {schedule.first:,} steps have snapshots, not {settings.snapshot_first:,}: {budget}",)
    return ()
