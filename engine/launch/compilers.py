"""Compiles every kernel once on a machine, in processes of their own: one a core, and LLVM's memory ends with them."""

import contextlib
import selectors
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import IO, cast

from engine.compute.precompile import CALLED, DONE, compile_kernels, mark
from engine.errors import GradsumError
from engine.kernels import choose
from engine.kernels.golden import count, parts
from engine.launch.command import worker_command, worker_environment
from engine.system.cores import usable_cores
from engine.system.files import check_writable
from engine.system.places import kernels_folder, unwritable

ASK = 0.25  # seconds after which `progress` is told again where nothing happens


def compile_all(progress: Callable[[int, int], object], processes: int | None = None) -> None:
    """Compile the kernels, which takes half a minute of one core, and remember it; by default, a process a core.

    Where no process can be started, as under an emulator of another processor, this one compiles.

    `progress` is told how many calls of how many are done, and again while nothing happens; what it raises ends all
    processes. SettingsError if the cache cannot be written; GradsumError if a process fails, with its last words.
    """
    folder = kernels_folder()
    with _refused():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        check_writable(folder)  # before it takes so long
    try:
        _compile(parts(), processes or usable_cores(), progress)
    except _NotStartedError:
        compile_kernels(choose(), progress)
    with _refused():
        mark().touch()


@contextlib.contextmanager
def _refused() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise unwritable(kernels_folder(), error) from None


def _compile(waiting: list[str], processes: int, progress: Callable[[int, int], object]) -> None:
    done, total = 0, count()
    with ExitStack() as stack, selectors.DefaultSelector() as selector:
        for _ in range(min(processes, len(waiting))):
            started = _Compiler(stack.enter_context(tempfile.TemporaryFile()))
            stack.callback(started.end)
            started.take(waiting)
            selector.register(started.output, selectors.EVENT_READ, started)
        while selector.get_map():
            ready = selector.select(ASK)
            if not ready:
                progress(done, total)  # which says whether to go on, also while none of them says anything
            for key, _ in ready:
                said = key.data.said()
                if not said:
                    selector.unregister(key.fileobj)
                if DONE in said:
                    key.data.take(waiting)
                done += said.count(CALLED)
                if CALLED in said:
                    progress(done, total)


class _NotStartedError(Exception):
    """This system starts no process."""


class _Compiler:
    """A process that compiles one part after the other: see `workers.compiler`."""

    def __init__(self, errors: IO[bytes]) -> None:
        self._errors, pipe = errors, subprocess.PIPE
        command, environment = worker_command("--compile"), worker_environment()
        try:
            self._process = subprocess.Popen(
                command, env=environment, stdin=pipe, stdout=pipe, stderr=errors, bufsize=0
            )
        except OSError as error:
            raise _NotStartedError from error
        self._input, self.output = cast(IO[bytes], self._process.stdin), cast(IO[bytes], self._process.stdout)

    def take(self, waiting: list[str]) -> None:
        """Let it compile the first that waits; where none does, it ends."""
        if waiting:
            with contextlib.suppress(BrokenPipeError):  # it has ended: `said` says so
                self._input.write(f"{waiting.pop(0)}\n".encode())
        else:
            self._input.close()

    def said(self) -> str:
        """Return what it says, when there is something; "" when it has ended; GradsumError if it failed."""
        if said := self.output.read(4096):
            return str(said, "ascii")
        if code := self._process.wait():
            self._errors.seek(0)
            words = self._errors.read().decode(errors="replace").strip().rpartition("\n")[2]
            raise GradsumError(f"a process that compiles kernels ended with code {code}: {words or 'it said nothing'}")
        return ""

    def end(self) -> None:
        """End it, whatever it is doing."""
        with self._process:
            self._process.kill()
