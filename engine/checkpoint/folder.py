"""A folder of checkpoints: written so that no fault can damage what is there, the last few kept."""

import os
import re
import warnings
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from shlex import quote

from engine.checkpoint.content import Checkpoint, Owner, UnusableError, best_step_of, owner_of, pack, read
from engine.checkpoint.held import held
from engine.errors import CheckpointError
from engine.system.files import TEMPORARY, make_folder, remove_stale, write_atomically

_NAME = re.compile(r"step-\d{8,18}\.safetensors")


class CheckpointWarning(UserWarning):
    """A damaged checkpoint was passed over for an earlier one."""


def save(folder: Path | str, checkpoint: Checkpoint, keep: int = 3) -> Path:
    """Write `folder`/step-00000100.safetensors (for step 100) and return its path once it is safe on disk.

    Keeps the last `keep` checkpoints, and that of the step which each of them calls the best, so that a run may
    continue from any of them. Those of later steps, which a run leaves behind when it resumes from an earlier one, go.
    What goes is removed once the new one is there: a kill at any moment leaves the best, new or old. Temporary files of
    processes that died while saving are removed.
    Raises CheckpointError when it cannot be written (what was there before is unharmed), when `folder` holds the
    checkpoints of another run, and for tensors that are not float32 or do not fit each other.
    """
    folder = Path(folder)
    if keep < 1 or not 0 <= checkpoint.step < 10**18:
        raise CheckpointError(f"step {checkpoint.step} with keep={keep} cannot be saved: step >= 0 and keep >= 1")
    content = pack(checkpoint)
    _check_owner(_open(folder), checkpoint.run.uuid)
    path = folder / _name(checkpoint.step)
    with _explained(path):
        remove_stale(folder, lambda name: bool(_NAME.fullmatch(name)))
        write_atomically(path, content)
        numbered = _numbered(folder)
        last = [old for old in numbered if _step(old) <= checkpoint.step][:keep]
        spared = {*last, *(folder / _name(step) for step in _best_steps(last))}
        for old in numbered:
            if old not in spared:
                old.unlink(missing_ok=True)
    return path


def prepare(folder: Path | str, run: str | None = None) -> None:
    """Make `folder` for the checkpoints of the run with uuid `run`; call it before the work begins.

    Raises CheckpointError when it cannot be made or written, or holds checkpoints that are not known to be of this run:
    they would be removed one after the other.
    """
    numbered = _open(Path(folder))
    if _check_owner(numbered, run) is None and numbered:
        raise CheckpointError(
            f"{folder} holds checkpoints that cannot be read ({numbered[0].name}), perhaps of another run; choose "
            "another folder"
        )


def _open(folder: Path) -> list[Path]:
    """Make `folder` if it is not there, and return the checkpoints in it; CheckpointError if it cannot be written."""
    try:
        make_folder(folder)
    except OSError as error:
        raise CheckpointError(f"the folder {folder} for checkpoints cannot be made: {error.strerror}") from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise CheckpointError(f"the folder {folder} for checkpoints cannot be written; choose another one")
    return _numbered(folder)


def _check_owner(numbered: list[Path], run: str | None) -> Owner | None:
    """Return whose the checkpoints of a folder are, as far as they say; CheckpointError if not the run's."""
    owner = _owner(numbered)
    if owner and owner.run != run:
        newest_there = numbered[0]
        raise CheckpointError(
            f"{newest_there.parent} holds checkpoints of another run ({newest_there.name}); choose another folder"
        )
    return owner


def later_steps(folder: Path | str, step: int) -> list[int]:
    """Return, in order, the steps after `step` that have a checkpoint in `folder`; none if there is no such folder."""
    folder = Path(folder)
    return sorted(found for path in _numbered(folder) if (found := _step(path)) > step) if folder.is_dir() else []


def has_any(folder: Path | str) -> bool:
    """Return whether there is a checkpoint in `folder`, if only a damaged one."""
    folder = Path(folder)
    return folder.is_dir() and bool(_numbered(folder))


