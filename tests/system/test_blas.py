"""BLAS has one thread while anybody of ours needs that, and as many as before afterwards."""

import numpy as np
from threadpoolctl import threadpool_info, threadpool_limits

from engine.system.blas import one_blas_thread


def threads() -> set[int]:
    assert np.ones((2, 2)).dot(np.ones((2, 2))).sum() == 8, "a BLAS library is loaded"
    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}


def test_contexts_may_end_in_any_order() -> None:
    with threadpool_limits(2, user_api="blas"):
        first, second = one_blas_thread(), one_blas_thread()
        first.__enter__()
        second.__enter__()
        assert threads() == {1}
        first.__exit__(None, None, None)
        assert threads() == {1}
        second.__exit__(None, None, None)
        assert threads() == {2}
        with one_blas_thread():
            assert threads() == {1}
        assert threads() == {2}
