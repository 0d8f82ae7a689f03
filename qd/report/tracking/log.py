"""Sends the rows of metrics.csv and the counts of events to a tracker; what it has already is not sent twice.

RUN/trackers/TRACKER.json holds the id of the run there and the last evaluations that were sent.
"""

import math
import os
import time
from collections import Counter
from pathlib import Path
from typing import Any

from qd.report.tracking import writers
from qd.store.metrics_file import metrics
from qd.support import atomic, growing, links, read_files, run_files
from qd.support.errors import UserError

_POLL = 2.0  # seconds between two looks at a run that goes on
_SETTINGS = ("name", "seed", "budget", "initial", "log_every")  # texts and numbers of the run that a tracker shows
_COMPONENTS = ("domain", "descriptor", "archive", "emitter")  # of these: what was chosen, and their numbers


def log(run: Path, tracker: str, process: int | None = None) -> int:
    """Sends what a tracker does not have yet, and returns how many rows those were.

    Args:
        run: the folder of a run, finished or not.
        tracker: wandb, mlflow or tensorboard.
        process: number of the process that writes the run: rows are sent until it ends; None: those of now.

    Raises:
        UserError: the folder is no run, its metrics are damaged, or the tracker's package is not installed.
    """
    links.check(run)
    if not (run / run_files.CONFIG).is_file():
        raise UserError(f"{run} is no folder of a run: it holds no config.yaml", "name the folder that qd run printed")
    writers.check(tracker)
    config = read_files.yaml_mapping(run / run_files.CONFIG, "put it back")
    state = _state(run, tracker)
    group = str(config.get("name", run.parent.name))
    folder = run / run_files.TRACKERS
    writer = writers.open_writer(tracker, f"{group}/{run.name}", group, shown_settings(config), state.get("id"), folder)
    try:
        return _send(run, tracker, writer, int(state.get("evaluations", -1)), process)
    finally:
        writer.close()


def shown_settings(config: dict[str, Any]) -> dict[str, Any]:
    """Returns the settings that a tracker gets: an allowed list, in which no key, path, prompt or address can stand.

    Args:
        config: of a run.
    """
    settings = {name: config[name] for name in _SETTINGS if isinstance(config.get(name), int | float | str)}
    for role in _COMPONENTS:
        node = config.get(role)
        if isinstance(node, dict):
            settings[role] = str(node.get("_target_")).rpartition(".")[2]
            numbers = {name: value for name, value in node.items() if isinstance(value, int | float)}
            settings |= {f"{role}.{name}": value for name, value in numbers.items()}
    return settings


def rows_after(run: Path, evaluations: int) -> list[tuple[int, dict[str, float]]]:
    """Returns the rows of metrics.csv past a count of evaluations: (evaluations, name -> finite number).

    Args:
        run: the folder.
        evaluations: rows up to these are left out.

    Raises:
        UserError: metrics.csv is damaged.
    """
    columns = metrics(run / run_files.METRICS)
    counts = _events(run)
    rows = []
    for i, at in enumerate(columns.get("evals", ())):
        if at > evaluations:
            values = {name: float(column[i]) for name, column in columns.items() if name != "evals"}
            values |= {f"events/{name}": float(sum(each <= at for each in when)) for name, when in counts.items()}
            rows.append((int(at), {name: value for name, value in values.items() if math.isfinite(value)}))
    return rows


def _events(run: Path) -> dict[str, list[float]]:
    """Returns event -> the evaluations at which it happened; only names that are words."""
    events: dict[str, list[float]] = {}
    for event in growing.events(run):
        name, at = event.get("event"), event.get("evaluations")
        if isinstance(name, str) and name.isidentifier() and isinstance(at, int | float):
            events.setdefault(name, []).append(at)
    return {name: events[name] for name, _ in Counter(events.keys()).most_common(20)}


def _send(run: Path, tracker: str, writer: writers.TrackerWriter, last: int, process: int | None) -> int:
    count = 0
    while True:
        goes_on = process is not None and _is_alive(process)  # looked at before the rows, so that none is missed
        for evaluations, values in rows_after(run, last):
            writer.row(evaluations, values)
            last, count = evaluations, count + 1
        state = {"id": writer.id, "evaluations": last}
        atomic.make_folder(run / run_files.TRACKERS)
        atomic.write(run / run_files.TRACKERS / f"{tracker}.json", read_files.with_checksum(state))
        if not goes_on:
            return count
        time.sleep(_POLL)


def _state(run: Path, tracker: str) -> dict[str, Any]:
    file = run / run_files.TRACKERS / f"{tracker}.json"
    return read_files.json_object(file, f"delete it: {tracker} then gets a new run") if file.is_file() else {}


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
