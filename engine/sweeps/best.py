"""The settings of a trial as a file that `gradsum train --config` takes."""

from pathlib import Path

import tomli_w

from engine.model import BUILT_IN
from engine.prepare import Run
from engine.settings import ENDS, TRAJECTORY

NAME = "best.toml"


def write_settings(path: Path, run: Run, said: str) -> None:
    """Write what the result of `run` depends on, below the comment `said`: whoever trains with it gets the same bits.

    A model or data set that was given in Python has no name; a comment says so.
    """
    settings = run.settings.asdict()
    names = (*TRAJECTORY, *ENDS, "validate_every")
    options = {name: settings[name] for name in names if settings[name] is not None}
    comments = [said]
    if run.model_name in BUILT_IN or Path(run.model_name).is_file():
        name = run.model_name
        options = {"model": name if name in BUILT_IN else str(Path(name).absolute())} | options
    else:
        comments.append("The model was given in Python: give the same one.")
    if run.source is not None:
        options = {"data": run.source} | options
    else:
        comments.append("The data was given in Python: give the same.")
    text = "".join(f"# {comment}\n" for comment in comments) + tomli_w.dumps(options)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)
