"""One BLAS thread per process: we compute in parallel by processes, and sums may depend on the number of threads."""

from contextlib import AbstractContextManager
from threading import Lock
from typing import Any

# For the environment of a process that has not imported numpy yet: BLAS libraries read these once, when loaded.
ONE_THREAD = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS"), "1")


class _OneThread:
    """A context in which BLAS, already loaded, uses one thread; as many threads of ours as like may be in it at a time.

    The limit is the whole process's, so the first one in sets it, and the last one out takes it back.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._inside = 0
        self._limits: Any = None

    def __enter__(self) -> None:
        from threadpoolctl import threadpool_limits  # noqa: PLC0415 - it looks for loaded libraries: numpy comes first

        with self._lock:
            if not self._inside:
                self._limits = threadpool_limits(1, user_api="blas")
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                self._limits.restore_original_limits()


_one_thread = _OneThread()


def one_blas_thread() -> AbstractContextManager[None]:
    """Return a context in which BLAS uses one thread, as it does in every worker."""
    return _one_thread
