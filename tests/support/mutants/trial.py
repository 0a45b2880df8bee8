"""One run of the tests in a process of its own, with the module as it is or changed."""

import resource
import sys
import time
from collections.abc import Iterator, Sequence
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from types import CodeType

import coverage
import pytest

from tests.support.repository import ROOT

MEMORY = 4 << 30  # bytes; a change can make a loop endless
OPTIONS = (
    *("-q", "-p", "no:cov", "-p", "no:xdist"),
    *("-o", f"cache_dir={ROOT}/.pytest_cache/mutants"),  # compiled kernels stay from one session to the next
    *("-W", "ignore::pytest.PytestAssertRewriteWarning"),  # hypothesis is there before pytest
)

Seconds = dict[str, float]  # by test
Lines = dict[int, list[str]]  # the tests that execute a line


class Changed(SourceFileLoader):
    """Finds and loads one module with other code; nothing on disk is changed."""

    def __init__(self, module: str, path: Path, code: CodeType) -> None:
        super().__init__(module, str(path))
        self._code = code

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> ModuleSpec | None:
        return spec_from_file_location(fullname, self.path, loader=self) if fullname == self.name else None

    def get_code(self, fullname: str) -> CodeType:
        return self._code


class Chosen:
    """Runs only some tests, in the given order."""

    def __init__(self, tests: Sequence[str]) -> None:
        self._place = {test: place for place, test in enumerate(tests)}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        chosen = [item for item in items if item.nodeid in self._place]
        items[:] = sorted(chosen, key=lambda item: self._place[item.nodeid])


class Watched:
    """Notes how long each test takes, and which lines of the module at `path` it executes."""

    def __init__(self, path: Path) -> None:
        self._path = str(path)
        self._coverage = coverage.Coverage(data_file=None, include=[self._path], config_file=False)
        self.seconds: Seconds = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self._coverage.switch_context(item.nodeid)
        began = time.perf_counter()
        yield
        self.seconds[item.nodeid] = time.perf_counter() - began

    def run(self, arguments: Sequence[str]) -> int:
        self._coverage.start()
        code = pytest.main([*arguments], [self])
        self._coverage.stop()
        return int(code)

    def lines(self) -> Lines:
        return dict(self._coverage.get_data().contexts_by_lineno(self._path))


def watched(path: Path, tests: Path, temporary: Path) -> tuple[int, Seconds, Lines]:
    """Run `tests` with the module as it is; return pytest's exit code and what was noted."""
    watch = Watched(path)
    code = watch.run([*OPTIONS, f"--basetemp={temporary}", str(tests)])
    return code, watch.seconds, watch.lines()


def judge(changed: Changed, tests: Sequence[str], limit: float, temporary: Path) -> int:
    """Run `tests` with the changed module until one fails; return pytest's exit code."""
    resource.setrlimit(resource.RLIMIT_CPU, (int(limit), int(limit)))  # whatever an endless loop catches
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    sys.meta_path.insert(0, changed)
    files = dict.fromkeys(test.partition("::")[0] for test in tests)
    return int(pytest.main([*OPTIONS, "-x", f"--basetemp={temporary}", f"--timeout={limit}", *files], [Chosen(tests)]))
