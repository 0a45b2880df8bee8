"""Which steps and which layers are looked into, so that the snapshots of a run of any length stay within a budget."""

from dataclasses import dataclass, replace

from engine.errors import SettingsError
from engine.nn.parameters import Layout
from engine.records import places, snapshot_bytes
from engine.settings import Settings
from engine.training.snapshots.statistics import BINS

MEGABYTE = 1_000_000


@dataclass(frozen=True)
class SnapshotSchedule:
    """Snapshots of the first `first` steps and of every `every`th, statistics of every `statistics`th (0: none).

    Of every `every`th, at most `later` are kept (an odd number; None: all). With the step that would be one more, every
    second one is deleted, and `every` doubles: which are kept depends on the number of the step alone. `names` are the
    full names of the arrays in a snapshot.
    """

    first: int
    every: int
    statistics: int
    names: frozenset[str]
    later: int | None = None

    def interval(self, step: int) -> int:
        """Return every how many steps a snapshot is kept after `step`: the smallest for which there are few enough.

        As `later` is odd, the step that changes it is one of those that are kept then.
        """
        every = self.every
        while every and self.later is not None and step // every > self.later:
            every *= 2
        return every

    def snapshot_at(self, step: int) -> bool:
        """Return whether `step` gets a snapshot."""
        return step <= self.first or (_divides(self.every, step) and _divides(self.interval(step), step))

    def statistics_at(self, step: int) -> bool:
        """Return whether `step` gets statistics."""
        return _divides(self.statistics, step)

    @property
    def snapshots(self) -> bool:
        """Whether any step gets a snapshot."""
        return self.first > 0 or self.every > 0

    def asdict(self) -> dict[str, int | None]:
        """Return what the records are told."""
        return {"first": self.first, "every": self.every, "later": self.later}


def _divides(every: int, step: int) -> bool:
    return every > 0 and step % every == 0


def schedule_for(settings: Settings, layout: Layout) -> SnapshotSchedule:
    """Return what the settings, which are resolved, ask for; SettingsError for a layer that the model does not have."""
    names = frozenset(layout.specs)
    if settings.snapshot_layers is not None:
        names = _of_layers(settings.snapshot_layers, layout)
    asked = SnapshotSchedule(settings.snapshot_first, settings.snapshot_every or 0, settings.statistics_every, names)
    if not settings.snapshot_budget:
        return asked
    # One is left for the step in which a run diverges.
    return _limited(asked, settings.snapshot_budget * MEGABYTE // bytes_of(asked, layout) - 1)


def bytes_of(schedule: SnapshotSchedule, layout: Layout) -> int:
    """Return the bytes that one snapshot takes in the database."""
    there = places({name: spec.shape for name, spec in layout.specs.items()})
    return snapshot_bytes((there[name] for name in schedule.names), BINS)


def _limited(asked: SnapshotSchedule, number: int) -> SnapshotSchedule:
    """Return a schedule with at most `number` snapshots: half of them may be of the first steps."""
    if number < 1:
        return replace(asked, first=0, every=0)
    first = min(asked.first, number // 2)
    later = number - first
    return replace(asked, first=first, later=later if later % 2 else later - 1)


def _of_layers(text: str, layout: Layout) -> frozenset[str]:
    """Return the full names of the arrays of the layers that are listed in `text`."""
    layers = list(dict.fromkeys(name.partition(".")[0] for name in layout.specs))
    wanted = [layer.strip() for layer in text.split(",")]
    for layer in wanted:
        if layer not in layers:
            raise SettingsError(
                f"snapshot-layers: no layer {layer!r} with parameters in this model; there are {','.join(layers)}"
            )
    return frozenset(name for name in layout.specs if name.partition(".")[0] in wanted)
