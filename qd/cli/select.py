"""`qd select RUN --n 20`: a diverse and good subset of an archive, beside a random one and the best."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from qd.report import export, summary
from qd.report.select import _SHARE, MEASURES, _check, _lines, _vectors
from qd.report.subset import chosen, compared, likeness
from qd.store import archive_file, runs
from qd.support import atomic


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
    runs.check(asked.run, "qd select")
    columns = export.table(asked.run, summary.adder(export.columns_of(asked.run)))
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
    atomic.write(out.with_suffix(".report.json"), (json.dumps(report, indent=1).replace("NaN", "null") + "\n").encode())
    print(_lines(asked.n, len(objective), asked.by, found))
    return 0
