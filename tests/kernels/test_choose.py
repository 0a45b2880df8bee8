"""Which backend is taken, and that numba is not imported before it is wanted."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

import engine.kernels
from engine.compute.precompile import compile_kernels
from engine.errors import SettingsError
from engine.kernels import choose, numpy_backend, using
from engine.system.caches import cache_size
from tests.support.backends import BACKENDS, each_backend

WITH_NUMBA = len(BACKENDS) > 1


def test_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GRADSUM_BACKEND", raising=False)
    best = BACKENDS[-1].name
    assert choose("numpy") is numpy_backend()
    assert choose().name == choose("auto").name == best
    monkeypatch.setenv("GRADSUM_BACKEND", "numpy")
    assert choose().name == "numpy"
    assert choose("auto").name == best
    assert choose("exact").name == "exact"
    monkeypatch.setenv("GRADSUM_BACKEND", "cuda")
    with pytest.raises(SettingsError, match="no kernel backend 'cuda'; there are auto, numba, numpy, exact"):
        choose()


def test_within_a_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GRADSUM_BACKEND", raising=False)
    monkeypatch.setenv("GRADSUM_ALLOW_SLOW", "0")
    with using("exact", allow_slow=True):
        assert choose().name == os.environ["GRADSUM_BACKEND"] == "exact", "so that processes started here know it"
        assert os.environ["GRADSUM_ALLOW_SLOW"] == "1"
        with using("numpy"), using(None):
            assert choose().name == "numpy", "what is asked for wins over the environment"
        assert choose().name == "exact"
    assert "GRADSUM_BACKEND" not in os.environ
    assert os.environ["GRADSUM_ALLOW_SLOW"] == "0"


def test_without_numba(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numba", None)
    monkeypatch.delattr(engine.kernels, "with_numba", raising=False)
    for name in [name for name in sys.modules if name.startswith("engine.kernels.with_numba")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(SettingsError, match="needs numba"):
        choose("numba")
    assert choose("auto") is numpy_backend()


def test_numba_is_imported_only_when_chosen() -> None:
    script = "import sys, engine.compute.program, engine.nn.optimizers, engine.kernels as k; k.choose('numpy')"
    script += "; print('numba' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@each_backend
def test_compiling_twice_compiles_nothing(kernels: object) -> None:
    for backend in BACKENDS:
        compile_kernels(backend)
        assert not compile_kernels(backend)
        assert backend.cached(), "every kernel is compiled"


@pytest.mark.skipif(not WITH_NUMBA, reason="numba is not installed")
def test_compiled_code_that_was_deleted_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    from engine.kernels.with_numba import jit

    compile_kernels(BACKENDS[-1])
    monkeypatch.setattr(jit, "SOURCES", "0" * 8)
    assert not BACKENDS[-1].cached()


@pytest.mark.skipif(not WITH_NUMBA, reason="numba is not installed")
def test_a_change_in_any_kernel_file_makes_the_cache_stale() -> None:
    from engine.kernels.with_numba import jit
    from engine.kernels.with_numba.tile import VARIABLE

    folder = Path(jit.__file__).parent
    files = [folder.parent / "series.py", folder.parent / "philox.py", *sorted(folder.glob("*.py"))]
    text = b"".join(path.read_bytes() for path in files)
    text += f"{os.environ.get(VARIABLE, '')} {cache_size(1)} {cache_size(2)}".encode()
    assert len(jit.COMPILED) > 30
    for dispatcher in jit.COMPILED:
        assert dispatcher.py_func.__qualname__.endswith(f"_{hashlib.sha256(text).hexdigest()[:8]}")