def newest(folder: Path | str) -> Path:
    """Return the checkpoint of the last step in `folder`, without looking into it.

    Raises CheckpointError when there is none.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise CheckpointError(f"there is no folder {folder}")
    found = _numbered(folder)
    if not found:
        raise CheckpointError(f"folder {folder} has no checkpoint; looked for step-*.safetensors")
    return found[0]


def load(path: Path | str) -> Checkpoint:
    """Read a checkpoint file, or the newest good one of a folder.

    Where the newest of a folder is damaged the one before it is read, with a CheckpointWarning that names both.
    Raises CheckpointError when the file is missing, no checkpoint, damaged, or of a newer version.
    """
    path = Path(path)
    if not path.is_dir():
        return read(path)
    newest(path)  # says what was looked for where there is none
    failures: list[str] = []
    for candidate in _numbered(path):
        try:
            checkpoint = read(candidate)
        except UnusableError as error:
            failures.append(str(error))
            continue
        if failures:
            text = f"{'; '.join(failures)}; using {candidate} instead"
            warnings.warn(text, CheckpointWarning, stacklevel=2)
        return checkpoint
    raise CheckpointError(f"folder {path} has no good checkpoint: {'; '.join(failures)}")


def best(folder: Path | str) -> Path:
    """Return the checkpoint of the step that did best in validation, according to the newest good one in `folder`.

    Raises CheckpointError as `load`, and when there is no such checkpoint.
    """
    folder = Path(folder)
    if folder.is_file():
        raise CheckpointError(f"{folder} is one checkpoint; the best is chosen from a folder of them")
    run = load(folder).run
    step = (run.best or {}).get("step")
    if step is None:
        raise CheckpointError(
            f"the checkpoints in {folder} do not say which is the best: nothing was validated, or an "
            "earlier version saved them; name one of them"
        )
    path = kept(folder, step, run.uuid)
    if path is None:
        raise CheckpointError(f"the best checkpoint of {folder}, that of step {step}, is not there any more")
    return path


def kept(folder: Path | str, step: int, run: str | None) -> Path | None:
    """Return the checkpoint of `step` in `folder` if it is there, and of the run with uuid `run`."""
    path = Path(folder) / _name(step)
    with suppress(UnusableError):
        return path if owner_of(path).run == run else None
    return None


@contextmanager
def hinted(folder: Path, run: str, last_step: int | None, *endings: type[BaseException]) -> Iterator[None]:
    """Let exceptions of these kinds say, in a note, how to resume `run` from its newest checkpoint in `folder`, if any.

    If it is that of the `last_step`, nothing is left to do, and they say where it is.
    """
    try:
        yield
    except endings as error:
        with suppress(CheckpointError, StopIteration):
            path = next(path for path in _numbered(folder) if kept(folder, _step(path), run))
            step, command = _step(path), f"gradsum train --resume {quote(_not_an_option(folder))}"
            error.add_note(
                f"{'Its only step is' if step == 1 else f'All {step} steps are'} done; the last checkpoint is {path}"
                if last_step is not None and step >= last_step
                else f"Resume from the checkpoint of step {step} with:\n  {command}"
            )
        raise


def _not_an_option(folder: Path) -> str:
    """Return the folder as the value of an option: a dash at its beginning would make it an option itself."""
    return f"./{folder}" if str(folder).startswith("-") else str(folder)


def remove(folder: Path | str, run: str, db: Path, others: Collection[str] = ()) -> int:
    """Remove `folder` with the checkpoints of the run with uuid `run` that `db` has; return their bytes.

    Files called as one of `others` go, too, and folders called so that hold nothing but logs. Raises CheckpointError,
    and removes nothing, when it is not there, is a link, holds anything else, when another process trains into it, or
    when the newest of them says that it is another run's, or that its records are in another database: this one is a
    copy, then, or that one a continuation.
    """
    folder = Path(folder)
    if folder.is_symlink() or not folder.is_dir():
        raise CheckpointError(f"{folder} is {'a link' if folder.is_symlink() else 'not there'}")
    with held(folder):  # a run that continues elsewhere may not have saved anything there yet
        return _remove(folder, run, db, others)


def _remove(folder: Path, run: str, db: Path, others: Collection[str]) -> int:
    numbered = _numbered(folder)
    owner = _owner(numbered)
    if owner is None:
        raise CheckpointError(f"{folder} holds no good checkpoint")
    if owner.run != run:
        raise CheckpointError(f"{folder} holds checkpoints of another run")
    if Path(owner.db or "").resolve() != db.resolve():
        raise CheckpointError(f"those in {folder} say that their run is in database {owner.db}")
    with _explained(folder, "removed"):
        entries = list(folder.iterdir())
        for path in entries:
            known = path in numbered or path.name in others or _temporary(path)
            if path.is_symlink() or not known or (path.is_dir() and not _only_logs(path)):
                raise CheckpointError(f"{folder} holds {path.name!r} as well")
        logs = [path for path in entries if path.is_dir()]
        files = [path for path in entries if path not in logs] + [path for log in logs for path in log.iterdir()]
        size = sum(path.stat().st_size for path in files)
        for path in files:
            path.unlink()
        for path in (*logs, folder):
            path.rmdir()
    return size


def _only_logs(folder: Path) -> bool:
    return all(path.is_file() and not path.is_symlink() and path.suffix == ".log" for path in folder.iterdir())


def _owner(numbered: Iterable[Path]) -> Owner | None:
    """Return whose the first good checkpoint of `numbered` is; None where there is none."""
    for path in numbered:
        with suppress(UnusableError):
            return owner_of(path)
    return None


def _numbered(folder: Path) -> list[Path]:
    """Return the checkpoints in `folder`, that of the last step first."""
    with _explained(folder, "read"):
        return sorted((p for p in folder.iterdir() if _NAME.fullmatch(p.name)), key=_step, reverse=True)


def _best_steps(paths: Iterable[Path]) -> Iterator[int]:
    """Yield the steps that these checkpoints call the best."""
    for path in paths:
        with suppress(UnusableError):
            if (step := best_step_of(path)) is not None:
                yield step


def _name(step: int) -> str:
    """Return the name of the checkpoint of a step."""
    return f"step-{step:08d}.safetensors"


def _step(path: Path) -> int:
    """Return the step in a checkpoint's name."""
    return int(path.name.removeprefix("step-").removesuffix(".safetensors"))


@contextmanager
def _explained(path: Path, verb: str = "written") -> Iterator[None]:
    """Turn an OSError of the block into the CheckpointError that names `path` and the reason."""
    try:
        yield
    except OSError as error:
        raise CheckpointError(f"checkpoint {path} cannot be {verb}: {error.strerror or error}") from error


def _temporary(path: Path) -> re.Match[str] | None:
    """Return the match of the name if this is the beginning of a checkpoint."""
    found = TEMPORARY.fullmatch(path.name)
    return found if found and _NAME.fullmatch(found["name"]) else None
