"""What a checkpoint says of its run besides tensors, in fields of known types."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, NoReturn

from engine.checkpoint.digests import StateDigest, digests_from
from engine.errors import CheckpointError

_NUMBER = (int, float)
# Every entry, by its path in the plain data; None and a missing entry are allowed for each.
_KINDS: dict[str, type | tuple[type, ...]] = {
    "run": str,
    "name": str,
    "model": dict,
    "model_name": str,
    "settings": dict,
    "data": dict,
    "data.name": str,
    "data.digest": str,
    "data.classes": list,
    "data.generated": bool,
    "data.source": str,
    "data.background": list,
    "data.scaled": bool,
    "data.columns": list,
    "data.targets": list,
    "data.size": list,
    "data.skip_unreadable": bool,
    "data.picture_columns": list,
    "normalisation": dict,
    "values": dict,
    "versions": dict,
    "db": str,
    "elapsed": _NUMBER,
    "cpu": _NUMBER,
    "best_percent": _NUMBER,
    "best_r2": _NUMBER,
    "validation": dict,
    "best": dict,
    "waiting": dict,
    "rates": dict,
    "digests": list,
}

# Left out where they say nothing, as in checkpoints of earlier versions.
_ADDED = (
    *("background", "scaled", "columns", "targets", "size", "skip_unreadable", "picture_columns"),
    *("values", "best_r2", "best", "waiting", "digests", "rates"),
)


@dataclass(frozen=True)
class DataState:
    """The data set that the run is trained on; `source` is its name or path, None if it was given in Python.

    `background` and `scaled` say how its pictures were read, `columns` and `targets` what the columns of a table are
    called that hold features, and what is to be said of them. `size`, `skip_unreadable` and `picture_columns` are what
    a person chose of how pictures are read, if anything.
    """

    name: str | None = None
    digest: str | None = None
    classes: tuple[str, ...] = ()
    generated: bool = False
    source: str | None = None
    background: tuple[int, ...] = ()
    scaled: bool = False
    columns: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    size: tuple[int, ...] = ()
    skip_unreadable: bool = False
    picture_columns: tuple[str, ...] = ()

    def look(self) -> dict[str, Any]:
        """Return how pictures were read, as plain data."""
        return {"background": list(self.background), "scaled": self.scaled}


@dataclass(frozen=True)
class RunState:
    """A run at one of its steps. What an older version did not write is None, or empty.

    `uuid` identifies the run, `name` is what a person called it. `model`, `settings`, `normalisation`, `validation`
    (the newest), `best` and `waiting` are plain data, understood by the classes of these names; `values` is the
    normalisation of targets that are values, None where there are classes. `elapsed` and `cpu` are seconds since the
    run began. `digests` are of some of its steps, in order. `rates` are those of `lr-find`, None where the settings say
    what the learning rate is.
    """

    uuid: str | None = None
    name: str | None = None
    model: Mapping[str, Any] | None = None
    model_name: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    data: DataState = DataState()
    normalisation: Mapping[str, Any] | None = None
    values: Mapping[str, Any] | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    db: str | None = None
    elapsed: float = 0.0
    cpu: float = 0.0
    best_percent: float | None = None
    best_r2: float | None = None
    validation: Mapping[str, Any] | None = None
    best: Mapping[str, Any] | None = None
    waiting: Mapping[str, Any] | None = None
    digests: tuple[StateDigest, ...] = ()
    rates: Mapping[str, Any] | None = None

    @property
    def target_column(self) -> str | None:
        """The column of a table that is predicted; None where there is no table."""
        return self.data.targets[0] if len(self.data.targets) == 1 and self.data.columns else None

    @property
    def task(self) -> str | None:
        """The task for features, "regression" or "classification"; None without features."""
        if self.model is None or len(self.model.get("shape", ())) != 1:
            return None
        return "classification" if self.values is None else "regression"

    def plain(self) -> dict[str, Any]:
        """Return the plain data that `run_state_from` reads; the uuid is called "run"."""
        values = {n: value for n, value in vars(self).items() if n != "uuid" and _says(n, value)}
        data = {name: value for name, value in asdict(self.data).items() if _says(name, value)}
        return {"run": self.uuid} | values | {"data": data}


def _says(name: str, value: object) -> bool:
    return name not in _ADDED or not (value is None or value is False or value == ())


def run_state_from(plain: object, what: str) -> RunState:
    """Return the state in plain data read from `what`; CheckpointError where an entry has the wrong type.

    An entry that this version does not know is ignored: one that must not be would raise the format's number.
    """
    if not isinstance(plain, dict):
        raise CheckpointError(f"{what} has metadata that is not a JSON object")
    found = {path: _checked(plain, path, what) for path in _KINDS}
    known = {path: value for path, value in found.items() if value is not None}
    of_data = {path.removeprefix("data."): value for path, value in known.items() if path.startswith("data.")}
    for names in of_data.keys() & {"classes", "columns", "targets", "picture_columns"}:
        of_data[names] = tuple(of_data[names])
        if not all(isinstance(name, str) for name in of_data[names]):
            _refuse(what, f"data.{names}", plain["data"][names])
    for numbers in of_data.keys() & {"background", "size"}:
        of_data[numbers] = tuple(of_data[numbers])
    if not all(isinstance(number, int) for number in of_data.get("size", ())):
        _refuse(what, "data.size", plain["data"]["size"])
    if not all(isinstance(version, str) for version in known.get("versions", {}).values()):
        _refuse(what, "versions", known["versions"])
    if "digests" in known:
        try:
            known["digests"] = digests_from(known["digests"])
        except ValueError:
            _refuse(what, "digests", known["digests"])
    values = {path: value for path, value in known.items() if path != "run" and not path.startswith("data")}
    return RunState(uuid=known.get("run"), data=DataState(**of_data), **values)


def _checked(plain: Mapping[str, Any], path: str, what: str) -> Any:
    """Return the entry at `path`, None where there is none."""
    outer, _, inner = path.partition(".")
    value = plain.get(outer)
    value = (value or {}).get(inner) if inner else value
    # In Python a bool is an int; here it is not.
    right = isinstance(value, _KINDS[path]) and (isinstance(value, bool) == (_KINDS[path] is bool))
    if value is not None and not right:
        _refuse(what, path, value)
    return value


def _refuse(what: str, path: str, value: object) -> NoReturn:
    raise CheckpointError(f"{what} has {path} of the wrong type: {value!r:.60}")
