"""A worker whose product of matrices is wrong: `python -m tests.support.other_arithmetic K ADDRESS ...`.

It is off by one bit where sums have K terms, or everywhere if K is 0. Other arguments are those of `python -m workers`.
"""

import sys
from typing import Any

from engine.kernels import exact
from engine.kernels.exact.products import multiply
from engine.kernels.table import Array
from workers.command import main


def changed(terms: int) -> Any:
    """Return the product, changed."""

    def wrong(a: Array, b: Array, out: Array, more: bool, work: Array) -> None:
        multiply(a, b, out, more, work)
        if terms in (0, a.shape[2]):
            out.view("u4")[...] ^= 1  # of every number: one alone may meet a ReLU that lets nothing through

    return wrong


if __name__ == "__main__":
    exact.multiply = changed(int(sys.argv[1]))
    sys.exit(main(sys.argv[2:]))
