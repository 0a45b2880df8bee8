"""A training that goes on while things go wrong: a coordinator, its local workers, and others behind faulty links."""

import contextlib
import json
import math
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self

from engine.errors import RecordsError
from engine.launch.command import worker_command, worker_environment
from tests.support.chaos.flood import Flood
from tests.support.chaos.liar import Lie
from tests.support.chaos.link import Link, Mischief
from tests.support.chaos.schedule import Event, Fault
from tests.support.chaos.storage import DatabaseLock, Filler
from tests.support.chaos.story import Story, Struck

TELLING = Path(__file__).with_name("telling.py")
LIAR = Path(__file__).with_name("liar.py")
GRACE = 20.0  # seconds in which a process must end once it should
STALL = 180.0  # seconds without a step after which the run is taken to hang
SPOILED = 3  # messages in a row
MISCHIEF = {Fault.LOSE: Mischief.LOSE, Fault.REPEAT: Mischief.REPEAT, Fault.SWAP: Mischief.SWAP}


@dataclass
class _Seat:
    """A place for a worker on "another machine", started anew when it ends, as a service manager would."""

    link: Link
    process: "subprocess.Popen[bytes] | None" = None
    wanted: bool = True
    expected: bool = False  # that it ends


@dataclass
class _Liar:
    """A worker that lies about all it computes; `again`: it is started again when it was expelled."""

    lie: Lie
    again: bool
    process: "subprocess.Popen[bytes]"


