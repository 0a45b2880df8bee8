"""What a process that computes for hours wants from the allocator and the kernel; only Linux offers it."""

import ctypes
import sys
from pathlib import Path

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # <malloc.h>
TRIM_THRESHOLD = 2_000_000_000  # free bytes at the end of the heap that are kept: as many as an int can say
MADV_DONTNEED = 4  # <bits/mman-linux.h>
COMPILER = b"libllvmlite"


def keep_freed_memory() -> None:
    """Let malloc keep what is freed: gradients are allocated and freed in every step, and fresh pages are slow."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        libc.mallopt(M_MMAP_MAX, 0)
        libc.mallopt(M_TRIM_THRESHOLD, TRIM_THRESHOLD)


def release_compiler() -> None:
    """Drop the pages of LLVM's code, 50 MB of a process whose kernels are loaded; the next use reads them again."""
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None)
    for line in Path("/proc/self/maps").read_bytes().strip().split(b"\n"):  # file names may be any bytes
        addresses, rights, *rest = line.split()
        if rights == b"r-xp" and COMPILER in rest[-1]:  # code: pages with relocations must stay
            start, stop = (int(address, 16) for address in addresses.split(b"-"))
            libc.madvise(ctypes.c_void_p(start), ctypes.c_size_t(stop - start), MADV_DONTNEED)
