"""What goes wrong in a module that a person wrote, in one line that says where."""

import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FunctionType
from typing import Any

from engine.errors import GradsumError, OwnCodeError

OURS = str(Path(__file__).resolve().parents[2])  # the folder of this package


@contextmanager
def blaming(what: str) -> Iterator[None]:
    """Let an exception in the block be an OwnCodeError with file and line; `what` is being done there."""
    try:
        yield
    except GradsumError:
        raise
    except (Exception, SystemExit) as error:
        raise OwnCodeError(f"{_place(error)}in {what}: {type(error).__name__}: {error}") from error


def _place(error: BaseException) -> str:
    """Return the last line that was neither ours nor a library's, or else the last."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}: "
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith(OURS)]
    theirs = [frame for frame in frames if not _is_library(frame.filename)] or frames
    return f"{theirs[-1].filename}:{theirs[-1].lineno}: " if theirs else ""


def _is_library(filename: str) -> bool:
    return filename.startswith("<") or "site-packages" in filename or "/lib/python" in filename


def line_of(function: Callable[..., Any]) -> str:
    """Return the file and line where a function begins, for a message."""
    if not isinstance(function, FunctionType):
        return ""
    code = function.__code__
    return f"{code.co_filename}:{code.co_firstlineno}: "
