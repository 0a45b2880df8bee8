"""Computes the golden digest anew: `python -m tests.support.golden` writes it into `engine/kernels/golden/__init__.py`.

It is for one who changes what kernels compute, or adds a call of one. The compiled and the exact kernels must agree.
"""

import re
import sys

from engine.kernels import choose
from engine.kernels.golden import differing, digest
from tests.support.repository import ROOT

PLACE = ROOT / "engine" / "kernels" / "golden" / "__init__.py"
CONSTANT = re.compile(r'^GOLDEN = "(\w*)"$', re.MULTILINE)


def main() -> int:
    """Write the digest, or say which operations differ."""
    exact, compiled = choose("exact"), choose("numba")
    if wrong := differing(exact, compiled):
        print(f"exact and compiled kernels differ in {', '.join(wrong)}", file=sys.stderr)
        return 1
    found, text = digest(exact), PLACE.read_text(encoding="utf-8")
    (before,) = CONSTANT.findall(text)
    PLACE.write_text(CONSTANT.sub(f'GOLDEN = "{found}"', text), encoding="utf-8")
    print(f"{found}: as before" if found == before else f"{before} is now {found}: bits change")
    return 0


if __name__ == "__main__":
    sys.exit(main())
