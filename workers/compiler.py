"""A process that compiles kernels for another one: parts by name on standard input, progress on standard output."""

import signal
import sys

from engine.compute.precompile import compile_parts
from engine.errors import GradsumError
from engine.system.processes import signal_when_parent_ends


def serve() -> int:
    """Compile what is asked for until standard input ends, or the process that asks has ended."""
    for number in (signal.SIGINT, signal.SIGTERM):  # sent to a whole group, but for the one that asks to act on
        signal.signal(number, signal.SIG_IGN)
    signal_when_parent_ends(signal.SIGKILL)
    try:
        compile_parts(sys.stdin, lambda word: print(word, end="", flush=True))
    except GradsumError as error:
        print(error, file=sys.stderr)
        return 1
    return 0
