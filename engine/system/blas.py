"""One BLAS thread per process: we compute in parallel by processes, and sums may depend on the number of threads."""

from contextlib import AbstractContextManager
from typing import Any

# For the environment of a process that has not imported numpy yet: BLAS libraries read these once, when loaded.
ONE_THREAD = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS"), "1")


def one_blas_thread() -> AbstractContextManager[Any]:
    """Return a context in which BLAS, already loaded, uses one thread, as it does in every worker."""
    from threadpoolctl import threadpool_limits  # noqa: PLC0415 - it looks for loaded libraries, so numpy must come first

    context: AbstractContextManager[Any] = threadpool_limits(1, user_api="blas")
    return context
