"""Pieces of HTML. `Html` is a type of its own, so that no text gets into a page without having been escaped."""

import base64
import html
from collections.abc import Iterable, Mapping, Sequence
from typing import NewType

from engine.reports.text import Column, Row, fact

Html = NewType("Html", str)
MOST_ROWS = 1000
_FOLDED = 30  # rows from which on a table is folded


def text(value: object) -> Html:
    """Return `value` as text: no character of it is markup."""
    return Html(html.escape(str(value)))


def tag(name: str, *content: Html, **attributes: str) -> Html:
    """Return an element with its content; `class_` stands for the attribute class."""
    said = "".join(f' {key.rstrip("_")}="{html.escape(value)}"' for key, value in attributes.items())
    return Html(f"<{name}{said}>{''.join(content)}</{name}>")


def join(parts: Iterable[Html]) -> Html:
    """Return the parts one after the other."""
    return Html("\n".join(parts))


def remark(said: object) -> Html:
    """Return a line that says something about what is there, or why it is not."""
    return tag("p", text(said), class_="remark")


def pairs(values: Mapping[str, object]) -> Html:
    """Return names and values below each other."""
    rows = (tag("tr", tag("th", text(name), scope="row"), tag("td", text(fact(name, v)))) for name, v in values.items())
    return tag("div", tag("table", tag("tbody", *rows), class_="pairs"), class_="wide")


def table(columns: Sequence[Column], rows: Sequence[Row]) -> Html:
    """Return rows as a table, folded where it is long; of very many rows the last, with a line that says so."""
    head = tag("thead", tag("tr", *(tag("th", text(c.heading), scope="col", class_=_side(c)) for c in columns)))
    body = [tag("tr", *(tag("td", text(c.text(row)), class_=_side(c)) for c in columns)) for row in rows[-MOST_ROWS:]]
    whole = tag("div", tag("table", head, tag("tbody", *body)), class_="wide")
    if len(rows) > MOST_ROWS:
        whole = join([remark(f"the last {MOST_ROWS:,} of {len(rows):,} rows"), whole])
    return tag("details", tag("summary", text(f"{len(rows):,} rows")), whole) if len(rows) > _FOLDED else whole


def _side(column: Column) -> str:
    return "right" if column.right else "left"


def picture(png: bytes, width: int, what: str) -> Html:
    """Return a PNG inside the page, `width` CSS pixels wide; `what` describes it to those who cannot see it."""
    data = base64.b64encode(png).decode("ascii")
    return Html(f'<img src="data:image/png;base64,{data}" alt="{html.escape(what)}" width="{width}">')
