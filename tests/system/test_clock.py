"""A time limit counts from its start, and not before; and everyone who wants the time is given a clock."""

import ast

from engine.system.clock import MONOTONIC, TimeLimit
from tests.support.fakes import FakeClock
from tests.support.structure import trees

# Modules that read a clock of their own, and why.
READERS = {
    "engine.system.clock": "is the clock",
    # The time of day is a value like any other in these: tests give rows, or look for a recent one.
    "engine.data.cache": "compares the time of day with the age of a file",
    "engine.doctor.machine": "compares the time of day with that of the file system",
    "engine.records.backlog": "rows carry the time of day",
    "engine.records.catch_up": "rows carry the time of day",
    "engine.records.delivery": "rows carry the time of day",
    "engine.records.recorder": "rows carry the time of day",
    "engine.training.step_log": "rows carry the time of day",
    # To be given a clock, too.
    "engine.cli.live.display": "elapsed time on the screen",
    "engine.cli.live.lines": "one line now and then",
    "engine.records.database": "waits for another process",
}


def test_a_time_limit() -> None:
    clock = FakeClock()
    limit = TimeLimit(clock, 3.0)
    clock.time += 100
    assert (limit.left(), limit.reached()) == (None, False)
    limit.start()
    clock.time += 2
    assert (limit.left(), limit.reached()) == (1.0, False)
    clock.time += 2
    assert (limit.left(), limit.reached()) == (0.0, True)


def test_no_time_limit() -> None:
    clock = FakeClock()
    limit = TimeLimit(clock, None)
    limit.start()
    clock.time += 1e9
    assert (limit.left(), limit.reached()) == (None, False)


def test_the_clock_of_the_machine_never_goes_back() -> None:
    moments = [MONOTONIC.now() for _ in range(1000)]
    assert moments == sorted(moments)


def reads_the_time(tree: ast.AST) -> bool:
    """Tell whether a module uses `time.time` or `time.monotonic`, under whatever name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "time":
            names = {alias.name for alias in node.names}
        elif isinstance(node, ast.Attribute) and ast.unparse(node.value) == "time":
            names = {node.attr}
        else:
            continue
        if names & {"time", "time_ns", "monotonic", "monotonic_ns"}:
            return True
    return False


def test_nobody_else_reads_the_time() -> None:
    assert {module for module, tree in trees().items() if reads_the_time(tree)} <= READERS.keys()


def test_readers_are_found() -> None:
    assert reads_the_time(ast.parse("import time\ndef f():\n    return time.monotonic()"))
    assert reads_the_time(ast.parse("from time import time as now"))
    assert not reads_the_time(ast.parse("import time\ntime.process_time()\nx.monotonic()"))
