"""A finished run whose command is given again: left as it is, made whole, or let grow."""

from dataclasses import replace
from pathlib import Path
from typing import Protocol

from qd import abilities, held_out
from qd.config.compose import Assembled
from qd.config.settings import RunSettings, to_config
from qd.store import archive_file, checkpoint, identity
from qd.support import run_files
from qd.support.errors import UserError


class Told(Protocol):
    """Whom it tells."""

    def say(self, text: str) -> None: ...


def is_enough(done: dict, settings: RunSettings, parts: Assembled, path: Path, console: Told) -> bool:
    """Whether a finished run is left as it is; then its archive can be read, for it is rebuilt where it cannot.

    Raises:
        ValueError: it should grow, but its code has changed; or its archive is lost and so is its checkpoint.
    """
    changed = identity.changed(done["sources"], identity.fingerprint(parts.search, parts.referee))
    since = f"since {path} finished, the code of {', '.join(changed)} has changed"
    if done["evaluations"] >= settings.budget or done.get("ended") == "plateau":
        _mend(done, settings, parts, path, console)
        console.say(f"{path} is finished ({done['evaluations']} evaluations): skipped")
        asked = archive_file.load(path).about["config"]["budget"]
        if settings.budget < min(asked, done["evaluations"]):
            console.say(
                f"more was already done ({done['evaluations']:,} >= {settings.budget:,} asked), so the numbers are those of "
                f"{done['evaluations']:,} evaluations; type again=true, or name=... for a run of its own"
            )
        if changed:
            console.say(f"{since}; type again=true to run it anew")
        return True
    if changed:
        raise UserError(f"{since}, so it cannot go on to {settings.budget} evaluations", "type again=true to run it anew")
    return False


def _mend(done: dict, settings: RunSettings, parts: Assembled, path: Path, console: Told) -> None:
    """Writes the archive anew from the checkpoint where it is not the one that the result tells of."""
    lost = _lost(done, path)
    if lost is None:
        return
    unheard: list[str] = []
    try:
        saved = checkpoint.load(path / run_files.CHECKPOINTS, unheard.append)
    except ValueError as error:
        saved, unheard = None, [str(error)]
    if saved is None or saved.state.evaluations != done["evaluations"]:
        why = "; ".join(unheard) or "its checkpoint is gone"
        raise UserError(f"{path} is finished, but {lost}; and it cannot be rebuilt: {why}. Type again=true to run it anew")
    about = {name: done[name] for name in ("evaluations", "seed", "config_hash", "versions", "commit")}
    ran = to_config(replace(settings, budget=done.get("budget", settings.budget)))
    scale = abilities.of_domain(parts.search.domain).objective_range
    about |= {"config": ran, "objective_range": scale}
    told = held_out.judged(parts.search.domain, saved.state.archive, done["seed"])
    archive_file.save(path, saved.state.archive, parts.search.descriptor.bounds, about, told)
    console.say(f"{lost}; archive.npz and archive.json are rebuilt from the checkpoint")


def _lost(done: dict, path: Path) -> str | None:
    """Says why the archive is not the run's; None where it is."""
    try:
        about = archive_file.load(path).about
    except ValueError as error:
        return str(error)
    same = all(about.get(name) == done[name] for name in ("evaluations", "config_hash")) and "config" in about
    return None if same else f"{path / 'archive.json'} belongs to another run"
