"""What only `make check` has: tools of the system, and longer schedules."""

import os
import shutil
from typing import NoReturn

import pytest

LONGER = int(os.environ.get("GRADSUM_TEST_LONGER", "1"))  # times as many examples and faults; `make check` sets it


def cannot(reason: str) -> NoReturn:
    """Skip this test for `reason`; in CI, which installs what tests need, it fails."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def need(command: str, package: str) -> str:
    """Return the path of `command`, which Debian's `package` has."""
    return shutil.which(command) or cannot(f"needs {command}: apt-get install {package}")


def need_root() -> None:
    """Go on only as root."""
    if os.geteuid() != 0:
        cannot("needs root")
