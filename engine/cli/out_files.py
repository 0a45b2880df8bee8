"""Which files a command may write: checks before anything slow is done for one."""

from pathlib import Path

from engine.errors import CheckpointError, SettingsError

DATABASE = b"SQLite format 3\0"  # how each begins


def check_ending(path: Path, ending: str, what: str) -> None:
    """Raise SettingsError unless `path` has this ending, or is not a regular file, such as /dev/stdout.

    `what`: what is written to it, for the message.
    """
    redirected = Path("/dev") in path.parents  # perhaps to a regular file
    if redirected or (path.exists() and not path.is_file()):
        return
    if path.suffix.lower() != ending:
        has = f"{path.suffix} is another" if path.suffix else "it has none"
        raise SettingsError(f"{what} {path} must end in {ending}; {has}")


def check_spared(path: Path, what: str) -> None:
    """Raise SettingsError if a database or a checkpoint would be replaced by `what`: neither can be had again."""
    if not path.is_file():
        return
    try:
        with path.open("rb") as file:
            found = "database" if file.read(len(DATABASE)) == DATABASE else ""
    except OSError:
        return  # it is written to later, or it is said why not
    if path.suffix == ".safetensors" and _is_checkpoint(path):
        found = "checkpoint"
    if found:
        raise SettingsError(f"{what} {path} would replace a {found}; name another file")


def _is_checkpoint(path: Path) -> bool:
    from engine.checkpoint.tensors import is_ours  # slow to import

    try:
        return is_ours(path)
    except CheckpointError:
        return False
