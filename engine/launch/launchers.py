"""The launchers by name, and the text that chooses one: its name, and its own options."""

import shlex
from collections.abc import Callable, Sequence

from engine.errors import SettingsError
from engine.launch.launcher import Launcher
from engine.launch.ray_actors import ray_actors
from engine.launch.slurm import slurm
from engine.launch.ssh import ssh
from engine.system.spelling import hint

HERE = "here"  # the text that stands for none: workers are processes of this machine
LAUNCHERS: dict[str, Callable[[Sequence[str]], Launcher]] = {"ray": ray_actors, "slurm": slurm, "ssh": ssh}


def launcher_for(text: str) -> Launcher:
    """Return the launcher that `text` names, such as "ssh node1 node2:16".

    SettingsError with those that there are if it names none, or cannot be used here.
    """
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise SettingsError(f"--on {text!r:.100}: {error}") from None
    name = words[0] if words else ""
    if name not in LAUNCHERS:
        known = [HERE, *LAUNCHERS]
        raise SettingsError(f"--on: no launcher {name!r:.40}; there are {', '.join(known)}{hint(name, known)}")
    return LAUNCHERS[name](words[1:])
