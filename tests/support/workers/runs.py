"""Small runs by workers, and whether two of them are the same run.

python -m tests.support.workers.runs FOLDER '{"workers": 2}'
"""

import csv
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from qd.config.compose import assemble
from qd.config.workers import RemoteSettings
from qd.runner import run as job
from qd.store.recorder import TIMES
from tests.support.runs import QuietRun, run_settings

_HERE = "tests.support.workers.domains"
_ISOLINE = {"_target_": "qd.emitters.vary.IsoLine", "iso": 0.1}
DOMAINS: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {  # domain, variation, feature
    "bump": ({"_target_": f"{_HERE}.Bump"}, _ISOLINE, "end"),
    "pairs": ({"_target_": f"{_HERE}.Pairs"}, {"_target_": f"{_HERE}.Jolt"}, "end"),
    "arm": ({"_target_": "domains.arm.Arm", "joints": 5}, _ISOLINE, "gripper"),
}


def run(path: Path, domain: str = "bump", console: QuietRun | None = None, **more: Any) -> dict[str, Any]:
    """Runs a small search in a folder.

    Args:
        path: the folder.
        domain: of DOMAINS.
        console: shows it.
        more: settings; those of remote as a dict, more settings of the domain as ``of_domain``.
    """
    node, variation, feature = DOMAINS[domain]
    emitter = {"_target_": "qd.emitters.vary.Vary", "variation": variation, "batch_size": 30, "pure": domain != "pairs"}
    settings = {
        "domain": node | more.pop("of_domain", {}),
        "descriptor": {"_target_": "feedback.descriptors.select.Select", "feature": feature, "bounds": [[-1, 1], [-1, 1]]},
        "archive": {"_target_": "qd.archives.Grid", "dims": [12, 12]},
        "emitter": emitter,
        "remote": RemoteSettings(**({"chunk": 4} | more.pop("remote", {}))),
        "initial": 25, "budget": 300, "log_every": 30, "save_every": 60, "save_seconds": 0.0, "renderings": 0,
    }  # fmt: skip
    settings = run_settings(**(settings | more))
    return job.run(settings, assemble(settings, path), path, console or QuietRun())


def compare(expected: Path, actual: Path) -> None:
    """Raises AssertionError where archive, history or metrics (all columns but times) differ."""
    for name in ("archive.npz", "history.npz"):
        with np.load(expected / name, allow_pickle=False) as one, np.load(actual / name, allow_pickle=False) as other:
            assert one.files == other.files
            for column in one.files:
                np.testing.assert_array_equal(one[column], other[column], err_msg=f"{name} {column}")
    was, now = (_rows(path / "metrics.csv") for path in (expected, actual))
    assert len(was) > 6 and was == now


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return [{name: cell for name, cell in row.items() if name not in TIMES} for row in csv.DictReader(file)]


if __name__ == "__main__":
    run(Path(sys.argv[1]), **json.loads(sys.argv[2]))
