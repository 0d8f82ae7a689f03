"""The same command typed again: a finished run is left as it is, repaired, or grows; one that was cut off goes on."""

from dataclasses import replace
from typing import Any

from qd import held_out
from qd.config.settings import to_config
from qd.runner.job import Job
from qd.store import archive_file, checkpoint, folder, identity
from qd.store.checkpoint import Checkpoint
from qd.support import run_files
from qd.support.errors import UserError


def is_enough(job: Job, result: dict[str, Any]) -> bool:
    """Whether a finished run is left as it is; then its archive can be read, for it is rebuilt where it cannot.

    Args:
        job: the run with its settings of now.
        result: of the finished run.

    Returns:
        False where the run is to go on to a larger budget [evaluations].

    Raises:
        ValueError: it should grow, but its code has changed; or its archive is lost and so is its checkpoint.
    """
    path, budget, evaluations = job.path, job.settings.budget, result["evaluations"]
    changed = identity.changed_modules(result["sources"], identity.fingerprint(job.parts.search, job.parts.referee))
    since = f"since {path} finished, the code of {', '.join(changed)} has changed"
    if evaluations < budget and result.get("ended") != "plateau":
        if changed:
            raise UserError(f"{since}, so it cannot go on to {budget} evaluations", "type again=true to start again")
        return False
    _rebuild_lost_archive(job, result)
    job.console.say(f"{path} is finished ({evaluations} evaluations): skipped")
    if budget < min(archive_file.load(path).about["config"]["budget"], evaluations):
        job.console.say(
            f"it has more evaluations already ({evaluations:,} >= {budget:,}), so the numbers are those of "
            f"{evaluations:,} evaluations; type again=true, or name=... for a run of its own"
        )
    if changed:
        job.console.say(f"{since}; type again=true to start again")
    return True


def load_checkpoint(job: Job) -> Checkpoint | None:
    """Returns where the run goes on; ``again`` starts again where its checkpoint is refused or its code has changed."""
    again = job.settings.again
    try:
        saved = checkpoint.load(job.path / run_files.CHECKPOINTS, job.console.say)
    except ValueError:
        if not again:
            raise
        saved, changed = None, ["all"]
    else:
        changed = (
            identity.changed_modules(saved.sources, identity.fingerprint(job.parts.search, job.parts.referee)) if saved else []
        )
    if not changed:
        return saved
    if again:
        folder.wipe(job.path)
        folder.admit(job.path, to_config(job.settings), again)
        return None
    job.console.say(
        f"the code of {', '.join(changed)} has changed since the checkpoint; going on with the new code. "
        "Type again=true to start again"
    )
    return saved


def _rebuild_lost_archive(job: Job, result: dict[str, Any]) -> None:
    """Writes the archive again from the checkpoint where it does not match the result."""
    path, search = job.path, job.parts.search
    fault = _archive_fault(job, result)
    if fault is None:
        return
    notes: list[str] = []
    try:
        saved = checkpoint.load(path / run_files.CHECKPOINTS, notes.append)
    except ValueError as error:
        saved, notes = None, [str(error)]
    if saved is None or saved.state.evaluations != result["evaluations"]:
        why = "; ".join(notes) or "its checkpoint is gone"
        raise UserError(f"{path} is finished, but {fault}; and it cannot be rebuilt: {why}. Type again=true to start again")
    config = to_config(replace(job.settings, budget=result.get("budget", job.settings.budget)))
    columns, _ = held_out.evaluate(search.domain, saved.state.archive, result["seed"])
    archive_file.save(path, saved.state.archive, search.descriptor.bounds, archive_file.header(search, config, result), columns)
    job.console.say(f"{fault}; archive.npz and archive.json are rebuilt from the checkpoint")


def _archive_fault(job: Job, result: dict[str, Any]) -> str | None:
    """Returns why the archive is not the run's; None where it is."""
    try:
        about = archive_file.load(job.path).about
    except ValueError as error:
        return str(error)
    same = all(about.get(name) == result[name] for name in ("evaluations", "config_hash")) and "config" in about
    return None if same else f"{job.path / run_files.ARCHIVE_HEADER} belongs to another run"
