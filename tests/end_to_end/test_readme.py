"""What the README shows can be done: its example runs."""

import re

import pytest

from tests.support.repository import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
MOST_LINES = 150


def test_the_python_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    [example] = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    exec(compile(example, "README.md", "exec"), {})  # noqa: S102
    said = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"\d+ % of 4000 correct", said[0])
    assert int(said[0].split()[0]) > 50, "200 steps are enough to read more than half of the letters"
    assert len(said[1].split(",")) == 5


def test_it_is_short() -> None:
    assert len(README.splitlines()) <= MOST_LINES
