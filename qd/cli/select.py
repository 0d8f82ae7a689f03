"""`qd select RUN --n 20`: a diverse and good subset of an archive, beside a random one and the best."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from qd.cli import added, export, plot
from qd.cli.subset import chosen, compared, likeness
from qd.spelling import nearest
from qd.store import archive_file, files

MEASURES = "measures"
_SHARE = 0.75  # clusters for each place: in trials as diverse as a random subset, and clearly better


def main(args: Sequence[str]) -> int:
    """Writes the subset and says what it is like. Raises ValueError where there is no such subset."""
    what = "Writes a diverse and good subset of a run's elites, and compares it with random ones and with the best."
    parser = argparse.ArgumentParser("qd select", description=what)
    parser.add_argument("run", metavar="RUN", type=Path, help="folder of a run")
    parser.add_argument("--n", type=int, required=True, metavar="N", help="how many")
    parser.add_argument(
        "--by", default=MEASURES, metavar="NAME", help="what is alike: measures, or a feature that the run kept"
    )
    parser.add_argument("--clusters", type=int, metavar="K", help="more of them: more diverse; fewer: better. By default 3/4 N")
    parser.add_argument("--rounds", type=int, default=4, metavar="R", help="after each the clusters are weighted anew")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--format", choices=export.FORMATS, default="jsonl")
    parser.add_argument("--out", metavar="F", type=Path, help="file; by default RUN/selection.FORMAT")
    asked = parser.parse_args(args)
    plot.check(asked.run, "qd select")
    columns = export.table(asked.run, added.adder(export.columns_of(asked.run)))
    about = archive_file.load(asked.run).about
    vectors, objective = _vectors(columns, about, asked.by), np.asarray(columns["objective"], float)
    clusters = max(1, round(_SHARE * asked.n)) if asked.clusters is None else asked.clusters
    _check(asked.run, len(objective), asked.n, clusters, asked.rounds)

    like = likeness(vectors)
    picked = chosen(like.vectors, objective, asked.n, clusters, asked.rounds, asked.seed)
    found = compared(like, objective, picked, asked.seed)
    out = asked.out or asked.run / f"selection.{asked.format}"
    print(export.write({name: column[picked] for name, column in columns.items()}, asked.format, out))
    kernel = "cosine" if like.width is None else f"gaussian, width {like.width:.4g}"
    report = {"n": asked.n, "of": len(objective), "by": asked.by, "kernel": kernel, "clusters": clusters,
              "rounds": asked.rounds, "seed": asked.seed, "sets": found}  # fmt: skip
    files.write(out.with_suffix(".report.json"), (json.dumps(report, indent=1).replace("NaN", "null") + "\n").encode())
    print(_lines(asked.n, len(objective), asked.by, found))
    return 0


def _vectors(columns: added.Columns, about: dict, by: str) -> np.ndarray:
    """Returns what elites are compared by, [N, V]. Raises ValueError where a run keeps no such feature, or it is no vector."""
    if by == MEASURES:
        return added.in_bounds(columns[MEASURES], about["bounds"])
    known = [name for name in columns if columns[name].dtype.kind in "biuf" and name not in ("id", "index", "threshold")]
    if by not in columns:
        raise ValueError(
            f"this run keeps no feature {by!r}; type --by {nearest(by, known)}, or run again with keep=[{by}], "
            "if the domain gives it"
        )
    if by not in known:
        raise ValueError(f"{by} holds no numbers to compare; type --by one of {', '.join(known)}")
    vectors = np.asarray(columns[by], float).reshape(len(columns[by]), -1)
    if not np.isfinite(vectors).all():
        raise ValueError(f"{by} of {int((~np.isfinite(vectors)).any(axis=1).sum())} elites is not finite; type --by measures")
    return vectors


def _check(run: Path, there: int, n: int, clusters: int, rounds: int) -> None:
    if n < 1:
        raise ValueError(f"--n {n} chooses nothing; type --n 20")
    if n > there:
        raise ValueError(f"--n {n} is more than there are: {run} holds {there} elites; type --n {there} or less")
    if not 1 <= clusters <= there:
        raise ValueError(f"--clusters {clusters} cannot be with {there} elites; type --clusters 1 to {there}")
    if rounds < 1:
        raise ValueError(f"--rounds {rounds} is below 1; type --rounds 4, or 1 for no re-weighting")


def _lines(n: int, there: int, by: str, found: dict[str, dict[str, float]]) -> str:
    """A table, a row for each set."""
    titles = {"selected": "selected", "random": "random (mean)", "best": f"the best {n}"}
    head = f"{n} of {there} elites, alike by {by}"
    rows = [[titles[name], *(_cell(found[name], key) for key in ("vendi", "nearest", "objective", "worst"))] for name in titles]
    rows = [[head, "Vendi", "nearest", "objective", "its worst"], *rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)


def _cell(numbers: dict[str, float], name: str) -> str:
    value = numbers[name]
    if np.isnan(value):
        return "-"
    within = f" [{numbers[f'{name}_low']:.4g}, {numbers[f'{name}_high']:.4g}]" if f"{name}_low" in numbers else ""
    return f"{value:.4g}{within}"
