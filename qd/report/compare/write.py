"""Compares all finished runs below folders and writes the page, the tables and the figures."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from qd.plots.bands import bands
from qd.plots.side_by_side import DIVERGING, MapPanel, side_by_side
from qd.report import collect
from qd.report.collect import Method
from qd.report.compare import curves, maps, page, tables
from qd.report.compare.contrasts import contrasts, metrics_of, rows
from qd.report.compare.page import ComparedCase
from qd.report.figures import save
from qd.report.measure_names import plain_text
from qd.store.runs import Run, finished_runs
from qd.support import atomic

PAGE = "compare.html"


def compare(
    folders: Sequence[Path], out: Path | None = None, only: Sequence[str] = (), against: str | None = None
) -> list[Path]:
    """Writes compare.html, tables and figures of all finished runs below the folders, and prints the tables.

    Args:
        folders: where runs are looked for, at any depth; hidden folders are left out.
        out: folder of what is written; None: the one that all runs lie in.
        only: metrics to compare; none: all outcomes that were recorded.
        against: the method that all others are compared with; None: all pairs.

    Returns:
        The files.

    Raises:
        UserError: no finished run, the same run twice, records that do not overlap, nowhere to write, or no such metric or
            method.
    """
    notes: list[str] = []
    runs = finished_runs(folders)
    out = out or collect.shared_folder(runs)
    cases = _cases(runs, notes, only, against)
    rows_of_all = [row for case in cases for row in case.rows]
    contrasts_of_all = [contrast for case in cases for contrast in case.contrasts]
    own = list(dict.fromkeys(name for case in cases for name in case.metrics if name not in tables.SHOWN))
    atomic.make_folder(out / "figures")
    atomic.write(out / PAGE, page.html(cases, notes))
    paths = [out / PAGE, *tables.write(out, rows_of_all, contrasts_of_all, own)]
    for case in cases:
        paths += _draw(case, out / "figures", len(cases) == 1, against)
    for note in notes:
        print(f"note: {note}")
    tables.show(rows_of_all, contrasts_of_all, own)
    names = ", ".join(str(path) for path in paths if path.suffix != ".pdf")
    print(f"compared {len(runs)} run{'s' * (len(runs) > 1)}: {names}")
    return paths


def html(folders: Sequence[Path]) -> bytes:
    """Returns the page that compares runs, and writes nothing; runs that are left out are named on it.

    Args:
        folders: of the runs.

    Raises:
        UserError: none is finished, the same seed twice, or records that do not overlap.
    """
    notes: list[str] = []
    runs = finished_runs(folders, notes.append)
    return page.html(_cases(runs, notes), notes)


def _cases(runs: list[Run], notes: list[str], only: Sequence[str] = (), against: str | None = None) -> list[ComparedCase]:
    cases = [_case(name, methods, only, against, notes) for name, methods in collect.cases(runs, notes).items()]
    _note_comparisons(cases, notes)
    return cases


def _case(name: str, methods: list[Method], only: Sequence[str], against: str | None, notes: list[str]) -> ComparedCase:
    at = collect.budget(name, methods, notes)
    metrics = metrics_of(methods, only)
    panels = curves.panels(methods, [metric for metric in metrics if metric not in tables.SHOWN])
    return ComparedCase(
        name,
        at,
        methods,
        metrics,
        [row for method in methods for row in rows(method, at)],
        contrasts(methods, metrics, at, against),
        panels,
        curves.bands_of(methods, [panel.column for panel in panels]),
        maps.maps(methods, notes),
    )


def _note_comparisons(cases: Sequence[ComparedCase], notes: list[str]) -> None:
    """Says why there is nothing to compare, or no interval."""
    if len(cases) > 1 and all(len(case.methods) == 1 for case in cases):
        notes.append(f"{' and '.join(case.name for case in cases)} are different domains: their numbers are not compared")
    for case in cases:
        single = [method.name for method in case.methods if len(method.runs) == 1]
        if single:
            notes.append(
                f"one seed only of {', '.join(single)} in {case.name}: no interval can be given; "
                "give the command of the run with seeds=5, or more"
            )


def _draw(case: ComparedCase, figures: Path, alone: bool, against: str | None) -> list[Path]:
    """Draws curves, maps and differences of a case as png and pdf."""
    ending = "" if alone else f"-{case.name.replace('/', '-')}"
    name = plain_text(case.name)
    titled = {
        plain_text(f"{method.name} ({len(method.runs)} seed{'s' * (len(method.runs) > 1)})"): case.bands[method.name]
        for method in case.methods
    }
    drawn: dict[str, Figure] = {"curves": bands(titled, f"{name}: mean over seeds, and its 95 % interval", case.panels)}
    if case.maps:
        title = f"{name}: mean objective over seeds"
        drawn["maps"] = side_by_side(_plain([each.panel for each in case.maps]), title, "objective", maps.scale(case.maps))
    differences = [maps.difference(a, b) for a, b in maps.pairs(case.maps, against)]
    if differences:
        most = maps.reach(differences)
        title = f"{name}: difference of mean objectives, in cells that both methods fill"
        drawn["differences"] = side_by_side(_plain(differences), title, "difference", (-most, most), DIVERGING)
    return [path for kind, figure in drawn.items() for path in save(figure, figures / f"{kind}{ending}", "png", "pdf")]


def _plain(panels: Sequence[MapPanel]) -> list[MapPanel]:
    """Returns panels with titles in which matplotlib reads no mathematics."""
    return [panel._replace(title=plain_text(panel.title)) for panel in panels]
