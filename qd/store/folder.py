"""The folder of one run: its lock, its config and its result."""

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import yaml

from qd.store import history, identity, trusted
from qd.support import atomic, growing, links, locks, read_files, run_files
from qd.support.errors import UserError

_CONFIG, _RESULT, _LOCK = run_files.CONFIG, run_files.RESULT, run_files.LOCK
_RESULT_ENTRIES = {"evaluations": int, "sources": dict}
_REMOVE = "remove it and give the run's command, which writes it again"
_OURS = (  # result and checkpoint go first, so that a wipe cut short is no run
    _RESULT, run_files.CHECKPOINTS, run_files.METRICS, run_files.EVENTS, run_files.CHECKSUMS, "history", "history.npz",
    run_files.ARCHIVE_HEADER, run_files.ARCHIVE, "film", "film.npz", run_files.RENDERINGS, run_files.FILMS, run_files.FIGURES,
    run_files.REPORT, run_files.LIVE, run_files.LM, run_files.ORDER, run_files.EVALUATIONS_AHEAD, run_files.REEVALUATED,
    run_files.PROGRAMS, run_files.CANARIES, run_files.SIGNATURE, _CONFIG,
)  # fmt: skip


@contextmanager
def lock(run: Path) -> Iterator[None]:
    """Makes the folder and keeps other processes out of it; the system releases the lock when this process dies.

    A folder that was made here goes again where what was to be done in it is refused before anything is recorded.

    Raises:
        ValueError: the folder cannot be written, or another process works in it.
    """
    new_folders = [path for path in (run, *run.parents) if not path.exists()]
    atomic.make_folder(run)
    links.check(run)
    try:
        with atomic.user_facing_os_errors(run):
            holder = locks.acquire(run / _LOCK)
    except locks.InUseError as error:
        raise UserError(
            f"{run} is in use by process {error.holder}",
            f"wait for it, type kill {error.holder} for a clean stop, or type another seed or name",
        ) from None
    try:
        with atomic.user_facing_os_errors(run):
            atomic.tidy(run)
            if (run / _RESULT).exists():
                history.drop_packed_parts(run)
        with _unmade_unless_recorded(run, new_folders):
            yield
    finally:
        holder.release()


def admit(run: Path, config: dict[str, Any], again: bool = False) -> None:
    """Lets a config into the folder: a new one, or the one that is there. Call it under the lock.

    Args:
        config: what config.yaml is to hold.
        again: remove whatever run is there, unless it is this one, begun with ``again`` and not finished.

    Raises:
        ValueError: the folder holds a run of another config; nothing has been written.
    """
    there = None if again and not _begun_again(run, config) else _config(run)
    if again and there is None:
        wipe(run)
    elif there is None and (leftovers := [name for name in _OURS if (run / name).exists()]):
        raise UserError(
            f"{run} holds {', '.join(leftovers)} but no {_CONFIG}, so its run is unknown; "
            "type another name, or again=true to replace it"
        )
    elif there is not None and identity.config_hash(there) != identity.config_hash(config):
        raise UserError(
            f"{run} holds a run of another config: {'; '.join(identity.differences(there, config))}. "
            "Type another name (name=...), or again=true to replace it"
        )
    text = yaml.safe_dump(_plain(config), sort_keys=False, allow_unicode=True)
    if there is None or _plain(config) != there or not trusted.is_signed(run):
        atomic.write(run / _CONFIG, text.encode())
        trusted.sign(run)


def result(run: Path) -> dict[str, Any] | None:
    """Returns the result of a finished run, or None. Raises ValueError where it is damaged."""
    path = run / _RESULT
    if not path.exists():
        return None
    content = read_files.json_object(path, _REMOVE)
    for name, kind in _RESULT_ENTRIES.items():
        if not isinstance(content.get(name), kind):
            raise UserError(f"{path} is damaged: its {name} is {str(content.get(name))[:60]}", _REMOVE)
    return content


def config(run: Path) -> dict[str, Any]:
    """Returns what config.yaml holds, of a run of any version.

    Raises:
        UserError: it is no YAML of settings, or the archive of the same run was made by others.
    """
    path = run / _CONFIG
    content, header = read_files.yaml_mapping(path, "put it back"), run / run_files.ARCHIVE_HEADER
    if growing.has_sums(run) and header.is_file():  # earlier versions may have named settings otherwise
        own = read_files.json_object(header, _REMOVE).get("config")
        if isinstance(own, dict) and (differences := identity.differences(own, content)):
            raise UserError(f"{path} is damaged: {'; '.join(differences[:3])}", "put it back, or type again=true to start over")
    return content


def finish(run: Path, outcome: dict[str, Any]) -> None:
    """Writes the result, the last thing that a run does, and removes the parts of its history.

    Args:
        run: the folder.
        outcome: the result, of what JSON can hold.

    Raises:
        UserError: the file cannot be written.
    """
    atomic.write(run / _RESULT, read_files.with_checksum(outcome))
    history.drop_parts(run)


def reopen(run: Path, lengths: Mapping[str, int]) -> None:
    """Takes the result back, so that a finished run goes on to a larger budget.

    Args:
        run: the folder.
        lengths: bytes of its growing files at the checkpoint.

    Raises:
        UserError: a file that the run goes on with is damaged; then nothing is changed.
    """
    growing.check(run, lengths)
    for name, length in lengths.items():
        atomic.check_length(run / name, length)
    history.unpack(run)
    (run / _RESULT).unlink()
    for name in ("history.npz", "film.npz"):
        (run / name).unlink(missing_ok=True)


def wipe(run: Path) -> None:
    """Removes all that a run writes, and nothing else."""
    for name in _OURS:
        path = run / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


@contextmanager
def _unmade_unless_recorded(run: Path, new_folders: list[Path]) -> Iterator[None]:
    """Removes the folders that were made, the innermost first, where it is refused and nothing is in the run."""
    try:
        yield
    except ValueError:  # refused; what else may end it, a batch that waits for its results too, keeps the folder
        records = (path for path in run.rglob("*") if path.is_file() and path.name not in (_LOCK, _CONFIG, run_files.SIGNATURE))
        if new_folders and not any(path.stat().st_size for path in records):
            wipe(run)
            (run / _LOCK).unlink(missing_ok=True)
            with suppress(OSError):  # of another user, or no longer empty
                for path in new_folders:
                    path.rmdir()
        raise


def _begun_again(run: Path, config: dict[str, Any]) -> bool:
    if (run / _RESULT).exists() or not (run / _CONFIG).exists():
        return False
    with suppress(ValueError):
        there = _config(run)
        return bool(there and there.get("again")) and identity.config_hash(there or {}) == identity.config_hash(config)
    return False


def _config(run: Path) -> dict[str, Any] | None:
    path = run / _CONFIG
    return read_files.yaml_mapping(path, "type again=true to replace the run") if path.exists() else None


def _plain(config: dict[str, Any]) -> dict[str, Any]:
    return json.loads(json.dumps(config))
