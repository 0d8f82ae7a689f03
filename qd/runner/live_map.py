"""The map of a search that still runs: RUN/now/ holds it, for raters who look at it and answer."""

from qd import abilities
from qd.config.settings import to_config
from qd.runner.job import Job
from qd.store import archive_file, identity, renderings
from qd.support import atomic, run_files
from qd.types import State


def draw(job: Job, state: State) -> None:
    """Draws the map of the moment where the settings have live_map=true: from the same records as at the end.

    Args:
        job: the search and its folder; now/ in it is overwritten.
        state: of the moment.

    Raises:
        UserError: the files cannot be written.
    """
    if not job.settings.live_map:
        return
    from qd.plots.heatmap import heatmap  # matplotlib, which other runs need at their end only
    from qd.plots.sheet import sheet
    from qd.report import figures

    folder, search, config = job.path / run_files.LIVE, job.parts.search, to_config(job.settings)
    atomic.make_folder(folder)
    header = archive_file.header(search, config, identity.origin(config, state.evaluations))
    agreement = abilities.of_descriptor(search.descriptor).agreement
    if agreement is not None:
        header[run_files.AGREEMENT] = agreement(state.params)
    archive_file.save(folder, state.archive, search.descriptor.bounds, header)
    renderings.save(folder, search.domain, state.archive, job.settings.renderings)
    stored = archive_file.load(folder)
    record, pictures = figures.record(stored), renderings.renderings(folder / run_files.RENDERINGS, stored.columns["id"])
    figure = sheet(record, pictures) if any(picture is not None for picture in pictures) else heatmap(record)
    picture = job.path / run_files.LIVE_PICTURE
    with atomic.user_facing_os_errors(picture), atomic.replacing(picture) as file:
        figure.savefig(file, format="png", dpi=110)
