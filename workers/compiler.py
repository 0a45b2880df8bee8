"""A process that compiles kernels for another one: parts by name on standard input, progress on standard output."""

import ctypes
import signal
import sys

from engine.compute.precompile import compile_parts
from engine.errors import GradsumError
from workers.parent import PR_SET_PDEATHSIG


def serve() -> int:
    """Compile what is asked for until standard input ends, or the process that asks has ended."""
    for number in (signal.SIGINT, signal.SIGTERM):  # sent to a whole group, but for the one that asks to act on
        signal.signal(number, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    try:
        compile_parts(sys.stdin, lambda word: print(word, end="", flush=True))
    except GradsumError as error:
        print(error, file=sys.stderr)
        return 1
    return 0
