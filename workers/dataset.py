"""Gets a worker's data: from the cache, or over the wire into the cache."""

import contextlib

from engine.data import Dataset
from engine.data.cache import DamagedError, open_cached, path_of
from engine.data.download import Download
from engine.errors import ProtocolError
from engine.wire.messages import Frame


class DatasetFetcher:
    """Gets one data set. Call `get` until it returns it; while `wanted` is a number, ask for the data from there on."""

    def __init__(self, digest: str) -> None:
        self._digest = digest
        self._download: Download | None = None

    @property
    def wanted(self) -> int | None:
        """How many bytes are here already; None if there is nothing to ask for, since another process fetches them."""
        return self._download.offset if self._download else None

    def get(self) -> Dataset | None:
        """Return the data set if the cache has it undamaged; else begin to fetch it, unless another process does."""
        if path_of(self._digest).exists():
            self.close()
            if data := self._open():
                return data
        if self._download is None:
            with contextlib.suppress(BlockingIOError):
                self._download = Download(self._digest)
        return None

    def _open(self) -> Dataset | None:
        """Open the cached file; remove it and return None if it is damaged. DataError if either is impossible."""
        try:
            return open_cached(self._digest)
        except DamagedError as error:
            try:
                path_of(self._digest).unlink(missing_ok=True)
            except OSError:  # the cache is read-only
                raise error from None
            return None

    def put(self, piece: Frame, total: int) -> None:
        """Take a piece of the data, of `total` bytes, that was asked for."""
        if self._download is None:
            raise ProtocolError("data came that was not asked for")
        self._download.put(piece, total)

    def close(self) -> None:
        """Stop fetching, so that another process may continue."""
        if self._download:
            self._download.close()
            self._download = None
