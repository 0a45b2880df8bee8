"""Start a worker: `python -m workers ADDRESS`, or this file by its path.

With --fork-server, start what forks workers; with --compile, what compiles some of their kernels.
"""

import os
import sys
from pathlib import Path

# PYTHONPATH may have another `engine` or `workers`. Once ours are imported, their modules are found by their own paths.
ROOT = str(Path(__file__).resolve().parents[1])
sys.path.insert(0, ROOT)
import workers  # noqa: E402, F401
from engine.system.blas import ONE_THREAD  # noqa: E402
from engine.system.collector import loading  # noqa: E402

sys.path.remove(ROOT)

from engine.system.signals import near_limit_ignored  # noqa: E402


def main(words: list[str]) -> int:
    """Run what the words ask for, and return its exit code."""
    os.environ.update(ONE_THREAD)  # before numpy is imported
    if words[:1] == ["--fork-server"]:
        with loading():
            from workers.fork_server import serve  # noqa: PLC0415

        return serve(int(words[1]))
    if words == ["--compile"]:
        from workers.compiler import serve as compile_kernels  # noqa: PLC0415

        return compile_kernels()
    with loading():
        from workers.command import main as work  # noqa: PLC0415

    return work(words)


if __name__ == "__main__":
    with near_limit_ignored():  # sent to every process of a job, but for the coordinator alone to act on
        sys.exit(main(sys.argv[1:]))
