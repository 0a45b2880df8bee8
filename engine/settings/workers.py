"""Who computes."""

from dataclasses import dataclass
from typing import TypedDict

from engine.kernels.choose import DEFAULT as KERNELS_DEFAULT
from engine.kernels.choose import IN_WORDS
from engine.kernels.choose import NAMES as KERNELS
from engine.settings.field import REMOTE, WORKERS, setting

MAX_WORKERS = 4096


@dataclass(frozen=True)
class WorkersSettings:
    """Who computes."""

    workers: int | None = setting(
        int,
        None,
        WORKERS,
        "worker processes on this machine; 0: compute in this process, or leave it to other machines",
        0,
        MAX_WORKERS,
        optional=True,
        unset="one per core, but no more than a batch has micro-batches",
    )
    min_workers: int | None = setting(
        int,
        None,
        WORKERS,
        "workers to wait for before the start, and below which the run pauses",
        1,
        MAX_WORKERS,
        optional=True,
        unset="--workers, but at least 1, to start; then 1",
    )
    audit: float = setting(float, 0.0, WORKERS, "fraction of blocks computed by two workers and compared", 0, 1)
    kernels: str | None = setting(
        str, None, WORKERS, f"what computes: {IN_WORDS}", choices=KERNELS, optional=True, unset=KERNELS_DEFAULT
    )
    allow_slow: bool = setting(
        bool, False, WORKERS, "let a processor without fused multiply-add use numba, 20 to 45 times as slowly"
    )
    shared_memory: bool = setting(bool, True, WORKERS, "exchange vectors with local workers through shared memory")
    local: str = setting(
        str,
        "unix",
        WORKERS,
        "connect local workers by Unix sockets, where the system has what that takes, or by ZeroMQ",
        choices=("unix", "zmq"),
    )
    on: str | None = setting(
        str,
        None,
        REMOTE,
        "where workers run: here, or placed by a launcher, which is its name and its own options, such as "
        '"slurm -p cpu -c 32", "ssh node1 node2:16" or "ray ray://head:10001"; --workers is their number in all',
        optional=True,
        unset="here",
    )
    bind: str | None = setting(
        str,
        None,
        REMOTE,
        "let workers join at tcp://HOST:PORT, or INTERFACE:PORT as in ib0:5000; of ports 5000-5100 the first that is "
        "free, 0: any",
        optional=True,
    )
    key: str | None = setting(
        str,
        None,
        REMOTE,
        "key file of --bind, created if missing",
        optional=True,
        unset="a new one for this run",
    )
    key_mode: str = setting(
        str,
        "private",
        REMOTE,
        "any: others may be able to read the key file, as where Kubernetes mounts a secret",
        choices=("private", "any"),
    )
    insecure: bool = setting(bool, False, REMOTE, "let anyone join at --bind without keys, and read what is sent")

    @property
    def placed(self) -> bool:
        """Whether a launcher places the workers; then none are started on this machine."""
        return self.on not in (None, "here")

    @property
    def elsewhere(self) -> bool:
        """Whether workers may join from other machines."""
        return bool(self.bind) or self.placed


class WorkersDict(TypedDict, total=False):
    """The same as keyword arguments."""

    workers: int | None
    min_workers: int | None
    audit: float
    kernels: str | None
    allow_slow: bool
    shared_memory: bool
    local: str
    on: str | None
    bind: str | None
    key: str | None
    key_mode: str
    insecure: bool
