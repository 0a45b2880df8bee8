"""Every test has a data cache and a working folder of its own run, so that nothing outside is read or written."""

import contextlib
import gc
import os
import shutil
import signal
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from engine.cli import main
from engine.system.places import VARIABLE
from tests.support.command import Answer, Gradsum
from tests.support.leaks import MARK, Leaks, processes
from tests.support.saboteur import Action, Sabotage, Saboteur
from tests.support.tools import LONGER

# How long an example takes says how busy the machine is. `make test` tries the same every time, `make check` others.
settings.register_profile(
    "gradsum", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=LONGER == 1
)
settings.load_profile("gradsum")


def pytest_configure(config: pytest.Config) -> None:
    """Say where compiled kernels are before a test file imports any: from then on numba looks nowhere else."""
    if not config.pluginmanager.hasplugin("cacheprovider"):
        raise pytest.UsageError("compiled kernels are kept in pytest's cache: leave out -p no:cacheprovider")
    os.environ[VARIABLE] = str(config.cache.mkdir("kernels").parent)
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # else the tests of ONNX files send what they do to onnxruntime's makers


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Let the garbage collector never look at what pytest has collected: a second each time, and it all stays."""
    gc.disable()
    found = yield
    gc.collect()
    gc.freeze()
    gc.enable()
    return found


@pytest.fixture(scope="session", autouse=True)
def private_cache(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[Path]:
    """Keep generated data in a folder of this test session, shared by its tests and all their processes.

    Compiled kernels stay from one session to the next.
    """
    session = tmp_path_factory.getbasetemp()
    folder = (session.parent if "PYTEST_XDIST_WORKER" in os.environ else session) / "cache"
    folder.mkdir(exist_ok=True)
    with contextlib.suppress(FileExistsError):  # another process of this session was faster
        (folder / "kernels").symlink_to(pytestconfig.cache.mkdir("kernels"))
    before = os.environ[VARIABLE]
    os.environ[VARIABLE] = str(folder)
    yield folder
    os.environ[VARIABLE] = before


@pytest.fixture(scope="session", autouse=True)
def signals_as_in_a_terminal() -> None:
    """Heed SIGINT and SIGHUP, as do all processes of a test: what a shell or nohup starts in the background may not."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run every test in an empty folder."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def numpy_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let processes of a test use kernels that are there from the start, while others may have to be compiled."""
    monkeypatch.setenv("GRADSUM_BACKEND", "numpy")


@pytest.fixture
def tidy(numpy_kernels: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give a test a folder for temporary files and a mark for its processes; neither may be used in the end."""
    folder = Path(tempfile.mkdtemp(prefix="t-"))  # short, as the names of sockets must be
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setenv(MARK, folder.name)
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    leaks = Leaks(folder.name, folder)
    yield folder
    left = leaks.found()
    for pid in processes(folder.name):
        os.kill(pid, signal.SIGKILL)
    shutil.rmtree(folder)
    assert not left
    assert not list(Path().rglob("*.tmp"))


@pytest.fixture
def gradsum(tidy: Path, capsys: pytest.CaptureFixture[str]) -> Gradsum:
    """Return a function that runs `gradsum` in this process."""

    def call(*arguments: object) -> Answer:
        capsys.readouterr()
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else -1
        said = capsys.readouterr()
        return Answer(code, said.out, said.err)

    return call


@pytest.fixture
def sabotage(monkeypatch: pytest.MonkeyPatch) -> Sabotage:
    """Return a function that lets something happen at a moment of the next run."""

    def arrange(moment: str, action: Action) -> Saboteur:
        saboteur = Saboteur(moment, action)
        monkeypatch.setattr("engine.cli.live.reporters.reporter_for", lambda *_: saboteur)
        return saboteur

    return arrange
