"""Compiles the kernels that tests use, `python -m tests.support.compiled`: once, while other checks use other cores.

Without it, each process of a new test session compiles all that its own tests need.
"""

import os

from engine.launch.compilers import compile_all
from engine.system.places import VARIABLE
from tests.support.repository import ROOT


def main() -> None:
    """Compile into the folder where `private_cache` of conftest.py looks."""
    os.environ[VARIABLE] = str(ROOT / ".pytest_cache" / "d")
    compile_all(lambda *_: None)


if __name__ == "__main__":
    main()
