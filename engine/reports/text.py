"""How values and rows of the records are shown to people, in a terminal and on a page alike."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

Row = Mapping[str, Any]


def shown(value: object) -> str:
    """Return `value` for a person: "-" for None, what cannot be printed escaped, so that it cannot steer a terminal."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, Mapping | list | tuple):
        value = json.dumps(value)
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in str(value))


def number(value: float | None, form: str) -> str:
    """Return `value` in the format `form`, "-" for None; unchanged if it is not a number."""
    try:
        return "-" if value is None else format(value, form)
    except (TypeError, ValueError):
        return shown(value)


def when(moment: str | float | None) -> tuple[str, ...]:
    """Return an ISO time, or seconds since 1970, as local date and time; any other text as it is."""
    try:
        parsed = datetime.fromtimestamp(moment) if isinstance(moment, float) else datetime.fromisoformat(moment or "")
        local = parsed.astimezone()
    except (TypeError, ValueError, OverflowError, OSError):
        return (shown(moment),)
    return local.strftime("%Y-%m-%d"), local.strftime("%H:%M:%S")


def data_name(name: str, generated: bool) -> str:
    """Return what a data set is called: "mnist", or "generated letters" where a program made its samples."""
    return f"generated {name}" if generated else name


def size(count: float) -> str:
    """Return a number of bytes in decimal units."""
    if count < 1000:
        return f"{count:.0f} bytes"
    for unit in ("kB", "MB"):
        count /= 1000
        if count < 1000:
            return f"{count:.3g} {unit}"
    return f"{count / 1000:,.3g} GB"


def duration(seconds: float | None) -> str:
    """Return seconds as "12.3 s", "4 min 5 s" or "2 h 3 min"."""
    if seconds is None:
        return "-"
    if seconds < 100:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"


def fact(name: str, value: object) -> str:
    """Return the value of a column of `runs`, or of a setting, as text: a moment in local time."""
    return " ".join(when(str(value))) if name in ("started", "finished") and value else shown(value)


class Column(NamedTuple):
    """A column of a table of rows: what is above it, and what it says of a row."""

    heading: str
    text: Callable[[Row], str]
    right: bool = True


_VALIDATION = (
    Column("step", lambda row: number(row["batchno"], ",")),
    Column("epoch", lambda row: number(row["epoch"], ".2f")),
    None,
    Column("mean loss", lambda row: number(row["avgloss"], ".4f")),
    Column("seconds", lambda row: number(row["elapsed"], ",.1f")),
    Column("CPU seconds", lambda row: number(row["cputime"], ",.1f")),
)
_CORRECT = Column("% correct", lambda row: number(row["corperc"], ".2f"))
_TOP = Column("% in top K", lambda row: f"{number(row['topperc'], '.2f')} (K {row['topk']})" if row["topk"] else "-")
_R2 = Column("R²", lambda row: number(row["r2"], ".4f"))


def validation_columns(rows: Sequence[Row]) -> tuple[Column, ...]:
    """Return the columns of a table of these validations: percent correct, or R² where values are predicted.

    Metrics of one's own come last.
    """
    score = _CORRECT if not rows or any(row["corperc"] is not None for row in rows) else _R2
    columns = [column or score for column in _VALIDATION]
    top = [_TOP] if any(row["topk"] for row in rows) else []
    own = dict.fromkeys(name for row in rows for name in _metrics(row))
    return (*columns, *top, *map(_metric, own))


def _metrics(row: Row) -> dict[str, float | None]:
    """Return the metrics of one's own in a validation, by name; none where they cannot be read."""
    try:
        found = json.loads(row["metrics"] or "{}")
    except (ValueError, RecursionError):
        return {}
    known = found.items() if isinstance(found, dict) else ()
    return {name: value for name, value in known if value is None or isinstance(value, int | float)}


def _metric(name: str) -> Column:
    return Column(shown(name), lambda row: number(_metrics(row).get(name), ".6g"))


CLASSES = (
    Column("class", lambda row: shown(row["name"] or row["number"]), right=False),
    Column("samples", lambda row: f"{row['samples']:,}"),
    Column("answers", lambda row: f"{row['answers']:,}"),
    Column("correct", lambda row: f"{row['correct']:,}"),
    Column("recall", lambda row: number(row["recall"], ".4f")),
    Column("precision", lambda row: number(row["precision"], ".4f")),
    Column("F1", lambda row: number(row["f1"], ".4f")),
)


def machines(workers: Iterable[tuple[str, str | None, str | None]]) -> str:
    """Return how many machines and processes there are, given name, host and relay of each; "" without a relay."""
    known = list(workers)
    relays = {via for _, _, via in known if via}
    if not relays:
        return ""
    hosts, processes = len({host for _, host, _ in known if host}), sum(name not in relays for name, _, _ in known)
    return f"{hosts} machine{'s' * (hosts != 1)}, {processes} process{'es' * (processes != 1)}"


_VIA = Column("via", lambda row: shown(row["via"]), right=False)
_WORKER = (
    Column("worker", lambda row: shown(row["worker"]), right=False),
    Column("host", lambda row: shown(row["host"]), right=False),
)
_STAY = (
    Column("pid", lambda row: shown(row["pid"])),
    Column("key", lambda row: shown(row["key"]), right=False),
    Column("place", lambda row: shown(row["place"]), right=False),
    Column("joined", lambda row: " ".join(when(row["joined"])), right=False),
    Column("left", lambda row: " ".join(when(row["left"])), right=False),
)
_WHY = Column("why it left", lambda row: shown(row["reason"]), right=False)


def worker_columns(rows: Iterable[Row], unit: str) -> tuple[Column, ...]:
    """Return the columns of a table of these workers: the relay that one belongs to only where there are relays.

    `unit` is what they computed, images or rows.
    """
    where = [_VIA] if any(row["via"] for row in rows) else []
    amounts = (
        Column(unit, lambda row: number(row["images"], ",")),
        Column(f"{unit}/s", lambda row: number(row["images_per_second"], ",.0f")),
    )
    return (*_WORKER, *where, *_STAY, *amounts, _WHY)


EVENTS = (
    Column("when", lambda row: " ".join(when(row["time"])), right=False),
    Column("kind", lambda row: shown(row["kind"]), right=False),
    Column("worker", lambda row: shown(row["worker"]), right=False),
    Column("what happened", lambda row: shown(row["text"]), right=False),
)
