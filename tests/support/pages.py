"""Reads a page as a browser would, and says what is wrong with it."""

import base64
import io
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

import numpy as np
from numpy.typing import NDArray
from PIL import Image

VOID = {"meta", "img", "br", "hr", "link", "input"}


@dataclass
class Page(HTMLParser):
    """What a page says: its texts by section, its rows of tables, its pictures; AssertionError for bad markup."""

    source: str
    texts: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    pictures: list[NDArray[np.uint8]] = field(default_factory=list)
    descriptions: list[str] = field(default_factory=list)
    anchors: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    styles: str = ""

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._open: list[str] = []
        assert self.source.startswith("<!DOCTYPE html>\n")
        self.feed(self.source)
        self.close()
        assert self._open == [], "everything that is opened is closed"
        assert set(self.links) <= {f"#{anchor}" for anchor in self.anchors}, "links lead to places in the page"
        assert len(set(self.anchors)) == len(self.anchors)
        assert "url(" not in self.styles
        assert "@import" not in self.styles

    @property
    def text(self) -> str:
        """All there is to read."""
        return "\n".join(self.texts)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        assert len(given) == len(attrs), "no attribute twice"
        assert tag not in ("script", "link", "iframe", "object", "embed", "base", "form"), f"<{tag}> in the page"
        assert not [name for name in given if name.startswith("on") or name in ("style", "srcset")], given
        if tag == "img":
            self._picture(given["src"] or "")
            self.descriptions.append(given["alt"] or "")
        else:
            assert "src" not in given
        if "href" in given:
            self.links.append(given["href"] or "")
        if "id" in given:
            self.anchors.append(given["id"] or "")
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open[-1:] == ["style"]:
            self.styles += data
            return
        self.texts.append(data)
        if {"td", "th"} & set(self._open):
            self.rows[-1][-1] += data

    def _picture(self, source: str) -> None:
        found = re.fullmatch(r"data:image/png;base64,([A-Za-z0-9+/]+=*)", source)
        assert found, f"a picture from elsewhere: {source[:80]}"
        image = Image.open(io.BytesIO(base64.b64decode(found[1], validate=True)))
        assert image.format == "PNG"
        self.pictures.append(np.asarray(image.convert("L")))
