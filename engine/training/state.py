"""What changes while a network trains: its parameters, the optimizer's vectors, and how far it is."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from engine.checkpoint import Checkpoint, StateDigest, kept, state_sha256
from engine.checkpoint.digests import Arrays, interval, thinned
from engine.compute.validation import Validation
from engine.errors import CheckpointError
from engine.nn.frozen import trained_parts
from engine.nn.optimizers import State as OptimizerState
from engine.nn.parameters import Layout, Vector, aligned
from engine.training.progress import Progress
from engine.training.run import Run
from engine.training.waiting import Waiting


@dataclass
class TrainingState:
    """The master copy of the model, and how far training is. `digests` are those that a checkpoint has.

    `spare`: where the next parameters are written, which do not take the place of these until they are whole.
    """

    layout: Layout
    parameters: Vector
    optimizer: OptimizerState
    progress: Progress
    digests: tuple[StateDigest, ...] = field(default=())
    spare: Vector = field(init=False)

    def __post_init__(self) -> None:
        self.spare = self.layout.zeros()

    def apply(self, gradient: Vector, scale: float) -> None:
        """Let the optimizer take a step against `scale` * `gradient`."""
        self.optimizer.step(self.parameters, gradient, scale, self.spare)
        self.parameters, self.spare = self.spare, self.parameters

    def arrays(self) -> tuple[Arrays, Mapping[str, Arrays]]:
        """Return parameters and optimizer's vectors as checkpoints hold them, by name, in public shape."""
        vectors = self.optimizer.tensors()
        return dict(self.layout.public(self.parameters)), {
            name: dict(self.layout.public(vector)) for name, vector in vectors.items()
        }

    def sha256(self) -> str:
        """Return the digest of parameters and optimizer's state."""
        return state_sha256(*self.arrays())

    def keep_digest(self, loss: float) -> None:
        """Keep the digest of the newest step, whose batch had the mean `loss`, if it is one of those to be kept."""
        step = self.progress.step
        if step % interval(step) == 0:
            self.digests = *thinned(self.digests, step), StateDigest(step, self.sha256(), loss)


def state_of(run: Run) -> TrainingState:
    """Return the state that `run` begins in: fresh, or that of its checkpoint; CheckpointError if that does not fit."""
    layout, optimizer = run.model.layout(), run.settings.make_optimizer()
    optimizer.start(1).step(aligned(1), aligned(1), 1.0)  # loads its kernel before the first step
    progress = Progress(run.sampler().steps_per_epoch)
    started = optimizer.start(layout.size, decayed=trained_parts(layout, run.frozen))
    state = TrainingState(layout, layout.zeros(), started, progress)
    if run.checkpoint is None:
        layout.initialise(state.parameters, run.settings.seed)
        if run.match:
            run.match.fill(layout, state.parameters)
    else:
        _restore(state, run.checkpoint)
        state.progress.best = _best(run, run.checkpoint, state.progress.validation)
    return state


def _restore(state: TrainingState, checkpoint: Checkpoint) -> None:
    layout, progress, stored = state.layout, state.progress, checkpoint.run
    try:
        layout.fill(state.parameters, checkpoint.parameters)
        tensors = {}
        for name, arrays in checkpoint.optimizer.items():
            tensors[name] = layout.zeros()
            layout.fill(tensors[name], arrays)
        state.optimizer.load(tensors, checkpoint.step)
        progress.validation = Validation.from_dict(stored.validation) if stored.validation else None
        progress.waiting = Waiting.from_dict(stored.waiting) if stored.waiting else Waiting()
    except ValueError as error:
        raise CheckpointError(f"the checkpoint does not fit: {error}") from None
    progress.step = checkpoint.step
    state.digests = thinned(stored.digests, checkpoint.step)
    progress.best_score = stored.best_percent if stored.best_r2 is None else stored.best_r2
    progress.elapsed, progress.cpu = float(stored.elapsed), float(stored.cpu)


def _best(run: Run, checkpoint: Checkpoint, newest: Validation | None) -> Validation | None:
    """Return the best validation so far, if its parameters are in the run's folder, or are those of `checkpoint`."""
    try:
        best = Validation.from_dict(checkpoint.run.best) if checkpoint.run.best else None
    except ValueError as error:
        raise CheckpointError(f"the checkpoint does not fit: {error}") from None
    if best and (best.step == checkpoint.step or kept(run.folder, best.step, run.uuid)):
        return best
    return newest if newest and newest.step == checkpoint.step else None
