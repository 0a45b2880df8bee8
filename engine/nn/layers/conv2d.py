"""Two-dimensional convolution."""

from dataclasses import dataclass
from typing import ClassVar

from engine.errors import ModelError
from engine.nn.layers.base import LARGEST, Layer, Shape, need_image, need_positive
from engine.nn.parameters import Spec

SAME = "same"
Pair = tuple[int, int]  # rows, columns


@dataclass(frozen=True)
class Conv2d(Layer):
    """Cross-correlation of (H, W, C) with `filters` kernels, plus a bias a filter unless `bias` is False.

    `kernel`, `stride` and `padding` are a number, or two: for rows and for columns; two equal ones become one. Zeros
    are added on every side; with "same", as many as make H' = H / stride, rounded up: half of them above and to the
    left, an odd one below and to the right. Parameters: `filter` [filters, C, rows, columns], `bias` [filters].
    """

    prefix: ClassVar[str] = "c"
    filters: int
    kernel: int | Pair = 3
    stride: int | Pair = 1
    padding: int | Pair | str = 0
    bias: bool = True

    def __post_init__(self) -> None:
        need_positive(self, filters=self.filters)
        for name in ("kernel", "stride"):
            both = _both(getattr(self, name))
            if both is None or min(both) < 1:
                which = f"a whole number from 1 to {LARGEST}, or two, for rows and for columns"
                raise ModelError(f"Conv2d: {name} must be {which}, got {getattr(self, name)!r:.60}")
            object.__setattr__(self, name, _short(both))
        if type(self.bias) is not bool:
            raise ModelError(f"Conv2d: bias must be true or false, got {self.bias!r:.60}")
        if self.padding != SAME:
            both, (rows, columns) = _both(self.padding), self.window
            if both is None or not (0 <= both[0] < rows and 0 <= both[1] < columns):
                most = f"kernel - 1 = {_short((rows - 1, columns - 1))}"
                raise ModelError(f'Conv2d: padding must be "same" or from 0 to {most}, got {self.padding!r:.60}')
            object.__setattr__(self, "padding", _short(both))

    @property
    def window(self) -> Pair:
        """The rows and columns of the kernel."""
        return _pair(self.kernel)

    @property
    def steps(self) -> Pair:
        """The stride down the rows and along the columns."""
        return _pair(self.stride)

    def borders(self, shape: Shape) -> tuple[Pair, Pair]:
        """Return the rows of zeros above and below images of `shape`, and the columns to their left and right."""
        if isinstance(self.padding, str):
            edges = zip(shape, self.window, self.steps, strict=False)
            missing = [max((-(-size // stride) - 1) * stride + kernel - size, 0) for size, kernel, stride in edges]
            above, left = (number // 2 for number in missing)
            return (above, missing[0] - above), (left, missing[1] - left)
        rows, columns = _pair(self.padding)
        return (rows, rows), (columns, columns)

    def output_shape(self, shape: Shape) -> Shape:
        """Return (H', W', filters), H' = (H + padding on both sides - kernel) // stride + 1."""
        H, W, _ = need_image(self, shape)
        edges = zip((H, W), self.borders(shape), self.window, self.steps, strict=True)
        out = [(size + sum(border) - kernel) // stride + 1 for size, border, kernel, stride in edges]
        if min(out) < 1:
            kernel = "x".join(map(str, self.window))
            raise ModelError(f"{self.name}: a {kernel} kernel does not fit images of {H}x{W}")
        return (out[0], out[1], self.filters)

    def parameters(self, shape: Shape) -> tuple[Spec, ...]:
        """Return filter (stored [rows, columns, C, filters]), and bias if there is one."""
        C, (rows, columns) = shape[2], self.window
        fan_in = C * rows * columns
        filters = Spec("filter", (self.filters, C, rows, columns), fan_in, axes=(2, 3, 1, 0))
        return (filters, Spec("bias", (self.filters,), fan_in)) if self.bias else (filters,)


def _both(value: object) -> Pair | None:
    """Return a number, or two, as two; None if it is neither, or too large."""
    two = tuple(value) if isinstance(value, list | tuple) else (value, value)
    if len(two) != 2 or not all(type(number) is int and number <= LARGEST for number in two):
        return None
    return two


def _pair(value: int | Pair) -> Pair:
    return (value, value) if isinstance(value, int) else value


def _short(both: Pair) -> int | Pair:
    """Return two numbers, or one if they are equal."""
    return both[0] if both[0] == both[1] else both
