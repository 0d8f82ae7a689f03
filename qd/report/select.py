"""A diverse and good subset of a run's elites, written beside how it compares with random ones and with the best."""

import json
from pathlib import Path

import numpy as np

from qd.report import export, summary
from qd.report.subset import Numbers, choose_balanced, choose_subset, likeness, numbers, random_subsets, shortfalls
from qd.report.table import align
from qd.store import archive_file, runs
from qd.support import atomic
from qd.support.errors import UserError
from qd.support.spelling import unknown

MEASURES = "measures"
_SHORT = {"vendi": "less diverse", "nearest": "closer together", "objective": "worse"}


def select(
    run: Path,
    n: int,
    by: str = MEASURES,
    diversity: float | None = None,
    seed: int = 0,
    form: str = "jsonl",
    out: Path | None = None,
) -> tuple[Path, str]:
    """Writes a subset of a run's elites, and its report beside it.

    Args:
        run: the folder.
        n: elites of the subset.
        by: what is compared: MEASURES, or a feature that the run kept.
        diversity: from 0, the n best, to 1, as far apart as can be; None: the least that is more diverse than random
            subsets are on average, and better.
        seed: of the random subsets to compare with.
        form: one of plugins.TABLES.
        out: None: RUN/selection.FORMAT.

    Returns:
        The file, and a table of how the subset compares with random ones and with the n best.

    Raises:
        UserError: the folder is no run, or it has no such subset.
    """
    runs.check(run, "qd select {}")
    columns = export.table(run, summary.adder(export.columns_of(run)))
    about = archive_file.load(run).about
    vectors, objective = _vectors(columns, about, by), np.asarray(columns["objective"], float)
    _check(run, len(objective), n, diversity)

    like = likeness(vectors)
    random = random_subsets(like, objective, n, seed)
    if diversity is None:
        diversity, subset = choose_balanced(like, objective, n, random)
    else:
        subset = choose_subset(like.vectors, objective, n, diversity)
    best = np.argsort(-objective, kind="stable")[:n]
    sets = {"selected": numbers(like, objective, subset), "random": random, "best": numbers(like, objective, best)}
    out = out or run / f"selection.{form}"
    export.write({name: column[subset] for name, column in columns.items()}, form, out)
    kernel = "cosine" if like.width is None else f"gaussian, width {like.width:.4g}"
    report = {"n": n, "of": len(objective), "by": by, "kernel": kernel, "diversity": diversity,
              "seed": seed, "sets": sets}  # fmt: skip
    atomic.write(out.with_suffix(".report.json"), (json.dumps(report, indent=1).replace("NaN", "null") + "\n").encode())
    return out, "\n".join([_lines(n, len(objective), by, sets), *_verdict(diversity, sets)])


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


def _check(run: Path, there: int, n: int, diversity: float | None) -> None:
    if n < 1:
        raise UserError(f"--n {n} chooses nothing", "type --n 20")
    if n > there:
        raise UserError(f"--n {n} is more than there are: {run} holds {there} elites", f"type --n {there} or less")
    if diversity is not None and not 0 <= diversity <= 1:
        raise UserError(f"--diversity {diversity:g} is not from 0 (the best) to 1 (far apart)", "type --diversity 0.8")


def _verdict(diversity: float, sets: dict[str, Numbers]) -> list[str]:
    """Returns the diversity of the subset, and a note where it is worse than random ones."""
    lines = [f"diversity {diversity:g} of 0 (the best) to 1 (as far apart as can be)"]
    short = shortfalls(sets["selected"], sets["random"])
    if short:
        lines.append(f"note: {', '.join(_SHORT[name] for name in short)} than random subsets are on average")
    return lines


def _lines(n: int, there: int, by: str, sets: dict[str, Numbers]) -> str:
    """A table, a row for each set."""
    titles = {"selected": "selected", "random": "random (mean)", "best": f"the best {n}"}
    head = f"{n} of {there} elites, compared by {by}"
    rows = [[titles[name], *(_cell(sets[name], key) for key in ("vendi", "nearest", "objective", "worst"))] for name in titles]
    rows = [[head, "Vendi", "nearest", "objective", "its worst"], *rows]
    return "\n".join(align(rows))


def _cell(figures: Numbers, name: str) -> str:
    value = figures[name]
    if np.isnan(value):
        return "-"
    within = f" [{figures[f'{name}_low']:.4g}, {figures[f'{name}_high']:.4g}]" if f"{name}_low" in figures else ""
    return f"{value:.4g}{within}"
