"""A diverse and good subset of a run's elites, written beside how it compares with random ones and with the best."""

import json
from pathlib import Path

import numpy as np

from qd.report import export, summary
from qd.report.subset import choose_subset, compare_sets, likeness
from qd.report.table import align
from qd.store import archive_file, runs
from qd.support import atomic
from qd.support.errors import UserError
from qd.support.spelling import unknown

MEASURES = "measures"
_SHARE = 0.75  # clusters for each place: in trials as diverse as a random subset, and clearly better


def select(
    run: Path,
    n: int,
    by: str = MEASURES,
    clusters: int | None = None,
    rounds: int = 4,
    seed: int = 0,
    form: str = "jsonl",
    out: Path | None = None,
) -> tuple[Path, str]:
    """Writes a subset of a run's elites, and its report beside it. Returns the file, and a table of how the subset compares.

    Args:
        n: elites of the subset.
        by: what is compared: MEASURES, or a feature that the run kept.
        clusters: from which elites are chosen; None: 3/4 n.
        rounds: after each, clusters are weighted by the quality of their chosen elites.
        form: one of plugins.TABLES.
        out: None: RUN/selection.FORMAT.

    Raises:
        UserError: the folder is no run, or it has no such subset.
    """
    runs.check(run, "qd select {}")
    columns = export.table(run, summary.adder(export.columns_of(run)))
    about = archive_file.load(run).about
    vectors, objective = _vectors(columns, about, by), np.asarray(columns["objective"], float)
    clusters = max(1, round(_SHARE * n)) if clusters is None else clusters
    _check(run, len(objective), n, clusters, rounds)

    like = likeness(vectors)
    subset = choose_subset(like.vectors, objective, n, clusters, rounds, seed)
    sets = compare_sets(like, objective, subset, seed)
    out = out or run / f"selection.{form}"
    export.write({name: column[subset] for name, column in columns.items()}, form, out)
    kernel = "cosine" if like.width is None else f"gaussian, width {like.width:.4g}"
    report = {"n": n, "of": len(objective), "by": by, "kernel": kernel, "clusters": clusters,
              "rounds": rounds, "seed": seed, "sets": sets}  # fmt: skip
    atomic.write(out.with_suffix(".report.json"), (json.dumps(report, indent=1).replace("NaN", "null") + "\n").encode())
    return out, _lines(n, len(objective), by, sets)


def _vectors(columns: summary.Columns, about: dict, by: str) -> np.ndarray:
    """Returns what elites are compared by, [N, V]. Raises ValueError where a run keeps no such feature, or it is no vector."""
    if by == MEASURES:
        return summary.in_bounds(columns[MEASURES], about["bounds"])
    numeric = [name for name in columns if columns[name].dtype.kind in "biuf" and name not in ("id", "index", "threshold")]
    if by not in columns:
        raise unknown("feature", by, numeric, "in --by", f"or run again with keep=[{by}]")
    if by not in numeric:
        raise UserError(f"--by {by} holds no numbers", f"type --by {numeric[0]}")
    vectors = np.asarray(columns[by], float).reshape(len(columns[by]), -1)
    if not np.isfinite(vectors).all():
        raise UserError(f"{by} of {int((~np.isfinite(vectors)).any(axis=1).sum())} elites is not finite", "type --by measures")
    return vectors


def _check(run: Path, there: int, n: int, clusters: int, rounds: int) -> None:
    if n < 1:
        raise UserError(f"--n {n} chooses nothing", "type --n 20")
    if n > there:
        raise UserError(f"--n {n} is more than there are: {run} holds {there} elites", f"type --n {there} or less")
    if not 1 <= clusters <= there:
        raise UserError(f"--clusters {clusters} cannot be with {there} elites", f"type --clusters 1 to {there}")
    if rounds < 1:
        raise UserError(f"--rounds {rounds} is below 1", "type --rounds 4, or 1 for no re-weighting")


def _lines(n: int, there: int, by: str, sets: dict[str, dict[str, float]]) -> str:
    """A table, a row for each set."""
    titles = {"selected": "selected", "random": "random (mean)", "best": f"the best {n}"}
    head = f"{n} of {there} elites, alike by {by}"
    rows = [[titles[name], *(_cell(sets[name], key) for key in ("vendi", "nearest", "objective", "worst"))] for name in titles]
    rows = [[head, "Vendi", "nearest", "objective", "its worst"], *rows]
    return "\n".join(align(rows))


def _cell(numbers: dict[str, float], name: str) -> str:
    value = numbers[name]
    if np.isnan(value):
        return "-"
    within = f" [{numbers[f'{name}_low']:.4g}, {numbers[f'{name}_high']:.4g}]" if f"{name}_low" in numbers else ""
    return f"{value:.4g}{within}"
