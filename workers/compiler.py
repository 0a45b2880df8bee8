"""A process that compiles kernels for another one: parts by name on standard input, progress on standard output."""

import ctypes
import signal
import sys

from engine.compute.precompile import compile_parts
from engine.errors import GradsumError
from workers.parent import PR_SET_PDEATHSIG


def serve() -> int:
    """Compile what is asked for until standard input ends, or the process that asks has ended."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one that asks, which then ends this one
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    try:
        compile_parts(sys.stdin, lambda word: print(word, end="", flush=True))
    except GradsumError as error:
        print(error, file=sys.stderr)
        return 1
    return 0
