"""The order in which a person puts names."""

import re


def natural(text: str) -> str:
    """Return what to sort `text` by so that numbers in it count as numbers: 2.png before 10.png."""
    return re.sub("[0-9]+", lambda found: f"{len(found[0].lstrip('0')):03}{found[0].lstrip('0')}", text)
