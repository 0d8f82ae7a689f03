"""The four attacks by name."""

import json
import os
import shutil
from collections import Counter
from importlib import import_module
from pathlib import Path

import jax

from tests.fuzz.case import Report

SIZES = {"files": (2_000, 200_000), "commands": (500, 5_000), "endpoints": (500, 20_000), "page": (500, 20_000)}
PIECE = 1_000  # cases that are logged at a time


def run(part: str, folder: Path, seed: int, numbers: range) -> Report:
    """Runs cases of one part in a new folder, from which it does not leave.

    Args:
        part: files, commands, endpoints or page.
        folder: is created.
        seed: of all draws.
        numbers: of the cases; a case is the same in whichever piece it is run.
    """
    report, before = Report(seed), Path.cwd()
    folder.mkdir(parents=True)
    os.chdir(folder)
    try:
        import_module(f"tests.fuzz.{part}").attack(report, folder, numbers)
    finally:
        os.chdir(before)
    return report


def run_logged(part: str, folder: Path, seed: int, cases: int, log: Path) -> Report:
    """Runs cases in pieces, each written to a log once it has ended; pieces that are in the log are not run again.

    Args:
        part: as in ``run``.
        folder: is created for each piece, and removed.
        seed: of all draws.
        cases: from case 0 on.
        log: lines of JSON; made where it is absent.

    Returns:
        The report of all pieces.
    """
    lines = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    pieces = {(line["part"], line["seed"], line["first"], line["cases"]): line for line in lines}
    total = Report(seed)
    for first in range(0, cases, PIECE):
        numbers = range(first, min(first + PIECE, cases))
        key = part, seed, first, len(numbers)
        if key not in pieces:
            report = run(part, folder, seed, numbers)
            shutil.rmtree(folder)
            jax.clear_caches()  # of the programs of all settings that damaged configs named
            counts = [[*of, count] for of, count in report.counts.items()]
            names = ("part", "seed", "first", "cases")
            pieces[key] = dict(zip(names, key, strict=True)) | {"counts": counts, "faults": report.faults}
            with log.open("a") as file:
                file.write(json.dumps(pieces[key]) + "\n")
        total.counts += Counter({(kind, outcome): count for kind, outcome, count in pieces[key]["counts"]})
        total.faults += pieces[key]["faults"]
    return total
