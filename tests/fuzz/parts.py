"""The four attacks by name."""

import os
from importlib import import_module
from pathlib import Path

from tests.fuzz.case import Report

SIZES = {"files": (2_000, 200_000), "commands": (500, 20_000), "endpoints": (500, 20_000), "page": (500, 20_000)}


def run(part: str, folder: Path, seed: int, cases: int) -> Report:
    """Runs one part in a new folder, from which it does not leave.

    Args:
        part: files, commands, endpoints or page.
        folder: is created.
        seed: of all draws.
        cases: how many.
    """
    report, before = Report(seed), Path.cwd()
    folder.mkdir(parents=True)
    os.chdir(folder)
    try:
        import_module(f"tests.fuzz.{part}").attack(report, folder, cases)
    finally:
        os.chdir(before)
    return report
