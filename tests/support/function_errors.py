"""How far the functions of the compiled kernels are from the truth, at every one of the 2^32 float32 values.

`python -m tests.support.function_errors exp` takes minutes of one core; `--piece 3/8` is the third eighth of it, and
pieces are put together by taking the largest of each error and the sum of each count. Every value is compared with
functions of 64 bits of numpy and scipy. Where exp or log is not the same, or is so close to a tie of float32 that a
few last places could decide how it is rounded, the truth is a long double of the C library, whose fraction has 64
bits. The worst values are looked at again with 60 digits by mpmath, which is needed for that alone.
"""

import argparse
import json
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray
from scipy.special import erf as scipy_erf

from engine.kernels.circle import sin_cos
from engine.kernels.with_numba import functions

CHUNK = 1 << 18
VALUES = 1 << 32
NEAR = 4  # last places of float64
TWO_PI = 8 * np.arctan(np.longdouble(1))
Wide = NDArray[np.float64]
F = TypeVar("F", bound=Callable[..., None])


def compiled(function: F) -> F:
    """Compile a function as kernels are, but for no later process."""
    return cast(F, numba.njit(error_model="numpy")(function))


@compiled
def exp_of(x: Wide, y: Wide) -> None:
    for i in range(x.size):
        y[i] = functions.exp(x[i])


@compiled
def expm1_of(x: Wide, y: Wide) -> None:
    for i in range(x.size):
        y[i] = functions.expm1(x[i])


@compiled
def tanh_of(x: Wide, y: Wide) -> None:
    for i in range(x.size):
        e = functions.expm1(2.0 * x[i])
        y[i] = e / (e + 2.0)


@compiled
def log_of(x: Wide, y: Wide) -> None:
    for i in range(x.size):
        y[i] = functions.log(x[i])


@compiled
def erf_of(x: Wide, y: Wide) -> None:
    for i in range(x.size):
        y[i] = functions.erf(x[i])


@compiled
def exp32_of(x: Wide, y: Wide) -> None:
    for i in range(x.size):
        y[i] = functions.exp_below(np.float32(x[i]))


def sin_of(turns: Wide, y: Wide) -> None:
    y[:] = sin_cos(turns)[0]


def cos_of(turns: Wide, y: Wide) -> None:
    y[:] = sin_cos(turns)[1]


def on_circle(turns: Any, further: int) -> Any:
    """Return the sine of angles in turns plus `further` quarters; what is left of an angle is at most an eighth."""
    quarters = np.round(turns * 4)
    x = (turns - quarters / 4) * TWO_PI.astype(turns.dtype)
    quadrant = (quarters + further) % 4
    return np.where(quadrant % 2 == 0, np.sin(x), np.cos(x)) * np.where(quadrant < 2, 1, -1)


FUNCTIONS: dict[str, tuple[Callable[..., None], Callable[[Any], Any]]] = {
    "exp": (exp_of, np.exp),
    "expm1": (expm1_of, np.expm1),
    "tanh": (tanh_of, np.tanh),
    "log": (log_of, np.log),
    "erf": (erf_of, scipy_erf),
    "exp32": (exp32_of, np.exp),
    "sin": (sin_of, lambda turns: on_circle(turns, 0)),
    "cos": (cos_of, lambda turns: on_circle(turns, 1)),
}
# Where a result in float64 is wanted to be right by itself; beyond, float32 has only 0, 1 or infinity for it.
BOUND = np.inf
CIRCLES = 2.0**50
WITHIN = {
    "exp": (-700.0, 700.0),
    "expm1": (-BOUND, 700.0),
    "tanh": (-BOUND, BOUND),
    "log": (0.0, BOUND),
    "erf": (-4.0, 4.0),
    "exp32": (-87.0, 0.0),
    "sin": (-CIRCLES, CIRCLES),
    "cos": (-CIRCLES, CIRCLES),
}
WITH_DIGITS = {"exp32": "exp", "sin": "sinpi", "cos": "cospi"}  # mpmath's names, where they are others


