"""The settings of a trial as a file that `gradsum train --config` takes."""

from pathlib import Path

import tomli_w

from engine.errors import StorageError
from engine.nn.own.imports import imported
from engine.settings import TRAJECTORY
from engine.system.files import write_atomically
from engine.training.run import OWN, Run

NAME = "best.toml"


def write_settings(path: Path, run: Run, step: int, said: str) -> None:
    """Write what `run` is after `step` depends on, below the comment `said`: training with it gives the same bits.

    A model or data set that was given in Python has no name, and TOML cannot hold the name of a file that is not
    Unicode; a comment says so. Raises StorageError where the file cannot be written.
    """
    settings = run.settings.asdict()
    names = (*TRAJECTORY, "validate_every")
    options = {name: settings[name] for name in names if settings[name] is not None} | {"steps": step}
    reading = {name: value for name, value in run.reading.given().items() if name != "classes"}
    options |= {name: list(value) if isinstance(value, tuple) else value for name, value in reading.items()}
    comments = [said]
    for what, source in (("model", None if run.model_name == OWN else run.model_name), ("data", run.source)):
        if source is None:
            comments.append(f"The {what} was given in Python: give the same.")
        elif not _is_unicode(source):
            comments.append(f"The name of the {what} is not Unicode: give it with --{what}.")
        else:
            options = {what: source} | options
    if modules := imported():
        options = {"import": ",".join(str(module.path) for module in modules)} | options
    text = "".join(f"# {comment}\n" for comment in comments) + tomli_w.dumps(options)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, text.encode())
    except OSError as error:
        raise StorageError(f"the best settings cannot be written to {path}: {error.strerror or error}") from error


def _is_unicode(text: str) -> bool:
    """Return whether `text` has no surrogates, which stand for bytes in the name of a file that are not UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
