"""Elites of a stored run evaluated again: corrected figures, and what each elite loses.

An archive of a noisy domain keeps, in each cell, the luckiest evaluation that fell there. The corrected archive holds the same
elites by the means of R further evaluations, objective and measures (PPGA's corrected metrics, Batra et al. 2023): one that now
lies in another's cell keeps it only where it is better.

N elites, R repeats.
"""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from qd import abilities, archives, metrics, referee
from qd.config.build import build
from qd.config.compose import ORDER
from qd.store import archive_file, checkpoint, runs, trusted
from qd.support import atomic, read_files, run_files
from qd.support.errors import UserError
from qd.types import OBJECTIVES, Params, Rows, Search

_PARTS = ("domain", "descriptor", "archive")
_FIGURES = ("qd_score", "coverage", "best", "mean")


def reevaluate(run: Path, times: int, words: Sequence[str] = ()) -> dict[str, Any]:
    """Evaluates every elite of a run again, and writes RUN/reevaluated.json.

    Args:
        run: its folder; components that it names are built only where they are the user's own or conf's.
        times: R, 1 or more.
        words: settings of a foreign run that are trusted.

    Returns:
        What the file holds: times; archived and corrected, the figures of both archives; and elites, the columns id, objective
        (mean), spread (standard deviation), loss (archived objective - mean) and failed (how often), None where all failed.

    Raises:
        UserError: the folder is no run, or is not trusted; its components cannot be built; or fewer than 1 repeat.
    """
    runs.check(run, "qd reevaluate {}")
    if times < 1:
        raise UserError(f"--times {times} re-evaluates nothing", "type --times 32")
    stored = archive_file.load(run)
    if not len(stored.columns["id"]):
        raise UserError(f"{run} has no elites", "give its command again with a larger budget")
    search, params = _search(run, stored, words)
    rows, names = _rows(stored, search)
    again = referee.reevaluate(search, params, rows, names, (int(stored.about["seed"]),), times)
    corrected = referee.archive_of_means(search, rows, names, again)
    scale = abilities.of_domain(search.domain).objective_range
    before = _archived(stored, search, rows, names)
    columns = _columns(rows, again)
    result = {
        "times": times,
        "archived": _plain({name: before[name] for name in _FIGURES}),
        "corrected": _plain({name: metrics.of_archive(corrected, scale)[name] for name in _FIGURES}),
        "elites": {name: _plain(column) for name, column in columns.items()},
    }
    atomic.write(run / run_files.REEVALUATED, read_files.with_checksum(result))
    return result


def _archived(stored: archive_file.StoredArchive, search: Search, rows: Rows, names: tuple[str, ...]) -> dict[str, Any]:
    """The figures of the archive as it is stored."""
    scale, cells = abilities.of_domain(search.domain).objective_range, stored.about["cells"]
    if OBJECTIVES not in names:
        return metrics.of_objective(rows.objective, None if cells is None else int(cells), scale)
    archive = search.archive.open(rows, search.descriptor.bounds, names, 0)
    archives.insert(archive, rows.ids, rows.solutions, rows.objective, stored.columns["measures"], rows.features)
    return metrics.of_archive(archive, scale)


def text(result: dict[str, Any]) -> str:
    """Returns the figures in words.

    Args:
        result: of ``reevaluate``.
    """
    elites = result["elites"]
    losses = np.array([np.nan if loss is None else loss for loss in elites["loss"]])
    failed = int((np.array(elites["failed"]) > 0).sum())
    before, after = result["archived"], result["corrected"]
    lines = [f"{len(losses):,} elites, each evaluated {result['times']} times more"]
    titles = {"qd_score": "QD score", "coverage": "coverage, %", "best": "best objective", "mean": "mean objective"}
    lines += [f"{titles[name]:15} {_number(before[name])} archived, {_number(after[name])} corrected" for name in _FIGURES]
    lines.append("corrected figures are of the elites that keep a cell: where two fall into one, the better stays")
    if np.isfinite(losses).any():
        lines.append(f"an elite loses   {np.nanmedian(losses):.4g} (median), {np.nanmax(losses):.4g} at the most")
    if failed:
        lines.append(f"{failed:,} elites failed in a repeat, and are not in the corrected archive")
    return "\n".join(lines)


def _search(run: Path, stored: archive_file.StoredArchive, words: Sequence[str]) -> tuple[Search, Params]:
    """Builds what evaluates and describes, and finds what the descriptor has learned."""
    config = stored.about["config"]
    names = _with_services(config)
    trusted.check(run, config, names, words)
    shared: dict[str, Any] = {"run": str(run)}
    for name in names:
        shared[name] = build(config[name], shared, name)
    search = Search(**{name: shared[name] for name in _PARTS}, emitter=None)  # type: ignore[arg-type]  # nothing is asked for
    if abilities.of_descriptor(search.descriptor).learns is False:
        return search, ()
    saved = checkpoint.load(run / run_files.CHECKPOINTS, lambda line: None)
    if saved is None:
        raise UserError(f"{run} has lost its checkpoint, which holds what its descriptor has learned", "type again=true")
    return search, saved.state.params


def _with_services(config: dict[str, Any]) -> tuple[str, ...]:
    """The parts, after what they refer to: a domain of programs names a language model, of which nothing is asked here."""
    needed = set(_PARTS)
    for name in reversed(ORDER):  # what is referred to is built before
        if name in needed:
            needed |= set(re.findall(r'"@(\w+)', json.dumps(config[name]))) & {other for other in ORDER if config.get(other)}
    return tuple(name for name in ORDER if name in needed)


def _rows(stored: archive_file.StoredArchive, search: Search) -> tuple[Rows, tuple[str, ...]]:
    columns = stored.columns
    names = tuple(dict.fromkeys((*search.descriptor.reads, *abilities.of_archive(search.archive).keep)))
    features = {name: columns[name] for name in names}
    n = len(columns["id"])
    return Rows(columns["id"], columns["solution"], columns["objective"], features, np.ones(n, bool)), names


def _columns(rows: Rows, again: referee.Repeats) -> dict[str, np.ndarray]:
    objective = np.asarray(again.objective, np.float64)
    with np.errstate(all="ignore"):
        mean = objective.mean(axis=0)
        spread = objective.std(axis=0)
    failed = (~np.isfinite(objective)).sum(axis=0)
    loss = np.asarray(rows.objective, np.float64) - mean
    return {"id": rows.ids, "objective": mean, "spread": spread, "loss": loss, "failed": failed}


def _plain(values: Any) -> Any:
    """Numbers as JSON has them: what is not finite is null."""
    if isinstance(values, dict):
        return {name: _plain(value) for name, value in values.items()}
    if isinstance(values, np.ndarray):
        return [_plain(value) for value in values.tolist()]
    return values if isinstance(values, int) or np.isfinite(values) else None


def _number(value: float | None) -> str:
    return "not defined" if value is None else f"{value:.4g}"
