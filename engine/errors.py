"""The exception tree. Every message says what was wrong, with the value, and what to do about it.

    GradsumError                a failed run                                   exit code 1
    |-- UsageError              something the person asked for cannot be       exit code 2
    |   |-- SettingsError       an option or setting out of range
    |   `-- ModelError          layers that do not fit each other or the data
    |-- DataError               missing, damaged or mismatching data           exit code 2, and 1 once a run has begun
    |-- StorageError            files that cannot be read or written           exit code 2, and 1 once a run has begun
    |   |-- CheckpointError     missing, damaged or foreign checkpoint
    |   `-- RecordsError        a database that cannot be used
    |-- OwnCodeError            a module that a person wrote fails, or is wrong  exit code 2, and 1 once a run has begun
    |-- DivergedError           loss or gradient became nan or infinite
    |-- WorkersError            workers cannot be started, or end before they computed anything
    |-- ProtocolError           a message that breaks the protocol
    |-- WorkerFailedError       a worker raised an exception; carries its traceback
    |-- UnsavedError            the run was interrupted, and could not be saved       exit code 130
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


class DataError(GradsumError):
    """A data set is missing, damaged, or does not match itself."""

    exit_code = UsageError.exit_code


class StorageError(GradsumError):
    """A file of this program cannot be read, written or understood."""

    exit_code = UsageError.exit_code


class CheckpointError(StorageError):
    """A checkpoint is missing, damaged, or belongs to another run."""


class RecordsError(StorageError):
    """A records database cannot be opened, written or understood."""


class OwnCodeError(GradsumError):
    """A layer, loss or metric that a person wrote fails, or returns what it must not; says in which file and line."""

    exit_code = UsageError.exit_code


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


class UnsavedError(GradsumError):
    """The run was interrupted, and what it had done since the last checkpoint could not be saved."""

    exit_code = 130


@contextmanager
def run_in_progress() -> Iterator[None]:
    """Let what is wrong with data, files and own code in this block be a failed run: all was right when it began.

    The exit code is chosen here, and not by the class, which says only what went wrong.
    """
    try:
        yield
    except (DataError, StorageError, OwnCodeError) as error:
        error.exit_code = GradsumError.exit_code
        raise
