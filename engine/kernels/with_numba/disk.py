"""Where compiled kernels are kept: in the cache of this program, wherever it and numba are installed."""

import os
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import numba
from llvmlite import binding, ir
from numba.core.caching import CompileResultCacheImpl, FunctionCache
from numba.core.runtime import _nrt_python as _nrt  # type: ignore[attr-defined]

from engine.kernels.with_numba.tile import VARIABLE
from engine.system.caches import cache_size
from engine.system.places import kernels_folder, unwritable

# numba recompiles a cached kernel when its own file changes, but not when a file does whose loops are inlined or whose
# numbers are used. So the name of a kernel, and of its cache file, depends on all files: old code would give other bits
# than the source says. It depends on a tile that is asked for, too, and on the caches that tiles are to fit into.
# What else the processor is numba looks after itself.
HERE = Path(__file__).parent
FILES = [HERE.parent / "series.py", HERE.parent / "philox.py", *sorted(HERE.glob("*.py"))]
_SOURCE = b"".join(path.read_bytes() for path in FILES)
_TILES = f"{os.environ.get(VARIABLE, '')} {cache_size(1)} {cache_size(2)}"
SOURCES = sha256(_SOURCE + _TILES.encode()).hexdigest()[:8]


def folder() -> Path:
    """Return the folder of the kernels that this numba compiled."""
    return kernels_folder() / f"numba-{numba.__version__}"


class _Locator:
    """Tells numba where the files of a function are. numba's own locators refuse a folder that can only be read."""

    def __init__(self, function: Any, file: str) -> None:
        self._py_file = file  # numba names it in a warning
        self._line = function.__code__.co_firstlineno
        self._folder = folder()

    @classmethod
    def from_function(cls, function: Any, file: str) -> "_Locator":
        return cls(function, file)

    def get_cache_path(self) -> str:
        return str(self._folder)

    def ensure_cache_path(self) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def get_source_stamp(self) -> str:
        return SOURCES

    def get_disambiguator(self) -> str:
        return str(self._line)


class _Files(CompileResultCacheImpl):
    _locator_classes = [_Locator]  # noqa: RUF012 - as numba has it


class _CodeFiles(_Files):
    """Files of a function that no other compiled one calls: numba would keep its LLVM module, too, to inline it there.

    To read that module takes most of the time that it takes to load a function.
    """

    def reduce(self, compiled: Any) -> Any:
        (name, kind, (code, _)), *rest = super().reduce(compiled)  # type: ignore[no-untyped-call]
        return (name, kind, (code, _module_of(compiled.fndesc.llvm_cpython_wrapper_name))), *rest


def _module_of(name: str) -> bytes:
    """Return an LLVM module of one function `name`, from which numba sees that the machine code has this function."""
    module = ir.Module()
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), ()), name)
    ir.IRBuilder(function.append_basic_block()).unreachable()
    return bytes(binding.parse_assembly(str(module)).as_bitcode())


class _Cache(FunctionCache):
    """numba's cache of a function, in our folder."""

    _impl_class = _Files

    def load_overload(self, signature: Any, context: Any) -> Any:
        """Return what was compiled for the signature; None if it is not there.

        numba prepares for compiling first, each time, imports what it may need for that, and compiles its own functions
        for memory. The compiler does so, too; what is loaded has them inside.
        """
        _declare_helpers()
        with self._guard_against_spurious_io_errors():
            return self._load_overload(signature, context)  # type: ignore[no-untyped-call]

    def save_overload(self, signature: Any, data: Any) -> None:
        """Write what was compiled; SettingsError if the folder cannot be written."""
        try:
            super().save_overload(signature, data)  # type: ignore[no-untyped-call]
        except OSError as error:
            raise unwritable(folder(), error) from None


@cache
def _declare_helpers() -> None:
    """Let LLVM know numba's functions in C, which compiled code calls: the quick half of `rtsys.initialize`."""
    for name, address in _nrt.c_helpers.items():
        binding.add_symbol(name if name.startswith("_") else f"NRT_{name}", address)


class _CodeCache(_Cache):
    _impl_class = _CodeFiles


def cache_of(function: Any, *, called: bool) -> FunctionCache:
    """Return the cache of a function that numba is to compile; `called`: other compiled functions may call it."""
    return (_Cache if called else _CodeCache)(function)  # type: ignore[no-untyped-call]
