"""The exception tree. Every message says what was wrong, with the value, and what to do about it.

    GradsumError                a failed run                                   exit code 1
    |-- UsageError              something the person asked for cannot be       exit code 2
    |   |-- SettingsError       an option or setting out of range
    |   |-- ModelError          layers that do not fit each other or the data
    |   |-- DataError           missing, damaged or mismatching data
    |   |-- CheckpointError     missing, damaged or foreign checkpoint
    |   `-- RecordsError        a database that cannot be used
    |-- StorageError            either of these two once the run had begun: a full disk, a deleted file
    |-- DivergedError           loss or gradient became nan or infinite
    |-- WorkersError            workers cannot be started, or end before they computed anything
    |-- ProtocolError           a message that breaks the protocol
    |-- WorkerFailedError       a worker raised an exception; carries its traceback
    `-- InterruptedRoundError   the run is to stop, and no worker is left to finish the round; ends the training loop

An interrupted run (Ctrl-C, SIGTERM) is no error: it ends with exit code 130.
"""

from collections.abc import Iterator
from contextlib import contextmanager


class GradsumError(Exception):
    """Base of every error this package raises on purpose."""

    exit_code = 1


class UsageError(GradsumError):
    """What was asked for cannot be done; asking differently will help."""

    exit_code = 2


class SettingsError(UsageError):
    """A setting has a value that is out of range or of the wrong kind."""


class ModelError(UsageError):
    """The layers of a model do not fit each other, or the model does not fit the data."""


class DataError(UsageError):
    """A data set is missing, damaged, or does not match itself."""


class CheckpointError(UsageError):
    """A checkpoint is missing, damaged, or belongs to another run."""


class RecordsError(UsageError):
    """A records database cannot be opened, written or understood."""


class StorageError(GradsumError):
    """Records or checkpoints cannot be written any more: what was asked for was right when the run began."""


class DivergedError(GradsumError):
    """The loss or a gradient is no longer a finite number."""


class WorkersError(GradsumError):
    """Workers cannot be started, end before they computed anything, or cannot be listened to."""


class ProtocolError(GradsumError):
    """A message breaks the protocol: it is refused and counted, never used."""


class WorkerFailedError(GradsumError):
    """A worker failed while computing; `remote_traceback` is what it printed."""

    def __init__(self, message: str, remote_traceback: str = "") -> None:
        super().__init__(message)
        self.remote_traceback = remote_traceback


class InterruptedRoundError(GradsumError):
    """The run is to stop, and no worker is left that could finish the round."""


@contextmanager
def storage_fails(*kinds: type[GradsumError]) -> Iterator[None]:
    """Let errors of these kinds be a StorageError: what they are about was found to be right before the block."""
    try:
        yield
    except kinds as error:
        raise StorageError(str(error)) from error
