"""A parser of arguments that answers a mistake with one line, and with what was meant, perhaps."""

import argparse
import re
from difflib import get_close_matches
from typing import Any, NoReturn


class Parser(argparse.ArgumentParser):
    """Takes whole option names only: an abbreviation would change its meaning when an option is added."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"allow_abbrev": False} | kwargs)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:
        """Parse `args`; SystemExit with code 2 for what no option takes, here and not only in the outermost parser."""
        parsed, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self._refuse(unknown[0])
        return parsed, unknown

    def error(self, message: str) -> NoReturn:
        """Say what was wrong and where help is, and exit with code 2."""
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")

    def _refuse(self, word: str) -> NoReturn:
        if not word.startswith("-"):
            self.error(f"{word!r} is one argument too many")
        option = word.partition("=")[0]
        close = get_close_matches(option, ["--help", *re.findall(r"--[a-z0-9-]+", self.format_usage())], 1, cutoff=0.7)
        self.error(f"no option {option}" + (f"; did you mean {close[0]}?" if close else ""))
