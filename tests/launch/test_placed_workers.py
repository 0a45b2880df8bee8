"""Workers that a launcher places: what is told of them, when they are given up, and what a launcher does for that."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event

import pytest

from engine.errors import WorkersError
from engine.launch.launcher import Join, Place, State
from engine.launch.piped import FIRST_WAIT, Piped, Task
from engine.launch.placed_workers import FAILURES, PlacedWorkers, describe
from engine.launch.slurm_jobs import FIRST_WAIT as FIRST_JOB_WAIT
from engine.launch.slurm_jobs import LONGEST_WAIT as LONGEST_JOB_WAIT
from engine.launch.slurm_jobs import SlurmJobs
from tests.support.cluster import exists
from tests.support.fakes import FakeClock

KEY = b"server_public = 'x'\n"


def join(folder: Path, workers: int | None = 2) -> Join:
    return Join("tcp://10.0.0.1:5000", KEY, folder, workers, 4)


class Scripted:
    """A launcher that shows `views`, one after the other; then the last one again."""

    noun = "jobs"
    remark = ""

    def __init__(self, *views: list[Place] | Exception) -> None:
        self.views = list(views)
        self.shown = 0
        self.closed = 0
        self.seen = Event()

    def start(self, join: Join) -> None:
        pass

    def look(self) -> list[Place]:
        view = self.views[min(self.shown, len(self.views) - 1)]
        self.shown += 1
        if self.shown > len(self.views):
            self.seen.set()
        if isinstance(view, Exception):
            raise view
        return view

    def close(self) -> None:
        self.closed += 1


@contextmanager
def placed(launcher: Scripted, folder: Path) -> Iterator[tuple[PlacedWorkers, list[str], list[str]]]:
    shown: list[str] = []
    noted: list[str] = []
    workers = PlacedWorkers(launcher, join(folder), shown.append, every=0.001)
    workers.note = noted.append
    try:
        assert launcher.seen.wait(20)
        yield workers, shown, noted
    finally:
        workers.close()
    assert launcher.closed == 1


def ended(ends: int, said: str = "bad luck", refused: bool = False) -> Place:
    return Place("21_1", State.ENDED, "n1", "", ends, said, refused)


def test_how_they_stand_is_told_when_it_changes(tmp_path: Path) -> None:
    waits = [Place(f"21_{n}", State.WAITING, "", "Resources") for n in range(3)]
    with placed(Scripted([*waits, Place("21_3", State.UP, "n1")]), tmp_path) as (workers, shown, noted):
        assert workers.look() == workers.look() == []
    assert shown == ["3 of 4 jobs pending (Resources), 1 running on n1"]
    assert not noted


def test_an_end_is_noted_once_with_the_last_words(tmp_path: Path) -> None:
    with placed(Scripted([ended(1)]), tmp_path) as (workers, _, noted):
        workers.look()
        workers.look()
    assert noted == ["21_1 on n1 ended; it said last: bad luck"]


def test_they_are_given_up_if_none_joins(tmp_path: Path) -> None:
    said = r"21_1 ended, like 2 more before any joined; it said last: bad luck"
    with placed(Scripted([ended(FAILURES + 1)]), tmp_path) as (workers, _, _), pytest.raises(WorkersError, match=said):
        workers.look()


def test_what_ends_after_one_has_joined_is_noted_and_ends_nothing(tmp_path: Path) -> None:
    up = Place("21_2", State.UP, "n2")
    launcher = Scripted([ended(FAILURES), up])
    with placed(launcher, tmp_path) as (workers, _, noted):
        workers.look()
        workers.joined()
        launcher.views, launcher.shown = [[ended(50), up]], 0
        launcher.seen.clear()
        assert launcher.seen.wait(20)
        workers.look()
    assert len(noted) == 2


def test_a_refusal_of_all_ends_the_run_at_once_and_that_of_one_does_not(tmp_path: Path) -> None:
    other = Place("21_2", State.UP, "n2")
    with placed(Scripted([ended(1, "other bits", refused=True), other]), tmp_path) as (workers, shown, noted):
        workers.look()
    assert noted == ["21_1 on n1 is not started again; it said last: other bits"]
    assert shown == ["1 of 2 jobs refused, 1 running on n2"]
    alone = Scripted([ended(1, "other bits", refused=True)])
    with placed(alone, tmp_path) as (workers, _, _), pytest.raises(WorkersError, match=r"^21_1: other bits$"):
        workers.look()


def test_a_queue_that_does_not_answer_ends_nothing(tmp_path: Path) -> None:
    launcher = Scripted(WorkersError("squeue did not answer"))
    with placed(launcher, tmp_path) as (workers, shown, _):
        workers.look()
    assert shown == ["squeue did not answer"]


def test_a_fault_of_the_launcher_ends_the_run(tmp_path: Path) -> None:
    launcher = Scripted([], ZeroDivisionError("of ours"))
    launcher.seen.set()  # nobody looks any more after the fault
    with placed(launcher, tmp_path) as (workers, _, _):
        workers._thread.join(20)
        with pytest.raises(ZeroDivisionError, match="of ours"):
            workers.look()


def test_a_log_that_cannot_be_opened_is_a_trouble(tmp_path: Path) -> None:
    launcher = Piped("hosts", lambda _: [Task("a", "a", ["true"])], clock=FakeClock())
    with pytest.raises(WorkersError, match=r"^the log of a, .*/logs/a.log, cannot be opened: No such file or dir"):
        launcher.start(join(tmp_path / "logs"))
    launcher.close()


def test_what_cannot_be_started_leaves_nothing(tmp_path: Path) -> None:
    class Refused(Scripted):
        def start(self, join: Join) -> None:
            raise WorkersError("invalid partition")

    launcher = Refused([])
    with pytest.raises(WorkersError, match="invalid partition"):
        PlacedWorkers(launcher, join(tmp_path), lambda _: None)
    assert launcher.closed == 1


def test_states_in_words() -> None:
    nodes = [Place(f"h{n}", State.UP, f"h{n}") for n in range(10)]
    assert describe("hosts", nodes).endswith("h7 and 2 more")
    assert describe("hosts", [ended(1)]) == "1 of 1 hosts to be started again"


ECHO = "import sys; print(sys.stdin.readline().strip(), flush=True); sys.stdin.read(); print('end', flush=True)"


def test_a_pipe_brings_the_key_and_its_end_is_the_end(tmp_path: Path) -> None:
    launcher = Piped("hosts", lambda _: [Task("a", "a", [sys.executable, "-c", ECHO])])
    launcher.start(join(tmp_path))
    assert [place.state for place in launcher.look()] == [State.UP]
    launcher.close()
    launcher.close()
    assert (tmp_path / "a.log").read_text() == f"{KEY.decode()}end\n"


def test_what_ends_is_started_again_after_a_while_unless_it_is_refused(tmp_path: Path) -> None:
    clock = FakeClock()
    commands = [Task("a", "a", ["sh", "-c", "echo bad luck; exit 3"]), Task("b", "b", ["sh", "-c", "exit 2"])]
    launcher = Piped("hosts", lambda _: commands, clock=clock)
    launcher.start(join(tmp_path))
    first = until_ended(launcher, 1)
    assert [(place.ends, place.refused) for place in first] == [(1, False), (1, True)]
    assert (first[0].said, first[1].said) == ("bad luck", "nothing; it ended with exit code 2")
    clock.time += 2 * FIRST_WAIT
    assert [place.ends for place in until_ended(launcher, 2)] == [2, 1]
    launcher.close()


def until_ended(launcher: Piped, ends: int) -> list[Place]:
    while True:
        places = launcher.look()
        if places[0].ends >= ends and places[1].ends:
            return places


class Hasty(FakeClock):
    """A clock by which a minute passes whenever it is read."""

    def now(self) -> float:
        self.time += 60.0
        return self.time


def test_a_command_that_stays_when_its_pipe_is_closed_is_ended(tmp_path: Path) -> None:
    launcher = Piped("hosts", lambda _: [Task("a", "a", ["sh", "-c", "echo $$; exec sleep 1000"])], clock=Hasty())
    launcher.start(join(tmp_path))
    while not (said := (tmp_path / "a.log").read_text()).endswith("\n"):
        pass
    launcher.close()
    assert not exists(int(said))


def test_a_command_that_does_not_exist(tmp_path: Path) -> None:
    launcher = Piped("hosts", lambda _: [Task("a", "a", ["no-such-command"])])
    with pytest.raises(WorkersError, match="no-such-command cannot be started"):
        launcher.start(join(tmp_path))
    launcher.close()


class Queue:
    """A Slurm in memory: `rows` is what squeue prints."""

    def __init__(self) -> None:
        self.rows: dict[str, str] = {}
        self.submitted: list[tuple[str, ...]] = []
        self.script = ""
        self.cancelled: list[str] = []

    def say(self, *command: str, stdin: str = "") -> str:
        if command[0] == "sbatch":
            self.submitted.append(command)
            self.script = stdin
            [array] = [word.removeprefix("--array=") for word in command if word.startswith("--array=")]
            for number in array.split(","):
                self.rows[f"{len(self.submitted)}_{number}"] = "PENDING||Resources"
            return f"{len(self.submitted)};cluster"
        if command[0] == "scancel":
            self.cancelled.append(command[1])
            self.rows = dict.fromkeys(self.rows, "CANCELLED|n1|None")
            return ""
        return "\n".join(f"{name}|{row}" for name, row in self.rows.items())


def jobs(queue: Queue, clock: FakeClock, cores: int = 2) -> SlurmJobs:
    return SlurmJobs(["-p", "cpu"], queue.say, cores, clock, lambda seconds: None)


def test_an_array_of_jobs_and_a_substitute_for_one_that_is_gone(tmp_path: Path) -> None:
    queue, clock = Queue(), FakeClock()
    launcher = jobs(queue, clock)
    launcher.start(join(tmp_path, 3))
    assert "--array=1,2" in queue.submitted[0]
    assert "--cpus-per-task=2" in queue.submitted[0]
    assert queue.submitted[0][-2:] == ("-p", "cpu")
    assert [(place.name, place.why) for place in launcher.look()] == [("1_1", "Resources"), ("1_2", "Resources")]
    queue.rows = {"1_1": "RUNNING|n1|None", "1_2": "CANCELLED|n2|None"}
    up, gone = launcher.look()
    assert (up.state, up.node, gone.state, gone.ends) == (State.UP, "n1", State.ENDED, 1)
    assert len(queue.submitted) == 1
    clock.time += FIRST_JOB_WAIT
    assert [place.name for place in launcher.look()] == ["1_1", "2_2"]
    assert "--array=2" in queue.submitted[1]
    launcher.close()
    launcher.close()
    assert len(queue.cancelled) == 1
    assert not list(tmp_path.glob("*.key"))


def test_a_queue_that_shows_nothing_once_has_lost_no_job(tmp_path: Path) -> None:
    queue, clock = Queue(), FakeClock()
    launcher = jobs(queue, clock)
    launcher.start(join(tmp_path))
    queue.rows, before = {}, queue.rows
    assert launcher.look()[0].ends == 0
    queue.rows = before
    assert launcher.look()[0].ends == 0
    queue.rows = {}
    assert [launcher.look()[0].ends for _ in range(2)] == [0, 1]


def test_a_refused_job_is_not_submitted_again(tmp_path: Path) -> None:
    queue, clock = Queue(), FakeClock()
    launcher = jobs(queue, clock)
    launcher.start(join(tmp_path))
    (tmp_path / "job-1-1.log").write_text("gradsum worker: the coordinator refused this worker: other bits\n")
    queue.rows = {"1_1": "FAILED|n1|NonZeroExitCode"}
    assert launcher.look()[0].refused
    clock.time += 1000
    launcher.look()
    assert len(queue.submitted) == 1


def test_the_script_gives_each_job_its_workers(tmp_path: Path) -> None:
    queue, clock = Queue(), FakeClock()
    launcher = jobs(queue, clock)
    launcher.start(join(tmp_path, 3))
    assert (next(tmp_path.glob("*.key")).stat().st_mode & 0o777) == 0o600
    for number, processes in ((1, 2), (2, 1)):
        script = queue.script.replace('exec "$g"', "echo")
        done = subprocess.run(
            ["sh"],
            input=script,
            env={"SLURM_ARRAY_TASK_ID": str(number), "PATH": "/bin:/usr/bin"},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.split()[-1] == str(processes)
    launcher.close()


@pytest.mark.parametrize("refused", ["sbatch", "scancel"])
def test_the_key_goes_whatever_slurm_refuses(tmp_path: Path, refused: str) -> None:
    queue = Queue()

    def say(*command: str, stdin: str = "") -> str:
        if command[0] == refused:
            raise WorkersError(f"{refused}: error: invalid")
        return queue.say(*command, stdin=stdin)

    launcher = SlurmJobs([], say, 2, FakeClock(), lambda seconds: None)
    with pytest.raises(WorkersError, match="invalid"):
        try:
            launcher.start(join(tmp_path))
            assert list(tmp_path.glob("*.key"))
        finally:
            launcher.close()
    assert not list(tmp_path.glob("*.key"))


class SlowQueue(Queue):
    """A Slurm in which one job takes a while to end."""

    def say(self, *command: str, stdin: str = "") -> str:
        said = super().say(*command, stdin=stdin)
        if command[0] == "scancel":
            self.rows["1_1"] = "COMPLETING|n1|None"
        return said


def test_the_end_waits_until_the_last_job_is_gone(tmp_path: Path) -> None:
    queue, pauses = SlowQueue(), []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        queue.rows = {"1_2": "CANCELLED|n2|None"}

    launcher = SlurmJobs([], queue.say, 2, FakeClock(), pause)
    launcher.start(join(tmp_path, 3))
    launcher.close()
    assert len(pauses) == 1


def test_a_job_that_ends_again_and_again_waits_longer_each_time(tmp_path: Path) -> None:
    queue, clock, waits = Queue(), FakeClock(), list[float]()
    launcher = jobs(queue, clock)
    launcher.start(join(tmp_path))
    for number in range(1, 9):
        queue.rows = {f"{number}_1": "FAILED|n1|NonZeroExitCode"}
        began = clock.time
        while len(queue.submitted) == number:
            launcher.look()
            clock.time += 0.5
        waits.append(clock.time - 0.5 - began)
    assert waits == [min(LONGEST_JOB_WAIT, FIRST_JOB_WAIT * 2**number) for number in range(8)]
