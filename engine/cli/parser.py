"""An argument parser that answers a mistake with one line, and with what was probably meant."""

import argparse
import shutil
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn

from engine.system.spelling import hint

MARGIN = 2  # columns that argparse leaves free at the right
NARROWEST = 20  # columns: where a terminal says that it has fewer, lines are longer than it is wide


class Parser(argparse.ArgumentParser):
    """Takes whole option names only: an abbreviation would change its meaning when an option is added."""

    def __init__(self, prog: str, description: str = "", examples: Sequence[str] = (), **more: Any) -> None:
        width = max(shutil.get_terminal_size().columns - MARGIN, NARROWEST)
        super().__init__(
            prog,
            description=textwrap.fill(description, width),
            epilog="\n  ".join(["example:" if len(examples) == 1 else "examples:", *examples]) if examples else None,
            formatter_class=argparse.RawDescriptionHelpFormatter,  # an example stays on its line
            allow_abbrev=False,
            **more,
        )

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:
        """Parse `args`; SystemExit with code 2 for words that no argument takes, in subparsers too."""
        parsed, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self._refuse(unknown[0])
        return parsed, unknown

    def error(self, message: str) -> NoReturn:
        """Print what was wrong and where help is, and exit with code 2."""
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")

    def refuse_command(self, word: str, commands: Iterable[str]) -> NoReturn:
        """SystemExit with code 2 for a `word` that is not one of the commands."""
        if word.startswith("-"):
            self.error(f"no option {word.partition('=')[0]} before the command")
        self.error(f"no command {word!r}{hint(word, commands)}")

    def _refuse(self, word: str) -> NoReturn:
        if not word.startswith("-"):
            self.error(f"{word!r} is one argument too many")
        option = word.partition("=")[0]
        shown = [name for name, action in self._option_string_actions.items() if action.help != argparse.SUPPRESS]
        self.error(f"no option {option}{hint(option, shown)}")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """Refuse a value that is not among the choices, and name the nearest one, or all if none is near."""
        if action.choices is not None and value not in action.choices:
            choices = list(map(str, action.choices))
            near = hint(value, choices) or f"; there are {', '.join(choices)}"
            raise argparse.ArgumentError(action, f"no {value!r}{near}")
