"""Values in words."""

import pytest

from engine.data import Measure
from engine.reports.text import machines, number, shown, size, validation_columns, when


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 bytes"), (999, "999 bytes"), (1000, "1 kB"), (1.5e6, "1.5 MB"), (2.5e9, "2.5 GB")],
)
def test_sizes(count: float, text: str) -> None:
    assert size(count) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        (True, "yes"),
        (0.1234567, "0.123457"),
        ([1, "a"], '[1, "a"]'),
        ({"a": None}, '{"a": null}'),
        ("\x1b[31m", r"\x1b[31m"),
    ],
)
def test_values(value: object, text: str) -> None:
    assert shown(value) == text


def test_scores_have_their_unit() -> None:
    assert (Measure.PERCENT.text(97.5), Measure.R2.text(0.99512)) == ("97.50 % correct", "R² 0.9951")


@pytest.mark.parametrize("metrics", ["oops", "[1]", "[" * 100_000, '{"a": "b"}', None])
def test_metrics_that_cannot_be_read_are_left_out(metrics: str | None) -> None:
    row = {"r2": None, "corperc": 50.0, "topk": None, "metrics": metrics}
    assert [column.heading for column in validation_columns([row])][-1] == "CPU seconds"


def test_what_others_wrote_into_a_database_is_shown_as_it_is() -> None:
    assert number("abc", ".2f") == "abc"  # type: ignore[arg-type]
    assert when(b"abc") == ("b'abc'",)  # type: ignore[arg-type]


def test_machines_and_processes_are_told_of_where_there_are_relays() -> None:
    alone = [("a:1", "a", None), ("b:1", "b", "")]
    assert machines(alone) == ""
    assert machines([*alone, ("a:2", "a", "a:1"), ("a:3", "a", "a:1")]) == "2 machines, 3 processes"
    assert machines([("a:1", "a", None), ("a:2", "a", "a:1")]) == "1 machine, 1 process"
