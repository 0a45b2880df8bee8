"""What the coordinator needs of the one that starts workers."""

from typing import Protocol


class Supervisor(Protocol):
    """Starts workers and looks after them."""

    def look(self) -> list[int]:
        """Replace workers that ended, kill those suspected for too long, and return the killed.

        WorkersError if the replacements keep failing.
        """

    def useful(self, pid: int) -> None:
        """Note that the worker with this process id has given an answer."""

    def suspect(self, host: str, pid: int) -> None:
        """Note that this process should have answered, or is no longer connected."""

    def trust(self, host: str, pid: int) -> None:
        """Note that this process works."""
