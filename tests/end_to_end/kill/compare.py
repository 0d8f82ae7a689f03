"""Whether two run folders hold the same run."""

import csv
import json
from pathlib import Path
from typing import Any

import jax
import numpy as np

from qd.store import checkpoint
from qd.store.recorder import TIMES


def compare(expected: Path, actual: Path) -> None:
    """Raises AssertionError where anything but times differs."""
    for name in ("archive.npz", "history.npz"):
        _equal_npz(expected / name, actual / name)
    differ = {"commit": None, "header_sha256": None}  # the checksum covers the commit
    was, now = (json.loads((path / "archive.json").read_bytes()) | differ for path in (expected, actual))
    assert was == now
    was, now = (_rows_without_times(path / "metrics.csv") for path in (expected, actual))
    assert was == now, "metrics differ"
    assert len(was) > 6
    was, now = (_last(path) for path in (expected, actual))
    benches = zip(*((saved.bench.archive, saved.bench.coarse) for saved in (was, now) if saved.bench), strict=True)
    for one, other in benches:
        _equal_columns(one.data(return_type="dict"), other.data(return_type="dict"))
    _equal_columns(was.state.archive.data(return_type="dict"), now.state.archive.data(return_type="dict"))
    assert (was.tally, was.last_refit) == (now.tally, now.last_refit)
    for one, other in zip(_leaves(was.state), _leaves(now.state), strict=True):
        np.testing.assert_array_equal(one, other)


def _last(path: Path) -> checkpoint.Checkpoint:
    saved = checkpoint.load(path / "checkpoint", print)
    assert saved is not None
    return saved


def _leaves(state: Any) -> list[np.ndarray]:
    remembered = (state.key, state.params, state.reserve, state.generation, state.evaluations)
    return [np.asarray(leaf) for leaf in jax.tree.leaves(remembered)]


def _rows_without_times(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return [{name: cell for name, cell in row.items() if name not in TIMES} for row in csv.DictReader(file)]


def _equal_npz(expected: Path, actual: Path) -> None:
    with np.load(expected, allow_pickle=False) as one, np.load(actual, allow_pickle=False) as other:
        _equal_columns(dict(one), dict(other))


def _equal_columns(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> None:
    assert one.keys() == other.keys()
    for name in one:
        assert one[name].dtype == other[name].dtype, name
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)
