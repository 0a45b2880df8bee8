"""What processes that compute for hours ask of the allocator and of the system, where these are Linux's."""

import ctypes
import sys
from pathlib import Path

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # <malloc.h>
NEVER = 2_000_000_000  # bytes that may be free at the end of the heap before they are given back
MADV_DONTNEED = 4  # <bits/mman-linux.h>
COMPILER = b"libllvmlite"


def keep_freed_memory() -> None:
    """Let malloc keep what is freed: a model's gradients come and go in every step, and fresh pages are slow."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        libc.mallopt(M_MMAP_MAX, 0)
        libc.mallopt(M_TRIM_THRESHOLD, NEVER)


def release_compiler() -> None:
    """Drop the pages of LLVM's code, 50 MB of a process whose kernels are loaded; the next use reads them anew."""
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None)
    for line in Path("/proc/self/maps").read_bytes().strip().split(b"\n"):  # names of files may be any bytes
        places, rights, *rest = line.split()
        if rights == b"r-xp" and COMPILER in rest[-1]:  # code: what has relocations may not be dropped
            start, stop = (int(place, 16) for place in places.split(b"-"))
            libc.madvise(ctypes.c_void_p(start), ctypes.c_size_t(stop - start), MADV_DONTNEED)
