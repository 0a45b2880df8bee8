"""What a checkpoint says of its run besides tensors, in fields of known types."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, NoReturn

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
    "normalisation": dict,
    "versions": dict,
    "db": str,
    "elapsed": _NUMBER,
    "cpu": _NUMBER,
    "best_percent": _NUMBER,
    "validation": dict,
}

_ADDED = ("background", "scaled")  # left out where they say nothing, as in checkpoints of earlier versions


@dataclass(frozen=True)
class DataState:
    """The data set that the run is trained on; `source` is its name or path, None if it was given in Python.

    `background` and `scaled` say how its pictures were read.
    """

    name: str | None = None
    digest: str | None = None
    classes: tuple[str, ...] = ()
    generated: bool = False
    source: str | None = None
    background: tuple[int, ...] = ()
    scaled: bool = False

    def look(self) -> dict[str, Any]:
        """Return how pictures were read, as plain data."""
        return {"background": list(self.background), "scaled": self.scaled}


@dataclass(frozen=True)
class RunState:
    """A run at one of its steps. What an older version did not write is None, or empty.

    `uuid` identifies the run, `name` is what a person called it. `model`, `settings`, `normalisation` and `validation`
    are plain data, understood by the classes of these names. `elapsed` and `cpu` are seconds since the run began.
    """

    uuid: str | None = None
    name: str | None = None
    model: Mapping[str, Any] | None = None
    model_name: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    data: DataState = DataState()
    normalisation: Mapping[str, Any] | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    db: str | None = None
    elapsed: float = 0.0
    cpu: float = 0.0
    best_percent: float | None = None
    validation: Mapping[str, Any] | None = None

    def plain(self) -> dict[str, Any]:
        """Return the plain data that `run_state_from` reads; the uuid is called "run"."""
        values = {name: value for name, value in vars(self).items() if name != "uuid"}
        data = {name: value for name, value in asdict(self.data).items() if value or name not in _ADDED}
        return {"run": self.uuid} | values | {"data": data}


def run_state_from(plain: object, what: str) -> RunState:
    """Return the state in plain data read from `what`; CheckpointError where an entry has the wrong type.

    An entry that this version does not know is ignored: one that must not be would raise the format's number.
    """
    if not isinstance(plain, dict):
        raise CheckpointError(f"{what} has metadata that is no JSON object")
    found = {path: _checked(plain, path, what) for path in _KINDS}
    known = {path: value for path, value in found.items() if value is not None}
    of_data = {path.removeprefix("data."): value for path, value in known.items() if path.startswith("data.")}
    if "classes" in of_data:
        of_data["classes"] = tuple(of_data["classes"])
        if not all(isinstance(name, str) for name in of_data["classes"]):
            _refuse(what, "data.classes", plain["data"]["classes"])
    if "background" in of_data:
        of_data["background"] = tuple(of_data["background"])
    if not all(isinstance(version, str) for version in known.get("versions", {}).values()):
        _refuse(what, "versions", known["versions"])
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
