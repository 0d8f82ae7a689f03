"""What the map looks like now: RUN/now/ holds it while a search goes on, for people who look at it and answer."""

from pathlib import Path

from qd import abilities
from qd.config.compose import Assembled
from qd.config.settings import RunSettings, to_config
from qd.store import archive_file, renderings
from qd.support import atomic, run_files
from qd.types import State


def show(settings: RunSettings, parts: Assembled, run: Path, state: State) -> None:
    """Draws the map of the moment where the config says live_map=true: from the same records as at the end."""
    if not settings.live_map:
        return
    from qd.plots.heatmap import heatmap  # matplotlib, which other runs need at their end only
    from qd.plots.sheet import sheet
    from qd.report import figures

    folder, domain = run / run_files.LIVE, parts.search.domain
    atomic.make_folder(folder)
    about = {"config": to_config(settings), "seed": settings.seed, run_files.EVALUATIONS: state.evaluations}
    agreement = abilities.of_descriptor(parts.search.descriptor).agreement
    if agreement is not None:
        about[run_files.AGREEMENT] = agreement(state.params)
    scale = abilities.of_domain(domain).objective_range
    archive_file.save(folder, state.archive, parts.search.descriptor.bounds, about | {"objective_range": scale})
    renderings.save(folder, domain, state.archive, settings.renderings)
    stored = archive_file.load(folder)
    record, pictures = figures.record(stored), renderings.renderings(folder / run_files.RENDERINGS, stored.columns["id"])
    figure = sheet(record, pictures) if any(picture is not None for picture in pictures) else heatmap(record)
    picture = run / run_files.LIVE_PICTURE
    with atomic.user_facing_os_errors(picture), atomic.replacing(picture) as file:
        figure.savefig(file, format="png", dpi=110)
