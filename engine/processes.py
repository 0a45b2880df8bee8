"""What can be known of other processes on this machine."""

import os


def exists(pid: int) -> bool:
    """Return whether some process has the number `pid`."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # it exists, and is another person's
        pass
    return True
