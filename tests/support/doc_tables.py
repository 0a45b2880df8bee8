"""The tables in docs/ that are made from the program: commands, options, columns of the records.

`python -m tests.support.doc_tables` writes them into the pages, between the markers `<!-- generated: KEY -->` and
`<!-- end -->`. tests/test_docs.py fails when a page is not what this would write.
"""

import argparse
import re
from collections.abc import Iterator, Sequence
from functools import cache

from engine.cli.command import load
from engine.cli.commands import SUMMARIES
from engine.records import COLUMNS, VIEWS
from tests.support.repository import ROOT

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
MARKED = re.compile(r"(<!-- generated: (.+?) -->\n).*?(<!-- end -->)", re.DOTALL)
# Commands that take the options of `train`, too: of these only what differs is listed.
LIKE_TRAIN = ("coordinator", "sweep")
UNTITLED = ("positional arguments", "options")  # groups that argparse makes by itself

Row = tuple[str, str]


def rendered(text: str) -> str:
    """Return a page with its tables as they should be; KeyError for a marker that means nothing."""
    return MARKED.sub(lambda found: f"{found[1]}\n{blocks()[found[2]]}\n\n{found[3]}", text)


@cache
def blocks() -> dict[str, str]:
    """Return all tables, by the keys of their markers."""
    made = {"commands": _table(("command", "what it does"), _commands())}
    made |= {f"options {command}": "\n\n".join(_options(command)) for command in SUMMARIES}
    made |= {f"columns {table}": _columns({n: text for n, (_, text) in COLUMNS[table].items()}) for table in COLUMNS}
    return made | {f"columns {view}": _columns(VIEWS[view]) for view in VIEWS}


def parser_of(command: str) -> argparse.ArgumentParser:
    """Return the parser of a command, as `gradsum` makes it."""
    return load(command).parser()


def parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """Yield the parsers that a command consists of: itself, or one for each kind of `plot` and `demo`."""
    kinds = [action.choices for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    yield from kinds[0].values() if kinds else [parser]


def actions(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """Return the arguments and options of a parser that people are to know, without --help."""
    hidden = ("help", argparse.SUPPRESS)
    return [action for action in parser._actions if action.dest not in hidden and action.help != argparse.SUPPRESS]


def _table(heads: Row, rows: Sequence[Row]) -> str:
    lines = [heads, ("---",) * len(heads), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _columns(meanings: dict[str, str]) -> str:
    return _table(("column", "meaning"), [(f"`{name}`", text) for name, text in meanings.items()])


def _commands() -> list[Row]:
    return [(f"[`gradsum {name}`](#gradsum-{name})", text) for name, text in SUMMARIES.items()]


def _options(command: str) -> Iterator[str]:
    """Yield the usage and the tables of a command, or of each of its kinds: a table for each group of options."""
    usual = [_row(action) for action in actions(parser_of("train"))] if command in LIKE_TRAIN else []
    for parser in parsers(parser_of(command)):
        places = [_named(action) for action in actions(parser) if not action.option_strings]
        yield f"`{' '.join([parser.prog, *places])} [options]`"
        groups: dict[str, list[Row]] = {}
        for group in parser._action_groups:
            title = "" if group.title in UNTITLED else str(group.title)
            rows = [_row(action) for action in actions(parser) if action in group._group_actions]
            groups.setdefault(title, []).extend(row for row in rows if row not in usual)
        for title, rows in groups.items():
            yield from [f"**{title}**"] * bool(title and rows)
            yield from [_table(("option", "meaning"), rows)] * bool(rows)


def _row(action: argparse.Action) -> Row:
    assert action.help, f"{action.dest} has no help"
    *others, last = action.option_strings or [_named(action)]
    if action.option_strings and action.nargs != 0:
        last = f"{last} {_named(action)}"
    names = ", ".join(f"`{name}`" for name in (*others, last)).replace("|", "\\|")
    return names, (action.help % vars(action)).replace("|", "\\|").replace("<", "\\<")


def _named(action: argparse.Action) -> str:
    """Return what stands for the value of an option or argument: its metavar, its choices or its name."""
    metavar = action.metavar or ("|".join(map(str, action.choices)) if action.choices else action.dest.upper())
    words = " ".join(metavar) if isinstance(metavar, tuple) else metavar
    return f"{words} ..." if action.nargs in ("+", "*") else words


def main() -> None:
    """Bring every page up to date, and say which were not."""
    for page in PAGES:
        before = page.read_text(encoding="utf-8")
        if (after := rendered(before)) != before:
            page.write_text(after, encoding="utf-8")
            print(f"{page.relative_to(ROOT)} written")


if __name__ == "__main__":
    main()
