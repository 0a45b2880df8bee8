"""gradsum: data-parallel training of neural networks on CPUs, with the same bits for any number of workers.

    import gradsum

    result = gradsum.train("letters", "letters", optimizer=gradsum.Adam(lr=1e-3), workers=4, epochs=2)
    network = gradsum.load_network(result.checkpoint)
    network.predict(images)  # uint8 [N, H, W]

The public names are those of the package `engine`, which can be imported as well; a name is loaded when it is first
used.
"""

import signal
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine import *  # noqa: F403 - exactly the public names


def _import_engine() -> ModuleType:
    """Import the package `engine` that was installed with this one, although another may come first on `sys.path`.

    Once it is imported, its modules are found by its own path. ImportError if another `engine` was imported before.
    """
    root = Path(__file__).resolve().parent
    sys.path.insert(0, str(root))
    try:
        import engine  # noqa: PLC0415
    finally:
        sys.path.remove(str(root))
    found = Path(engine.__file__ or next(iter(engine.__path__)))  # a folder without __init__.py has no file
    if found.resolve().parent != root / "engine":
        raise ImportError(f"gradsum has a package named engine, but {found} was imported as engine before: rename it")
    return engine


_engine = _import_engine()
__version__: str = _engine.__version__
if not TYPE_CHECKING:  # type checkers use the import above; with __getattr__ they would accept any name
    __all__ = _engine.__all__
    __getattr__ = _engine.__getattr__
    __dir__ = _engine.__dir__


def main() -> int:
    """Run the command line, as `gradsum` and `python -m gradsum` do, and return the exit code."""
    try:
        from engine.system.signals import interrupts_kept  # noqa: PLC0415

        with interrupts_kept(lambda: signal.SIGINT):  # Python calls back from imports, too
            from engine.cli import main as run  # noqa: PLC0415

            return run()
    except KeyboardInterrupt:  # while engine.cli is loading, or outside of its own handler
        print("gradsum: interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
