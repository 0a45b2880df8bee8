"""The launchers by name, and the text that chooses one: its name, and its own options."""

import shlex
from collections.abc import Callable, Sequence

from engine.errors import SettingsError
from engine.launch.launcher import Launcher
from engine.launch.ray_actors import ray_actors
from engine.launch.slurm import slurm
from engine.launch.ssh import ssh, ssh_for_each
from engine.system.spelling import hint

HERE = "here"  # the text that stands for none: workers are processes of this machine
LAUNCHERS: dict[str, Callable[[Sequence[str]], Launcher]] = {"ray": ray_actors, "slurm": slurm, "ssh": ssh}


def launcher_for(text: str) -> Launcher:
    """Return the launcher that `text` names, such as "ssh node1 node2:16".

    SettingsError with those that there are if it names none, or cannot be used here.
    """
    name, words = _split(text)
    return LAUNCHERS[name](words)


def text_for_each(text: str, count: int) -> list[str]:
    """Return the text for each of `count` runs side by side, which have workers of their own.

    Hosts are shared out; a cluster manager does that itself. SettingsError as `launcher_for`, or for too few hosts.
    """
    name, words = _split(text)
    return [shlex.join([name, *own]) for own in ssh_for_each(words, count)] if name == "ssh" else [text] * count


def _split(text: str) -> tuple[str, list[str]]:
    """Return the launcher's name and the words after it; SettingsError if there is none of that name."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise SettingsError(f"--on {text!r:.100}: {error}") from None
    name = words[0] if words else ""
    if name not in LAUNCHERS:
        known = [HERE, *LAUNCHERS]
        raise SettingsError(f"--on: no launcher {name!r:.40}; there are {', '.join(known)}{hint(name, known)}")
    return name, words[1:]
