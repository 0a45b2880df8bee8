"""What a command of `gradsum` is, and how one is found by its name."""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from keyword import iskeyword

from engine.cli.commands import SUMMARIES
from engine.cli.parser import Parser


@dataclass(frozen=True)
class Command:
    """A command: `options` declares its arguments, `run` carries it out and returns the exit code.

    `description` is what its help says beyond the summary; `examples` are whole command lines.
    """

    name: str
    options: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]
    examples: tuple[str, ...]
    description: str = ""

    @property
    def summary(self) -> str:
        """One line, without a full stop."""
        return SUMMARIES[self.name]

    def parser(self) -> Parser:
        """Return a parser of the words that follow the command's name."""
        summary = f"{self.summary[0].upper()}{self.summary[1:]}."
        parser = Parser(f"gradsum {self.name}", f"{summary} {self.description}", self.examples)
        self.options(parser)
        return parser


def load(name: str) -> Command:
    """Import the command with this name, one of SUMMARIES."""
    module = name.replace("-", "_") + ("_" if iskeyword(name) else "")
    command: Command = import_module(f"engine.cli.commands.{module}").COMMAND
    return command
