"""What a training process sets up is gone when it is left, in whatever way."""

import io
import signal
from pathlib import Path

import pytest
from threadpoolctl import threadpool_info

import engine
from engine.errors import RecordsError
from engine.settings import Settings
from engine.system.signals import SIGNALS
from engine.system.terminal import CLEAR, ProgressLine
from engine.training.process import TrainingProcess
from tests.support.leaks import processes


def blas_threads() -> set[int]:
    """Return how many threads the BLAS libraries have that are loaded; a run may load another one."""
    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}


@pytest.mark.parametrize("error", [KeyError("of the caller"), KeyboardInterrupt()], ids=["error", "Ctrl-C"])
def test_everything_is_undone(tidy: Path, error: BaseException) -> None:
    before = [signal.getsignal(number) for number in SIGNALS], blas_threads()
    with pytest.raises(type(error)), TrainingProcess(engine.Reporter()) as process:
        assert signal.getsignal(signal.SIGUSR1) is not before[0][SIGNALS.index(signal.SIGUSR1)]
        assert blas_threads() == {1}
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


def test_how_far_it_is_goes_to_the_reporter_and_to_the_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("GRADSUM_LOG", raising=False)
    told: list[tuple[str, int, int]] = []

    class Told(engine.Reporter):
        def converting(self, what: str, done: int, total: int) -> None:
            told.append((what, done, total))

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream = Terminal()
    with TrainingProcess(Told(), line=ProgressLine(stream)) as process:
        process.converting("compiling kernels", 1, 2)
        process.converting("compiling kernels", 2, 2)
    assert told == [("compiling kernels", 1, 2), ("compiling kernels", 2, 2)]
    assert stream.getvalue() == f"{CLEAR}gradsum: compiling kernels, 1 of 2 ...{CLEAR}"
