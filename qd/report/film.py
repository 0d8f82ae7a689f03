"""`qd plot RUN --film`: films of a run from what its folder holds."""

from collections.abc import Callable
from pathlib import Path

from qd.plots import film
from qd.store import archive_file, history, renderings, runs
from qd.support import atomic, run_files
from qd.support.errors import UserError


def draw(run: Path, frames: int, say: Callable[[Path], None]) -> list[Path]:
    """Writes figures/exploration.gif and its last frame as png; and figures/policies.gif where films of elites lie there.

    Args:
        run: folder of the run.
        frames: of exploration.gif, 1 or more.
        say: called with each file that was written.

    Returns:
        The files.

    Raises:
        ValueError: the folder is no run, or has kept no film, or ``frames`` is below 1; says what to type instead.
    """
    runs.check(run)
    about = archive_file.load(run).about
    title = f"{about.get('config', {}).get('name', run.name)}, seed {about.get('seed', '?')}"
    try:
        columns = history.load(run, history.FILM)
    except ValueError as error:
        raise UserError(f"{run} has kept no film", "give its command again with film=position again=true") from error
    frames_of_exploration = film.exploration(columns["generation"], columns["objective"], columns["place"], title, frames)
    figures = run / run_files.FIGURES
    atomic.make_folder(figures)
    with atomic.user_facing_os_errors(figures / "exploration.png"):
        frames_of_exploration[-1].save(figures / "exploration.png")
    atomic.write(figures / "exploration.gif", film.gif(frames_of_exploration))
    paths = [figures / "exploration.gif", figures / "exploration.png"]
    reels = _reels(run)
    if reels:
        policies = film.together([renderings.read(path).content for _, path in reels], [words for words, _ in reels])
        atomic.write(figures / "policies.gif", film.gif(policies, 60))
        paths.append(figures / "policies.gif")
    for path in paths:
        say(path)
    return paths


def _reels(run: Path) -> list[tuple[str, Path]]:
    """Films of elites, the best first, each with its objective in words."""
    columns = archive_file.load(run).columns
    objective = dict(zip(columns["id"].tolist(), columns["objective"].tolist(), strict=True))
    files = [path for path in (run / "films").glob("*.gif") if path.stem.isdigit() and int(path.stem) in objective]
    files.sort(key=lambda path: (-objective[int(path.stem)], int(path.stem)))
    return [(f"elite {path.stem}: {objective[int(path.stem)]:.3f}", path) for path in files]
