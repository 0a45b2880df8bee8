"""The page about a run: whole and closed in itself, whatever the names are; every section says what it has."""

import io
from dataclasses import replace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from engine.records import COLUMNS, Run, RunRecord
from engine.reports.page import Picture, Pictures, build
from engine.reports.page.html import MOST_ROWS, text
from tests.support.pages import Page

HOSTILE = "</style></td><script>alert(1)</script>\"'&amp; onload=x ${title} $$ {0} %s\x00\x1b[2J"
SECTIONS = ("Results", "Progress", "Kernels", "Layers", "Mistakes", "Workers", "Events", "Settings", "Origin")
PAGE_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def drawn(width: int = 300) -> Picture:
    content = io.BytesIO()
    Image.linear_gradient("L").resize((2 * width, 400)).save(content, "PNG")
    return Picture("from black to white", content.getvalue(), width)


def run(**given: Any) -> Run:
    """Return a run as `list_runs` does, with nothing known of it but what it began with."""
    known = {"startID": 3, "uuid": "u", "state": "finished", "model": "mlp", "data": "digits", "optimizer": "sgd"}
    known |= {"lr": 0.5, "workers": 2, "generated": False, "settings": {"seed": 7}, "versions": {"numpy": "2.0"}}
    return cast(Run, dict.fromkeys(COLUMNS["runs"]) | known | given)


def row(table: str, **given: Any) -> Any:
    return dict.fromkeys(COLUMNS[table]) | {"batchno": 0} | given


def page(record: RunRecord, picture: Picture | None = None, kernels: tuple[Picture, ...] = ()) -> Page:
    one = picture or Picture("nothing to draw")
    return Page(build(record, Pictures(one, kernels or (one,), one, (one,), one, one), "the end"))


def test_sections_pictures_and_numbers() -> None:
    rows = [row("validation", batchno=1234, epoch=0.5, corperc=91.236, avgloss=0.25, elapsed=12.34, cputime=20.0)]
    events = [row("events", time=0.0, kind="lost", worker="w1", text="it was gone")]
    workers = [row("workers", worker="w1", host="box", pid=9, images=6400, images_per_second=99.6)]
    known = run(best_percent=91.236, steps=1234, wall_seconds=3723.0, cpu_seconds=61.26, images_per_second=1999.6)
    found = page(RunRecord(known, rows, workers, events), drawn(), (drawn(), drawn(400)))
    assert tuple(name for name in found.texts if name in SECTIONS) == SECTIONS * 2, "in the contents, and as headings"
    assert len(found.pictures) == 7
    assert found.descriptions == ["from black to white"] * 7
    assert [p.shape[1] for p in found.pictures] == [600, 600, 800, 600, 600, 600, 600]
    assert all((p.min(), p.max()) == (0, 255) for p in found.pictures)
    for said in ("91.24", "1,234", "62 min 3 s", "61.3 s", "2,000", "mlp on digits: sgd, learning rate 0.5"):
        assert said in found.text
    assert ["1,234", "0.50", "91.24", "0.2500", "12.3", "20.0"] in found.rows
    assert ["w1", "box", "9", "-", "-", "-", "-", "6,400", "100", "-"] in found.rows
    assert [cells[1:] for cells in found.rows if "it was gone" in cells] == [["lost", "w1", "it was gone"]]
    assert ["seed", "7"] in found.rows
    assert ["numpy", "2.0"] in found.rows
    assert f'content="{PAGE_POLICY}"' in found.source
    assert "generated" not in found.text.replace("generated\n", "")
    assert found.text.rstrip().endswith("the end")


@pytest.mark.parametrize("unit", ["images", "rows"])
def test_speeds_are_those_of_the_runs_samples(unit: str) -> None:
    known = run(parts=f"trains with 1,234 {unit}, chooses by the other part, 100; none is left to test with")
    found = page(RunRecord(known, [], [row("workers", worker="w1", images=6400)], []))
    other = {"images": "rows", "rows": "images"}[unit]
    assert found.texts.count(f"{unit}/s") == 2, "in the results, and of the worker"
    assert f"{other}/s" not in found.texts


def test_what_is_missing_is_said() -> None:
    found = page(RunRecord(run(state="running", workers=0), [], [], []))
    assert found.pictures == []
    assert found.texts.count("nothing to draw") == 6
    for said in ("There was no validation.", "one process computed everything", "Nothing out of the ordinary"):
        assert said in found.text
    assert page(RunRecord(run(data="letters", generated=True), [], [], [])).text.count("generated letters") == 1


def test_hostile_names_are_only_text() -> None:
    everywhere = dict.fromkeys(("name", "model", "data", "optimizer", "command", "folder", "host", "reason"), HOSTILE)
    known = run(**everywhere, settings={HOSTILE: HOSTILE}, versions={HOSTILE: HOSTILE}, generated=True, state="failed")
    workers = [row("workers", worker=HOSTILE, host=HOSTILE, reason=HOSTILE, joined=HOSTILE)]
    events = [row("events", kind=HOSTILE, worker=HOSTILE, text=HOSTILE, time=1.0)]
    found = page(RunRecord(known, [], workers, events), replace(drawn(), what=HOSTILE))
    shown = HOSTILE.replace("\x00", r"\x00").replace("\x1b", r"\x1b")
    assert f"run 3: {shown}" in found.texts
    assert [HOSTILE, shown] in found.rows
    assert ["command", shown] in found.rows
    assert [cells[1:] for cells in found.rows if len(cells) == 4][-1] == [shown] * 3
    assert found.descriptions == [HOSTILE] * 6


@given(st.text(st.characters(exclude_characters="\r", exclude_categories=["Cs"])))
def test_any_text_comes_back_as_it_was(said: str) -> None:
    found = Page(f"<!DOCTYPE html>\n<p>{text(said)}</p><p></p>")
    assert "".join(found.texts).removeprefix("\n") in (said, said.removeprefix("\n"))


@pytest.mark.parametrize(("count", "folded"), [(30, False), (31, True), (MOST_ROWS, True), (MOST_ROWS + 500, True)])
def test_long_tables_are_folded_and_very_long_ones_cut(count: int, folded: bool) -> None:
    events = [row("events", time=1.0, kind="lost", text=f"event {n}") for n in range(count)]
    found = page(RunRecord(run(), [], [], events))
    assert ("<summary>" in found.source.split("Events</h2>")[1]) == folded
    said = [cells[3] for cells in found.rows if cells[-1].startswith("event")]
    assert said == [f"event {n}" for n in range(max(0, count - MOST_ROWS), count)]
    assert (f"the last 1,000 of {count:,} rows" in found.text) == (count > MOST_ROWS)
