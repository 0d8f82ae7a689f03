"""A run read back into Python: data frames, figures, solutions. No code that the folder names is run.

    run = load_run("runs/arm/s0")
    run.elites.nlargest(3, "objective")
    run.figure("heatmap").savefig("map.pdf")

N elites, G rows of metrics.
"""

import base64
import io
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure

from qd.metrics import scores
from qd.plots.heatmap import heatmap
from qd.plots.sheet import sheet
from qd.report import figures
from qd.report.export import oldest_first
from qd.report.measure_names import plain_text
from qd.report.policy import Policy, build_policy
from qd.store import archive_file, folder, history, metrics_file, renderings, runs
from qd.support import growing, run_files
from qd.support.errors import UserError
from qd.support.spelling import unknown
from qd.types import Array, Domain

if TYPE_CHECKING:
    from pandas import DataFrame, Series

_FIGURES = ("heatmap", "curves", "sheet")


def load_run(path: str | Path) -> "StoredRun":
    """Opens the folder of a run, finished or not, of this version or an earlier one.

    Args:
        path: the folder that `qd run` names, e.g. runs/arm/s0.

    Raises:
        UserError: there is no run; names those that are near.
    """
    run = Path(path).expanduser()
    runs.check_begun(run, 'qd.load_run("{}")')
    return StoredRun(run)


class StoredRun:
    """What the folder of a run holds, read at the first access."""

    def __init__(self, path: Path) -> None:
        self.folder = path

    @cached_property
    def elites(self) -> "DataFrame":
        """A row for each elite, oldest first: id, objective, measures_0, ..., solution_0, ..., and the stored features."""
        return _frame(oldest_first(self._archive.columns))

    @cached_property
    def metrics(self) -> "DataFrame":
        """A row for each line of metrics.csv: evals, coverage, qd_score, best, ...; empty where nothing is written yet."""
        import pandas

        path = self.folder / run_files.METRICS
        text = growing.text(path) if growing.is_there(path) else ""
        columns = metrics_file.parse(path, text)  # says what is damaged
        if not columns:
            return pandas.DataFrame()
        whole = text.rpartition("\n")[0]  # the last line may be cut short
        frame = pandas.read_csv(io.StringIO(whole))
        beyond = [name for name in frame if frame[name].dtype.kind not in "iuf"]  # whole numbers of more than 64 bits
        return frame.assign(**{name: columns[name] for name in beyond})

    @cached_property
    def history(self) -> "DataFrame":
        """A row for each solution that entered the archive: generation, id, parents_0, ..., cell, objective."""
        return _frame(history.load(self.folder))

    @cached_property
    def config(self) -> dict[str, Any]:
        """All settings, as the version that ran them named them."""
        path = self.folder / run_files.CONFIG
        if not path.is_file():
            return self._archive.about.get("config", {})
        return folder.config(self.folder)

    @property
    def finished(self) -> bool:
        """Whether it has its result."""
        return folder.result(self.folder) is not None

    @property
    def best(self) -> "Series":
        """The row of the elite with the highest objective; of equals the oldest."""
        if self.elites.empty:
            raise UserError(f"{self.folder} has no elites", "give its command again with a larger budget")
        return self.elites.iloc[[self.elites["objective"].argmax()]].astype(object).iloc[0]

    def solution(self, id: Any) -> Any:
        """Returns the solution of one elite: an array, a text, or what its domain makes.

        Args:
            id: a whole number as in ``elites["id"]``, e.g. ``run.best["id"]``.

        Raises:
            UserError: no elite has that id.
        """
        (row,) = archive_file.rows_by_id(self._archive, [id])
        return self._archive.columns["solution"][row]

    def policy(self, id: Any, domain: Domain | str | None = None) -> Policy:
        """Returns the policy that one elite's solution stands for: observation -> action.

        Args:
            id: as in ``elites["id"]``.
            domain: the domain; or the name of one of our choices or yours, e.g. "maze"; None: the choice that the run was made
                with, where none of its settings was changed. Nothing is built from what the folder says.

        Raises:
            UserError: the domain does not say how a solution is a policy, or must be named.
        """
        return build_policy(self.solution(id), self.config, domain)

    def figure(self, kind: str = "heatmap") -> Figure:
        """Draws a matplotlib figure from what is stored.

        Args:
            kind: heatmap (the map), curves (metrics against evaluations), or sheet (pictures of elites).

        Raises:
            UserError: there is no such figure, or nothing to draw it from.
        """
        if kind == "curves":
            return figures.curves_of(self.folder, self._title)
        if kind == "heatmap":
            return heatmap(figures.record(self._archive))
        if kind == "sheet":
            return self._sheet()
        raise unknown("figure", kind, _FIGURES)

    def report(self, out: str | Path | None = None) -> Path:
        """Writes the run as one page that needs no network, as `qd report` does, and returns its path.

        Args:
            out: the file; by default report.html in the run's folder.

        Raises:
            UserError: the file cannot be written.
        """
        from qd.report.page import write  # it reads runs by this file

        return write.write(self.folder, None if out is None else Path(out))

    def _sheet(self) -> Figure:
        pictures = renderings.renderings(self.folder / run_files.RENDERINGS, self._archive.columns["id"])
        if not any(pictures):
            raise UserError(f"{self.folder} holds no pictures of its elites", "choose heatmap or curves")
        return sheet(figures.record(self._archive), pictures)

    @cached_property
    def _archive(self) -> archive_file.StoredArchive:
        runs.check(self.folder, 'qd.load_run("{}")')
        return archive_file.load(self.folder)

    @property
    def _has_archive(self) -> bool:
        return (self.folder / run_files.ARCHIVE_HEADER).is_file()

    @property
    def _title(self) -> str:
        return f"{plain_text(self.config.get('name', 'run'))}, seed {self.config.get('seed', '?')}"

    def _summary(self) -> str:
        if self.metrics.empty:
            return "nothing is recorded yet"
        last = self.metrics.iloc[-1]
        status = "finished" if self.finished else "not finished"
        return ", ".join([status, f"{int(last['evals']):,} evaluations", *scores(last.to_dict())])

    def __repr__(self) -> str:
        return f"<run {self.folder}: {self._summary()}>"

    def _repr_html_(self) -> str:
        """What a notebook shows: a line, and the map."""
        line = f"<p><b>{escape(str(self.folder))}</b>: {escape(self._summary())}</p>"
        if not self._has_archive:
            return line
        png = io.BytesIO()
        self.figure("heatmap").savefig(png, format="png", dpi=100)
        return f'{line}<img alt="map" src="data:image/png;base64,{base64.b64encode(png.getvalue()).decode()}"/>'


def _frame(columns: dict[str, Array]) -> "DataFrame":
    """Returns columns [N, ...] as a data frame; those of more than one number are name_0, name_1, ..., as in pyribs."""
    import pandas

    table = {}
    for name, column in columns.items():
        wide = column.reshape(len(column), int(np.prod(column.shape[1:])))
        titles = [name] if column.ndim == 1 else [f"{name}_{i}" for i in range(wide.shape[1])]
        table |= dict(zip(titles, wide.T, strict=True))
    return pandas.DataFrame(table)