class Errors:
    """The largest errors of a function so far, relative and in last places, and where they were."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.worst = {"float64": (0.0, 0.0), "float32": (0.0, 0.0)}  # with their x
        self.count = self.not_nearest = 0

    def look(self, x: NDArray[np.float32]) -> None:
        """Take these values in."""
        compute, function = FUNCTIONS[self.name]
        wide, got = x.astype(np.float64), np.empty(x.size)
        compute(wide, got)
        truth = function(wide)
        self.count += x.size
        if self.name != "erf":  # it is not right to the last places of float64: the others are the truth
            doubtful = (got != truth) | _is_near_tie(got)
            x, got = x[doubtful], got[doubtful]
            truth = function(x.astype(np.longdouble))
        if x.size:
            self._compare(x, got, truth)

    def _compare(self, x: NDArray[np.float32], got: Wide, truth: Any) -> None:
        rounded, nearest = got.astype(np.float32), truth.astype(np.float32)
        self.not_nearest += int((rounded != nearest).sum())
        low, high = WITHIN[self.name]
        inside = (truth != 0) & (x >= low) & (x <= high)
        self._keep("float64", np.where(inside, np.abs((got - truth) / np.where(inside, truth, 1)), 0), x)
        finite = np.isfinite(rounded) & np.isfinite(nearest)
        last_place = np.spacing(np.maximum(np.abs(np.where(finite, nearest, 1)), np.float32(2.0**-126)))
        self._keep("float32", np.where(finite, np.abs(rounded - truth) / last_place, 0), x)

    def _keep(self, what: str, errors: Any, x: NDArray[np.float32]) -> None:
        place = int(errors.argmax())
        self.worst[what] = max(self.worst[what], (float(errors[place]), float(x[place])))

    def asdict(self) -> dict[str, Any]:
        """Return what was found; the worst values are looked at again."""
        found: dict[str, Any] = {"function": self.name, "values": self.count, "not nearest": self.not_nearest}
        for what, (error, x) in self.worst.items():
            found[what] = {"error": error, "x": x} | ({"with 60 digits": self._again(what, x)} if error else {})
        return found

    def _again(self, what: str, x: float) -> float:
        import mpmath

        got = np.empty(1)
        FUNCTIONS[self.name][0](np.array([x]), got)
        with mpmath.workdps(60):
            turns = self.name in ("sin", "cos")
            truth = getattr(mpmath, WITH_DIGITS.get(self.name, self.name))(mpmath.mpf(x) * (2 if turns else 1))
            if what == "float64":
                return float(abs((mpmath.mpf(float(got[0])) - truth) / truth))
            rounded = np.float32(got[0])
            return float(abs(mpmath.mpf(float(rounded)) - truth) / mpmath.mpf(float(np.spacing(abs(rounded)))))


def _is_near_tie(y: Wide) -> NDArray[np.bool_]:
    """Tell which values could be rounded to another float32 if they were a little wrong, denormal ones included."""
    lower, half = y.view(np.int64) & ((1 << 29) - 1), 1 << 28  # the bits that float32 has not got
    denormal = (np.abs(y) < 2.0**-126) & (np.abs(y) > 2.0**-151)
    near: NDArray[np.bool_] = (np.abs(lower - half) <= NEAR) | denormal
    return near


def in_domain(function: str, x: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Tell for which values the function is there at all."""
    domains = {"log": x > 0, "exp32": (x >= -87) & (x <= 0), "sin": np.abs(x) <= CIRCLES, "cos": np.abs(x) <= CIRCLES}
    return domains.get(function, np.ones(x.size, bool))


def main() -> None:
    """Look at one piece of all values, and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("function", choices=FUNCTIONS)
    parser.add_argument("--piece", default="1/1", help="which part of all values, as 3/8")
    options = parser.parse_args()
    piece, pieces = map(int, options.piece.split("/"))
    errors = Errors(options.function)
    with np.errstate(all="ignore"):  # of values that float32 does not have
        for start in range((piece - 1) * VALUES // pieces, piece * VALUES // pieces, CHUNK):
            x = np.arange(start, start + CHUNK, dtype=np.uint32).view(np.float32)
            x = x[np.isfinite(x) & in_domain(options.function, x)]
            if x.size:
                errors.look(x)
    print(json.dumps(errors.asdict()))


if __name__ == "__main__":
    main()
