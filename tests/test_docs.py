"""The pages say what is there: every command, option, column, variable and exit code, and nothing that is not."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import engine
from engine.cli.commands import SUMMARIES
from engine.cli.exit_codes import BROKEN_PIPE, INTERRUPTED
from engine.errors import GradsumError
from engine.nn.built_in import load_model
from engine.records import COLUMNS, VIEWS
from engine.sweeps.space import NAMES
from tests.support.doc_tables import MARKED, PAGES, actions, blocks, parser_of, parsers, rendered
from tests.support.repository import ROOT

DOCS = ROOT / "docs"
TEXTS = {page: page.read_text(encoding="utf-8") for page in PAGES}
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
# Options of other programs that the pages name.
OTHERS = {"--strict", "--exclusive", "--no-kill", "--requeue", "--open-mode", "--signal", "--wrap", "--host"}
LARGEST = 150_000  # bytes of a picture


def text_of(name: str) -> str:
    return TEXTS[DOCS / name]


def without_blocks(text: str) -> str:
    """Return a page without its fenced blocks, whose lines look like headings, links or tables."""
    return re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """Return the names by which GitHub links to the headings of a page."""
    heads = re.findall(r"^#+ (.+)$", without_blocks(page.read_text(encoding="utf-8")), flags=re.MULTILINE)
    return {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}


def rows(text: str) -> Iterator[list[str]]:
    """Yield the cells of every row of every table."""
    for line in text.splitlines():
        if line.startswith("| "):
            yield [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


@each_page
def test_the_generated_tables_are_up_to_date(page: Path) -> None:
    assert rendered(TEXTS[page]) == TEXTS[page], "run: python -m tests.support.doc_tables"


def test_everything_that_is_generated_has_its_place() -> None:
    found = [key for text in TEXTS.values() for _, key, _ in MARKED.findall(text)]
    assert sorted(found) == sorted(blocks())


@pytest.mark.parametrize("table", [*COLUMNS, *VIEWS])
def test_every_column_is_in_the_section_of_its_table(table: str) -> None:
    section = text_of("records.md").split(f"### `{table}`\n")[1].split("\n### ")[0]
    meanings = VIEWS.get(table) or {name: meaning for name, (_, meaning) in COLUMNS[table].items()}
    assert [f"| `{column}` | {meaning} |" in section for column, meaning in meanings.items()] == [True] * len(meanings)


@pytest.mark.parametrize("command", SUMMARIES)
def test_every_option_is_documented(command: str) -> None:
    assert f"\n## `gradsum {command}`\n" in text_of("commands.md")
    documented = set(re.findall(r"(?<![\w-])-{1,2}[a-z][a-z0-9-]*", " ".join(text_of("commands.md").split("`")[1::2])))
    for parser in parsers(parser_of(command)):
        for action in actions(parser):
            assert action.help, f"{parser.prog} {action.dest} has no help"
            assert set(action.option_strings) <= documented, f"{parser.prog}: {action.option_strings}"


@each_page
def test_no_option_is_named_that_does_not_exist(page: Path) -> None:
    known = OTHERS | {"--version"}
    for command in SUMMARIES:
        for parser in parsers(parser_of(command)):
            known |= parser._option_string_actions.keys()  # former spellings, which the help leaves out, among them
    said = re.findall(r"(?<![\w-])--[a-z][a-z0-9-]*", TEXTS[page])
    assert set(said) - known == set()


def test_what_can_be_swept_over_is_documented() -> None:
    sentence = re.findall(r"What can be swept over is[^.]*\.", text_of("sweeps.md"))[0]
    assert set(re.findall(r"`(\w+)`", sentence)) == set(NAMES)


@pytest.mark.parametrize("command", ["plot", "demo"])
def test_every_kind_of_picture_is_documented(command: str) -> None:
    for parser in parsers(parser_of(command)):
        places = [a.metavar or a.dest.upper() for a in actions(parser) if not a.option_strings]
        assert f"| `{' '.join(['gradsum', *parser.prog.split()[1:], *map(str, places)])}` |" in text_of("pictures.md")


def test_every_environment_variable_is_documented() -> None:
    sources = [*(ROOT / "engine").rglob("*.py"), *(ROOT / "workers").rglob("*.py")]
    used = {name for path in sources for name in re.findall(r"\bGRADSUM_[A-Z_]+\b", path.read_text(encoding="utf-8"))}
    documented = {cells[0].strip("`") for cells in rows(text_of("environment.md")) if "GRADSUM" in cells[0]}
    assert documented == used
    assert len(used) > 3


def test_every_exit_code_is_documented() -> None:
    def codes(kind: type[GradsumError]) -> set[int]:
        return {kind.exit_code}.union(*map(codes, kind.__subclasses__()))

    documented = [
        int(cells[0].strip("`")) for cells in rows(text_of("commands.md")) if re.fullmatch(r"`\d+`", cells[0])
    ]
    assert documented == sorted({0, INTERRUPTED, BROKEN_PIPE} | codes(GradsumError))


def test_every_public_name_is_documented() -> None:
    documented = {name for cells in rows(text_of("python.md")) for name in re.findall(r"`(\w+)`", cells[0])}
    assert documented == set(dir(engine)) - {"__version__"}


def test_the_model_examples_are_models(tmp_path: Path) -> None:
    whole, part = re.findall(r"```toml\n(.*?)```", text_of("models.md"), flags=re.DOTALL)
    for example, outputs in ((whole, 26), (part + '[[layers]]\ntype = "GlobalAvgPool"', 32)):
        (tmp_path / "model.toml").write_text(example, encoding="utf-8")
        assert load_model(str(tmp_path / "model.toml"), (28, 28, 1), 26).classes == outputs


@each_page
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", without_blocks(TEXTS[page])):
        if not target.startswith(("http:", "https:")):
            place, _, anchor = target.partition("#")
            path = page.parent / place if place else page
            assert path.exists(), target
            assert not anchor or anchor in anchors(path), target


def test_every_page_is_in_the_index_and_reached_from_the_readme() -> None:
    index, readme = text_of("README.md"), TEXTS[ROOT / "README.md"]
    for page in DOCS.glob("*.md"):
        if page.name != "README.md":
            assert f"]({page.name})" in index, page.name
            assert f"](docs/{page.name})" in readme, page.name


@each_page
def test_every_picture_is_small(page: Path) -> None:
    for picture in re.findall(r"!\[[^\]]+\]\(([^)]+)\)", TEXTS[page]):
        path = page.parent / picture
        assert path.read_bytes().startswith(b"\x89PNG"), picture
        assert path.stat().st_size < LARGEST, picture


def paths() -> set[str]:
    """Return every file and folder of the repository as a page may write it: folders end with a slash."""
    found = {f"{path.relative_to(ROOT)}" for path in ROOT.glob("*.*")}
    for folder in ("gradsum", "engine", "workers", "tests", "docs", "benchmarks"):
        files = [path for path in (ROOT / folder).rglob("*") if "__pycache__" not in path.parts]
        found |= {f"{path.relative_to(ROOT)}{'/' * path.is_dir()}" for path in [*files, ROOT / folder]}
    return found


@pytest.mark.parametrize("page", [DOCS / "architecture.md", ROOT / "CONTRIBUTING.md"])
def test_every_path_in_the_pages_for_developers_exists(page: Path) -> None:
    text = re.sub(r"\]\([^)]*\)", "", TEXTS[page])  # the targets of links are relative to the page
    said = set(re.findall(r"(?<![\w/.<])[a-z][\w./-]*(?:\.py|\.md|\.cfg|/)(?![\w/])", text))
    there = {f"/{path}" for path in paths()}  # "rounds/" will do for "engine/coordinator/rounds/"
    missing = [name for name in said if not any(path.endswith(f"/{name}") for path in there)]
    assert [name for name in missing if not re.search("NAME|ROOM", name)] == []
    assert len(said) > 5


def test_every_name_in_the_pages_for_developers_exists() -> None:
    """That is, constants, classes and private functions."""
    said = re.findall(r"`(?:\w+\.)?(\w*[A-Z_]\w*)`", text_of("architecture.md"))
    files = [path for folder in ("engine", "workers", "tests") for path in (ROOT / folder).rglob("*.py")]
    sources = " ".join(path.read_text(encoding="utf-8") for path in files if path.name != "test_docs.py")
    there = set(re.findall(r"\w+", sources))
    assert [name for name in said if name not in there and name != "NAME"] == []
    assert len(said) > 30


def test_the_check_of_options_sees_those_of_every_kind() -> None:
    assert [parser.prog.split()[1:] for parser in parsers(parser_of("demo"))] == [["demo", "hill"]]
    assert "help" not in {action.dest for action in actions(parser_of("train"))}
