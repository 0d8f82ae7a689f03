"""The map of a search that still runs: RUN/now/ holds it, for raters who look at it and answer, and for `qd view`."""

import shutil
import time

from qd import abilities
from qd.runner.job import Job
from qd.store import archive_file, renderings
from qd.support import atomic, run_files
from qd.types import State

_SHARE = 0.01  # of a run's time that its live archive may take


class LiveArchive:
    """Writes the archive of the moment at checkpoints, unless live_map=true draws the whole map at refits."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._due = 0.0

    def write(self, state: State) -> None:
        """Writes now/archive.npz and archive.json, where that keeps to its share of the time.

        Raises:
            UserError: the files cannot be written.
        """
        began, job = time.monotonic(), self._job
        if job.settings.live_map or began < self._due:
            return
        folder = job.path / run_files.LIVE
        atomic.make_folder(folder)
        about = {**job.header, run_files.EVALUATIONS: state.evaluations}
        archive_file.save(folder, state.archive, job.parts.search.descriptor.bounds, about)
        self._due = time.monotonic() + (time.monotonic() - began) / _SHARE

    def remove(self) -> None:
        """Removes it at the end of a run, which writes its archive."""
        if not self._job.settings.live_map:
            shutil.rmtree(self._job.path / run_files.LIVE, ignore_errors=True)


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

    folder, search = job.path / run_files.LIVE, job.parts.search
    atomic.make_folder(folder)
    header = {**job.header, run_files.EVALUATIONS: state.evaluations}
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
