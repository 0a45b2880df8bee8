"""Layers that a person wrote, forward and backward in numpy."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import wraps
from typing import Any, ClassVar, Self, dataclass_transform

import numpy as np
from numpy.typing import NDArray

from engine.errors import ModelError, OwnCodeError
from engine.nn.layers.base import REGISTRY, Layer, Shape
from engine.nn.own.blame import blaming, line_of
from engine.nn.parameters import FLOAT_MAX, Spec

Numbers = NDArray[Any]
Gradients = Numbers | tuple[Numbers, dict[str, Numbers]]  # that of x, and those of parameters by name
Saved = Any  # what a layer keeps from forward to backward


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
class OwnLayer(Layer):
    """Base of layers of one's own. Its annotated fields are settings: numbers, text or tuples of these.

    A layer is a function of one sample at a time, without randomness. Arrays are [N, H, W, C] or [N, F], float32, in
    checks float64. `surrogate`: its gradient is meant to be another one than that of `forward`, so it is not checked.
    """

    surrogate: ClassVar[bool] = False

    def __init_subclass__(cls) -> None:
        if "prefix" not in cls.__dict__:
            cls.prefix = cls.__name__.lower()
        before = REGISTRY.get(cls.__name__)
        if before is not None and (before.__module__, before.__qualname__) != (cls.__module__, cls.__qualname__):
            raise ModelError(f"there is a layer type {cls.__name__} already: give yours another name")
        dataclass(frozen=True)(cls)
        for name, check in (("output_shape", _as_shape), ("parameters", _as_specs)):
            if name in cls.__dict__:
                setattr(cls, name, _guarded(name, cls.__dict__[name], check))
        super().__init_subclass__()

    def output_shape(self, shape: Shape) -> Shape:
        """Return the shape of one sample, (H, W, C) or (F,), after this layer: by default as before it."""
        return shape

    def parameters(self, shape: Shape) -> tuple[Spec, ...]:  # noqa: ARG002
        """Return the parameters for samples of `shape`: none by default."""
        return ()

    def forward(self, x: Numbers, **parameters: Numbers) -> tuple[Numbers, Saved]:
        """Return the outputs for x, and what `backward` needs; `parameters` are arrays by their names."""
        raise NotImplementedError

    def backward(self, dy: Numbers, saved: Saved, **parameters: Numbers) -> Gradients:
        """Return the gradient of x for that of the outputs, and those of parameters by name, if there are any."""
        raise NotImplementedError

    @classmethod
    def build(cls, given: Mapping[str, Any], depth: int) -> Self:  # noqa: ARG003
        """Return the layer with these settings; OwnCodeError if it does not take them."""
        with blaming(f"making {cls.__name__}"):
            settings: dict[str, Any] = {n: tuple(v) if isinstance(v, list) else v for n, v in given.items()}
            return cls(**settings)

    def outputs(self, x: Numbers, parameters: Mapping[str, Numbers], shape: Shape) -> tuple[Numbers, Saved]:
        """Return what `forward` does for samples that become `shape`; OwnCodeError if that is something else."""
        with blaming(f"forward of {self.name}"):
            result = self.forward(x, **parameters)
        if not isinstance(result, tuple) or len(result) != 2:
            raise OwnCodeError(f"{line_of(type(self).forward)}forward of {self.name} must return outputs, saved")
        y, saved = result
        self._check_shape(y, (len(x), *shape), "forward", "outputs")
        return y, saved

    def gradients(
        self, dy: Numbers, saved: Saved, parameters: Mapping[str, Numbers], shape: Shape
    ) -> tuple[Numbers, dict[str, Numbers]]:
        """Return what `backward` does for samples of `shape`; OwnCodeError if that is something else."""
        with blaming(f"backward of {self.name}"):
            result = self.backward(dy, saved, **parameters)
        dx, own = result if isinstance(result, tuple) and len(result) == 2 else (result, {})
        self._check_shape(dx, (len(dy), *shape), "backward", "gradient of x")
        if not isinstance(own, dict) or own.keys() != parameters.keys():
            wanted = ", ".join(parameters) or "none"
            got = ", ".join(map(str, own)) if isinstance(own, dict) else type(own).__name__
            raise OwnCodeError(
                f"{line_of(type(self).backward)}backward of {self.name} must return gradients of the parameters "
                f"by name ({wanted}), got {got or 'none'}"
            )
        for name, gradient in own.items():
            self._check_shape(gradient, parameters[name].shape, "backward", f"gradient of {name}")
        return dx, own

    def _check_shape(self, array: object, shape: tuple[int, ...], method: str, what: str) -> None:
        if not isinstance(array, np.ndarray) or array.shape != shape or array.dtype.kind != "f":
            got = f"{array.dtype} {array.shape}" if isinstance(array, np.ndarray) else type(array).__name__
            where = line_of(getattr(type(self), method))
            raise OwnCodeError(f"{where}{method} of {self.name}: the {what} must be floats of shape {shape}, got {got}")


def _guarded(name: str, method: Callable[..., Any], check: Callable[[str, Any], Any]) -> Callable[..., Any]:
    """Return a method of a person's whose exceptions, and wrong results, are OwnCodeErrors."""

    @wraps(method)
    def guarded(self: OwnLayer, shape: Shape) -> Any:
        what = f"{name} of {self.name or type(self).__name__}"
        with blaming(what):
            result = method(self, shape)
        return check(f"{line_of(method)}{what}", result)

    return guarded


def _as_shape(what: str, result: Any) -> Shape:
    if (
        not isinstance(result, list | tuple)
        or len(result) not in (1, 3)
        or not all(isinstance(n, int | np.integer) and n > 0 for n in result)
    ):
        raise OwnCodeError(f"{what} must return (H, W, C) or (F,), got {result!r:.60}")
    return tuple(int(n) for n in result)


def _as_specs(what: str, result: Any) -> tuple[Spec, ...]:
    found = [result] if isinstance(result, Spec) else result
    if not isinstance(found, list | tuple) or not all(isinstance(spec, Spec) and not spec.axes for spec in found):
        raise OwnCodeError(f"{what} must return gradsum.Spec(name, shape, fan_in), or several, got {result!r:.60}")
    checked: list[Spec] = []
    for spec in found:
        if not isinstance(spec.name, str) or not spec.name.isidentifier() or spec.name in (one.name for one in checked):
            raise OwnCodeError(f"{what}: the names of parameters must be words that differ, got {spec.name!r:.60}")
        checked.append(_as_spec(f"{what}: {spec.name}", spec))
    return tuple(checked)


def _as_spec(what: str, spec: Spec) -> Spec:
    """Return `spec` with a tuple for its shape; OwnCodeError if an array cannot be so."""
    whole = (int, np.integer)
    if not isinstance(spec.shape, list | tuple) or not all(isinstance(n, whole) and n > 0 for n in spec.shape):
        raise OwnCodeError(f"{what} must have a shape of whole numbers above 0, such as (3,), got {spec.shape!r:.60}")
    if not isinstance(spec.fan_in, whole) or spec.fan_in < 1:
        raise OwnCodeError(f"{what} must have a fan_in that is a whole number above 0, got {spec.fan_in!r:.60}")
    initial = spec.initial
    if initial is not None and not (isinstance(initial, int | float | np.number) and abs(float(initial)) <= FLOAT_MAX):
        raise OwnCodeError(f"{what} must have an initial value that is a finite float32, got {initial!r:.60}")
    return replace(spec, shape=tuple(int(n) for n in spec.shape))
