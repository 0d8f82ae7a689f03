"""One run of the command line: parts are built, run and drawn, with a person looking on."""

import sys
from pathlib import Path
from typing import Any, TextIO

from qd.config.build import foreign_domains
from qd.config.compose import assemble, folder
from qd.config.settings import RunSettings
from qd.programs import remember
from qd.report import figures
from qd.runner.console import Console
from qd.runner.run import run
from qd.support import run_files


def prepare() -> None:
    """Makes the user's own modules importable, last, so that none hides one of ours."""
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)
    foreign = foreign_domains()
    if foreign:
        print(f"qd: {foreign}", file=sys.stderr)


def job(settings: RunSettings, overrides: list[str], file: TextIO | None = None) -> dict[str, Any]:
    """Runs a search in its folder, tells ``file`` how it goes, and draws what was found; returns its result."""
    remember()
    console, path = Console(settings.budget, settings.console, file), folder(settings, overrides)
    try:
        result = run(settings, assemble(settings, path), path, console)
    finally:
        console.stop()
    if result["status"] == "finished" or (result["status"] == "skipped" and not (path / run_files.FIGURES).exists()):
        console.say(f"drawn: {', '.join(str(figure) for figure in figures.draw(path) if figure.suffix == '.png')}")
    return result
