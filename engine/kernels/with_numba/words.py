"""Words through which processes tell one another what is written: LLVM keeps the order on any processor."""

from typing import Any

from numba import types
from numba.extending import intrinsic

from engine.kernels.table import Counts
from engine.kernels.with_numba.jit import kernel

BYTES = 8  # of a word

ordered = True


def _place(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    """Return where the word is that the first two arguments, an array and a number, name."""
    data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
    return builder.gep(data, [arguments[1]])


def _store(typingctx: Any, words: Any, place: Any, value: Any) -> Any:  # noqa: ARG001 - numba counts them
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        builder.store_atomic(arguments[2], _place(context, builder, signature, arguments), "release", BYTES)
        return context.get_dummy_value()

    return types.void(words, types.int64, types.int64), generate


def _load(typingctx: Any, words: Any, place: Any) -> Any:  # noqa: ARG001 - numba counts them
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.load_atomic(_place(context, builder, signature, arguments), "acquire", BYTES)

    return types.int64(words, types.int64), generate


store: Any = intrinsic(_store)
load: Any = intrinsic(_load)


@kernel
def publish(words: Counts, place: int, value: int) -> None:
    store(words, place, value)


@kernel
def look(words: Counts, place: int) -> int:
    return load(words, place)  # type: ignore[no-any-return]
