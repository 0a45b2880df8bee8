"""How the process that forks workers begins: as a program of its own, or as a fork of this process."""

import gc
import os
import runpy
import signal
import socket
import subprocess
import sys
import traceback
from collections.abc import Callable
from typing import IO, NoReturn, Protocol

from engine.launch.command import START, local_environment, worker_command
from engine.system.descriptors import keep, readable
from engine.system.signals import NEAR_LIMIT, SIGNALS, blocked, handled, near_limit_blocked

OPTION = "--fork-server"  # followed by the number of the descriptor that it listens on


class ServerProcess(Protocol):
    """What is needed of `subprocess.Popen` here."""

    pid: int

    def kill(self) -> None:
        """End it at once."""

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it has ended; subprocess.TimeoutExpired if it does not within `timeout` seconds."""


def executed(
    control: socket.socket, errors: IO[bytes], command: Callable[..., list[str]] = worker_command
) -> ServerProcess:
    """Start the program whose command line `command` makes of words; OSError if that is impossible."""
    with near_limit_blocked():
        return subprocess.Popen(
            command(OPTION, str(control.fileno())),
            pass_fds=[control.fileno()],
            env=local_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            start_new_session=True,  # Ctrl-C in the terminal is for the coordinator alone
        )


def forked(control: socket.socket, errors: IO[bytes]) -> ServerProcess:
    """Fork this process, which may be forked: the server has all libraries and kernels that are loaded here."""
    gc.freeze()  # to look for garbage takes as long as all the rest, and would write to what both could share
    with blocked(SIGNALS) as before:
        pid = os.fork()
        if pid == 0:
            _serve(control, errors, before)
    return _Fork(pid)


class _Fork:
    """A child of this process that was forked here."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._descriptor = os.pidfd_open(pid)
        self._code: int | None = None

    def kill(self) -> None:
        if self._code is None:
            signal.pidfd_send_signal(self._descriptor, signal.SIGKILL)

    def wait(self, timeout: float | None = None) -> int:
        if self._code is None:
            if not readable(self._descriptor, timeout):
                raise subprocess.TimeoutExpired(OPTION, timeout or 0.0)
            self._code = _code_of(self.pid)
            os.close(self._descriptor)
        return self._code


def _code_of(pid: int) -> int:
    """Return the exit code of a child that has ended; 0, as `subprocess` has it, where the kernel kept none."""
    try:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    except ChildProcessError:  # who started this process had SIGCHLD ignored
        return 0


def _serve(control: socket.socket, errors: IO[bytes], before: set[int]) -> NoReturn:
    """Be the server, from the fork to its end, as if its program had been started: nothing of ours may be undone.

    `before`: the signals that this process blocks otherwise.
    """
    code = 1
    try:
        gc.enable()  # it may be off here for the moment
        os.setsid()  # Ctrl-C in the terminal is for the coordinator alone
        for number in handled():
            signal.signal(number, signal.SIG_IGN)  # drops one that came to both of us from the terminal
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, {*before, *NEAR_LIMIT})
        null, place = os.open(os.devnull, os.O_RDWR), max(3, control.fileno())
        keep([null, null, errors.fileno(), control.fileno()], [0, 1, 2, place])
        sys.stdin, sys.stdout = open(0, closefd=False), open(1, "w", closefd=False)  # noqa: SIM115 - they stay
        sys.stderr = open(2, "w", buffering=1, errors="backslashreplace", closefd=False)  # noqa: SIM115
        environment = local_environment()
        os.environ.clear()
        os.environ.update(environment)
        sys.argv = [str(START), OPTION, str(place)]
        runpy.run_path(sys.argv[0], run_name="__main__")
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 0
    except BaseException:  # noqa: BLE001 - this process ends here whatever it is
        traceback.print_exc()
    finally:
        os._exit(code)
