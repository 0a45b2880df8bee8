"""Where a worker gets its data: from the cache, or over the wire into the cache."""

import contextlib

from engine.data import Dataset
from engine.data.cache import DamagedError, open_cached, path_of
from engine.data.download import Download
from engine.errors import ProtocolError
from engine.wire.messages import Frame


class DatasetFetcher:
    """Gets one data set. `get` until it is there; while `wanted` is a number, ask for the data from there on."""

    def __init__(self, digest: str) -> None:
        self._digest = digest
        self._download: Download | None = None

    @property
    def wanted(self) -> int | None:
        """How much of the data is there; None if nobody is to be asked, for another process is fetching it."""
        return self._download.offset if self._download else None

    def get(self) -> Dataset | None:
        """Return the data set if the cache has it, undamaged; else begin to fetch it, unless another process does."""
        if path_of(self._digest).exists():
            self.close()
            if data := self._open():
                return data
        if self._download is None:
            with contextlib.suppress(BlockingIOError):
                self._download = Download(self._digest)
        return None

    def _open(self) -> Dataset | None:
        """Open the cached file; None, and it is gone, where it is damaged. DataError if it cannot be had or removed."""
        try:
            return open_cached(self._digest)
        except DamagedError as error:
            try:
                path_of(self._digest).unlink(missing_ok=True)
            except OSError:  # of a cache that may only be read
                raise error from None
            return None

    def put(self, piece: Frame, total: int) -> None:
        """Take a piece of the data, of `total` bytes, that was asked for."""
        if self._download is None:
            raise ProtocolError("data that nobody waits for")
        self._download.put(piece, total)

    def close(self) -> None:
        """Let another process go on with the download."""
        if self._download:
            self._download.close()
            self._download = None
