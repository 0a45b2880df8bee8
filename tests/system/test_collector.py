"""No garbage is looked for while modules are loaded, and it is again afterwards."""

import gc

import pytest

from engine.system.collector import loading


def test_it_is_off_within_the_block_alone() -> None:
    assert gc.isenabled()
    with pytest.raises(KeyError), loading():
        assert not gc.isenabled()
        with loading():
            pass
        assert not gc.isenabled()
        raise KeyError
    assert gc.isenabled()
