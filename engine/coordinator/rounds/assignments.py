"""Which worker has which share, and until when."""

import math
from collections.abc import Iterable
from statistics import median

from engine.compute.tree import Block
from engine.coordinator.rounds.events import Answered, Assign, IgnoreReason, Worker
from engine.coordinator.rounds.leases import Leases
from engine.coordinator.rounds.round import Round
from engine.coordinator.rounds.shares import VECTOR
from engine.coordinator.rounds.worker import Task, WorkerState

ALIKE = 0.03  # a part of a speed: so much it differs from step to step for no reason


class Assignments:
    """The workers, each with its share or idle. `workers` and `idle` are in the order in which they get shares."""

    def __init__(self, leases: Leases) -> None:
        self._leases = leases
        self.workers: dict[Worker, WorkerState] = {}
        self.idle: dict[Worker, None] = {}  # those without a share
        self.late: dict[Worker, None] = {}  # those whose share is late
        self._planned: dict[Worker, float] = {}  # speeds, in the order of the last plan, if all were known
        self.attempts = 0
        self.due = math.inf  # when a task becomes late or lapses, at the earliest; perhaps too early

    def join(self, worker: Worker, machine: str = "", processes: int = 1) -> None:
        """Add a worker, idle, for which `processes` compute."""
        self.workers[worker] = WorkerState(machine, processes)
        self.idle[worker] = None

    def resize(self, worker: Worker, processes: int) -> None:
        """Let so many processes compute for a worker; its speed is expected to be as much higher, or lower."""
        state = self.workers.get(worker)
        if state is not None:
            if state.speed is not None and state.pace is not None:
                state.speed *= processes / state.processes
                state.pace *= processes / state.processes
            state.processes = processes

    def forget(self, worker: Worker) -> Task | None:
        """Drop a worker; return the task whose blocks others may have now."""
        state = self.workers.pop(worker, None)
        self.idle.pop(worker, None)
        self.late.pop(worker, None)
        return state.task if state and state.task and not state.task.lapsed else None

    def recall(self, workers: Iterable[Worker]) -> None:
        """Expect no answer of those of `workers` that are there, and that they have no parameters."""
        for worker in workers:
            if state := self.workers.get(worker):
                state.version = None
                if state.task:
                    state.task.recalled = True
                    state.task = None
                    self.idle[worker] = None
                    self.late.pop(worker, None)

    def free(self, worker: Worker, current: int | None) -> None:
        """Recall a worker that has a share of another round than the `current` one."""
        state = self.workers.get(worker)
        if state and state.task and state.task.round != current:
            self.recall([worker])

    def expects(self, worker: Worker) -> bool:
        """Return whether a worker has a share whose lease has not lapsed."""
        state = self.workers.get(worker)
        return bool(state and state.task and not state.task.lapsed)

    def strike(self, event: Answered, now: float) -> IgnoreReason | None:
        """Strike an answered block off the worker's share; return why not, if it was not asked for the block."""
        state = self.workers.get(event.worker)
        if state is None:
            return IgnoreReason.UNASKED
        task = state.task
        asked = task and (task.round, task.attempt) == (event.round, event.attempt) and event.block in task.blocks
        if task is None or not asked:
            return state.unasked(event.round, event.attempt, event.block)
        task.blocks.remove(event.block)
        task.busy += event.seconds
        if not task.blocks:
            state.learn_speed(task, now)
            state.task = None
            self.idle[event.worker] = None
            self.late.pop(event.worker, None)
        return None

    def assign(self, worker: Worker, current: Round, blocks: list[Block], now: float) -> Assign:
        """Give an idle worker the share that consists of `blocks`."""
        state = self.workers[worker]
        self.attempts += 1
        share = (blocks[0][0], blocks[-1][1])
        speed = state.speed or self._speed_of_newcomers()
        late, lease = self._leases.limits(share[1] - share[0], speed, state.processes > 1)
        task = Task(current.number, self.attempts, share, list(blocks), now, now + late, now + lease)
        state.task = task
        state.given.append(task)
        del self.idle[worker]
        self.due = min(self.due, task.late_at)
        fresh = state.version != current.version
        state.version = current.version
        return Assign(worker, current.number, self.attempts, share, fresh)

    def _speed_of_newcomers(self) -> float | None:
        """Return the lowest speed to expect of a worker that has not shown its own; None if none has."""
        known = [state.speed for state in self.workers.values() if state.speed is not None]
        return min(known) / self._leases.newcomer if known else None

    def overdue(self, now: float) -> tuple[list[tuple[Worker, Task]], list[tuple[Worker, Task]]]:
        """Return the tasks that have just become late, and those whose lease has just lapsed, with their workers."""
        late, lapsed = [], []
        for worker, state in self.workers.items():
            task = state.task
            if task and not task.late and now >= task.late_at:
                task.late = True
                self.late[worker] = None
                late.append((worker, task))
            if task and not task.lapsed and now >= task.deadline:
                task.lapsed = True
                lapsed.append((worker, task))
        dues = (state.task.due() for state in self.workers.values() if state.task)
        self.due = min((due for due in dues if due is not None), default=math.inf)
        return late, lapsed

    def next_deadline(self) -> float | None:
        """Return when `overdue` may have something to tell, at the earliest; None if never."""
        return None if self.due == math.inf else self.due

    def expecting(self) -> bool:
        """Return whether any worker is expected to answer: has a share, and a lease that has not lapsed."""
        return any(state.task and not state.task.lapsed for state in self.workers.values())

    def late_tasks(self) -> list[Task]:
        """Return the tasks that are late."""
        return [task for worker in self.late if (task := self.workers[worker].task)]

    def holders(self, block: Block, number: int) -> set[Worker]:
        """Return the workers that are expected to answer `block` of round `number` in time."""
        tasks = {w: state.task for w, state in self.workers.items() if state.task and state.task.round == number}
        return {w for w, task in tasks.items() if block in task.blocks and not task.late and not task.lapsed}

    def machine(self, worker: Worker) -> str:
        """Return the machine that a worker is on."""
        return self.workers[worker].machine

    def on_several_machines(self) -> bool:
        """Return whether there are workers on at least two machines."""
        return len({state.machine for state in self.workers.values()}) > 1

    def able(self) -> list[Worker]:
        """Return the workers that have no share that is late."""
        return [worker for worker, state in self.workers.items() if not (state.task and state.task.late)]

    def speeds(self) -> tuple[list[float], bool]:
        """Put the idle in order, relays first and the fastest first; return their speeds, and whether all are known.

        A speed that is unknown is taken to be the mean of those that are known, for each of its processes. Order and
        speeds are those of the last round unless somebody is `ALIKE` no longer: a speed is not known any better, and
        who keeps its share has got ready for it.
        """
        if self._planned and self._planned.keys() == self.idle.keys() and self._as_planned():
            self.idle = dict.fromkeys(self._planned)
            return list(self._planned.values()), True
        idle = [self.workers[worker] for worker in self.idle]
        known = [(state.pace, state.processes) for state in idle if state.pace is not None]
        usual = sum(pace for pace, _ in known) / sum(processes for _, processes in known) if known else 1.0
        speeds = {w: self.workers[w].pace or usual * self.workers[w].processes for w in self.idle}
        order = sorted(speeds, key=lambda w: (self.workers[w].processes == 1, -speeds[w]))
        self.idle = dict.fromkeys(order)
        all_known = len(known) == len(order)
        self._planned = {w: speeds[w] for w in order} if all_known else {}
        return [speeds[w] for w in order], all_known

    def _as_planned(self) -> bool:
        """Return whether those that the last round was planned for have the speeds that it was planned with."""
        for worker, speed in self._planned.items():
            pace = self.workers[worker].pace
            if pace is None or abs(pace - speed) > ALIKE * speed:
                return False
        return True

    def idle_relays(self) -> int:
        """Return how many of the idle have several processes."""
        return sum(self.workers[worker].processes > 1 for worker in self.idle)

    def vector_time(self, size: int) -> float:
        """Return the transfer time of a relay's vector, in units of the time that it needs to compute a micro-batch.

        It is estimated as the time of a share (of a round of `size` micro-batches) that is not spent computing, divided
        by the number of relays, whose vectors share a link. It is rounded down to VECTOR times a power of two, so that
        shares do not change from step to step.
        """
        relays = [self.workers[worker] for worker in self.idle if self.workers[worker].processes > 1]
        known = [(1 / state.speed, 1 / state.pace) for state in relays if state.speed and state.pace]
        if not known:
            return VECTOR
        computing = median(pace for _, pace in known)
        waiting = median(speed - pace for speed, pace in known) * size / len(self.idle)
        return VECTOR * 2.0 ** (int(max(1.0, waiting / len(relays) / computing / VECTOR)).bit_length() - 1)

    def least_processes(self) -> int:
        """Return the fewest processes that any idle worker has."""
        return min(self.workers[worker].processes for worker in self.idle)

    def pass_over(self, shares: Iterable[Block]) -> None:
        """Count which idle workers get nothing; `shares` are in their order."""
        for worker, (start, stop) in zip(self.idle, shares, strict=True):
            self.workers[worker].pass_over(start == stop)
