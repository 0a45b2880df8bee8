"""An array of independent jobs of Slurm, one a node: each joins when it starts, and none takes another along."""

import re
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from engine.errors import WorkersError
from engine.launch.launcher import Join, Place, State, is_final, last_words, shared_out, shell_command
from engine.system.clock import MONOTONIC, Clock
from engine.system.files import write_atomically

PRIVATE = 0o600
LIVE = {"PENDING": State.WAITING, "CONFIGURING": State.WAITING, "REQUEUED": State.WAITING, "SUSPENDED": State.WAITING}
UP = ("RUNNING", "COMPLETING", "STAGE_OUT", "SIGNALING")
FIRST_WAIT, LONGEST_WAIT = 3.0, 120.0  # seconds before a substitute is submitted; each time twice as long
GONE_AFTER = 2  # looks in a row without a job after which it counts as gone: squeue can answer with nothing
END = 30.0  # seconds that jobs may take to end

Say = Callable[..., str]


@dataclass
class _Slot:
    """One of the jobs: `number` is its index in the array."""

    number: int
    processes: int
    job: str = ""  # the id of the array that it is of now; "" if a substitute is due
    place: Place | None = None
    missed: int = 0
    not_before: float = 0.0
    wait: float = FIRST_WAIT


class SlurmJobs:
    """A `Launcher`. `options`: of sbatch. `say` runs a command. `cores`: of a job, or what finds them out."""

    noun = "jobs"
    remark = ""

    def __init__(
        self,
        options: Sequence[str],
        say: Say,
        cores: int | Callable[[Sequence[str]], int],
        clock: Clock = MONOTONIC,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._options = options
        self._say = say
        self._cores = cores
        self._clock = clock
        self._pause = pause
        self._name = f"gradsum-{secrets.token_hex(4)}"  # by which the queue is asked for them
        self._slots: list[_Slot] = []
        self._key: Path | None = None
        self._submitted = False

    def start(self, join: Join) -> None:
        """Submit the array."""
        self._join = join
        cores = self._cores if isinstance(self._cores, int) else self._cores(self._options)
        wanted = join.workers or join.useful
        jobs = -(-wanted // cores)
        self._per_job = min(cores, wanted)
        shares = shared_out(wanted, [cores] * jobs)
        self._slots = [_Slot(number, share) for number, share in enumerate(shares, 1)]
        if join.way_in:
            self._key = join.folder / f"{self._name}.key"
            write_atomically(self._key, join.way_in, PRIVATE)
        self._submit(self._slots)

    def look(self) -> list[Place]:
        """Ask the queue, and submit substitutes for jobs that are gone."""
        rows = self._rows()
        for slot in self._slots:
            if slot.job:
                self._update(slot, rows.get(f"{slot.job}_{slot.number}"))
        now = self._clock.now()
        due = [slot for slot in self._slots if not slot.job and slot.not_before <= now and not _of(slot).refused]
        if due:
            self._submit_again(due)
        return [_of(slot) for slot in self._slots]

    def close(self) -> None:
        """Cancel the jobs, and wait until they are gone."""
        try:
            if self._submitted:
                self._cancel()
        finally:
            if self._key:  # a way into the run
                self._key.unlink(missing_ok=True)

    def _cancel(self) -> None:
        self._say("scancel", f"--name={self._name}")
        until = self._clock.now() + END
        while self._clock.now() < until and any(row[0] in (*LIVE, *UP) for row in self._rows().values()):
            self._pause(0.5)
        self._submitted = False

    def _rows(self) -> dict[str, tuple[str, str, str]]:
        """Return state, node and reason of the jobs in the queue, by id."""
        form = "--format=%i|%T|%N|%r"
        said = self._say("squeue", "--noheader", "--array", "--states=all", f"--name={self._name}", form)
        rows = (line.split("|", 3) for line in said.splitlines() if line.count("|") == 3)
        return {name: (state, node, reason) for name, state, node, reason in rows}

    def _update(self, slot: _Slot, row: tuple[str, str, str] | None) -> None:
        """Note how the job of a slot is."""
        name, before = f"{slot.job}_{slot.number}", _of(slot)
        if row is None:
            slot.missed += 1
            if slot.missed >= GONE_AFTER:
                self._ended(slot, "GONE", before.node)
            return
        slot.missed = 0
        state, node, reason = row
        if state in LIVE or state in UP:
            known = LIVE.get(state, State.UP)
            slot.place = Place(name, known, node, reason if known is State.WAITING else "", before.ends, before.said)
        else:
            self._ended(slot, state, node)

    def _ended(self, slot: _Slot, state: str, node: str) -> None:
        said = last_words(self._join.folder / f"job-{slot.job}-{slot.number}.log")
        said = re.sub(r"slurmstepd: ", "", said) or f"nothing; Slurm says {state}"
        before = _of(slot)
        slot.place = Place(f"{slot.job}_{slot.number}", State.ENDED, node, "", before.ends + 1, said, is_final(1, said))
        slot.job, slot.missed = "", 0
        self._wait(slot)

    def _submit_again(self, slots: Sequence[_Slot]) -> None:
        """Submit substitutes; that Slurm takes none now is an end as another."""
        try:
            self._submit(slots)
        except WorkersError as error:
            for slot in slots:
                before = _of(slot)
                slot.place = replace(before, state=State.ENDED, ends=before.ends + 1, said=str(error))
                self._wait(slot)

    def _wait(self, slot: _Slot) -> None:
        """Let some time pass before the next substitute."""
        slot.not_before = self._clock.now() + slot.wait
        slot.wait = min(LONGEST_WAIT, 2 * slot.wait)

    def _submit(self, slots: Sequence[_Slot]) -> None:
        """Submit jobs for these slots, as an array; WorkersError with what sbatch says."""
        folder = self._join.folder
        said = self._say(
            "sbatch",
            "--parsable",
            f"--array={','.join(str(slot.number) for slot in slots)}",
            "--ntasks=1",
            f"--cpus-per-task={self._per_job}",
            "--requeue",
            "--open-mode=append",
            f"--output={folder}/job-%A-%a.log",
            f"--job-name={self._name}",
            *self._options,
            stdin=self._script(),
        )
        self._submitted = True
        job = said.partition(";")[0]  # a cluster's name may follow
        for slot in slots:
            slot.job, before = job, _of(slot)
            slot.place = Place(f"{job}_{slot.number}", State.WAITING, "", "submitted", before.ends, before.said)

    def _script(self) -> str:
        """Return the script of a job; `exec` lets Slurm's signals reach the workers rather than a shell."""
        cases = "".join(f"{slot.number}) n={slot.processes};; " for slot in self._slots)
        command = shell_command([*self._join.words(str(self._key), None), "--place"])
        place = '"job ${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID"'
        return f'#!/bin/sh\ncase $SLURM_ARRAY_TASK_ID in {cases}esac\n{command} {place} --processes "$n"\n'


def _of(slot: _Slot) -> Place:
    return slot.place or Place(str(slot.number), State.WAITING)
