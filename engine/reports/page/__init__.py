"""A page about a run: one HTML file that needs no network, with its pictures inside.

`html` makes pieces in which nothing is unescaped, `sections` says what is told, `document` puts the page together.
"""

from engine.reports.page.build import Pictures, build
from engine.reports.page.sections import Picture

__all__ = ["Picture", "Pictures", "build"]
