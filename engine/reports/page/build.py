"""Puts the page about a run together from its records and pictures."""

from collections.abc import Sequence
from dataclasses import dataclass

from engine.records import RunRecord
from engine.reports.page import sections
from engine.reports.page.document import document
from engine.reports.page.html import text
from engine.reports.page.sections import Picture


@dataclass(frozen=True)
class Pictures:
    """The pictures of a page, each in the section of its name."""

    progress: Picture
    kernels: Sequence[Picture]
    layers: Picture
    weights: Sequence[Picture]
    mistakes: Picture
    workers: Picture


def build(record: RunRecord, pictures: Pictures, footer: str) -> str:
    """Return a whole HTML page about a run."""
    run = record.run
    parts = [
        sections.results(run),
        sections.progress(pictures.progress, record.validation),
        sections.kernels(pictures.kernels),
        sections.layers(pictures.layers, pictures.weights),
        sections.mistakes(pictures.mistakes),
        sections.workers(pictures.workers, record.run, record.workers),
        sections.events(record.events),
        sections.settings(record),
        sections.origin(record),
    ]
    return document(sections.title(run), sections.header(run), parts, text(footer))
