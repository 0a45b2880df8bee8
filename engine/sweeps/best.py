"""The settings of a trial as a file that `gradsum train --config` takes."""

from pathlib import Path

import tomli_w

from engine.prepare import OWN, Run
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
    if run.model_name == OWN:
        comments.append("The model was given in Python: give the same one.")
    else:
        options = {"model": run.model_name} | options
    if run.source is None:
        comments.append("The data was given in Python: give the same.")
    else:
        options = {"data": run.source} | options
    text = "".join(f"# {comment}\n" for comment in comments) + tomli_w.dumps(options)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)
