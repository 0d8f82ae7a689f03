"""Starts `qd log RUN --to TRACKER` beside a run: a process of its own, so that no tracker can slow or stop a search."""

import os
import subprocess
import sys
from pathlib import Path

from qd.report.tracking import writers
from qd.support import atomic, run_files


def start(run: Path, tracker: str | None) -> None:
    """Starts the process; it ends by itself after the last row, and writes what goes wrong into RUN/trackers/TRACKER.log.

    Args:
        run: the folder of a run, which exists.
        tracker: wandb, mlflow or tensorboard; None starts nothing.

    Raises:
        UserError: there is no such tracker, or its package is not installed.
    """
    if tracker is None:
        return
    writers.check(tracker)
    folder = run / run_files.TRACKERS
    atomic.make_folder(folder)
    words = [sys.executable, "-m", "qd", "log", str(run), "--to", tracker, "--process", str(os.getpid())]
    with (folder / f"{tracker}.log").open("ab") as file:
        subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=file, stderr=file, start_new_session=True)
