"""The page as a whole: a template that is filled with pieces of HTML."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from string import Template

from engine.reports.page.html import Html, join, tag, text


@dataclass(frozen=True)
class Section:
    """A part of the page: its heading and what is below it."""

    title: str
    content: Html

    @property
    def anchor(self) -> str:
        """Where links within the page lead."""
        return "".join(c if c.isalnum() else "-" for c in self.title.lower())


def document(title: str, header: Html, sections: Sequence[Section], footer: Html) -> str:
    """Return a whole page. It needs nothing from anywhere else, and its policy forbids browsers to look for more."""
    template = Template(files("engine.reports.page").joinpath("page.html").read_text(encoding="utf-8"))
    bodies = (tag("section", tag("h2", text(s.title)), s.content, id=s.anchor) for s in sections)
    contents = (tag("a", text(s.title), href=f"#{s.anchor}") for s in sections)
    return template.substitute(
        title=text(title), header=header, contents=join(contents), sections=join(bodies), footer=footer
    )
