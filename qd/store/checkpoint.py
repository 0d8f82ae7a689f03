"""All that a run needs to go on, as one signed pickle; two are kept."""

import io
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from qd.archives import hasty
from qd.metrics import Tally
from qd.store import identity, seal
from qd.support import atomic
from qd.support.errors import UserError
from qd.support.moved import current
from qd.types import State

_KEPT = 2


class Checkpoint(NamedTuple):
    """A run at the end of a generation."""

    state: State
    bench: Any | None  # the referee at work
    tally: Tally
    last_refit: int  # evaluations right after the last refit; 0 where there was none
    last_row: dict[str, float] | None  # of metrics
    wall: float  # seconds in all, over all its processes
    lengths: dict[str, int]  # bytes of the files that grow
    sources: dict[str, str]  # fingerprint of the parts
    compile_s: float = 0.0  # seconds of ``wall`` in which JAX compiled; earlier versions did not count them
    workers: Any | None = None  # counts of the workers that evaluate, where there are some
    own_metrics: dict[str, float] | None = None  # of the recipe, at this state


def save(folder: Path, checkpoint: Checkpoint) -> None:
    """Adds a checkpoint to the folder and removes the oldest; the newest two are kept.

    Args:
        folder: RUN/checkpoint, which exists.
        checkpoint: the run at the end of a generation.

    Raises:
        UserError: the state cannot be pickled, the file cannot be written, or the user's key cannot be read or made.
    """
    older = _newest_first(folder)
    number = max((int(path.stem) for path in older), default=0) + 1
    about = json.dumps({"versions": identity.versions(), "evaluations": checkpoint.state.evaluations}).encode()
    atomic.write(folder / f"{number:06d}.ckpt", seal.seal(about + b"\n" + _pickle(checkpoint)))
    for path in older[_KEPT - 1 :]:
        path.unlink()


def load(folder: Path, say: Callable[[str], None]) -> Checkpoint | None:
    """Returns the newest checkpoint that is whole, or None where there never was one.

    Damaged ones are passed over, and removed once an older one proves whole.

    Args:
        folder: RUN/checkpoint.
        say: is given a line for each damaged checkpoint.

    Raises:
        ValueError: none is whole, or it was signed with another key, written under other versions or names code that is gone.
    """
    paths = _newest_first(folder)
    for path in paths:
        try:
            content = seal.unseal(path)
        except seal.DamageError as damage:
            say(f"{damage}; going on from the checkpoint before it")
            continue
        if path != paths[0]:
            for newer in paths[: paths.index(path)]:
                newer.unlink()
        about, _, data = content.partition(b"\n")
        _check_versions(path, json.loads(about)["versions"])
        return _unpickle(path, data)
    if paths:
        raise UserError(f"no checkpoint in {folder} is whole", "type again=true to start over")
    return None


def _newest_first(folder: Path) -> list[Path]:
    return sorted((path for path in folder.glob("*.ckpt") if path.stem.isdigit()), reverse=True)


def _pickle(checkpoint: Checkpoint) -> bytes:
    try:
        return pickle.dumps(checkpoint, protocol=5)
    except (TypeError, AttributeError, pickle.PicklingError) as error:
        raise UserError(
            f"the run cannot be stored: {error}. Whatever an emitter remembers, a descriptor learns and a referee holds "
            "must be picklable: arrays, numbers, text and classes of a module (no open files, locks or lambdas)"
        ) from error


class _Unpickler(pickle.Unpickler):
    """Finds classes of an earlier version where they stand now."""

    def find_class(self, module: str, name: str) -> Any:
        try:
            return super().find_class(module, name)
        except (ImportError, AttributeError):
            there, _, last = current(f"{module}.{name}").rpartition(".")
            return super().find_class(there, last)


def _unpickle(path: Path, data: bytes) -> Checkpoint:
    try:
        checkpoint = _Unpickler(io.BytesIO(data)).load()  # signed by this user, and checked above
    except (AttributeError, ImportError, TypeError) as error:
        raise UserError(
            f"{path} names code that is no longer there ({error})", "put it back, or type again=true to start over"
        ) from error
    hasty.settle_imported()
    return checkpoint


def _check_versions(path: Path, versions: dict[str, str]) -> None:
    here = identity.versions()
    other = [f"{name} {versions.get(name)} (here {here[name]})" for name in here if versions.get(name) != here[name]]
    if other:
        pip = " ".join(
            f"{name}=={versions.get(name)}" for name in here if name != "python" and versions.get(name) != here[name]
        )
        fix = f"type pip install {pip}" if pip else f"use Python {versions.get('python')}"
        raise UserError(f"{path} was written under {', '.join(other)}; {fix}, or again=true to start over")
