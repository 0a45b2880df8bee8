"""Which steps and which layers are looked into."""

from dataclasses import dataclass

from engine.errors import SettingsError
from engine.nn.parameters import Layout
from engine.settings import Settings


@dataclass(frozen=True)
class SnapshotSchedule:
    """Snapshots of the first `first` steps and then of every `every`th, statistics of every `statistics`th (0: none).

    `names` are the full names of the arrays in a snapshot.
    """

    first: int
    every: int
    statistics: int
    names: frozenset[str]

    def snapshot_at(self, step: int) -> bool:
        """Return whether `step` gets a snapshot."""
        return step <= self.first or _divides(self.every, step)

    def statistics_at(self, step: int) -> bool:
        """Return whether `step` gets statistics."""
        return _divides(self.statistics, step)

    @property
    def snapshots(self) -> bool:
        """Whether any step gets a snapshot."""
        return self.first > 0 or self.every > 0


def _divides(every: int, step: int) -> bool:
    return every > 0 and step % every == 0


def choose(settings: Settings, layout: Layout) -> SnapshotSchedule:
    """Return what the settings ask for; SettingsError for a layer that the model does not have."""
    names = frozenset(layout.specs)
    if settings.snapshot_layers is not None:
        names = _of_layers(settings.snapshot_layers, layout)
    return SnapshotSchedule(settings.snapshot_first, settings.snapshot_every, settings.statistics_every, names)


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
