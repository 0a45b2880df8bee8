"""What a training process sets up is gone when it is left, in whatever way."""

import signal
from pathlib import Path

import pytest
from threadpoolctl import threadpool_info

import engine
from engine.errors import RecordsError
from engine.settings import Settings
from engine.system.signals import SIGNALS
from engine.training.process import TrainingProcess
from tests.support.leaks import processes


def blas_threads() -> list[int]:
    return [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]


@pytest.mark.parametrize("error", [KeyError("of the caller"), KeyboardInterrupt()], ids=["error", "Ctrl-C"])
def test_everything_is_undone(tidy: Path, error: BaseException) -> None:
    before = [signal.getsignal(number) for number in SIGNALS], blas_threads()
    with pytest.raises(type(error)), TrainingProcess(engine.Reporter()) as process:
        assert signal.getsignal(signal.SIGUSR1) is not before[0][SIGNALS.index(signal.SIGUSR1)]
        assert set(blas_threads()) == {1}
        process.start_workers(Settings(workers=2).resolved())
        process.open_records(Path("r.db"))
        assert processes(tidy.name), "workers, or the process that will fork them"
        raise error
    assert processes(tidy.name) == []
    assert ([signal.getsignal(number) for number in SIGNALS], blas_threads()) == before


def test_a_database_that_cannot_be_opened_ends_the_workers_that_were_started_before(tidy: Path) -> None:
    Path("r.db").mkdir()
    with pytest.raises(RecordsError, match="is a folder"), TrainingProcess(engine.Reporter()) as process:
        process.start_workers(Settings(workers=1).resolved())
        process.open_records(Path("r.db"))
    assert processes(tidy.name) == []
