"""Workers that a launcher places elsewhere: watched in a thread of its own, as asking a queue can take seconds."""

import logging
from collections import Counter
from collections.abc import Callable
from threading import Event, Lock, Thread

from engine.errors import WorkersError
from engine.launch.launcher import Join, Launcher, Place, State

logger = logging.getLogger("gradsum.launch")

EVERY = 2.0  # seconds between looks
FAILURES = 2  # ends that may come before any worker has joined, besides one for each place
SHOWN = 8  # nodes that are named
CLOSING = 120.0  # seconds that a look which is under way may take when all is to end


class PlacedWorkers:
    """A `Supervisor` of what `launcher` places; `join` says how its workers come in.

    `show` is told how things stand, when that changes. WorkersError if the workers cannot be placed.
    """

    def __init__(self, launcher: Launcher, join: Join, show: Callable[[str], None], every: float = EVERY) -> None:
        self._launcher = launcher
        self._show = show
        self.note: Callable[[str], None] = logger.warning  # is told of each end, with the last words
        self._every = every
        self._lock = Lock()
        self._places: list[Place] = []
        self._trouble = ""  # why the launcher cannot say how they are
        self._fault: Exception | None = None  # what ended the thread
        self._shown = ""
        self._ends: dict[int, int] = {}  # of each place, as far as they were noted
        self._vain: int | None = 0  # ends while no worker has joined yet; None as soon as one has
        self._over = Event()
        join.folder.mkdir(parents=True, exist_ok=True)
        try:
            launcher.start(join)
        except BaseException:
            launcher.close()
            raise
        self._thread = Thread(target=self._watch, name="launcher", daemon=True)
        self._thread.start()

    def joined(self) -> None:
        """Note that a worker has joined: from now on ends are not counted.

        Workers that stay do not join again, and a host that is down, or a network that fails for a while, must not end
        the run for them.
        """
        self._vain = None

    def useful(self, pid: int) -> None:
        """Nothing: this is about processes of this machine."""

    def suspect(self, host: str, pid: int) -> None:
        """Nothing: this is about processes of this machine."""

    def trust(self, host: str, pid: int) -> None:
        """Nothing: this is about processes of this machine."""

    def look(self) -> list[int]:
        """Tell what has changed; nobody is killed. WorkersError if it is hopeless."""
        with self._lock:
            places, trouble, fault = self._places, self._trouble, self._fault
        if fault:
            raise fault
        for number, place in enumerate(places):
            new = place.ends - self._ends.get(number, 0)
            if new > 0:
                self._ends[number] = place.ends
                if self._vain is not None:
                    self._vain += new
                where = place.name if place.node in ("", place.name) else f"{place.name} on {place.node}"
                never = "is not started again" if place.refused else "ended"
                self.note(f"{where} {never}; it said last: {place.said}")
        self._give_up(places)
        text = trouble or (describe(self._launcher.noun, places) if places else "")
        if text != self._shown:
            self._shown = text
            self._show(text)
        return []

    def close(self) -> None:
        """End them all."""
        self._over.set()
        self._thread.join(CLOSING)
        self._launcher.close()

    def _give_up(self, places: list[Place]) -> None:
        """Raise WorkersError if no place is left, or one after the other ended before any worker had joined."""
        if places and all(place.refused for place in places):
            raise WorkersError("; ".join(dict.fromkeys(f"{place.name}: {place.said}" for place in places)))
        if places and self._vain is not None and self._vain >= FAILURES + len(places):
            last = max(places, key=lambda place: (place.ends, place.refused))
            raise WorkersError(
                f"no workers could be placed: {last.name} ended, like {self._vain - 1} more before any joined; "
                f"it said last: {last.said}"
            )

    def _watch(self) -> None:
        while not self._over.wait(self._every):
            try:
                places = self._launcher.look()
            except WorkersError as error:
                logger.warning("the launcher failed: %s", error)  # workers that are there go on
                with self._lock:
                    self._trouble = str(error)
            except Exception as error:  # noqa: BLE001 - whatever it is, the run is told, in its own thread
                with self._lock:
                    self._fault = error
                return
            else:
                with self._lock:
                    self._places, self._trouble = places, ""


def describe(noun: str, places: list[Place]) -> str:
    """Return how places are, such as "3 of 4 jobs pending (Resources), 1 running on n1"."""
    states = Counter(place.state for place in places if not place.refused)
    refused = sum(place.refused for place in places)
    parts = []
    if waiting := states[State.WAITING]:
        why = sorted({place.why for place in places if place.state is State.WAITING and place.why})
        parts.append(f"{waiting} of {len(places)} {noun} pending" + (f" ({', '.join(why)})" if why else ""))
    if ended := states[State.ENDED]:
        parts.append(f"{ended} of {len(places)} {noun} to be started again")
    if refused:
        parts.append(f"{refused} of {len(places)} {noun} refused")
    if up := states[State.UP]:
        nodes = list(dict.fromkeys(place.node for place in places if place.state is State.UP and place.node))
        more = f" and {len(nodes) - SHOWN} more" if len(nodes) > SHOWN else ""
        on = f" on {', '.join(nodes[:SHOWN])}{more}" if nodes else ""
        parts.append((f"{up} running" if parts else f"{up} {noun} running") + on)
    return ", ".join(parts)
