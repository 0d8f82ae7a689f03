"""One run of the command line: components are built, run and drawn, with live output."""

import contextlib
import io
from collections.abc import Sequence
from typing import Any, TextIO

from qd.config.build import import_users_modules
from qd.config.compose import assemble, folder, load
from qd.config.estimate import Consent
from qd.config.settings import RunSettings
from qd.programs import remember
from qd.runner import ending
from qd.runner.display import waiting
from qd.runner.display.console import Console, look_line
from qd.runner.outcomes import exit_status
from qd.runner.run import run
from qd.store import solutions
from qd.support import run_files


def job(
    settings: RunSettings, overrides: list[str], file: TextIO | None = None, draw: ending.Draw = ending.draw
) -> dict[str, Any]:
    """Runs a search in its folder, reports its progress on ``file``, and draws the results; returns its result.

    Args:
        settings: of the run.
        overrides: words of ``qd run``, which name the folder.
        file: where the console writes; None for standard output.
        draw: what draws the map and the page, in this process or in another.

    Returns:
        The result of ``qd.runner.run.run``; what ``draw`` draws is drawn where it is finished, or skipped and without figures.

    Raises:
        UserError: a component cannot be built, or as ``qd.runner.run.run`` raises it.
    """
    remember()
    console, path = Console(settings.budget, settings.console, file), folder(settings, overrides)
    try:
        components = assemble(settings, path)
        waiting.show("compiling")
        result = run(settings, components, path, console, consent=Consent(settings.budget, bool(settings.yes)))
    finally:
        console.stop()
    draw, drawn = (draw, run_files.FIGURES) if settings.map_picture is not False else (ending.write_page, run_files.REPORT)
    is_new = result["status"] == "finished" or (result["status"] == "skipped" and not (path / drawn).exists())
    files = draw(path) if is_new else []
    if pictures := [str(file) for file in files if file.name != run_files.REPORT]:
        console.say(f"drawn: {', '.join(pictures)}")
    if result["status"] in ("finished", "skipped"):
        console.say(look_line(path))
    return result


def import_solutions(file: str, overrides: Sequence[str]) -> int:
    """Makes a run of the solutions in a file, and returns the exit status.

    Args:
        file: a table, a folder that QDax saved, or the folder of a run.
        overrides: words of ``qd run``; without budget=N nothing but the file's solutions is evaluated.

    Raises:
        UserError: the file holds no solutions of the domain.
    """
    import_users_modules()
    words = [*overrides, f"from={file}"]
    settings = load(words)
    if not any(word.startswith("budget=") for word in words):
        with contextlib.redirect_stderr(io.StringIO()):  # what a domain says of its settings is said by the run
            source = solutions.load(file, assemble(settings).search.domain)
        words.append(f"budget={len(source.solutions)}")
        settings = load(words)
    return exit_status(job(settings, words))