class Arena:
    """Runs `gradsum train ARGUMENTS` in `folder`, with `seats` workers besides its own local ones.

    `arguments` end with --json; a coordinator that was killed is started again with `resume`. With a `key`, a file
    that need not be there yet, all is encrypted. `db`: the database of the run, whose disk may be filled.
    """

    def __init__(
        self,
        folder: Path,
        arguments: Sequence[str],
        resume: Sequence[str],
        seats: int,
        key: Path | None = None,
        db: Path = Path("r.db"),
    ) -> None:
        self._worker_keys = ["--key", str(key)] if key else []  # on this machine they need none
        self._keys = self._worker_keys or ["--insecure"]
        self.story = Story()
        self._folder = folder
        self._db = folder / db
        self._lock = DatabaseLock(self._db)
        self._liars: list[_Liar] = []
        self._arguments = list(arguments)
        self._resume = list(resume)
        self._port = free_port()
        self._step = 0
        self._no_room_until = 0.0
        self._pids: list[int] = []  # of the workers at hand, remote ones included
        self._due: list[tuple[float, Callable[[], None]]] = []
        self._errors = (folder / "stderr.txt").open("ab")
        self._seats = [_Seat(Link(self.address)) for _ in range(seats)]
        self._told: IO[bytes]
        self._coordinator = self._start_coordinator(self._arguments)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """End whatever is left, however it stands."""
        self._restore(math.inf)
        for liar in self._liars:
            liar.process.kill()
            liar.process.wait()
        for seat in self._seats:
            if seat.process is not None:
                seat.process.kill()
                seat.process.wait()
            seat.link.close()
        self._coordinator.kill()
        self._coordinator.communicate()
        self._told.close()
        self._errors.close()

    @property
    def address(self) -> str:
        """Where the coordinator listens."""
        return f"tcp://127.0.0.1:{self._port}"

    @property
    def pid(self) -> int:
        """The coordinator's process id."""
        return self._coordinator.pid

    def wait_for_start(self) -> None:
        """Return when the first step is about to be taken."""
        line = self._next_line()
        assert line[:1] == ["started"], (self._folder / "stderr.txt").read_text(errors="replace")
        self._begin(line)

    def _begin(self, line: Sequence[str]) -> None:
        self.story.sittings.append((self._launched, int(line[1])))

    def run(self, events: Sequence[Event], code: int = 0) -> Story:
        """Let the training go on to its end, with exit code `code`, while `events` happen, and return the story."""
        pending = deque(events)
        while line := self._next_line() or self._try_again():
            if line[0] == "started":
                self._begin(line)
                continue
            self._step, self._pids = int(line[1]), [int(pid) for pid in line[2:]]
            self.story.steps.append((time.monotonic(), self._step, len(self._pids)))
            if pending and pending[0].step <= self._step:
                self._strike(pending.popleft())
        out, _ = self._coordinator.communicate(timeout=GRACE)
        if self._coordinator.returncode != code or pending:
            said = (self._folder / "stderr.txt").read_text(errors="replace")[-9000:]
            raise AssertionError(f"exit code {self._coordinator.returncode}, {len(pending)} faults to come: {said}")
        self.story.result = json.loads(out.splitlines()[-1])
        self._dismiss()
        return self.story

    def _try_again(self) -> list[str]:
        """Start a coordinator again, as a service manager would, if it found no room for records when it was resumed.

        Return the words of its next line, [] if it has ended for another reason.
        """
        while self._coordinator.wait(GRACE) == RecordsError.exit_code and time.monotonic() < self._no_room_until:
            self._kill_coordinator()
            if line := self._next_line():
                return line
        return []

    def _next_line(self) -> list[str]:
        """Return the words of the coordinator's next line, looking after everything else meanwhile; [] at the end."""
        began = time.monotonic()
        while True:
            self._restore(time.monotonic())
            self._tend()
            timeout = min([1.0, *(due - time.monotonic() for due, _ in self._due)])
            if select.select([self._told], [], [], max(0.0, timeout))[0]:
                return self._told.readline().decode().split()
            assert time.monotonic() - began < STALL, f"no step after step {self._step} for {STALL:g} seconds"

    def _start_coordinator(self, arguments: Sequence[str]) -> "subprocess.Popen[str]":
        self._launched = time.time()
        reading, writing = os.pipe()
        self._told = open(reading, "rb", buffering=0)  # noqa: SIM115, PTH123 - closed with the coordinator
        command = [sys.executable, str(TELLING), str(writing), *arguments, "--bind", self.address, *self._keys]
        try:
            return subprocess.Popen(
                command,
                cwd=self._folder,
                pass_fds=(writing,),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                text=True,
                start_new_session=True,
            )
        finally:
            os.close(writing)

    def _tend(self) -> None:
        """Start the remote workers that are wanted and not there."""
        for seat in self._seats:
            if seat.process is not None and seat.process.poll() is not None:
                if not seat.expected:
                    self.story.ended_by_themselves[seat.process.returncode] += 1
                seat.process = None
            if seat.process is None and seat.wanted:
                seat.expected = False
                seat.process = self._start_worker(worker_command(seat.link.address))
        for liar in [liar for liar in self._liars if liar.process.poll() is not None]:
            if liar.again:
                liar.process = self._start_liar(liar.lie)
            else:
                self._liars.remove(liar)

    def _start_worker(self, command: Sequence[str]) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [*command, *self._worker_keys],
            cwd=self._folder,
            env=worker_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._errors,
            start_new_session=True,
        )

    def _start_liar(self, lie: Lie) -> "subprocess.Popen[bytes]":
        return self._start_worker([sys.executable, "-P", str(LIAR), lie, "0", self.address])

    def _restore(self, now: float) -> None:
        """End the faults whose time is over."""
        over = [restore for due, restore in self._due if due <= now]
        self._due = [(due, restore) for due, restore in self._due if due > now]
        for restore in over:
            restore()

    def _later(self, seconds: float, begin: Callable[[], None], restore: Callable[[], None]) -> float:
        """Begin a fault now, and let `restore` end it after `seconds`."""
        begin()
        self._due.append((time.monotonic() + seconds, restore))
        return seconds

    def _strike(self, event: Event) -> None:
        """Let `event` happen."""
        began = time.monotonic()
        lasted = self._perform(event)
        self.story.faults.append(Struck(event.fault, began, self._step, lasted))

    def _perform(self, event: Event) -> float:
        """Carry out a fault; return how long it lasts, 0.0 if it is over at once."""
        match event.fault:
            case Fault.KILL:
                self._signal(self._worker(event.lot), signal.SIGKILL)
            case Fault.LEAVE:
                self._leave(event.lot)
            case Fault.JOIN:
                self._join(event.lot)
            case Fault.FREEZE:
                return self._freeze(self._worker(event.lot), event.seconds)
            case Fault.FREEZE_COORDINATOR:
                return self._freeze(self._coordinator.pid, event.seconds)
            case Fault.KILL_COORDINATOR:
                self._kill_coordinator()
            case Fault.LOCK | Fault.FULL_DISK | Fault.POISON | Fault.REJOIN | Fault.FLOOD:
                return self._trouble(event)
            case Fault.CUT | Fault.HOLD | Fault.SLOW:
                return self._disturb(event.fault, self._link(event.lot), event.seconds)
            case Fault.LOSE | Fault.REPEAT | Fault.SWAP:
                self._link(event.lot).spoil(MISCHIEF[event.fault], SPOILED)
        return 0.0

    def _disturb(self, fault: Fault, link: Link, seconds: float) -> float:
        """Let a link misbehave; return how long it does."""
        begin, end = {
            Fault.CUT: (link.cut, link.restore),
            Fault.HOLD: (link.hold, link.release),
            Fault.SLOW: (link.slow_down, link.speed_up),
        }[fault]
        return self._later(seconds, begin, end)

    def _trouble(self, event: Event) -> float:
        """Carry out a fault of the storage or of a stranger; return how long it lasts."""
        match event.fault:
            case Fault.LOCK:
                return self._later(event.seconds, self._lock.hold, self._lock.release)
            case Fault.FULL_DISK:
                self._no_room_until = max(self._no_room_until, time.monotonic() + event.seconds + STALL)
                filler = Filler(self._db.parent)
                return self._later(event.seconds, filler.fill, filler.clear)
            case Fault.FLOOD:
                flood = Flood(self.address, "", self.pid, event.lot, kinds=("stranger", "raw"))
                return self._later(event.seconds, flood.start, flood.stop)
            case _:
                return self._lie(event)

    def _lie(self, event: Event) -> float:
        """Let a liar join, and again and again if it is one that rejoins; return how long it does."""
        lie = list(Lie)[event.lot % len(Lie)]
        liar = _Liar(lie, event.fault is Fault.REJOIN, self._start_liar(lie))

        def give_up() -> None:
            liar.again = False

        if not liar.again:
            self._liars.append(liar)
            return 0.0
        return self._later(event.seconds, lambda: self._liars.append(liar), give_up)

    def _worker(self, lot: int) -> int:
        """Choose a worker that is at hand, local or remote, and return its process id."""
        return self._pids[lot % len(self._pids)]

    def _link(self, lot: int) -> Link:
        """Choose the link of a worker, of one that is at hand if there is any."""
        near = [seat for seat in self._seats if seat.process is not None and seat.process.pid in self._pids]
        seats = near or self._seats
        return seats[lot % len(seats)].link

    def _leave(self, lot: int) -> None:
        """Ask a remote worker to leave; it stays away until another is to join. Or a local one, if there is none."""
        pid = self._worker(lot)
        for seat in self._seats:
            if seat.process is not None and seat.process.pid == pid:
                seat.wanted = False
        self._signal(pid, signal.SIGTERM)

    def _join(self, lot: int) -> None:
        """Let a worker join where one has left, or in the place of another."""
        free = [seat for seat in self._seats if not seat.wanted]
        if free:
            free[lot % len(free)].wanted = True
        else:
            seat = self._seats[lot % len(self._seats)]
            if seat.process is not None:
                self._signal(seat.process.pid, signal.SIGTERM)

    def _signal(self, pid: int, number: int) -> None:
        """Send a signal to a worker."""
        for seat in self._seats:
            if seat.process is not None and seat.process.pid == pid:
                seat.expected = True
        with contextlib.suppress(ProcessLookupError):  # it ended a moment ago
            os.kill(pid, number)

    def _freeze(self, pid: int, seconds: float) -> float:
        """Freeze a process now and thaw it later. A descriptor stands for it, as its number may be given to another."""
        try:
            descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            return 0.0

        def tell(number: int) -> None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(descriptor, number)

        def thaw() -> None:
            tell(signal.SIGCONT)
            os.close(descriptor)

        return self._later(seconds, lambda: tell(signal.SIGSTOP), thaw)

    def _kill_coordinator(self) -> None:
        """Kill the coordinator and start it again."""
        self._coordinator.kill()
        self._coordinator.communicate()
        self._told.close()
        self._coordinator = self._start_coordinator(self._resume)

    def _dismiss(self) -> None:
        """End the remote workers, those that wait for another run, too."""
        self._restore(math.inf)
        for liar in self._liars:
            liar.process.terminate()
            liar.process.wait(GRACE)
        self._liars.clear()
        for seat in self._seats:
            if seat.process is not None:
                seat.process.terminate()
                seat.process.wait(GRACE)
                seat.process = None


MAIN = "import sys; from engine.cli import main; sys.exit(main())"


def free_port() -> int:
    """Return a port that nobody listens at now."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    return port
