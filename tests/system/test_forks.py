"""Which processes may be forked: our own, within the block that says so, and without a thread."""

import subprocess
import sys

import pytest

from engine.system.forks import has_descriptors_of_processes
from tests.support.repository import ROOT

pytestmark = pytest.mark.skipif(not has_descriptors_of_processes(), reason="only Linux has what it takes")

ASKED = """
import threading
from engine.system.forks import may_fork, own_process
print(may_fork())
with own_process():
    print(may_fork())
    with own_process(False):
        print(may_fork())
    threading.Thread(target=threading.Event().wait, daemon=True).start()
    print(may_fork())
"""
AFTER = """
from contextlib import suppress
from engine.system.forks import may_fork, own_process
with suppress(KeyError), own_process():
    raise KeyError
print(may_fork())
"""


@pytest.mark.parametrize(
    ("program", "said"), [(ASKED, ["False", "True", "True", "False"]), (AFTER, ["False"])], ids=["within", "after"]
)
def test_a_process_may_be_forked_while_it_is_our_own_and_has_one_thread(program: str, said: list[str]) -> None:
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == said
