"""What this machine has that training needs."""

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np

from engine.compute.arithmetic import check_arithmetic
from engine.compute.fingerprint import fingerprint
from engine.compute.precompile import is_compiled
from engine.doctor.finding import Finding
from engine.errors import GradsumError
from engine.kernels import choose
from engine.reports.text import size
from engine.system import cores, places
from engine.system.descriptors import descriptor_limit, raise_descriptor_limit, relayed_within
from engine.system.file_system import lacking
from engine.system.files import check_writable
from engine.wire.shared_memory import shared_memory_for

ROOM = 1 << 30  # bytes that should be free in the cache
DESCRIPTORS = 1024  # enough for about 200 workers
DRIFT = 5.0  # seconds that the clocks of this machine and of a file system may differ


def findings() -> Iterator[Finding]:
    """Look at one thing after the other."""
    for look in (_arithmetic, _cores, _quota, _cache, _temporary, _folder, _locks, _memory, _descriptors, _clock):
        try:
            yield look()
        except (GradsumError, OSError) as error:
            yield Finding(look.__name__.strip("_"), False, str(error))


def _arithmetic() -> Finding:
    mark = fingerprint()
    if choose().name == "numpy":
        text = "numpy and BLAS compute here: workers join only on processors like this one; install gradsum[fast]"
        return Finding("arithmetic", False, f"{text} ({mark})")
    if not is_compiled():
        return Finding("arithmetic", True, f"{mark}; kernels are compiled, and checked, at the first run")
    check_arithmetic()
    return Finding("arithmetic", True, f"it has the golden digest: {mark}")


def _cores() -> Finding:
    limit = cores.limit()
    return Finding("cores", True, f"{limit.cores} of {os.cpu_count()}, as {limit.reason} has it")


def _quota() -> Finding:
    quota = cores.quota()
    if quota is None:
        return Finding("quota", True, "no cgroup limits the processor time")
    whole = quota >= 1 and quota == int(quota)
    advice = "" if whole else "; a whole number would leave no part of a core unused"
    return Finding("quota", whole, f"a cgroup allows {quota:g} CPUs{advice}")


def _cache() -> Finding:
    folder = places.cache_folder()
    with suppress(OSError):  # which the attempt to write explains
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return _writable("cache", folder, f"or set {places.VARIABLE} to another one")


def _temporary() -> Finding:
    return _writable("temporary", places.temporary_folder(), "or set TMPDIR to another one")


def _folder() -> Finding:
    return _writable("folder", Path.cwd(), "or name another one with --db and --out")


def _writable(what: str, folder: Path, instead: str) -> Finding:
    """Say whether files can be written to `folder`, and what to do `instead`."""
    try:
        check_writable(folder)
    except OSError as error:
        return Finding(what, False, f"{folder} cannot be written ({error.strerror}): make it so, {instead}")
    free = shutil.disk_usage(folder).free
    if free < ROOM:
        return Finding(what, False, f"{folder} has only {size(free)} left: make room, {instead}")
    return Finding(what, True, f"{folder}, {size(free)} free")


def _locks() -> Finding:
    here = Path.cwd()
    if lacks := lacking(here):
        return Finding("locks", False, f"the file system of {here} lacks {lacks}: put the records elsewhere with --db")
    return Finding("locks", True, f"the file system of {here} has them")


def _memory() -> Finding:
    with shared_memory_for(1, wanted=True) as memory:
        if memory is None:
            return Finding("shared memory", True, "there is none here; local workers get everything by socket")
        memory.open(1024)
        np.copyto(memory.parameters(0), np.float32(1))
    return Finding("shared memory", True, "the vectors of local workers are in it")


def _descriptors() -> Finding:
    raise_descriptor_limit()
    limit = descriptor_limit()
    if limit < DESCRIPTORS:
        text = f"only {limit} files may be open, enough for {relayed_within(limit)} workers: ulimit -n {DESCRIPTORS}"
        return Finding("descriptors", False, text)
    return Finding("descriptors", True, f"{limit} files may be open")


def _clock() -> Finding:
    with tempfile.NamedTemporaryFile(dir=places.temporary_folder()) as file:
        drift = os.fstat(file.fileno()).st_mtime - time.time()
    now = time.strftime("%Y-%m-%d %H:%M:%S %Z")
    if abs(drift) > DRIFT:
        return Finding(
            "clock", False, f"it says {now}, {drift:+.0f} s from that of the file system: set it, as with ntp"
        )
    return Finding("clock", True, f"it says {now}; records have these times, results do not depend on them")
