"""gradsum: data-parallel training of neural networks on CPUs, with the same bits for any number of workers.

    import gradsum

    result = gradsum.train("letters", "letters", optimizer=gradsum.Adam(lr=1e-3), workers=4, epochs=2)
    network = gradsum.load_network(result.checkpoint)
    network.predict(images)  # uint8 [N, H, W]

The public names are those of the package `engine`, which can be imported as well; a name is loaded when it is first
used.
"""

import sys

TYPE_CHECKING = False  # type checkers take it for True; nothing else is imported before interruptions are noted
if TYPE_CHECKING:
    from types import ModuleType

    from engine import *  # noqa: F403 - exactly the public names


class _Interruptions:
    """Within this context, an interruption that Python drops, as it calls back from imports, is raised at the end."""

    def __enter__(self) -> None:
        self._before, self._came = sys.unraisablehook, False
        sys.unraisablehook = self._note

    def __exit__(self, *_: object) -> None:
        sys.unraisablehook = self._before
        if self._came:
            raise KeyboardInterrupt

    def _note(self, dropped: "sys.UnraisableHookArgs") -> None:
        if isinstance(dropped.exc_value, KeyboardInterrupt):
            self._came = True
        else:
            self._before(dropped)


def _import_engine() -> "ModuleType":
    """Import the package `engine` that was installed with this one, although another may come first on `sys.path`.

    Once it is imported, its modules are found by its own path. ImportError if another `engine` was imported before.
    """
    from pathlib import Path  # noqa: PLC0415

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


with _Interruptions():
    _engine = _import_engine()
__version__: str = _engine.__version__
if not TYPE_CHECKING:  # type checkers use the import above; with __getattr__ they would accept any name
    __all__ = _engine.__all__
    __getattr__ = _engine.__getattr__
    __dir__ = _engine.__dir__


def main() -> int:
    """Run the command line, as `gradsum` and `python -m gradsum` do, and return the exit code."""
    try:
        with _Interruptions():
            import signal  # noqa: PLC0415

            from engine.system.signals import interrupts_kept  # noqa: PLC0415

        with interrupts_kept(lambda: signal.SIGINT):
            from engine.cli import main as run  # noqa: PLC0415

            return run()
    except KeyboardInterrupt:  # while engine.cli is loading, or outside of its own handler
        print("gradsum: interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
