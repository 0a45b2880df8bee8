"""`make mutants`: the changes that it makes, and that it finds what the tests of a file do not notice."""

import subprocess
import sys

import pytest

from tests.support.mutants.mutations import mutants
from tests.support.repository import ROOT

FILE = "engine/coordinator/rounds/leases.py"  # a short one
SOURCE = '''
"""Words are left alone."""
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    import os
LIMIT = 2.5

@dataclass(frozen=True)
class Box:
    size: int = field(default=3)

    def fits(self, n: int, *, strict: bool = False) -> bool:
        """These as well."""
        if n < self.size and not strict:
            self.last = items[1:]
            return n + 1
        try:
            self.grow(n)
        except (KeyError, ValueError):
            raise TypeError(f"{n:3} is no size", 4)
        return None
'''
CHANGES = """
6 : LIMIT = 2.5 -> LIMIT = 5.0
10 Box: field(default=3) -> field()
10 Box: default=3 -> default=4
10 Box: default=3 -> default=2
12 Box.fits: self, n: int, *, strict: bool=False -> self, n: int, *, strict: bool=True
14 Box.fits: n < self.size and (not strict) -> True
14 Box.fits: n < self.size and (not strict) -> False
14 Box.fits: n < self.size and (not strict) -> not strict
14 Box.fits: n < self.size and (not strict) -> n < self.size
14 Box.fits: n < self.size -> n <= self.size
14 Box.fits: n < self.size -> n >= self.size
14 Box.fits: not strict -> strict
15 Box.fits: self.last = items[1:] -> (removed)
15 Box.fits: 1: -> :
15 Box.fits: 1: -> 2:
15 Box.fits: 1: -> 0:
16 Box.fits: return n + 1 -> return None
16 Box.fits: n + 1 -> n - 1
16 Box.fits: n + 1 -> n + 2
16 Box.fits: n + 1 -> n + 0
18 Box.fits: self.grow(n) -> (removed)
19 Box.fits: except (KeyError, ValueError): -> except (ValueError,):
19 Box.fits: except (KeyError, ValueError): -> except (KeyError,):
20 Box.fits: raise TypeError(f'{n:3} is no size', 4) -> (removed)
"""


def test_every_change_of_a_source() -> None:
    made = [f"{mutant.lines[1]} {mutant.where}: {mutant.change}" for mutant in mutants(SOURCE, "box.py")]
    assert made == CHANGES.strip().splitlines()


@pytest.mark.check
def test_a_change_that_no_test_notices_is_printed() -> None:
    command = [sys.executable, "-m", "tests.support.mutants", FILE]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.stderr == ""
    *survived, summary = done.stdout.splitlines()
    assert summary.startswith(f"{FILE}: ")
    assert done.returncode == bool(survived)
