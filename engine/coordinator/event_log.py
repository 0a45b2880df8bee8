"""The scheduler's last events, for those who look into a failure: as a note on the error, and in the log."""

import logging
from collections.abc import Iterator, Sequence

from engine.coordinator.rounds import Entry
from engine.errors import WorkerFailedError

logger = logging.getLogger("gradsum.coordinator")

NOTED = 20  # events in the note; the log has all there are
WIDEST = 500  # characters of a line: with many workers a round begins with as many instructions


def attach_events(error: Exception, events: Sequence[Entry]) -> None:
    """Write `events` to the log, and the last of them into a note on `error`.

    An error of a worker gets no note: a person is shown that error as one line, and the worker's own traceback.
    """
    logger.error("%s: %s\nthe last events:\n%s", type(error).__name__, error, "\n".join(_lines(events)))
    if not isinstance(error, WorkerFailedError):
        last = events[-NOTED:]
        error.add_note("\n".join([f"The last {len(last)} events of the scheduler:", *_lines(last)]))


def _lines(events: Sequence[Entry]) -> Iterator[str]:
    """Yield a line an event, with its time in seconds before the last one."""
    for now, event, instructions in events:
        text = f"{now - events[-1][0]:8.3f} {event} -> {', '.join(map(str, instructions)) or 'nothing'}"
        yield text if len(text) <= WIDEST else f"{text[:WIDEST]} ..."
