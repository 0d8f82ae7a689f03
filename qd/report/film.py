"""`qd plot RUN --film`: films of a run from what its folder holds."""

from collections.abc import Callable
from pathlib import Path

from qd.plots import film
from qd.plots.map_film import Change, map_film
from qd.report import figures as map_figures
from qd.report.page import timeline
from qd.store import archive_file, history, metrics_file, renderings, runs
from qd.support import atomic, json_lines, run_files
from qd.support.errors import UserError


def draw(run: Path, frames: int, say: Callable[[Path], None], scale: tuple[float, float] | None = None) -> list[Path]:
    """Writes figures/map.gif, the map over time; exploration.gif and its last frame as png, of a run with film=; and
    policies.gif where films of elites lie there.

    Args:
        run: folder of the run.
        frames: of map.gif and exploration.gif, 1 or more.
        say: called with each file that was written.
        scale: objectives at the ends of the colours of map.gif; None: the domain's range, or that of the elites.

    Returns:
        The files.

    Raises:
        UserError: the folder is no run, has no film and no history of a map, or ``frames`` is below 1.
    """
    runs.check(run)
    if frames < 1:
        raise UserError(f"--frames {frames} shows nothing", "type --frames 1 or more")
    archive = archive_file.load(run)
    about, figures = archive.about, run / run_files.FIGURES
    atomic.make_folder(figures)
    paths = []
    if _holds(run, history.HISTORY):
        record = map_figures.record(archive) if scale is None else map_figures.record(archive)._replace(scale=scale)
        if record.dims is not None or (record.centroids is not None and len(record.bounds) == 2):
            atomic.write(figures / "map.gif", film.gif(map_film(record, _changes(run, archive, frames))))
            paths.append(figures / "map.gif")
    if _holds(run, history.FILM):
        columns = history.load(run, history.FILM)
        title = f"{about.get('config', {}).get('name', run.name)}, seed {about.get('seed', '?')}"
        frames_of_exploration = film.exploration(columns["generation"], columns["objective"], columns["place"], title, frames)
        with atomic.user_facing_os_errors(figures / "exploration.png"):
            frames_of_exploration[-1].save(figures / "exploration.png")
        atomic.write(figures / "exploration.gif", film.gif(frames_of_exploration))
        paths += [figures / "exploration.gif", figures / "exploration.png"]
    if not paths:
        raise UserError(
            f"{run} holds no film, and no history of a map with cells", "give its command again with film=position again=true"
        )
    reels = _reels(run)
    if reels:
        policies = film.together([renderings.read(path).content for _, path in reels], [words for words, _ in reels])
        atomic.write(figures / "policies.gif", film.gif(policies, 60))
        paths.append(figures / "policies.gif")
    for path in paths:
        say(path)
    return paths


def _holds(run: Path, kind: str) -> bool:
    return (run / f"{kind}.npz").is_file() or (run / kind).is_dir()


def _changes(run: Path, archive: archive_file.StoredArchive, frames: int) -> list[Change]:
    """Replays the history; where cells have changed their meaning, today's elites appear as they were found."""
    columns, total = archive.columns, int(archive.about["evaluations"])
    rows = history.load(run)
    events = json_lines.read(run / run_files.EVENTS)
    metrics = metrics_file.metrics(run / run_files.METRICS)
    clock = (metrics["generation"], metrics["evals"]) if {"generation", "evals"} <= metrics.keys() else None
    line = timeline.replay(rows, total, frames, clock)
    refits = any(event.get("event") in ("refit", "relearn") for event in events)
    if refits or timeline.last_frame(line) != dict(zip(columns["index"].tolist(), columns["id"].tolist(), strict=True)):
        line = timeline.by_birth(columns["id"], columns["index"], columns["objective"], total, frames)
    parts = zip(line.start[:-1], line.start[1:], line.evaluations, strict=True)
    return [Change(int(at), line.cell[low:high], line.objective[low:high]) for low, high, at in parts]


def _reels(run: Path) -> list[tuple[str, Path]]:
    """Films of elites, the best first, each with its objective in words."""
    columns = archive_file.load(run).columns
    objective = dict(zip(columns["id"].tolist(), columns["objective"].tolist(), strict=True))
    files = [path for path in (run / "films").glob("*.gif") if path.stem.isdigit() and int(path.stem) in objective]
    files.sort(key=lambda path: (-objective[int(path.stem)], int(path.stem)))
    return [(f"elite {path.stem}: {objective[int(path.stem)]:.3f}", path) for path in files]
