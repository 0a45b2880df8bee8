"""Forks workers from a process that has loaded all that they need: libraries, our modules and the compiled kernels.

A forked worker computes half a second sooner than one that loads these itself, and shares their memory with the others.
The coordinator sends a request for each worker over a socket of packets, with the file descriptors that it is to have,
and is told its process id, and later its exit code. When the coordinator ends, however that happens, so does the
server; the workers notice by themselves.
"""

import contextlib
import ctypes
import gc
import json
import os
import select
import shutil
import signal
import socket
import sys
import traceback
from typing import NoReturn

from engine.compute.arithmetic import check_arithmetic
from engine.compute.fingerprint import fingerprint, libraries
from engine.compute.precompile import is_compiled
from engine.errors import GradsumError
from engine.launch.fork_server import MAX_DESCRIPTORS, PACKET, Request
from engine.launch.pinning import bind
from engine.system.allocator import release_compiler
from engine.system.descriptors import keep
from engine.system.forks import threads
from engine.system.processes import signal_when_parent_ends
from workers.command import main

PR_SET_NAME = 15  # <linux/prctl.h>


def serve(descriptor: int) -> int:
    """Fork workers as asked by the other end of the socket `descriptor`, until that is closed."""
    _call_it("gradsum-forks")
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # where it is ignored, nobody can say how a worker ended
    signal_when_parent_ends(signal.SIGCONT)  # a frozen process cannot see that a socket has closed
    with socket.socket(fileno=descriptor) as control:
        _load()
        _serve(control)
    return 0


def _load() -> None:
    """Load what a worker needs, and keep the collector from writing to it: pages that nobody writes to are shared."""
    fingerprint()  # which is remembered, as is what libraries() takes
    libraries()
    if is_compiled():
        with contextlib.suppress(GradsumError):  # each worker finds the same, and can say so
            check_arithmetic()  # here, for all: what is forked computes as this process does
        release_compiler()
    gc.collect()
    gc.freeze()


def _serve(control: socket.socket) -> None:
    folder = ""  # to be removed when the coordinator has ended
    children: dict[int, int] = {}  # a process by the descriptor that becomes readable when it ends
    poll = select.poll()
    poll.register(control, select.POLLIN)
    while True:
        for ready, _ in poll.poll():
            if ready != control.fileno():
                poll.unregister(ready)
                os.close(ready)
                pid = children.pop(ready)
                _tell(control, ended=pid, code=os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
                continue
            packet, descriptors = _next(control)
            if not packet:
                if folder:
                    shutil.rmtree(folder, ignore_errors=True)
                return
            said = json.loads(packet)
            if "folder" in said:
                folder = said["folder"]
                continue
            request = Request(**said)
            pid = _fork(request, descriptors)
            for descriptor in descriptors:
                os.close(descriptor)
            child = os.pidfd_open(pid)
            children[child] = pid
            poll.register(child, select.POLLIN)
            _tell(control, started=pid, number=request.number)


def _next(control: socket.socket) -> tuple[bytes, list[int]]:
    """Return what the coordinator says, with descriptors; nothing when it has ended."""
    try:
        packet, descriptors, _, _ = socket.recv_fds(control, PACKET, MAX_DESCRIPTORS)
    except ConnectionError:  # it had not heard everything
        return b"", []
    return packet, descriptors


def _call_it(name: str) -> None:
    """Set the name of this process that `ps` and `top` show, of at most 15 bytes: forks have one command line."""
    ctypes.CDLL(None).prctl(PR_SET_NAME, name.encode())


def _tell(control: socket.socket, **what: int) -> None:
    with contextlib.suppress(OSError):  # the coordinator is gone, as the next packet will say
        control.send(json.dumps(what).encode())


def _fork(request: Request, descriptors: list[int]) -> int:
    """Fork a worker, and return its process id. It has the descriptors of the request, and no other one of ours."""
    if (count := threads()) != 1:
        raise RuntimeError(f"{count} threads: a fork would keep only one, in the middle of whatever the others do")
    pid = os.fork()
    if pid == 0:
        _work(request, descriptors)
    return pid


def _work(request: Request, descriptors: list[int]) -> NoReturn:
    """Be a worker, from a fork of the server to its end."""
    code = 1
    try:
        os.setsid()  # Ctrl-C in the terminal is for the coordinator alone
        _call_it("gradsum-worker")
        signal.signal(signal.SIGINT, signal.default_int_handler)
        keep([*descriptors, 1], [0, 2, *request.inherited, 1])
        if request.cpu is not None:
            bind(0, {request.cpu})
        code = main(request.words)
        sys.stderr.flush()
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    except BaseException:  # noqa: BLE001 - this process ends here whatever it is; nothing of the server's may run
        traceback.print_exc()
    finally:
        os._exit(code)
