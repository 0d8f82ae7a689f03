"""``qd study NAME [KEY=VALUE ...] --check N``: runs N kept rows again and compares them.

The rows are drawn among those of the command's plan that are kept, method by method, in an order that the rows themselves
set, so that the same command checks the same rows. The study runs in a copy of its folder. The result is appended to
``checks.jsonl`` beside the kept rows: a row that came out equal counts as made by the present code too, one that did not is
marked as older, and makes no pair with rows of the present code.
"""

import hashlib
import re
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

from experiments import origin
from qd.report.table import Runs
from qd.support import growing

COSTS = re.compile(r"second|training|per_s|per_cpu_s|_s$|_mb$|saved_|tokens")  # numbers of the machine, not of the search
OLDER = "older"  # the fingerprint of a row that the present code does not make
_TOLERANCE = 1e-6  # relative
Key = tuple[str, str, int]


class Check:
    """A pass through a study that collects what is planned and kept, or runs what was drawn."""

    def __init__(self, drawn: frozenset[Key] | None = None) -> None:
        self.drawn = drawn  # None: nothing is run, planned rows are collected
        self.planned: list[Key] = []
        self.kept: Runs | None = None
        self.folder = Path()
        self.results: list[dict] = []

    def folder_of(self, folder: Path) -> Path:
        """Returns a copy of a folder, in which the study may write.

        Args:
            folder: of the kept results.
        """
        self.folder, copy = folder, Path(tempfile.mkdtemp(prefix="qd-check-")) / folder.name
        shutil.copytree(folder, copy) if folder.is_dir() else copy.mkdir()
        return copy

    def missing(self, runs: Runs, keys: Iterable[Key]) -> list[Key]:
        """Returns the rows that are run again: none while the plan is collected.

        Args:
            runs: the kept rows.
            keys: the plan.
        """
        self.kept = runs
        kept = [key for key in keys if runs.has(*key)]
        self.planned += kept
        drawn = [key for key in kept if key in self.drawn] if self.drawn else []
        self.drawn = self.drawn and self.drawn - set(drawn)  # a plan may name a row twice
        return drawn

    def add(self, key: Key, metrics: dict[str, float]) -> None:
        """Compares a row with the kept one, and prints and stores what differs.

        Args:
            key: case, method and seed.
            metrics: name -> value, of the new run.
        """
        assert self.kept is not None
        kept = self.kept.records[key]
        differing = {
            name: [kept[name], float(metrics[name])] for name in kept if name in metrics and _differs(name, kept, metrics)
        }
        lacking = sorted(name for name in kept if name not in metrics)
        record = {"case": key[0], "method": key[1], "seed": key[2], "equal": not differing, "differing": differing}
        self.results.append(record | ({"lacking": lacking} if lacking else {}) | origin.of_running())
        words = ", ".join(f"{name} {old:.6g} kept, {new:.6g} now" for name, (old, new) in differing.items())
        print(f"{key[0]}, {key[1]}, seed {key[2]}: {words or 'equal'}", flush=True)

    def store(self) -> None:
        """Appends the results to the kept folder."""
        growing.append(self.folder / "checks.jsonl", self.results)
        equal = sum(result["equal"] for result in self.results)
        print(f"{equal} of {len(self.results)} rows are equal; written to {self.folder / 'checks.jsonl'}")


def draw(planned: list[Key], n: int) -> frozenset[Key]:
    """Draws n rows, of different methods and cases as far as there are.

    Args:
        planned: the kept rows of a plan.
        n: how many.
    """
    order = sorted(dict.fromkeys(planned), key=lambda key: hashlib.sha256(repr(key).encode()).hexdigest())
    drawn: list[Key] = []
    while order and len(drawn) < n:
        names: set[tuple[str, str]] = set()
        for key in list(order):
            if key[:2] not in names and len(drawn) < n:
                names.add(key[:2])
                drawn.append(key)
                order.remove(key)
    return frozenset(drawn)


def apply(folder: Path, runs: Runs) -> None:
    """Notes which kept rows came out equal by later code, and which did not.

    Args:
        folder: of the results.
        runs: its rows.
    """
    for record in growing.read(folder / "checks.jsonl"):
        key = record["case"], record["method"], record["seed"]
        if key in runs.records and not record["equal"]:
            runs.codes[key] = {OLDER}
        elif key in runs.records and "code" in record:
            runs.codes[key] = runs.codes.get(key, {""}) | {record["code"]}


def _differs(name: str, kept: dict[str, float], metrics: dict[str, float]) -> bool:
    old, new = kept[name], float(metrics[name])
    if COSTS.search(name) or (old != old and new != new):
        return False
    return not abs(old - new) <= _TOLERANCE * max(abs(old), abs(new), 1e-12)
