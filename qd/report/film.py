"""`qd plot RUN --film`: films of a run from what its folder holds."""

from collections.abc import Callable
from pathlib import Path

from PIL import Image

from qd.plots import film, video
from qd.plots.map_film import Change, map_film
from qd.report import figures as map_figures
from qd.report.page import timeline
from qd.store import archive_file, history, metrics_file, renderings, runs
from qd.support import atomic, growing, run_files
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
    archive = _checked(run, frames)
    figures, paths = run / run_files.FIGURES, []
    atomic.make_folder(figures)
    of_map, of_exploration = _of_map(run, archive, frames, scale), _of_exploration(run, archive, frames)
    if of_map:
        atomic.write(figures / "map.gif", film.gif(of_map))
        paths.append(figures / "map.gif")
    if of_exploration:
        with atomic.user_facing_os_errors(figures / "exploration.png"):
            of_exploration[-1].save(figures / "exploration.png")
        atomic.write(figures / "exploration.gif", film.gif(of_exploration))
        paths += [figures / "exploration.gif", figures / "exploration.png"]
    if not paths:
        raise _no_film(run)
    reels = _reels(run)
    if reels:
        policies = film.together([renderings.read(path).content for _, path in reels], [words for words, _ in reels])
        atomic.write(figures / "policies.gif", film.gif(policies, 60))
        paths.append(figures / "policies.gif")
    for path in paths:
        say(path)
    return paths


def write(run: Path, file: Path, frames: int, scale: tuple[float, float] | None = None) -> Path:
    """Writes one film: the map over time; of a run without a map with cells, where all that was tried has ended.

    Args:
        run: folder of the run.
        file: it ends in .gif or .mp4.
        frames: 1 or more.
        scale: objectives at the ends of the colours; None: the domain's range, or that of the elites.

    Returns:
        The file.

    Raises:
        UserError: as ``draw``; or the file ends otherwise, or an mp4 needs what is not installed.
    """
    writers = {".gif": film.gif, ".mp4": video.mp4}
    if file.suffix.lower() not in writers:
        raise UserError(f"{file} is neither a gif nor an mp4", "name a file that ends in .gif or .mp4")
    archive = _checked(run, frames)
    images = _of_map(run, archive, frames, scale) or _of_exploration(run, archive, frames)
    if not images:
        raise _no_film(run)
    atomic.write(file, writers[file.suffix.lower()](images))
    return file


def _checked(run: Path, frames: int) -> archive_file.StoredArchive:
    runs.check(run)
    if frames < 1:
        raise UserError(f"--frames {frames} shows nothing", "type --frames 1 or more")
    return archive_file.load(run)


def _no_film(run: Path) -> UserError:
    return UserError(
        f"{run} holds no film, and no history of a map with cells", "give its command again with film=position again=true"
    )


def _of_map(
    run: Path, archive: archive_file.StoredArchive, frames: int, scale: tuple[float, float] | None
) -> list[Image.Image]:
    """Returns the frames of the map over time; none where it has no history, or no cells in a plane."""
    if not _holds(run, history.HISTORY):
        return []
    record = map_figures.record(archive) if scale is None else map_figures.record(archive)._replace(scale=scale)
    has_cells = record.dims is not None or (record.centroids is not None and len(record.bounds) == 2)
    return map_film(record, _changes(run, archive, frames)) if has_cells else []


def _of_exploration(run: Path, archive: archive_file.StoredArchive, frames: int) -> list[Image.Image]:
    """Returns the frames of where all evaluated solutions ended; none where the run recorded no such film."""
    if not _holds(run, history.FILM):
        return []
    columns, about = history.load(run, history.FILM), archive.about
    title = f"{about.get('config', {}).get('name', run.name)}, seed {about.get('seed', '?')}"
    return film.exploration(columns["generation"], columns["objective"], columns["place"], title, frames)


def _holds(run: Path, kind: str) -> bool:
    return (run / f"{kind}.npz").is_file() or (run / kind).is_dir()


def _changes(run: Path, archive: archive_file.StoredArchive, frames: int) -> list[Change]:
    """Replays the history; where cells have changed their meaning, today's elites appear as they were found."""
    columns, total = archive.columns, int(archive.about["evaluations"])
    rows = history.load(run)
    events = growing.events(run)
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
