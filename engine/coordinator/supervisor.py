"""What the coordinator needs of whoever starts workers."""

from typing import Protocol


class Supervisor(Protocol):
    """Starts workers and looks after them."""

    def look(self) -> list[int]:
        """Replace workers that ended, kill those under suspicion for too long, and return these.

        WorkersError if that is hopeless.
        """

    def useful(self, pid: int) -> None:
        """Take note that the worker with this process id has given an answer."""

    def suspect(self, host: str, pid: int) -> None:
        """Take note that this process should have answered, or is no longer connected."""

    def trust(self, host: str, pid: int) -> None:
        """Take note that this process has shown that it works."""
